/* SPDX-License-Identifier: Apache-2.0 */
/* The tables that flows are kept in: what is found, what goes first when they are full. */
#include "unit.h"

#include <sys/socket.h>

#include "flow/addresses.h"
#include "flow/flow_table.h"
#include "flow/quic_flows.h"
#include "flow/relays.h"

static void drop_even(void *arg, const struct ev_flow *flow)
{
	if (flow->head.id % 2 == 0)
		flow_table_drop(arg, flow->head.id);
}

static void flow_keeps_its_marks_when_more_is_known_of_it(void **state)
{
	struct flows *flows = flow_table_new();
	struct ev_flow flow = { .head.id = 7 };

	assert_null(flow_table_get(flows, 7));
	assert_false(flow_table_set_reset(flows, 7));
	assert_int_equal(flow_table_put(flows, &flow), 0);
	flow_table_set_relayed(flows, 7);
	assert_true(flow_table_set_reset(flows, 7));
	flow.netns = 5;
	assert_int_equal(flow_table_put(flows, &flow), 0);
	assert_int_equal(flow_table_count(flows), 1);
	assert_int_equal(flow_table_get(flows, 7)->netns, 5);
	assert_true(flow_table_is_relayed(flows, 7));
	assert_false(flow_table_set_reset(flows, 7));
	flow_table_drop(flows, 7);
	flow_table_drop(flows, 7);
	assert_false(flow_table_is_relayed(flows, 7));
	assert_int_equal(flow_table_put(flows, &flow), 0); /* the next of that number is no relay */
	assert_false(flow_table_is_relayed(flows, 7));
	flow_table_free(flows);
}

static void flows_are_bounded_and_may_go_while_they_are_walked(void **state)
{
	struct flows *flows = flow_table_new();
	struct ev_flow flow = { 0 };

	for (flow.head.id = 1; flow.head.id <= FLOWS_MAX; flow.head.id++)
		assert_int_equal(flow_table_put(flows, &flow), 0);
	assert_int_equal(flow_table_put(flows, &flow), -ENOSPC);
	flow.head.id = 1;
	assert_int_equal(flow_table_put(flows, &flow), 0);
	flow_table_each(flows, drop_even, flows);
	assert_int_equal(flow_table_count(flows), FLOWS_MAX / 2);
	assert_null(flow_table_get(flows, 2));
	assert_non_null(flow_table_get(flows, 3));
	flow_table_free(flows);
}

/* IPv4 has its four bytes first; what lies behind them is no part of it. */
static void address_is_known_by_family_bytes_and_port(void **state)
{
	struct addresses *addresses = addresses_new();
	uint8_t a[16] = { 1, 2, 3, 4 }, b[16] = { 1, 2, 3, 4, [15] = 9 };

	addresses_learn(addresses, 7, AF_INET, a, 443, "api.openai.com");
	assert_string_equal(addresses_host(addresses, 7, AF_INET, b, 443), "api.openai.com");
	assert_null(addresses_host(addresses, 7, AF_INET, a, 8443));
	assert_null(addresses_host(addresses, 7, AF_INET6, a, 443));
	addresses_learn(addresses, 7, AF_INET6, b, 443, "api.anthropic.com");
	assert_null(addresses_host(addresses, 7, AF_INET6, a, 443));
	assert_string_equal(addresses_host(addresses, 7, AF_INET6, b, 443), "api.anthropic.com");
	addresses_learn(addresses, 7, AF_INET, b, 443, "api.mistral.ai");
	assert_string_equal(addresses_host(addresses, 7, AF_INET, a, 443), "api.mistral.ai");
	/* in another namespace it is somebody else's; what the resolver said holds in all */
	assert_null(addresses_host(addresses, 8, AF_INET, a, 443));
	addresses_learn(addresses, 0, AF_INET, a, 443, "api.cohere.com");
	assert_string_equal(addresses_host(addresses, 8, AF_INET, a, 443), "api.cohere.com");
	assert_string_equal(addresses_host(addresses, 7, AF_INET, a, 443), "api.cohere.com");
	addresses_free(addresses);
}

static void address_that_was_learned_first_goes_first(void **state)
{
	struct addresses *addresses = addresses_new();
	uint8_t addr[16] = { 0 };

	for (unsigned i = 0; i <= ADDRESSES_MAX; i++) {
		addr[0] = (uint8_t)(i >> 8);
		addr[1] = (uint8_t)i;
		addresses_learn(addresses, 7, AF_INET, addr, 443, "x");
	}
	memset(addr, 0, sizeof(addr));
	assert_null(addresses_host(addresses, 7, AF_INET, addr, 443));
	addr[1] = 1;
	assert_non_null(addresses_host(addresses, 7, AF_INET, addr, 443));
	addresses_free(addresses);
}

static void hello_seen_again_on_another_socket_is_relayed(void **state)
{
	struct relays *relays = relays_new();

	assert_false(relays_is_relayed(relays, 99, 1));
	assert_false(relays_is_relayed(relays, 99, 1)); /* the same socket repeats itself */
	assert_true(relays_is_relayed(relays, 99, 2));
	assert_true(relays_is_relayed(relays, 99, 3)); /* a relay behind a relay */
	assert_false(relays_is_relayed(relays, 98, 2));
	for (uint64_t hello = 1000; hello < 1000 + RELAYS_MAX; hello++)
		assert_false(relays_is_relayed(relays, hello, 4));
	assert_false(relays_is_relayed(relays, 99, 2)); /* forgotten by now */
	relays_free(relays);
}

/* A recorded first datagram: its length in two bytes, then itself. */
static void read_datagram(struct ev_quic *event)
{
	FILE *file = fopen("tests/fuzz/corpus/quic/ngtcp2", "r");
	uint8_t size[2];

	assert_non_null(file);
	assert_int_equal(fread(size, 1, 2, file), 2);
	event->len = (__u32)(size[0] | size[1] << 8);
	assert_int_equal(fread(event->bytes, 1, event->len, file), event->len);
	fclose(file);
}

static void quic_is_named_by_its_first_datagrams(void **state)
{
	static struct ev_quic event, empty;
	struct quic_flows *quic_flows = quic_flows_new();
	enum quic_flows_result result = QUIC_FLOWS_MORE;
	char host[EV_HOST_LEN] = "";
	int n = 0;

	read_datagram(&event);
	event.flow.head.id = 1;
	assert_int_equal(quic_flows_take(quic_flows, &event, host), QUIC_FLOWS_NAME);
	assert_string_equal(host, "api.anthropic.com");
	empty.flow.head.id = 2;
	empty.len = 1;
	host[0] = '\0';
	for (; n < 100 && result == QUIC_FLOWS_MORE; n++)
		result = quic_flows_take(quic_flows, &empty, host);
	assert_int_equal(result, QUIC_FLOWS_NONE);
	assert_in_range(n, 2, 16); /* a name may be in several datagrams, not in any number */
	assert_string_equal(host, "");
	quic_flows_free(quic_flows);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(flow_keeps_its_marks_when_more_is_known_of_it),
		cmocka_unit_test(flows_are_bounded_and_may_go_while_they_are_walked),
		cmocka_unit_test(address_is_known_by_family_bytes_and_port),
		cmocka_unit_test(address_that_was_learned_first_goes_first),
		cmocka_unit_test(hello_seen_again_on_another_socket_is_relayed),
		cmocka_unit_test(quic_is_named_by_its_first_datagrams),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

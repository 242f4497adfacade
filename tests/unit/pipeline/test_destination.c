/* SPDX-License-Identifier: Apache-2.0 */
/* Who vouches for where a call goes: by the sockets that carry it, and the addresses that name services gave. */
#include "unit.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "pipeline/pipeline_internal.h"

#define OWN  4026531840u
#define HOST "api.openai.com"

static char asked[64];
static size_t n_asked;

static void on_ask(void *arg, uint64_t cgroup, const char *host)
{
	snprintf(asked, sizeof(asked), "%llu %s", (unsigned long long)cgroup, host);
	n_asked++;
}

static int64_t wall_us(uint64_t mono_ns)
{
	return (int64_t)(mono_ns / 1000);
}

static struct pipeline_config config;
static struct pipeline *pipeline;

static int begin(void **state)
{
	int err;

	n_asked = 0;
	config = (struct pipeline_config){ .hooks.names.ask = on_ask,
					   .wall_us = wall_us,
					   .netns = OWN };
	err = who_new(&config.who, NULL);
	if (!err)
		err = prices_new(&config.prices);
	return err || pipeline_new(&pipeline, &config);
}

static int finish(void **state)
{
	pipeline_free(pipeline);
	prices_free(config.prices);
	who_free(config.who);
	return 0;
}

static struct ev_flow flow_to(const char *address)
{
	struct ev_flow flow = {
		.head.id = 9, .head.cgroup = 7, .netns = OWN, .family = AF_INET, .host = HOST
	};

	inet_pton(AF_INET, address, flow.remote_addr);
	return flow;
}

static void resolve(const char *address, const char *host)
{
	struct sockaddr_in in = { .sin_family = AF_INET };

	inet_pton(AF_INET, address, &in.sin_addr);
	pipeline_address(pipeline, (struct sockaddr *)&in, host, 1);
}

static const char *of_one(const struct ev_flow *flow)
{
	struct pairs_sockets sockets = { .n = 1, .peers = { pipeline_peer(pipeline, flow, HOST) } };

	return pipeline_destination(pipeline, &sockets, HOST);
}

static void an_address_of_the_provider_confirms(void **state)
{
	struct ev_flow flow = flow_to("192.0.2.1"), other = flow_to("192.0.2.2");

	assert_string_equal(of_one(&flow), "unconfirmed");
	resolve("192.0.2.1", HOST);
	resolve("192.0.2.2", "api.anthropic.com");
	resolve("192.0.2.2", "www.example.org");
	assert_string_equal(of_one(&flow), "confirmed");
	assert_string_equal(of_one(&other), "unconfirmed");
	assert_string_equal(pipeline_destination(pipeline, NULL, HOST), "unconfirmed");
}

/* The answer may come after the connection has begun; and what was one once stays so for the connection. */
static void the_address_is_judged_again_at_the_end(void **state)
{
	struct ev_flow flow = flow_to("192.0.2.1");
	struct pairs_sockets early = { .n = 1, .peers = { pipeline_peer(pipeline, &flow, HOST) } };
	struct pairs_sockets late;

	resolve("192.0.2.1", HOST);
	assert_string_equal(pipeline_destination(pipeline, &early, HOST), "confirmed");
	late = (struct pairs_sockets){ .n = 1, .peers = { pipeline_peer(pipeline, &flow, HOST) } };
	pipeline->last_ns = 3 * RESOLVED_KEEP_NS;
	assert_string_equal(pipeline_destination(pipeline, &late, HOST), "confirmed");
	assert_string_equal(pipeline_destination(pipeline, &early, HOST), "unconfirmed");
}

static void every_socket_that_carries_it_counts(void **state)
{
	struct ev_flow flow = flow_to("192.0.2.1"), own = flow_to("127.0.0.1");
	struct pairs_sockets both = { .n = 2 };

	resolve("192.0.2.1", HOST);
	both.peers[0] = pipeline_peer(pipeline, &flow, HOST);
	both.peers[1] = pipeline_peer(pipeline, &own, HOST);
	assert_string_equal(pipeline_destination(pipeline, &both, HOST), "unconfirmed");
}

static void tunnels_and_namespaces_of_anybodys_making_confirm_nothing(void **state)
{
	struct ev_flow flow = flow_to("192.0.2.1");

	resolve("192.0.2.1", HOST);
	flow.is_tunnelled = 1;
	assert_string_equal(of_one(&flow), "unconfirmed");
	flow.is_tunnelled = 0;
	flow.is_tenants = 1;
	assert_string_equal(of_one(&flow), "unconfirmed");
}

/* An answer about HOST with one address, as the kernel hands it up. */
static void answer(uint32_t netns, const char *address)
{
	static const uint8_t before[] = "\1\2\x81\x80\0\1\0\1\0\0\0\0\3api\6openai\3com\0\0\1\0\1"
					"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4";
	struct ev_answer event = { .head = { .type = EV_ANSWER, .time_ns = 1 }, .netns = netns };

	memcpy(event.bytes, before, sizeof(before) - 1);
	inet_pton(AF_INET, address, event.bytes + sizeof(before) - 1);
	event.len = sizeof(before) - 1 + 4;
	pipeline_event(pipeline, &event.head, sizeof(event));
}

static void an_answer_counts_where_it_was_given(void **state)
{
	struct ev_flow here = flow_to("192.0.2.1"), there = flow_to("192.0.2.2");
	struct pipeline_stats stats;

	there.netns = OWN + 1;
	answer(OWN + 1, "192.0.2.2");
	assert_string_equal(of_one(&there), "confirmed");
	there.netns = OWN + 2;
	assert_string_equal(of_one(&there), "unconfirmed");
	/* what the node's own programs are told is what the node is told */
	answer(OWN, "192.0.2.1");
	assert_string_equal(of_one(&here), "confirmed");
	here.netns = OWN + 2;
	assert_string_equal(of_one(&here), "confirmed");
	pipeline_event(
		pipeline,
		&(struct ev_answer){ .head.type = EV_ANSWER, .netns = OWN, .len = EV_ANSWER_MAX + 1 }
			 .head,
		sizeof(struct ev_answer));
	pipeline_stats(pipeline, &stats);
	assert_int_equal(stats.bad_events, 1);
}

static void a_named_proxy_confirms_what_goes_through_it(void **state)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	struct ev_flow flow = flow_to("192.0.2.9");

	flow.is_tunnelled = 1;
	flow.remote_port = 3128;
	inet_pton(AF_INET, "192.0.2.9", &in.sin_addr);
	assert_string_equal(of_one(&flow), "unconfirmed");
	pipeline_proxy(pipeline, (struct sockaddr *)&in, 3128, 1);
	assert_string_equal(of_one(&flow), "confirmed");
	flow.remote_port = 3129;
	assert_string_equal(of_one(&flow), "unconfirmed");
}

static void the_resolver_is_asked_about_what_is_not_known(void **state)
{
	struct ev_flow flow = flow_to("192.0.2.1");

	pipeline_ask_name(pipeline, &flow);
	assert_int_equal(n_asked, 1);
	assert_string_equal(asked, "7 " HOST);
	resolve("192.0.2.1", HOST);
	pipeline_ask_name(pipeline, &flow);
	assert_int_equal(n_asked, 1);
	pipeline->config.hooks.names.ask = NULL;
	assert_string_equal(of_one(&flow), "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(an_address_of_the_provider_confirms, begin, finish),
		cmocka_unit_test_setup_teardown(the_address_is_judged_again_at_the_end, begin,
						finish),
		cmocka_unit_test_setup_teardown(every_socket_that_carries_it_counts, begin, finish),
		cmocka_unit_test_setup_teardown(
			tunnels_and_namespaces_of_anybodys_making_confirm_nothing, begin, finish),
		cmocka_unit_test_setup_teardown(an_answer_counts_where_it_was_given, begin, finish),
		cmocka_unit_test_setup_teardown(a_named_proxy_confirms_what_goes_through_it, begin,
						finish),
		cmocka_unit_test_setup_teardown(the_resolver_is_asked_about_what_is_not_known,
						begin, finish),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/hash.h and the tables that rest on it, with too little memory: each test fills a table while its
 * first allocation fails, then its second, and so on until none does. Always: no abort, an error or a
 * counted loss for each failure, nothing leaked, and a table that goes on working.
 *
 * The linker wraps the allocator of all objects of this program (Makefile).
 */
#include "failing_memory.h"

#include "flow/addresses.h"
#include "flow/flow_table.h"
#include "flow/quic_flows.h"
#include "flow/reconcile.h"
#include "flow/relays.h"

struct entry {
	int key;
	UT_hash_handle hh;
};

static void fill_plain(void)
{
	static struct entry entries[MANY];
	struct entry *table = NULL, *entry, *next;
	unsigned n = 0;

	memset(entries, 0, sizeof(entries));
	for (int i = 0; i < MANY; i++) {
		entry = &entries[i];
		entry->key = i;
		HASH_ADD(hh, table, key, sizeof(entry->key), entry);
		n += entry->hh.tbl != NULL;
		assert_int_equal(HASH_COUNT(table), n);
	}
	assert_int_equal(n, MANY - memory.failed);
	for (int i = 0; i < MANY; i++) {
		HASH_FIND(hh, table, &i, sizeof(i), entry);
		assert_ptr_equal(entry, entries[i].hh.tbl ? &entries[i] : NULL);
	}
	HASH_ITER(hh, table, entry, next) {
		HASH_DEL(table, entry);
		n--;
	}
	assert_int_equal(n, 0);
	assert_null(table);
}

static void a_failed_add_leaves_the_table_as_it_was(void **state)
{
	/* the table, its buckets, and two times twice as many */
	assert_int_equal(with_each_failure(fill_plain), 4);
}

static void order_is(const struct entry *table, const char *expected)
{
	const struct entry *last = NULL;
	char order[8] = "";

	for (; table; last = table, table = table->hh.next) {
		assert_ptr_equal(table->hh.prev, last);
		order[strlen(order)] = (char)table->key;
	}
	assert_string_equal(order, expected);
}

static void a_touched_entry_is_the_last_one(void **state)
{
	struct entry entries[] = { { .key = 'a' }, { .key = 'b' }, { .key = 'c' } };
	struct entry late = { .key = 'd' }, *table = NULL, *found;
	int key = 'a';

	HASH_ADD(hh, table, key, sizeof(int), &entries[0]);
	HASH_TOUCH(hh, table, &entries[0]);
	order_is(table, "a");
	HASH_ADD(hh, table, key, sizeof(int), &entries[1]);
	HASH_ADD(hh, table, key, sizeof(int), &entries[2]);
	memory = (typeof(memory)){ .is_on = true };
	HASH_TOUCH(hh, table, &entries[2]);
	order_is(table, "abc");
	HASH_TOUCH(hh, table, &entries[1]);
	order_is(table, "acb");
	HASH_TOUCH(hh, table, &entries[0]); /* the head */
	order_is(table, "cba");
	memory.is_on = false;
	assert_int_equal(memory.n, 0);
	HASH_ADD(hh, table, key, sizeof(int), &late);
	order_is(table, "cbad");
	HASH_FIND(hh, table, &key, sizeof(key), found);
	assert_ptr_equal(found, &entries[0]);
	while (table)
		HASH_DEL(table, table);
}

static struct ev_flow flow_of(uint32_t i)
{
	struct ev_flow flow = { .head = { .tgid = i, .id = i, .cgroup = 7 },
				.bytes = { 51000, 104500 },
				.comm = "agent" };

	strcpy(flow.host, "api.openai.com");
	return flow;
}

static void fill_flows(void)
{
	struct flows *flows = flow_table_new();
	struct ev_flow flow;
	size_t lost = 0;
	int err;

	if (!flows)
		return;
	for (uint32_t i = 1; i <= MANY; i++) {
		flow = flow_of(i);
		err = flow_table_put(flows, &flow);
		assert_true(!err || err == -ENOMEM);
		assert_int_equal(!flow_table_get(flows, i), err == -ENOMEM);
		lost += err == -ENOMEM;
	}
	assert_int_equal(lost, memory.failed);
	assert_int_equal(flow_table_count(flows), MANY - lost);
	for (uint32_t i = 1; i <= MANY; i++) {
		flow = flow_of(i);
		assert_int_equal(flow_table_put(flows, &flow), 0);
	}
	assert_int_equal(flow_table_count(flows), MANY);
	for (uint32_t i = 1; i <= MANY; i++)
		flow_table_drop(flows, i);
	assert_int_equal(flow_table_count(flows), 0);
	flow_table_free(flows);
}

static void each_flow_that_is_lost_is_an_error(void **state)
{
	assert_true(with_each_failure(fill_flows) > MANY);
}

static void fill_reconcile(void)
{
	struct reconcile *reconcile = reconcile_new();
	struct reconcile_stats stats;
	struct reconcile_sum sum;
	size_t n = 0;

	if (!reconcile)
		return;
	for (uint32_t i = 1; i <= MANY; i++) {
		struct ev_flow flow = flow_of(i);

		reconcile_flow(reconcile, &flow);
		reconcile_flow_end(reconcile, &flow);
	}
	while (reconcile_next(reconcile, false, &sum)) {
		assert_string_equal(sum.host, "api.openai.com");
		n++;
	}
	reconcile_stats(reconcile, &stats);
	assert_int_equal(stats.accounts_dropped, memory.failed);
	assert_int_equal(n, MANY - memory.failed);
	reconcile_free(reconcile);
}

static void an_account_that_is_lost_is_counted(void **state)
{
	assert_true(with_each_failure(fill_reconcile) > MANY);
}

static void fill_small_flow_tables(void)
{
	static struct ev_quic quic = { .len = 40 };
	struct quic_flows *quics = quic_flows_new();
	struct addresses *addresses = addresses_new();
	struct relays *relays = relays_new();
	uint8_t addr[16] = { 10 };
	char host[EV_HOST_LEN];
	size_t unread = 0, unknown = 0, unseen = 0;

	for (uint32_t i = 1; quics && i <= SOME; i++) {
		quic.flow.head.id = i;
		/* the first datagram of several, or so it seems */
		unread += quic_flows_take(quics, &quic, host) != QUIC_FLOWS_MORE;
	}
	for (uint32_t i = 1; addresses && i <= SOME; i++) {
		memcpy(addr + 1, &i, sizeof(i));
		addresses_learn(addresses, 7, 10, addr, 443, "api.openai.com");
		unknown += !addresses_host(addresses, 7, 10, addr, 443);
	}
	for (uint32_t i = 1; relays && i <= SOME; i++) {
		assert_false(relays_is_relayed(relays, i, i));
		unseen += !relays_is_relayed(relays, i, i + SOME);
	}
	assert_true(unread + unknown + unseen <= memory.failed);
	quic_flows_free(quics);
	addresses_free(addresses);
	relays_free(relays);
}

static void a_lost_address_or_hello_is_not_known_and_no_more(void **state)
{
	assert_true(with_each_failure(fill_small_flow_tables) > 2 * SOME);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_failed_add_leaves_the_table_as_it_was),
		cmocka_unit_test(a_touched_entry_is_the_last_one),
		cmocka_unit_test(each_flow_that_is_lost_is_an_error),
		cmocka_unit_test(an_account_that_is_lost_is_counted),
		cmocka_unit_test(a_lost_address_or_hello_is_not_known_and_no_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

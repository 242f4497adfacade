/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/hash.h and the tables that rest on it, with too little memory: each test fills a table while its
 * first allocation fails, then its second, and so on until none does. Always: no abort, an error or a
 * counted loss for each failure, nothing leaked, and a table that goes on working.
 *
 * The linker wraps the allocator of all objects of this program (Makefile).
 */
#include "unit.h"

#include "base/hash.h"
#include "budget/policy.h"
#include "flow/addresses.h"
#include "flow/flow_table.h"
#include "flow/quic_flows.h"
#include "flow/reconcile.h"
#include "flow/relays.h"
#include "meter/price.h"
#include "metrics/series.h"
#include "names/pods.h"
#include "pipeline/pipeline.h"
#include "who/cgroup.h"
#include "who/process.h"
#include "who/who.h"

/* Enough entries that uthash doubles its 32 buckets (once one has 10), twice. */
#define MANY 640
/* Where filling a table again for each allocation is dear. */
#define SOME 256

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_aligned_alloc(size_t align, size_t size);
void *__real_realloc(void *old, size_t size);
char *__real_strdup(const char *text);
void __real_free(void *at);

static struct {
	bool is_on;
	unsigned long fail_at; /* the first is 1 */
	unsigned long n;       /* so far */
	unsigned long failed;
	long live;
} memory;

static bool fails(void)
{
	if (!memory.is_on || ++memory.n != memory.fail_at)
		return false;
	memory.failed++;
	return true;
}

static void *given(void *at)
{
	memory.live += at && memory.is_on;
	return at;
}

void *__wrap_malloc(size_t size)
{
	return fails() ? NULL : given(__real_malloc(size));
}

void *__wrap_calloc(size_t n, size_t size)
{
	return fails() ? NULL : given(__real_calloc(n, size));
}

void *__wrap_aligned_alloc(size_t align, size_t size)
{
	return fails() ? NULL : given(__real_aligned_alloc(align, size));
}

void *__wrap_realloc(void *old, size_t size)
{
	if (fails())
		return NULL;
	return old ? __real_realloc(old, size) : given(__real_realloc(old, size));
}

char *__wrap_strdup(const char *text)
{
	return fails() ? NULL : given(__real_strdup(text));
}

void __wrap_free(void *at)
{
	memory.live -= at && memory.is_on;
	__real_free(at);
}

/* The scenario frees all that it makes. Returns how many allocations it makes when none fails. */
static unsigned long with_each_failure(void (*scenario)(void))
{
	for (unsigned long at = 1;; at++) {
		memory = (typeof(memory)){ .is_on = true, .fail_at = at };
		scenario();
		memory.is_on = false;
		assert_int_equal(memory.live, 0);
		if (!memory.failed)
			return memory.n;
	}
}

/* ---- uthash itself, as base/hash.h sets it up ---- */

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

/* ---- flow ---- */

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

/* ---- who, names ---- */

static void count_one(void *arg, uint64_t id, const char *path)
{
	++*(size_t *)arg;
}

static void fill_who(void)
{
	struct processes *processes = processes_new();
	struct cgroups *cgroups = NULL;
	char path[32];
	size_t unknown = 0, n = 0;

	assert_true(!cgroups_new(&cgroups, NULL) || memory.failed);
	for (uint32_t i = 1; cgroups && i <= SOME; i++) {
		const char *found;

		snprintf(path, sizeof(path), "/pod%u", i);
		cgroups_learn(cgroups, i, path);
		found = cgroups_path(cgroups, i);
		unknown += !found;
		assert_true(!found || !strcmp(found, path));
	}
	if (cgroups)
		cgroups_each(cgroups, count_one, &n);
	/* cgroups_each() has a list of its own to make */
	assert_true(!cgroups || n == SOME - unknown || (!n && memory.failed));
	for (uint32_t i = 1; processes && i <= SOME; i++) {
		/* beyond any pid: of nothing that lives */
		const struct who_process *is = processes_find(processes, 0x40000000 + i, "agent",
							      WHO_NO_UID);

		assert_non_null(is);
		assert_int_equal(is->tgid, 0x40000000 + i);
		(void)processes_find(processes, 0x40000001, "agent", WHO_NO_UID);
	}
	cgroups_free(cgroups);
	processes_free(processes);
}

static void who_answers_without_memory(void **state)
{
	assert_true(with_each_failure(fill_who) > 2 * SOME);
}

static void fill_pods(void)
{
	struct pods *pods = pods_new(NULL, NULL);
	size_t unnamed = 0;

	if (!pods)
		return;
	for (unsigned i = 1; i <= SOME; i++) {
		struct who_pod pod = { .name = "agents" };
		struct who_container container = { .name = "main" };

		/* a static pod: first by its hash, then by the uid of its mirror */
		snprintf(pod.uid, sizeof(pod.uid), "hash-%u", i);
		snprintf(pod.hash, sizeof(pod.hash), "hash-%u", i);
		pods_learn(pods, &pod, PODS_PATHS);
		snprintf(pod.uid, sizeof(pod.uid), "uid-%u", i);
		pods_learn(pods, &pod, PODS_OBJECT);
		unnamed += !pods_find(pods, pod.uid, NULL);
		snprintf(container.id, sizeof(container.id), "cid-%u", i);
		pods_learn_container(pods, &container, PODS_PATHS);
		unnamed += !pods_find_container(pods, container.id);
		if (!memory.failed)
			assert_non_null(pods_find(pods, pod.hash, NULL));
	}
	/* what one failure took, the next fact of the pod brings back */
	assert_true(unnamed <= memory.failed);
	pods_free(pods);
}

static void a_pod_that_is_lost_is_learned_again(void **state)
{
	assert_true(with_each_failure(fill_pods) > 2 * SOME);
}

/* ---- metrics, pipeline, budget ---- */

static void fill_series(void)
{
	struct series_table *series = series_new(sizeof(struct series_row) + 64, MANY, NULL, NULL);
	char labels[32];
	size_t lost = 0;

	if (!series)
		return;
	for (unsigned i = 0; i < MANY; i++) {
		struct series_row *row;

		snprintf(labels, sizeof(labels), "pod=\"%u\"", i);
		row = series_get(series, labels, i + 1);
		lost += !row;
		assert_ptr_equal(series_find(series, labels, i + 1), row);
	}
	assert_int_equal(lost, memory.failed);
	assert_int_equal(series_count(series), MANY - lost);
	series_expire(series, SERIES_KEEP_NS + 2 * MANY);
	assert_int_equal(series_count(series), 0);
	series_free(series);
}

static void a_row_that_is_lost_is_told(void **state)
{
	assert_true(with_each_failure(fill_series) > 2 * MANY);
}

static int64_t wall_us(uint64_t mono_ns)
{
	return 1790000000000000;
}

static void on_decided(void *arg, uint64_t connection, enum ctl_verdict verdict)
{
}

static void fill_pipeline(void)
{
	struct pipeline_config config = { .hooks.tap.decide = on_decided, .wall_us = wall_us };
	struct pipeline *pipeline = NULL;
	struct pipeline_stats stats;

	if (who_new(&config.who, NULL) || prices_new(&config.prices) ||
	    pipeline_new(&pipeline, &config)) {
		assert_int_equal(memory.failed, 1);
		goto out;
	}
	for (uint64_t i = 1; i <= SOME; i++) {
		struct ev_open event = { .head = { .type = EV_OPEN, .id = i, .tgid = 0x40000000 },
					 .verdict = CTL_AI };

		strcpy(event.host, "api.openai.com");
		pipeline_event(pipeline, &event.head, sizeof(event));
	}
	pipeline_stats(pipeline, &stats);
	assert_int_equal(stats.bad_events, 0);
	assert_int_equal(stats.connections.connections + stats.connections.connections_dropped,
			 SOME);
	assert_true(stats.connections.connections_dropped <= memory.failed);
	for (uint64_t i = 1; i <= SOME; i++) {
		struct ev_close event = { .head = { .type = EV_CLOSE, .id = i, .tgid = 0x40000000 } };

		pipeline_event(pipeline, &event.head, sizeof(event));
	}
	pipeline_stats(pipeline, &stats);
	assert_int_equal(stats.connections.connections, 0);
out:
	pipeline_free(pipeline);
	prices_free(config.prices);
	who_free(config.who);
}

static void a_connection_that_is_lost_is_counted(void **state)
{
	assert_true(with_each_failure(fill_pipeline) > 2 * SOME);
}

static void add_spent(void *arg, const struct policy_counter *counter)
{
	*(int64_t *)arg += counter->spent_nanos;
}

static void fill_policy(void)
{
	static struct policy_budget budget = { .name = "b",
					       .per = POLICY_PER_CGROUP,
					       .limit_nanos = 1000000,
					       .window = POLICY_DAY,
					       .zone = "UTC" };
	static const struct policy_rules rules = { .budgets = &budget, .n_budgets = 1 };
	struct policy *policy = policy_new(&rules);
	struct who_process process = { .tgid = 7 };
	struct policy_stats stats;
	int64_t sum = 0;

	if (!policy)
		return;
	for (uint64_t i = 1; i <= SOME; i++) {
		struct charge charge = { .source = CHARGE_USAGE,
					 .is_priced = true,
					 .cost_nanos = 10,
					 .budget_nanos = 10 };
		struct who_group group = { .cgroup = i };
		struct policy_subject subject = {
			.group = &group, .process = &process, .host = "api.x", .model = "m"
		};

		snprintf(group.path, sizeof(group.path), "/agent%u", (unsigned)i);
		policy_reserve(policy, &subject, i, &charge, 1000, NULL);
		policy_release(policy, i);
		policy_charge(policy, &subject, &charge, (int64_t)i, 1000, NULL);
	}
	policy_counters(policy, 1000, add_spent, &sum);
	policy_stats(policy, &stats);
	assert_int_equal(sum + 10 * (int64_t)stats.dropped, 10 * SOME);
	assert_true(stats.dropped + stats.unreserved <= memory.failed);
	assert_int_equal(stats.flights, 0);
	policy_free(policy);
}

static void a_charge_that_no_counter_took_is_counted(void **state)
{
	assert_true(with_each_failure(fill_policy) > 2 * SOME);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_failed_add_leaves_the_table_as_it_was),
		cmocka_unit_test(a_touched_entry_is_the_last_one),
		cmocka_unit_test(each_flow_that_is_lost_is_an_error),
		cmocka_unit_test(an_account_that_is_lost_is_counted),
		cmocka_unit_test(a_lost_address_or_hello_is_not_known_and_no_more),
		cmocka_unit_test(who_answers_without_memory),
		cmocka_unit_test(a_pod_that_is_lost_is_learned_again),
		cmocka_unit_test(a_row_that_is_lost_is_told),
		cmocka_unit_test(a_connection_that_is_lost_is_counted),
		cmocka_unit_test(a_charge_that_no_counter_took_is_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base/hash.h and the tables that rest on it, with too little memory: each test fills a table while its
 * first allocation fails, then its second, and so on until none does. Always: no abort, an error or a
 * counted loss for each failure, nothing leaked, and a table that goes on working.
 *
 * The linker wraps the allocator of all objects of this program (Makefile).
 */
#include "failing_memory.h"

#include "budget/policy.h"
#include "price/price.h"
#include "metrics/series.h"
#include "names/pods.h"
#include "pipeline/pipeline.h"
#include "who/cgroup.h"
#include "who/process.h"
#include "who/who.h"

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
		cmocka_unit_test(who_answers_without_memory),
		cmocka_unit_test(a_pod_that_is_lost_is_learned_again),
		cmocka_unit_test(a_row_that_is_lost_is_told),
		cmocka_unit_test(a_connection_that_is_lost_is_counted),
		cmocka_unit_test(a_charge_that_no_counter_took_is_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whole recorded calls through the pipeline and a budget with too little memory: each recording again and again, while
 * its first allocation fails, then its second, and so on; and while from there on all of them do. Always: no
 * abort, nothing leaked, no call charged twice, nothing below zero, and the budget has what was charged.
 */
#include "failing_memory.h"

#include "budget/policy.h"
#include "price/price.h"
#include "pipeline/pipeline.h"
#include "tap/record.h"

#define EVENTS_MAX 512
static struct prices *prices; /* made once: what it takes is not the scenario's */

static struct {
	struct ev_head *event;
	size_t size;
} events[EVENTS_MAX];
static size_t n_events;

static struct policy_budget budget = { .name = "b",
				       .per = POLICY_PER_MATCH,
				       .limit_nanos = 1,
				       .window = POLICY_DAY,
				       .zone = "UTC" };
static const struct policy_rules rules = { .budgets = &budget, .n_budgets = 1 };

static struct {
	uint64_t n;
	int64_t nanos;
} charged, whole; /* in this run; when nothing failed */

static int64_t wall_us(uint64_t mono_ns)
{
	return (int64_t)(mono_ns / 1000);
}

static void called(void *arg, const struct ledger_call *call)
{
	const struct charge *charge = call->charge;

	assert_true(charge->cost_nanos >= 0 && charge->budget_nanos >= 0);
	assert_true(charge->usage.reasoning <= charge->usage.output);
	charged.n++;
	charged.nanos += charge->budget_nanos;
}

static void add_spent(void *arg, const struct policy_counter *counter)
{
	*(int64_t *)arg += counter->spent_nanos;
}

static void make_calls(void)
{
	struct policy *policy = policy_new(&rules);
	struct pipeline_config config = { .prices = prices,
					  .policy = policy,
					  .wall_us = wall_us,
					  .hooks.observer.called = called };
	uint64_t last_ns = events[n_events - 1].event->time_ns;
	struct pipeline *pipeline = NULL;
	struct policy_stats stats;
	int64_t spent = 0;

	charged.n = 0;
	charged.nanos = 0;
	if (policy && !who_new(&config.who, NULL) && !pipeline_new(&pipeline, &config)) {
		for (size_t i = 0; i < n_events; i++)
			pipeline_event(pipeline, events[i].event, events[i].size);
		pipeline_tick(pipeline, last_ns);
		pipeline_free(pipeline);
		policy_counters(policy, wall_us(last_ns), add_spent, &spent);
		policy_stats(policy, &stats);
		if (!stats.dropped)
			assert_int_equal(spent, charged.nanos);
		assert_true(spent <= charged.nanos && stats.dropped <= charged.n);
		assert_true(charged.n <= whole.n || !whole.n);
	}
	who_free(config.who);
	policy_free(policy);
}

static void read_events(const char *path)
{
	struct record *record;
	const struct ev_head *event;
	size_t size;

	assert_int_equal(record_open(&record, path), 0);
	for (n_events = 0; n_events < EVENTS_MAX && record_read(record, &event, &size) > 0;
	     n_events++) {
		events[n_events].event = aligned_alloc(8, (size + 7) / 8 * 8);
		memcpy(events[n_events].event, event, size);
		events[n_events].size = size;
	}
	record_free(record);
	assert_in_range(n_events, 1, EVENTS_MAX - 1);
}

static void each_failure_costs_no_more_than_its_call(void **state)
{
	static const char *const recordings[] = {
		"anthropic-json-gzip", "anthropic-stream-httpx", "chat-no-usage-curl",
		"chat-stream-node",    "embeddings-br-aiohttp",  "http2-curl",
		"overloaded-curl",     "responses-stream-fetch",
	};

	for (size_t i = 0; i < ARRAY_SIZE(recordings); i++) {
		unsigned long n;
		char path[128];

		snprintf(path, sizeof(path), "tests/replay/%s.events", recordings[i]);
		read_events(path);
		whole.n = 0;
		make_calls();
		memcpy(&whole, &charged, sizeof(whole));
		assert_true(whole.n > 0);
		n = with_each_failure(make_calls);
		assert_true(n > 10);
		assert_int_equal(charged.n, whole.n); /* the last run, of which nothing failed */
		assert_int_equal(charged.nanos, whole.nanos);
		with_all_failures(make_calls, n);
		memory = (typeof(memory)){ .is_on = true, .fail_at = 1, .is_lasting = true };
		make_calls();
		memory.is_on = false;
		assert_int_equal(charged.n, 0);
		for (size_t k = 0; k < n_events; k++)
			free(events[k].event);
	}
}

static int make_world(void **state)
{
	return prices_new(&prices) || prices_load_builtin(prices, NULL);
}

static int end_world(void **state)
{
	prices_free(prices);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_failure_costs_no_more_than_its_call),
	};

	return cmocka_run_group_tests(tests, make_world, end_world);
}

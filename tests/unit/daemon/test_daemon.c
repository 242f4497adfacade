/* SPDX-License-Identifier: Apache-2.0 */
/* The start, what happens while it runs, and the end: daemon.c, start.c, events.c, hooks.c, timers.c. */
#include "world.h"

#include <signal.h>

#include "base/clock.h"
#include "daemon/hooks.h"
#include "daemon/summary.h"
#include "daemon/timers.h"
#include "pipeline/pipeline.h"
#include "tap/record.h"

static struct pipeline_stats stats(void)
{
	struct pipeline_stats stats;

	pipeline_stats(world.daemon.pipeline, &stats);
	return stats;
}

static void it_starts_and_gives_privileges_up(void **state)
{
	json_t *daemon;
	const char *returns;

	starts();
	assert_int_equal(world.n_drops, 1);
	assert_false(world.kept_admin); /* uprobe_multi, and nothing is enforced */
	assert_int_equal(kernel.n_scans, 1);
	assert_int_equal(kernel.n_unpins, 1);
	daemon = part("daemon");
	assert_int_equal(json_unpack(daemon, "{s:s}", "returns", &returns), 0);
	assert_string_equal(returns, "probes");
	json_decref(daemon);
}

static void its_summary_has_five_lines(void **state)
{
	_cleanup_free_ char *text = NULL;
	size_t size, lines = 0;
	FILE *out;

	configure("enforce: true\nresolve: false\n"
		  "hosts: [ { pattern: llm.corp.example, like: openai } ]\nbudgets:\n" REFUSE(
			  "night", "1 USD"));
	starts();
	out = open_memstream(&text, &size);
	summary_write(&world.daemon, out);
	fclose(out);
	for (const char *at = text; (at = strchr(at, '\n')); at++)
		lines++;
	assert_int_equal(lines, 5);
	assert_non_null(strstr(text, ": ENFORCING; "));
	assert_non_null(strstr(text, "budgets: 1: night\n"));
	assert_non_null(strstr(text, " patterns, 1 of them of the configuration\n"));
	assert_non_null(strstr(text, "litellm 20"));
	assert_non_null(strstr(text, "\nLinux "));
}

static void what_fails_at_the_start_is_the_exit_code(void **state)
{
	const struct daemon_options options = world.daemon.options;

	configure("budgets: 5\n");
	assert_int_equal(daemon_start(&world.daemon), DAEMON_USAGE);
	daemon_stop(&world.daemon);

	configure("resolve: false\nhosts: [ { pattern: llm.corp, like: nobody } ]\n");
	world.daemon = (struct daemon){ .options = options };
	assert_int_equal(daemon_start(&world.daemon), DAEMON_USAGE);
	daemon_stop(&world.daemon);

	configure("resolve: false\n");
	world.daemon = (struct daemon){ .options = options };
	world.daemon.options.state = "/proc/no";
	assert_int_equal(daemon_start(&world.daemon), DAEMON_FAILED);
	daemon_stop(&world.daemon);

	world.daemon = (struct daemon){ .options = options };
	kernel.tap_err = -EPERM;
	assert_int_equal(daemon_start(&world.daemon), DAEMON_UNSUPPORTED);
	daemon_stop(&world.daemon);

	world.daemon = (struct daemon){ .options = options };
	kernel.tap_err = 0;
	kernel.selftest_err = -EFAULT;
	assert_int_equal(daemon_start(&world.daemon), DAEMON_UNSUPPORTED);
	daemon_stop(&world.daemon);

	world.daemon = (struct daemon){ .options = options };
	kernel.selftest_err = 0;
	world.daemon.options.record = "/no/such/directory/events";
	assert_int_equal(daemon_start(&world.daemon), DAEMON_FAILED);
	assert_int_equal(world.n_drops, 0);
}

/* Metering goes on with the built-in prices, and whoever asks is told. */
static void a_broken_prices_file_ends_nothing(void **state)
{
	_cleanup_free_ char *text = NULL;
	json_t *fact;

	configure("resolve: false\nprices: /no/such/prices.json\n");
	starts();
	assert_true(prices_count(world.daemon.prices) > 1000);
	text = ledger_get(world.daemon.ledger, "prices");
	assert_non_null(text);
	fact = json_loads(text, 0, NULL);
	assert_non_null(strstr(json_string_value(json_object_get(fact, "error")),
			       "aigress.yaml:2: prices: /no/such/prices.json"));
	json_decref(fact);
	calls();
	passes(LEDGER_COMMIT_NS * 2);
	assert_int_equal(calls_in_ledger(), 1);
}

static void unsafe_return_probes_are_replaced(void **state)
{
	json_t *daemon;

	kernel.returns = FIND_RETURN_INSTRUCTIONS;
	configure("resolve: false\nattach: everyone\nenforce: true\n");
	starts();
	assert_true(world.kept_admin);
	daemon = part("daemon");
	assert_string_equal(json_string_value(json_object_get(daemon, "cgroup_root")),
			    world.daemon.cgroup_root);
	json_decref(daemon);
}

static void a_call_is_printed_and_committed(void **state)
{
	_cleanup_free_ char *text = NULL;

	starts();
	calls();
	passes(LEDGER_COMMIT_NS / 2);
	assert_int_equal(stats().charges, 1);
	assert_int_equal(ledger_pending(world.daemon.ledger), 1);
	passes(LEDGER_COMMIT_NS);
	assert_int_equal(ledger_pending(world.daemon.ledger), 0);
	assert_int_equal(calls_in_ledger(), 1);
	text = printed();
	assert_non_null(strstr(text, "\"tokens\":{\"input\":1000,"));
}

static void quiet_prints_no_call(void **state)
{
	_cleanup_free_ char *text = NULL;

	world.daemon.options.quiet = true;
	starts();
	calls();
	passes(NS_PER_S);
	text = printed();
	assert_string_equal(text, "");
}

/* The row of an unread flow comes by the timer `settle`, and the coverage says why with it. */
static void an_ended_flow_is_settled_a_second_later(void **state)
{
	json_t *coverage;

	starts();
	passes(10 * NS_PER_S);
	flows(500000);
	passes(NS_PER_S - NS_PER_MS);
	assert_int_equal(stats().charges, 0);
	passes(2 * NS_PER_MS);
	assert_int_equal(stats().charges, 1);
	coverage = part("coverage");
	assert_int_equal(json_array_size(coverage), 1);
	assert_int_equal(json_integer_value(json_object_get(json_array_get(coverage, 0), "pid")),
			 TGID);
	json_decref(coverage);
}

static void many_ends_are_settled_at_once(void **state)
{
	starts();
	for (int i = 0; i < 5; i++) {
		flows(500000);
		passes(100 * NS_PER_MS);
	}
	assert_int_equal(stats().charges, 0);
	passes(600 * NS_PER_MS);
	assert_int_equal(stats().charges, 1); /* of one process and host: one row */
}

/* What changes while a snapshot is being written is in the next one, not in none. */
static void a_snapshot_follows_a_call(void **state)
{
	json_t *estimates;

	starts();
	passes(5 * NS_PER_S);
	calls();
	passes(NS_PER_S - NS_PER_MS);
	passes(2 * NS_PER_MS);
	timers_snapshot_soon(world.daemon.timers);
	passes(5 * NS_PER_S);
	estimates = part("estimates");
	assert_true(json_array_size(estimates) > 0);
	json_decref(estimates);
	assert_int_equal(ledger_pending(world.daemon.ledger), 0);
}

static void an_idle_daemon_sweeps_once_a_day(void **state)
{
	size_t before;

	starts();
	passes(2 * MINUTE + NS_PER_S);
	before = kernel.n_sweeps;
	assert_true(before >= 1);
	passes(600 * MINUTE);
	assert_true(kernel.n_sweeps <= before + 1);
	before = kernel.n_sweeps;
	calls();
	passes(MINUTE + NS_PER_S);
	assert_int_equal(kernel.n_sweeps, before + 1);
}

static void budgets_are_swept_each_minute(void **state)
{
	configure(BUDGETS REFUSE("a", "1 USD"));
	starts();
	passes(10 * MINUTE + NS_PER_S);
	assert_int_equal(kernel.n_sweeps, 10);
}

/* Calls that are older than `keep` leave the ledger with a sweep, but for those a window still counts. */
static void old_calls_are_pruned(void **state)
{
	configure("resolve: false\nkeep: 1h\n");
	starts();
	calls();
	passes(2 * MINUTE);
	assert_int_equal(calls_in_ledger(), 1);
	passes(26 * 60 * MINUTE);
	calls();
	passes(2 * MINUTE);
	assert_int_equal(calls_in_ledger(), 1);
}

static void first_calls_are_deferred_until_their_probes_are_in(void **state)
{
	configure("resolve: false\nfirst-call: hold\n");
	starts();
	assert_true(kernel.defers);
	flows(1000);
	passes(NS_PER_MS);
	assert_int_equal(kernel.n_greeted, 1);
	assert_int_equal(kernel.n_deferred, 1);
}

static void nothing_is_deferred_where_no_probe_comes(void **state)
{
	configure("resolve: false\nfirst-call: hold\nattach: never\n");
	starts();
	assert_false(kernel.defers);
	flows(1000);
	passes(NS_PER_MS);
	assert_int_equal(kernel.n_deferred, 0);
}

/* News of what a process maps may come after its first call. */
static void those_who_probe_everyone_defer_as_well(void **state)
{
	configure("resolve: false\nfirst-call: hold\nattach: everyone\n");
	starts();
	assert_true(kernel.defers);
	flows(1000);
	passes(NS_PER_MS);
	assert_int_equal(kernel.n_greeted, 1);
	assert_int_equal(kernel.n_deferred, 1);
}

static void an_overspent_budget_shuts_its_gate(void **state)
{
	_cleanup_free_ char *text = NULL;
	json_t *gates, *budgets;

	configure(BUDGETS REFUSE("a", "0.003 USD"));
	starts();
	appears("/agents");
	calls();
	passes(NS_PER_MS);
	assert_int_not_equal(kernel_gate(CGROUP), CTL_REFUSE);
	calls();
	passes(NS_PER_MS);
	assert_int_equal(kernel_gate(CGROUP), CTL_REFUSE);
	text = printed();
	assert_non_null(strstr(text, "\"action\":\"refuse\""));
	passes(3 * NS_PER_S);
	gates = part("gates");
	assert_int_equal(json_array_size(gates), 1);
	json_decref(gates);
	budgets = part("budgets");
	assert_string_equal(
		json_string_value(json_object_get(json_array_get(budgets, 0), "spent_usd")),
		"0.004000");
	assert_string_equal(
		json_string_value(json_object_get(json_array_get(budgets, 0), "reached")), "refuse");
	json_decref(budgets);
}

/* With a pace in force, the pace timer goes on by itself. */
static void a_paced_target_is_looked_after(void **state)
{
	configure(
		BUDGETS
		"- { name: a, limit: 0.001 USD, steps: [ { at: 100%, do: pace, to: 1 USD/hour } ] }\n");
	starts();
	appears("/agents");
	calls();
	passes(10 * NS_PER_S);
	assert_int_equal(kernel_gate(CGROUP), CTL_PACE);
	assert_int_equal(kernel.n_buckets > 0, true);
	hooks_pacing(&world.daemon);
	calls();
	passes(NS_PER_S);
	assert_int_equal(stats().charges, 2);
}

static void what_the_ledger_holds_is_gated_before_the_first_event(void **state)
{
	configure(BUDGETS REFUSE("a", "0.001 USD"));
	starts();
	appears("/agents");
	calls();
	passes(NS_PER_S);
	kernel_reset();
	starts_again();
	assert_int_equal(calls_in_ledger(), 1);
	appears("/agents");
	passes(NS_PER_MS);
	assert_int_equal(kernel_gate(CGROUP), CTL_REFUSE);
}

/* A gate of an earlier daemon opens unless its cgroup's budgets are spent. */
static void gates_left_behind_are_opened(void **state)
{
	kernel.swept_cgroup = CGROUP;
	configure(BUDGETS REFUSE("a", "1 USD"));
	starts();
	assert_int_equal(kernel_gate(CGROUP), CTL_OPEN);
}

static void gates_that_outlive_the_daemon_are_pinned(void **state)
{
	configure("on-daemon-loss: hold\n" BUDGETS REFUSE("a", "0.001 USD"));
	starts();
	assert_int_equal(kernel.n_pins, 1);
	assert_true(kernel.is_pinned);
	appears("/agents");
	calls();
	passes(NS_PER_S);
	daemon_stop(&world.daemon);
	assert_true(kernel.is_pinned);
	world.daemon = (struct daemon){
		.options = { .config = world.config, .state = world.state, .version = "test" }
	};
	kernel.pin_err = -EBUSY;
	starts(); /* logged, and it goes on */
	assert_false(kernel.is_pinned);
}

static size_t count_events(void)
{
	struct record *record = NULL;
	const struct ev_head *event;
	size_t size, n = 0;

	assert_int_equal(record_open(&record, world.record), 0);
	while (record_read(record, &event, &size) > 0)
		n++;
	record_free(record);
	return n;
}

static void events_are_recorded(void **state)
{
	world.daemon.options.record = world.record;
	starts();
	calls();
	passes(NS_PER_MS);
	daemon_stop(&world.daemon);
	world.daemon = (struct daemon){ 0 };
	assert_int_equal(count_events(), 3);
}

static void what_is_left_in_the_ring_is_charged_at_the_end(void **state)
{
	starts();
	calls();
	daemon_stop(&world.daemon);
	world.daemon = (struct daemon){
		.options = { .config = world.config, .state = world.state, .version = "test" }
	};
	starts();
	assert_int_equal(calls_in_ledger(), 1);
}

static void signals_end_it(void **state)
{
	starts();
	loop_signal(world.daemon.loop, SIGTERM);
	assert_true(world.daemon.loop->stop);
	world.daemon.loop->stop = false;
	loop_signal(world.daemon.loop, SIGINT);
	assert_true(world.daemon.loop->stop);
}

static void addresses_go_to_the_kernel(void **state)
{
	struct sockaddr_storage address = { .ss_family = AF_INET };

	starts();
	hooks_address(&world.daemon, (struct sockaddr *)&address, "api.anthropic.com", false);
	/* who else is at this one is not known */
	hooks_address(&world.daemon, (struct sockaddr *)&address, "api.openai.com", true);
	hooks_address(&world.daemon, NULL, NULL, false);
	assert_int_equal(kernel.n_addresses, 1);
}

/* Why nothing is read of a process, by what discovery knows. */
static void the_reason_of_an_unread_process_comes_from_discovery(void **state)
{
	static const struct {
		enum find_reach reach;
		const char *attach;
		enum unmetered_why why;
	} rows[] = {
		{ FIND_UNFOLLOWED, "on-sight", UNMETERED_RETURNS },
		{ FIND_ATTACH_FAILED, "on-sight", UNMETERED_REFUSED },
		{ FIND_PROBED, "never", UNMETERED_NEVER },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char text[128];
		json_t *coverage;

		snprintf(text, sizeof(text), "resolve: false\nattach: %s\n", rows[i].attach);
		configure(text);
		kernel.reach = rows[i].reach;
		i ? starts_again() : starts();
		flows(500000);
		passes(2 * NS_PER_S);
		coverage = part("coverage");
		assert_string_equal(
			json_string_value(json_object_get(json_array_get(coverage, 0), "why")),
			unmetered_why_name(rows[i].why));
		json_decref(coverage);
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(it_starts_and_gives_privileges_up),
		TEST(its_summary_has_five_lines),
		TEST(what_fails_at_the_start_is_the_exit_code),
		TEST(a_broken_prices_file_ends_nothing),
		TEST(unsafe_return_probes_are_replaced),
		TEST(a_call_is_printed_and_committed),
		TEST(quiet_prints_no_call),
		TEST(an_ended_flow_is_settled_a_second_later),
		TEST(many_ends_are_settled_at_once),
		TEST(a_snapshot_follows_a_call),
		TEST(an_idle_daemon_sweeps_once_a_day),
		TEST(budgets_are_swept_each_minute),
		TEST(old_calls_are_pruned),
		TEST(first_calls_are_deferred_until_their_probes_are_in),
		TEST(nothing_is_deferred_where_no_probe_comes),
		TEST(those_who_probe_everyone_defer_as_well),
		TEST(an_overspent_budget_shuts_its_gate),
		TEST(a_paced_target_is_looked_after),
		TEST(what_the_ledger_holds_is_gated_before_the_first_event),
		TEST(gates_left_behind_are_opened),
		TEST(gates_that_outlive_the_daemon_are_pinned),
		TEST(events_are_recorded),
		TEST(what_is_left_in_the_ring_is_charged_at_the_end),
		TEST(signals_end_it),
		TEST(addresses_go_to_the_kernel),
		TEST(the_reason_of_an_unread_process_comes_from_discovery),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

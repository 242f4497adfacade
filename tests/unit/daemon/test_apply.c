/* SPDX-License-Identifier: Apache-2.0 */
/* Other rules and operators' overrides while the daemon runs: apply.c, reload.c, overrides.c, restore.c. */
#include "world.h"

#include <signal.h>

#include "daemon/apply.h"

#define QUIET (NS_PER_S / 4) /* longer than a file has to be left alone */

static const char *budget_name(void)
{
	const struct policy_rules *rules = &world.daemon.config.rules;

	return rules->n_budgets ? rules->budgets[0].name : "";
}

static void add_spent(void *arg, const struct policy_counter *counter)
{
	*(int64_t *)arg += counter->spent_nanos;
}

static int64_t spent(void)
{
	int64_t nanos = 0;

	policy_counters(world.daemon.policy, clock_wall_us(), add_spent, &nanos);
	return nanos;
}

static void reloads(const char *text)
{
	configure(text);
	loop_signal(world.daemon.loop, SIGHUP);
}

/* A cgroup's first call is charged and judged. */
static void spends(void)
{
	appears("/agents");
	calls();
	passes(NS_PER_S);
}

#define assert_gate(state) assert_int_equal(kernel_gate(CGROUP), state)

static void a_changed_file_is_read_when_it_is_left_alone(void **state)
{
	starts();
	configure(BUDGETS REFUSE("first", "1 USD"));
	passes(NS_PER_MS);
	assert_string_equal(budget_name(), "");
	configure(BUDGETS REFUSE("second", "1 USD"));
	passes(QUIET);
	assert_string_equal(budget_name(), "second");
}

static void a_file_that_replaces_the_first_is_read(void **state)
{
	char path[128];

	starts();
	snprintf(path, sizeof(path), "%s/new", world.dir);
	assert_int_equal(rename(world.config, path), 0);
	passes(QUIET);
	assert_string_equal(budget_name(), "");
	configure(BUDGETS REFUSE("moved", "1 USD"));
	passes(QUIET);
	assert_string_equal(budget_name(), "moved");
}

static void other_files_of_the_directory_are_nothing(void **state)
{
	const struct policy *policy;
	char path[128];
	FILE *file;

	starts();
	configure(BUDGETS REFUSE("a", "1 USD"));
	passes(QUIET);
	policy = world.daemon.policy;
	snprintf(path, sizeof(path), "%s/other", world.dir);
	file = fopen(path, "w");
	assert_non_null(file);
	fclose(file);
	passes(QUIET);
	assert_ptr_equal(world.daemon.policy, policy);
}

static void a_hangup_reads_it_at_once(void **state)
{
	starts();
	reloads(BUDGETS REFUSE("a", "1 USD"));
	assert_string_equal(budget_name(), "a");
}

static void a_broken_file_leaves_the_rules(void **state)
{
	configure(BUDGETS REFUSE("a", "1 USD"));
	starts();
	configure("budgets: none\n");
	passes(QUIET);
	assert_string_equal(budget_name(), "a");
	assert_int_equal(remove(world.config), 0);
	loop_signal(world.daemon.loop, SIGHUP);
	assert_string_equal(budget_name(), "a");
}

static void a_watchdog_comes_with_the_first_step_that_stops(void **state)
{
	struct config config;
	char *sentence = NULL;
	struct policy *policy;

	configure(BUDGETS REFUSE("a", "1 USD"));
	starts();
	policy = world.daemon.policy;
	configure(BUDGETS "- { name: b, limit: 1 USD, steps: [ { do: stop } ] }\n");
	assert_int_equal(config_load(&config, world.config, &sentence), 0);
	assert_int_equal(rules_apply(&world.daemon, &config), 0);
	assert_int_equal(config.rules.n_budgets, 0); /* taken over */
	assert_ptr_not_equal(world.daemon.policy, policy);
	assert_non_null(world.daemon.watchdog); /* a step may stop a process */
	assert_ptr_equal(world.daemon.actuators.watchdog, world.daemon.watchdog);
}

static void sums_are_rebuilt_from_the_ledger(void **state)
{
	starts();
	appears("/agents");
	calls();
	calls();
	passes(NS_PER_MS); /* they wait for the ledger */
	assert_int_equal(ledger_pending(world.daemon.ledger), 2);
	reloads(BUDGETS REFUSE("a", "1 USD"));
	assert_int_equal(spent(), 4000000);
	reloads(BUDGETS REFUSE("a", "0.001 USD"));
	calls();
	passes(NS_PER_MS);
	assert_int_equal(spent(), 6000000);
	assert_gate(CTL_REFUSE);
}

/* A budget of the same name keeps its gate; a raised limit opens it. */
static void a_gate_follows_its_budget(void **state)
{
	configure(BUDGETS REFUSE("a", "0.001 USD"));
	starts();
	spends();
	assert_gate(CTL_REFUSE);
	reloads(BUDGETS REFUSE("a", "0.001 USD") REFUSE("b", "5 USD"));
	assert_gate(CTL_REFUSE);
	reloads(BUDGETS REFUSE("a", "9 USD"));
	assert_gate(CTL_OPEN);
	reloads("enforce: false\nresolve: false\nbudgets:\n" REFUSE("a", "0.001 USD"));
	calls();
	passes(NS_PER_MS);
	assert_gate(CTL_OPEN); /* a rehearsal */
}

/* Of a cgroup that is still there, what has spent is judged again: here it is the host's own root. */
static void who_is_still_there_is_judged_by_the_new_rules(void **state)
{
	_cleanup_free_ char *before = NULL, *after = NULL;

	starts();
	world.cgroup = who_cgroup_id(world.daemon.who, "/");
	assert_int_not_equal(world.cgroup, 0);
	calls();
	calls();
	passes(NS_PER_S);
	before = printed();
	assert_null(strstr(before, "\"event\":\"action\""));
	reloads(BUDGETS REFUSE("a", "0.001 USD"));
	after = printed();
	assert_non_null(strstr(after, "\"action\":\"refuse\""));
	assert_non_null(strstr(after, "\"target\":\"cgroup /\""));
}

static void pins_follow_the_rules(void **state)
{
	starts();
	assert_int_equal(kernel.n_pins, 0);
	reloads("on-daemon-loss: hold\n" BUDGETS REFUSE("a", "1 USD"));
	assert_true(kernel.is_pinned);
	reloads(BUDGETS REFUSE("a", "1 USD"));
	assert_false(kernel.is_pinned);
}

/* What is read at the start only stays; the daemon goes on with the rest. */
static void what_needs_a_restart_is_not_taken_over(void **state)
{
	starts();
	reloads("attach: never\nprices: /tmp/p.json\nkubernetes: { events: false }\n"
		"hosts: [ { pattern: llm.corp.example, like: openai } ]\n" BUDGETS REFUSE("a",
											  "1 USD"));
	assert_string_equal(budget_name(), "a");
	calls();
	passes(NS_PER_S);
	assert_int_equal(calls_in_ledger(), 1);
}

static void new_names_count_budgets_again(void **state)
{
	configure(BUDGETS REFUSE("a", "1 USD"));
	starts();
	calls();
	passes(NS_PER_MS);
	assert_int_equal(rules_rebuild(&world.daemon), 0);
	assert_int_equal(spent(), 2000000);
}

static void count_kill(void *arg, const struct ledger_action *action)
{
	*(size_t *)arg += !strcmp(action->action, "kill") && !action->is_rehearsed;
}

static size_t kills(void)
{
	size_t n = 0;

	assert_int_equal(ledger_actions(world.daemon.ledger, 0, count_kill, &n), 0);
	return n;
}

#define KILL(name, limit)                                             \
	"resolve: false\nbudgets:\n- { name: " name ", limit: " limit \
	", steps: [ { do: kill, target: cgroup, whole: true, grace: 1s } ] }\n"

/* What was spent in the rehearsal counts, and is acted on when its spender calls again. */
static void enforcement_that_begins_kills_nobody_before_a_call(void **state)
{
	configure("enforce: false\n" KILL("a", "0.001 USD"));
	starts();
	spends();
	reloads("enforce: true\n" KILL("a", "0.001 USD"));
	assert_true(world.daemon.config.rules.enforce);
	appears("/agents");
	passes(2 * MINUTE);
	assert_int_equal(kills(), 0);
	/* Nor does a restart. */
	starts_again();
	appears("/agents");
	passes(2 * MINUTE);
	assert_int_equal(kills(), 0);
	calls();
	passes(NS_PER_S);
	assert_true(kills() > 0);
}

static bool is_broken(void)
{
	json_t *config = part("config");
	const char *error = json_string_value(json_object_get(config, "error"));
	bool ret = error && *error;

	json_decref(config);
	return ret;
}

/* A wrong letter, and then a restart in the night. */
static void a_restart_with_a_broken_file_goes_on_with_the_last_good_one(void **state)
{
	configure("enforce: true\n" KILL("a", "0.001 USD"));
	starts();
	assert_false(is_broken());
	reloads("enforce: true\nbudgets: 5\n");
	assert_string_equal(budget_name(), "a");
	assert_true(is_broken());
	starts_again();
	assert_string_equal(budget_name(), "a");
	assert_true(is_broken());
	/* Nobody is killed by rules that are not those of the file. */
	appears("/agents");
	calls();
	passes(2 * MINUTE);
	assert_true(spent() >= 2000000);
	assert_int_equal(kills(), 0);
	reloads("enforce: true\n" KILL("b", "0.001 USD"));
	assert_string_equal(budget_name(), "b");
	assert_false(is_broken());
	calls();
	passes(NS_PER_S);
	assert_true(kills() > 0);
}

/* An operator beside the daemon. */
static void orders(enum override_kind kind, int64_t for_us)
{
	struct override override = { .kind = kind,
				     .key = "*",
				     .limit_nanos = kind == OVERRIDE_RAISE ? 5 * NANOS_PER_USD : 0,
				     .made_us = clock_wall_us(),
				     .until_us = clock_wall_us() + for_us,
				     .made_by = "root" };
	struct ledger *ledger;
	char *sentence = NULL;
	bool has_daemon;

	assert_int_equal(override_open(&ledger, world.state, &has_daemon, &sentence), 0);
	assert_true(has_daemon);
	assert_int_equal(override_add(ledger, &override), 0);
	ledger_free(ledger);
	passes(NS_PER_S);
}

static void clears(void)
{
	struct ledger *ledger;
	char *sentence = NULL;
	bool has_daemon;

	assert_int_equal(override_open(&ledger, world.state, &has_daemon, &sentence), 0);
	assert_int_equal(override_clear(ledger, NULL, "root", clock_wall_us()), 1);
	ledger_free(ledger);
}

static void an_override_opens_a_gate_until_it_ends(void **state)
{
	configure(BUDGETS REFUSE("a", "0.001 USD"));
	starts();
	spends();
	assert_gate(CTL_REFUSE);
	orders(OVERRIDE_OPEN, 600 * US_PER_S);
	assert_gate(CTL_OPEN);
	passes(9 * MINUTE);
	calls();
	passes(NS_PER_MS);
	assert_gate(CTL_OPEN);
	passes(2 * MINUTE);
	calls();
	passes(NS_PER_MS);
	assert_gate(CTL_REFUSE);
}

static void a_hold_refuses_within_the_budget_until_it_is_cleared(void **state)
{
	configure(BUDGETS REFUSE("a", "10 USD"));
	starts();
	spends();
	assert_gate(CTL_OPEN);
	orders(OVERRIDE_HOLD, 600 * US_PER_S);
	assert_gate(CTL_REFUSE);
	clears();
	passes(NS_PER_S);
	assert_gate(CTL_OPEN);
}

/* What was ordered outlives the daemon and other rules. */
static void an_override_is_in_force_after_a_restart_and_a_reload(void **state)
{
	configure(BUDGETS REFUSE("a", "0.001 USD"));
	starts();
	spends();
	orders(OVERRIDE_RAISE, 600 * US_PER_S);
	assert_gate(CTL_OPEN);
	starts_again();
	spends();
	assert_int_not_equal(kernel_gate(CGROUP), CTL_REFUSE);
	reloads(BUDGETS REFUSE("a", "0.002 USD"));
	calls();
	passes(NS_PER_S);
	assert_int_not_equal(kernel_gate(CGROUP), CTL_REFUSE);
}

/* Budgets that came with a reload are the first: from then on overrides are looked for. */
static void overrides_are_watched_from_the_first_budget_on(void **state)
{
	starts();
	appears("/agents");
	reloads(BUDGETS REFUSE("a", "0.001 USD"));
	calls();
	passes(NS_PER_S);
	assert_gate(CTL_REFUSE);
	orders(OVERRIDE_OPEN, 600 * US_PER_S);
	assert_gate(CTL_OPEN);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_changed_file_is_read_when_it_is_left_alone),
		TEST(a_file_that_replaces_the_first_is_read),
		TEST(other_files_of_the_directory_are_nothing),
		TEST(a_hangup_reads_it_at_once),
		TEST(a_broken_file_leaves_the_rules),
		TEST(a_watchdog_comes_with_the_first_step_that_stops),
		TEST(sums_are_rebuilt_from_the_ledger),
		TEST(a_gate_follows_its_budget),
		TEST(who_is_still_there_is_judged_by_the_new_rules),
		TEST(pins_follow_the_rules),
		TEST(what_needs_a_restart_is_not_taken_over),
		TEST(new_names_count_budgets_again),
		TEST(enforcement_that_begins_kills_nobody_before_a_call),
		TEST(a_restart_with_a_broken_file_goes_on_with_the_last_good_one),
		TEST(an_override_opens_a_gate_until_it_ends),
		TEST(a_hold_refuses_within_the_budget_until_it_is_cleared),
		TEST(an_override_is_in_force_after_a_restart_and_a_reload),
		TEST(overrides_are_watched_from_the_first_budget_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

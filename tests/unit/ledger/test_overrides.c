/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <sys/wait.h>

#include "base/clock.h"
#include "ledger/overrides.h"

#define T0 1790000000000000LL

static char dir[64];
static struct ledger *daemon_ledger, *aside;
static bool has_daemon;

static int setup(void **state)
{
	if (unit_folder(dir) || ledger_open(&daemon_ledger, dir, true, NULL) < 0)
		return -1;
	return override_open(&aside, dir, &has_daemon, NULL);
}

static int teardown(void **state)
{
	ledger_free(aside);
	ledger_free(daemon_ledger);
	return unit_remove(dir);
}

static struct override order_of(enum override_kind kind, const char *key)
{
	struct override order = { .kind = kind,
				  .made_us = T0,
				  .until_us = T0 + 1000,
				  .made_by = "ann",
				  .reason = "a launch" };

	snprintf(order.key, sizeof(order.key), "%s", key);
	return order;
}

static size_t in_force(int64_t now_us)
{
	_cleanup_free_ struct override *list = NULL;
	size_t n = 0;

	assert_int_equal(overrides_read(daemon_ledger, now_us, &list, &n), 0);
	return n;
}

struct seen {
	int n;
	char subject[64], target[64], result[128];
};

static void see(void *arg, const struct ledger_action *action)
{
	struct seen *seen = arg;

	seen->n++;
	assert_string_equal(action->action, "override");
	assert_int_equal(action->outcome, ACTION_ORDERED);
	snprintf(seen->subject, sizeof(seen->subject), "%s", action->subject);
	snprintf(seen->target, sizeof(seen->target), "%s", action->target);
	snprintf(seen->result, sizeof(seen->result), "%s", action->result);
}

static void the_daemon_sees_what_another_process_orders(void **state)
{
	struct override order = order_of(OVERRIDE_RAISE, "agents-*");
	_cleanup_free_ struct override *list = NULL;
	struct seen seen = { 0 };
	int64_t before;
	size_t n;

	assert_true(has_daemon);
	order.limit_nanos = 100;
	before = overrides_version(daemon_ledger);
	assert_int_equal(overrides_version(daemon_ledger), before);
	assert_int_equal(override_add(aside, &order), 0);
	assert_int_not_equal(overrides_version(daemon_ledger), before);
	assert_int_equal(overrides_read(daemon_ledger, T0, &list, &n), 0);
	assert_int_equal(n, 1);
	assert_int_equal(list[0].kind, OVERRIDE_RAISE);
	assert_int_equal(list[0].limit_nanos, 100);
	assert_string_equal(list[0].key, "agents-*");
	assert_string_equal(list[0].reason, "a launch");
	assert_true(override_fits(&list[0], "agents-daily", "match"));
	assert_true(override_fits(&list[0], "b", "agents-x"));
	assert_false(override_fits(&list[0], "b", "match"));
	assert_int_equal(ledger_actions(daemon_ledger, 0, see, &seen), 0);
	assert_int_equal(seen.n, 1);
	assert_string_equal(seen.subject, "agents-*");
	assert_string_equal(seen.target, "raise agents-* to 0.0000001 USD");
	assert_string_equal(seen.result, "ordered by ann for 0s: a launch");
}

static void what_is_over_or_cleared_is_not_in_force(void **state)
{
	struct override a = order_of(OVERRIDE_OPEN, "a"), b = order_of(OVERRIDE_HOLD, "b");
	struct seen seen = { 0 };

	assert_int_equal(override_add(aside, &a), 0);
	assert_int_equal(override_add(aside, &b), 0);
	assert_int_equal(in_force(T0 + 999), 2);
	assert_int_equal(in_force(T0 + 1000), 0);
	assert_int_equal(override_clear(aside, "c", "bob", T0 + 1), 0);
	assert_int_equal(override_clear(aside, "a", "bob", T0 + 1), 1);
	assert_int_equal(in_force(T0 + 2), 1);
	assert_int_equal(override_clear(aside, NULL, "bob", T0 + 2), 1);
	assert_int_equal(in_force(T0 + 3), 0);
	assert_int_equal(ledger_actions(daemon_ledger, 0, see, &seen), 0);
	assert_int_equal(seen.n, 4);
	assert_string_equal(seen.result, "1 ended by bob");
}

static void their_number_is_bounded(void **state)
{
	struct override order = order_of(OVERRIDE_OPEN, "a");

	for (int i = 0; i < OVERRIDES_MAX; i++)
		assert_int_equal(override_add(aside, &order), 0);
	assert_int_equal(override_add(aside, &order), -ENOSPC);
	assert_int_equal(in_force(T0), OVERRIDES_MAX);
	order.made_us = T0 + 1000; /* those have ended */
	order.until_us = T0 + 2000;
	assert_int_equal(override_add(aside, &order), 0);
}

/* The daemon writes calls while a second process orders: neither fails, nothing is lost. */
static void two_processes_write_at_a_time(void **state)
{
	struct who_group group = { .path = "/a" };
	struct who_process process = { .tgid = 1 };
	struct charge charge = { .source = CHARGE_USAGE };
	struct ledger_call call = {
		.start_us = T0, .charge = &charge, .group = &group, .process = &process
	};
	pid_t child = fork();
	int status;

	if (child == 0) {
		struct ledger *own = NULL;
		struct override order = order_of(OVERRIDE_OPEN, "a");
		bool has;
		int err = override_open(&own, dir, &has, NULL);

		for (int i = 0; !err && i < 100; i++)
			err = override_add(own, &order);
		_exit(err ? 1 : 0);
	}
	for (int i = 0; i < 300; i++) {
		int64_t id;

		assert_int_equal(ledger_add(daemon_ledger, &call, &id), 0);
		(void)ledger_commit(daemon_ledger);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	for (int i = 0; i < 30 && ledger_pending(daemon_ledger); i++) {
		(void)ledger_commit(daemon_ledger);
		usleep(100000);
	}
	assert_int_equal(ledger_pending(daemon_ledger), 0);
	assert_int_equal(ledger_lost(daemon_ledger), 0);
	assert_int_equal(in_force(T0), 100);
}

static void without_a_daemon_it_is_known(void **state)
{
	struct ledger *other = NULL;
	bool has = true;

	daemon_ledger = ledger_free(daemon_ledger);
	assert_int_equal(override_open(&other, dir, &has, NULL), 0);
	assert_false(has);
	ledger_free(other);
}

#define HELD(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		HELD(the_daemon_sees_what_another_process_orders),
		HELD(what_is_over_or_cleared_is_not_in_force),
		HELD(their_number_is_bounded),
		HELD(two_processes_write_at_a_time),
		HELD(without_a_daemon_it_is_known),
	};

	return cmocka_run_group_tests_name("override", tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The enforcer's operations on a host whose cgroups are directories and whose kernel is a variable. */
#include "fake_cgroups.h"

#include "enforce/actuators.h"
#include "enforce/waiters.h"
#include "enforce/watchdog.h"
#include "tap/tap.h"
#include "who/process.h"

static struct {
	struct ctl_gate gate;
	uint64_t set, cleared;
	int error;
} kernel;

int tap_gate_set(struct tap *tap, uint64_t cgroup, const struct ctl_gate *gate)
{
	kernel.set = cgroup;
	kernel.gate = *gate;
	return kernel.error;
}

int tap_gate_clear(struct tap *tap, uint64_t cgroup)
{
	kernel.cleared = cgroup;
	return kernel.error;
}

int tap_allowance_set(struct tap *tap, uint32_t bucket, const struct ctl_allowance *allowed)
{
	return kernel.error;
}

int tap_allowance_clear(struct tap *tap, uint32_t bucket)
{
	return kernel.error;
}

int tap_consumed_get(const struct tap *tap, uint32_t bucket, struct ctl_consumed *ret)
{
	*ret = (struct ctl_consumed){ .admitted = bucket };
	return 0;
}

int tap_holds(struct tap *tap, void (*fn)(void *arg, uint64_t cookie, const struct ctl_hold *hold),
	      void *arg)
{
	return 0;
}

int tap_wake(uint64_t cookie, const struct ctl_hold *hold)
{
	return 0;
}

/* What the hooks were called with. */
static struct {
	char destroyed[WHO_PATH_LEN];
	int n_pacing, n_actions;
} hooked;

static size_t on_destroy(void *arg, const char *path)
{
	snprintf(hooked.destroyed, sizeof(hooked.destroyed), "%s", path);
	return 0;
}

static void on_pacing(void *arg)
{
	hooked.n_pacing++;
}

static void on_action(void *arg, const struct ledger_action *action)
{
	hooked.n_actions++;
}

static struct actuators actuators;
static struct enforcer_ops ops;
static struct who_group group; /* of the directory /a */

static int begin(void **state)
{
	memset(&kernel, 0, sizeof(kernel));
	memset(&hooked, 0, sizeof(hooked));
	if (fake_cgroups_make(state))
		return -1;
	group = (struct who_group){ .cgroup = fake_group("/a"), .path = "/a" };
	actuators = (struct actuators){ .cgroup_root = fake_root };
	assert_int_equal(who_new(&actuators.who, fake_root), 0);
	assert_int_equal(waiters_new(&actuators.waiters, NULL, NULL, NULL), 0);
	actuators.hooks = (struct actuators_hooks){ .destroy = on_destroy,
						    .pacing = on_pacing,
						    .on_action = on_action };
	ops = actuators_ops(&actuators);
	return 0;
}

static int finish(void **state)
{
	actuators.waiters = waiters_free(actuators.waiters);
	who_free(actuators.who);
	return fake_cgroups_remove(state);
}

static void gate_is_set_and_an_open_one_is_none(void **state)
{
	const struct ctl_gate shut = { .state = CTL_REFUSE, .lease_ns = 9 };
	const struct ctl_gate open = { .state = CTL_OPEN };

	assert_int_equal(ops.gate(ops.arg, 7, &shut), 0);
	assert_int_equal(kernel.set, 7);
	assert_int_equal(kernel.gate.lease_ns, 9);
	assert_int_equal(ops.gate(ops.arg, 8, &open), 0);
	assert_int_equal(kernel.cleared, 8);
	kernel.error = -ENOENT;
	assert_int_equal(ops.gate(ops.arg, 8, &open), 0);
	kernel.error = -E2BIG;
	assert_int_equal(ops.gate(ops.arg, 8, &open), -E2BIG);
	assert_int_equal(ops.gate(ops.arg, 8, &shut), -E2BIG);
}

static void credit_calls_for_pacing_and_its_end_does_not(void **state)
{
	const struct ctl_allowance allowed = { .granted_nanos = 1 };
	struct ctl_consumed taken;

	assert_int_equal(ops.allowed(ops.arg, 1, &allowed), 0);
	assert_int_equal(hooked.n_pacing, 1);
	assert_int_equal(ops.allowed(ops.arg, 1, NULL), 0);
	assert_int_equal(hooked.n_pacing, 1);
	kernel.error = -ENOSPC;
	assert_int_equal(ops.allowed(ops.arg, 1, &allowed), -ENOSPC);
	assert_int_equal(hooked.n_pacing, 1);
	assert_int_equal(ops.taken(ops.arg, 5, &taken), 0);
	assert_int_equal(taken.admitted, 5);
	assert_int_equal(ops.waiting(ops.arg, 0), 0);
}

static void hooks_are_called_with_a_path_and_may_be_missing(void **state)
{
	const struct ledger_action action = { .budget = "b" };
	const struct ctl_allowance allowed = { .granted_nanos = 1 };

	assert_int_equal(ops.destroy(ops.arg, group.cgroup), 0);
	assert_string_equal(hooked.destroyed, "/a");
	ops.on_action(ops.arg, &action);
	assert_int_equal(hooked.n_actions, 1);
	actuators.hooks = (struct actuators_hooks){ 0 };
	assert_int_equal(ops.destroy(ops.arg, group.cgroup), -EOPNOTSUPP);
	assert_int_equal(ops.allowed(ops.arg, 1, &allowed), 0);
	ops.on_action(ops.arg, &action);
	assert_int_equal(hooked.n_actions, 1);
}

/* A later cgroup under the path of the one that was meant is another one. */
static void path_that_another_cgroup_has_is_left_alone(void **state)
{
	pid_t child = fake_child();
	struct who_group gone = { .cgroup = group.cgroup + 1, .path = "/a" };
	struct who_group whichever = { .path = "/a" };

	fake_procs("/a", &child, 1);
	fake_write("/a/cgroup.freeze", "0");
	assert_int_equal(ops.signal_cgroup(ops.arg, &gone, SIGSTOP), -ESRCH);
	assert_int_equal(ops.freeze(ops.arg, &gone, true), -ESRCH);
	assert_false(child_is_stopped(child));
	assert_string_equal(fake_read("/a/cgroup.freeze"), "0");
	assert_int_equal(ops.signal_cgroup(ops.arg, &group, SIGSTOP), 0);
	assert_int_equal(child_change(child), CLD_STOPPED);
	assert_int_equal(ops.signal_cgroup(ops.arg, &whichever, SIGCONT), 0);
	assert_int_equal(child_change(child), CLD_CONTINUED);
	child_end(child);
}

/* cgroup.kill takes all at once; where there is none (before Linux 5.14) each gets its signal. */
static void kill_is_one_write_where_the_kernel_has_it(void **state)
{
	pid_t child = fake_child();

	fake_procs("/a", &child, 1);
	fake_write("/a/cgroup.kill", "");
	assert_int_equal(ops.signal_cgroup(ops.arg, &group, SIGKILL), 0);
	assert_string_equal(fake_read("/a/cgroup.kill"), "1");
	assert_int_equal(kill(child, 0), 0);
	assert_int_equal(ops.signal_cgroup(ops.arg, &group, SIGTERM), 0);
	assert_int_equal(child_change(child), CLD_KILLED);
	child = fake_child();
	fake_procs("/a", &child, 1);
	assert_int_equal(unlink(fake_path("/a/cgroup.kill")), 0);
	assert_int_equal(ops.signal_cgroup(ops.arg, &group, SIGKILL), 0);
	assert_int_equal(child_change(child), CLD_KILLED);
}

/* What stops is known to the watchdog before, what resumes after: it undoes the rest at its end. */
static void watchdog_knows_what_is_stopped(void **state)
{
	pid_t child[] = { fake_child(), fake_child() };
	uint64_t started[] = { process_start_time((uint32_t)child[0]),
			       process_start_time((uint32_t)child[1]) };

	fake_write("/a/cgroup.freeze", "0");
	assert_int_equal(watchdog_new(&actuators.watchdog), 0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(ops.signal(ops.arg, (uint32_t)child[i], started[i], SIGSTOP), 0);
		assert_int_equal(child_change(child[i]), CLD_STOPPED);
	}
	assert_int_equal(ops.freeze(ops.arg, &group, true), 0);
	assert_string_equal(fake_read("/a/cgroup.freeze"), "1");
	assert_int_equal(ops.signal(ops.arg, (uint32_t)child[0], started[0], SIGCONT), 0);
	assert_int_equal(child_change(child[0]), CLD_CONTINUED);
	kill(child[0], SIGSTOP); /* by another hand, which is not undone */
	assert_int_equal(child_change(child[0]), CLD_STOPPED);
	actuators.watchdog = watchdog_free(actuators.watchdog);
	assert_int_equal(child_change(child[1]), CLD_CONTINUED);
	assert_string_equal(fake_read("/a/cgroup.freeze"), "0");
	assert_int_equal(kill(child[0], SIGKILL), 0);
	assert_int_equal(child_change(child[0]), CLD_KILLED);
	child_end(child[1]);
}

static void live_is_what_has_processes(void **state)
{
	assert_false(ops.is_live(ops.arg, group.cgroup)); /* no cgroup.events */
	fake_write("/a/cgroup.events", "populated 0\nfrozen 0\n");
	assert_false(ops.is_live(ops.arg, group.cgroup));
	fake_write("/a/cgroup.events", "populated 1\nfrozen 0\n");
	assert_true(ops.is_live(ops.arg, group.cgroup));
	assert_false(ops.is_live(ops.arg, group.cgroup + 1));
}

#define WITH(test) cmocka_unit_test_setup_teardown(test, begin, finish)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH(gate_is_set_and_an_open_one_is_none),
		WITH(credit_calls_for_pacing_and_its_end_does_not),
		WITH(hooks_are_called_with_a_path_and_may_be_missing),
		WITH(path_that_another_cgroup_has_is_left_alone),
		WITH(kill_is_one_write_where_the_kernel_has_it),
		WITH(watchdog_knows_what_is_stopped),
		WITH(live_is_what_has_processes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "enforce/actuators.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <string.h>

#include "base/cleanup.h"
#include "enforce/freezer.h"
#include "enforce/waiters.h"
#include "enforce/watchdog.h"
#include "tap/tap.h"

static int gate(void *arg, uint64_t cgroup, const struct ctl_gate *gate)
{
	struct actuators *actuators = arg;
	int err;

	if (gate->state != CTL_OPEN)
		return tap_gate_set(actuators->tap, cgroup, gate);
	err = tap_gate_clear(actuators->tap, cgroup);
	return err == -ENOENT ? 0 : err; /* open is what was wanted */
}

static int allowed(void *arg, uint32_t bucket, const struct ctl_allowance *allowed)
{
	struct actuators *actuators = arg;
	int err = waiters_allow(actuators->waiters, bucket, allowed);

	if (!err && allowed && actuators->hooks.pacing)
		actuators->hooks.pacing(actuators->hooks.arg);
	return err;
}

static int taken(void *arg, uint32_t bucket, struct ctl_consumed *ret)
{
	struct actuators *actuators = arg;

	return tap_consumed_get(actuators->tap, bucket, ret);
}

static size_t waiting(void *arg, uint32_t bucket)
{
	struct actuators *actuators = arg;

	return waiters_waiting(actuators->waiters, bucket);
}

static int destroy(void *arg, uint64_t cgroup)
{
	struct actuators *actuators = arg;
	struct who_group group;

	if (!actuators->hooks.destroy)
		return -EOPNOTSUPP;
	who_group_get(actuators->who, cgroup, &group);
	return (int)actuators->hooks.destroy(actuators->hooks.arg, group.path);
}

/* Before it is stopped and after it is resumed, so that the watchdog never knows too little. */
static int signal_process(void *arg, uint32_t tgid, uint64_t start_ticks, int signal)
{
	struct actuators *actuators = arg;
	int err = 0;

	if (signal == SIGSTOP)
		err = watchdog_process(actuators->watchdog, true, tgid, start_ticks);
	if (!err)
		err = freezer_signal_process(tgid, start_ticks, signal);
	if (signal == SIGCONT || signal == SIGKILL)
		(void)watchdog_process(actuators->watchdog, false, tgid, start_ticks);
	return err;
}

/* SIGKILL for the whole subtree at once, with no race against fork: Linux 5.14, cgroup-v2.rst. */
static int kill_at_once(const char *dir)
{
	_cleanup_close_ int at = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	_cleanup_close_ int fd = at < 0 ? -1 : openat(at, "cgroup.kill", O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, "1", 1) != 1)
		return -errno;
	return 0;
}

/* A cgroup that is gone, or whose path another one has: -ESRCH. group->cgroup 0: whoever has it. */
static int find_dir(struct actuators *actuators, const struct who_group *group, char dir[PATH_MAX])
{
	snprintf(dir, PATH_MAX, "%s%s", actuators->cgroup_root, group->path);
	if (group->cgroup && who_cgroup_id(actuators->who, group->path) != group->cgroup)
		return -ESRCH;
	return 0;
}

/* The enforcer refuses the daemon's own cgroup, which kill_at_once() would take along. */
static int signal_cgroup(void *arg, const struct who_group *group, int signal)
{
	struct actuators *actuators = arg;
	char dir[PATH_MAX];
	int err = find_dir(actuators, group, dir);

	if (err)
		return err;
	if (signal == SIGKILL && !kill_at_once(dir))
		return 0;
	if (signal == SIGSTOP)
		err = watchdog_cgroup(actuators->watchdog, true, false, dir);
	if (!err)
		err = freezer_signal(dir, signal);
	if (signal == SIGCONT)
		(void)watchdog_cgroup(actuators->watchdog, false, false, dir);
	return err;
}

static int freeze(void *arg, const struct who_group *group, bool frozen)
{
	struct actuators *actuators = arg;
	char dir[PATH_MAX];
	int err = find_dir(actuators, group, dir);

	if (!err && frozen)
		err = watchdog_cgroup(actuators->watchdog, true, true, dir);
	if (!err)
		err = freezer_set(dir, frozen);
	if (!frozen)
		(void)watchdog_cgroup(actuators->watchdog, false, true, dir);
	return err;
}

static bool is_live(void *arg, uint64_t cgroup)
{
	static const char populated[] = "populated 1";
	struct actuators *actuators = arg;
	char dir[PATH_MAX], text[256];
	struct who_group group;
	ssize_t n;

	who_group_get(actuators->who, cgroup, &group);
	if (find_dir(actuators, &group, dir))
		return false;
	_cleanup_close_ int at = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	_cleanup_close_ int fd = at < 0 ? -1 : openat(at, "cgroup.events", O_RDONLY | O_CLOEXEC);

	n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (n < 0)
		return false;
	text[n] = '\0';
	return strstr(text, populated);
}

static void group(void *arg, uint64_t cgroup, struct who_group *ret)
{
	struct actuators *actuators = arg;

	who_group_get(actuators->who, cgroup, ret);
}

static void each_container(void *arg, void (*fn)(void *ctx, const struct who_group *group),
			   void *ctx)
{
	struct actuators *actuators = arg;

	who_each_container(actuators->who, fn, ctx);
}

static void on_action(void *arg, const struct ledger_action *action)
{
	struct actuators *actuators = arg;

	if (actuators->hooks.on_action)
		actuators->hooks.on_action(actuators->hooks.arg, action);
}

struct enforcer_ops actuators_ops(struct actuators *actuators)
{
	return (struct enforcer_ops){
		.gate = gate,
		.allowed = allowed,
		.taken = taken,
		.waiting = waiting,
		.destroy = destroy,
		.signal = signal_process,
		.signal_cgroup = signal_cgroup,
		.freeze = freeze,
		.is_live = is_live,
		.group = group,
		.each_container = each_container,
		.on_action = on_action,
		.arg = actuators,
		.cgroup_root = actuators->cgroup_root,
	};
}

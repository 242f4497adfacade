/* SPDX-License-Identifier: Apache-2.0 */
#include "levers.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>

#include "base/cleanup.h"
#include "pipeline.h"
#include "tap/tap.h"

static int gate(void *arg, uint64_t cgroup, bool refuse, uint64_t lease_ns)
{
	struct levers *levers = arg;
	struct ctl_gate gate = { .state = CTL_REFUSE, .lease_ns = lease_ns };

	return refuse ? tap_gate_set(levers->tap, cgroup, &gate) :
			tap_gate_clear(levers->tap, cgroup);
}

static int destroy(void *arg, uint64_t cgroup)
{
	struct levers *levers = arg;
	char path[WHO_PATH_LEN];

	snprintf(path, sizeof(path), "%s", who_group(levers->who, cgroup)->path);
	pipeline_destroy(levers->pipeline, path);
	return 0;
}

static int signal_process(void *arg, uint32_t tgid, int signal)
{
	_cleanup_close_ int fd = pidfd_open((pid_t)tgid, 0);

	(void)arg;
	if (fd < 0 || pidfd_send_signal(fd, signal, NULL, 0) < 0)
		return -errno;
	return 0;
}

/* Signals each process that the open file lists. 0 or the first -errno that is not "gone". */
static int signal_listed(struct levers *levers, FILE *procs, int signal)
{
	unsigned pid;
	int err = 0;

	while (fscanf(procs, "%u", &pid) == 1) {
		int one = pid && (pid_t)pid != getpid() ? signal_process(levers, pid, signal) : 0;

		if (one && one != -ESRCH && !err)
			err = one;
	}
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

static int signal_tree(struct levers *levers, char *dir, int signal)
{
	char *const roots[] = { dir, NULL };
	FTS *tree = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR | FTS_XDEV | FTS_NOSTAT, NULL);
	FTSENT *entry;
	int err = 0;

	if (!tree)
		return -errno;
	while ((entry = fts_read(tree))) {
		_cleanup_fclose_ FILE *procs = NULL;

		if (strcmp(entry->fts_name, "cgroup.procs"))
			continue;
		procs = fopen(entry->fts_path, "re");
		if (procs) {
			int one = signal_listed(levers, procs, signal);

			err = err ? err : one;
		}
	}
	fts_close(tree);
	return err;
}

/* The daemon's own cgroup is refused by act; kill_at_once() would take it along. */
static int signal_cgroup(void *arg, const struct who_group *group, int signal)
{
	struct levers *levers = arg;
	char dir[PATH_MAX];

	if (who_cgroup_id(levers->who, group->path) != group->cgroup)
		return -ESRCH;
	snprintf(dir, sizeof(dir), "%s%s", levers->cgroup_root, group->path);
	if (signal == SIGKILL && !kill_at_once(dir))
		return 0;
	return signal_tree(levers, dir, signal);
}

static void told(void *arg, const struct ledger_action *action)
{
	struct levers *levers = arg;

	if (levers->told)
		levers->told(levers->told_arg, action);
}

struct act_levers levers_of(struct levers *levers)
{
	return (struct act_levers){
		.gate = gate,
		.destroy = destroy,
		.signal = signal_process,
		.signal_cgroup = signal_cgroup,
		.told = told,
		.arg = levers,
		.cgroup_root = levers->cgroup_root,
	};
}

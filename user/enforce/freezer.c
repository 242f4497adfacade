/* SPDX-License-Identifier: Apache-2.0 */
#include "enforce/freezer.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>

#include "base/cleanup.h"
#include "who/process.h"

static int write_word(const char *path, const char *word)
{
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CLOEXEC);
	size_t len = strlen(word);

	if (fd < 0)
		return -errno;
	return write(fd, word, len) == (ssize_t)len ? 0 : -errno;
}

/* ---- the v1 freezer ---- */

/* The first process of a cgroup; 0: it is empty. */
static unsigned first_of(const char *dir)
{
	_cleanup_fclose_ FILE *file = NULL;
	char path[PATH_MAX];
	unsigned pid;

	snprintf(path, sizeof(path), "%s/cgroup.procs", dir);
	file = fopen(path, "re");
	return file && fscanf(file, "%u", &pid) == 1 ? pid : 0;
}

static bool has_word(const char *list, const char *word)
{
	size_t len = strlen(word);

	for (const char *at = list; (at = strstr(at, word)); at += len)
		if ((at == list || at[-1] == ',') && (!at[len] || at[len] == ','))
			return true;
	return false;
}

/* Where the v1 freezer is mounted: proc(5), mountinfo, the fields behind " - ". */
static int find_mount(char *buf, size_t size)
{
	_cleanup_fclose_ FILE *file = fopen("/proc/self/mountinfo", "re");
	char line[PATH_MAX + 512], point[PATH_MAX], options[512];

	while (file && fgets(line, sizeof(line), file)) {
		const char *behind = strstr(line, " - cgroup ");

		if (behind && sscanf(line, "%*s %*s %*s %*s %4095s", point) == 1 &&
		    sscanf(behind, " - cgroup %*s %511s", options) == 1 &&
		    has_word(options, "freezer")) {
			snprintf(buf, size, "%s", point);
			return 0;
		}
	}
	return -EOPNOTSUPP;
}

/* Where a process lives in the v1 freezer: /proc/PID/cgroup, "N:freezer:/path". */
static int find_path(unsigned pid, char *buf, size_t size)
{
	_cleanup_fclose_ FILE *file = NULL;
	char name[64], line[PATH_MAX];

	snprintf(name, sizeof(name), "/proc/%u/cgroup", pid);
	file = fopen(name, "re");
	while (file && fgets(line, sizeof(line), file)) {
		char *controllers = strchr(line, ':');
		char *path = controllers ? strchr(controllers + 1, ':') : NULL;

		if (!path)
			continue;
		*path++ = '\0';
		path[strcspn(path, "\n")] = '\0';
		if (!has_word(controllers + 1, "freezer"))
			continue;
		/* Its root is everybody; a path that leaves the mount is another namespace's. */
		if (!path[1] || strstr(path, "/.."))
			return -EOPNOTSUPP;
		snprintf(buf, size, "%s", path);
		return 0;
	}
	return -EOPNOTSUPP;
}

static int set_v1(const char *dir, bool frozen)
{
	char mount[PATH_MAX], path[PATH_MAX], state[2 * PATH_MAX + 16];
	unsigned pid = first_of(dir);
	int err = pid ? find_mount(mount, sizeof(mount)) : -EOPNOTSUPP;

	if (!err)
		err = find_path(pid, path, sizeof(path));
	if (err)
		return err;
	snprintf(state, sizeof(state), "%s%s/freezer.state", mount, path);
	return write_word(state, frozen ? "FROZEN" : "THAWED");
}

int freezer_set(const char *dir, bool frozen)
{
	char path[PATH_MAX + 16];
	int err;

	snprintf(path, sizeof(path), "%s/cgroup.freeze", dir);
	err = write_word(path, frozen ? "1" : "0");
	if (err != -ENOENT)
		return err;
	return access(dir, F_OK) < 0 ? -ENOENT : set_v1(dir, frozen);
}

/* ---- signals ---- */

int freezer_signal_process(uint32_t tgid, uint64_t start_ticks, int signal)
{
	_cleanup_close_ int fd = pidfd_open((pid_t)tgid, 0);

	if (fd < 0)
		return -errno;
	/* Looked at while the descriptor holds the process: the pid cannot pass on in between. */
	if (start_ticks && process_start_time(tgid) != start_ticks)
		return -ESRCH;
	return pidfd_send_signal(fd, signal, NULL, 0) < 0 ? -errno : 0;
}

static bool is_stopped(unsigned pid)
{
	_cleanup_fclose_ FILE *file = NULL;
	char path[64], line[1024];
	const char *behind;

	snprintf(path, sizeof(path), "/proc/%u/stat", pid);
	file = fopen(path, "re");
	if (!file || !fgets(line, sizeof(line), file))
		return true;
	behind = strrchr(line, ')');
	return behind && strchr("TtZX", behind[2]);
}

/* ret_sent counts those that were not stopped already. */
static int signal_listed(FILE *procs, int signal, size_t *ret_sent)
{
	unsigned pid;
	int err = 0;

	while (fscanf(procs, "%u", &pid) == 1) {
		int one;

		if (!pid || (pid_t)pid == getpid() || (signal == SIGSTOP && is_stopped(pid)))
			continue;
		one = freezer_signal_process(pid, 0, signal);
		*ret_sent += !one;
		if (one && one != -ESRCH && !err)
			err = one;
	}
	return err;
}

static int signal_tree(const char *dir, int signal, size_t *ret_sent)
{
	char root[PATH_MAX], *const roots[] = { root, NULL };
	FTSENT *entry;
	int err = 0;
	FTS *tree;

	snprintf(root, sizeof(root), "%s", dir);
	tree = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR | FTS_XDEV | FTS_NOSTAT, NULL);
	if (!tree)
		return -errno;
	while ((entry = fts_read(tree))) {
		_cleanup_fclose_ FILE *procs = NULL;

		if (strcmp(entry->fts_name, "cgroup.procs"))
			continue;
		procs = fopen(entry->fts_path, "re");
		if (procs) {
			int one = signal_listed(procs, signal, ret_sent);

			err = err ? err : one;
		}
	}
	fts_close(tree);
	return err;
}

int freezer_signal(const char *dir, int signal)
{
	int err = access(dir, F_OK) < 0 ? -errno : 0;

	for (int pass = 0; !err && pass < (signal == SIGSTOP ? FREEZER_PASSES : 1); pass++) {
		size_t sent = 0;

		err = signal_tree(dir, signal, &sent);
		if (!sent)
			break;
	}
	return err;
}

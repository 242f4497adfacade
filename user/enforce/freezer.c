/* SPDX-License-Identifier: Apache-2.0 */
#include "enforce/freezer.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>

#include "base/cleanup.h"
#include "enforce/members.h"
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

static bool has_line(const char *path, const char *line)
{
	_cleanup_fclose_ FILE *file = fopen(path, "re");
	char text[256];
	bool has = false;

	while (file && !has && fgets(text, sizeof(text), file)) {
		text[strcspn(text, "\n")] = '\0';
		has = !strcmp(text, line);
	}
	return has;
}

bool freezer_is_frozen(const char *dir)
{
	char path[2 * PATH_MAX + 16], mount[PATH_MAX], group[PATH_MAX];
	unsigned pid = first_of(dir);

	snprintf(path, sizeof(path), "%s/cgroup.freeze", dir);
	if (access(path, F_OK) == 0) {
		snprintf(path, sizeof(path), "%s/cgroup.events", dir);
		return has_line(path, "frozen 1");
	}
	if (!pid || find_mount(mount, sizeof(mount)) || find_path(pid, group, sizeof(group)))
		return !pid;
	snprintf(path, sizeof(path), "%s%s/freezer.state", mount, group);
	return has_line(path, "FROZEN");
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

#define BATCH 64

/*
 * Signals those of `tgids` that are in the cgroup still once a descriptor holds them: a number that was listed
 * may be another process's by now, of whatever cgroup, but not while its descriptor's process lives. ret_sent
 * counts those that were not stopped already. 0, or the first -errno that is not "gone".
 */
static int signal_batch(const char *dir, const uint32_t *tgids, size_t n, int signal,
			size_t *ret_sent)
{
	uint32_t now[MEMBERS_MAX];
	int fds[BATCH], n_now, err = 0;

	for (size_t i = 0; i < n; i++)
		fds[i] = pidfd_open((pid_t)tgids[i], 0);
	n_now = members_list(dir, now);
	for (size_t i = 0; i < n; i++) {
		bool is_there = n_now > 0 && bsearch(&tgids[i], now, (size_t)n_now, sizeof(*now),
						     members_compare);

		if (fds[i] < 0)
			continue;
		if (is_there && pidfd_send_signal(fds[i], signal, NULL, 0) == 0)
			++*ret_sent;
		else if (is_there && errno != ESRCH && !err)
			err = -errno;
		close(fds[i]);
	}
	return err;
}

static int signal_tree(const char *dir, int signal, size_t *ret_sent)
{
	uint32_t tgids[MEMBERS_MAX], kept = 0;
	int n = members_list(dir, tgids), err = n < 0 ? n : 0;

	for (int i = 0; i < n; i++)
		if (tgids[i] != (uint32_t)getpid() &&
		    !(signal == SIGSTOP && process_is_stopped(tgids[i])))
			tgids[kept++] = tgids[i];
	for (uint32_t at = 0; at < kept; at += BATCH) {
		int one = signal_batch(dir, tgids + at, kept - at < BATCH ? kept - at : BATCH,
				       signal, ret_sent);

		err = err ? err : one;
	}
	return err;
}

int freezer_signal(const char *dir, int signal)
{
	bool may_fork = signal == SIGSTOP || signal == SIGKILL;
	int err = 0;

	for (int pass = 0; !err && pass < (may_fork ? FREEZER_PASSES : 1); pass++) {
		size_t sent = 0;

		err = signal_tree(dir, signal, &sent);
		if (!sent)
			break;
	}
	return err;
}

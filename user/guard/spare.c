/* SPDX-License-Identifier: Apache-2.0 */
#include "guard/spare.h"

#include <errno.h>
#include <fnmatch.h>
#include <fts.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"

#define PIDS_MAX                                                                                   \
	20000u /* more than the 110 pods of a node run; a kill is not worth a longer look */

/* Executables. Not tini and its like: they are pid 1 of containers that may have to go. */
static const char *const spared[] = { "init",	     "systemd",	     "systemd-*",  "(sd-pam)",
				      "dbus-daemon", "dbus-broker*", "sshd",	   "sshd-*",
				      "kubelet",     "kube-proxy",   "k3s*",	   "k0s",
				      "rke2",	     "microk8s*",    "containerd", "containerd-*",
				      "dockerd",     "docker-proxy", "crio",	   "conmon",
				      "conmonrs",    "runc",	     "crun",	   "podman",
				      "aigress" };

uint64_t spare_start_time(uint32_t tgid)
{
	_cleanup_fclose_ FILE *file = NULL;
	unsigned long long start;
	char path[64], line[1024];
	const char *p;
	char state;

	snprintf(path, sizeof(path), "/proc/%u/stat", tgid);
	file = fopen(path, "re");
	if (!file || !fgets(line, sizeof(line), file))
		return 0;
	/* The command's name may hold anything, a ")" too: fields are counted from its last one. */
	p = strrchr(line, ')');
	if (!p || sscanf(p + 1,
			 " %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d "
			 "%*d %llu",
			 &state, &start) != 2)
		return 0;
	return state == 'Z' || state == 'X' ? 0 : start;
}

static const char *name_of(uint32_t tgid, char *buf, size_t size)
{
	_cleanup_fclose_ FILE *file = NULL;
	char path[64], exe[512];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%u/exe", tgid);
	n = readlink(path, exe, sizeof(exe) - 1);
	if (n > 0) {
		char *deleted, *slash;

		exe[n] = '\0';
		deleted = strstr(exe, " (deleted)");
		if (deleted)
			*deleted = '\0';
		slash = strrchr(exe, '/');
		snprintf(buf, size, "%.*s", (int)size - 1, slash ? slash + 1 : exe);
		return buf;
	}
	/* Only a kernel thread has no executable at all. */
	return errno == ENOENT && spare_start_time(tgid) ? "a kernel thread" : NULL;
}

const char *spare_process(uint32_t tgid, char *buf, size_t size)
{
	char name[256];
	const char *found;

	if (tgid == 0)
		return "a process outside this pid namespace";
	if (tgid == 1)
		return "pid 1";
	if (tgid == (uint32_t)getpid())
		return "aigress itself";
	found = name_of(tgid, name, sizeof(name));
	if (!found)
		return NULL;
	if (found != name)
		return found;
	for (size_t i = 0; i < ARRAY_SIZE(spared); i++) {
		if (fnmatch(spared[i], name, 0) == 0) {
			snprintf(buf, size, "%s", name);
			return buf;
		}
	}
	return NULL;
}

static bool is_own_group(const char *path)
{
	_cleanup_fclose_ FILE *file = fopen("/proc/self/cgroup", "re");
	size_t len = strlen(path);
	char line[4096];

	while (file && fgets(line, sizeof(line), file)) {
		line[strcspn(line, "\n")] = '\0';
		if (!strncmp(line, "0::", 3) && !strncmp(line + 3, path, len) &&
		    (line[3 + len] == '\0' || line[3 + len] == '/'))
			return true;
	}
	return false;
}

/* Why a process listed in one cgroup.procs is spared, or NULL. */
static const char *spare_listed(const char *dir, unsigned *left, char *buf, size_t size)
{
	_cleanup_fclose_ FILE *file = NULL;
	char path[4200];
	unsigned tgid;

	snprintf(path, sizeof(path), "%s/cgroup.procs", dir);
	file = fopen(path, "re");
	while (file && fscanf(file, "%u", &tgid) == 1) {
		const char *why = spare_process(tgid, buf, size);

		if (why)
			return why;
		if (!--*left)
			return "too many processes to look at";
	}
	return NULL;
}

const char *spare_group(const char *cgroup_root, const char *path, char *buf, size_t size)
{
	char dir[4096], *const roots[] = { dir, NULL };
	unsigned left = PIDS_MAX;
	const char *why = NULL;
	FTSENT *entry;
	FTS *tree;

	if (path[0] != '/' || !path[1] || strstr(path, "/.."))
		return "the root cgroup";
	if (is_own_group(path))
		return "the cgroup of aigress";
	snprintf(dir, sizeof(dir), "%s%s", cgroup_root, path);
	tree = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR | FTS_XDEV, NULL);
	if (!tree)
		return "out of memory";
	while (!why && (entry = fts_read(tree)))
		if (entry->fts_info == FTS_D)
			why = spare_listed(entry->fts_path, &left, buf, size);
	fts_close(tree);
	return why;
}

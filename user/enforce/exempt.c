/* SPDX-License-Identifier: Apache-2.0 */
#include "enforce/exempt.h"

#include <dirent.h>
#include <errno.h>
#include <fnmatch.h>
#include <fts.h>
#include <limits.h>
#include <linux/capability.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "who/process.h"

/* More than the 110 pods of a node run, and a quarter of a second; a kill is not worth more. */
#define LOOKS_MAX 20000u

/* Executables of a node. Not tini and its like: they are pid 1 of containers that may have to go. */
static const char *const services[] = { "init",        "systemd",      "systemd-*",  "(sd-pam)",
					"dbus-daemon", "dbus-broker*", "sshd",       "sshd-*",
					"kubelet",     "kube-proxy",   "k3s*",       "k0s",
					"rke2",        "microk8s*",    "containerd", "containerd-*",
					"dockerd",     "docker-proxy", "crio",       "conmon",
					"conmonrs",    "runc",         "crun",       "podman",
					"aigress" };

/*
 * Units that hold nothing but a node's services, however their executables are called. Not
 * ssh.service: where no PAM moves them, its users' programs stay in it.
 */
static const char *const units[] = {
	"kubelet.service",    "containerd.service", "docker.service",
	"cri-docker.service", "crio.service",       "k3s*.service",
	"k0s*.service",       "rke2-*.service",     "snap.microk8s.*.service",
	"systemd-*.service",  "dbus*.service"
};

static bool is_among(const char *const *patterns, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (fnmatch(patterns[i], name, 0) == 0)
			return true;
	return false;
}

/* ---- where it lives ---- */

/*
 * True if all of the path was made by the host's root: below a cgroup that is delegated, directories are its
 * tenant's and called what the tenant likes (cgroup-v2.rst, "Delegation").
 */
static bool is_roots(const char *cgroup_root, const char *path)
{
	char dir[4096];
	struct stat st;

	for (size_t len = 0; path[len] == '/' && path[len + 1];) {
		len += 1 + strcspn(path + len + 1, "/");
		snprintf(dir, sizeof(dir), "%s%.*s", cgroup_root, (int)len, path);
		if (lstat(dir, &st) || st.st_uid != 0)
			return false;
	}
	return true;
}

/* A cgroup. */
struct home {
	bool is_container;       /* in one, which is no node itself */
	bool is_node;            /* in a container that holds containers */
	char unit[WHO_NAME_LEN]; /* as the host's root called it; else empty */
};

static bool holds_containers(const char *cgroup_root, const char *top)
{
	char dir[4096], *const roots[] = { dir, NULL };
	unsigned left = LOOKS_MAX;
	bool does = false;
	FTSENT *entry;
	size_t len;
	FTS *tree;

	len = (size_t)snprintf(dir, sizeof(dir), "%s%s", cgroup_root, top);
	tree = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR | FTS_XDEV, NULL);
	while (tree && !does && (entry = fts_read(tree))) {
		struct who_group group;

		if (entry->fts_info != FTS_D || entry->fts_level == 0)
			continue;
		who_parse_path(entry->fts_path + len, &group);
		does = group.container[0] || group.pod_uid[0] || !--left;
	}
	if (tree)
		fts_close(tree);
	return does;
}

static struct home home_of(const char *cgroup_root, const char *path)
{
	char top[WHO_PATH_LEN];
	struct who_group group;
	struct home home = { 0 };

	who_parse_path(path, &group);
	if (is_roots(cgroup_root, path))
		snprintf(home.unit, sizeof(home.unit), "%s", group.unit);
	if (!group.container[0])
		return home;
	snprintf(top, sizeof(top), "%.*s", (int)who_container_len(path, group.container), path);
	home.is_node = holds_containers(cgroup_root, top);
	home.is_container = !home.is_node;
	return home;
}

static bool lives_in_container(uint32_t tgid)
{
	_cleanup_fclose_ FILE *file = NULL;
	char path[64], line[4096];
	struct who_group group;

	snprintf(path, sizeof(path), "/proc/%u/cgroup", tgid);
	file = fopen(path, "re");
	/* "0::/path", on hybrid hosts others beside it: cgroups(7) */
	while (file && fgets(line, sizeof(line), file)) {
		const char *at = strchr(line, '/');

		line[strcspn(line, "\n")] = '\0';
		who_parse_path(at ? at : "", &group);
		if (group.container[0])
			return true;
	}
	return false;
}

/* Is a child of this thread in a container? proc(5), /proc/PID/task/TID/children. */
static bool has_contained_child(uint32_t tgid, const char *tid)
{
	_cleanup_fclose_ FILE *file = NULL;
	char path[64 + NAME_MAX];
	unsigned child;

	snprintf(path, sizeof(path), "/proc/%u/task/%s/children", tgid, tid);
	file = fopen(path, "re");
	while (file && fscanf(file, "%u", &child) == 1)
		if (lives_in_container(child))
			return true;
	return false;
}

/* Shims and monitors, whatever they are called: they stay outside of what they run. */
static bool runs_containers(uint32_t tgid, unsigned *left)
{
	struct dirent *entry;
	bool does = false;
	char path[64];
	DIR *threads;

	snprintf(path, sizeof(path), "/proc/%u/task", tgid);
	threads = opendir(path);
	while (threads && !does && *left && (entry = readdir(threads))) {
		if (entry->d_name[0] == '.')
			continue;
		--*left;
		does = has_contained_child(tgid, entry->d_name);
	}
	if (threads)
		closedir(threads);
	return does;
}

/* ---- who it is ---- */

/* proc(5), CapEff of /proc/PID/status; 0: it is gone. */
static uint64_t rights_of(uint32_t tgid)
{
	_cleanup_fclose_ FILE *file = NULL;
	char path[64], line[512];

	snprintf(path, sizeof(path), "/proc/%u/status", tgid);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file))
		if (!strncmp(line, "CapEff:", 7))
			return strtoull(line + 7, NULL, 16);
	return 0;
}

static bool shares_ns(uint32_t tgid, const char *kind)
{
	struct stat its, own;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%u/ns/%s", tgid, kind);
	if (stat(path, &its))
		return false;
	snprintf(path, sizeof(path), "/proc/self/ns/%s", kind);
	return stat(path, &own) == 0 && own.st_ino == its.st_ino && own.st_dev == its.st_dev;
}

/*
 * May it administer the host? Whoever does could end this process as well, so nothing is gained by
 * calling itself what is spared. A tenant, also one who is root of a container or of a user
 * namespace, does not. Between: a container that is a node has the host's user namespace, or is a tenant's.
 */
static bool rules_host(uint32_t tgid)
{
	return rights_of(tgid) >> CAP_SYS_ADMIN & 1 && shares_ns(tgid, "user");
}

/* PF_KTHREAD of include/linux/sched.h, in field 9 of /proc/PID/stat: proc(5). */
static bool is_kernel_thread(uint32_t tgid)
{
	_cleanup_fclose_ FILE *file = NULL;
	char path[64], line[1024];
	const char *behind;
	unsigned flags = 0;

	snprintf(path, sizeof(path), "/proc/%u/stat", tgid);
	file = fopen(path, "re");
	behind = file && fgets(line, sizeof(line), file) ? strrchr(line, ')') : NULL;
	return behind && sscanf(behind + 1, " %*c %*d %*d %*d %*d %*d %u", &flags) == 1 &&
	       flags & 0x00200000;
}

/* The last part of its executable's path; NULL: it is gone, or has none. */
static const char *name_of(uint32_t tgid, char exe[PATH_MAX])
{
	static const char gone[] = " (deleted)";
	char path[64], *slash;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%u/exe", tgid);
	n = readlink(path, exe, PATH_MAX - 1);
	if (n <= 0)
		return NULL;
	exe[n] = '\0';
	if ((size_t)n >= sizeof(gone) && !strcmp(exe + n - (sizeof(gone) - 1), gone))
		exe[n - (ssize_t)(sizeof(gone) - 1)] = '\0';
	slash = strrchr(exe, '/');
	return slash ? slash + 1 : exe;
}

static const char *exempt_one(const struct home *home, uint32_t tgid, unsigned *left, char *buf,
			      size_t size)
{
	const char *name, *found = NULL;
	char exe[PATH_MAX];

	if (tgid == 0)
		return "a process outside this pid namespace";
	if (tgid == 1)
		return "pid 1";
	if (tgid == (uint32_t)getpid())
		return "aigress itself";
	if (is_kernel_thread(tgid))
		return "a kernel thread";
	if (home->is_container || (!home->is_node && !shares_ns(tgid, "pid")))
		return NULL;
	if (rules_host(tgid)) {
		name = name_of(tgid, exe);
		if (name && is_among(services, ARRAY_SIZE(services), name))
			found = name;
		else if (runs_containers(tgid, left))
			return "it runs containers";
	}
	/* Also those of its processes that have no rights over the host. */
	if (!found && !home->is_node && is_among(units, ARRAY_SIZE(units), home->unit))
		found = home->unit;
	if (!found)
		return *left ? NULL : "too many processes to look at";
	snprintf(buf, size, "%s", found);
	return buf;
}

const char *exempt_process(const char *cgroup_root, const char *path, uint32_t tgid, char *buf,
			   size_t size)
{
	struct home home = home_of(cgroup_root, path);
	unsigned left = LOOKS_MAX;

	return exempt_one(&home, tgid, &left, buf, size);
}

/* Why a process listed in one cgroup.procs is exempt, or NULL. */
static const char *exempt_listed(const char *cgroup_root, const char *dir, unsigned *left,
				 char *buf, size_t size)
{
	struct home home = home_of(cgroup_root, dir + strlen(cgroup_root));
	_cleanup_fclose_ FILE *file = NULL;
	char path[4200];
	unsigned tgid;

	snprintf(path, sizeof(path), "%s/cgroup.procs", dir);
	file = fopen(path, "re");
	while (file && fscanf(file, "%u", &tgid) == 1) {
		const char *why;

		if (!*left || !--*left)
			return "too many processes to look at";
		why = exempt_one(&home, tgid, left, buf, size);
		if (why)
			return why;
	}
	return NULL;
}

const char *exempt_group(const char *cgroup_root, const char *path, char *buf, size_t size)
{
	char dir[4096], *const roots[] = { dir, NULL };
	unsigned left = LOOKS_MAX;
	const char *why = NULL;
	FTSENT *entry;
	FTS *tree;

	if (path[0] != '/' || !path[1] || strstr(path, "/.."))
		return "the root cgroup";
	snprintf(dir, sizeof(dir), "%s%s", cgroup_root, path);
	tree = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR | FTS_XDEV, NULL);
	if (!tree)
		return "out of memory";
	while (!why && (entry = fts_read(tree)))
		if (entry->fts_info == FTS_D)
			why = exempt_listed(cgroup_root, entry->fts_path, &left, buf, size);
	fts_close(tree);
	return why;
}

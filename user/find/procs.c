/* SPDX-License-Identifier: Apache-2.0 */
#include "find/procs.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#include "base/cleanup.h"
#include "base/hash.h"

#define PROC_PATH_LEN 96

static void path_of(char *buf, uint32_t tgid, const char *what)
{
	snprintf(buf, PROC_PATH_LEN, "/proc/%u/%s", tgid, what);
}

bool procs_parse(char *line, struct procs_map *ret)
{
	unsigned long long start, end, offset, ino;
	unsigned int major, minor;
	char perms[5];
	int at = 0;

	if (sscanf(line, "%llx-%llx %4s %llx %x:%x %llu %n", &start, &end, perms, &offset, &major,
		   &minor, &ino, &at) < 7 ||
	    !at)
		return false;
	if (strlen(perms) != 4 || perms[2] != 'x' || !ino || start >= end || line[at] != '/')
		return false;
	*ret = (struct procs_map){
		.start = start,
		.end = end,
		.offset = offset,
		.dev = makedev(major, minor),
		.ino = ino,
		.path = line + at,
	};
	return true;
}

int procs_maps(uint32_t tgid, void (*fn)(void *arg, const struct procs_map *map), void *arg)
{
	_cleanup_free_ char *line = malloc(PROCS_LINE_MAX);
	_cleanup_fclose_ FILE *f = NULL;
	char path[PROC_PATH_LEN];

	if (!line)
		return -ENOMEM;
	path_of(path, tgid, "maps");
	f = fopen(path, "re");
	if (!f)
		return errno == ENOENT ? -ESRCH : -errno;
	for (size_t i = 0; i < PROCS_MAPS_MAX && fgets(line, PROCS_LINE_MAX, f); i++) {
		struct procs_map map;

		line[strcspn(line, "\n")] = '\0';
		if (procs_parse(line, &map))
			fn(arg, &map);
	}
	return ferror(f) ? -EIO : 0;
}

int procs_each(void (*fn)(void *arg, uint32_t tgid), void *arg)
{
	DIR *dir = opendir("/proc");
	struct dirent *entry;

	if (!dir)
		return -errno;
	while ((entry = readdir(dir)))
		if (isdigit((unsigned char)entry->d_name[0]))
			fn(arg, (uint32_t)strtoul(entry->d_name, NULL, 10));
	closedir(dir);
	return 0;
}

/* An O_PATH handle first: opening for reading may do things when the name leads to a device. */
static int reopen_regular(int handle, uint64_t ino)
{
	char path[PROC_PATH_LEN];
	struct stat st;
	int fd;

	if (fstat(handle, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || (ino && st.st_ino != ino))
		return -ESTALE;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", handle);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	return fd < 0 ? -errno : fd;
}

struct wanted {
	uint64_t start, end, ino;
	char path[PATH_MAX];
};

static void note_path(void *arg, const struct procs_map *map)
{
	struct wanted *wanted = arg;

	if (map->start != wanted->start || map->end != wanted->end ||
	    strlen(map->path) >= sizeof(wanted->path))
		return;
	strcpy(wanted->path, map->path);
	wanted->ino = map->ino;
}

/* Below the process's own root, so that an absolute symbolic link in a container stays in there. */
static int open_below_root(uint32_t tgid, uint64_t start, uint64_t end)
{
	struct open_how how = {
		.flags = O_PATH | O_CLOEXEC,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};
	_cleanup_close_ int root = -1, handle = -1;
	struct wanted wanted = { .start = start, .end = end };
	char path[PROC_PATH_LEN];
	int err;

	err = procs_maps(tgid, note_path, &wanted);
	if (err)
		return err;
	if (!wanted.path[0])
		return -ESTALE;
	path_of(path, tgid, "root");
	root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return -errno;
	handle = (int)syscall(SYS_openat2, root, wanted.path, &how, sizeof(how));
	if (handle < 0)
		return -errno;
	return reopen_regular(handle, wanted.ino);
}

int procs_open(uint32_t tgid, uint64_t start, uint64_t end)
{
	_cleanup_close_ int handle = -1;
	char path[PROC_PATH_LEN];

	snprintf(path, sizeof(path), "/proc/%u/map_files/%llx-%llx", tgid,
		 (unsigned long long)start, (unsigned long long)end);
	handle = open(path, O_PATH | O_CLOEXEC);
	if (handle >= 0)
		return reopen_regular(handle, 0);
	/* ENOENT: the mapping is gone or another by now; else a privilege is missing */
	return errno == ENOENT ? -ESTALE : open_below_root(tgid, start, end);
}

/* The first bytes of a file of the process, with a NUL behind them. How many, or -errno. */
static ssize_t read_head(uint32_t tgid, const char *what, char *buf, size_t size)
{
	char path[PROC_PATH_LEN];
	_cleanup_close_ int fd = -1;
	ssize_t n;

	path_of(path, tgid, what);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = read(fd, buf, size - 1);
	if (n < 0)
		return -errno;
	buf[n] = '\0';
	return n;
}

bool procs_lives(uint32_t tgid)
{
	char path[PROC_PATH_LEN], exe[2];

	path_of(path, tgid, "exe");
	return readlink(path, exe, sizeof(exe)) > 0 || (errno != ENOENT && errno != ESRCH);
}

uint64_t procs_start(uint32_t tgid)
{
	unsigned long long start;
	char stat[1024], *after;

	if (read_head(tgid, "stat", stat, sizeof(stat)) <= 0)
		return 0;
	/* proc(5): field 22; the command in field 2 may hold anything, its last ')' ends it */
	after = strrchr(stat, ')');
	if (!after || sscanf(after + 1,
			     " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d "
			     "%*d %*d %*d %*d %*d %llu",
			     &start) != 1)
		return 0;
	return start;
}

uint64_t procs_executable(uint32_t tgid)
{
	char path[PROC_PATH_LEN];
	struct stat st;
	uint64_t hash;

	path_of(path, tgid, "exe");
	if (stat(path, &st) < 0)
		return 0;
	hash = hash_fnv1a(FNV1A_BASIS, &st.st_dev, sizeof(st.st_dev));
	return hash_fnv1a(hash, &st.st_ino, sizeof(st.st_ino));
}

/* Of a command line: the first argument that is no option. "": there is none. */
static const char *first_argument(const char *line, size_t len)
{
	const char *arg = line;

	while ((arg += strlen(arg) + 1) < line + len)
		if (*arg != '-')
			return arg;
	return "";
}

uint64_t procs_program(uint32_t tgid)
{
	uint64_t hash = procs_executable(tgid);
	char line[4096];
	const char *arg;
	ssize_t n;

	if (!hash)
		return 0;
	n = read_head(tgid, "cmdline", line, sizeof(line));
	if (n < 0)
		return 0;
	arg = first_argument(line, (size_t)n);
	hash = hash_fnv1a(hash, arg, strlen(arg));
	explicit_bzero(line, sizeof(line)); /* prompts and keys are arguments, too */
	return hash;
}

/* The v2 mount point as /proc/self/mountinfo has it, read once: it does not move. */
static const char *cgroup_mount(void)
{
	static char mount[PATH_MAX];
	char line[PATH_MAX + 512];
	_cleanup_fclose_ FILE *f = NULL;

	if (mount[0] || !(f = fopen("/proc/self/mountinfo", "re")))
		return mount;
	while (fgets(line, sizeof(line), f))
		if (strstr(line, " - cgroup2 ") && sscanf(line, "%*d %*d %*s %*s %4095s", mount) == 1)
			break;
	return mount;
}

/* The directory of the process's v2 cgroup, with the mount before it; below it `*ret_mount_len` are the mount's. */
static bool cgroup_path(uint32_t tgid, char *path, size_t size, size_t *ret_mount_len)
{
	char text[PATH_MAX + 512] = "", *line;

	if (!*cgroup_mount() || read_head(tgid, "cgroup", text, sizeof(text)) <= 0)
		return false;
	line = !strncmp(text, "0::", 3) ? text : strstr(text, "\n0::");
	if (!line)
		return false;
	line += *line == '\n' ? 4 : 3;
	line[strcspn(line, "\n")] = '\0';
	*ret_mount_len = strlen(cgroup_mount());
	return (size_t)snprintf(path, size, "%s%s", cgroup_mount(), line) < size;
}

uint64_t procs_cgroup(uint32_t tgid)
{
	char path[2 * PATH_MAX];
	struct stat st;
	size_t len;

	return cgroup_path(tgid, path, sizeof(path), &len) && stat(path, &st) == 0 ? st.st_ino : 0;
}

uint64_t procs_tenant(uint32_t tgid)
{
	char path[2 * PATH_MAX], *end;
	struct stat st = { 0 };
	size_t len;

	if (!cgroup_path(tgid, path, sizeof(path), &len))
		return 0;
	for (end = path + len; *end && !st.st_uid;) {
		char after;

		end += 1 + strcspn(end + 1, "/");
		after = *end;
		*end = '\0';
		if (stat(path, &st) < 0)
			return 0;
		*end = after;
	}
	return st.st_ino;
}

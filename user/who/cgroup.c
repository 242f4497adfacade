/* SPDX-License-Identifier: Apache-2.0 */
#include "who/cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/hash.h"
#include "who/who.h"

/* FILEID_KERNFS of fs/kernfs/mount.c (Linux 5.9): the handle is the 64-bit inode number. */
#define HANDLE_KERNFS 0xfe

struct path {
	uint64_t id;
	uint64_t placed_ns; /* when place was asked for; 0: never */
	struct cgroups_place place;
	UT_hash_handle hh; /* in the order of last use */
	char text[];
};

struct cgroups {
	struct path *paths;
	uint64_t scanned_ns;
	int root;
	bool has_handles;
	size_t top_len; /* of top, the root as /proc/self/fd shows it */
	char top[PATH_MAX];
};

void cgroups_learn(struct cgroups *cgroups, uint64_t id, const char *path)
{
	size_t len = strnlen(path, WHO_PATH_LEN - 1);
	struct path *entry;

	if (!id || path[0] != '/')
		return;
	HASH_FIND(hh, cgroups->paths, &id, sizeof(id), entry);
	if (entry) {
		HASH_DEL(cgroups->paths, entry);
		free(entry);
	} else if (HASH_COUNT(cgroups->paths) >= CGROUPS_MAX) {
		entry = cgroups->paths;
		HASH_DEL(cgroups->paths, entry);
		free(entry);
	}
	entry = calloc(1, sizeof(*entry) + len + 1);
	if (!entry)
		return;
	entry->id = id;
	memcpy(entry->text, path, len);
	HASH_ADD(hh, cgroups->paths, id, sizeof(entry->id), entry);
	if (!entry->hh.tbl)
		free(entry);
}

/*
 * Enters every directory below `at` (whose path is path[0..len), no slash at its end). kernfs gives
 * types and ids with the names, so nothing but directories is opened and nothing is stat'ed.
 */
static void walk(struct cgroups *cgroups, int at, char *path, size_t len, unsigned depth)
{
	DIR *dir = fdopendir(at);
	struct dirent *entry;

	if (!dir) {
		close(at);
		return;
	}
	while ((entry = readdir(dir))) {
		size_t name = strlen(entry->d_name);
		int child;

		if (entry->d_type != DT_DIR || !strcmp(entry->d_name, ".") ||
		    !strcmp(entry->d_name, "..") || len + 1 + name >= WHO_PATH_LEN)
			continue;
		path[len] = '/';
		memcpy(path + len + 1, entry->d_name, name + 1);
		cgroups_learn(cgroups, entry->d_ino, path);
		if (depth + 1 >= CGROUPS_DEPTH)
			continue;
		child = openat(dirfd(dir), entry->d_name,
			       O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (child >= 0)
			walk(cgroups, child, path, len + 1 + name, depth + 1);
		path[len] = '\0';
	}
	closedir(dir);
}

static int scan(struct cgroups *cgroups)
{
	char path[WHO_PATH_LEN] = "";
	struct stat st;
	int at;

	cgroups->scanned_ns = clock_mono_ns();
	if (fstat(cgroups->root, &st) < 0)
		return -errno;
	cgroups_learn(cgroups, st.st_ino, "/");
	at = openat(cgroups->root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (at < 0)
		return -errno;
	walk(cgroups, at, path, 0, 0);
	return 0;
}

static int link_of(int fd, char *buf, size_t size)
{
	char link[32];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, buf, size - 1);
	if (n < 0)
		return -errno;
	if ((size_t)n == size - 1)
		return -ENAMETOOLONG;
	buf[n] = '\0';
	return 0;
}

int cgroups_new(struct cgroups **ret, const char *root)
{
	struct cgroups *cgroups = calloc(1, sizeof(*cgroups));
	struct statfs fs;
	int r;

	if (!cgroups)
		return -ENOMEM;
	cgroups->root = root ? open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	if (!root) {
		*ret = cgroups;
		return 0;
	}
	if (cgroups->root < 0) {
		r = -errno;
		free(cgroups);
		return r;
	}
	cgroups->has_handles = fstatfs(cgroups->root, &fs) == 0 &&
			       fs.f_type == CGROUP2_SUPER_MAGIC &&
			       link_of(cgroups->root, cgroups->top, sizeof(cgroups->top)) == 0;
	cgroups->top_len = strlen(cgroups->top);
	r = scan(cgroups);
	if (r < 0) {
		cgroups_free(cgroups);
		return r;
	}
	*ret = cgroups;
	return 0;
}

struct cgroups *cgroups_free(struct cgroups *cgroups)
{
	struct path *entry, *next;

	if (!cgroups)
		return NULL;
	HASH_ITER(hh, cgroups->paths, entry, next) {
		HASH_DEL(cgroups->paths, entry);
		free(entry);
	}
	if (cgroups->root >= 0)
		close(cgroups->root);
	free(cgroups);
	return NULL;
}

/*
 * Asks the kernel for the directory of an id. 0; -ENOENT: it says that there is none; another
 * error: it cannot be asked (before 5.9, no CAP_DAC_READ_SEARCH, not a cgroup file system).
 */
static int ask(struct cgroups *cgroups, uint64_t id)
{
	union {
		struct file_handle head;
		uint8_t bytes[sizeof(struct file_handle) + sizeof(id)];
	} handle = { .head = { .handle_bytes = sizeof(id), .handle_type = HANDLE_KERNFS } };
	_cleanup_close_ int fd = -1;
	char path[PATH_MAX];
	int r;

	if (!cgroups->has_handles)
		return -EOPNOTSUPP;
	memcpy(handle.bytes + sizeof(struct file_handle), &id, sizeof(id));
	fd = open_by_handle_at(cgroups->root, &handle.head, O_PATH | O_CLOEXEC);
	if (fd < 0)
		return errno == ESTALE ? -ENOENT : -errno;
	r = link_of(fd, path, sizeof(path));
	if (r < 0)
		return r;
	/* Elsewhere: outside what this mount shows, or removed since. */
	if (strncmp(path, cgroups->top, cgroups->top_len) ||
	    (path[cgroups->top_len] != '/' && path[cgroups->top_len] != '\0'))
		return -ENOENT;
	cgroups_learn(cgroups, id, path[cgroups->top_len] ? path + cgroups->top_len : "/");
	return 0;
}

static const char *look_up(struct cgroups *cgroups, uint64_t id)
{
	struct path *entry;

	HASH_FIND(hh, cgroups->paths, &id, sizeof(id), entry);
	if (!entry)
		return NULL;
	HASH_TOUCH(hh, cgroups->paths, entry);
	return entry->text;
}

const char *cgroups_path(struct cgroups *cgroups, uint64_t id)
{
	const char *path = look_up(cgroups, id);
	int r;

	if (path || !id)
		return path;
	r = ask(cgroups, id);
	if (r == -ENOENT)
		return NULL;
	if (r < 0) {
		if (clock_mono_ns() - cgroups->scanned_ns < CGROUPS_RESCAN_NS)
			return NULL;
		(void)scan(cgroups);
	}
	return look_up(cgroups, id);
}

/* ---- what it is a part of ---- */

/* Whether a cgroup's file has this line, newline included, in its first 63 bytes. */
static bool has_line(const struct cgroups *cgroups, const char *path, const char *file,
		     const char *line)
{
	char name[WHO_PATH_LEN + 16], text[64];
	_cleanup_close_ int fd = -1;
	const char *found;
	ssize_t n;

	snprintf(name, sizeof(name), "%s/%s", path + 1, file);
	fd = openat(cgroups->root, name, O_RDONLY | O_CLOEXEC);
	n = fd >= 0 ? read(fd, text, sizeof(text) - 1) : -1;
	if (n <= 0)
		return false;
	text[n] = '\0';
	found = strstr(text, line);
	return found && (found == text || found[-1] == '\n');
}

/* cgroup-v2.rst, "Threads": its processes live in the domain above. */
static bool is_threaded(const struct cgroups *cgroups, const char *path)
{
	return has_line(cgroups, path, "cgroup.type", "threaded\n");
}

static uint64_t domain_of(const struct cgroups *cgroups, uint64_t id, const char *path)
{
	char above[WHO_PATH_LEN];

	snprintf(above, sizeof(above), "%s", path);
	while (above[1] && is_threaded(cgroups, above)) {
		*strrchr(above, '/') = '\0';
		id = cgroups_id(cgroups, *above ? above : "/");
	}
	return id;
}

/* The topmost directory on the way that is not root's: what was delegated (cgroup-v2.rst, "Delegation"). */
static size_t delegated_len(const struct cgroups *cgroups, const char *path)
{
	char dir[WHO_PATH_LEN];
	struct stat st;
	size_t len = 0;

	while (path[len] == '/' && path[len + 1]) {
		len += 1 + strcspn(path + len + 1, "/");
		snprintf(dir, sizeof(dir), "%.*s", (int)len, path);
		if (fstatat(cgroups->root, dir + 1, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_uid)
			break;
	}
	return len;
}

struct cgroups_place cgroups_place(struct cgroups *cgroups, uint64_t id)
{
	uint64_t now_ns = clock_mono_ns();
	struct path *entry;

	HASH_FIND(hh, cgroups->paths, &id, sizeof(id), entry);
	if (!entry || cgroups->root < 0)
		return (struct cgroups_place){ .domain = id, .delegated_len = WHO_PATH_LEN };
	if (!entry->placed_ns || now_ns - entry->placed_ns > CGROUPS_RESCAN_NS) {
		/* What is gone stays what it was. */
		if (!entry->placed_ns || cgroups_id(cgroups, entry->text) == id) {
			entry->place.domain = domain_of(cgroups, id, entry->text) ?: id;
			entry->place.delegated_len = delegated_len(cgroups, entry->text);
		}
		/*
		 * A cgroup is asked about when it is made, and while it has no process it can still be switched
		 * to threads; one with processes cannot (kernel/cgroup/cgroup.c, cgroup_enable_threaded()).
		 */
		if (entry->place.domain != id ||
		    has_line(cgroups, entry->text, "cgroup.events", "populated 1\n"))
			entry->placed_ns = now_ns;
	}
	return entry->place;
}

/* By their ids: a path that fn asks for becomes the last of the list, and one that it learns drops another. */
void cgroups_each(const struct cgroups *cgroups,
		  void (*fn)(void *arg, uint64_t id, const char *path), void *arg)
{
	size_t n = HASH_COUNT(cgroups->paths), i = 0;
	_cleanup_free_ uint64_t *ids = calloc(n + 1, sizeof(*ids));
	char text[WHO_PATH_LEN];
	struct path *entry, *next;

	if (!ids)
		return;
	HASH_ITER(hh, cgroups->paths, entry, next)
		ids[i++] = entry->id;
	for (i = 0; i < n; i++) {
		HASH_FIND(hh, cgroups->paths, &ids[i], sizeof(ids[i]), entry);
		if (!entry)
			continue;
		strcpy(text, entry->text);
		fn(arg, ids[i], text);
	}
}

uint64_t cgroups_id(const struct cgroups *cgroups, const char *path)
{
	struct stat st;

	if (path[0] != '/' || strstr(path, "/../"))
		return 0;
	if (strlen(path) >= 3 && !strcmp(path + strlen(path) - 3, "/.."))
		return 0;
	path += strspn(path, "/");
	if (fstatat(cgroups->root, *path ? path : ".", &st, AT_SYMLINK_NOFOLLOW) < 0 ||
	    !S_ISDIR(st.st_mode))
		return 0;
	return st.st_ino;
}

/* Undoes the octal escapes of show_mountinfo() (space, tab, newline, backslash), in place. */
static void unescape(char *text)
{
	char *to = text;

	while (*text) {
		if (text[0] == '\\' && text[1] >= '0' && text[1] <= '3' && text[2] >= '0' &&
		    text[2] <= '7' && text[3] >= '0' && text[3] <= '7') {
			*to++ = (char)((text[1] - '0') << 6 | (text[2] - '0') << 3 | (text[3] - '0'));
			text += 4;
		} else {
			*to++ = *text++;
		}
	}
	*to = '\0';
}

/* How far above "/" the root field of a mount lies; -1: below it, so it shows a part only. */
static int height(const char *root)
{
	int n = 0;

	if (!strcmp(root, "/"))
		return 0;
	for (; !strncmp(root, "/..", 3) && (root[3] == '/' || root[3] == '\0'); root += 3)
		n++;
	return *root == '\0' ? n : -1;
}

int cgroups_find_mount(FILE *mountinfo, char *buf, size_t size)
{
	_cleanup_free_ char *line = NULL;
	size_t room = 0;
	int best = -1, r = -ENOENT;

	/* 36 35 98:0 /root /mount/point options [tags] - type source super-options: proc(5) */
	while (getline(&line, &room, mountinfo) > 0) {
		char *type = strstr(line, " - "), *rest = line, *field[5];
		size_t i;

		if (!type || strncmp(type + 3, "cgroup2 ", 8))
			continue;
		for (i = 0; i < ARRAY_SIZE(field); i++)
			field[i] = strsep(&rest, " ");
		if (!field[4] || height(field[3]) <= best)
			continue;
		unescape(field[4]);
		if (strlen(field[4]) >= size) {
			r = -ENAMETOOLONG;
			continue;
		}
		best = height(field[3]);
		strcpy(buf, field[4]);
		r = 0;
	}
	return best >= 0 ? 0 : r;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "tap/pin.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "base/cleanup.h"
#include "tap/tap_internal.h"

/* Of what is pinned. Another number when a map or its meaning becomes another at the same size. */
#define LAYOUT "2"

void pin_dir(const char *state, char dir[PIN_PATH_LEN])
{
	uint64_t hash = 14695981039346656037ULL; /* FNV-1a */
	char whole[PATH_MAX];

	/* bpffs takes no dots in names, and a path has too many letters for one. */
	if (!realpath(state, whole))
		snprintf(whole, sizeof(whole), "%s", state);
	for (const char *at = whole; *at; at++)
		hash = (hash ^ (unsigned char)*at) * 1099511628211ULL;
	snprintf(dir, PIN_PATH_LEN, PIN_ROOT "/%016llx", (unsigned long long)hash);
}

/* False: the path is too long. */
static bool name_path(const struct tap *tap, const char *kind, const char *name,
		      char path[PIN_PATH_LEN])
{
	return snprintf(path, PIN_PATH_LEN, "%s/" LAYOUT "_%s_%s", tap->pin, kind, name) <
	       PIN_PATH_LEN;
}

static bool is_bpffs(const char *path)
{
	struct statfs fs;

	return !statfs(path, &fs) && (unsigned long)fs.f_type == BPF_FS_MAGIC;
}

static int make_dir(const char *dir)
{
	if (!is_bpffs("/sys/fs/bpf") && mount("bpf", "/sys/fs/bpf", "bpf", 0, "mode=0700") < 0)
		return -errno;
	if ((mkdir(PIN_ROOT, 0700) < 0 && errno != EEXIST) ||
	    (mkdir(dir, 0700) < 0 && errno != EEXIST))
		return -errno;
	return 0;
}

/* One daemon at a time: the lock is the directory's, and ends with the process. */
static int lock_dir(struct tap *tap)
{
	if (tap->pin_fd >= 0)
		return 0;
	tap->pin_fd = open(tap->pin, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (tap->pin_fd < 0)
		return -errno;
	if (flock(tap->pin_fd, LOCK_EX | LOCK_NB) == 0)
		return 0;
	close(tap->pin_fd);
	tap->pin_fd = -1;
	return -EBUSY;
}

/* ---- what was there ---- */

static struct bpf_map *const *kept_maps(struct tap *tap, size_t *ret_n)
{
	static struct bpf_map *maps[6];

	maps[0] = tap->skel->maps.gates;
	maps[1] = tap->skel->maps.grants;
	maps[2] = tap->skel->maps.takes;
	maps[3] = tap->skel->maps.holds;
	maps[4] = tap->skel->maps.ai_addrs;
	maps[5] = tap->skel->maps.other_addrs;
	*ret_n = ARRAY_SIZE(maps);
	return maps;
}

static bool is_like(const struct bpf_map *map, int fd)
{
	struct bpf_map_info info = { 0 };
	uint32_t size = sizeof(info);

	return !bpf_obj_get_info_by_fd(fd, &info, &size) && info.type == bpf_map__type(map) &&
	       info.key_size == bpf_map__key_size(map) &&
	       info.value_size == bpf_map__value_size(map) &&
	       info.max_entries == bpf_map__max_entries(map);
}

void tap_pins_reuse(struct tap *tap)
{
	struct bpf_map *const *maps;
	char path[PIN_PATH_LEN];
	size_t n;

	if (!*tap->pin || lock_dir(tap) < 0)
		return;
	maps = kept_maps(tap, &n);
	for (size_t i = 0; i < n; i++) {
		_cleanup_close_ int fd = -1;

		if (name_path(tap, "map", bpf_map__name(maps[i]), path))
			fd = bpf_obj_get(path);
		if (fd >= 0 && is_like(maps[i], fd))
			(void)bpf_map__reuse_fd(maps[i], fd);
	}
}

/* The link that an earlier daemon left, with this program in it. */
static struct bpf_link *take_link(struct tap *tap, struct bpf_program *program)
{
	char path[PIN_PATH_LEN];
	struct bpf_link *link;

	if (tap->pin_fd < 0 || !name_path(tap, "link", bpf_program__name(program), path))
		return NULL;
	link = bpf_link__open(path);
	if (link && bpf_link__update_program(link, program)) {
		/* It hangs on a hierarchy that is gone, say. */
		(void)bpf_link__unpin(link);
		bpf_link__destroy(link);
		link = NULL;
	}
	return link;
}

int tap_attach_root(struct tap *tap, struct bpf_program *program, struct bpf_link **link, int root)
{
	*link = take_link(tap, program);
	/* A link, not BPF_PROG_ATTACH: it leaves with this process, and pushes no other program out. */
	if (!*link)
		*link = bpf_program__attach_cgroup(program, root);
	if (!*link)
		return -errno;
	if (tap->n_on_root == ON_ROOT_MAX)
		return -E2BIG;
	tap->on_root[tap->n_on_root].program = program;
	tap->on_root[tap->n_on_root++].link = *link;
	return 0;
}

/* ---- what is to stay ---- */

static int pin_link(struct tap *tap, struct bpf_link *link, const struct bpf_program *program)
{
	char path[PIN_PATH_LEN];

	if (bpf_link__pin_path(link))
		return 0;
	return name_path(tap, "link", bpf_program__name(program), path) ? bpf_link__pin(link, path) :
									  -ENAMETOOLONG;
}

static int pin_map(struct tap *tap, const struct bpf_map *map)
{
	char path[PIN_PATH_LEN];

	if (!name_path(tap, "map", bpf_map__name(map), path))
		return -ENAMETOOLONG;
	if (!access(path, F_OK))
		return 0;
	return bpf_obj_pin(bpf_map__fd(map), path) ? -errno : 0;
}

static bool is_file(const char *path, const char *name)
{
	return !strcmp(strrchr(path, '/') + 1, name);
}

static bool is_ours(struct tap *tap, const char *name)
{
	char own[PIN_PATH_LEN];
	struct bpf_map *const *maps;
	size_t n;

	maps = kept_maps(tap, &n);
	for (size_t i = 0; i < n; i++)
		if (name_path(tap, "map", bpf_map__name(maps[i]), own) && is_file(own, name))
			return true;
	for (size_t i = 0; i < tap->n_on_root; i++)
		if (name_path(tap, "link", bpf_program__name(tap->on_root[i].program), own) &&
		    is_file(own, name))
			return true;
	return false;
}

/* What an earlier version pinned and this one does not know. */
static void remove_others(struct tap *tap)
{
	_cleanup_closedir_ DIR *list = opendir(tap->pin);
	struct dirent *entry;

	while (list && (entry = readdir(list)))
		if (entry->d_name[0] != '.' && !is_ours(tap, entry->d_name))
			(void)unlinkat(dirfd(list), entry->d_name, 0);
}

int tap_pin(struct tap *tap)
{
	struct bpf_map *const *maps;
	size_t n;
	int err;

	if (!*tap->pin)
		return -EOPNOTSUPP;
	err = make_dir(tap->pin);
	if (!err)
		err = lock_dir(tap);
	if (err)
		return err;
	remove_others(tap);
	maps = kept_maps(tap, &n);
	for (size_t i = 0; !err && i < n; i++)
		err = pin_map(tap, maps[i]);
	for (size_t i = 0; !err && i < tap->n_on_root; i++)
		err = pin_link(tap, tap->on_root[i].link, tap->on_root[i].program);
	if (err)
		tap_unpin(tap);
	return err;
}

void tap_unpin(struct tap *tap)
{
	if (tap->pin_fd < 0)
		return;
	for (size_t i = 0; i < tap->n_on_root; i++)
		if (bpf_link__pin_path(tap->on_root[i].link))
			(void)bpf_link__unpin(tap->on_root[i].link);
	(void)pin_remove(tap->pin);
	close(tap->pin_fd);
	tap->pin_fd = -1;
}

/* ---- what is to go ---- */

int pin_remove(const char *dir)
{
	_cleanup_closedir_ DIR *list = opendir(dir);
	struct dirent *entry;
	int n = 0;

	if (!list)
		return errno == ENOENT ? 0 : -errno;
	while ((entry = readdir(list))) {
		if (entry->d_name[0] == '.')
			continue;
		if (unlinkat(dirfd(list), entry->d_name, 0) < 0)
			return -errno;
		n++;
	}
	if (rmdir(dir) < 0)
		return -errno;
	(void)rmdir(PIN_ROOT); /* the last one takes it along */
	return n;
}

int pin_remove_all(void)
{
	_cleanup_closedir_ DIR *list = opendir(PIN_ROOT);
	struct dirent *entry;
	int n = 0;

	if (!list)
		return errno == ENOENT ? 0 : -errno;
	while ((entry = readdir(list))) {
		_cleanup_close_ int fd = -1;
		char dir[PATH_MAX];
		int more;

		if (entry->d_name[0] == '.')
			continue;
		snprintf(dir, sizeof(dir), PIN_ROOT "/%s", entry->d_name);
		fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0)
			continue; /* a daemon's that runs */
		more = pin_remove(dir);
		if (more < 0)
			return more;
		n += more;
	}
	(void)rmdir(PIN_ROOT);
	return n;
}

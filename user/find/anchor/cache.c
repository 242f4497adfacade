/* SPDX-License-Identifier: Apache-2.0 */
#include "find/anchor/cache.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/hash.h"

/* To be changed with every change of what is searched for. */
#define VERSION 2
#define SUFFIX  ".places"

struct record {
	uint64_t version;
	uint64_t ino, size, mtime_s, mtime_ns, ctime_s, ctime_ns;
	uint64_t n_hits, n_refs;
};
_Static_assert(sizeof(struct record) + sizeof(struct cache_places) - 2 * sizeof(size_t) <=
		       CACHE_RECORD_MAX,
	       "a record fits");

static struct record record_of(const struct stat *st)
{
	return (struct record){
		.version = VERSION,
		.ino = st->st_ino,
		.size = (uint64_t)st->st_size,
		.mtime_s = (uint64_t)st->st_mtim.tv_sec,
		.mtime_ns = (uint64_t)st->st_mtim.tv_nsec,
		.ctime_s = (uint64_t)st->st_ctim.tv_sec,
		.ctime_ns = (uint64_t)st->st_ctim.tv_nsec,
	};
}

/* FNV-1a of what names the file. */
static void name_of(const struct record *record, char ret[32])
{
	uint64_t hash = hash_fnv1a(FNV1A_BASIS, record, offsetof(struct record, n_hits));

	snprintf(ret, 32, "%016llx" SUFFIX, (unsigned long long)hash);
}

static int open_folder(const char *folder, bool make)
{
	int fd;

	if (make && mkdir(folder, 0700) < 0 && errno != EEXIST)
		return -errno;
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static bool read_all(int fd, void *buf, size_t size)
{
	return read(fd, buf, size) == (ssize_t)size;
}

int cache_open(const char *folder, const struct stat *st)
{
	const struct record wanted = record_of(st);
	_cleanup_close_ int dir = open_folder(folder, false);
	char name[32];
	int fd;

	if (dir < 0)
		return dir;
	name_of(&wanted, name);
	fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	return fd < 0 ? -errno : fd;
}

int cache_load(int fd, const struct stat *st, struct cache_places *ret)
{
	struct record wanted = record_of(st), found;

	if (!read_all(fd, &found, sizeof(found)) ||
	    memcmp(&found, &wanted, offsetof(struct record, n_hits)) ||
	    found.n_hits > SCAN_HITS_MAX || found.n_refs > SCAN_REFS_MAX ||
	    !read_all(fd, ret->hits, found.n_hits * sizeof(ret->hits[0])) ||
	    !read_all(fd, ret->refs, found.n_refs * sizeof(ret->refs[0])))
		return -ENOENT;
	ret->n_hits = found.n_hits;
	ret->n_refs = found.n_refs;
	return 0;
}

static void append(struct cache_record *record, const void *bytes, size_t size)
{
	memcpy(record->bytes + record->size, bytes, size);
	record->size += size;
}

void cache_record(const struct stat *st, const struct cache_places *places, struct cache_record *ret)
{
	struct record record = record_of(st);

	record.n_hits = places->n_hits;
	record.n_refs = places->n_refs;
	ret->size = 0;
	append(ret, &record, sizeof(record));
	append(ret, places->hits, places->n_hits * sizeof(places->hits[0]));
	append(ret, places->refs, places->n_refs * sizeof(places->refs[0]));
}

/* Empties a folder that has become too full: what is still in use is found again. */
static void make_room(int dir)
{
	_cleanup_close_ int copy = dup(dir);
	DIR *entries = copy < 0 ? NULL : fdopendir(copy);
	struct dirent *entry;
	size_t n = 0;

	if (!entries)
		return;
	(void)take_fd(copy);
	while (readdir(entries))
		n++;
	rewinddir(entries);
	while (n > CACHE_FILES_MAX && (entry = readdir(entries)))
		if (strstr(entry->d_name, SUFFIX))
			(void)unlinkat(dir, entry->d_name, 0);
	closedir(entries);
}

static int write_all(int fd, const void *buf, size_t size)
{
	ssize_t n = write(fd, buf, size);

	return n < 0 ? -errno : (size_t)n == size ? 0 : -ENOSPC;
}

int cache_put(const char *folder, const struct stat *st, const void *bytes, size_t size)
{
	const struct record record = record_of(st);
	_cleanup_close_ int dir = open_folder(folder, true), fd = -1;
	char name[32], new[40];
	int err;

	if (dir < 0)
		return dir;
	make_room(dir);
	name_of(&record, name);
	snprintf(new, sizeof(new), "%s.new", name);
	fd = openat(dir, new, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return -errno;
	err = write_all(fd, bytes, size);
	if (!err && renameat(dir, new, dir, name) < 0)
		err = -errno;
	if (err)
		(void)unlinkat(dir, new, 0);
	return err;
}

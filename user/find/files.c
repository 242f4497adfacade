/* SPDX-License-Identifier: Apache-2.0 */
#include "find/files.h"

#include <errno.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "find/procs.h"

/* A generation that no file has: it holds nothing by symbols, and may hold something by anchors. */
#define NO_SYMBOLS 1

static size_t slot_of(uint64_t dev, uint64_t ino, uint64_t generation)
{
	/* Fibonacci hashing: the top 12 bits of a product with 2^64 / phi; NOES_MAX is 2^12 */
	_Static_assert(NOES_MAX == 1 << 12, "the shift below");
	return (dev * 31 + ino + (generation << 32)) * 0x9e3779b97f4a7c15ULL >> 52;
}

bool noes_has(const struct noes *noes, uint64_t dev, uint64_t ino, uint64_t generation)
{
	size_t i = slot_of(dev, ino, generation);

	return noes->slots[i].ino == ino && noes->slots[i].dev == dev &&
	       noes->slots[i].generation == generation && noes->slots[i].until_ns > clock_mono_ns();
}

void noes_add(struct noes *noes, uint64_t dev, uint64_t ino, uint64_t generation)
{
	size_t i = slot_of(dev, ino, generation);

	noes->slots[i].dev = dev;
	noes->slots[i].ino = ino;
	noes->slots[i].generation = generation;
	noes->slots[i].until_ns = clock_mono_ns() + NO_LASTS_NS;
}

struct file *files_known(const struct files *files, const struct tap_mapping *mapping)
{
	struct file wanted = { .key = { mapping->dev, mapping->ino } }, *file;

	HASH_FIND(hh, files->table, &wanted.key, sizeof(wanted.key), file);
	return file;
}

static bool has_room(const struct files *files, uint64_t tenant)
{
	uint64_t own = 0;
	struct file *file, *next;

	HASH_ITER(hh, files->table, file, next)
		own += file->tenant == tenant;
	return ctl_share_allows(own, HASH_COUNT(files->table), FILES_MAX);
}

int files_meet(struct files *files, const struct tap_mapping *mapping, enum stack_depth depth,
	       struct file **ret)
{
	_cleanup_free_ struct file *file = NULL;
	int err;

	*ret = files_known(files, mapping);
	if (*ret)
		return 0;
	file = calloc(1, sizeof(*file));
	if (!file)
		return -ENOMEM;
	file->key.dev = mapping->dev;
	file->key.ino = mapping->ino;
	if (noes_has(&files->noes, mapping->dev, mapping->ino, 0))
		return -ENOENT;
	if (depth == STACK_SYMBOLS && noes_has(&files->noes, mapping->dev, mapping->ino, NO_SYMBOLS))
		return -EAGAIN;
	file->tenant = procs_tenant(mapping->tgid);
	if (!has_room(files, file->tenant)) {
		files->n_refused++;
		return -ENOSPC;
	}
	err = look_file(files->look, mapping, depth, &file->is);
	files->n_seen++;
	if (!err && file->is.is_unfollowed) {
		files->n_unreadable++;
		log_warn("a TLS library (inode %llu, as process %u maps it) returns in ways that cannot be "
			 "followed on this kernel; its calls are estimated",
			 (unsigned long long)mapping->ino, mapping->tgid);
	}
	if (err == -EOWNERDEAD) {
		files->n_set_aside++;
		log_warn("a file (inode %llu, as process %u maps it) is set aside: the process that "
			 "looked into it %s; what calls through it is estimated",
			 (unsigned long long)mapping->ino, mapping->tgid, file->is.why);
	}
	if (err == -EAGAIN) {
		noes_add(&files->noes, mapping->dev, mapping->ino, NO_SYMBOLS);
		return err;
	}
	if (err == -ENOENT || err == -ENOEXEC || err == -EBADMSG || err == -EFBIG ||
	    err == -EOWNERDEAD) {
		noes_add(&files->noes, mapping->dev, mapping->ino, 0);
		return -ENOENT;
	}
	if (err) {
		files->n_unreadable += err != -ESRCH && err != -ESTALE && err != -ENOENT;
		return err;
	}
	HASH_ADD(hh, files->table, key, sizeof(file->key), file);
	if (!file->hh.tbl)
		return -ENOMEM;
	*ret = take(file);
	return 0;
}

void files_drop(struct files *files, struct file *file)
{
	HASH_DEL(files->table, file);
	free(file);
}

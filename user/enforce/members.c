/* SPDX-License-Identifier: Apache-2.0 */
#include "enforce/members.h"

#include <errno.h>
#include <fts.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"

struct list {
	uint32_t *tgids;
	size_t n;
};

/* proc(5), Tgid of /proc/PID/status, which is there for each thread's number, too. */
static uint32_t process_of(uint32_t tid)
{
	_cleanup_fclose_ FILE *file = NULL;
	char path[64], line[256];
	unsigned tgid = 0;

	snprintf(path, sizeof(path), "/proc/%u/status", tid);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "Tgid: %u", &tgid) == 1)
			break;
	return tgid;
}

/* 0 or -errno; -EOPNOTSUPP: cgroup.procs of a cgroup of threads (cgroup-v2.rst, "Threads"). */
static int read_list(struct list *list, const char *file, bool is_threads)
{
	_cleanup_fclose_ FILE *numbers = fopen(file, "re");
	unsigned number;

	if (!numbers)
		return -errno;
	errno = 0;
	while (list->n < MEMBERS_MAX && fscanf(numbers, "%u", &number) == 1) {
		uint32_t tgid = is_threads ? process_of(number) : number;

		if (tgid)
			list->tgids[list->n++] = tgid;
	}
	return ferror(numbers) ? -errno : 0;
}

int members_compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static size_t sort(uint32_t *tgids, size_t n)
{
	size_t kept = 0;

	qsort(tgids, n, sizeof(*tgids), members_compare);
	for (size_t i = 0; i < n; i++)
		if (!kept || tgids[kept - 1] != tgids[i])
			tgids[kept++] = tgids[i];
	return kept;
}

int members_list(const char *dir, uint32_t ret_tgids[MEMBERS_MAX])
{
	char root[PATH_MAX], file[PATH_MAX + 32], *const roots[] = { root, NULL };
	struct list list = { .tgids = ret_tgids };
	int err = access(dir, F_OK) < 0 ? -errno : 0;
	FTSENT *entry;
	FTS *tree;

	if (err)
		return err;
	snprintf(root, sizeof(root), "%s", dir);
	tree = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR | FTS_XDEV, NULL);
	if (!tree)
		return -errno;
	while ((entry = fts_read(tree))) {
		if (entry->fts_info != FTS_D)
			continue;
		snprintf(file, sizeof(file), "%s/cgroup.procs", entry->fts_path);
		if (read_list(&list, file, false) != -EOPNOTSUPP)
			continue;
		snprintf(file, sizeof(file), "%s/cgroup.threads", entry->fts_path);
		(void)read_list(&list, file, true);
	}
	fts_close(tree);
	return (int)sort(list.tgids, list.n);
}

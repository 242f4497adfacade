/* SPDX-License-Identifier: Apache-2.0 */
#include "enforce/family.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "enforce/exempt.h"
#include "enforce/members.h"
#include "who/process.h"

#define ROUNDS_MAX \
	64 /* generations below a caller; a tenant can make more, and gains a call by it */

struct listed {
	uint32_t tgid, parent;
	bool is_member;
};

struct list {
	struct listed *rows;
	size_t n;
};

/* Field 4 of stat; the command before it may hold anything, hence the last ')'. */
static uint32_t parent_of(uint32_t tgid)
{
	_cleanup_fclose_ FILE *file = NULL;
	char path[64], line[512];
	const char *behind;
	unsigned parent = 0;

	snprintf(path, sizeof(path), "/proc/%u/stat", tgid);
	file = fopen(path, "re");
	if (!file || !fgets(line, sizeof(line), file))
		return 0;
	behind = strrchr(line, ')');
	if (!behind || sscanf(behind + 1, " %*c %u", &parent) != 1)
		return 0;
	return parent;
}

/* proc(5), NSpid: its pid in each namespace, its own last. */
static bool is_init(uint32_t tgid)
{
	_cleanup_fclose_ FILE *file = NULL;
	char path[64], line[512], *last;

	snprintf(path, sizeof(path), "/proc/%u/status", tgid);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file)) {
		if (strncmp(line, "NSpid:", 6))
			continue;
		line[strcspn(line, "\n")] = '\0';
		last = strrchr(line, '\t');
		return last && !strcmp(last + 1, "1");
	}
	return false;
}

void family_name(uint32_t tgid, char ret[FAMILY_NAME_LEN])
{
	char path[64], exe[PATH_MAX], *slash;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%u/exe", tgid);
	n = readlink(path, exe, sizeof(exe) - 1);
	exe[n > 0 ? n : 0] = '\0';
	slash = strrchr(exe, '/');
	/* From a tenant's file system: it goes into rows and logs. */
	text_plain(n > 0 ? (slash ? slash + 1 : exe) : "?", ret, FAMILY_NAME_LEN);
}

/* Those of the cgroup and below it, in order. */
static void list_cgroup(struct list *list, const char *dir)
{
	uint32_t tgids[MEMBERS_MAX];
	int n = members_list(dir, tgids);

	for (int i = 0; i < n; i++)
		list->rows[list->n++] = (struct listed){ tgids[i], parent_of(tgids[i]), false };
}

static int by_tgid(const void *a, const void *b)
{
	const struct listed *x = a, *y = b;

	return (x->tgid > y->tgid) - (x->tgid < y->tgid);
}

static struct listed *find(const struct list *list, uint32_t tgid)
{
	const struct listed key = { .tgid = tgid };

	return bsearch(&key, list->rows, list->n, sizeof(key), by_tgid);
}

static bool is_known(const struct family *family, uint32_t tgid, uint64_t start_ticks)
{
	for (size_t i = 0; i < family->n; i++)
		if (family->members[i].tgid == tgid && family->members[i].start_ticks == start_ticks)
			return true;
	return false;
}

static void spare(struct family *family, uint32_t tgid)
{
	struct family_member member = { .tgid = tgid };

	family_name(tgid, member.exe);
	if (family->n_spared < FAMILY_SPARED)
		family->spared[family->n_spared] = member;
	family->n_spared++;
}

/* Not one that has ended, is there already, or may not be touched. */
static void join(struct family *family, const char *cgroup_root, uint32_t tgid, bool is_caller)
{
	struct family_member member = { .tgid = tgid, .start_ticks = process_start_time(tgid) };
	char buf[256];

	if (!member.start_ticks || is_known(family, tgid, member.start_ticks) ||
	    family->n == FAMILY_MAX)
		return;
	/* The caller was asked about before the step was taken. */
	if (!is_caller && exempt_process(cgroup_root, family->group.path, tgid, buf, sizeof(buf))) {
		spare(family, tgid);
		return;
	}
	family_name(tgid, member.exe);
	family->members[family->n++] = member;
}

/* From the top: a supervisor that still runs would begin again what ends below it. */
static void join_ancestors(struct family *family, const char *cgroup_root, struct list *list,
			   const struct listed *child, unsigned depth)
{
	struct listed *parent = find(list, child->parent);

	if (!parent || parent->is_member || depth == FAMILY_MAX || is_init(parent->tgid))
		return;
	parent->is_member = true;
	join_ancestors(family, cgroup_root, list, parent, depth + 1);
	join(family, cgroup_root, parent->tgid, false);
}

/* What descends from the caller: a round a generation. */
static void join_descendants(struct family *family, const char *cgroup_root, struct list *list,
			     uint32_t caller)
{
	bool is_child[MEMBERS_MAX + 1] = { false }, has_more = true;

	for (unsigned round = 0; has_more && round < ROUNDS_MAX; round++) {
		has_more = false;
		for (size_t i = 0; i < list->n; i++) {
			const struct listed *parent = find(list, list->rows[i].parent);
			bool descends = list->rows[i].parent == caller ||
					(parent && is_child[parent - list->rows]);

			if (is_child[i] || list->rows[i].tgid == caller || !descends)
				continue;
			is_child[i] = list->rows[i].is_member = has_more = true;
			join(family, cgroup_root, list->rows[i].tgid, false);
		}
	}
}

int family_find(struct family *family, const char *cgroup_root, uint32_t caller)
{
	_cleanup_free_ struct listed *rows = calloc(MEMBERS_MAX + 1, sizeof(*rows));
	struct list list = { .rows = rows };
	struct listed *self;
	char dir[PATH_MAX];

	if (!rows)
		return -ENOMEM;
	if (!process_start_time(caller))
		return -ESRCH;
	snprintf(dir, sizeof(dir), "%s%s", cgroup_root, family->group.path);
	list_cgroup(&list, dir);
	self = find(&list, caller);
	if (!self) { /* it has moved */
		list.rows[list.n++] = (struct listed){ caller, parent_of(caller), false };
		qsort(list.rows, list.n, sizeof(*list.rows), by_tgid);
		self = find(&list, caller);
	}
	self->is_member = true;
	family->n_spared = 0;
	if (!is_init(caller))
		join_ancestors(family, cgroup_root, &list, self, 0);
	join(family, cgroup_root, caller, true);
	join_descendants(family, cgroup_root, &list, caller);
	for (size_t i = 0; i < list.n; i++)
		if (!list.rows[i].is_member)
			spare(family, list.rows[i].tgid);
	return 0;
}

static size_t add_names(const struct family_member *members, size_t n, size_t shown, char *buf,
			size_t size)
{
	size_t len = 0;

	for (size_t i = 0; i < n && i < shown && len < size; i++)
		len += (size_t)snprintf(buf + len, size - len, "%s%s (%u)", i ? ", " : "",
					members[i].exe, members[i].tgid);
	if (n > shown && len < size)
		len += (size_t)snprintf(buf + len, size - len, " and %zu more", n - shown);
	return len < size ? len : size - 1;
}

char *family_text(const struct family *family, char *buf, size_t size)
{
	static const char between[] = "; spared: ";
	size_t len = add_names(family->members, family->n, 2 * FAMILY_SPARED, buf, size);

	if (!family->n_spared || size - len <= sizeof(between))
		return buf;
	strcpy(buf + len, between);
	len += sizeof(between) - 1;
	(void)add_names(family->spared, family->n_spared, FAMILY_SPARED, buf + len, size - len);
	return buf;
}

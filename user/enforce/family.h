/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whom a kill of a cgroup ends, unless it ends the whole: the caller, what it began, and what began it as far
 * as it lives in the same cgroup, since a supervisor would only begin it again. The init of a
 * container is spared unless it is the caller itself: with it everything in the container would end.
 */
#ifndef ENFORCE_FAMILY_H
#define ENFORCE_FAMILY_H

#include <stddef.h>
#include <stdint.h>

#include "who/who.h"

#define FAMILY_MAX      128 /* members; what is beyond lives on, and is caught with its next call */
#define FAMILY_SPARED   8   /* that are named; the others are counted */
#define FAMILY_NAME_LEN 32

struct family_member {
	uint32_t tgid;
	uint64_t start_ticks;      /* process_start_time() */
	char exe[FAMILY_NAME_LEN]; /* the last part of its path; never its arguments */
};

struct family {
	struct who_group group; /* the cgroup */
	struct family_member members[FAMILY_MAX], spared[FAMILY_SPARED];
	size_t n, n_spared; /* n_spared: all, also those that are not named */
};

/*
 * Fills members, those that began others first, and spared, from cgroup.procs and proc(5) as they are now;
 * members that are there already stay. What exempt.h protects is spared. cgroup_root: where cgroup v2 is
 * mounted. 0, -ENOMEM, or -ESRCH: the caller is gone, and nothing was added.
 */
int family_find(struct family *family, const char *cgroup_root, uint32_t caller);

/* The last part of its executable's path, as far as it may be shown; "?": it is gone. */
void family_name(uint32_t tgid, char ret[FAMILY_NAME_LEN]);

/* "python3 (12), sh (10); spared: tini (1)", cut to size. Returns buf. */
char *family_text(const struct family *family, char *buf, size_t size);

#endif

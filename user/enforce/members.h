/* SPDX-License-Identifier: Apache-2.0 */
/* The processes of a cgroup and of those below it. */
#ifndef ENFORCE_MEMBERS_H
#define ENFORCE_MEMBERS_H

#include <stddef.h>
#include <stdint.h>

#define MEMBERS_MAX 4096 /* of a cgroup and below; what is beyond is met again with its next call */

/*
 * Fills ret_tgids, in order and each once, with those that have a thread in the cgroup whose directory is `dir`
 * or below it; zombies are none. A cgroup of threads (cgroup.type "threaded") lists no processes, so its
 * threads' are taken. Returns how many, MEMBERS_MAX at most, or -errno: -ENOENT: there is no such cgroup.
 */
int members_list(const char *dir, uint32_t ret_tgids[MEMBERS_MAX]);
/* The order of that list, for bsearch(3). */
int members_compare(const void *a, const void *b);

#endif

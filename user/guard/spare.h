/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is never killed, whatever a rule says: pid 1, this process, kernel threads, and what a host
 * needs to stay a node and be reached. Names are those of executables: a process may call itself
 * what it likes, and one that copied its binary to "sshd" is spared, too, which is the safe side.
 */
#ifndef GUARD_SPARE_H
#define GUARD_SPARE_H

#include <stddef.h>
#include <stdint.h>

/* NULL: it may be killed. Else why not, in a word or two, in buf. A process that is gone may. */
const char *spare_process(uint32_t tgid, char *buf, size_t size);
/* The same of a whole cgroup: it is the root, or this process or one that is spared lives in it. */
const char *spare_group(const char *cgroup_root, const char *path, char *buf, size_t size);

/*
 * When a process started, in clock ticks since boot: with its pid, a name that is never used
 * again. 0: it is gone, or a zombie.
 */
uint64_t spare_start_time(uint32_t tgid);

#endif

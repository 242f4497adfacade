/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stops the processes of a cgroup, or resumes them: cgroup.freeze of v2 (Linux 5.2); on a
 * hybrid host with an older kernel the v1 freezer, where the cgroup's first process lives in it.
 */
#ifndef ENFORCE_FREEZER_H
#define ENFORCE_FREEZER_H

#include <stdbool.h>
#include <stdint.h>

/* How often the processes of a cgroup are signalled again while they fork. */
#define FREEZER_PASSES 4

/*
 * dir: of the cgroup, below the v2 mount. The freeze is asked for and happens within milliseconds
 * (cgroup-v2.rst: cgroup.events shows it). 0 or -errno; -ENOENT: no such cgroup; -EOPNOTSUPP: neither
 * freezer is there, or the v1 one holds all processes in its root.
 */
int freezer_set(const char *dir, bool frozen);
/* Does all of it stand, or is nobody there? */
bool freezer_is_frozen(const char *dir);

/*
 * Sends a signal to each process of a cgroup and below, except this one. SIGSTOP and SIGKILL go round until
 * a pass finds none that runs, FREEZER_PASSES at most, for what forks meanwhile. 0, or the first
 * -errno that is not "gone".
 */
int freezer_signal(const char *dir, int signal);

/* Signals one process; start_ticks (process_start_time(), 0: any) says which of those with its pid. */
int freezer_signal_process(uint32_t tgid, uint64_t start_ticks, int signal);

#endif

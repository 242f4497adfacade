/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A small process that outlives the daemon for a moment: when the daemon dies in whatever way, it
 * lets go what the daemon had made to stand still. A gate is a lease and ends by itself; a stopped
 * process and a frozen cgroup do not. It holds no descriptor but its end of the socket (no BPF
 * link lives on in it) and ends with its list empty.
 */
#ifndef ENFORCE_WATCHDOG_H
#define ENFORCE_WATCHDOG_H

#include <stdbool.h>
#include <stdint.h>

struct watchdog;

#define WATCHDOG_MAX 8192 /* halts that are remembered; about 4 kB each, in the child */

/* Forks; to be called while the process has one thread. 0 or -errno. */
int watchdog_new(struct watchdog **ret);
/* Tells the child that the daemon ended, waits for it. */
struct watchdog *watchdog_free(struct watchdog *watchdog);

/* What stands from now on, or no longer does. 0 or -errno: then it must not be made to stand. */
int watchdog_process(struct watchdog *watchdog, bool stands, uint32_t tgid, uint64_t start_ticks);
int watchdog_cgroup(struct watchdog *watchdog, bool stands, bool is_frozen, const char *dir);

#endif

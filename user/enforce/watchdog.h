/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A small process that outlives the daemon for a moment: when the daemon dies in whatever way, it
 * resumes what the daemon had stopped. A gate is a lease and ends by itself; a stopped
 * process and a frozen cgroup do not. It holds no descriptor but its end of the socket (no BPF
 * link lives on in it) and ends with its list empty.
 */
#ifndef ENFORCE_WATCHDOG_H
#define ENFORCE_WATCHDOG_H

#include <stdbool.h>
#include <stdint.h>

struct watchdog;

#define WATCHDOG_MAX 8192 /* targets that are remembered; about 4 kB each, in the child */

/* Forks; to be called while the process has one thread. 0 or -errno. */
int watchdog_new(struct watchdog **ret);
/* Ends the child, which resumes what is still listed, and waits for it. */
struct watchdog *watchdog_free(struct watchdog *watchdog);

/* Lists a target that is about to be stopped, or no longer is. 0 or -errno: then it must not be stopped. */
int watchdog_process(struct watchdog *watchdog, bool is_halted, uint32_t tgid, uint64_t start_ticks);
int watchdog_cgroup(struct watchdog *watchdog, bool is_halted, bool is_frozen, const char *dir);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* A pid becomes a command, an executable and a user. What was learned outlives the process. */
#ifndef WHO_PROCESS_H
#define WHO_PROCESS_H

#include <stdbool.h>

#include "who/who.h"

#define PROCESSES_MAX      8192          /* least recently used goes first; 0.4 kB each */
#define PROCESSES_FRESH_NS 1000000000ULL /* for so long a pid is taken for the same process */

struct processes;

/* NULL: no memory. */
struct processes *processes_new(void);
struct processes *processes_free(struct processes *processes);

/* As who_process_get(); valid until the next call. */
const struct who_process *processes_find(struct processes *processes, uint32_t tgid,
					 const char *comm, uid_t uid);
void processes_forget(struct processes *processes, uint32_t tgid);

/*
 * When a process started, in clock ticks since boot (proc(5), field 22 of stat): together with the
 * pid, a name that is never used again. 0: it is gone, or all of its threads are zombies.
 */
uint64_t process_start_time(uint32_t tgid);
/* None of its threads runs: each is stopped or has ended. Also true of one that is gone. */
bool process_is_stopped(uint32_t tgid);

#endif

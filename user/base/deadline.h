/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Work that may block in the kernel for as long as somebody else likes: reading a file on a hung mount,
 * the command line of a process whose pages do not come. It runs in a thread that is left behind when it
 * takes too long.
 */
#ifndef BASE_DEADLINE_H
#define BASE_DEADLINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct deadline;

/* Embedded at the start of what `run` needs, which is on the heap. */
struct deadline_work {
	/* In a thread of its own. It shares nothing with its caller but this struct. */
	void (*run)(struct deadline_work *work);
	/* Frees the work, with what `run` left in it, after it was given up. In that thread, too. */
	void (*free)(struct deadline_work *work);
	/* CPU time that others have used for it until now; asked while it runs. NULL: nobody. */
	uint64_t (*used_ns)(const struct deadline_work *work);
};

/* Threads that are left behind at most; with as many, everything is given up at once. */
#define DEADLINE_LEFT_MAX 64

/*
 * `stall_ns`: for how long a work may stand still, which is when it takes less than a hundredth of a CPU; `wait_ns`:
 * how long it may take in all. NULL: no memory.
 */
struct deadline *deadline_new(uint64_t stall_ns, uint64_t wait_ns);
/* Gives up what runs. NULL is nothing; returns NULL. */
struct deadline *deadline_free(struct deadline *deadline);

/*
 * Runs the work and waits for it. One caller at a time. 0: it ran, and is the caller's again. Else it is no
 * longer the caller's: -ETIMEDOUT: it takes too long, and *ret_ticket is the number of the thread that was left
 * behind, never 0; -EINTR: it was given up before a thread came round to it, as on a busy machine; -ECANCELED:
 * deadline_cancel(); -EBUSY: DEADLINE_LEFT_MAX; -errno: no thread was to be had. `deadline` NULL: runs in the
 * caller's thread, as tests do.
 */
int deadline_run(struct deadline *deadline, struct deadline_work *work, uint64_t *ret_ticket);

/*
 * A thread that was left behind and has ended its work since, each once: its number, and how long the work took
 * in all. False: none. Until it is asked for, it counts as left behind.
 */
bool deadline_ended(struct deadline *deadline, uint64_t *ret_ticket, uint64_t *ret_took_ns);
/* Readable while deadline_ended() has something to tell. The deadline's. */
int deadline_ended_fd(const struct deadline *deadline);

/* From another thread: whoever waits in deadline_run() gives up, now and from now on. */
void deadline_cancel(struct deadline *deadline);

struct deadline_stats {
	uint64_t given_up; /* ever */
	size_t left;       /* threads that are still left behind, and work */
};
void deadline_stats(struct deadline *deadline, struct deadline_stats *ret);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The event loop: file descriptors, timers and signals over epoll, one thread. Callbacks run in
 * the order of the kernel's readiness list; a callback may remove its own source or any other.
 */
#ifndef BASE_LOOP_H
#define BASE_LOOP_H

#include <stdbool.h>
#include <stdint.h>

struct loop;
struct loop_source;

typedef void (*loop_fn)(void *arg);

/* 0 or -errno. */
int loop_new(struct loop **ret);
struct loop *loop_free(struct loop *loop);

/* Calls fn(arg) while fd is readable. The fd stays the caller's. 0 or -errno. */
int loop_add_fd(struct loop *loop, int fd, loop_fn fn, void *arg, struct loop_source **ret);
/* From now on an fd's fn is called while it is ready for these (LOOP_READ | LOOP_WRITE; a hang-up
 * and an error always call). 0 or -errno. */
enum { LOOP_READ = 1, LOOP_WRITE = 2 };
int loop_watch(struct loop_source *source, unsigned int what);
/* Calls fn(arg) each period_ns (CLOCK_MONOTONIC), first after one period; 0: when armed. 0 or -errno. */
int loop_add_timer(struct loop *loop, uint64_t period_ns, loop_fn fn, void *arg,
		   struct loop_source **ret);
/* Fires a timer source once, after_ns from now, instead of its period; 0 stops it. 0 or -errno. */
int loop_arm(struct loop_source *source, uint64_t after_ns);
/* The same unless it is armed to fire before that. NULL: nothing. */
void loop_soon(struct loop_source *source, uint64_t after_ns);
/* Blocks the signal and calls fn(arg) when it comes. 0 or -errno. */
int loop_add_signal(struct loop *loop, int signal, loop_fn fn, void *arg, struct loop_source **ret);
struct loop_source *loop_remove(struct loop_source *source);

/*
 * Since when the loop has been busy with what was ready (CLOCK_MONOTONIC); 0: it waits. For threads that
 * stand in for it while it is late.
 */
uint64_t loop_busy_since(const struct loop *loop);
/* Turns that took longer than LOOP_LATE_NS, and the longest of all: everything else waited for it. */
#define LOOP_LATE_NS 1000000000ULL
struct loop_stats {
	uint64_t late, longest_ns;
};
void loop_stats(const struct loop *loop, struct loop_stats *ret);
/* Calls fn(arg) after each such turn. */
void loop_on_late(struct loop *loop, loop_fn fn, void *arg);
/* Calls fn(arg) as each turn begins, before whatever is ready. */
void loop_on_turn(struct loop *loop, loop_fn fn, void *arg);

/* Runs until loop_stop(); 0 or -errno of epoll_wait. */
int loop_run(struct loop *loop);
void loop_stop(struct loop *loop);

#endif

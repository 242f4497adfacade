/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What waits to be looked at, in a lane for each tenant. The lane that has cost the least CPU time is next
 * (start-time fair queueing), so that a tenant who starts 500 programs a second waits for itself and a
 * neighbour's first call does not. Greetings, for which a connection waits, go before all else.
 */
#ifndef FIND_LANES_H
#define FIND_LANES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LANES_MAX       1024 /* tenants that have something waiting; beyond that they share one lane */
#define LANES_TASKS_MAX 256 /* of one lane */

struct lanes;

enum lanes_kind {
	LANES_GREETED, /* `tgid` greets an AI host; `socket` waits for its probes, 0: none does */
	LANES_FORKED,  /* `tgid` was forked by `parent` */
	LANES_GONE,    /* `tgid` ended, or replaced its image */
	LANES_MAPPED,  /* `tgid` mapped a file at `addr` */
	LANES_SPEAKS,  /* `tgid`, which was thought to be behind a relay, calls */
};

struct lanes_task {
	enum lanes_kind kind;
	uint32_t tgid, parent;
	uint64_t tenant; /* a cgroup's id; 0: not known */
	uint64_t socket, addr;
	uint64_t dev, ino, generation; /* of the file, as map_events has them */
};

/* NULL: no memory. */
struct lanes *lanes_new(void);
struct lanes *lanes_free(struct lanes *lanes);

/* 0; -ENOSPC: the tenant's lane is full; -ENOMEM. */
int lanes_put(struct lanes *lanes, const struct lanes_task *task);
/* The next; of greetings alone, if so asked. False: nothing waits. */
bool lanes_take(struct lanes *lanes, bool greetings_only, struct lanes_task *ret);
/* The task that was taken last took so much CPU time. */
void lanes_charge(struct lanes *lanes, uint64_t cpu_ns);

/* Tasks that wait. */
size_t lanes_count(const struct lanes *lanes);

#endif

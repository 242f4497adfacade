/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Looks that got stuck, and whose they are. Each keeps a thread until the mount or the process that it waits for
 * lets go of it, so a cgroup has one at most, and so have all that one tenant made a few, or the threads
 * (base/deadline.h) would be used up and nobody's programs looked at. Times are CLOCK_MONOTONIC.
 */
#ifndef FIND_BLAME_H
#define FIND_BLAME_H

#include <stdbool.h>
#include <stdint.h>

struct blame;

/* Cgroup ids (procs_cgroup(), procs_tenant()); 0: not known, or a look at all processes at once. */
struct blame_who {
	uint64_t cgroup, tenant;
};

/* Stuck looks of a tenant's cgroups at once: a sixteenth of what there may be. */
#define BLAME_TENANT_MAX 4
/* A look that came back within this was slow and not stuck: a cold disk, not a mount that hangs. */
#define BLAME_SLOW_NS 5000000000ULL
/* Of slow looks a cgroup may have as many in a minute; each takes 0.4 s of the search. */
#define BLAME_SLOW_MAX 8
/* How long a cgroup is left alone after the end of its first stuck look; twice as long for each further one. */
#define BLAME_NS     60000000000ULL
#define BLAME_MAX_NS 3600000000000ULL

/* NULL: no memory. */
struct blame *blame_new(void);
struct blame *blame_free(struct blame *blame);

/* False: blame_verdict() would find nothing about anybody. */
bool blame_has_any(const struct blame *blame);
enum blame_verdict {
	BLAME_NONE,  /* it may be looked at */
	BLAME_RESTS, /* a look at its cgroup is stuck, or was until lately */
	BLAME_TENANT /* BLAME_TENANT_MAX looks at its tenant's other cgroups are stuck */
};
enum blame_verdict blame_verdict(const struct blame *blame, struct blame_who who, uint64_t now_ns);

/* A look at process `tgid` (0: at all) was given up after LOOK_STALL_NS. `ticket`: deadline_run()'s. */
void blame_stuck(struct blame *blame, uint64_t ticket, struct blame_who who, uint32_t tgid,
		 uint64_t now_ns);
/* It has ended after all. True: it was only slow, and whoever it was for can be looked at again. */
bool blame_ended(struct blame *blame, uint64_t ticket, uint64_t took_ns, uint64_t now_ns);
/* Logs each that has been stuck for BLAME_SLOW_NS, once. In how long there may be one more to log; 0: none. */
uint64_t blame_tell(struct blame *blame, uint64_t now_ns);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls that a gateway passes on (docs/design/073). Where both are measured, the caller's to the gateway and the gateway's
 * own to the provider, the ids of their answers tell that they are one: it is charged once, to the caller, as the provider's.
 * The gateway's ends first, and waits until its caller's has ended, too.
 */
#ifndef PIPELINE_LEGS_H
#define PIPELINE_LEGS_H

#include "pipeline/connections.h"

struct legs;

/* Calls that wait at once, of which a cgroup may have as many as are free beside them; 2.3 kB each. */
#define LEGS_MAX 1024
/* A gateway writes what it has read within milliseconds, unless it checks the whole answer first. */
#define LEGS_WAIT_NS 2000000000ULL
/* Calls that were charged lately, of which the other half may come yet: too late, or before its time. */
#define LEGS_CHARGED    1024
#define LEGS_CHARGED_NS 30000000000ULL
/* A call begins when its first write has returned, before which others may have run for as long. */
#define LEGS_SLACK_NS 20000000ULL
/* Processes of which is known whether they pass calls on. */
#define LEGS_PROCESSES 256
/* Whose calls were waited with so often in vain, passes none on. */
#define LEGS_IN_VAIN 8

/* NULL: no memory. */
struct legs *legs_new(void);
struct legs *legs_free(struct legs *legs); /* those that wait are not charged */

/* A call is over. False: it is to be charged now, by the caller; else it waits, or is a part of another. */
bool pipeline_leg(struct pipeline *pipeline, const struct connections_caller *caller,
		  const struct charge *charge);

/* Charges the calls that have waited for LEGS_WAIT_NS at now_ns (CLOCK_MONOTONIC). */
void pipeline_legs_expire(struct pipeline *pipeline, uint64_t now_ns);

struct legs_stats {
	uint64_t joined; /* two calls that were charged as one */
	uint64_t alone;  /* calls to a gateway whose own call, if it made one, was not recognised */
};
void legs_stats(const struct legs *legs, struct legs_stats *ret);

#endif

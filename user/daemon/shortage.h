/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who found no place in a table that tenants share: told by the log as it happens and by `aigress check`, since
 * what was not looked at is charged by its size only.
 */
#ifndef DAEMON_SHORTAGE_H
#define DAEMON_SHORTAGE_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

/* Between two lines about the same table. */
#define SHORTAGE_AGAIN_NS 600000000000ULL

#define SHORTAGES 7
/* What the log was told; zeros at first. */
struct shortage_told {
	uint64_t n[SHORTAGES];
	uint64_t at_ns[SHORTAGES]; /* CLOCK_MONOTONIC */
};

/* Logs what has grown. `health`: of snapshot_health(). */
void shortage_log(struct shortage_told *told, const json_t *health, uint64_t now_ns);
/* Calls fn for each that is not zero: how many, and a sentence that goes on from there. */
void shortage_each(const json_t *health, void (*fn)(void *arg, uint64_t n, const char *what),
		   void *arg);

#endif

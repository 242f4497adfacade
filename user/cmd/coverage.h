/* SPDX-License-Identifier: Apache-2.0 */
/* The part of `aigress check` that says how much of the AI traffic is read, and why the rest is not. */
#ifndef CMD_COVERAGE_H
#define CMD_COVERAGE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/*
 * Prints the daemon's facts "coverage" and "estimates" (either may be NULL). `library` says of a process
 * that still runs which TLS library it has and what prevents reading it; false: unknown.
 */
void coverage_print(json_t *coverage, json_t *estimates,
		    bool (*library)(void *arg, json_int_t pid, char *ret, size_t size), void *arg);

#endif

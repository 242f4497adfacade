/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which programs are remembered: those that have greeted an AI host, whose next processes are probed from their start;
 * relays through which others have called; and those that were taken for such others and were none, which are left alone
 * for a while.
 */
#ifndef FIND_STICKY_H
#define FIND_STICKY_H

#include <stdbool.h>
#include <stdint.h>

#include "find/look.h"

#define STICKY_MAX 1024 /* executables in cgroups, and as many programs */
/* That a program does not call through a relay may change with what it is told to do. */
#define STICKY_WRONG_NS (600 * NS_PER_S)

/* All zero is an empty one. Direct-mapped: a new one takes the place of a colliding one. */
struct sticky {
	uint64_t places[STICKY_MAX], programs[STICKY_MAX];
	uint64_t relays[STICKY_MAX];
	uint64_t wrong[STICKY_MAX], wrong_until_ns[STICKY_MAX];
};

/* Whether the process runs a program that has greeted, or an executable that has in its cgroup. */
bool sticky_has(const struct sticky *sticky, struct look *look, uint32_t tgid);
/* The process has greeted, from this cgroup. */
void sticky_add(struct sticky *sticky, struct look *look, uint32_t tgid, uint64_t cgroup);

/* A program in a cgroup, also in the root one. 0: not known. */
uint64_t sticky_place(struct look *look, uint32_t tgid);
/* Others have called through it: a relay. */
void sticky_set_relay(struct sticky *sticky, uint64_t place);
bool sticky_is_relay(const struct sticky *sticky, uint64_t place);
/* It was taken for a caller behind a relay and has not called; true for STICKY_WRONG_NS. */
void sticky_set_wrong(struct sticky *sticky, uint64_t place);
bool sticky_is_wrong(const struct sticky *sticky, uint64_t place);

#endif

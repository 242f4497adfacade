/* SPDX-License-Identifier: Apache-2.0 */
#include "find/sticky.h"

#include "base/clock.h"

#define GOLDEN 0x9e3779b97f4a7c15ULL

static size_t slot_of(uint64_t value)
{
	return value * GOLDEN >> 54;
}
_Static_assert(STICKY_MAX == 1 << 10, "the shift above");

/*
 * An executable in a cgroup: its neighbours there, which run something else, are not meant. The
 * root cgroup (inode 1 of the v2 mount) holds whoever was never put anywhere and is no group.
 */
static uint64_t place_of(const struct look_process *process, uint64_t cgroup)
{
	return cgroup > 1 && process->executable ? process->executable ^ cgroup * GOLDEN : 0;
}

bool sticky_has(const struct sticky *sticky, struct look *look, uint32_t tgid)
{
	struct look_process process;
	uint64_t place;

	if (look_process(look, tgid, &process))
		return false;
	place = place_of(&process, process.cgroup);
	if (place && sticky->places[slot_of(place)] == place)
		return true;
	return process.program && sticky->programs[slot_of(process.program)] == process.program;
}

void sticky_add(struct sticky *sticky, struct look *look, uint32_t tgid, uint64_t cgroup)
{
	struct look_process process;
	uint64_t place;

	if (look_process(look, tgid, &process))
		return;
	place = place_of(&process, cgroup);
	if (place)
		sticky->places[slot_of(place)] = place;
	if (process.program)
		sticky->programs[slot_of(process.program)] = process.program;
}

uint64_t sticky_place(struct look *look, uint32_t tgid)
{
	struct look_process process;

	if (look_process(look, tgid, &process) || !process.program)
		return 0;
	return process.program ^ process.cgroup * GOLDEN;
}

void sticky_set_relay(struct sticky *sticky, uint64_t place)
{
	sticky->relays[slot_of(place)] = place;
}

bool sticky_is_relay(const struct sticky *sticky, uint64_t place)
{
	return place && sticky->relays[slot_of(place)] == place;
}

void sticky_set_wrong(struct sticky *sticky, uint64_t place)
{
	sticky->wrong[slot_of(place)] = place;
	sticky->wrong_until_ns[slot_of(place)] = clock_mono_ns() + STICKY_WRONG_NS;
}

bool sticky_is_wrong(const struct sticky *sticky, uint64_t place)
{
	size_t slot = slot_of(place);

	return place && sticky->wrong[slot] == place &&
	       clock_mono_ns() < sticky->wrong_until_ns[slot];
}

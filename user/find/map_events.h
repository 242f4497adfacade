/* SPDX-License-Identifier: Apache-2.0 */
/*
 * News of executable mappings and of forks on the whole host, from the kernel's own records (perf
 * MMAP2 and FORK, one small ring a CPU): a library opened late is seen as it is mapped.
 */
#ifndef FIND_MAP_EVENTS_H
#define FIND_MAP_EVENTS_H

#include <stdint.h>

#define NEWS_PAGES    32 /* of one ring; a power of two. An exec of curl makes some 40 records */
#define NEWS_CPUS_MAX 1024
/*
 * After a record was read nothing is for so long, and twice as long each time that there was more, or
 * that the last burst is not long over: a host that starts programs all day wakes the daemon 250 times
 * a second at most.
 */
#define NEWS_PAUSE_NS     2000000ULL
#define NEWS_PAUSE_MAX_NS 8000000ULL
#define NEWS_BURST_NS     100000000ULL

struct loop;
struct map_events;

struct map_events_map {
	uint32_t tgid;
	uint64_t addr, len;
	uint64_t dev, ino, generation; /* of the file, to be compared with other events only */
};

struct map_events_calls {
	void (*mapped)(void *arg, const struct map_events_map *map);
	void (*forked)(void *arg, uint32_t parent, uint32_t child); /* a process, not a thread */
	void (*lost)(void *arg, uint64_t records);
	void (*read)(void *arg); /* called after the others when any events were read, even if only of an exit */
	void *arg;
};

/*
 * Opens the rings and reads them on the loop. CPUs that come online later are not listened to.
 * 0 or -errno; -EACCES or -EPERM: no CAP_PERFMON, or perf_event_paranoid forbids it.
 */
int map_events_new(struct map_events **ret, struct loop *loop, const struct map_events_calls *calls);
struct map_events *map_events_free(struct map_events *map_events);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#include "find/map_events.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/loop.h"

struct ring {
	int fd;
	struct perf_event_mmap_page *page;
};

struct map_events {
	struct map_events_calls calls;
	struct loop_source *source, *timer;
	int epoll; /* of the rings' fds: so one call stops listening to all of them */
	uint64_t pause_ns, quiet_ns; /* quiet_ns: when the last burst was over */
	size_t page_bytes;
	size_t n_rings;
	struct ring rings[];
};

/* The heads of the records that are read, as perf_event_open(2) lays them out. */
union record {
	struct perf_event_header header;
	struct {
		struct perf_event_header header;
		uint32_t pid, tid;
		uint64_t addr, len, pgoff;
		uint32_t major, minor;
		uint64_t ino, generation;
	} mmap2;
	struct {
		struct perf_event_header header;
		uint32_t pid, ppid, tid, ptid;
	} fork;
	struct {
		struct perf_event_header header;
		uint64_t id, lost;
	} lost;
};

static void handle(const struct map_events *map_events, const union record *record)
{
	const struct map_events_calls *calls = &map_events->calls;

	switch (record->header.type) {
	case PERF_RECORD_MMAP2:
		/* a build id may stand in the inode's place; it was not asked for */
		if (record->header.misc & PERF_RECORD_MISC_MMAP_BUILD_ID || !record->mmap2.ino)
			break;
		calls->mapped(calls->arg,
			      &(struct map_events_map){
				      .tgid = record->mmap2.pid,
				      .addr = record->mmap2.addr,
				      .len = record->mmap2.len,
				      .dev = makedev(record->mmap2.major, record->mmap2.minor),
				      .ino = record->mmap2.ino,
				      .generation = record->mmap2.generation,
			      });
		break;
	case PERF_RECORD_FORK:
		if (record->fork.pid != record->fork.ppid && record->fork.pid == record->fork.tid)
			calls->forked(calls->arg, record->fork.ppid, record->fork.pid);
		break;
	case PERF_RECORD_LOST:
		calls->lost(calls->arg, record->lost.lost);
		break;
	}
}

/* False: there was nothing. */
static bool drain(const struct map_events *map_events, struct ring *ring)
{
	const uint64_t size = NEWS_PAGES * map_events->page_bytes;
	const uint8_t *data = (const uint8_t *)ring->page + map_events->page_bytes;
	uint64_t head = __atomic_load_n(&ring->page->data_head, __ATOMIC_ACQUIRE);
	uint64_t tail = ring->page->data_tail;

	if (tail == head)
		return false;
	while (tail < head) {
		union record record = {};
		struct perf_event_header header;
		size_t size_of;

		/* records are multiples of 8 bytes, as the ring is: the header never wraps */
		memcpy(&header, data + tail % size, sizeof(header));
		if (header.size < sizeof(header))
			break;
		size_of = header.size < sizeof(record) ? header.size : sizeof(record);
		for (size_t i = 0; i < size_of; i++)
			((uint8_t *)&record)[i] = data[(tail + i) % size];
		tail += header.size;
		handle(map_events, &record);
	}
	__atomic_store_n(&ring->page->data_tail, head, __ATOMIC_RELEASE);
	return true;
}

/*
 * Reads all rings, by comparing their heads: a perf event stops being ready as soon as it was polled, and a
 * nested epoll polls it more often than it reports to us.
 */
static bool drain_all(struct map_events *map_events)
{
	bool any = false;

	for (size_t i = 0; i < map_events->n_rings; i++)
		any |= drain(map_events, &map_events->rings[i]);
	if (any)
		map_events->calls.read(map_events->calls.arg);
	return any;
}

static void lengthen(struct map_events *map_events)
{
	if (map_events->pause_ns < NEWS_PAUSE_MAX_NS)
		map_events->pause_ns *= 2;
}

/*
 * The first record of a burst is read at once, and what follows it, a few times together: an exec
 * makes 5 to 40 records within milliseconds, and a wake-up costs more than all of its records.
 */
static void on_ready(void *arg)
{
	struct map_events *map_events = arg;

	(void)drain_all(map_events);
	if (clock_mono_ns() - map_events->quiet_ns > NEWS_BURST_NS)
		map_events->pause_ns = NEWS_PAUSE_NS;
	else
		lengthen(map_events);
	if (!loop_watch(map_events->source, 0))
		(void)loop_arm(map_events->timer, map_events->pause_ns);
}

static void on_timer(void *arg)
{
	struct map_events *map_events = arg;

	if (drain_all(map_events)) {
		lengthen(map_events);
		(void)loop_arm(map_events->timer, map_events->pause_ns);
		return;
	}
	map_events->quiet_ns = clock_mono_ns();
	(void)loop_watch(map_events->source, LOOP_READ);
	/* the readiness of events that arrived in between was lost when the watch began */
	if (drain_all(map_events))
		on_ready(map_events);
}

static int open_ring(struct map_events *map_events, int cpu)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.config = PERF_COUNT_SW_DUMMY,
		.size = sizeof(attr),
		.mmap = 1, /* executable mappings only: mmap_data is 0 */
		.mmap2 = 1,
		.task = 1,
		.watermark = 1, /* ready with each record: a greeting follows within milliseconds */
		.wakeup_watermark = 1,
	};
	struct ring *ring = &map_events->rings[map_events->n_rings];
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = ring };
	void *page;
	int err;

	ring->fd = (int)syscall(SYS_perf_event_open, &attr, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);
	if (ring->fd < 0)
		return -errno;
	page = mmap(NULL, (NEWS_PAGES + 1) * map_events->page_bytes, PROT_READ | PROT_WRITE,
		    MAP_SHARED, ring->fd, 0);
	if (page == MAP_FAILED) {
		err = -errno;
		close(ring->fd);
		return err;
	}
	ring->page = page;
	map_events->n_rings++;
	return epoll_ctl(map_events->epoll, EPOLL_CTL_ADD, ring->fd, &event) < 0 ? -errno : 0;
}

int map_events_new(struct map_events **ret, struct loop *loop, const struct map_events_calls *calls)
{
	long cpus = sysconf(_SC_NPROCESSORS_CONF);
	struct map_events *map_events;
	int err = 0;

	if (cpus < 1 || cpus > NEWS_CPUS_MAX)
		cpus = cpus < 1 ? 1 : NEWS_CPUS_MAX;
	map_events = calloc(1, sizeof(*map_events) + (size_t)cpus * sizeof(map_events->rings[0]));
	if (!map_events)
		return -ENOMEM;
	map_events->calls = *calls;
	map_events->pause_ns = NEWS_PAUSE_NS;
	map_events->page_bytes = (size_t)sysconf(_SC_PAGESIZE);
	map_events->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (map_events->epoll < 0)
		err = -errno;
	for (int cpu = 0; cpu < cpus && (!err || err == -ENODEV); cpu++)
		err = open_ring(map_events, cpu); /* -ENODEV: this CPU is offline */
	if (err == -ENODEV && map_events->n_rings)
		err = 0;
	if (!err)
		err = loop_add_timer(loop, 0, on_timer, map_events, &map_events->timer);
	if (!err)
		err = loop_add_fd(loop, map_events->epoll, on_ready, map_events,
				  &map_events->source);
	if (err) {
		map_events_free(map_events);
		return err;
	}
	*ret = map_events;
	return 0;
}

struct map_events *map_events_free(struct map_events *map_events)
{
	if (!map_events)
		return NULL;
	loop_remove(map_events->source);
	loop_remove(map_events->timer);
	if (map_events->epoll >= 0)
		close(map_events->epoll);
	for (size_t i = 0; i < map_events->n_rings; i++) {
		munmap(map_events->rings[i].page, (NEWS_PAGES + 1) * map_events->page_bytes);
		close(map_events->rings[i].fd);
	}
	free(map_events);
	return NULL;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "find/news.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>

#include "base/cleanup.h"
#include "base/loop.h"

struct ring {
	struct news *news;
	int fd;
	struct perf_event_mmap_page *page;
	struct loop_source *source;
};

struct news {
	struct news_calls calls;
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

static void handle(const struct news *news, const union record *record)
{
	const struct news_calls *calls = &news->calls;

	switch (record->header.type) {
	case PERF_RECORD_MMAP2:
		/* a build id may stand in the inode's place; it was not asked for */
		if (record->header.misc & PERF_RECORD_MISC_MMAP_BUILD_ID || !record->mmap2.ino)
			break;
		calls->mapped(calls->arg, &(struct news_map){
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

static void drain(void *arg)
{
	struct ring *ring = arg;
	const uint64_t size = NEWS_PAGES * ring->news->page_bytes;
	const uint8_t *data = (const uint8_t *)ring->page + ring->news->page_bytes;
	uint64_t head = __atomic_load_n(&ring->page->data_head, __ATOMIC_ACQUIRE);
	uint64_t tail = ring->page->data_tail;

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
		handle(ring->news, &record);
	}
	__atomic_store_n(&ring->page->data_tail, head, __ATOMIC_RELEASE);
}

static int open_ring(struct news *news, struct loop *loop, int cpu)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.config = PERF_COUNT_SW_DUMMY,
		.size = sizeof(attr),
		.mmap = 1,		/* executable mappings only: mmap_data is 0 */
		.mmap2 = 1,
		.task = 1,
		.watermark = 1,		/* wake for each record: a greeting follows within milliseconds */
		.wakeup_watermark = 1,
	};
	struct ring *ring = &news->rings[news->n_rings];
	void *page;
	int err;

	ring->fd = (int)syscall(SYS_perf_event_open, &attr, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);
	if (ring->fd < 0)
		return -errno;
	page = mmap(NULL, (NEWS_PAGES + 1) * news->page_bytes, PROT_READ | PROT_WRITE, MAP_SHARED,
		    ring->fd, 0);
	if (page == MAP_FAILED) {
		err = -errno;
		close(ring->fd);
		return err;
	}
	ring->news = news;
	ring->page = page;
	news->n_rings++;
	return loop_add_fd(loop, ring->fd, drain, ring, &ring->source);
}

int news_new(struct news **ret, struct loop *loop, const struct news_calls *calls)
{
	long cpus = sysconf(_SC_NPROCESSORS_CONF);
	struct news *news;
	int err = 0;

	if (cpus < 1 || cpus > NEWS_CPUS_MAX)
		cpus = cpus < 1 ? 1 : NEWS_CPUS_MAX;
	news = calloc(1, sizeof(*news) + (size_t)cpus * sizeof(news->rings[0]));
	if (!news)
		return -ENOMEM;
	news->calls = *calls;
	news->page_bytes = (size_t)sysconf(_SC_PAGESIZE);
	for (int cpu = 0; cpu < cpus && (!err || err == -ENODEV); cpu++)
		err = open_ring(news, loop, cpu);	/* -ENODEV: this CPU is offline */
	if (err == -ENODEV && news->n_rings)
		err = 0;
	if (err) {
		news_free(news);
		return err;
	}
	*ret = news;
	return 0;
}

struct news *news_free(struct news *news)
{
	if (!news)
		return NULL;
	for (size_t i = 0; i < news->n_rings; i++) {
		loop_remove(news->rings[i].source);
		munmap(news->rings[i].page, (NEWS_PAGES + 1) * news->page_bytes);
		close(news->rings[i].fd);
	}
	free(news);
	return NULL;
}

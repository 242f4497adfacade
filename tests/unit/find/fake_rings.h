/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel's side of find/map_events.h: rings that the test writes as the kernel would. The linker wraps
 * syscall(2), mmap(2) and timerfd_settime(2) of the programs that include this (Makefile).
 */
#ifndef UNIT_FIND_FAKE_RINGS_H
#define UNIT_FIND_FAKE_RINGS_H

#include "fake_tap.h"

#include <linux/perf_event.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/timerfd.h>

#include "base/clock.h"
#include "base/loop.h"
#include "find/find.h"
#include "find/map_events.h"

long __real_syscall(long number, ...);
void *__real_mmap64(void *addr, size_t len, int prot, int flags, int fd, off64_t offset);

static struct {
	size_t n, page_bytes;
	int fds[NEWS_CPUS_MAX];
	struct perf_event_mmap_page *pages[NEWS_CPUS_MAX];
	int err;     /* of every perf_event_open() */
	int offline; /* this CPU is; -1: none */
	bool has_no_pages;
} rings;

static inline void rings_reset(void)
{
	memset(&rings, 0, sizeof(rings));
	rings.page_bytes = (size_t)sysconf(_SC_PAGESIZE);
	rings.offline = -1;
}

long __wrap_syscall(long number, ...)
{
	long args[6];
	va_list list;

	va_start(list, number);
	for (size_t i = 0; i < ARRAY_SIZE(args); i++)
		args[i] = va_arg(list, long);
	va_end(list);
	if (number != SYS_perf_event_open)
		return __real_syscall(number, args[0], args[1], args[2], args[3], args[4], args[5]);
	if (rings.err || (int)args[2] == rings.offline) {
		errno = rings.err ?: ENODEV;
		return -1;
	}
	rings.fds[rings.n] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return rings.fds[rings.n++];
}

void *__wrap_mmap64(void *addr, size_t len, int prot, int flags, int fd, off64_t offset)
{
	if (fd < 0 || !rings.n || fd != rings.fds[rings.n - 1])
		return __real_mmap64(addr, len, prot, flags, fd, offset);
	if (rings.has_no_pages) {
		errno = EPERM; /* beyond perf_event_mlock_kb */
		return MAP_FAILED;
	}
	assert_int_equal(len, (NEWS_PAGES + 1) * rings.page_bytes);
	addr = __real_mmap64(NULL, len, prot, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(addr, MAP_FAILED);
	rings.pages[rings.n - 1] = addr;
	return addr;
}

/* By which name depends on the flags of the libraries. */
void *__wrap_mmap(void *addr, size_t len, int prot, int flags, int fd, off_t offset)
{
	return __wrap_mmap64(addr, len, prot, flags, fd, offset);
}

int __real_timerfd_settime(int fd, int flags, const struct itimerspec *when, struct itimerspec *old);

/* The seconds after which the product looks by itself last 10 ms here; what is shorter stays. */
int __wrap_timerfd_settime(int fd, int flags, const struct itimerspec *when, struct itimerspec *old)
{
	struct itimerspec scaled = *when;

	if (when->it_value.tv_sec)
		scaled.it_value = (struct timespec){ .tv_nsec = 10000000 * when->it_value.tv_sec };
	return __real_timerfd_settime(fd, flags, &scaled, old);
}

static inline void put(size_t ring, const void *record, size_t len)
{
	struct perf_event_mmap_page *page = rings.pages[ring];
	uint8_t *data = (uint8_t *)page + rings.page_bytes;
	uint64_t size = NEWS_PAGES * rings.page_bytes, head = page->data_head;

	assert_true(head + len - page->data_tail <= size);
	for (size_t i = 0; i < len; i++)
		data[(head + i) % size] = ((const uint8_t *)record)[i];
	__atomic_store_n(&page->data_head, head + len, __ATOMIC_RELEASE);
}

static inline void wake(size_t ring)
{
	assert_int_equal(eventfd_write(rings.fds[ring], 1), 0);
}

struct mmap2 {
	struct perf_event_header header;
	uint32_t pid, tid;
	uint64_t addr, len, pgoff;
	uint32_t major, minor;
	uint64_t ino, generation;
	uint32_t prot, flags;
	char name[16];
};

static inline struct mmap2 mmap2_of(uint32_t tgid, uint64_t addr, uint64_t ino)
{
	return (struct mmap2){ .header = { .type = PERF_RECORD_MMAP2, .size = sizeof(struct mmap2) },
			       .pid = tgid,
			       .tid = tgid,
			       .addr = addr,
			       .len = 4096,
			       .major = 8,
			       .minor = 1,
			       .ino = ino,
			       .generation = 5,
			       .name = "/lib/libssl.so" };
}

static inline void put_fork(size_t ring, uint32_t parent, uint32_t pid, uint32_t tid)
{
	const struct {
		struct perf_event_header header;
		uint32_t pid, ppid, tid, ptid;
		uint64_t time;
	} record = {
		{ .type = PERF_RECORD_FORK, .size = sizeof(record) }, pid, parent, tid, parent, 0
	};

	put(ring, &record, sizeof(record));
}

static inline void put_lost(size_t ring, uint64_t lost)
{
	const struct {
		struct perf_event_header header;
		uint64_t id, lost;
	} record = { { .type = PERF_RECORD_LOST, .size = sizeof(record) }, 1, lost };

	put(ring, &record, sizeof(record));
}

struct world {
	struct loop *loop;
	struct loop_source *tick;
	bool (*is_done)(struct world *world);
	unsigned ticks;
	struct map_events *events;
	size_t n_mapped, n_forked, n_read;
	struct map_events_map last;
	uint64_t next_addr; /* of records in order; 0: any */
	uint32_t parent, child;
	uint64_t lost;
	/* of find.h */
	struct tap tap;
	struct find *find;
	uint32_t client;
	enum find_reach reach;
};

static inline void on_tick(void *arg)
{
	struct world *world = arg;

	assert_true(world->ticks++ < 20000);
	if (world->is_done(world))
		loop_stop(world->loop);
}

static inline void run_until(struct world *world, bool (*is_done)(struct world *world))
{
	world->is_done = is_done;
	world->ticks = 0;
	assert_int_equal(loop_run(world->loop), 0);
	for (size_t i = 0; i < rings.n; i++) /* as a perf event forgets */
		(void)eventfd_read(rings.fds[i], &(eventfd_t){ 0 });
}

static inline int set_up(void **state)
{
	struct world *world = calloc(1, sizeof(*world));

	rings_reset();
	if (!world || loop_new(&world->loop) ||
	    loop_add_timer(world->loop, NS_PER_MS, on_tick, world, &world->tick))
		return -1;
	*state = world;
	return 0;
}

static inline int tear_down(void **state)
{
	struct world *world = *state;

	map_events_free(world->events);
	find_free(world->find);
	fake_clients_end(&world->tap);
	loop_free(world->loop);
	free(world);
	return 0;
}

/* The one that the programs' clients map. */
static char folder[UNIT_FOLDER_LEN], library[64];

static inline int make_library(void **state)
{
	if (unit_folder(folder))
		return -1;
	snprintf(library, sizeof(library), "%s/libssl.so", folder);
	fake_library(library, "OPENSSL_3_3", "-O2");
	return 0;
}

static inline int remove_library(void **state)
{
	return unit_remove(folder);
}

#define WORLD(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

#endif

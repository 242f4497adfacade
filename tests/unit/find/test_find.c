/* SPDX-License-Identifier: Apache-2.0 */
/*
 * map_events.h and find.h over rings that the test writes as the kernel would: the linker wraps
 * syscall(2), mmap(2) and timerfd_settime(2) of this program (Makefile).
 */
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

/* ---- the kernel's side ---- */

static struct {
	size_t n, page_bytes;
	int fds[NEWS_CPUS_MAX];
	struct perf_event_mmap_page *pages[NEWS_CPUS_MAX];
	int err;     /* of every perf_event_open() */
	int offline; /* this CPU is; -1: none */
	bool has_no_pages;
} rings;

static void rings_reset(void)
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

static void put(size_t ring, const void *record, size_t len)
{
	struct perf_event_mmap_page *page = rings.pages[ring];
	uint8_t *data = (uint8_t *)page + rings.page_bytes;
	uint64_t size = NEWS_PAGES * rings.page_bytes, head = page->data_head;

	assert_true(head + len - page->data_tail <= size);
	for (size_t i = 0; i < len; i++)
		data[(head + i) % size] = ((const uint8_t *)record)[i];
	__atomic_store_n(&page->data_head, head + len, __ATOMIC_RELEASE);
}

static void wake(size_t ring)
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

static struct mmap2 mmap2_of(uint32_t tgid, uint64_t addr, uint64_t ino)
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

static void put_fork(size_t ring, uint32_t parent, uint32_t pid, uint32_t tid)
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

static void put_lost(size_t ring, uint64_t lost)
{
	const struct {
		struct perf_event_header header;
		uint64_t id, lost;
	} record = { { .type = PERF_RECORD_LOST, .size = sizeof(record) }, 1, lost };

	put(ring, &record, sizeof(record));
}

/* ---- map_events.h ---- */

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

static void on_tick(void *arg)
{
	struct world *world = arg;

	assert_true(world->ticks++ < 20000);
	if (world->is_done(world))
		loop_stop(world->loop);
}

static void run_until(struct world *world, bool (*is_done)(struct world *world))
{
	world->is_done = is_done;
	world->ticks = 0;
	assert_int_equal(loop_run(world->loop), 0);
	for (size_t i = 0; i < rings.n; i++) /* as a perf event forgets */
		(void)eventfd_read(rings.fds[i], &(eventfd_t){ 0 });
}

static void note_mapped(void *arg, const struct map_events_map *map)
{
	struct world *world = arg;

	if (world->next_addr)
		assert_int_equal(map->addr, world->next_addr++);
	world->last = *map;
	world->n_mapped++;
}

static void note_forked(void *arg, uint32_t parent, uint32_t child)
{
	struct world *world = arg;

	world->parent = parent;
	world->child = child;
	world->n_forked++;
}

static void note_lost(void *arg, uint64_t records)
{
	struct world *world = arg;

	world->lost += records;
}

static void note_read(void *arg)
{
	struct world *world = arg;

	world->n_read++;
}

static int listen_to(struct world *world)
{
	const struct map_events_calls calls = { note_mapped, note_forked, note_lost, note_read,
						world };

	return map_events_new(&world->events, world->loop, &calls);
}

static int set_up(void **state)
{
	struct world *world = calloc(1, sizeof(*world));

	rings_reset();
	if (!world || loop_new(&world->loop) ||
	    loop_add_timer(world->loop, NS_PER_MS, on_tick, world, &world->tick))
		return -1;
	*state = world;
	return 0;
}

static int tear_down(void **state)
{
	struct world *world = *state;

	map_events_free(world->events);
	find_free(world->find);
	fake_clients_end(&world->tap);
	loop_free(world->loop);
	free(world);
	return 0;
}

static bool has_lost(struct world *world)
{
	return world->lost > 0;
}

static void news_are_told_and_nothing_else(void **state)
{
	struct world *world = *state;
	struct mmap2 record = mmap2_of(7, 0x7f0000001000, 99);

	assert_int_equal(listen_to(world), 0);
	assert_int_equal(rings.n, sysconf(_SC_NPROCESSORS_CONF));
	put(0, &record, sizeof(record));
	record.ino = 0; /* of no file */
	put(0, &record, sizeof(record));
	record.ino = 100;
	record.header.misc = PERF_RECORD_MISC_MMAP_BUILD_ID;
	put(0, &record, sizeof(record));
	put_fork(0, 7, 8, 8);
	put_fork(0, 7, 7, 9);  /* a thread */
	put_fork(0, 7, 8, 10); /* and one of a process that is not its parent */
	put_lost(0, 12);
	wake(0);
	run_until(world, has_lost);
	assert_int_equal(world->n_mapped, 1);
	assert_int_equal(world->last.tgid, 7);
	assert_int_equal(world->last.addr, 0x7f0000001000);
	assert_int_equal(world->last.len, 4096);
	assert_int_equal(world->last.dev, makedev(8, 1));
	assert_int_equal(world->last.ino, 99);
	assert_int_equal(world->last.generation, 5);
	assert_int_equal(world->n_forked, 1);
	assert_int_equal(world->parent, 7);
	assert_int_equal(world->child, 8);
	assert_int_equal(world->lost, 12);
	assert_int_equal(world->n_read, 1);
	assert_int_equal(rings.pages[0]->data_tail, rings.pages[0]->data_head);
}

/* Records lie across the ring's end, and come from every CPU. */
static void a_ring_is_read_round_and_round(void **state)
{
	struct world *world = *state;
	size_t n = 0;

	assert_int_equal(listen_to(world), 0);
	world->next_addr = 1;
	while (rings.pages[0]->data_head < 3 * NEWS_PAGES * rings.page_bytes) {
		for (int i = 0; i < 500; i++) {
			struct mmap2 record = mmap2_of(7, ++n, 99);

			put(0, &record, sizeof(record));
		}
		put_lost(0, 1);
		wake(0);
		world->lost = 0;
		run_until(world, has_lost);
		assert_int_equal(world->n_mapped, n);
		assert_int_equal(world->next_addr, n + 1);
	}
	put_lost(rings.n - 1, 5);
	wake(rings.n - 1);
	world->lost = 0;
	run_until(world, has_lost);
	assert_int_equal(world->lost, 5);
}

static bool has_forked(struct world *world)
{
	return world->n_forked > 0;
}

static void a_record_of_no_size_does_not_hang(void **state)
{
	struct world *world = *state;
	const struct perf_event_header bad = { .type = PERF_RECORD_LOST, .size = 4 };

	assert_int_equal(listen_to(world), 0);
	put(0, &bad, sizeof(bad));
	put_lost(0, 3); /* not to be found behind it */
	wake(0);
	for (int i = 0; i < 1000 && !world->n_read; i++) {
		put_fork(rings.n - 1, 1, 2, 2);
		wake(rings.n - 1);
		run_until(world, has_forked);
	}
	assert_int_equal(rings.pages[0]->data_tail, rings.pages[0]->data_head);
	put_lost(0, 4);
	wake(0);
	run_until(world, has_lost);
	assert_int_equal(world->lost, 4);
}

static void a_burst_is_read_in_few_turns(void **state)
{
	struct world *world = *state;
	size_t n = 0;
	uint64_t end_ns;

	assert_int_equal(listen_to(world), 0);
	put_fork(0, 1, 2, 2);
	wake(0);
	run_until(world, has_forked);
	end_ns = clock_mono_ns() + 50 * NS_PER_MS;
	while (clock_mono_ns() < end_ns) {
		put_fork(0, 1, 2, 2);
		wake(0);
		n++;
		run_until(world, has_forked);
	}
	put_lost(0, 1);
	wake(0);
	run_until(world, has_lost);
	assert_int_equal(world->n_forked, n + 1);
	/* a pause of 2 ms at first, and soon of 8 */
	assert_true(world->n_read <= 50 / 2 + 2);
	assert_true(world->n_read < n);
}

static void a_cpu_that_is_offline_is_passed_over(void **state)
{
	struct world *world = *state;

	if (sysconf(_SC_NPROCESSORS_CONF) < 2)
		skip();
	rings.offline = 0;
	assert_int_equal(listen_to(world), 0);
	assert_int_equal(rings.n, sysconf(_SC_NPROCESSORS_CONF) - 1);
	put_lost(0, 2);
	wake(0);
	run_until(world, has_lost);
	assert_int_equal(world->lost, 2);
}

static void without_the_privilege_there_are_no_news(void **state)
{
	struct world *world = *state;

	rings.err = EACCES;
	assert_int_equal(listen_to(world), -EACCES);
	rings.err = 0;
	rings.has_no_pages = true;
	assert_int_equal(listen_to(world), -EPERM);
	assert_null(world->events);
}

/* ---- find.h ---- */

static char folder[UNIT_FOLDER_LEN], library[64];

static void start(struct world *world, enum find_mode mode)
{
	const struct find_config config = { .mode = mode };
	char *error = NULL;

	assert_int_equal(find_new(&world->find, world->loop, &world->tap, &config, &error), 0);
	assert_null(error);
}

static void put_mapping(uint32_t tgid, const char *file)
{
	struct mmap2 record;
	struct stat st;

	assert_int_equal(stat(file, &st), 0);
	record = mmap2_of(tgid, fake_address(tgid, file), st.st_ino);
	put(0, &record, sizeof(record));
	wake(0);
}

static bool is_reached(struct world *world)
{
	return find_reach_of(world->find, world->client) == world->reach;
}

static void expect_reach(struct world *world, uint32_t client, enum find_reach reach)
{
	world->client = client;
	world->reach = reach;
	run_until(world, is_reached);
}

static void a_library_is_known_as_it_is_mapped(void **state)
{
	struct world *world = *state;
	uint32_t client, child;

	start(world, FIND_ON_SIGHT);
	client = fake_client(&world->tap, library, "/dev/null");
	assert_int_equal(find_reach_of(world->find, client), FIND_NO_TLS);
	put_mapping(client, library);
	expect_reach(world, client, FIND_WAITING);
	find_greeted(world->find, client, 1);
	assert_int_equal(find_reach_of(world->find, client), FIND_PROBED);
	child = fake_client(&world->tap, library, "/etc/passwd");
	put_fork(0, client, child, child);
	wake(0);
	expect_reach(world, child, FIND_PROBED);
	fake_client_end(&world->tap, client);
	find_gone(world->find, client);
	assert_int_equal(fake_probes(&world->tap, (pid_t)client), 0);
	assert_int_equal(fake_probes(&world->tap, (pid_t)child), 1);
}

static bool has_asked(struct world *world)
{
	return world->tap.n_mappings > 0;
}

static bool has_swept(struct world *world)
{
	struct find_stats stats;

	find_stats(world->find, &stats);
	return stats.files_seen > 1;
}

static void a_file_that_holds_nothing_is_not_asked_for_again(void **state)
{
	struct world *world = *state;
	uint32_t client;

	start(world, FIND_ON_SIGHT);
	client = fake_client(&world->tap, library, "/dev/null");
	put_mapping(client, "/usr/bin/tail");
	run_until(world, has_asked);
	world->tap.n_mappings = 0;
	put_mapping(client, "/usr/bin/tail");
	put_mapping(client, library);
	run_until(world, has_asked);
	assert_int_equal(world->tap.n_mappings, 1);
}

static void after_lost_news_all_are_looked_at(void **state)
{
	struct world *world = *state;
	struct find_stats stats;
	uint32_t client;

	start(world, FIND_ON_SIGHT);
	client = fake_client(&world->tap, library, "/dev/null");
	put_lost(0, 30);
	put_lost(0, 12);
	wake(0);
	run_until(world, has_swept);
	assert_int_equal(find_reach_of(world->find, client), FIND_WAITING);
	assert_int_equal(world->tap.n_mappings, 2); /* one sweep, and this question */
	find_stats(world->find, &stats);
	assert_int_equal(stats.map_events_lost, 42);
}

static void without_news_a_look_finds_them(void **state)
{
	struct world *world = *state;
	uint32_t client;

	rings.err = EACCES;
	start(world, FIND_EVERYONE);
	client = fake_client(&world->tap, library, "/dev/null");
	assert_int_equal(find_scan(world->find), 0);
	assert_int_equal(find_reach_of(world->find, client), FIND_PROBED);
	fake_client_end(&world->tap, client);
	/* and one follows by itself, later */
	assert_int_equal(fake_probes(&world->tap, 0), 1);
	world->tap.n_mappings = 0;
	run_until(world, has_asked);
	assert_int_equal(fake_probes(&world->tap, 0), 0);
}

static void who_wants_none_gets_none(void **state)
{
	struct world *world = *state;
	struct find_stats stats;
	uint32_t client;

	start(world, FIND_NEVER);
	assert_int_equal(rings.n, 0);
	client = fake_client(&world->tap, library, "/dev/null");
	find_greeted(world->find, client, 1);
	assert_int_equal(find_scan(world->find), 0);
	find_gone(world->find, client);
	assert_int_equal(find_reach_of(world->find, client), FIND_NO_TLS);
	find_stats(world->find, &stats);
	assert_int_equal(stats.files_seen, 0);
	assert_int_equal(world->tap.n_mappings + world->tap.n_tries, 0);
}

static int make_library(void **state)
{
	if (unit_folder(folder))
		return -1;
	snprintf(library, sizeof(library), "%s/libssl.so", folder);
	fake_library(library, "OPENSSL_3_3", "-O2");
	return 0;
}

static int remove_library(void **state)
{
	return unit_remove(folder);
}

#define WORLD(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD(news_are_told_and_nothing_else),
		WORLD(a_ring_is_read_round_and_round),
		WORLD(a_record_of_no_size_does_not_hang),
		WORLD(a_burst_is_read_in_few_turns),
		WORLD(a_cpu_that_is_offline_is_passed_over),
		WORLD(without_the_privilege_there_are_no_news),
		WORLD(a_library_is_known_as_it_is_mapped),
		WORLD(a_file_that_holds_nothing_is_not_asked_for_again),
		WORLD(after_lost_news_all_are_looked_at),
		WORLD(without_news_a_look_finds_them),
		WORLD(who_wants_none_gets_none),
	};

	return cmocka_run_group_tests(tests, make_library, remove_library);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* map_events.h: mappings and forks as perf events. */
#include "fake_rings.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD(news_are_told_and_nothing_else),
		WORLD(a_ring_is_read_round_and_round),
		WORLD(a_record_of_no_size_does_not_hang),
		WORLD(a_burst_is_read_in_few_turns),
		WORLD(a_cpu_that_is_offline_is_passed_over),
		WORLD(without_the_privilege_there_are_no_news),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* finder.h: the search in a thread of its own, which keeps nobody waiting. */
#include "fake_rings.h"

#include <poll.h>

#include "find/finder.h"

static struct finder *start(struct tap *tap, enum find_mode mode)
{
	const struct find_config config = { .mode = mode };
	struct finder *finder;
	char *error = NULL;

	assert_int_equal(finder_new(&finder, tap, &config, &error), 0);
	assert_null(error);
	assert_int_equal(finder_scan(finder), 0);
	assert_int_equal(finder_start(finder), 0);
	return finder;
}

static void expect_released(const struct tap *tap, size_t n)
{
	for (int i = 0; i < 5000 && __atomic_load_n(&tap->n_released, __ATOMIC_SEQ_CST) < n; i++)
		poll(NULL, 0, 1);
	assert_int_equal(__atomic_load_n(&tap->n_released, __ATOMIC_SEQ_CST), n);
}

static void who_greets_is_probed_and_let_go(void **state)
{
	struct world *world = *state;
	struct finder *finder = start(&world->tap, FIND_ON_SIGHT);
	uint32_t client = fake_client(&world->tap, library, "/dev/null");
	uint32_t other = fake_client(&world->tap, library, "/etc/passwd");

	assert_int_equal(finder_reach(finder, client), FIND_WAITING);
	finder_greeted(finder, client, 1, 77);
	expect_released(&world->tap, 1);
	assert_int_equal(world->tap.released, client);
	assert_int_equal(world->tap.woken, 77);
	assert_int_equal(finder_reach(finder, client), FIND_PROBED);
	assert_int_equal(finder_reach(finder, other), FIND_WAITING);
	fake_client_end(&world->tap, client);
	finder_gone(finder, client);
	/* its flows end later: how far it was reached is still known */
	assert_int_equal(finder_reach(finder, client), FIND_PROBED);
	finder_greeted(finder, other, 1, 0);
	expect_released(&world->tap, 2);
	finder_free(finder);
	assert_true(LIST_EMPTY(&world->tap.probes));
	assert_int_equal(world->tap.woken, 77);
}

/* As a process whose memory cannot be read for as long as it likes. */
static void a_look_that_blocks_keeps_nobody(void **state)
{
	struct world *world = *state;
	struct finder *finder = start(&world->tap, FIND_ON_SIGHT);
	uint32_t client = fake_client(&world->tap, library, "/dev/null");
	uint64_t began = clock_mono_ns();
	struct find_stats stats;

	world->tap.look_fd = eventfd(0, EFD_CLOEXEC | EFD_SEMAPHORE);
	finder_greeted(finder, client, 1, 77);
	finder_gone(finder, client);
	assert_int_equal(finder_reach(finder, client), FIND_WAITING);
	finder_stats(finder, &stats);
	poll(NULL, 0, 50); /* it is in the look by now */
	finder_free(finder);
	assert_true(clock_mono_ns() - began < NS_PER_S);
	/* the look was left behind; its end finds all that it needs */
	assert_int_equal(eventfd_write(world->tap.look_fd, 8), 0);
	poll(NULL, 0, 50);
	close(world->tap.look_fd);
	world->tap.look_fd = 0;
}

static void where_nobody_is_probed_nobody_waits(void **state)
{
	struct world *world = *state;
	struct finder *finder = start(&world->tap, FIND_NEVER);

	finder_greeted(finder, 1, 1, 5);
	expect_released(&world->tap, 1);
	assert_int_equal(world->tap.woken, 5);
	assert_int_equal(world->tap.n_mappings, 0);
	assert_int_equal(finder_reach(finder, 1), FIND_NO_TLS);
	finder_free(finder);
}

/* More than there is room for: the excess is let go as it comes. */
static void a_flood_is_let_go(void **state)
{
	struct world *world = *state;
	struct finder *finder = start(&world->tap, FIND_ON_SIGHT);
	struct find_stats stats = { 0 };
	int gate = eventfd(0, EFD_CLOEXEC | EFD_SEMAPHORE);

	world->tap.look_fd = gate;
	for (uint32_t i = 0; i < 6000; i++)
		finder_greeted(finder, 0x40000000 + i, 1, 0);
	world->tap.look_fd = 0;
	assert_int_equal(eventfd_write(gate, 100), 0);
	expect_released(&world->tap, 6000);
	for (int i = 0; i < 3000 && !stats.crowded; i++, poll(NULL, 0, 1))
		finder_stats(finder, &stats);
	assert_true(stats.crowded > 0);
	finder_free(finder);
	close(gate);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD(who_greets_is_probed_and_let_go),
		WORLD(a_look_that_blocks_keeps_nobody),
		WORLD(where_nobody_is_probed_nobody_waits),
		WORLD(a_flood_is_let_go),
	};

	return cmocka_run_group_tests(tests, make_library, remove_library);
}

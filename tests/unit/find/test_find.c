/* SPDX-License-Identifier: Apache-2.0 */
/* find.h: who is looked at, and when. */
#include "fake_rings.h"

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
	return stats.files_seen > 0;
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

static void after_lost_news_who_is_known_is_looked_at(void **state)
{
	struct world *world = *state;
	struct find_stats stats;
	uint32_t client, other;

	start(world, FIND_ON_SIGHT);
	client = fake_client(&world->tap, library, "/dev/null");
	other = fake_client(&world->tap, library, "/etc/passwd");
	world->tap.mappings_err = -EIO; /* as if it had mapped nothing yet */
	find_greeted(world->find, client, 1);
	world->tap.mappings_err = 0;
	world->tap.n_mappings = 0;
	put_lost(0, 30);
	put_lost(0, 12);
	wake(0);
	run_until(world, has_swept);
	assert_int_equal(world->tap.n_mappings, 1); /* one sweep */
	assert_int_equal(fake_probes(&world->tap, (pid_t)client), 1);
	assert_int_equal(fake_probes(&world->tap, (pid_t)other), 0);
	find_stats(world->find, &stats);
	assert_int_equal(stats.map_events_lost, 42);
}

/* In a new container a first call may come before the news of its library. */
static void whoever_greets_is_looked_at_whatever_the_mode(void **state)
{
	struct world *world = *state;
	uint32_t client;

	start(world, FIND_EVERYONE);
	client = fake_client(&world->tap, library, "/dev/null");
	assert_int_equal(find_reach_of(world->find, client), FIND_NO_TLS);
	find_put_greeting(world->find, client, 1, 0);
	expect_reach(world, client, FIND_PROBED);
	assert_int_equal(fake_probes(&world->tap, 0), 1);
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

/* A process among all of them that keeps a walk over all of them: the others are looked at one by one. */
static void one_that_is_stuck_hides_no_other(void **state)
{
	struct world *world = *state;
	uint32_t client;

	start(world, FIND_EVERYONE);
	client = fake_client(&world->tap, library, "/dev/null");
	world->tap.look_fd = eventfd(0, EFD_CLOEXEC);
	world->tap.looks_one_way = true;
	assert_int_equal(find_scan(world->find), 0);
	assert_int_equal(find_reach_of(world->find, client), FIND_PROBED);
	assert_int_equal(eventfd_write(world->tap.look_fd, 1), 0);
	usleep(20000); /* the walk that was left behind has what it needs */
	close(world->tap.look_fd);
	world->tap.look_fd = 0;
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD(a_library_is_known_as_it_is_mapped),
		WORLD(a_file_that_holds_nothing_is_not_asked_for_again),
		WORLD(after_lost_news_who_is_known_is_looked_at),
		WORLD(whoever_greets_is_looked_at_whatever_the_mode),
		WORLD(without_news_a_look_finds_them),
		WORLD(one_that_is_stuck_hides_no_other),
		WORLD(who_wants_none_gets_none),
	};

	return cmocka_run_group_tests(tests, make_library, remove_library);
}

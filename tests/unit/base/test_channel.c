/* SPDX-License-Identifier: Apache-2.0 */
/* base/channel.h against a server that sends back what it gets. */
#include "unit.h"

#include "base/channel.h"
#include "base/clock.h"
#include "base/loop.h"
#include "peer.h"

struct world {
	struct peer peer;
	struct loop *loop;
	struct fetcher *fetcher;
	struct channel *channel;
	struct loop_source *late;
	char url[64];
	/* what came */
	size_t n_opened, n_closed, n_bytes, n_wanted; /* the loop stops at n_wanted bytes */
	char last;
	bool refuses;
	char why[128];
};

static void echo(struct peer *peer)
{
	static char bytes[65536];
	ssize_t n;

	while ((n = peer_read(peer, bytes, sizeof(bytes))) > 0)
		if (memchr(bytes, '!', (size_t)n) || !peer_write(peer, bytes, (size_t)n))
			return; /* hangs up */
}

static void on_opened(void *arg)
{
	struct world *world = arg;

	world->n_opened++;
	loop_stop(world->loop);
}

static bool on_bytes(void *arg, const char *bytes, size_t len)
{
	struct world *world = arg;

	world->n_bytes += len;
	world->last = bytes[len - 1];
	if (world->n_bytes >= world->n_wanted)
		loop_stop(world->loop);
	return !world->refuses;
}

static void on_closed(void *arg, const char *why)
{
	struct world *world = arg;

	world->n_closed++;
	snprintf(world->why, sizeof(world->why), "%s", why);
	/* it may be freed here */
	world->channel = channel_free(world->channel);
	loop_stop(world->loop);
}

static void on_late(void *arg)
{
	fail_msg("nothing came within a minute");
}

static int set_up(void **state)
{
	struct world *world = calloc(1, sizeof(*world));

	if (!world || loop_new(&world->loop) || fetcher_new(&world->fetcher, world->loop) ||
	    loop_add_timer(world->loop, 60 * NS_PER_S, on_late, world, &world->late))
		return -1;
	world->peer.serve = echo;
	peer_start(&world->peer, NULL, 0);
	*state = world;
	return 0;
}

static int tear_down(void **state)
{
	struct world *world = *state;

	channel_free(world->channel);
	fetcher_free(world->fetcher);
	loop_free(world->loop);
	peer_stop(&world->peer);
	free(world);
	return 0;
}

static void start(struct world *world, int port)
{
	struct channel_options options = { .url = world->url,
					   .timeout_ms = 20000,
					   .opened = on_opened,
					   .bytes = on_bytes,
					   .closed = on_closed,
					   .arg = world };

	snprintf(world->url, sizeof(world->url), "http://127.0.0.1:%d", port);
	assert_int_equal(channel_open(&world->channel, world->fetcher, &options), 0);
	assert_int_equal(channel_write(world->channel, "x", 1), -ENOTCONN);
	assert_int_equal(loop_run(world->loop), 0);
}

static void what_is_written_comes_back(void **state)
{
	struct world *world = *state;

	start(world, world->peer.port);
	assert_int_equal(world->n_opened, 1);
	world->n_wanted = 5;
	assert_int_equal(channel_write(world->channel, "hello", 5), 0);
	assert_int_equal(loop_run(world->loop), 0);
	assert_int_equal(world->n_bytes, 5);
	assert_int_equal(world->last, 'o');
	assert_int_equal(world->n_closed, 0);
}

/* More than the socket takes at once waits, in order; more than the limit is not taken at all. */
static void what_there_is_no_room_for_waits(void **state)
{
	struct world *world = *state;
	char *bytes = calloc(1, CHANNEL_OUT_MAX + 1);
	size_t sent = 0;
	int err = 0;

	start(world, world->peer.port);
	assert_int_equal(channel_write(world->channel, bytes, CHANNEL_OUT_MAX + 1), -ENOBUFS);
	while (!err && sent < 64 * (size_t)CHANNEL_OUT_MAX) {
		memset(bytes, 'a' + (int)(sent / CHANNEL_OUT_MAX % 26), CHANNEL_OUT_MAX);
		err = channel_write(world->channel, bytes, CHANNEL_OUT_MAX);
		sent += err ? 0 : CHANNEL_OUT_MAX;
	}
	assert_int_equal(err, -ENOBUFS);
	assert_true(sent > 0);
	world->n_wanted = sent;
	assert_int_equal(loop_run(world->loop), 0);
	assert_int_equal(world->n_bytes, sent);
	assert_int_equal(world->last, 'a' + (int)((sent / CHANNEL_OUT_MAX - 1) % 26));
	/* there is room again */
	assert_int_equal(channel_write(world->channel, "z", 1), 0);
	world->n_wanted = sent + 1;
	assert_int_equal(loop_run(world->loop), 0);
	assert_int_equal(world->last, 'z');
	free(bytes);
}

static void the_end_says_why(void **state)
{
	struct world *world = *state;

	start(world, world->peer.port);
	assert_int_equal(channel_write(world->channel, "!", 1), 0);
	assert_int_equal(loop_run(world->loop), 0);
	assert_int_equal(world->n_closed, 1);
	assert_string_equal(world->why, "the server hung up");
	assert_null(world->channel);
	start(world, world->peer.port);
	world->refuses = true;
	world->n_wanted = SIZE_MAX;
	assert_int_equal(channel_write(world->channel, "x", 1), 0);
	assert_int_equal(loop_run(world->loop), 0);
	assert_int_equal(world->n_closed, 2);
	assert_string_equal(world->why, "what came was not understood");
}

static void a_server_that_is_not_there_is_an_end(void **state)
{
	struct world *world = *state;

	start(world, 1);
	assert_int_equal(world->n_opened, 0);
	assert_int_equal(world->n_closed, 1);
	assert_true(strlen(world->why) > 0);
	assert_null(channel_free(NULL));
}

#define WORLD(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WORLD(what_is_written_comes_back),
		WORLD(what_there_is_no_room_for_waits),
		WORLD(the_end_says_why),
		WORLD(a_server_that_is_not_there_is_an_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

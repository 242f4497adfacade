/* SPDX-License-Identifier: Apache-2.0 */
#include "fetching.h"

static bool on_piece(void *arg, const char *bytes, size_t len)
{
	struct world *world = arg;
	struct fetch_request second;

	memcpy(world->pieces + world->n_pieces, bytes, len);
	world->n_pieces += len;
	if (world->n_pieces < world->stop_after)
		return true;
	if (world->starts) {
		second = request_to(world, "/second");
		assert_int_equal(fetch_start(world->fetcher, &second, NULL), 0);
	}
	if (!world->cancels)
		return false;
	world->own = fetch_cancel(world->own);
	world->other = fetch_cancel(world->other);
	if (!world->starts)
		loop_stop(world->loop);
	return true;
}

static void a_stream_comes_in_pieces(void **state)
{
	struct fetch_request request;
	struct world world;

	bring_up(&world, NULL);
	request = request_to(&world, "/watch");
	request.piece = on_piece;
	request.timeout_ms = 0;
	world.stop_after = 8;
	ask(&world, &request);
	assert_int_equal(world.err, -ECANCELED);
	assert_int_equal(world.len, 0);
	assert_memory_equal(world.pieces, "one\ntwo\n", 8);
	take_down(&world);
}

static void a_stream_that_falls_silent_ends(void **state)
{
	struct fetch_request request;
	struct world world;

	bring_up(&world, NULL);
	request = request_to(&world, "/watch");
	request.piece = on_piece;
	request.timeout_ms = 0;
	request.silence_s = 1;
	world.stop_after = sizeof(world.pieces);
	ask(&world, &request);
	assert_int_equal(world.err, -ETIMEDOUT);
	assert_int_equal(world.n_pieces, 8);
	take_down(&world);
}

static void an_error_instead_of_a_stream_has_its_body(void **state)
{
	struct fetch_request request;
	struct world world;

	bring_up(&world, NULL);
	request = request_to(&world, "/busy");
	request.piece = on_piece;
	ask(&world, &request);
	assert_int_equal(world.status, 429);
	assert_string_equal(world.body, "busy");
	assert_int_equal(world.n_pieces, 0);
	take_down(&world);
}

static void cancel_inside_a_piece(void **state)
{
	struct fetch_request request;
	struct world world;

	bring_up(&world, NULL);
	request = request_to(&world, "/watch");
	request.piece = on_piece;
	world.stop_after = 1;
	world.cancels = true;
	assert_int_equal(fetch_start(world.fetcher, &request, &world.own), 0);
	request = request_to(&world, "/slow");
	assert_int_equal(fetch_start(world.fetcher, &request, &world.other), 0);
	run(&world);
	assert_int_equal(world.n_done, 0);
	assert_null(world.own);
	take_down(&world);
}

static void start_inside_a_piece(void **state)
{
	struct fetch_request request;
	struct world world;

	bring_up(&world, NULL);
	request = request_to(&world, "/watch");
	request.piece = on_piece;
	world.stop_after = 8;
	world.cancels = world.starts = true;
	assert_int_equal(fetch_start(world.fetcher, &request, &world.own), 0);
	run(&world);
	assert_int_equal(world.n_done, 1);
	assert_int_equal(world.status, 200);
	assert_non_null(strstr(world.body, "GET /second "));
	take_down(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_stream_comes_in_pieces),
		cmocka_unit_test(a_stream_that_falls_silent_ends),
		cmocka_unit_test(an_error_instead_of_a_stream_has_its_body),
		cmocka_unit_test(cancel_inside_a_piece),
		cmocka_unit_test(start_inside_a_piece),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}

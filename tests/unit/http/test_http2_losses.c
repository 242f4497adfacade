/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP/2 of which bytes were lost or make no sense: what is found again, and what ends the sight. */
#include "frames.h"

static void expect_uncut(enum conn_protocol protocol, const char *expected)
{
	struct script script;
	struct conn_stats stats;

	assert_int_equal(talk(0, SIZE_MAX / 2, &script, &stats), protocol);
	assert_string_equal(script.text, expected);
}

static void a_gap_within_a_data_frame_is_only_lost_bytes(void **state)
{
	start();
	request(1, "/a", 1);
	answer(1, 0);
	data(HTTP_RESPONSE, 1, 0, "abc");
	data(HTTP_RESPONSE, 1, 0, "");
	/* a frame of 10 bytes in three writes, of which the second is lost */
	put(HTTP_RESPONSE,
	    "\0\0\12\0\1\0\0\0\1"
	    "ab",
	    11);
	put(HTTP_RESPONSE, "cdef", 4);
	lost();
	put(HTTP_RESPONSE, "ghij", 4);
	request(3, "/b", 1);
	answer(3, 1);
	expect(">1 POST api.openai.com /a\n>1 end 0\n<1 200 3\n<1 \"abcab[4]ghij\"\n<1 end 13\n"
	       ">2 POST api.openai.com /b\n>2 end 0\n<2 200 3\n<2 end 0\n");
}

static void a_gap_across_data_frames_is_found_out_of(void **state)
{
	start();
	request(1, "/a", 1);
	answer(1, 0);
	data(HTTP_RESPONSE, 1, 0, "abc");
	data(HTTP_RESPONSE, 1, 0, "lost");
	lost();
	/* the next piece begins within a frame of which the head is lost, too */
	put(HTTP_RESPONSE, "\0\0\6\0\0\0\0\0\1xyz", 12);
	wire.writes[wire.n - 1].lost = 10;
	put(HTTP_RESPONSE, "uvw\0\0\5\0\0\0\0\0\1found", 17);
	data(HTTP_RESPONSE, 1, 1, "end");
	request(3, "/b", 1);
	answer(3, 1);
	expect_uncut(CONN_HTTP2,
		     ">1 POST api.openai.com /a\n>1 end 0\n<1 200 3\n<1 \"abcfoundend\"\n"
		     "<1 end 11 cut\n>2 POST api.openai.com /b\n>2 end 0\n<2 200 3\n<2 end 0\n");
}

static void a_lost_piece_of_a_large_request_is_found_out_of(void **state)
{
	static char large[16001];
	struct script script;
	struct conn_stats stats;

	memset(large, 'x', 16000);
	start();
	request(1, "/a", 0);
	data(HTTP_REQUEST, 1, 0, large);
	put(HTTP_REQUEST,
	    "\0\0\12\0\0\0\0\0\1"
	    "ab",
	    11);
	put(HTTP_REQUEST,
	    "cdefghij"
	    "\0\0\3\0\0\0\0\0\1"
	    "abc",
	    20);
	lost();
	data(HTTP_REQUEST, 1, 1, "end");
	request(3, "/b", 1);
	assert_int_equal(talk(0, SIZE_MAX / 2, &script, &stats), CONN_HTTP2);
	assert_non_null(strstr(script.text, "xab[20]end\"\n>1 end 16025 cut\n"));
	assert_non_null(strstr(script.text, ">2 POST api.openai.com /b\n>2 end 0\n"));
	assert_int_equal(stats.resyncs, 1);
	assert_int_equal(stats.gap_bytes, 20);
}

/* The table misses what the lost head put into it: no later head may be believed. */
static void a_lost_request_head_ends_the_sight(void **state)
{
	start();
	request(1, "/a", 0);
	request(3, "/lost", 1);
	lost();
	data(HTTP_REQUEST, 1, 1, "x");
	request(5, "/b", 1);
	request(7, "/c", 1);
	expect_uncut(CONN_OTHER,
		     ">1 POST api.openai.com /a\n>1 \"x\"\n>1 end 1 cut\n<1 end 0 cut\n");
}

static void a_lost_answer_head_ends_the_sight(void **state)
{
	start();
	request(1, "/a", 1);
	answer(1, 0);
	lost();
	data(HTTP_RESPONSE, 1, 1, "x");
	expect_uncut(CONN_OTHER, ">1 POST api.openai.com /a\n>1 end 0\n<1 end 0 cut\n");
}

static void a_broken_block_ends_the_sight(void **state)
{
	start();
	request(1, "/a", 0);
	frame(HTTP_REQUEST, 1, 5, 3, "\xff\xff\xff\xff\xff\xff\xff", 7);
	data(HTTP_REQUEST, 1, 1, "never read");
	expect_uncut(CONN_OTHER, ">1 POST api.openai.com /a\n>1 end 0 cut\n<1 end 0 cut\n");
}

static void a_foreign_frame_within_a_block_ends_the_sight(void **state)
{
	start();
	frame(HTTP_REQUEST, 1, 0, 1, "\x83", 1);
	data(HTTP_REQUEST, 1, 0, "x");
	expect_uncut(CONN_OTHER, "");
}

static void the_oldest_stream_makes_room(void **state)
{
	struct script script;
	struct conn_stats stats;

	start();
	for (uint32_t i = 0; i < 130; i++)
		request(1 + 2 * i, "/", 1);
	answer(1, 1);
	answer(259, 1);
	assert_int_equal(talk(0, SIZE_MAX / 2, &script, &stats), CONN_HTTP2);
	assert_non_null(strstr(script.text, "<1 end 0 cut\n>129 POST api.openai.com /\n"));
	assert_non_null(strstr(script.text, "<2 end 0 cut\n>130 POST api.openai.com /\n"));
	assert_null(strstr(script.text, "<1 200"));
	assert_non_null(strstr(script.text, "<130 200"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_gap_within_a_data_frame_is_only_lost_bytes),
		TEST(a_gap_across_data_frames_is_found_out_of),
		TEST(a_lost_piece_of_a_large_request_is_found_out_of),
		TEST(a_lost_request_head_ends_the_sight),
		TEST(a_lost_answer_head_ends_the_sight),
		TEST(a_broken_block_ends_the_sight),
		TEST(a_foreign_frame_within_a_block_ends_the_sight),
		TEST(the_oldest_stream_makes_room),
	};

	return cmocka_run_group_tests_name("http2_losses", tests, NULL, NULL);
}

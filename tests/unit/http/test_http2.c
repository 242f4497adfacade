/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP/2 that was seen whole. */
#include "frames.h"

static void a_request_and_its_answer(void **state)
{
	start();
	block(HTTP_REQUEST, 1, 0, 0,
	      FIELDS(":method", "POST", ":authority", "API.anthropic.com:443", ":path",
		     "/v1/messages?beta=true", "anthropic-version", "2023-06-01"));
	data(HTTP_REQUEST, 1, 0, "{\"a\"");
	data(HTTP_REQUEST, 1, 1, ":1}");
	block(HTTP_RESPONSE, 1, 0, 0, FIELDS(":status", "103", "link", "x"));
	answer(1, 0);
	data(HTTP_RESPONSE, 1, 0, "data: a\n\n");
	data(HTTP_RESPONSE, 1, 1, "");
	expect(">1 POST api.anthropic.com /v1/messages av\n>1 \"{\"a\":1}\"\n>1 end 7\n"
	       "<1 200 3\n<1 \"data: a\n\n\"\n<1 end 9\n");
}

static void streams_interleave(void **state)
{
	start();
	request(1, "/a", 0);
	request(3, "/b", 1);
	data(HTTP_REQUEST, 1, 1, "A");
	answer(3, 0);
	data(HTTP_RESPONSE, 3, 0, "b1");
	answer(1, 0);
	data(HTTP_RESPONSE, 1, 0, "a1");
	data(HTTP_RESPONSE, 3, 1, "b2");
	data(HTTP_RESPONSE, 1, 1, "a2");
	request(5, "/c", 1);
	answer(5, 1);
	expect(">1 POST api.openai.com /a\n>2 POST api.openai.com /b\n>2 end 0\n>1 \"A\"\n>1 end 1\n"
	       "<2 200 3\n<2 \"b1\"\n<1 200 3\n<1 \"a1\"\n<2 \"b2\"\n<2 end 4\n<1 \"a2\"\n<1 end 4\n"
	       ">3 POST api.openai.com /c\n>3 end 0\n<3 200 3\n<3 end 0\n");
}

static void continuation_padding_priority_and_trailers(void **state)
{
	uint8_t padded[64] = { 7 }, unknown[3] = { 1, 2, 3 };

	start();
	block(HTTP_REQUEST, 1, 0, 3, FIELDS(":method", "POST", ":authority", "h", ":path", "/p"));
	memcpy(padded + 1, "body", 4);
	frame(HTTP_REQUEST, 0, 8, 1, padded, 1 + 4 + 7);
	frame(HTTP_REQUEST, 2, 0, 1, "\0\0\0\0\20", 5);
	frame(HTTP_REQUEST, 0x20, 0xff, 1, unknown, 3);
	padded[0] = 3;
	frame(HTTP_REQUEST, 0, 9, 1, padded, 1 + 3);
	/* pad length 2, five bytes of priority, :status 200 of the static table, padding */
	frame(HTTP_RESPONSE, 1, 4 | 8 | 0x20, 1, "\2\0\0\0\0\20\x88\0\0", 9);
	frame(HTTP_RESPONSE, 8, 0, 1, "\0\0\1\0", 4);
	data(HTTP_RESPONSE, 1, 0, "x");
	frame(HTTP_RESPONSE, 6, 0, 0, "12345678", 8);
	block(HTTP_RESPONSE, 1, 1, 0, FIELDS("grpc-status", "0", "content-type", "evil"));
	expect(">1 POST h /p\n>1 \"body\"\n>1 end 4\n<1 200 0\n<1 \"x\"\n<1 end 1\n");
}

static void a_reset_cuts_both_sides(void **state)
{
	start();
	request(1, "/a", 1);
	answer(1, 0);
	data(HTTP_RESPONSE, 1, 0, "part");
	frame(HTTP_REQUEST, 3, 0, 1, "\0\0\0\10", 4);
	data(HTTP_RESPONSE, 1, 1, "late");
	request(3, "/b", 0);
	frame(HTTP_RESPONSE, 3, 0, 3, "\0\0\0\7", 4);
	expect(">1 POST api.openai.com /a\n>1 end 0\n<1 200 3\n<1 \"part\"\n<1 end 4 cut\n"
	       ">2 POST api.openai.com /b\n>2 end 0 cut\n<2 end 0 cut\n");
}

/* Whose client goes on once it has the length that was promised, or whose server ends the stream by itself later. */
static void an_answer_ends_with_its_length(void **state)
{
	start();
	for (uint32_t stream = 1; stream <= 3; stream += 2) {
		request(stream, "/a", 1);
		block(HTTP_RESPONSE, stream, 0, 0, FIELDS(":status", "200", "content-length", "8"));
		data(HTTP_RESPONSE, stream, 0, "part");
		data(HTTP_RESPONSE, stream, 0, "half");
	}
	frame(HTTP_REQUEST, 3, 0, 1, "\0\0\0\10", 4);
	data(HTTP_RESPONSE, 3, 1, "");
	expect(">1 POST api.openai.com /a\n>1 end 0\n<1 200 0\n<1 \"parthalf\"\n<1 end 8\n"
	       ">2 POST api.openai.com /a\n>2 end 0\n<2 200 0\n<2 \"parthalf\"\n<2 end 8\n");
}

/* What a request says of its length bounds nothing: a server may take more of it. */
static void a_request_goes_on_beyond_its_length(void **state)
{
	start();
	block(HTTP_REQUEST, 1, 0, 0,
	      FIELDS(":method", "POST", ":scheme", "https", ":authority", "api.openai.com", ":path",
		     "/a", "content-length", "4"));
	data(HTTP_REQUEST, 1, 0, "part");
	data(HTTP_REQUEST, 1, 1, "rest");
	expect(">1 POST api.openai.com /a\n>1 \"partrest\"\n>1 end 8\n<1 end 0 cut\n");
}

static void what_is_open_is_cut_by_the_end(void **state)
{
	start();
	request(1, "/a", 1);
	answer(1, 0);
	frame(HTTP_RESPONSE, 7, 0, 0, "\0\0\0\1\0\0\0\0", 8);
	data(HTTP_RESPONSE, 1, 0, "part");
	expect(">1 POST api.openai.com /a\n>1 end 0\n<1 200 3\n<1 \"part\"\n<1 end 4 cut\n");
}

static void table_sizes_follow_the_settings(void **state)
{
	start();
	request(1, "/a", 1);
	frame(HTTP_RESPONSE, 4, 0, 0, "\0\1\0\0\0\0", 6);
	request(3, "/b", 1); /* sent before the settings came: the old table still holds */
	frame(HTTP_REQUEST, 4, 1, 0, "", 0);
	nghttp2_hd_deflate_change_table_size(wire.deflaters[HTTP_REQUEST], 0);
	request(5, "/c", 1);
	request(7, "/d", 1);
	frame(HTTP_RESPONSE, 4, 0, 0, "\0\3\0\0\0\1\0\1\0\0\40\0", 12);
	frame(HTTP_REQUEST, 4, 1, 0, "", 0);
	nghttp2_hd_deflate_change_table_size(wire.deflaters[HTTP_REQUEST], 8192);
	request(9, "/e", 1);
	expect(">1 POST api.openai.com /a\n>1 end 0\n>2 POST api.openai.com /b\n>2 end 0\n"
	       ">3 POST api.openai.com /c\n>3 end 0\n>4 POST api.openai.com /d\n>4 end 0\n"
	       ">5 POST api.openai.com /e\n>5 end 0\n<1 end 0 cut\n<2 end 0 cut\n<3 end 0 cut\n"
	       "<4 end 0 cut\n<5 end 0 cut\n");
}

static void a_push_keeps_the_table_in_step(void **state)
{
	nghttp2_nv nv = { (uint8_t *)"x-request-id", (uint8_t *)"the same again", 12, 14, 0 };
	uint8_t bytes[256] = { 0, 0, 0, 2 };
	ssize_t n;

	start();
	request(1, "/a", 1);
	n = nghttp2_hd_deflate_hd(wire.deflaters[HTTP_RESPONSE], bytes + 4, 200, &nv, 1);
	frame(HTTP_RESPONSE, 5, 4, 1, bytes, 4 + n);
	answer(2, 0);
	data(HTTP_RESPONSE, 2, 1, "pushed");
	answer(1, 1);
	expect(">1 POST api.openai.com /a\n>1 end 0\n<1 200 3\n<1 end 0\n");
}

static void an_encoded_answer_is_undone(void **state)
{
	uint8_t packed[256];
	z_stream z = { .next_in = (Bytef *)"{\"usage\":1}",
		       .avail_in = 11,
		       .next_out = packed,
		       .avail_out = sizeof(packed) };

	assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY), Z_OK);
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	start();
	request(1, "/a", 1);
	block(HTTP_RESPONSE, 1, 0, 0,
	      FIELDS(":status", "200", "content-type", "application/json", "content-encoding",
		     "gzip"));
	frame(HTTP_RESPONSE, 0, 1, 1, packed, z.total_out);
	deflateEnd(&z);
	expect(">1 POST api.openai.com /a\n>1 end 0\n<1 200 1\n<1 \"{\"usage\":1}\"\n<1 end 31\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_request_and_its_answer),
		TEST(streams_interleave),
		TEST(continuation_padding_priority_and_trailers),
		TEST(a_reset_cuts_both_sides),
		TEST(an_answer_ends_with_its_length),
		TEST(a_request_goes_on_beyond_its_length),
		TEST(what_is_open_is_cut_by_the_end),
		TEST(table_sizes_follow_the_settings),
		TEST(a_push_keeps_the_table_in_step),
		TEST(an_encoded_answer_is_undone),
	};

	return cmocka_run_group_tests_name("http2", tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP/2 through struct conn; frames are written here, header blocks by nghttp2's deflater. */
#include "unit.h"

#include <nghttp2/nghttp2.h>
#include <zlib.h>

#include "http/conn.h"

struct script {
	char text[65536];
	size_t len;
	uint64_t body_of;
	uint64_t got[2], wire[2];
};

static void say(struct script *script, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(script->text + script->len, sizeof(script->text) - script->len, format, args);
	va_end(args);
	assert_in_range(n, 0, sizeof(script->text) - script->len - 1);
	script->len += n;
}

/* One line a head, a body, an end; a body's neighbouring pieces run together: cuts do not show. */
static void script_add(struct script *script, const struct http_piece *piece)
{
	char side = piece->side == HTTP_REQUEST ? '>' : '<';
	uint64_t body = piece->type == HTTP_BODY ? piece->exchange * 2 + piece->side : 0;
	const struct http_head *head = piece->head;

	if (script->body_of && script->body_of != body)
		say(script, "\"\n");
	if (body && script->body_of != body)
		say(script, "%c%d \"", side, (int)piece->exchange);
	script->body_of = body;
	switch (piece->type) {
	case HTTP_HEAD:
		if (piece->side == HTTP_REQUEST)
			say(script, "%c%d %s %s %s%s%s\n", side, (int)piece->exchange, head->method,
			    head->host, head->path, head->has_anthropic_version ? " av" : "",
			    head->is_upgrade ? " upgrade" : "");
		else
			say(script, "%c%d %d %d\n", side, (int)piece->exchange, head->status,
			    head->content);
		break;
	case HTTP_BODY:
		if (piece->lost_bytes)
			say(script, "[%d]", (int)piece->lost_bytes);
		say(script, "%.*s", (int)piece->len, (const char *)piece->bytes);
		break;
	case HTTP_END:
		say(script, "%c%d end %d%s\n", side, (int)piece->exchange, (int)piece->wire_bytes,
		    piece->is_whole ? "" : " cut");
		break;
	}
}

/* What was written, in order, and by whom. */
struct wire {
	struct {
		enum http_side side;
		size_t len, lost; /* lost: these bytes are not captured */
		uint8_t bytes[20000];
	} writes[160];
	size_t n;
	nghttp2_hd_deflater *deflaters[2];
};

static struct wire wire;

static int setup(void **state)
{
	memset(&wire, 0, sizeof(wire));
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(nghttp2_hd_deflate_new(&wire.deflaters[i], 4096), 0);
	return 0;
}

static int teardown(void **state)
{
	for (size_t i = 0; i < 2; i++)
		nghttp2_hd_deflate_del(wire.deflaters[i]);
	return 0;
}

static void put(enum http_side side, const void *bytes, size_t len)
{
	assert_true(wire.n < 160 && len <= sizeof(wire.writes[0].bytes));
	wire.writes[wire.n].side = side;
	wire.writes[wire.n].len = len;
	memcpy(wire.writes[wire.n].bytes, bytes, len);
	wire.n++;
}

static void frame(enum http_side side, int type, int flags, uint32_t stream, const void *bytes,
		  size_t len)
{
	uint8_t all[20000] = { len >> 16,    len >> 8,     len,         type,  flags,
			       stream >> 24, stream >> 16, stream >> 8, stream };

	memcpy(all + 9, bytes, len);
	put(side, all, 9 + len);
}

static void data(enum http_side side, uint32_t stream, int flags, const char *text)
{
	frame(side, 0, flags, stream, text, strlen(text));
}

/* Names and values, ended by NULL; cut: the block goes on in CONTINUATION from that byte. */
static void block(enum http_side side, uint32_t stream, int flags, size_t cut,
		  const char *const *fields)
{
	nghttp2_nv nvs[16];
	uint8_t bytes[4096];
	size_t n = 0;
	ssize_t len;

	for (; fields[2 * n]; n++)
		nvs[n] = (nghttp2_nv){ (uint8_t *)fields[2 * n], (uint8_t *)fields[2 * n + 1],
				       strlen(fields[2 * n]), strlen(fields[2 * n + 1]), 0 };
	len = nghttp2_hd_deflate_hd(wire.deflaters[side], bytes, sizeof(bytes), nvs, n);
	assert_true(len > 0);
	if (!cut) {
		frame(side, 1, flags | 4, stream, bytes, len);
		return;
	}
	frame(side, 1, flags, stream, bytes, cut);
	frame(side, 9, 0, stream, bytes, 0);
	frame(side, 9, 4, stream, bytes + cut, len - cut);
}
#define FIELDS(...) ((const char *const[]){ __VA_ARGS__, NULL })

static void start(void)
{
	put(HTTP_REQUEST, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 24);
	frame(HTTP_REQUEST, 4, 0, 0, "", 0);
	frame(HTTP_RESPONSE, 4, 0, 0, "\0\3\0\0\0\144", 6);
}

static void request(uint32_t stream, const char *path, int flags)
{
	block(HTTP_REQUEST, stream, flags, 0,
	      FIELDS(":method", "POST", ":scheme", "https", ":authority", "API.openai.com:443",
		     ":path", path, "content-type", "application/json", "x-long",
		     "a value for the table"));
}

static void answer(uint32_t stream, int flags)
{
	block(HTTP_RESPONSE, stream, flags, 0,
	      FIELDS(":status", "200", "content-type", "text/event-stream; charset=utf-8",
		     "x-request-id", "the same again"));
}

static void lost(void)
{
	wire.writes[wire.n - 1].lost = wire.writes[wire.n - 1].len;
}

static enum conn_protocol talk(size_t cut, size_t piece, struct script *script,
			       struct conn_stats *ret)
{
	struct conn *conn = conn_new(true);
	uint64_t offsets[2] = { 0, 0 };
	struct http_piece out;
	size_t at = 0;
	enum conn_protocol protocol;

	memset(script, 0, sizeof(*script));
	for (size_t i = 0; i < wire.n; i++) {
		enum http_side side = wire.writes[i].side;

		for (size_t from = wire.writes[i].lost, to; from < wire.writes[i].len; from = to) {
			to = from + piece < wire.writes[i].len ? from + piece : wire.writes[i].len;
			if (cut > at + from && cut < at + to)
				to = cut - at;
			_cleanup_free_ uint8_t *copy = malloc(to - from);

			memcpy(copy, wire.writes[i].bytes + from, to - from);
			conn_feed(conn, side, offsets[side] + from, copy, to - from);
			while (conn_next(conn, &out))
				script_add(script, &out);
		}
		offsets[side] += wire.writes[i].len;
		at += wire.writes[i].len;
	}
	protocol = conn_protocol(conn);
	conn_end(conn, offsets);
	while (conn_next(conn, &out))
		script_add(script, &out);
	conn_stats(conn, ret);
	conn_free(conn);
	return protocol;
}

static void expect(const char *expected)
{
	struct script script;
	struct conn_stats stats;
	size_t len = 0;

	for (size_t i = 0; i < wire.n; i++)
		len += wire.writes[i].len;
	for (size_t cut = 0; cut < len; cut++) {
		assert_int_equal(talk(cut, SIZE_MAX / 2, &script, &stats), CONN_HTTP2);
		assert_string_equal(script.text, expected);
		assert_int_equal(stats.resyncs, 0);
	}
	talk(0, 1, &script, &stats);
	assert_string_equal(script.text, expected);
}

static void expect_uncut(enum conn_protocol protocol, const char *expected)
{
	struct script script;
	struct conn_stats stats;

	assert_int_equal(talk(0, SIZE_MAX / 2, &script, &stats), protocol);
	assert_string_equal(script.text, expected);
}

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

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_request_and_its_answer),
		TEST(streams_interleave),
		TEST(continuation_padding_priority_and_trailers),
		TEST(a_reset_cuts_both_sides),
		TEST(what_is_open_is_cut_by_the_end),
		TEST(table_sizes_follow_the_settings),
		TEST(a_push_keeps_the_table_in_step),
		TEST(an_encoded_answer_is_undone),
		TEST(a_gap_within_a_data_frame_is_only_lost_bytes),
		TEST(a_gap_across_data_frames_is_found_out_of),
		TEST(a_lost_piece_of_a_large_request_is_found_out_of),
		TEST(a_lost_request_head_ends_the_sight),
		TEST(a_lost_answer_head_ends_the_sight),
		TEST(a_broken_block_ends_the_sight),
		TEST(a_foreign_frame_within_a_block_ends_the_sight),
		TEST(the_oldest_stream_makes_room),
	};

	return cmocka_run_group_tests_name("http2", tests, NULL, NULL);
}

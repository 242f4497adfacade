/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP/2 through struct conn; frames are written here, header blocks by nghttp2's deflater. */
#ifndef UNIT_HTTP_FRAMES_H
#define UNIT_HTTP_FRAMES_H

#include "script.h"

#include <nghttp2/nghttp2.h>
#include <zlib.h>

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

static inline int setup(void **state)
{
	memset(&wire, 0, sizeof(wire));
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(nghttp2_hd_deflate_new(&wire.deflaters[i], 4096), 0);
	return 0;
}

static inline int teardown(void **state)
{
	for (size_t i = 0; i < 2; i++)
		nghttp2_hd_deflate_del(wire.deflaters[i]);
	return 0;
}

static inline void put(enum http_side side, const void *bytes, size_t len)
{
	assert_true(wire.n < 160 && len <= sizeof(wire.writes[0].bytes));
	wire.writes[wire.n].side = side;
	wire.writes[wire.n].len = len;
	memcpy(wire.writes[wire.n].bytes, bytes, len);
	wire.n++;
}

static inline void frame(enum http_side side, int type, int flags, uint32_t stream,
			 const void *bytes, size_t len)
{
	uint8_t all[20000] = { len >> 16,    len >> 8,     len,         type,  flags,
			       stream >> 24, stream >> 16, stream >> 8, stream };

	memcpy(all + 9, bytes, len);
	put(side, all, 9 + len);
}

static inline void data(enum http_side side, uint32_t stream, int flags, const char *text)
{
	frame(side, 0, flags, stream, text, strlen(text));
}

/* Names and values, ended by NULL; cut: the block goes on in CONTINUATION from that byte. */
static inline void block(enum http_side side, uint32_t stream, int flags, size_t cut,
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

static inline void start(void)
{
	put(HTTP_REQUEST, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 24);
	frame(HTTP_REQUEST, 4, 0, 0, "", 0);
	frame(HTTP_RESPONSE, 4, 0, 0, "\0\3\0\0\0\144", 6);
}

static inline void request(uint32_t stream, const char *path, int flags)
{
	block(HTTP_REQUEST, stream, flags, 0,
	      FIELDS(":method", "POST", ":scheme", "https", ":authority", "API.openai.com:443",
		     ":path", path, "content-type", "application/json", "x-long",
		     "a value for the table"));
}

static inline void answer(uint32_t stream, int flags)
{
	block(HTTP_RESPONSE, stream, flags, 0,
	      FIELDS(":status", "200", "content-type", "text/event-stream; charset=utf-8",
		     "x-request-id", "the same again"));
}

static inline void lost(void)
{
	wire.writes[wire.n - 1].lost = wire.writes[wire.n - 1].len;
}

static inline enum conn_protocol talk(size_t cut, size_t piece, struct script *script,
				      struct conn_stats *ret)
{
	struct conn *conn = conn_new(true);
	uint64_t offsets[2] = { 0, 0 };
	size_t at = 0;
	enum conn_protocol protocol;

	*script = (struct script){ .shows_content = true };
	for (size_t i = 0; i < wire.n; i++) {
		enum http_side side = wire.writes[i].side;

		for (size_t from = wire.writes[i].lost, to; from < wire.writes[i].len; from = to) {
			to = from + piece < wire.writes[i].len ? from + piece : wire.writes[i].len;
			if (cut > at + from && cut < at + to)
				to = cut - at;
			_cleanup_free_ uint8_t *copy = malloc(to - from);

			memcpy(copy, wire.writes[i].bytes + from, to - from);
			conn_feed(conn, side, offsets[side] + from, copy, to - from);
			pull(conn, script);
		}
		offsets[side] += wire.writes[i].len;
		at += wire.writes[i].len;
	}
	protocol = conn_protocol(conn);
	conn_end(conn, offsets);
	pull(conn, script);
	conn_stats(conn, ret);
	conn_free(conn);
	return protocol;
}

static inline void expect(const char *expected)
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

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif

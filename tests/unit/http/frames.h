/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP/2 through struct conn; frames are written here, header blocks by nghttp2's deflater. */
#ifndef UNIT_HTTP_FRAMES_H
#define UNIT_HTTP_FRAMES_H

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

static inline void say(struct script *script, const char *format, ...)
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
static inline void script_add(struct script *script, const struct http_piece *piece)
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

/* SPDX-License-Identifier: Apache-2.0 */
#include "http/conn.h"

#include <stdlib.h>
#include <string.h>

#include "http/http1.h"

/*
 * What is held of each side until its protocol is known: "PRI " and the longest method with its
 * space, or the head of an HTTP/2 frame (9 bytes), fit.
 */
#define HELD_MAX 24

struct input {
	enum http_side side;
	const uint8_t *bytes;
	size_t len;
};

struct conn {
	enum conn_protocol protocol;
	bool from_start;
	uint8_t n_held[2];
	uint8_t n_inputs;
	uint8_t held[2][HELD_MAX];
	uint64_t expected[2];	/* the offset that comes next */
	struct http1 *http1;
	struct input inputs[3];	/* held ones, then the one fed: to be read, in order */
	uint64_t gaps, gap_bytes;
};

struct conn *conn_new(bool from_start)
{
	struct conn *conn = calloc(1, sizeof(*conn));

	if (conn)
		conn->from_start = from_start;
	return conn;
}

struct conn *conn_free(struct conn *conn)
{
	if (!conn)
		return NULL;
	http1_free(conn->http1);
	free(conn);
	return NULL;
}

enum guess { GUESS_MORE, GUESS_HTTP1, GUESS_HTTP2, GUESS_SERVER, GUESS_OTHER };

/* The first bytes of a connection, of the side that wrote a request or should have. */
static enum guess guess_request_line(const uint8_t *bytes, size_t len)
{
	size_t n = 0;

	while (n < len && n < HTTP_METHOD_LEN && bytes[n] >= 'A' && bytes[n] <= 'Z')
		n++;
	if (n == len && n < HTTP_METHOD_LEN)
		return GUESS_MORE;
	if (n < 3 || n == len || bytes[n] != ' ')
		return GUESS_OTHER;
	/* the connection preface, RFC 9113 3.4 */
	return n == 3 && !memcmp(bytes, "PRI", 3) ? GUESS_HTTP2 : GUESS_HTTP1;
}

static enum guess guess_start(enum http_side side, const uint8_t *bytes, size_t len)
{
	enum guess guess;

	if (!memcmp(bytes, "HTTP/", len < 5 ? len : 5)) {
		if (len < 5)
			return GUESS_MORE;
		return side == HTTP_RESPONSE ? GUESS_HTTP1 : GUESS_SERVER;
	}
	/* a server may send its SETTINGS (type 4, stream 0) before it has seen the preface */
	if (side == HTTP_RESPONSE && bytes[0] == 0) {
		if (len < 9)
			return GUESS_MORE;
		return bytes[3] == 4 && !memcmp(bytes + 5, "\0\0\0\0", 4) ? GUESS_HTTP2 :
									    GUESS_OTHER;
	}
	guess = guess_request_line(bytes, len);
	if (side == HTTP_RESPONSE && (guess == GUESS_HTTP1 || guess == GUESS_HTTP2))
		return GUESS_SERVER;
	return guess;
}

/* Frames that fill the piece to its last byte: HTTP/2 whose header compression was not followed. */
static bool is_frames(const uint8_t *bytes, size_t len)
{
	size_t n = 0;

	for (; len >= 9 && n < 64; n++) {
		size_t frame = 9 + ((size_t)bytes[0] << 16 | bytes[1] << 8 | bytes[2]);

		/* types end at CONTINUATION, 9; the stream's first bit is reserved: RFC 9113 4.1, 6 */
		if (bytes[3] > 9 || bytes[5] & 0x80 || frame > len)
			return false;
		bytes += frame;
		len -= frame;
	}
	return n && !len;
}

/* A piece from the middle of a connection. */
static enum guess guess_middle(enum http_side side, const uint8_t *bytes, size_t len)
{
	if (len >= 4 && !memcmp(bytes, "PRI ", 4))
		return side == HTTP_REQUEST ? GUESS_HTTP2 : GUESS_SERVER;
	if (http1_is_request(bytes, len))
		return side == HTTP_REQUEST ? GUESS_HTTP1 : GUESS_SERVER;
	if (http1_is_response(bytes, len))
		return side == HTTP_RESPONSE ? GUESS_HTTP1 : GUESS_SERVER;
	return is_frames(bytes, len) ? GUESS_OTHER : GUESS_MORE;
}

static void input_add(struct conn *conn, enum http_side side, const uint8_t *bytes, size_t len)
{
	if (len)
		conn->inputs[conn->n_inputs++] = (struct input){ side, bytes, len };
}

static void protocol_set(struct conn *conn, enum guess guess)
{
	switch (guess) {
	case GUESS_MORE:
		return;
	case GUESS_HTTP1:
		conn->http1 = http1_new(conn->from_start);
		conn->protocol = conn->http1 ? CONN_HTTP1 : CONN_OTHER;
		return;
	case GUESS_SERVER:
		conn->protocol = CONN_SERVER;
		return;
	case GUESS_HTTP2:
	case GUESS_OTHER:
		conn->protocol = CONN_OTHER;
		return;
	}
}

/* Nothing is known yet: looks at a piece, holds its beginning if that does not say enough. */
static void detect(struct conn *conn, enum http_side side, const uint8_t *bytes, size_t len)
{
	uint8_t *held = conn->held[side];
	uint8_t *n_held = &conn->n_held[side];
	size_t had = *n_held, n = len < HELD_MAX - had ? len : HELD_MAX - had;

	if (!conn->from_start) {
		protocol_set(conn, guess_middle(side, bytes, len));
		input_add(conn, side, bytes, len);
		return;
	}
	memcpy(held + had, bytes, n);
	*n_held += n;
	protocol_set(conn, guess_start(side, held, *n_held));
	if (conn->protocol == CONN_UNKNOWN)
		return;
	*n_held = had;
	for (enum http_side s = HTTP_REQUEST; s <= HTTP_RESPONSE; s++) {
		input_add(conn, s, conn->held[s], conn->n_held[s]);
		if (s == side)
			input_add(conn, side, bytes, len);
	}
}

void conn_feed(struct conn *conn, enum http_side side, uint64_t offset, const uint8_t *bytes,
	       size_t len)
{
	uint64_t expected = conn->expected[side], gap = 0;

	conn->n_inputs = 0;
	if (offset < expected) {
		if (expected - offset >= len)
			return;
		bytes += expected - offset;
		len -= expected - offset;
	} else if (offset > expected) {
		gap = offset - expected;
		conn->gaps++;
		conn->gap_bytes += gap;
	}
	if (!len)
		return;
	conn->expected[side] = expected + gap + len;
	if (conn->protocol == CONN_UNKNOWN) {
		if (gap)
			conn->from_start = false;
		detect(conn, side, bytes, len);
		if (conn->protocol == CONN_UNKNOWN)
			conn->n_inputs = 0;
		return;
	}
	if (conn->http1 && gap)
		http1_gap(conn->http1, side, gap);
	input_add(conn, side, bytes, len);
}

void conn_end(struct conn *conn, const uint64_t total_bytes[2])
{
	conn->n_inputs = 0;
	for (enum http_side s = HTTP_REQUEST; s <= HTTP_RESPONSE; s++) {
		uint64_t gap;

		if (total_bytes[s] <= conn->expected[s])
			continue;
		gap = total_bytes[s] - conn->expected[s];
		conn->expected[s] = total_bytes[s];
		conn->gaps++;
		conn->gap_bytes += gap;
		if (conn->http1)
			http1_gap(conn->http1, s, gap);
	}
	if (conn->http1)
		http1_end(conn->http1);
}

bool conn_next(struct conn *conn, struct http_piece *ret)
{
	if (!conn->http1)
		return false;
	for (;;) {
		if (http1_next(conn->http1, ret))
			return true;
		if (http1_is_tunnel(conn->http1))
			conn->protocol = CONN_OTHER;
		if (!conn->n_inputs)
			return false;
		http1_feed(conn->http1, conn->inputs[0].side, conn->inputs[0].bytes,
			   conn->inputs[0].len);
		conn->n_inputs--;
		memmove(conn->inputs, conn->inputs + 1, conn->n_inputs * sizeof(conn->inputs[0]));
	}
}

enum conn_protocol conn_protocol(const struct conn *conn)
{
	return conn->protocol;
}

void conn_stats(const struct conn *conn, struct conn_stats *ret)
{
	*ret = (struct conn_stats){ .gaps = conn->gaps, .gap_bytes = conn->gap_bytes };
	if (!conn->http1)
		return;
	ret->resyncs = http1_resyncs(conn->http1);
	ret->bad_encodings = http1_bad_encodings(conn->http1);
}

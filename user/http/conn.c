/* SPDX-License-Identifier: Apache-2.0 */
#include "http/conn.h"

#include <stdlib.h>
#include <string.h>

#include "http/http1.h"
#include "http/http2/http2.h"
#include "http/sniff.h"

struct input {
	enum http_side side;
	const uint8_t *bytes;
	size_t len;
};

struct conn {
	enum conn_protocol protocol;
	bool from_start;
	bool may_start;  /* nothing has come but the first bytes of the client */
	bool is_drained; /* the parser has nothing to give of what it was told so far */
	uint8_t n_held[2];
	uint8_t n_inputs;
	uint8_t held[2][SNIFF_START_MAX];
	uint64_t expected[2]; /* the offset that comes next */
	uint64_t handed[2];   /* bytes before it that a parser was told of */
	struct http1 *http1;  /* at most one of these */
	struct http2 *http2;
	struct input inputs[3]; /* held ones, then the one fed: to be read, in order */
	uint64_t gaps, gap_bytes;
};

struct conn *conn_new(bool from_start)
{
	struct conn *conn = calloc(1, sizeof(*conn));

	if (conn) {
		conn->from_start = from_start;
		conn->may_start = true;
	}
	return conn;
}

struct conn *conn_free(struct conn *conn)
{
	if (!conn)
		return NULL;
	http1_free(conn->http1);
	http2_free(conn->http2);
	free(conn);
	return NULL;
}

static void input_add(struct conn *conn, enum http_side side, const uint8_t *bytes, size_t len)
{
	if (!len)
		return;
	conn->inputs[conn->n_inputs++] = (struct input){ side, bytes, len };
	if (conn->http1 || conn->http2)
		conn->handed[side] += len;
}

static void protocol_set(struct conn *conn, enum sniff sniff)
{
	switch (sniff) {
	case SNIFF_MORE:
		return;
	case SNIFF_HTTP1:
		conn->http1 = http1_new(conn->from_start);
		conn->protocol = conn->http1 ? CONN_HTTP1 : CONN_OTHER;
		return;
	case SNIFF_SERVER:
		conn->protocol = CONN_SERVER;
		return;
	case SNIFF_HTTP2:
		conn->http2 = http2_new();
		conn->protocol = conn->http2 ? CONN_HTTP2 : CONN_OTHER;
		return;
	case SNIFF_OTHER:
		conn->protocol = CONN_OTHER;
		return;
	}
}

/* It is known where the connection began: hands on what was held, and this piece. */
static void begin(struct conn *conn, enum http_side side, size_t had, const uint8_t *bytes,
		  size_t len)
{
	conn->n_held[side] = had;
	for (enum http_side s = HTTP_REQUEST; s <= HTTP_RESPONSE; s++) {
		input_add(conn, s, conn->held[s], conn->n_held[s]);
		if (s == side)
			input_add(conn, side, bytes, len);
	}
}

/*
 * What the first bytes of a side say, of which as many are held as are needed. Of a connection that may have been older, and
 * whose client speaks first here, a request line says that it begins here.
 */
static enum sniff first_bytes(const struct conn *conn, enum http_side side)
{
	const uint8_t *held = conn->held[side];
	size_t n = conn->n_held[side];
	enum sniff sniff = sniff_start(side, held, n);

	if (conn->from_start || sniff != SNIFF_HTTP1 || sniff_is_request(held, n))
		return sniff;
	return n < SNIFF_START_MAX ? SNIFF_MORE : SNIFF_OTHER;
}

/* Nothing is known yet: looks at a piece, holds its beginning if that does not say enough. */
static void detect(struct conn *conn, enum http_side side, const uint8_t *bytes, size_t len)
{
	size_t had = conn->n_held[side], blank = had ? 0 : sniff_blank(side, bytes, len), n;
	enum sniff sniff;

	bytes += blank;
	len -= blank;
	conn->handed[side] += blank;
	if (!len)
		return;
	if (conn->from_start || conn->may_start) {
		n = len < SNIFF_START_MAX - had ? len : SNIFF_START_MAX - had;
		memcpy(conn->held[side] + had, bytes, n);
		conn->n_held[side] += n;
		sniff = first_bytes(conn, side);
		if (sniff == SNIFF_MORE)
			return;
		if (conn->from_start || sniff != SNIFF_OTHER) {
			conn->from_start = true;
			protocol_set(conn, sniff);
			begin(conn, side, had, bytes, len);
			return;
		}
		conn->may_start = false;
		conn->n_held[side] = 0;
	}
	protocol_set(conn, sniff_middle(side, bytes, len));
	input_add(conn, side, bytes, len);
}

static void gap_take(struct conn *conn, enum http_side side, uint64_t n)
{
	conn->gaps++;
	conn->gap_bytes += n;
	conn->is_drained = false;
	if (conn->http1)
		http1_gap(conn->http1, side, n);
	if (conn->http2)
		http2_gap(conn->http2, side, n);
	if (conn->http1 || conn->http2)
		conn->handed[side] += n;
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
	}
	if (!len)
		return;
	conn->expected[side] = expected + gap + len;
	if (gap)
		gap_take(conn, side, gap);
	if (conn->protocol == CONN_UNKNOWN) {
		if (gap)
			conn->from_start = conn->may_start = false;
		if (side == HTTP_RESPONSE)
			conn->may_start = false;
		detect(conn, side, bytes, len);
		if (conn->protocol == CONN_UNKNOWN)
			conn->n_inputs = 0;
		return;
	}
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
		gap_take(conn, s, gap);
	}
	conn->is_drained = false;
	if (conn->http1)
		http1_end(conn->http1);
	if (conn->http2)
		http2_end(conn->http2);
}

/* From what was fed to the parser so far. */
static bool parser_next(struct conn *conn, struct http_piece *ret)
{
	if (conn->http1 ? http1_next(conn->http1, ret) : http2_next(conn->http2, ret))
		return true;
	if (conn->http1 ? http1_is_tunnel(conn->http1) : http2_is_lost(conn->http2))
		conn->protocol = CONN_OTHER;
	return false;
}

bool conn_next(struct conn *conn, struct http_piece *ret)
{
	if (!conn->http1 && !conn->http2)
		return false;
	for (;;) {
		const struct input *input = &conn->inputs[0];

		if (!conn->is_drained && parser_next(conn, ret))
			return true;
		conn->is_drained = true;
		if (!conn->n_inputs)
			return false;
		conn->is_drained = false;
		if (conn->http1)
			http1_feed(conn->http1, input->side, input->bytes, input->len);
		else
			http2_feed(conn->http2, input->side, input->bytes, input->len);
		if (--conn->n_inputs)
			memmove(conn->inputs, conn->inputs + 1,
				conn->n_inputs * sizeof(conn->inputs[0]));
	}
}

enum conn_protocol conn_protocol(const struct conn *conn)
{
	return conn->protocol;
}

void conn_stats(const struct conn *conn, struct conn_stats *ret)
{
	*ret = (struct conn_stats){ .gaps = conn->gaps, .gap_bytes = conn->gap_bytes };
	if (conn->http1) {
		ret->resyncs = http1_resyncs(conn->http1);
		ret->bad_encodings = http1_bad_encodings(conn->http1);
		ret->is_upgraded = http1_is_tunnel(conn->http1);
	}
	if (conn->http2) {
		ret->resyncs = http2_resyncs(conn->http2);
		ret->bad_encodings = http2_bad_encodings(conn->http2);
	}
	for (enum http_side s = HTTP_REQUEST; s <= HTTP_RESPONSE; s++) {
		ret->unread_bytes[s] = conn->expected[s] - conn->handed[s];
		if (conn->http1)
			ret->unread_bytes[s] += http1_unread(conn->http1, s);
		if (conn->http2)
			ret->unread_bytes[s] += http2_unread(conn->http2, s);
	}
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the fuzzers of connections share: a conversation goes through struct conn, its pieces are
 * checked for order and sums and become a hash that does not tell where bodies were cut.
 */
#ifndef FUZZ_TALK_H
#define FUZZ_TALK_H

#include <stdlib.h>
#include <string.h>

#include "http/conn.h"

#define MUST(condition)           \
	do {                      \
		if (!(condition)) \
			abort();  \
	} while (0)

/* Messages open at once: both sides of as many streams as HTTP/2 may hold, and more. */
#define TALK_OPEN 1024

struct talk_open {
	uint64_t exchange, wire_bytes, hash;
	enum http_side side;
	bool is_identity;
};

struct talk {
	struct conn *conn;
	uint64_t hash; /* a sum over messages: their pieces may interleave differently */
	uint64_t pieces, given_bytes, fed_bytes;
	uint64_t last_request;
	size_t n_open;
	struct talk_open open[TALK_OPEN];
};

static inline uint64_t talk_mix(uint64_t hash, const void *bytes, size_t len)
{
	const uint8_t *at = bytes;

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ at[i]) * 0x100000001b3u;
	return hash;
}

static inline struct talk_open *talk_find(struct talk *talk, const struct http_piece *piece)
{
	for (size_t i = 0; i < talk->n_open; i++)
		if (talk->open[i].exchange == piece->exchange && talk->open[i].side == piece->side)
			return &talk->open[i];
	return NULL;
}

/* Behind its end a request of HTTP/1 goes on as a WebSocket. */
static inline void talk_resume(struct talk *talk, const struct http_piece *piece)
{
	struct http_piece request = { .exchange = piece->exchange, .side = HTTP_REQUEST };

	if (!piece->head->is_websocket || piece->side != HTTP_RESPONSE || talk_find(talk, &request))
		return;
	MUST(talk->n_open < TALK_OPEN);
	talk->open[talk->n_open++] = (struct talk_open){ .exchange = piece->exchange,
							 .side = HTTP_REQUEST,
							 .is_identity = true,
							 .hash = piece->exchange };
}

static inline void talk_piece(struct talk *talk, const struct http_piece *piece)
{
	struct talk_open *open = talk_find(talk, piece);
	const struct http_head *head = piece->head;

	MUST(piece->exchange > 0);
	talk->pieces++;
	switch (piece->type) {
	case HTTP_HEAD:
		MUST(!open && talk->n_open < TALK_OPEN && head->side == piece->side);
		if (piece->side == HTTP_REQUEST) {
			MUST(piece->exchange > talk->last_request);
			talk->last_request = piece->exchange;
		}
		open = &talk->open[talk->n_open++];
		*open = (struct talk_open){ .exchange = piece->exchange, .side = piece->side };
		open->is_identity = head->encoding == HTTP_IDENTITY;
		open->hash = talk_mix(piece->exchange * 2 + piece->side, head->host,
				      strlen(head->host));
		open->hash = talk_mix(open->hash, head->path, strlen(head->path));
		open->hash = talk_mix(open->hash, head->method, strlen(head->method));
		open->hash = talk_mix(open->hash, &head->status, sizeof(head->status));
		open->hash = talk_mix(open->hash, &head->content, sizeof(head->content));
		talk_resume(talk, piece);
		break;
	case HTTP_BODY:
		MUST(open && (piece->len || piece->lost_bytes));
		MUST(!piece->len || piece->bytes);
		open->hash = talk_mix(open->hash, piece->bytes, piece->len);
		open->wire_bytes += piece->len + piece->lost_bytes;
		break;
	case HTTP_END:
		if (!open) {
			MUST(piece->side == HTTP_RESPONSE && !piece->is_whole && !piece->wire_bytes);
			break;
		}
		MUST(!open->is_identity || open->wire_bytes == piece->wire_bytes);
		open->hash = talk_mix(open->hash, &piece->wire_bytes, 8);
		talk->hash += talk_mix(open->hash, &piece->is_whole, 1);
		*open = talk->open[--talk->n_open];
		break;
	}
}

static inline void talk_pull(struct talk *talk)
{
	struct http_piece piece;
	uint64_t before = talk->pieces;

	while (conn_next(talk->conn, &piece)) {
		talk_piece(talk, &piece);
		MUST(talk->pieces - before < 100000);
	}
}

static inline void talk_feed(struct talk *talk, enum http_side side, uint64_t offset,
			     const uint8_t *bytes, size_t len)
{
	uint8_t *copy = malloc(len ? len : 1);

	memcpy(copy, bytes, len);
	conn_feed(talk->conn, side, offset, copy, len);
	talk_pull(talk);
	free(copy);
}

static inline void talk_end(struct talk *talk, const uint64_t totals[2], struct conn_stats *ret)
{
	conn_end(talk->conn, totals);
	talk_pull(talk);
	MUST(!talk->n_open);
	conn_stats(talk->conn, ret);
	talk->conn = conn_free(talk->conn);
}

/* Side after side, from the start: whole, or in pieces that the seed chooses. */
static inline uint64_t talk_sides(const uint8_t *bytes[2], const size_t len[2], unsigned seed,
				  bool is_cut, struct conn_stats *ret)
{
	static struct talk talk;
	uint64_t totals[2] = { len[0], len[1] };

	memset(&talk, 0, sizeof(talk));
	talk.conn = conn_new(true);
	for (int side = 0; side < 2; side++) {
		for (size_t at = 0, n; at < len[side]; at += n) {
			n = len[side] - at;
			if (is_cut) {
				seed = seed * 1103515245 + 12345;
				n = 1 + (seed >> 16) % (seed >> 28 > 3 ? 60 : 3);
				n = n < len[side] - at ? n : len[side] - at;
			}
			talk_feed(&talk, side, at, bytes[side] + at, n);
		}
	}
	talk_end(&talk, totals, ret);
	return talk.hash;
}

/* Unless something had to be given up, where it was cut must not show. */
static inline void talk_both_ways(const uint8_t *bytes[2], const size_t len[2], unsigned seed)
{
	struct conn_stats whole, cut;
	uint64_t a = talk_sides(bytes, len, 0, false, &whole);
	uint64_t b = talk_sides(bytes, len, seed, true, &cut);

	MUST(!whole.resyncs == !cut.resyncs);
	if (!whole.resyncs && !whole.bad_encodings && !cut.bad_encodings)
		MUST(a == b);
}

#endif

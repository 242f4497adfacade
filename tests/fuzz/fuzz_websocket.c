/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as one direction of a WebSocket: where they are cut must not show, unless frames had to be found
 * again; and as both sides of a session of each kind, whose turns must be whole exchanges. The first
 * byte says what was agreed on, the second seeds the cuts.
 */
#include <stdlib.h>
#include <string.h>

#include "http/websocket.h"
#include "meter/session.h"

#define MUST(condition)           \
	do {                      \
		if (!(condition)) \
			abort();  \
	} while (0)

static uint64_t mix(uint64_t hash, const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		hash = (hash ^ bytes[i]) * 0x100000001b3u;
	return hash;
}

static size_t next_cut(unsigned *seed, size_t left)
{
	size_t n;

	*seed = *seed * 1103515245 + 12345;
	n = 1 + (*seed >> 16) % (*seed >> 28 > 3 ? 60 : 3);
	return n < left ? n : left;
}

static bool run(const uint8_t *bytes, size_t len, const struct http_deflate *deflate, unsigned seed,
		bool is_cut, uint64_t *ret)
{
	struct websocket websocket;
	struct websocket_piece piece;
	bool is_open = false, is_exact;

	*ret = 0xcbf29ce484222325u;
	websocket_init(&websocket, HTTP_REQUEST, deflate);
	for (size_t at = 0, n; at < len; at += n) {
		uint8_t *copy;

		n = is_cut ? next_cut(&seed, len - at) : len - at;
		copy = malloc(n);
		memcpy(copy, bytes + at, n);
		websocket_feed(&websocket, copy, n);
		while (websocket_next(&websocket, &piece)) {
			MUST(piece.is_first == !is_open && (!piece.is_lost || piece.is_last));
			*ret = mix(*ret, piece.bytes, piece.len);
			if (piece.is_last)
				*ret = mix(*ret, (const uint8_t *)(piece.is_lost ? "!" : ";"), 1);
			is_open = !piece.is_last;
		}
		free(copy);
	}
	is_exact = !websocket.resyncs && !websocket.bad_encodings;
	websocket_done(&websocket);
	return is_exact;
}

/* Of each exchange: a head, bodies, an end, on each side; nothing behind the answer's end. */
static struct {
	uint64_t exchange;
	bool has_head[2], has_end[2];
} turns[64];
static size_t n_turns;

static void turn_take(const struct http_piece *piece)
{
	size_t i = 0;

	while (i < n_turns && turns[i].exchange != piece->exchange)
		i++;
	if (i == n_turns) {
		MUST(piece->type == HTTP_HEAD && piece->side == HTTP_REQUEST);
		MUST(n_turns < sizeof(turns) / sizeof(turns[0]));
		memset(&turns[n_turns], 0, sizeof(turns[0]));
		turns[n_turns++].exchange = piece->exchange;
	}
	MUST(!turns[i].has_end[piece->side]);
	if (piece->type == HTTP_HEAD) {
		MUST(!turns[i].has_head[piece->side]);
		turns[i].has_head[piece->side] = true;
	} else if (piece->type == HTTP_END) {
		turns[i].has_end[piece->side] = true;
	} else {
		MUST(turns[i].has_head[piece->side] &&
		     (piece->len || piece->is_last || piece->lost_bytes));
	}
	if (turns[i].has_end[HTTP_RESPONSE]) {
		MUST(turns[i].has_end[HTTP_REQUEST]);
		turns[i] = turns[--n_turns];
	}
}

static void take(struct sessions **sessions, const struct http_piece *piece)
{
	struct http_piece turn;
	size_t n = 0;

	if (!sessions_feed(sessions, piece, NULL))
		return;
	while (sessions_next(*sessions, &turn)) {
		turn_take(&turn);
		MUST(++n < 100000);
	}
}

static void talk(const char *host, const char *path, const struct http_deflate *deflate,
		 const uint8_t *bytes, size_t len, unsigned seed)
{
	struct http_head request = { .side = HTTP_REQUEST, .method = "GET", .is_websocket = true };
	struct http_head answer = {
		.side = HTTP_RESPONSE, .status = 101, .is_websocket = true, .deflate = *deflate
	};
	struct http_piece piece = { .type = HTTP_HEAD, .exchange = 1, .head = &request };
	struct sessions *sessions = NULL;

	n_turns = 0;
	strcpy(request.host, host);
	strcpy(request.path, path);
	take(&sessions, &piece);
	piece = (struct http_piece){
		.type = HTTP_HEAD, .side = HTTP_RESPONSE, .exchange = 1, .head = &answer
	};
	take(&sessions, &piece);
	for (size_t at = 0, n; at < len; at += n) {
		uint8_t *copy;

		n = next_cut(&seed, len - at);
		copy = malloc(n);
		memcpy(copy, bytes + at, n);
		for (enum http_side side = HTTP_REQUEST; side <= HTTP_RESPONSE; side++) {
			piece = (struct http_piece){ .type = HTTP_BODY,
						     .side = side,
						     .exchange = 1,
						     .bytes = copy,
						     .len = n,
						     .lost_bytes = seed % 97 ? 0 : 5 };
			take(&sessions, &piece);
		}
		free(copy);
	}
	piece = (struct http_piece){ .type = HTTP_END, .side = HTTP_RESPONSE, .exchange = 1 };
	take(&sessions, &piece);
	MUST(!n_turns);
	sessions_free(sessions);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct http_deflate deflate;
	uint64_t whole, cut;
	bool is_exact;

	if (len < 2)
		return 0;
	deflate.is_on = bytes[0] & 1;
	deflate.resets[HTTP_REQUEST] = deflate.resets[HTTP_RESPONSE] = bytes[0] & 2;
	is_exact = run(bytes + 2, len - 2, &deflate, 0, false, &whole);
	MUST(is_exact == run(bytes + 2, len - 2, &deflate, bytes[1], true, &cut));
	MUST(!is_exact || whole == cut);
	talk("api.openai.com", "/v1/responses", &deflate, bytes + 2, len - 2, bytes[1]);
	talk("api.openai.com", "/v1/realtime", &deflate, bytes + 2, len - 2, bytes[1]);
	talk("generativelanguage.googleapis.com", "/ws/x.GenerativeService.BidiGenerateContent",
	     &deflate, bytes + 2, len - 2, bytes[1]);
	talk("api.openai.com", "/v1/unknown", &deflate, bytes + 2, len - 2, bytes[1]);
	return 0;
}

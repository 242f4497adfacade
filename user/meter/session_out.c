/* SPDX-License-Identifier: Apache-2.0 */
/* The turns in progress of a session, and their pieces that wait to be pulled. */
#include <string.h>

#include "meter/session_internal.h"

static struct http_piece *put(struct session *session, const struct turn *turn,
			      enum http_piece_type type, enum http_side side)
{
	struct http_piece *piece;

	if (session->n_out == SESSION_OUT_MAX) /* no message leads to so many */
		session->n_out--;
	piece = &session->out[session->n_out++];
	memset(piece, 0, sizeof(*piece));
	piece->type = type;
	piece->side = side;
	piece->exchange = turn->exchange;
	return piece;
}

struct turn *session_begin(struct session *session, const struct http_head *request, uint64_t key)
{
	struct turn *turn;

	if (session->n_turns == SESSION_TURNS_MAX)
		session_end(session, &session->turns[0], /* is_whole= */ false);
	turn = &session->turns[session->n_turns++];
	*turn = (struct turn){ .exchange = ++session->n_begun << 32 | session->exchange,
			       .key = key };
	put(session, turn, HTTP_HEAD, HTTP_REQUEST)->head = request;
	return turn;
}

static void answer_begin(struct session *session, struct turn *turn)
{
	if (turn->is_answered)
		return;
	turn->is_answered = true;
	put(session, turn, HTTP_HEAD, HTTP_RESPONSE)->head = &session->answer;
}

void session_give(struct session *session, struct turn *turn, enum http_side side,
		  const struct http_piece *body)
{
	struct http_piece *piece;

	if (side == HTTP_RESPONSE)
		answer_begin(session, turn);
	turn->bytes[side] += body->len;
	piece = put(session, turn, HTTP_BODY, side);
	piece->bytes = body->bytes;
	piece->len = body->len;
	piece->lost_bytes = body->lost_bytes;
	piece->is_first = body->is_first;
	piece->is_last = body->is_last;
}

static void end(struct session *session, struct turn *turn, enum http_side side, bool is_whole)
{
	struct http_piece *piece = put(session, turn, HTTP_END, side);

	piece->wire_bytes = turn->bytes[side];
	piece->is_whole = is_whole;
}

void session_asked(struct session *session, struct turn *turn, bool is_whole)
{
	turn->is_asked = true;
	end(session, turn, HTTP_REQUEST, is_whole);
}

void session_end(struct session *session, struct turn *turn, bool is_whole)
{
	if (!turn->is_asked)
		session_asked(session, turn, /* is_whole= */ false);
	end(session, turn, HTTP_RESPONSE, is_whole);
	session->n_turns--;
	memmove(turn, turn + 1, (size_t)(&session->turns[session->n_turns] - turn) * sizeof(*turn));
}

struct turn *session_turn(struct session *session, uint64_t key)
{
	for (size_t i = 0; i < session->n_turns; i++)
		if (!key || session->turns[i].key == key)
			return &session->turns[i];
	return NULL;
}

struct turn *session_turn_of(struct session *session, uint64_t exchange)
{
	for (size_t i = 0; i < session->n_turns; i++)
		if (session->turns[i].exchange == exchange)
			return &session->turns[i];
	return NULL;
}

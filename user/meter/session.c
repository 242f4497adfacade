/* SPDX-License-Identifier: Apache-2.0 */
#include "meter/session_internal.h"

#include <stdlib.h>
#include <string.h>

#include "provider/api.h"

struct sessions {
	struct session *list;
	struct session *fed;
	uint64_t unread[2]; /* of those that are gone */
};

/* Messages. */

static void message_begin(struct session_message *message)
{
	memset(&message->said, 0, sizeof(message->said));
	json_init(&message->scan, session_keys(), &message->sink);
	message->n_held = 0;
	message->exchange = 0;
	message->is_routed = message->is_given = false;
}

/* False: it is too long, or there is no memory. */
static bool message_hold(struct session_message *message, const uint8_t *bytes, size_t len)
{
	size_t need = message->n_held + len;
	uint8_t *held;

	if (need > SESSION_HELD_MAX)
		return false;
	if (need > message->room) {
		held = realloc(message->held, need > 4096 ? SESSION_HELD_MAX : 4096);
		if (!held)
			return false;
		message->held = held;
		message->room = need > 4096 ? SESSION_HELD_MAX : 4096;
	}
	if (len)
		memcpy(message->held + message->n_held, bytes, len);
	message->n_held = need;
	return true;
}

static void message_give(struct session *session, enum http_side side, const uint8_t *bytes,
			 size_t len, bool is_last)
{
	struct session_message *message = &session->messages[side];
	struct turn *turn = session_turn_of(session, message->exchange);
	struct http_piece body = {
		.bytes = bytes, .len = len, .is_first = !message->is_given, .is_last = is_last
	};

	if (!turn || (!len && !is_last))
		return;
	message->is_given = true;
	session_give(session, turn, side, &body);
}

/* To whom it goes is said now; what was held goes there. */
static void message_route(struct session *session, enum http_side side, bool is_last)
{
	struct session_message *message = &session->messages[side];
	struct turn *turn = session_route(session, side, &message->said, is_last);

	message->is_routed = true;
	message->exchange = turn ? turn->exchange : 0;
}

static void message_take(struct session *session, enum http_side side,
			 const struct websocket_piece *piece)
{
	struct session_message *message = &session->messages[side];
	bool is_held = false, was_routed;

	if (piece->is_first)
		message_begin(message);
	was_routed = message->is_routed;
	if (piece->len)
		(void)json_feed(&message->scan, piece->bytes, piece->len);
	if (!was_routed)
		is_held = message_hold(message, piece->bytes, piece->len);
	if (is_held && !piece->is_last)
		return;
	if (!was_routed) {
		message_route(session, side, piece->is_last);
		message_give(session, side, message->held, message->n_held,
			     is_held && piece->is_last);
	}
	if (!is_held)
		message_give(session, side, piece->bytes, piece->len, piece->is_last);
	if (piece->is_last)
		session_settle(session, side, &message->said,
			       session_turn_of(session, message->exchange));
}

/* The rest of a message is missing: the turn that it is of, or else may be of, has a hole. */
static void message_lose(struct session *session, enum http_side side, bool is_first)
{
	struct session_message *message = &session->messages[side];
	struct http_piece hole = { .lost_bytes = 1 };
	struct turn *turn;

	if (is_first)
		message_begin(message);
	turn = session_turn_of(session, message->exchange);
	if (!turn && side == HTTP_RESPONSE)
		turn = session_turn(session, 0);
	if (turn)
		session_give(session, turn, side, &hole);
	if (side == HTTP_REQUEST && message->exchange && turn)
		session_asked(session, turn, /* is_whole= */ false);
	message_begin(message);
}

/* The connection's pieces. */

static void session_close(struct session *session)
{
	session->is_over = true;
	for (size_t i = 0; i < 2; i++) {
		struct session_message *message = &session->messages[i];

		websocket_feed(&message->websocket, NULL, 0);
		free(message->held);
		message->held = NULL;
		message->n_held = message->room = 0;
	}
}

static void session_open(struct session *session, const struct http_head *answer)
{
	bool is_agreed = answer->status == 101 ||
			 (answer->status / 100 == 2 && !strcmp(session->request.method, "CONNECT"));

	if (!is_agreed)
		return;
	session->is_open = true;
	for (size_t i = 0; i < 2; i++) {
		struct session_message *message = &session->messages[i];

		websocket_init(&message->websocket, i, &answer->deflate);
		message->session = session;
		message->sink = (struct json_sink){ .value = session_said, .arg = message };
		message_begin(message);
	}
}

static struct session *session_new(const struct http_head *request, const char *host,
				   uint64_t exchange)
{
	const struct api_provider *provider = api_find(api_host(host, request->host));
	const struct endpoint *endpoint;
	struct session *session;

	if (!provider)
		return NULL;
	session = calloc(1, sizeof(*session));
	if (!session)
		return NULL;
	endpoint = request->path_is_cut ? NULL : endpoint_find_session(provider, request->path);
	session->kind = endpoint ? endpoint->session : SESSION_NONE;
	session->exchange = exchange;
	session->request = *request;
	session->answer = (struct http_head){ .side = HTTP_RESPONSE,
					      .status = 200,
					      .content = HTTP_CONTENT_MESSAGES };
	return session;
}

static void session_free(struct session *session)
{
	session_close(session);
	for (size_t i = 0; i < 2; i++)
		websocket_done(&session->messages[i].websocket);
	free(session);
}

/* The turns that are left are cut; of HTTP/1 the request's end without an answer is not the session's. */
static void session_cut(struct session *session)
{
	if (session->n_turns && session->n_out < SESSION_OUT_MAX)
		session_end(session, &session->turns[0], /* is_whole= */ false);
}

static void session_take(struct session *session, const struct http_piece *piece)
{
	switch (piece->type) {
	case HTTP_HEAD:
		if (piece->side == HTTP_RESPONSE)
			session_open(session, piece->head);
		break;
	case HTTP_BODY:
		if (!session->is_open)
			break;
		if (session->kind == SESSION_NONE) {
			session->unread[piece->side] += piece->len + piece->lost_bytes;
			break;
		}
		if (piece->lost_bytes)
			websocket_gap(&session->messages[piece->side].websocket, piece->lost_bytes);
		websocket_feed(&session->messages[piece->side].websocket, piece->bytes, piece->len);
		break;
	case HTTP_END:
		if (piece->side == HTTP_RESPONSE)
			session_close(session);
		break;
	}
}

bool sessions_feed(struct sessions **sessions, const struct http_piece *piece, const char *host)
{
	struct session *session = *sessions ? (*sessions)->list : NULL;

	while (session && session->exchange != piece->exchange)
		session = session->next;
	if (!session) {
		if (piece->type != HTTP_HEAD || piece->side != HTTP_REQUEST ||
		    !piece->head->is_websocket)
			return false;
		session = session_new(piece->head, host, piece->exchange);
		if (session && !*sessions)
			*sessions = calloc(1, sizeof(**sessions));
		if (!session || !*sessions) {
			free(session);
			return false;
		}
		session->next = (*sessions)->list;
		(*sessions)->list = session;
	}
	(*sessions)->fed = session;
	session_take(session, piece);
	return true;
}

static void session_drop(struct sessions *sessions, struct session *session)
{
	struct session **at = &sessions->list;

	while (*at != session)
		at = &(*at)->next;
	*at = session->next;
	for (size_t i = 0; i < 2; i++)
		sessions->unread[i] += session->unread[i];
	session_free(session);
}

/* Reads on until there is something to give. False: there is nothing. */
static bool session_read(struct session *session)
{
	struct websocket_piece piece;

	if (session->is_over) {
		session_cut(session);
		return session->n_out;
	}
	for (enum http_side side = HTTP_REQUEST; session->is_open && side <= HTTP_RESPONSE; side++)
		while (websocket_next(&session->messages[side].websocket, &piece)) {
			if (piece.is_lost)
				message_lose(session, side, piece.is_first);
			else
				message_take(session, side, &piece);
			if (session->n_out)
				return true;
		}
	return false;
}

bool sessions_next(struct sessions *sessions, struct http_piece *ret)
{
	struct session *session = sessions->fed;

	if (!session)
		return false;
	if (session->given == session->n_out) {
		session->given = session->n_out = 0;
		if (!session_read(session)) {
			if (session->is_over)
				session_drop(sessions, session);
			sessions->fed = NULL;
			return false;
		}
	}
	*ret = session->out[session->given++];
	return true;
}

struct sessions *sessions_free(struct sessions *sessions)
{
	if (!sessions)
		return NULL;
	while (sessions->list)
		session_drop(sessions, sessions->list);
	free(sessions);
	return NULL;
}

void sessions_unread(const struct sessions *sessions, uint64_t ret[2])
{
	ret[0] = sessions ? sessions->unread[0] : 0;
	ret[1] = sessions ? sessions->unread[1] : 0;
	for (const struct session *s = sessions ? sessions->list : NULL; s; s = s->next)
		for (size_t i = 0; i < 2; i++)
			ret[i] += s->unread[i];
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The layers of a session, top to bottom: its bytes and messages (session.c), what the messages mean for its
 * turns (session_turns.c), the pieces of turns that wait to be pulled (session_out.c). For these only.
 */
#ifndef METER_SESSION_INTERNAL_H
#define METER_SESSION_INTERNAL_H

#include "base/json.h"
#include "http/websocket.h"
#include "provider/provider.h"
#include "meter/session.h"

/* What of a message is held until it is whole, or until it must be said whose it is without that. */
#define SESSION_HELD_MAX (1u << 16)
/*
 * Turns in progress; the oldest is given up for one more. Responses are answered one after the other in each of
 * their streams, Realtime and Gemini have one and now and then a second.
 */
#define SESSION_TURNS_MAX 32
/* What one piece of a message can lead to: a turn that ends, one that begins and ends. */
#define SESSION_OUT_MAX  10
#define SESSION_TYPE_LEN 64

struct turn {
	uint64_t exchange;
	uint64_t key;      /* of its stream or response, which its events name; 0: none was named */
	uint64_t bytes[2]; /* as sent, before compression */
	bool is_asked;     /* its request has ended */
	bool is_answered;  /* its answer has begun */
	/* Gemini: the model has come to an end; what it used was told. */
	bool is_complete, has_usage;
};

/* What a message says about whose it is. */
struct said {
	char type[SESSION_TYPE_LEN];
	uint64_t key;
	bool has_usage;
	bool is_content;  /* Gemini: of a turn */
	bool is_complete; /* Gemini: the turn's last, or the model waits for a tool */
};

/* The message in progress of one side. */
struct session_message {
	struct websocket websocket;
	struct json_scan scan;
	struct json_sink sink;
	struct said said;
	struct session *session;
	uint8_t *held;
	size_t n_held, room;
	uint64_t exchange; /* of the turn that it goes to; 0: to none */
	bool is_routed;    /* it is not held any more */
	bool is_given;     /* something of it was given */
};

struct session {
	struct session *next;
	uint64_t exchange; /* of the WebSocket itself */
	enum session_kind kind;
	bool is_open; /* both have agreed */
	bool is_over;
	struct http_head request, answer; /* of every turn */
	char heard_by[HTTP_MODEL_LEN];    /* Realtime: the model that writes down what is said */
	struct session_message messages[2];
	struct turn turns[SESSION_TURNS_MAX]; /* the oldest first */
	size_t n_turns;
	uint64_t n_begun;
	struct http_head heard; /* the request of a transcription */
	struct http_piece out[SESSION_OUT_MAX];
	size_t n_out, given;
	uint64_t unread[2]; /* SESSION_NONE: its bytes */
};

/* ---- session_out.c ---- */

/* A turn begins; its request is open. */
struct turn *session_begin(struct session *session, const struct http_head *request, uint64_t key);
/* Bytes of its request or its answer, whose head goes before the first; is_first, is_last: of a message. */
void session_give(struct session *session, struct turn *turn, enum http_side side,
		  const struct http_piece *body);
void session_asked(struct session *session, struct turn *turn, bool is_whole);
/* It has ended, and is gone. */
void session_end(struct session *session, struct turn *turn, bool is_whole);
/* The oldest of this key (0: of any), or NULL. */
struct turn *session_turn(struct session *session, uint64_t key);
struct turn *session_turn_of(struct session *session, uint64_t exchange);

/* ---- session_turns.c ---- */

/* Keys of a message that say whose it is, and what they say. */
const struct json_node *session_keys(void);
void session_said(void *arg, int id, enum json_kind kind, const char *key, const char *text,
		  bool is_cut);
/*
 * So much of a message of `side` is known that it must be said to which turn it goes, which may begin with it;
 * is_last: it is whole.
 */
struct turn *session_route(struct session *session, enum http_side side, const struct said *said,
			   bool is_last);
/* The message has ended, all that it says is known; turn: whose it was, or NULL. */
void session_settle(struct session *session, enum http_side side, const struct said *said,
		    struct turn *turn);

#endif

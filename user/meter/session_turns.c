/* SPDX-License-Identifier: Apache-2.0 */
/* What the messages of a session mean for its turns: docs/facts/wire.md, "WebSocket traffic". */
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "meter/session_internal.h"

enum {
	SAID_TYPE = 1,
	SAID_KEY, /* the stream, or the response, that an event is of */
	SAID_MODEL,
	SAID_HEARD_BY,
	SAID_USAGE,
	SAID_SETUP_MODEL,
	SAID_CONTENT,
	SAID_COMPLETE,
	SAID_TOOL_CALL,
};

static const struct json_node response[] = {
	{ "id", SAID_KEY, NULL, false },
	JSON_NODES_END,
};
static const struct json_node transcription[] = {
	{ "model", SAID_HEARD_BY, NULL, false },
	JSON_NODES_END,
};
static const struct json_node audio_input[] = {
	{ "transcription", 0, transcription, false },
	JSON_NODES_END,
};
static const struct json_node audio[] = {
	{ "input", 0, audio_input, false },
	JSON_NODES_END,
};
static const struct json_node settings[] = {
	{ "model", SAID_MODEL, NULL, false },
	{ "input_audio_transcription", 0, transcription, false },
	{ "audio", 0, audio, false },
	JSON_NODES_END,
};
static const struct json_node setup[] = {
	{ "model", SAID_SETUP_MODEL, NULL, false },
	JSON_NODES_END,
};
static const struct json_node content[] = {
	{ "turnComplete", SAID_COMPLETE, NULL, false },
	JSON_NODES_END,
};
static const struct json_node keys[] = {
	{ "type", SAID_TYPE, NULL, false },
	{ "stream_id", SAID_KEY, NULL, false },
	{ "response_id", SAID_KEY, NULL, false },
	{ "response", 0, response, false },
	{ "session", 0, settings, false },
	{ "usage", SAID_USAGE, NULL, false },
	{ "setup", 0, setup, false },
	{ "serverContent", SAID_CONTENT, content, false },
	{ "toolCall", SAID_TOOL_CALL, NULL, false },
	{ "usageMetadata", SAID_USAGE, NULL, false },
	{ "isFinal", SAID_COMPLETE, NULL, false },
	JSON_NODES_END,
};

const struct json_node *session_keys(void)
{
	return keys;
}

/* FNV-1a; 0 is no key. */
static uint64_t hash(const char *text)
{
	uint64_t value = hash_fnv1a(FNV1A_BASIS, text, strlen(text));

	return value ? value : 1;
}

void session_said(void *arg, int id, enum json_kind kind, const char *key, const char *text,
		  bool is_cut)
{
	struct session_message *message = arg;
	struct session *session = message->session;
	struct said *said = &message->said;
	bool is_name = kind == JSON_IS_STRING && *text && !is_cut;
	const char *slash;

	switch (id) {
	case SAID_TYPE:
		if (is_name)
			snprintf(said->type, sizeof(said->type), "%s", text);
		break;
	case SAID_KEY:
		/* An event of the Responses API names its stream; there a response has an id as well. */
		if (is_name && (session->kind != SESSION_RESPONSES || !strcmp(key, "stream_id")))
			said->key = hash(text);
		break;
	case SAID_MODEL:
		if (is_name)
			snprintf(session->request.model, HTTP_MODEL_LEN, "%s", text);
		break;
	case SAID_HEARD_BY:
		if (is_name)
			snprintf(session->heard_by, HTTP_MODEL_LEN, "%s", text);
		break;
	case SAID_SETUP_MODEL:
		/* "models/M", or Vertex's path to it */
		slash = strrchr(text, '/');
		if (is_name)
			snprintf(session->request.model, HTTP_MODEL_LEN, "%s",
				 slash ? slash + 1 : text);
		break;
	case SAID_USAGE:
		said->has_usage |= kind == JSON_IS_BEGIN;
		said->is_content |= kind == JSON_IS_BEGIN;
		break;
	case SAID_CONTENT:
		said->is_content |= kind == JSON_IS_BEGIN;
		break;
	case SAID_COMPLETE:
		said->is_complete |= kind == JSON_IS_TRUE;
		break;
	case SAID_TOOL_CALL:
		said->is_content |= kind == JSON_IS_BEGIN;
		said->is_complete |= kind == JSON_IS_BEGIN;
		break;
	}
}

static bool is(const struct said *said, const char *type)
{
	return !strcmp(said->type, type);
}

/* Begun by the server: all of its request that there is has gone before. */
static struct turn *begin_asked(struct session *session, const struct http_head *request,
				uint64_t key)
{
	struct turn *turn = session_begin(session, request, key);

	session_asked(session, turn, /* is_whole= */ true);
	return turn;
}

/* OpenAI's Responses: a message asks, and the events of its stream answer, one turn after another. */

static struct turn *route_responses(struct session *session, enum http_side side,
				    const struct said *said)
{
	if (side == HTTP_RESPONSE)
		return session_turn(session, said->key);
	/* of one so long that its type was not seen yet there is no other */
	return is(said, "response.create") || !*said->type ?
		       session_begin(session, &session->request, said->key) :
		       NULL;
}

static void settle_responses(struct session *session, enum http_side side, const struct said *said,
			     struct turn *turn)
{
	if (!turn)
		return;
	if (side == HTTP_REQUEST) {
		turn->key = said->key;
		session_asked(session, turn, /* is_whole= */ true);
	} else if (is(said, "response.completed") || is(said, "response.incomplete") ||
		   is(said, "response.failed") || is(said, "error")) {
		session_end(session, turn, /* is_whole= */ true);
	}
}

/* OpenAI's Realtime: a response begins with its event, whether the client asked or the server heard enough. */

#define HEARD "conversation.item.input_audio_transcription.completed"

/* The other model's work: a call that is one event. */
static struct turn *begin_heard(struct session *session)
{
	session->heard = session->request;
	snprintf(session->heard.model, sizeof(session->heard.model), "%s", session->heard_by);
	strncat(session->heard.path, SESSION_TRANSCRIPTION,
		sizeof(session->heard.path) - 1 - strlen(session->heard.path));
	return begin_asked(session, &session->heard, 0);
}

static struct turn *route_realtime(struct session *session, enum http_side side,
				   const struct said *said)
{
	struct turn *turn = said->key ? session_turn(session, said->key) : NULL;

	if (side == HTTP_REQUEST)
		return NULL;
	if (is(said, HEARD))
		return said->has_usage ? begin_heard(session) : NULL;
	if (turn || (!is(said, "response.created") && !is(said, "response.done")))
		return turn;
	return begin_asked(session, &session->request, said->key);
}

static void settle_realtime(struct session *session, const struct said *said, struct turn *turn)
{
	if (turn && (is(said, "response.done") || is(said, HEARD)))
		session_end(session, turn, /* is_whole= */ true);
}

/*
 * Gemini Live: a turn is what comes up to the end of what the model has to say, or to its call of a tool, and
 * usage that is told with it or behind it. Each is billed with the whole context before it.
 */
static struct turn *route_live(struct session *session, enum http_side side,
			       const struct said *said, bool is_last)
{
	struct turn *turn = session_turn(session, 0);

	/* what is too long to be held is content */
	if (side == HTTP_REQUEST || (is_last && !said->is_content))
		return NULL;
	if (turn && turn->is_complete && !said->has_usage && !said->is_complete) {
		session_end(session, turn, /* is_whole= */ true);
		turn = NULL;
	}
	return turn ? turn : begin_asked(session, &session->request, 0);
}

static void settle_live(struct session *session, const struct said *said, struct turn *turn)
{
	if (!turn)
		return;
	turn->is_complete |= said->is_complete;
	turn->has_usage |= said->has_usage;
	if (turn->is_complete && turn->has_usage)
		session_end(session, turn, /* is_whole= */ true);
}

/* One call from its first message to the server's summary, or to the end of the connection. */
static struct turn *route_whole(struct session *session)
{
	struct turn *turn = session_turn(session, 0);

	return turn || session->n_begun ? turn : session_begin(session, &session->request, 0);
}

/* Deepgram's, AssemblyAI's and ElevenLabs' last words. */
static void settle_whole(struct session *session, enum http_side side, const struct said *said,
			 struct turn *turn)
{
	if (!turn || side == HTTP_REQUEST)
		return;
	if (!is(said, "Metadata") && !is(said, "Termination") && !said->is_complete)
		return;
	session_asked(session, turn, /* is_whole= */ true);
	session_end(session, turn, /* is_whole= */ true);
}

struct turn *session_route(struct session *session, enum http_side side, const struct said *said,
			   bool is_last)
{
	switch (session->kind) {
	case SESSION_RESPONSES:
		return route_responses(session, side, said);
	case SESSION_REALTIME:
		return route_realtime(session, side, said);
	case SESSION_LIVE:
		return route_live(session, side, said, is_last);
	case SESSION_WHOLE:
		return route_whole(session);
	case SESSION_NONE:
		break;
	}
	return NULL;
}

void session_settle(struct session *session, enum http_side side, const struct said *said,
		    struct turn *turn)
{
	switch (session->kind) {
	case SESSION_RESPONSES:
		settle_responses(session, side, said, turn);
		break;
	case SESSION_REALTIME:
		settle_realtime(session, said, turn);
		break;
	case SESSION_LIVE:
		settle_live(session, said, turn);
		break;
	case SESSION_WHOLE:
		settle_whole(session, side, said, turn);
		break;
	case SESSION_NONE:
		break;
	}
}

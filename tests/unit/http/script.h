/* SPDX-License-Identifier: Apache-2.0 */
/* What a conversation through struct conn came to, as text: one comparison shows everything. */
#ifndef UNIT_HTTP_SCRIPT_H
#define UNIT_HTTP_SCRIPT_H

#include "unit.h"

#include "http/conn.h"

/* One line a head, a body, an end; a body's neighbouring pieces run together: cuts do not show. */
struct script {
	char text[65536];
	size_t len;
	uint64_t body_of;         /* the exchange and side whose body is being written */
	uint64_t got[2], wire[2]; /* body bytes and lost ones; as the ends say */
	bool shows_content;       /* of answers: enum http_content behind the status */
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
		assert_int_equal(head->side, piece->side);
		say(script, "%c%d ", side, (int)piece->exchange);
		if (piece->side == HTTP_REQUEST)
			say(script, "%s %s %s", head->method, head->host, head->path);
		else
			say(script, "%d", head->status);
		if (piece->side == HTTP_RESPONSE && script->shows_content)
			say(script, " %d", head->content);
		say(script, "%s%s%s%s%s\n", head->path_is_cut ? " cut" : "",
		    head->is_upgrade ? " upgrade" : "", head->has_anthropic_version ? " av" : "",
		    head->provider_cost[0] ? " $" : "", head->provider_cost);
		break;
	case HTTP_BODY:
		assert_true(piece->len || piece->lost_bytes);
		if (piece->lost_bytes)
			say(script, "[%d]", (int)piece->lost_bytes);
		say(script, "%.*s", (int)piece->len, (const char *)piece->bytes);
		script->got[piece->side] += piece->len + piece->lost_bytes;
		break;
	case HTTP_END:
		say(script, "%c%d end %d%s\n", side, (int)piece->exchange, (int)piece->wire_bytes,
		    piece->is_whole ? "" : " cut");
		script->wire[piece->side] += piece->wire_bytes;
		break;
	}
}

static inline void pull(struct conn *conn, struct script *script)
{
	struct http_piece piece;

	while (conn_next(conn, &piece))
		script_add(script, &piece);
}

#endif

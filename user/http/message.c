/* SPDX-License-Identifier: Apache-2.0 */
#include "http/message.h"

/* What was applied last is undone first. */
static void begin_body(struct body *body, const struct http_head *head)
{
	bool is_transfer = head->transfer_encoding != HTTP_IDENTITY;

	if (is_transfer && head->inner_encoding != HTTP_IDENTITY)
		body_begin(body, HTTP_ENCODING_UNKNOWN);
	else
		body_begin(body, is_transfer ? head->transfer_encoding : head->encoding);
	body->inner.encoding = is_transfer ? head->encoding : head->inner_encoding;
}

void message_open(struct message *message, const struct http_head *head)
{
	message->state = MESSAGE_OPEN;
	message->has_head = true;
	message->is_holed = false;
	message->grpc_status = 0;
	begin_body(&message->body, head);
}

void message_resume(struct message *message)
{
	message->state = MESSAGE_OPEN;
	body_begin(&message->body, HTTP_IDENTITY);
}

void message_end(struct message *message, bool is_whole)
{
	if (message->state == MESSAGE_ENDED)
		return;
	message->state = MESSAGE_ENDED;
	message->has_end = true;
	message->is_whole = is_whole && !message->is_holed;
}

bool message_give(struct message *message, const struct http_head *head, struct http_piece *ret)
{
	if (message->has_head) {
		message->has_head = false;
		ret->type = HTTP_HEAD;
		ret->head = head;
		return true;
	}
	if (body_next(&message->body, ret)) {
		ret->type = HTTP_BODY;
		return true;
	}
	if (!message->has_end)
		return false;
	message->has_end = false;
	ret->type = HTTP_END;
	ret->wire_bytes = message->body.wire_bytes;
	ret->is_whole = message->is_whole;
	ret->is_refused = message->is_refused;
	ret->grpc_status = message->grpc_status;
	body_end(&message->body);
	return true;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* One message, whatever its version: head, body and end, in the order in which they are given. */
#ifndef HTTP_MESSAGE_H
#define HTTP_MESSAGE_H

#include "http/body.h"
#include "http/http.h"

enum message_state { MESSAGE_NONE, MESSAGE_OPEN, MESSAGE_ENDED };

/* All zero is one that has not begun. */
struct message {
	struct body body;
	enum message_state state;
	uint32_t length; /* of the body, where its head says it beside the framing; 0: it does not */
	uint8_t grpc_status;    /* as in struct http_piece */
	bool has_head, has_end; /* to be given */
	bool is_whole;
	bool is_refused; /* as in struct http_piece */
	bool is_holed;   /* bytes may have been lost unseen: it will not end as whole */
};

/* Its head is known; also for the next message after one that ended. */
void message_open(struct message *message, const struct http_head *head);
/* Its body goes on behind its end, as it is. */
void message_resume(struct message *message);
/* It ends, if it has not yet; one that never began gets an end all the same. */
void message_end(struct message *message, bool is_whole);
/* False: there is nothing to give. A stream is asked several times for each piece that comes. */
static inline bool message_may_give(const struct message *message)
{
	return message->has_head || message->has_end || message->body.len ||
	       message->body.lost_bytes || message->body.decoder;
}
/* Sets type and content of the next piece; false: nothing for now. */
bool message_give(struct message *message, const struct http_head *head, struct http_piece *ret);

#endif

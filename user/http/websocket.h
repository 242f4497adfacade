/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One direction of a WebSocket (RFC 6455) to its messages: takes the frames apart, undoes masking and
 * permessage-deflate (RFC 7692), joins fragments and passes control frames over. Messages go on in pieces of
 * bounded size, so that one of any length needs no more memory than another. It does not look into them.
 *
 * Feeding and pulling alternate, as with a connection: after websocket_feed() or websocket_gap(), call
 * websocket_next() until it returns false. The fed bytes must stay valid until then.
 */
#ifndef HTTP_WEBSOCKET_H
#define HTTP_WEBSOCKET_H

#include "http/http.h"

#define WEBSOCKET_HEAD_MAX 14   /* RFC 6455 5.2 */
#define WEBSOCKET_STEP     4096 /* bytes that are unmasked at a time */

struct websocket_piece {
	const uint8_t *bytes; /* valid until the next call on this direction */
	size_t len;
	bool is_first, is_last; /* of its message; the last one may be empty */
	bool is_lost; /* the rest of the message cannot be known: this is its last piece */
};

struct decoder;

/* The fields are the module's own. */
struct websocket {
	struct decoder *decoder; /* from the first compressed message on */
	const uint8_t *bytes;    /* fed, not read yet */
	size_t len;
	const uint8_t *packed; /* of a compressed message, not given to the decoder yet */
	size_t n_packed;
	uint64_t left; /* of the frame's payload */
	uint64_t resyncs, bad_encodings;
	uint8_t head[WEBSOCKET_HEAD_MAX];
	uint8_t n_head;
	uint8_t mask_at; /* of the mask's four bytes, the next */
	uint8_t mask[4];
	bool deflates, resets;
	bool is_searching; /* for a frame, after a gap */
	bool is_control;   /* the frame */
	bool is_final;     /* the frame: its message's last */
	bool is_open;      /* a message is */
	bool is_begun;     /* and its first piece was given */
	bool is_packed;    /* and is compressed */
	bool is_passed;    /* and goes nowhere: it cannot be known */
	bool is_ending;    /* and has come to its end, but for what the decoder holds */
	bool tells_loss;   /* to be told */
	bool is_broken;    /* no compressed message can be read any more */
	bool is_tailed;    /* the four bytes that the sender left out were given */
	uint8_t plain[WEBSOCKET_STEP];
};

/* All that the direction of `side` needs of what both agreed on. */
void websocket_init(struct websocket *websocket, enum http_side side,
		    const struct http_deflate *deflate);
void websocket_done(struct websocket *websocket);

void websocket_feed(struct websocket *websocket, const uint8_t *bytes, size_t len);
/*
 * The next n bytes were not captured. Within one frame that costs its message; beyond it, frames are found
 * again where a fed piece begins with one. Compressed messages refer to those before them: unless each begins
 * anew, none is read behind a gap in one.
 */
void websocket_gap(struct websocket *websocket, uint64_t n);
bool websocket_next(struct websocket *websocket, struct websocket_piece *ret);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* What http2.c and the meaning of frames (http2_frames.c) share; nobody else includes it. */
#ifndef HTTP_HTTP2_HTTP2_STATE_H
#define HTTP_HTTP2_HTTP2_STATE_H

#include "http/http2/block.h"
#include "http/http2/frame.h"
#include "http/http2/http2.h"
#include "http/http2/streams.h"

enum http2_part {
	PREFACE, /* of the connection */
	HEAD,    /* of a frame */
	PAD_LENGTH,
	PREFIX, /* priority or promised stream: not read */
	CONTENT,
	PADDING,
	SEARCH, /* after a gap: for a frame */
};

struct direction {
	struct block block;
	const uint8_t *bytes; /* fed, not read yet */
	size_t len;
	struct frame frame;
	enum http2_part part;
	uint32_t left;           /* of the frame's content, after its prefix */
	uint64_t unread;         /* passed over, and of no message */
	uint8_t prefix, padding; /* bytes left of them */
	uint8_t n_buf;
	uint8_t buf[FRAME_HEAD]; /* a frame's head, one setting, or a number */
};

struct http2 {
	struct direction directions[2];
	struct streams streams;
	uint32_t next_stream; /* what the next request's number is, if none is left out */
	uint64_t resyncs;
	bool had_gap; /* of requests, across frames */
	bool is_lost;
	bool is_ending; /* every stream is to be ended */
	bool is_leaving; /* the server went away, and streams beyond the last that it looked at are to be ended */
	uint32_t last_stream;
};

static inline struct direction *direction_of(struct http2 *http2, enum http_side side)
{
	return &http2->directions[side];
}

static inline void give_up(struct http2 *http2)
{
	http2->resyncs++;
	http2->is_lost = true;
	http2->is_ending = true;
}

void http2_content_take(struct http2 *http2, enum http_side side, const uint8_t *bytes, size_t n);
void http2_frame_end(struct http2 *http2, enum http_side side);
void http2_part_next(struct http2 *http2, enum http_side side);
void http2_content_begin(struct http2 *http2, enum http_side side);
void http2_frame_begin(struct http2 *http2, enum http_side side);

#endif

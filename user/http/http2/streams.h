/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The live streams of an HTTP/2 connection and what of them waits to be given. Whoever changes one
 * pulls streams_give() until false before changing another.
 */
#ifndef HTTP_HTTP2_STREAMS_H
#define HTTP_HTTP2_STREAMS_H

#include "http/message.h"

/* At once; servers allow 100 to 250. 128 x 176 bytes. */
#define STREAMS_MAX 128

struct stream {
	uint32_t id;
	uint64_t exchange;
	struct message messages[2];
};

/* All zero is none. */
struct streams {
	struct stream *all[STREAMS_MAX]; /* the oldest first */
	size_t n;
	struct stream *giving; /* has something to give */
	uint64_t requests;
	uint64_t bad_encodings; /* of streams that are gone */
};

void streams_done(struct streams *streams);
struct stream *streams_find(const struct streams *streams, uint32_t id);
/* NULL: STREAMS_MAX live, or no memory. */
struct stream *streams_add(struct streams *streams, uint32_t id);
/* The next piece; `heads` are those of the messages that were opened last, by side. */
bool streams_give(struct streams *streams, const struct http_head *heads[2], struct http_piece *ret);
uint64_t streams_bad_encodings(const struct streams *streams);

void stream_open(struct streams *streams, struct stream *stream, const struct http_head *head);
void stream_end(struct streams *streams, struct stream *stream, enum http_side side, bool is_whole);
/* Ends both sides as cut; an answer that had not begun ends without a head. is_refused: its request was not looked at. */
void stream_cut(struct streams *streams, struct stream *stream, bool is_refused);

#endif

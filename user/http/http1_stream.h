/* SPDX-License-Identifier: Apache-2.0 */
/* What http1.c and the calls of llhttp (http1_read.c) share; nobody else includes it. */
#ifndef HTTP_HTTP1_STREAM_H
#define HTTP_HTTP1_STREAM_H

#include <stdlib.h>
#include <string.h>

/* llhttp's enumerators of these names are not ours. */
#define HTTP_REQUEST  LLHTTP_IS_REQUEST
#define HTTP_RESPONSE LLHTTP_IS_RESPONSE
#define HTTP_HEAD     LLHTTP_METHOD_HEAD
#include <llhttp.h>
#undef HTTP_REQUEST
#undef HTTP_RESPONSE
#undef HTTP_HEAD

#include "http/head.h"
#include "http/http1.h"
#include "http/message.h"
#include "http/pair.h"

enum http1_mode {
	WAITING, /* for a plausible message start at the beginning of a fed piece */
	HEADERS, /* llhttp reads; also between messages */
	CHUNKED, /* llhttp reads */
	COUNTED, /* `left` bytes of body to come, may be none */
	TO_END,  /* the body ends with the connection */
	TUNNEL,  /* no longer HTTP, or ended */
};

struct stream {
	llhttp_t parser;
	struct message message;
	const uint8_t *bytes; /* fed, not read yet */
	size_t len;
	uint64_t left;
	uint64_t unread; /* passed over, and of no message */
	uint64_t exchange;
	uint32_t head_bytes;
	enum http1_mode mode;
	bool is_interim;            /* a 1xx answer */
	bool is_complete;           /* llhttp came to the end of the message */
	bool is_resynced;           /* the next message is the first after a gap */
	bool is_chunked;            /* the message that is open */
	bool is_resuming;           /* llhttp reads a head that was made up */
	bool is_last_chunk;         /* the one that llhttp is in */
	bool ends_in_digit;         /* the bytes that were read last do */
	bool skips_blanks;          /* behind a chunk's size */
	bool is_between_chunks;     /* llhttp stands before a chunk's first byte */
	struct head_reader *reader; /* while a head is being read: an idle connection has none */
	struct http_head head;
};

struct http1 {
	struct stream streams[2];
	struct pair pair;
	uint64_t resyncs;
	bool is_tunnel;
};

static inline struct http1 *http1_of(struct stream *stream)
{
	return (struct http1 *)(stream - stream->head.side);
}

static inline void reader_drop(struct stream *stream)
{
	free(stream->reader);
	stream->reader = NULL;
}

/* Nothing ends between messages. */
static inline void stream_end(struct stream *stream, bool is_whole)
{
	if (stream->message.state == MESSAGE_OPEN)
		message_end(&stream->message, is_whole);
}

extern const llhttp_settings_t http1_settings;

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One plaintext connection, seen from outside: two ordered streams with possible gaps, in; the
 * pieces of its HTTP exchanges, out. Which protocol it speaks is found from its first bytes.
 *
 * Feeding and pulling alternate: conn_feed() takes one captured piece, then conn_next() is called
 * until it returns false. The bytes are not copied: they must stay valid until then.
 */
#ifndef HTTP_CONN_H
#define HTTP_CONN_H

#include "http/http.h"

struct conn;

enum conn_protocol {
	CONN_UNKNOWN, /* nothing conclusive yet */
	CONN_HTTP1,
	CONN_HTTP2,
	CONN_SERVER, /* the peer sent the request: this end is a server, not ours */
	CONN_OTHER,  /* not HTTP, or upgraded to what is not read: sizes only */
};

/* NULL: no memory. `from_start` says that the connection was seen from its first byte. */
struct conn *conn_new(bool from_start);
struct conn *conn_free(struct conn *conn);

/*
 * Takes `len` bytes that begin at `offset` of the stream of `side` (HTTP_REQUEST: what this host
 * wrote). An offset beyond what was fed before is a gap. In a body of known length it is counted
 * and the message goes on. In a chunked body, or across HTTP/2 frames, the message goes on where a
 * fed piece begins with a whole chunk, or holds a frame of a live stream; what was passed over is
 * lost bytes (framing included), and the message will not end as whole. Anywhere else the stream
 * waits for the next message's start. Bytes that were fed before are ignored.
 */
void conn_feed(struct conn *conn, enum http_side side, uint64_t offset, const uint8_t *bytes,
	       size_t len);
/* The connection ended; totals are the kernel's counts, so what was lost at the tail is known. */
void conn_end(struct conn *conn, const uint64_t total_bytes[2]);
/* The next piece, or false when more must be fed. */
bool conn_next(struct conn *conn, struct http_piece *ret);

enum conn_protocol conn_protocol(const struct conn *conn);

/* What went wrong so far; the sums go into the metrics. */
struct conn_stats {
	uint64_t gaps;
	uint64_t gap_bytes;
	uint64_t resyncs;       /* times a stream was given up until its next message */
	uint64_t bad_encodings; /* bodies whose content encoding could not be undone */
	/*
	 * Bytes of each stream, by enum http_side, that no piece accounts for: passed over while
	 * waiting for a message's start, or after an upgrade. What is missing inside a body is not
	 * among them (lost_bytes tells of it). They are charged as sizes by the reconciliation.
	 */
	uint64_t unread_bytes[2];
	bool is_upgraded; /* goes on as something else (WebSocket) */
};
void conn_stats(const struct conn *conn, struct conn_stats *ret);

#endif

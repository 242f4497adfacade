/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Splits the body of a gRPC request or answer into its messages: a flag that says whether it is compressed, four bytes of
 * length, and the message (github.com/grpc/grpc, doc/PROTOCOL-HTTP2.md). None is held: a message is handed on in the
 * pieces it comes in, decompressed by an encoding that the head names (grpc-encoding).
 *
 * As with eventstream.h, feeding and pulling alternate: after grpc_feed(), call grpc_next() until it returns false. The
 * fed bytes must stay valid until then.
 */
#ifndef HTTP_GRPC_H
#define HTTP_GRPC_H

#include "http/body.h"

#define GRPC_PREFIX 5

struct grpc_piece {
	bool is_first, is_last;
	bool is_sound; /* is_last: nothing of the message was lost, and it could be decompressed */
	const uint8_t *bytes;
	size_t len;
};

/* All zero is a splitter at the start of a body, without compression; the fields are the module's own. */
struct grpc {
	enum http_encoding encoding;
	struct body body; /* of the message in progress */
	const uint8_t *bytes;
	size_t len;
	uint32_t left; /* of the message, as sent */
	uint8_t prefix[GRPC_PREFIX];
	uint8_t n_prefix;
	bool is_begun;  /* a piece of it was given */
	bool is_holed;  /* something of it was lost */
	bool is_broken; /* where the next message begins is not known */
};

void grpc_init(struct grpc *grpc, enum http_encoding encoding);
/* Frees what decompressing needed. */
void grpc_done(struct grpc *grpc);
void grpc_feed(struct grpc *grpc, const uint8_t *bytes, size_t len);
/* The next piece, valid until the next call; false when more must be fed. */
bool grpc_next(struct grpc *grpc, struct grpc_piece *ret);
/* n bytes were lost here; pull after it, too. If they reach beyond the message in progress, no further one is found. */
void grpc_gap(struct grpc *grpc, uint64_t n);
/* A message has begun and not ended. */
bool grpc_is_open(const struct grpc *grpc);

/* The HTTP status that stands for one of gRPC's (google/rpc/code.proto): 14, UNAVAILABLE, is 503. */
int grpc_http_status(unsigned status);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* One side of a gRPC call: its body's bytes become messages, whose wanted fields go to a sink. */
#ifndef USAGE_GRPC_READER_H
#define USAGE_GRPC_READER_H

#include "base/protobuf.h"
#include "http/http.h"

struct grpc_reader;

enum grpc_edge {
	GRPC_MESSAGE_BEGINS,
	GRPC_MESSAGE_ENDS,
	GRPC_MESSAGE_FAILS, /* instead of ENDS: bytes were lost, or it is no protobuf; what it told is not to be believed */
};

/*
 * `root`: the fields that are wanted of a message (usage/usage_slots.h), or NULL; `encoding`: grpc-encoding. edge() is called
 * with the sink's arg around the values of each message. All must outlive the reader. NULL: no memory.
 */
struct grpc_reader *grpc_reader_new(enum http_encoding encoding, const struct protobuf_node *root,
				    const struct json_sink *sink,
				    void (*edge)(void *arg, enum grpc_edge edge));
struct grpc_reader *grpc_reader_free(struct grpc_reader *reader);
/* A piece of the body: lost bytes, then bytes. */
void grpc_reader_feed(struct grpc_reader *reader, const struct http_piece *piece);
/* The body ended. False: inside of a message, or its messages could not be followed. */
bool grpc_reader_end(struct grpc_reader *reader);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#include "usage/grpc_reader.h"

#include <stdlib.h>

#include "http/grpc.h"

struct grpc_reader {
	struct grpc grpc;
	struct protobuf_scan scan;
	const struct protobuf_node *root;
	const struct json_sink *sink;
	void (*edge)(void *arg, enum grpc_edge edge);
	bool is_begun; /* edge() was told of the message in hand */
	bool is_bad;   /* it is no protobuf */
};

struct grpc_reader *grpc_reader_new(enum http_encoding encoding, const struct protobuf_node *root,
				    const struct json_sink *sink,
				    void (*edge)(void *arg, enum grpc_edge edge))
{
	struct grpc_reader *reader = calloc(1, sizeof(*reader));

	if (!reader)
		return NULL;
	grpc_init(&reader->grpc, encoding);
	reader->root = root;
	reader->sink = sink;
	reader->edge = edge;
	return reader;
}

struct grpc_reader *grpc_reader_free(struct grpc_reader *reader)
{
	if (reader)
		grpc_done(&reader->grpc);
	free(reader);
	return NULL;
}

static void pull(struct grpc_reader *reader)
{
	struct grpc_piece piece;
	bool is_sound;

	while (grpc_next(&reader->grpc, &piece)) {
		if (piece.is_first) {
			reader->is_bad = false;
			reader->is_begun = true;
			reader->edge(reader->sink->arg, GRPC_MESSAGE_BEGINS);
			protobuf_init(&reader->scan, reader->root, reader->sink);
		}
		if (piece.len && !reader->is_bad)
			reader->is_bad = protobuf_feed(&reader->scan, piece.bytes, piece.len) ==
					 PROTOBUF_BAD;
		if (!piece.is_last)
			continue;
		reader->is_begun = false;
		is_sound = piece.is_sound && !reader->is_bad && protobuf_end(&reader->scan);
		reader->edge(reader->sink->arg, is_sound ? GRPC_MESSAGE_ENDS : GRPC_MESSAGE_FAILS);
	}
}

void grpc_reader_feed(struct grpc_reader *reader, const struct http_piece *piece)
{
	if (piece->lost_bytes) {
		grpc_gap(&reader->grpc, piece->lost_bytes);
		pull(reader);
	}
	grpc_feed(&reader->grpc, piece->bytes, piece->len);
	pull(reader);
}

bool grpc_reader_end(struct grpc_reader *reader)
{
	if (!grpc_is_open(&reader->grpc))
		return !reader->grpc.is_broken;
	/* The rest of it will not come. */
	if (!reader->is_begun)
		reader->edge(reader->sink->arg, GRPC_MESSAGE_BEGINS);
	reader->is_begun = false;
	reader->edge(reader->sink->arg, GRPC_MESSAGE_FAILS);
	return false;
}

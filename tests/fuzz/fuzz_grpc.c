/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A gRPC body: the first byte seeds the cuts and chooses the encoding and the messages that are expected. In pieces it must
 * tell what it tells as a whole. With the highest bit, a gap lies in the middle, and only nothing bad may happen.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cut.h"
#include "usage/grpc_reader.h"
#include "usage/usage_slots.h"

struct told {
	uint64_t hash;
	uint64_t before; /* the message in hand */
};

static void mix(struct told *told, const void *bytes, size_t len)
{
	const uint8_t *at = bytes;

	for (size_t i = 0; i < len; i++)
		told->hash = (told->hash ^ at[i]) * 0x100000001b3u;
}

static void value(void *arg, int id, enum json_kind kind, const char *key, const char *text,
		  bool is_cut)
{
	if (strlen(text) >= JSON_VALUE_LEN)
		abort();
	mix(arg, &id, sizeof(id));
	mix(arg, &kind, sizeof(kind));
	mix(arg, text, strlen(text));
}

static void text(void *arg, enum json_text what, const uint8_t *bytes, size_t len)
{
	if (what != JSON_TEXT_SPAN)
		mix(arg, &what, sizeof(what));
	mix(arg, bytes, len);
}

static void edge(void *arg, enum grpc_edge what)
{
	struct told *told = arg;

	/* How much of a message comes out before its compression proves corrupt depends on the cuts. */
	if (what == GRPC_MESSAGE_BEGINS)
		told->before = told->hash;
	else if (what == GRPC_MESSAGE_FAILS)
		told->hash = told->before;
	mix(arg, &what, sizeof(what));
}

static void feed(struct grpc_reader *reader, const uint8_t *bytes, size_t len, uint64_t lost)
{
	uint8_t *copy = malloc(len ? len : 1);
	const struct http_piece piece = { .bytes = copy, .len = len, .lost_bytes = lost };

	memcpy(copy, bytes, len);
	grpc_reader_feed(reader, &piece);
	free(copy);
}

static uint64_t run(const uint8_t *bytes, size_t len, unsigned seed, int is_cut, uint64_t lost)
{
	struct told told = { 0xcbf29ce484222325u, 0 };
	const struct json_sink sink = { .value = value, .text = text, .arg = &told };
	unsigned which = seed % (PROTOBUF_VERTEX_PREDICT + 1);
	struct grpc_reader *reader = grpc_reader_new(
		seed & 8 ? HTTP_GZIP : HTTP_IDENTITY,
		seed & 16 ? request_protobuf(which) : usage_protobuf(which), &sink, edge);
	size_t hole = len / 2;

	for (size_t at = 0; at < len;) {
		size_t n = is_cut ? cut_next(&seed, len - at) : len - at;

		if (lost && at >= hole) {
			feed(reader, bytes + at, n, lost);
			lost = 0;
		} else {
			feed(reader, bytes + at, n, 0);
		}
		at += n;
	}
	mix(&told, grpc_reader_end(reader) ? "y" : "n", 1);
	grpc_reader_free(reader);
	return told.hash;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	if (!len)
		return 0;
	if (bytes[0] & 0x80)
		run(bytes + 1, len - 1, bytes[0], 1, 1 + bytes[len - 1] * 7u);
	else if (run(bytes + 1, len - 1, bytes[0], 0, 0) != run(bytes + 1, len - 1, bytes[0], 1, 0))
		abort();
	return 0;
}

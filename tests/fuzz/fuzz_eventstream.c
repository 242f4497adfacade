/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The first byte seeds the cuts; an event stream in pieces must give the messages of the whole one. So that
 * inputs get past the CRCs, what lies at each message's end by its length is made right first.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "cut.h"
#include "http/eventstream.h"

static uint64_t mix(uint64_t hash, const void *bytes, size_t len)
{
	const uint8_t *at = bytes;

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ at[i]) * 0x100000001b3u;
	return hash;
}

static uint64_t run(const uint8_t *bytes, size_t len, unsigned seed, int is_cut)
{
	struct eventstream stream = { 0 };
	struct eventstream_piece piece;
	uint64_t hash = 0xcbf29ce484222325u;

	for (size_t at = 0; at < len;) {
		size_t n = is_cut ? cut_next(&seed, len - at) : len - at;
		uint8_t *copy = malloc(n);

		memcpy(copy, bytes + at, n);
		eventstream_feed(&stream, copy, n);
		while (eventstream_next(&stream, &piece)) {
			hash = mix(hash, piece.bytes, piece.len);
			if (piece.is_last) {
				hash = mix(hash, piece.type, strlen(piece.type));
				hash = mix(hash, piece.is_sound ? "y" : "n", 1);
				hash = mix(hash, piece.is_exception ? "e" : "-", 1);
			}
		}
		free(copy);
		at += n;
	}
	return hash;
}

static void put(uint8_t *at, uint32_t value)
{
	for (int i = 0; i < 4; i++)
		at[i] = (uint8_t)(value >> (24 - 8 * i));
}

static void repair(uint8_t *bytes, size_t len)
{
	while (len >= 16) {
		size_t total = (size_t)bytes[2] << 8 | bytes[3];

		if (total < 16 || total > len)
			total = len < 65536 ? len : 65535;
		put(bytes, (uint32_t)total);
		bytes[4] = bytes[5] = bytes[6] = 0;
		put(bytes + 8, (uint32_t)crc32(0, bytes, 8));
		put(bytes + total - 4, (uint32_t)crc32(0, bytes, (uInt)(total - 4)));
		bytes += total;
		len -= total;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	uint8_t *copy;

	if (!len)
		return 0;
	copy = malloc(len);
	memcpy(copy, bytes, len);
	if (bytes[0] & 1)
		repair(copy + 1, len - 1);
	if (run(copy + 1, len - 1, 0, 0) != run(copy + 1, len - 1, bytes[0], 1))
		abort();
	free(copy);
	return 0;
}

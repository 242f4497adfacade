/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Segments of a stream whose byte at offset N is known, in any order, cut and repeated: each byte comes out once, in order
 * and as it was, and never more is held than the limits allow. The input is a list of (offset: 3 bytes, length: 2 bytes,
 * sure: 3 bytes, of which the first also chooses the room).
 */
#include <stdint.h>
#include <stdlib.h>

#include "http/reorder.h"

#define STEP 8

static uint8_t byte_at(uint64_t offset)
{
	return (uint8_t)(offset * 131 ^ offset >> 7);
}

static void pull(struct reorder *reorder, uint64_t *next)
{
	struct reorder_piece piece;

	while (reorder_next(reorder, &piece)) {
		if (!piece.len || piece.offset < *next)
			abort();
		for (size_t i = 0; i < piece.len; i++)
			if (piece.bytes[i] != byte_at(piece.offset + i))
				abort();
		*next = piece.offset + piece.len;
	}
	if (reorder->n_held > REORDER_SEGMENTS || reorder->held_bytes > REORDER_BYTES)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct reorder reorder = { .next = 0 };
	uint64_t next = 0;

	for (; size >= STEP; data += STEP, size -= STEP) {
		uint64_t offset = (uint64_t)(data[0] & 3) << 16 | data[1] << 8 | data[2];
		size_t len = (size_t)data[3] << 8 | data[4];
		uint64_t sure = (uint64_t)(data[5] & 3) << 16 | data[6] << 8 | data[7];
		uint8_t *bytes = malloc(len ? len : 1);

		for (size_t i = 0; i < len; i++)
			bytes[i] = byte_at(offset + i);
		/* what is sure is never ahead of what was told */
		reorder_feed(&reorder, offset, bytes, len, sure < offset ? sure : offset,
			     data[5] & 0x80 ? 1024 : REORDER_BYTES);
		pull(&reorder, &next);
		free(bytes);
	}
	reorder_end(&reorder);
	pull(&reorder, &next);
	if (reorder.n_held || reorder.held_bytes)
		abort();
	reorder_clear(&reorder);
	return 0;
}

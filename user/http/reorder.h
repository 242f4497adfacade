/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One direction of a TCP connection: segments as they were seen, in any order and repeated, go in; its bytes in order come
 * out, with a jump of the offset where some are lost.
 *
 * Feeding and pulling alternate: reorder_feed() takes one segment, then reorder_next() is called until it returns false.
 * Bytes that come twice come out once.
 */
#ifndef HTTP_REORDER_H
#define HTTP_REORDER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Limits of what waits for bytes before it: a receive window is seldom larger, and what the kernel merges makes few
 * segments of it. Beyond them what is missing is given up.
 */
#define REORDER_BYTES    (1024 * 1024)
#define REORDER_SEGMENTS 512

struct reorder_segment;

/* All of it zero: nothing has come. */
struct reorder {
	uint64_t next;                 /* offset of the byte that is to come out next */
	struct reorder_segment *held;  /* by offset */
	struct reorder_segment *given; /* the last that came out, until the next call */
	size_t held_bytes, n_held;
	uint64_t sure;
	uint64_t offset; /* of what was fed and has not come out */
	const uint8_t *bytes;
	size_t len;
};

/* Bytes that came out; valid until the next call. */
struct reorder_piece {
	uint64_t offset;
	const uint8_t *bytes;
	size_t len;
};

/*
 * Takes `len` bytes at `offset`. What is missing before `sure` is lost. `room` is how many bytes may be held in addition to
 * those that are; what finds none is passed on at once, and what is missing before it is lost. The bytes are copied only
 * if they have to wait.
 */
void reorder_feed(struct reorder *reorder, uint64_t offset, const uint8_t *bytes, size_t len,
		  uint64_t sure, size_t room);
/* The connection has ended: nothing that is missing will come. */
void reorder_end(struct reorder *reorder);
/* The next bytes in order, or false when more must be fed. */
bool reorder_next(struct reorder *reorder, struct reorder_piece *ret);
/* Frees what it holds. */
void reorder_clear(struct reorder *reorder);

#endif

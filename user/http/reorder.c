/* SPDX-License-Identifier: Apache-2.0 */
#include "http/reorder.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

struct reorder_segment {
	struct reorder_segment *prev, *next;
	uint64_t offset;
	size_t len;
	uint8_t bytes[];
};

/* Puts it where it belongs; most come behind all others. */
static void insert(struct reorder *reorder, struct reorder_segment *segment)
{
	struct reorder_segment *before = reorder->held ? reorder->held->prev : NULL;

	while (before && before->offset > segment->offset)
		before = before == reorder->held ? NULL : before->prev;
	if (before)
		DL_APPEND_ELEM(reorder->held, before, segment);
	else
		DL_PREPEND(reorder->held, segment);
	reorder->held_bytes += segment->len;
	reorder->n_held++;
}

static void unlink_first(struct reorder *reorder)
{
	struct reorder_segment *first = reorder->held;

	DL_DELETE(reorder->held, first);
	reorder->held_bytes -= first->len;
	reorder->n_held--;
	free(reorder->given);
	reorder->given = first;
}

/* False: there is no room or no memory. */
static bool hold(struct reorder *reorder, size_t room)
{
	struct reorder_segment *segment;

	if (reorder->n_held >= REORDER_SEGMENTS || reorder->len > room ||
	    reorder->held_bytes + reorder->len > REORDER_BYTES)
		return false;
	segment = malloc(sizeof(*segment) + reorder->len);
	if (!segment)
		return false;
	segment->offset = reorder->offset;
	segment->len = reorder->len;
	memcpy(segment->bytes, reorder->bytes, reorder->len);
	insert(reorder, segment);
	reorder->len = 0;
	return true;
}

void reorder_feed(struct reorder *reorder, uint64_t offset, const uint8_t *bytes, size_t len,
		  uint64_t sure, size_t room)
{
	uint64_t past = offset < reorder->next ? reorder->next - offset : 0;

	reorder->len = 0;
	if (sure > reorder->sure)
		reorder->sure = sure;
	if (past >= len || len > UINT64_MAX - offset)
		return;
	reorder->offset = offset + past;
	reorder->bytes = bytes + past;
	reorder->len = len - past;
	if (reorder->offset == reorder->next || reorder->offset <= reorder->sure ||
	    hold(reorder, room))
		return;
	/* what is missing before it is given up */
	reorder->sure = reorder->offset;
}

void reorder_end(struct reorder *reorder)
{
	reorder->len = 0;
	reorder->sure = UINT64_MAX;
}

/* What is left of these bytes comes out, if they are next, or if what lies between is lost. */
static bool give(struct reorder *reorder, uint64_t offset, const uint8_t *bytes, size_t len,
		 struct reorder_piece *ret)
{
	uint64_t past = offset < reorder->next ? reorder->next - offset : 0;

	if (past >= len)
		return false;
	*ret = (struct reorder_piece){ offset + past, bytes + past, len - past };
	reorder->next = offset + len;
	return true;
}

bool reorder_next(struct reorder *reorder, struct reorder_piece *ret)
{
	struct reorder_segment *first;
	size_t len;

	for (;;) {
		first = reorder->held;
		len = reorder->len;
		if (len && (!first || reorder->offset <= first->offset)) {
			/* as far as the first that is held does not say it already */
			reorder->len = 0;
			if (give(reorder, reorder->offset, reorder->bytes, len, ret))
				return true;
			continue;
		}
		if (!first || (first->offset > reorder->next && first->offset > reorder->sure))
			return false;
		unlink_first(reorder);
		if (give(reorder, first->offset, first->bytes, first->len, ret))
			return true;
	}
}

void reorder_clear(struct reorder *reorder)
{
	while (reorder->held)
		unlink_first(reorder);
	free(reorder->given);
	*reorder = (struct reorder){ .next = 0 };
}

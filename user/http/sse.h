/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Splits text/event-stream into events, as WHATWG HTML 9.2.6 says: lines end in LF, CRLF or CR, a
 * byte order mark and comments are skipped, several data fields are joined by a line feed. It does
 * not look into the data, and `id` and `retry` are of no interest.
 *
 * Feeding and pulling alternate, as with a connection: after sse_feed(), call sse_next() until it
 * returns false. The fed bytes must stay valid until then.
 */
#ifndef HTTP_SSE_H
#define HTTP_SSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SSE_NAME_LEN 64
/*
 * The longest event that is held until it is whole. Longer ones are images in base64, of megabytes, and the
 * whole answer repeated at the end of an OpenAI Responses stream.
 */
#define SSE_EVENT_MAX (1u << 16)

struct sse_event {
	const char *name;    /* of the `event` field; "" if it had none; cut to SSE_NAME_LEN - 1 */
	const uint8_t *data; /* not terminated */
	size_t len;
	/*
	 * An event too long to be held comes in pieces, which follow each other: its data is what they
	 * hold together. Any other is its own first and last.
	 */
	bool is_first, is_last;
};

/* All zero is a splitter at the start of a stream; the fields are the module's own. */
struct sse {
	const uint8_t *bytes; /* what was fed, and where in it the next line starts */
	size_t len, pos;
	size_t lf, cr;         /* the next of each at or after pos, if not before pos */
	const uint8_t *direct; /* the event's only data line so far, in the fed bytes */
	size_t direct_len;
	uint8_t *buf; /* data of the event, then the start of a line still open */
	size_t buf_data, buf_len, buf_room;
	uint64_t dropped;
	bool has_data;
	bool is_given;    /* the event was handed out: forget it first */
	bool is_skipping; /* until the next empty line */
	bool has_line;    /* is_skipping: the open line is not empty */
	bool after_cr;    /* a LF that comes next belongs to the line before */
	bool is_started;  /* past the first line */
	uint8_t mark;     /* bytes of a byte order mark that were passed */
	size_t event_max; /* instead of SSE_EVENT_MAX, for tests; 0: that */
	/* An event in pieces, and where in its lines it is. */
	bool is_long, is_piece_given;
	uint8_t long_part, n_start;
	uint8_t start[6]; /* of the line in progress */
	char name[SSE_NAME_LEN];
};

void sse_done(struct sse *sse);

void sse_feed(struct sse *sse, const uint8_t *bytes, size_t len);
/* The next event, valid until the next call on the splitter; false when more must be fed. */
bool sse_next(struct sse *sse, struct sse_event *ret);

/* Bytes were lost here: the event in progress is dropped and counted, the next one is found. */
void sse_gap(struct sse *sse);

/*
 * The stream ended: true gives an event whose lines had come but not its empty line. A browser
 * discards it; for metering a last usage counts all the same.
 */
bool sse_end(struct sse *sse, struct sse_event *ret);

/* Events hit by a gap, or dropped for want of memory. */
uint64_t sse_dropped(const struct sse *sse);

#endif

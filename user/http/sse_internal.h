/* SPDX-License-Identifier: Apache-2.0 */
/* What sse.c, which splits, sse_lines.c and sse_long.c, for events in pieces, share. */
#ifndef HTTP_SSE_INTERNAL_H
#define HTTP_SSE_INTERNAL_H

#include "http/sse.h"

/* The event and what is held of it are forgotten. */
void sse_forget(struct sse *sse);
/* The same, and the rest of it up to the next empty line; has_line: the open line is not empty. */
void sse_drop(struct sse *sse, bool has_line);
/* One line of the event, not empty and whole. False: no memory. */
bool sse_line_take(struct sse *sse, const uint8_t *line, size_t n, bool in_buf);
/* Where the next of c is from pos on, or len; `known` is where it was found last. */
size_t sse_find(const struct sse *sse, size_t known, int c);

/*
 * Bytes behind what is held; what lies in the fed bytes is copied before they go; one line's data; the
 * event's name. False: no memory.
 */
bool sse_buf_add(struct sse *sse, const uint8_t *bytes, size_t n);
bool sse_direct_keep(struct sse *sse);
bool sse_data_add(struct sse *sse, const uint8_t *value, size_t n, bool in_buf);
void sse_name_set(struct sse *sse, const uint8_t *value, size_t n);

/*
 * What is held goes out as the event's first piece. False: there is none; then the event goes on in pieces
 * (is_long), or the line in progress is no data and is left to those who cut it.
 */
bool sse_long_begin(struct sse *sse, struct sse_event *ret);
/* The next piece, out of the fed bytes; false: they are used up, or the event has ended. */
bool sse_piece_next(struct sse *sse, struct sse_event *ret);
/* The stream ended inside the event: its last piece, if it had any data. */
bool sse_long_end(struct sse *sse, struct sse_event *ret);

#endif

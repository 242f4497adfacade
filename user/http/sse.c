/* SPDX-License-Identifier: Apache-2.0 */
#include "http/sse_internal.h"

#include <stdlib.h>
#include <string.h>

/* Of a line that is no data, more than this is not looked at. */
#define LINE_KEEP 256

void sse_done(struct sse *sse)
{
	if (!sse)
		return;
	free(sse->buf);
	memset(sse, 0, sizeof(*sse));
}

/* More of the line that is open; what is no data may be cut. */
static bool line_add(struct sse *sse, const uint8_t *bytes, size_t n)
{
	size_t open = sse->buf_len - sse->buf_data;

	if (open >= 5 && memcmp(sse->buf + sse->buf_data, "data:", 5)) {
		if (open >= LINE_KEEP)
			n = 0;
		else if (n > LINE_KEEP - open)
			n = LINE_KEEP - open;
	}
	return sse_buf_add(sse, bytes, n);
}

/* A line ends in the fed bytes after n more of them. True: it was empty and an event is complete. */
static bool line_end(struct sse *sse, const uint8_t *bytes, size_t n)
{
	size_t open = sse->buf_len - sse->buf_data;
	bool ok;

	if (sse->is_skipping) {
		if (!n && !sse->has_line)
			sse->is_skipping = false;
		sse->has_line = false;
		return false;
	}
	if (!n && !open) {
		sse->is_started = true;
		if (sse->has_data)
			return true;
		sse_forget(sse);
		return false;
	}
	if (open)
		ok = line_add(sse, bytes, n) &&
		     sse_line_take(sse, sse->buf + sse->buf_data, sse->buf_len - sse->buf_data,
				   /* in_buf= */ true);
	else
		ok = sse_line_take(sse, bytes, n, /* in_buf= */ false);
	sse->is_started = true;
	if (!ok)
		sse_drop(sse, /* has_line= */ false);
	return false;
}

/* The fed bytes end inside a line, or right after one: what is needed of them is kept. */
static void rest_keep(struct sse *sse)
{
	const uint8_t *rest = sse->bytes + sse->pos;
	size_t n = sse->len - sse->pos;

	sse->bytes = NULL;
	sse->len = 0;
	sse->pos = 0;
	if (!n && !sse->direct)
		return;
	if (sse->is_skipping) {
		sse->has_line |= n > 0;
		return;
	}
	if (!sse_direct_keep(sse) || !line_add(sse, rest, n))
		sse_drop(sse, n > 0 || sse->buf_len > sse->buf_data);
}

void sse_feed(struct sse *sse, const uint8_t *bytes, size_t len)
{
	if (sse->is_given)
		sse_forget(sse);
	sse->bytes = bytes;
	sse->len = len;
	sse->pos = 0;
	if (!len)
		return;
	if (sse->after_cr && bytes[0] == '\n')
		sse->pos = 1;
	sse->after_cr = false;
	/* before pos, so looked for at the first need */
	sse->lf = (size_t)-1;
	sse->cr = (size_t)-1;
}

static void event_give(struct sse *sse, struct sse_event *ret)
{
	ret->name = sse->name;
	ret->data = sse->direct ? sse->direct : sse->buf;
	ret->len = sse->direct ? sse->direct_len : sse->buf_data;
	ret->is_first = ret->is_last = true;
	sse->is_given = true;
}

static bool starts(const uint8_t *at, const uint8_t *end, const char *field, size_t len)
{
	return (size_t)(end - at) >= len && !memcmp(at, field, len);
}

/*
 * An event as almost all are: an event line or none, one data line and the empty one, whole in the fed
 * bytes and ended by line feeds. False: it is not so, and nothing was taken.
 */
static bool event_take(struct sse *sse)
{
	const uint8_t *begin = sse->bytes + sse->pos, *end = sse->bytes + sse->len;
	const uint8_t *name = NULL, *name_end = NULL, *data = begin, *data_end;

	if (sse->is_skipping || !sse->is_started || sse->has_data || sse->buf_len)
		return false;
	if (starts(begin, end, "event:", 6)) {
		name = begin + 6;
		name_end = memchr(name, '\n', (size_t)(end - name));
		if (!name_end)
			return false;
		name += *name == ' ';
		data = name_end + 1;
	}
	if (!starts(data, end, "data:", 5))
		return false;
	data += 5;
	data_end = memchr(data, '\n', (size_t)(end - data));
	if (!data_end || data_end + 1 == end || data_end[1] != '\n')
		return false;
	sse->cr = sse_find(sse, sse->cr, '\r');
	if (sse->cr < (size_t)(data_end - sse->bytes))
		return false;
	data += *data == ' ';
	if (name)
		sse_name_set(sse, name, (size_t)(name_end - name));
	(void)sse_data_add(sse, data, (size_t)(data_end - data), /* in_buf= */ false);
	sse->pos = (size_t)(data_end + 2 - sse->bytes);
	return true;
}

/* More than may be held would be, with n more bytes. */
static bool is_too_long(const struct sse *sse, size_t n)
{
	size_t max = sse->event_max ? sse->event_max : SSE_EVENT_MAX;

	return n && !sse->is_skipping && sse->buf_len + sse->direct_len + n > max;
}

/* The fed bytes line by line. True: an event is complete, or its first piece is. */
static bool lines_next(struct sse *sse, struct sse_event *ret)
{
	while (sse->pos < sse->len && !sse->is_long) {
		size_t start = sse->pos, end;

		sse->lf = sse_find(sse, sse->lf, '\n');
		sse->cr = sse_find(sse, sse->cr, '\r');
		end = sse->lf < sse->cr ? sse->lf : sse->cr;
		if (is_too_long(sse, end - start)) {
			if (sse_long_begin(sse, ret))
				return true;
			if (sse->is_long)
				break;
		}
		if (end == sse->len)
			break;
		sse->pos = end + 1;
		if (end == sse->cr) {
			sse->after_cr = sse->pos == sse->len;
			if (sse->pos < sse->len && sse->pos == sse->lf)
				sse->pos++;
		}
		if (line_end(sse, sse->bytes + start, end - start)) {
			event_give(sse, ret);
			return true;
		}
	}
	return false;
}

/* The byte order mark that a stream may begin with; what only looks like one is the first line's. */
static void mark_pass(struct sse *sse)
{
	static const uint8_t mark[3] = { 0xef, 0xbb, 0xbf };

	while (sse->pos < sse->len && sse->mark < sizeof(mark)) {
		if (sse->bytes[sse->pos] == mark[sse->mark]) {
			sse->mark++;
			sse->pos++;
			continue;
		}
		(void)sse_buf_add(sse, mark, sse->mark);
		sse->mark = sizeof(mark);
	}
}

bool sse_next(struct sse *sse, struct sse_event *ret)
{
	bool was_long;

	if (sse->is_given)
		sse_forget(sse);
	mark_pass(sse);
	/* A long event may begin or end in the middle of the fed bytes. */
	do {
		was_long = sse->is_long;
		if (was_long && sse_piece_next(sse, ret))
			return true;
		if (!was_long && sse->pos < sse->len && event_take(sse)) {
			event_give(sse, ret);
			return true;
		}
		if (!was_long && lines_next(sse, ret))
			return true;
	} while (was_long != sse->is_long);
	if (!sse->is_long)
		rest_keep(sse);
	return false;
}

void sse_gap(struct sse *sse)
{
	sse->is_long = false;
	if (!sse->is_skipping)
		sse_drop(sse, /* has_line= */ true);
	sse->has_line = true;
	sse->after_cr = false;
	sse->is_started = true;
	sse->mark = 3;
}

bool sse_end(struct sse *sse, struct sse_event *ret)
{
	if (sse->is_given)
		sse_forget(sse);
	if (sse->is_skipping)
		return false;
	if (sse->is_long)
		return sse_long_end(sse, ret);
	if (sse->buf_len > sse->buf_data)
		(void)line_end(sse, NULL, 0);
	if (sse->is_skipping || !sse->has_data)
		return false;
	event_give(sse, ret);
	return true;
}

uint64_t sse_dropped(const struct sse *sse)
{
	return sse->dropped;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Events that are too long to be held: their data goes out as it comes. */
#include "http/sse_internal.h"

#include <string.h>

enum long_part { LONG_START, LONG_BLANK, LONG_VALUE, LONG_SKIP };

static bool piece_give(struct sse *sse, const uint8_t *bytes, size_t len, bool is_last,
		       struct sse_event *ret)
{
	*ret = (struct sse_event){ .name = sse->name,
				   .data = bytes,
				   .len = len,
				   .is_first = !sse->is_piece_given,
				   .is_last = is_last };
	sse->is_piece_given = true;
	return true;
}

/* The end of the line in progress, behind which `pos` then is; the end of the fed bytes if that is later. */
static size_t line_pass(struct sse *sse)
{
	size_t end;

	sse->lf = sse_find(sse, sse->lf, '\n');
	sse->cr = sse_find(sse, sse->cr, '\r');
	end = sse->lf < sse->cr ? sse->lf : sse->cr;
	sse->pos = end;
	if (end == sse->len)
		return end;
	sse->pos++;
	sse->after_cr = end == sse->cr;
	sse->long_part = LONG_START;
	sse->n_start = 0;
	return end;
}

enum start { START_ON, START_EMPTY_LINE, START_EMPTY_DATA };

/* One byte at the start of a line, which may end it already. */
static enum start start_take(struct sse *sse, uint8_t byte)
{
	bool is_end = byte == '\n' || byte == '\r';
	enum start what;

	sse->pos++;
	if (sse->after_cr && byte == '\n') {
		sse->after_cr = false;
		return START_ON;
	}
	sse->after_cr = byte == '\r';
	if (is_end) {
		what = !sse->n_start                                       ? START_EMPTY_LINE :
		       sse->n_start == 4 && !memcmp(sse->start, "data", 4) ? START_EMPTY_DATA :
									     START_ON;
		sse->n_start = 0;
		return what;
	}
	sse->start[sse->n_start++] = byte;
	if (sse->n_start == 5)
		sse->long_part = memcmp(sse->start, "data:", 5) ? LONG_SKIP : LONG_BLANK;
	return START_ON;
}

/* The empty line that ends a long event was read. */
static void long_end(struct sse *sse)
{
	sse->is_long = false;
	sse_forget(sse);
	/* The lines after it are read as ever, which knows of a split CRLF at the start of the bytes only. */
	if (sse->after_cr && sse->pos < sse->len) {
		sse->pos += sse->bytes[sse->pos] == '\n';
		sse->after_cr = false;
	}
}

/* A line of data begins. True: it is not the first, and those are joined by a line feed. */
static bool data_begin(struct sse *sse)
{
	bool had_data = sse->has_data;

	sse->has_data = true;
	return had_data;
}

/* The next piece of a long event, out of the fed bytes. */
bool sse_piece_next(struct sse *sse, struct sse_event *ret)
{
	static const uint8_t joint[] = "\n";
	size_t begin, end;
	enum start what;
	bool had_data;

	while (sse->is_long && sse->pos < sse->len) {
		switch (sse->long_part) {
		case LONG_START:
			what = start_take(sse, sse->bytes[sse->pos]);
			if (what == START_EMPTY_DATA && data_begin(sse))
				return piece_give(sse, joint, 1, false, ret);
			if (what != START_EMPTY_LINE)
				break;
			had_data = sse->has_data;
			long_end(sse);
			if (had_data)
				return piece_give(sse, joint, 0, true, ret);
			break;
		case LONG_BLANK:
			sse->pos += sse->bytes[sse->pos] == ' ';
			sse->long_part = LONG_VALUE;
			if (data_begin(sse))
				return piece_give(sse, joint, 1, false, ret);
			break;
		case LONG_VALUE:
			begin = sse->pos;
			end = line_pass(sse);
			if (end > begin)
				return piece_give(sse, sse->bytes + begin, end - begin, false, ret);
			break;
		case LONG_SKIP:
			(void)line_pass(sse);
			break;
		}
	}
	if (sse->is_long) {
		sse->bytes = NULL;
		sse->len = sse->pos = 0;
	}
	return false;
}

bool sse_long_begin(struct sse *sse, struct sse_event *ret)
{
	size_t open = sse->buf_len - sse->buf_data;
	const uint8_t *line = open ? sse->buf + sse->buf_data : NULL;

	if (open > 5 && memcmp(line, "data:", 5))
		return false;
	sse->long_part = LONG_START;
	sse->n_start = 0;
	if (open > 5) {
		if (!sse_line_take(sse, line, open, /* in_buf= */ true)) {
			sse_drop(sse, /* has_line= */ true);
			return false;
		}
		sse->long_part = LONG_VALUE;
	} else if (open) {
		memcpy(sse->start, line, open);
		sse->n_start = (uint8_t)open;
		sse->buf_len = sse->buf_data;
		if (open == 5)
			sse->long_part = memcmp(sse->start, "data:", 5) ? LONG_SKIP : LONG_BLANK;
	}
	sse->is_long = true;
	sse->is_started = true;
	sse->is_piece_given = false;
	return sse->has_data &&
	       piece_give(sse, sse->direct ? sse->direct : sse->buf,
			  sse->direct ? sse->direct_len : sse->buf_data, false, ret);
}

bool sse_long_end(struct sse *sse, struct sse_event *ret)
{
	/* A line of data that is open and empty so far. */
	bool has_line = sse->long_part == LONG_BLANK ||
			(sse->long_part == LONG_START && sse->n_start == 4 &&
			 !memcmp(sse->start, "data", 4));

	sse->is_long = false;
	return (has_line || sse->has_data) &&
	       piece_give(sse, (const uint8_t *)"\n", has_line && sse->has_data, true, ret);
}

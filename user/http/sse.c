/* SPDX-License-Identifier: Apache-2.0 */
#include "http/sse_internal.h"

#include <stdlib.h>
#include <string.h>

/* A buffer that grew beyond this is given back after its event: most streams never need one. */
#define BUF_KEEP 16384
/* Of a line that is no data, more than this is not looked at. */
#define LINE_KEEP 256

void sse_forget(struct sse *sse)
{
	sse->direct = NULL;
	sse->direct_len = 0;
	sse->buf_data = 0;
	sse->buf_len = 0;
	sse->has_data = false;
	sse->is_given = false;
	sse->name[0] = '\0';
	if (sse->buf_room > BUF_KEEP) {
		free(sse->buf);
		sse->buf = NULL;
		sse->buf_room = 0;
	}
}

void sse_done(struct sse *sse)
{
	if (!sse)
		return;
	free(sse->buf);
	memset(sse, 0, sizeof(*sse));
}

void sse_drop(struct sse *sse, bool has_line)
{
	sse_forget(sse);
	sse->dropped++;
	sse->is_skipping = true;
	sse->has_line = has_line;
}

/* Room for n more bytes; false: no memory. */
static bool buf_reserve(struct sse *sse, size_t n)
{
	size_t room = sse->buf_room ? sse->buf_room : 512;
	uint8_t *buf;

	if (sse->buf_len + n <= sse->buf_room)
		return true;
	while (room < sse->buf_len + n)
		room *= 2;
	buf = realloc(sse->buf, room);
	if (!buf)
		return false;
	sse->buf = buf;
	sse->buf_room = room;
	return true;
}

static bool buf_add(struct sse *sse, const uint8_t *bytes, size_t n)
{
	if (!buf_reserve(sse, n))
		return false;
	if (n)
		memcpy(sse->buf + sse->buf_len, bytes, n);
	sse->buf_len += n;
	return true;
}

/* Moves the data line that lies in the fed bytes to the buffer: it must outlive them, or grow. */
static bool direct_keep(struct sse *sse)
{
	if (!sse->direct)
		return true;
	if (!buf_add(sse, sse->direct, sse->direct_len))
		return false;
	sse->buf_data = sse->buf_len;
	sse->direct = NULL;
	sse->direct_len = 0;
	return true;
}

/* Takes the value of one data field; in_buf: it lies in the buffer, behind the data. */
static bool data_add(struct sse *sse, const uint8_t *value, size_t n, bool in_buf)
{
	if (in_buf) {
		/* fits: the field's name made room for the line feed */
		if (sse->has_data)
			sse->buf[sse->buf_data++] = '\n';
		memmove(sse->buf + sse->buf_data, value, n);
		sse->buf_data += n;
		sse->buf_len = sse->buf_data;
	} else if (!sse->has_data) {
		sse->direct = value;
		sse->direct_len = n;
	} else {
		if (!direct_keep(sse) || !buf_reserve(sse, n + 1))
			return false;
		sse->buf[sse->buf_len++] = '\n';
		(void)buf_add(sse, value, n);
		sse->buf_data = sse->buf_len;
	}
	sse->has_data = true;
	return true;
}

static void name_set(struct sse *sse, const uint8_t *value, size_t n)
{
	if (n >= SSE_NAME_LEN)
		n = SSE_NAME_LEN - 1;
	memcpy(sse->name, value, n);
	sse->name[n] = '\0';
}

static bool field_is(const uint8_t *line, size_t n, const char *name, size_t name_len)
{
	return n >= name_len && !memcmp(line, name, name_len) &&
	       (n == name_len || line[name_len] == ':');
}

/* The value after "name:" and one space, WHATWG HTML 9.2.6. */
static const uint8_t *field_value(const uint8_t *line, size_t n, size_t name_len, size_t *ret_len)
{
	size_t at = name_len;

	if (at < n)
		at++;
	if (at < n && line[at] == ' ')
		at++;
	*ret_len = n - at;
	return line + at;
}

/* One line of the event, not empty and whole. */
bool sse_line_take(struct sse *sse, const uint8_t *line, size_t n, bool in_buf)
{
	const uint8_t *value;
	size_t value_len;
	bool ok = true;

	if (field_is(line, n, "data", 4)) {
		value = field_value(line, n, 4, &value_len);
		ok = data_add(sse, value, value_len, in_buf);
	} else if (field_is(line, n, "event", 5)) {
		value = field_value(line, n, 5, &value_len);
		name_set(sse, value, value_len);
	}
	sse->buf_len = sse->buf_data;
	return ok;
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
	return buf_add(sse, bytes, n);
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
	if (!direct_keep(sse) || !line_add(sse, rest, n))
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

/*
 * Where the next of c is, or len. A position once found is kept until it is passed, so a stream
 * without carriage returns is searched for them once, and one of nothing else stays linear.
 */
size_t sse_find(const struct sse *sse, size_t known, int c)
{
	const uint8_t *at;

	if (known != (size_t)-1 && known >= sse->pos)
		return known;
	at = memchr(sse->bytes + sse->pos, c, sse->len - sse->pos);
	return at ? (size_t)(at - sse->bytes) : sse->len;
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
		name_set(sse, name, (size_t)(name_end - name));
	(void)data_add(sse, data, (size_t)(data_end - data), /* in_buf= */ false);
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
		(void)buf_add(sse, mark, sse->mark);
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

/* SPDX-License-Identifier: Apache-2.0 */
/* What one event is held as: its lines are taken one by one. */
#include "http/sse_internal.h"

#include <stdlib.h>
#include <string.h>

/* A buffer that grew beyond this is given back after its event: most streams never need one. */
#define BUF_KEEP 16384

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

bool sse_buf_add(struct sse *sse, const uint8_t *bytes, size_t n)
{
	if (!buf_reserve(sse, n))
		return false;
	if (n)
		memcpy(sse->buf + sse->buf_len, bytes, n);
	sse->buf_len += n;
	return true;
}

/* Moves the data line that lies in the fed bytes to the buffer: it must outlive them, or grow. */
bool sse_direct_keep(struct sse *sse)
{
	if (!sse->direct)
		return true;
	if (!sse_buf_add(sse, sse->direct, sse->direct_len))
		return false;
	sse->buf_data = sse->buf_len;
	sse->direct = NULL;
	sse->direct_len = 0;
	return true;
}

/* Takes the value of one data field; in_buf: it lies in the buffer, behind the data. */
bool sse_data_add(struct sse *sse, const uint8_t *value, size_t n, bool in_buf)
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
		if (!sse_direct_keep(sse) || !buf_reserve(sse, n + 1))
			return false;
		sse->buf[sse->buf_len++] = '\n';
		(void)sse_buf_add(sse, value, n);
		sse->buf_data = sse->buf_len;
	}
	sse->has_data = true;
	return true;
}

void sse_name_set(struct sse *sse, const uint8_t *value, size_t n)
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
		ok = sse_data_add(sse, value, value_len, in_buf);
	} else if (field_is(line, n, "event", 5)) {
		value = field_value(line, n, 5, &value_len);
		sse_name_set(sse, value, value_len);
	}
	sse->buf_len = sse->buf_data;
	return ok;
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

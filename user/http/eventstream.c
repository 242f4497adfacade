/* SPDX-License-Identifier: Apache-2.0 */
#include "http/eventstream.h"

#include <stdio.h>
#include <string.h>

#include "http/crc.h"

enum part { PART_PRELUDE, PART_HEADERS, PART_PAYLOAD, PART_CRC };
enum header_part { HEADER_NAME_LEN, HEADER_NAME, HEADER_TYPE, HEADER_VALUE_LEN, HEADER_VALUE };

static uint32_t be32(const uint8_t *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

void eventstream_feed(struct eventstream *stream, const uint8_t *bytes, size_t len)
{
	stream->bytes = bytes;
	stream->len = len;
}

static void begin_message(struct eventstream *stream)
{
	stream->part = PART_PRELUDE;
	stream->n = 0;
	stream->header_part = HEADER_NAME_LEN;
	stream->header_n = 0;
	stream->is_begun = stream->is_exception = false;
	stream->type[0] = '\0';
}

void eventstream_gap(struct eventstream *stream)
{
	begin_message(stream);
	stream->is_searching = true;
	stream->bytes = NULL;
	stream->len = 0;
}

static bool prelude_is_sound(struct eventstream *stream, const uint8_t *prelude)
{
	uint32_t total = be32(prelude), headers = be32(prelude + 4);

	if (total < EVENTSTREAM_PRELUDE + 4 || total > EVENTSTREAM_MESSAGE_MAX ||
	    headers > EVENTSTREAM_HEADERS_MAX || headers > total - EVENTSTREAM_PRELUDE - 4)
		return false;
	stream->crc = crc_more(0, prelude, 8);
	if (be32(prelude + 8) != stream->crc)
		return false;
	stream->headers_len = headers;
	stream->payload_len = total - headers - EVENTSTREAM_PRELUDE - 4;
	stream->crc = crc_more(stream->crc, prelude + 8, 4);
	return true;
}

static void take_prelude(struct eventstream *stream)
{
	while (stream->len && stream->n < EVENTSTREAM_PRELUDE) {
		stream->prelude[stream->n++] = *stream->bytes++;
		stream->len--;
		if (stream->n < EVENTSTREAM_PRELUDE)
			continue;
		if (prelude_is_sound(stream, stream->prelude)) {
			stream->is_searching = false;
			stream->part = PART_HEADERS;
			stream->n = 0;
			return;
		}
		/* No message begins here: the window moves on by a byte. */
		stream->bad += !stream->is_searching;
		stream->is_searching = true;
		memmove(stream->prelude, stream->prelude + 1, --stream->n);
	}
}

/* Bytes of a header's value by its type; -1: two bytes of length stand before it; -2: no type. */
static int value_size(uint8_t type)
{
	static const int8_t sizes[] = { 0, 0, 1, 2, 4, 8, -1, -1, 8, 16 };

	return type < sizeof(sizes) ? sizes[type] : -2;
}

static void end_header(struct eventstream *stream)
{
	stream->value[stream->header_n < EVENTSTREAM_NAME_LEN ? stream->header_n : 0] = '\0';
	if (!strcmp(stream->name, ":event-type") || !strcmp(stream->name, ":exception-type") ||
	    !strcmp(stream->name, ":error-code"))
		snprintf(stream->type, sizeof(stream->type), "%s", stream->value);
	else if (!strcmp(stream->name, ":message-type"))
		stream->is_exception = !strcmp(stream->value, "exception") ||
				       !strcmp(stream->value, "error");
	stream->header_part = HEADER_NAME_LEN;
	stream->header_n = 0;
}

static void begin_value(struct eventstream *stream, int size)
{
	stream->header_n = 0;
	stream->header_len = size < 0 ? 0 : (uint16_t)size;
	stream->header_part = size == -1 ? HEADER_VALUE_LEN : HEADER_VALUE;
	if (stream->header_part == HEADER_VALUE && !stream->header_len)
		end_header(stream);
}

static void take_header_byte(struct eventstream *stream, uint8_t byte)
{
	switch (stream->header_part) {
	case HEADER_NAME_LEN:
		stream->header_name = byte;
		stream->header_n = 0;
		stream->name[0] = '\0';
		stream->header_part = byte ? HEADER_NAME : HEADER_TYPE;
		break;
	case HEADER_NAME:
		if (stream->header_n < EVENTSTREAM_NAME_LEN - 1) {
			stream->name[stream->header_n] = (char)byte;
			stream->name[stream->header_n + 1] = '\0';
		}
		if (++stream->header_n == stream->header_name)
			stream->header_part = HEADER_TYPE;
		break;
	case HEADER_TYPE:
		stream->header_type = byte;
		begin_value(stream, value_size(byte));
		break;
	case HEADER_VALUE_LEN:
		stream->header_len = (uint16_t)(stream->header_len << 8 | byte);
		if (++stream->header_n < 2)
			break;
		stream->header_n = 0;
		stream->header_part = HEADER_VALUE;
		if (!stream->header_len)
			end_header(stream);
		break;
	case HEADER_VALUE:
		if (stream->header_n < EVENTSTREAM_NAME_LEN - 1)
			stream->value[stream->header_n] = (char)byte;
		if (++stream->header_n == stream->header_len)
			end_header(stream);
		break;
	}
}

/*
 * A list of strings, which is what providers send, without the state machine. False: it is something else, and
 * nothing was taken.
 */
static bool take_strings(struct eventstream *stream, const uint8_t *at, size_t len)
{
	const uint8_t *end = at + len, *name, *value;

	for (const uint8_t *look = at; look < end;) {
		size_t name_len = *look, value_len;

		if ((size_t)(end - look) < name_len + 4 || look[1 + name_len] != 7)
			return false;
		value_len = (size_t)look[2 + name_len] << 8 | look[3 + name_len];
		if ((size_t)(end - look) < name_len + 4 + value_len || !value_len ||
		    value_len >= EVENTSTREAM_NAME_LEN)
			return false;
		look += name_len + 4 + value_len;
	}
	while (at < end) {
		name = at + 1;
		value = name + *at + 3;
		if (*at == 11 && !memcmp(name, ":event-type", 11)) {
			memcpy(stream->type, value, value[-1]);
			stream->type[value[-1]] = '\0';
		} else if ((*at == 13 && !memcmp(name, ":message-type", 13) &&
			    memcmp(value, "event", 5) != 0) ||
			   (*at == 15 && !memcmp(name, ":exception-type", 15)) ||
			   (*at == 11 && !memcmp(name, ":error-code", 11))) {
			/* An event is no news; the others are seldom. */
			for (const uint8_t *one = at; one < value + value[-1]; one++)
				take_header_byte(stream, *one);
		}
		at = value + value[-1];
	}
	return true;
}

/* A message that lies whole in the fed bytes. False: it does not, or not so simply; nothing was taken. */
static bool take_whole(struct eventstream *stream, struct eventstream_piece *ret)
{
	const uint8_t *at = stream->bytes;
	size_t total;

	if (stream->len < EVENTSTREAM_PRELUDE + 4 || stream->is_searching)
		return false;
	total = be32(at);
	if (total > stream->len || !prelude_is_sound(stream, at) ||
	    !take_strings(stream, at + EVENTSTREAM_PRELUDE, stream->headers_len))
		return false;
	stream->crc = crc_more(stream->crc, at + EVENTSTREAM_PRELUDE,
			       total - EVENTSTREAM_PRELUDE - 4);
	*ret = (struct eventstream_piece){ .type = stream->type,
					   .is_exception = stream->is_exception,
					   .is_first = true,
					   .is_last = true,
					   .is_sound = be32(at + total - 4) == stream->crc,
					   .bytes = at + EVENTSTREAM_PRELUDE + stream->headers_len,
					   .len = stream->payload_len };
	stream->bad += !ret->is_sound;
	stream->bytes += total;
	stream->len -= total;
	return true;
}

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* The next bytes of the part, which is `size` long; they are in the CRC. */
static const uint8_t *take_bytes(struct eventstream *stream, uint32_t size, size_t *ret_len)
{
	const uint8_t *at = stream->bytes;
	size_t len = least(stream->len, size - stream->n);

	/* there may be no bytes at all */
	if (len)
		stream->crc = crc_more(stream->crc, at, len);
	stream->bytes += len;
	stream->len -= len;
	stream->n += (uint32_t)len;
	*ret_len = len;
	return at;
}

static void take_headers(struct eventstream *stream)
{
	size_t len;
	const uint8_t *at = take_bytes(stream, stream->headers_len, &len);

	for (size_t i = 0; i < len; i++)
		take_header_byte(stream, at[i]);
	if (stream->n < stream->headers_len)
		return;
	stream->part = PART_PAYLOAD;
	stream->n = 0;
}

static void give(struct eventstream *stream, const uint8_t *bytes, size_t len,
		 struct eventstream_piece *ret)
{
	*ret = (struct eventstream_piece){ .type = stream->type,
					   .is_exception = stream->is_exception,
					   .is_first = !stream->is_begun,
					   .bytes = bytes,
					   .len = len };
	stream->is_begun = true;
}

static bool take_payload(struct eventstream *stream, struct eventstream_piece *ret)
{
	size_t len;
	const uint8_t *at = take_bytes(stream, stream->payload_len, &len);

	if (stream->n == stream->payload_len) {
		stream->part = PART_CRC;
		stream->n = 0;
	}
	if (len)
		give(stream, at, len, ret);
	return len;
}

static bool take_crc(struct eventstream *stream, struct eventstream_piece *ret)
{
	static const uint8_t nothing[1];

	while (stream->len && stream->n < 4) {
		stream->crc_bytes[stream->n++] = *stream->bytes++;
		stream->len--;
	}
	if (stream->n < 4)
		return false;
	give(stream, nothing, 0, ret);
	ret->is_last = true;
	ret->is_sound = be32(stream->crc_bytes) == stream->crc;
	stream->bad += !ret->is_sound;
	stream->part = PART_PRELUDE;
	stream->n = 0;
	return true;
}

bool eventstream_next(struct eventstream *stream, struct eventstream_piece *ret)
{
	/* The type of the last message is asked for until the next call. */
	if (stream->part == PART_PRELUDE && !stream->n) {
		begin_message(stream);
		if (take_whole(stream, ret))
			return true;
		begin_message(stream);
	}
	while (stream->len) {
		switch (stream->part) {
		case PART_PRELUDE:
			take_prelude(stream);
			break;
		case PART_HEADERS:
			take_headers(stream);
			break;
		case PART_PAYLOAD:
			if (take_payload(stream, ret))
				return true;
			break;
		case PART_CRC:
			if (take_crc(stream, ret))
				return true;
			break;
		}
	}
	return false;
}

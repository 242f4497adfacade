/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The messages of Bedrock's event streams: of ConverseStream a JSON each; of InvokeModelWithResponseStream
 * {"bytes": "<an event of the model's own dialect in base64>", "p": "<padding>"}, or that event as it is.
 */
#include "usage/answer_internal.h"

#include <string.h>

/* What a chunk begins with, blanks aside. */
static const char chunk_head[] = "{\"bytes\":\"";
#define CHUNK_HEAD (sizeof(chunk_head) - 1)

enum chunk { CHUNK_HEAD_PART, CHUNK_NATIVE, CHUNK_BASE64, CHUNK_END };

static void feed(struct answer *answer, const uint8_t *bytes, size_t len)
{
	(void)json_feed(&answer->scan, bytes, len);
}

/* One more than the value; 0: no digit. */
static const uint8_t base64_values[256] = {
#define FROM(c, value) [c] = (value) + 1
#define EIGHT(c, v)                                                                         \
	FROM(c, v), FROM((c) + 1, (v) + 1), FROM((c) + 2, (v) + 2), FROM((c) + 3, (v) + 3), \
		FROM((c) + 4, (v) + 4), FROM((c) + 5, (v) + 5), FROM((c) + 6, (v) + 6),     \
		FROM((c) + 7, (v) + 7)
	EIGHT('A', 0),  EIGHT('I', 8),  EIGHT('Q', 16), FROM('Y', 24), FROM('Z', 25),
	EIGHT('a', 26), EIGHT('i', 34), EIGHT('q', 42), FROM('y', 50), FROM('z', 51),
	EIGHT('0', 52), FROM('8', 60),  FROM('9', 61),  FROM('+', 62), FROM('-', 62),
	FROM('/', 63),  FROM('_', 63),
#undef EIGHT
#undef FROM
};

static void feed_base64(struct answer *answer, const uint8_t *bytes, size_t len)
{
	uint8_t out[512];
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		int value = base64_values[bytes[i]] - 1;

		if (value < 0) {
			/* '=' fills up, a backslash escapes a slash; a quote ends it. */
			if (bytes[i] == '"') {
				answer->chunk = CHUNK_END;
				break;
			}
			continue;
		}
		answer->chunk_bits = answer->chunk_bits << 6 | (uint32_t)value;
		answer->chunk_n += 6;
		if (answer->chunk_n < 8)
			continue;
		answer->chunk_n -= 8;
		out[n++] = (uint8_t)(answer->chunk_bits >> answer->chunk_n);
		if (n == sizeof(out)) {
			feed(answer, out, n);
			n = 0;
		}
	}
	feed(answer, out, n);
}

/* Until it is clear which of the two it is. Returns how many bytes were taken. */
static size_t feed_head(struct answer *answer, const uint8_t *bytes, size_t len)
{
	size_t i = 0;

	for (; i < len; i++) {
		if (strchr(" \t\r\n", bytes[i]) && bytes[i])
			continue;
		if (bytes[i] != (uint8_t)chunk_head[answer->chunk_n]) {
			answer->chunk = CHUNK_NATIVE;
			feed(answer, (const uint8_t *)chunk_head, answer->chunk_n);
			return i;
		}
		if (++answer->chunk_n < CHUNK_HEAD)
			continue;
		answer->chunk = CHUNK_BASE64;
		answer->chunk_n = answer->chunk_bits = 0;
		return i + 1;
	}
	return i;
}

static void feed_payload(struct answer *answer, const uint8_t *bytes, size_t len)
{
	size_t taken = 0;

	if (answer->chunk == CHUNK_HEAD_PART)
		taken = feed_head(answer, bytes, len);
	if (answer->chunk == CHUNK_NATIVE)
		feed(answer, bytes + taken, len - taken);
	else if (answer->chunk == CHUNK_BASE64)
		feed_base64(answer, bytes + taken, len - taken);
}

static bool begins(const uint8_t *bytes, size_t len, const char *with)
{
	size_t n = strlen(with);

	return len >= n && !memcmp(bytes, with, n);
}

/*
 * What stands behind the first `tail:` from at on, or NULL. Colon by colon: in so few bytes memmem spends more
 * on its table than on the search.
 */
static const uint8_t *after_colon(const uint8_t *at, const uint8_t *end, const char *tail,
				  size_t len)
{
	const uint8_t *begin = at;

	while ((at = memchr(at, ':', (size_t)(end - at)))) {
		if ((size_t)(at - begin) >= len && !memcmp(at - len, tail, len))
			return at + 1;
		at++;
	}
	return NULL;
}

/*
 * The text in a delta, without parsing it: what the parser would count. NULL: it is not so simple, for its
 * escapes or its kind.
 */
static const uint8_t *delta_text(const uint8_t *bytes, size_t len, size_t *ret_len)
{
	static const char type[] = "{\"type\":\"", signature[] = "\"signature\"";
	const uint8_t *end = bytes + len, *at = after_colon(bytes, end, "\"delta\"", 7), *quote;

	if (!at)
		return NULL;
	if (begins(at, (size_t)(end - at), type))
		at = memchr(at + sizeof(type) - 1, ',', (size_t)(end - at) - (sizeof(type) - 1));
	/* The next string that is a value. */
	do
		at = at ? after_colon(at, end, "\"", 1) : NULL;
	while (at && at < end && *at == '{');
	if (!at || at == end || *at != '"' || !memcmp(at - 12, signature, sizeof(signature) - 1))
		return NULL;
	at++;
	quote = memchr(at, '"', (size_t)(end - at));
	if (!quote || memchr(at, '\\', (size_t)(quote - at)))
		return NULL;
	*ret_len = (size_t)(quote - at);
	return at;
}

/* A chunk in base64 that is short enough; 0: it is not. */
static size_t decode_chunk(const uint8_t *bytes, size_t len, uint8_t *out, size_t room)
{
	/* The beginnings of deltas, of Claude and Nova, cut to whole groups. */
	static const char claude[] = "eyJ0eXBlIjoiY29udGVudF9ibG9ja19kZWx0";
	static const char nova[] = "eyJjb250ZW50QmxvY2tEZWx0";
	uint32_t bits;
	size_t n = 0;

	if (!begins(bytes, len, chunk_head) || len / 4 * 3 > room)
		return 0;
	bytes += CHUNK_HEAD;
	len -= CHUNK_HEAD;
	if (!begins(bytes, len, claude) && !begins(bytes, len, nova))
		return 0;
	/* Whole groups, up to the one that is filled up or the quote; what is missing then is "}}" or so. */
	for (size_t i = 0; i + 4 <= len; i += 4) {
		uint32_t v0 = base64_values[bytes[i]], v1 = base64_values[bytes[i + 1]];
		uint32_t v2 = base64_values[bytes[i + 2]], v3 = base64_values[bytes[i + 3]];

		if (!v0 || !v1 || !v2 || !v3)
			break;
		bits = (v0 - 1) << 18 | (v1 - 1) << 12 | (v2 - 1) << 6 | (v3 - 1);
		out[n++] = (uint8_t)(bits >> 16);
		out[n++] = (uint8_t)(bits >> 8);
		out[n++] = (uint8_t)bits;
	}
	return n;
}

/* Most events of a stream are deltas, which contain only text. True: this was one. */
static bool take_delta(struct answer *answer, const struct eventstream_piece *piece)
{
	uint8_t native[2048];
	const uint8_t *bytes = piece->bytes, *text = NULL;
	size_t len = piece->len;

	if (!piece->is_first || !piece->is_last || !piece->is_sound || piece->is_exception)
		return false;
	if (!strcmp(piece->type, "chunk")) {
		len = decode_chunk(piece->bytes, piece->len, native, sizeof(native));
		bytes = native;
	} else if (strcmp(piece->type, "contentBlockDelta")) {
		return false;
	}
	text = delta_text(bytes, len, &len);
	if (!text)
		return false;
	answer->events++;
	answer->reading->content_events += len > 0;
	answer->has_content |= len > 0;
	text_count_feed(&answer->text.count, text, len);
	return true;
}

void answer_message(struct answer *answer, const struct eventstream_piece *piece)
{
	bool told;

	if (take_delta(answer, piece))
		return;
	if (piece->is_first) {
		answer->events++;
		answer->before = answer->text;
		answer->chunk = CHUNK_HEAD_PART;
		answer->chunk_n = 0;
		answer_begin_parse(answer, true);
	}
	feed_payload(answer, piece->bytes, piece->len);
	if (!piece->is_last)
		return;
	if (!piece->is_sound) {
		/* Its text does not count, and its usage is missing. */
		answer->text = answer->before;
		answer->reading->has_gap = true;
		answer_drop_document(answer);
		return;
	}
	answer->reading->has_error |= piece->is_exception;
	if (piece->is_exception)
		answer->text = answer->before;
	answer->reading->content_events += answer->text.count.bytes != answer->before.count.bytes;
	told = answer_end_parse(answer);
	answer_take_count(answer, answer->event_type, told);
}

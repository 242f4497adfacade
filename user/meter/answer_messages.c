/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The messages of Bedrock's event streams: of ConverseStream a JSON each; of InvokeModelWithResponseStream
 * {"bytes": "<an event of the model's own dialect in base64>", "p": "<padding>"}, or that event as it is.
 */
#include "meter/answer_internal.h"

#include <string.h>

/* What a chunk begins with, blanks aside. */
static const char chunk_head[] = "{\"bytes\":\"";
#define CHUNK_HEAD (sizeof(chunk_head) - 1)

enum chunk { CHUNK_HEAD_PART, CHUNK_NATIVE, CHUNK_BASE64, CHUNK_END };

static void feed(struct answer *answer, const uint8_t *bytes, size_t len)
{
	(void)json_feed(&answer->scan, bytes, len);
}

static int base64_value(uint8_t c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+' || c == '-')
		return 62;
	return c == '/' || c == '_' ? 63 : -1;
}

static void feed_base64(struct answer *answer, const uint8_t *bytes, size_t len)
{
	uint8_t out[512];
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		int value = base64_value(bytes[i]);

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

void answer_message(struct answer *answer, const struct eventstream_piece *piece)
{
	bool told;

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
		/* Its words do not count, and what it would have told is missing. */
		answer->text = answer->before;
		answer->has_gap = true;
		answer_drop_document(answer);
		return;
	}
	answer->has_error |= piece->is_exception;
	if (piece->is_exception)
		answer->text = answer->before;
	answer->content_events += answer->text.count.bytes != answer->before.count.bytes;
	told = answer_end_parse(answer);
	/* Claude's first event has a count of output that is a placeholder. */
	answer->is_final |= told && strcmp(answer->event_type, "message_start");
}

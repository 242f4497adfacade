/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <zlib.h>

#include "http/crc.h"
#include "http/eventstream.h"

static void the_crc_is_zlibs(void **state)
{
	uint8_t bytes[300];
	uint32_t seed = 7;

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)((seed = seed * 1103515245 + 12345) >> 16);
	for (size_t from = 0; from < 20; from++)
		for (size_t len = 0; len + from <= sizeof(bytes); len++) {
			uint32_t part = crc_more(0, bytes + from, len / 3);

			assert_int_equal(crc_more(part, bytes + from + len / 3, len - len / 3),
					 crc32(0, bytes + from, (uInt)len));
		}
}

static void put32(uint8_t *at, uint32_t value)
{
	for (int i = 0; i < 4; i++)
		at[i] = (uint8_t)(value >> (24 - 8 * i));
}

/* A message of these headers, as they are on the wire, and this payload. */
static size_t make(uint8_t *at, const char *headers, size_t headers_len, const char *payload)
{
	size_t len = strlen(payload), total = 12 + headers_len + len + 4;

	memcpy(at + 12, headers, headers_len);
	memcpy(at + 12 + headers_len, payload, len);
	put32(at, (uint32_t)total);
	put32(at + 4, (uint32_t)headers_len);
	put32(at + 8, (uint32_t)crc32(0, at, 8));
	put32(at + total - 4, (uint32_t)crc32(0, at, (uInt)(total - 4)));
	return total;
}

#define TYPED                         \
	"\x0b:event-type\x07\x00\x05" \
	"chunk"
/* A boolean, an integer of 8 bytes, a time, and one of no length. */
#define ODD        \
	"\x01"     \
	"a\x00"    \
	"\x01"     \
	"b\x05"    \
	"12345678" \
	"\x01"     \
	"c\x08"    \
	"12345678" \
	"\x01"     \
	"d\x07\x00\x00"

struct seen {
	size_t messages, unsound, bytes;
	char type[EVENTSTREAM_NAME_LEN];
};

static void feed(struct eventstream *stream, const uint8_t *bytes, size_t len, size_t step,
		 struct seen *seen)
{
	struct eventstream_piece piece;

	for (size_t at = 0; at < len; at += step) {
		eventstream_feed(stream, bytes + at, step < len - at ? step : len - at);
		while (eventstream_next(stream, &piece)) {
			seen->bytes += piece.len;
			if (!piece.is_last)
				continue;
			seen->messages++;
			seen->unsound += !piece.is_sound;
			snprintf(seen->type, sizeof(seen->type), "%s", piece.type);
		}
	}
}

static void messages_are_found_in_any_cuts(void **state)
{
	uint8_t bytes[512];
	size_t len = make(bytes, TYPED ODD, sizeof(TYPED ODD) - 1, "hello");

	len += make(bytes + len, "", 0, "");
	len += make(bytes + len, TYPED, sizeof(TYPED) - 1, "there");
	for (size_t step = 1; step <= len; step++) {
		struct eventstream stream = { 0 };
		struct seen seen = { 0 };

		feed(&stream, bytes, len, step, &seen);
		assert_int_equal(seen.messages, 3);
		assert_int_equal(seen.unsound, 0);
		assert_int_equal(seen.bytes, 10);
		assert_string_equal(seen.type, "chunk");
		assert_int_equal(stream.bad, 0);
	}
}

/* Each bit of a message is covered by one of its two CRCs. */
static void a_flipped_bit_is_seen(void **state)
{
	uint8_t bytes[256];
	size_t first = make(bytes, TYPED, sizeof(TYPED) - 1, "hello");
	size_t len = first + make(bytes + first, TYPED, sizeof(TYPED) - 1, "there");

	for (size_t bit = 0; bit < first * 8; bit++)
		for (size_t step = 3; step <= len; step += len - 3) {
			struct eventstream stream = { 0 };
			struct seen seen = { 0 };

			bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
			feed(&stream, bytes, len, step, &seen);
			/* The second is sound, whether the first was given as unsound or stepped over. */
			assert_int_equal(seen.messages - seen.unsound, 1);
			assert_int_equal(stream.bad, 1);
			bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_crc_is_zlibs),
		cmocka_unit_test(messages_are_found_in_any_cuts),
		cmocka_unit_test(a_flipped_bit_is_seen),
	};

	return cmocka_run_group_tests_name("eventstream", tests, NULL, NULL);
}

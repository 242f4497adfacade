/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <zlib.h>

#include "http/grpc.h"

static size_t frame(uint8_t *at, uint8_t flag, const void *bytes, size_t len)
{
	const uint8_t prefix[GRPC_PREFIX] = { flag, (uint8_t)(len >> 24), (uint8_t)(len >> 16),
					      (uint8_t)(len >> 8), (uint8_t)len };

	memcpy(at, prefix, GRPC_PREFIX);
	memcpy(at + GRPC_PREFIX, bytes, len);
	return GRPC_PREFIX + len;
}

static size_t gzipped(uint8_t *at, size_t room, const char *text)
{
	z_stream z = { 0 };

	assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY),
			 Z_OK);
	z.next_in = (Bytef *)text;
	z.avail_in = (uInt)strlen(text);
	z.next_out = at;
	z.avail_out = (uInt)room;
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	deflateEnd(&z);
	return room - z.avail_out;
}

struct seen {
	char text[1024]; /* "[hello][there!]": "!" of an unsound one */
};

static void pull(struct grpc *grpc, struct seen *seen)
{
	struct grpc_piece piece;
	size_t at = strlen(seen->text);

	while (grpc_next(grpc, &piece)) {
		if (piece.is_first)
			seen->text[at++] = '[';
		memcpy(seen->text + at, piece.bytes ?: (const uint8_t *)"", piece.len);
		at += piece.len;
		if (piece.is_last && !piece.is_sound)
			seen->text[at++] = '!';
		if (piece.is_last)
			seen->text[at++] = ']';
	}
	seen->text[at] = '\0';
}

static void feed(struct grpc *grpc, const uint8_t *bytes, size_t len, size_t step, struct seen *seen)
{
	for (size_t at = 0; at < len; at += step) {
		size_t n = step < len - at ? step : len - at;
		_cleanup_free_ uint8_t *copy = malloc(n);

		memcpy(copy, bytes + at, n);
		grpc_feed(grpc, copy, n);
		pull(grpc, seen);
	}
}

static void messages_are_found_in_any_cuts(void **state)
{
	uint8_t bytes[512], packed[128];
	size_t len = frame(bytes, 0, "hello", 5);

	len += frame(bytes + len, 0, "", 0);
	len += frame(bytes + len, 1, packed, gzipped(packed, sizeof(packed), "packed words"));
	len += frame(bytes + len, 1, "", 0);
	len += frame(bytes + len, 0, "there", 5);
	for (size_t step = 1; step <= len; step++) {
		struct seen seen = { "" };
		struct grpc grpc;

		grpc_init(&grpc, HTTP_GZIP);
		feed(&grpc, bytes, len, step, &seen);
		assert_string_equal(seen.text, "[hello][][packed words][][there]");
		assert_false(grpc_is_open(&grpc));
		grpc_done(&grpc);
	}
}

/* Corrupt, in an encoding that was not named, or cut by a gap: it is passed over, and the next one is read. */
static void one_that_cannot_be_read_does_not_take_the_next(void **state)
{
	uint8_t bytes[512];
	size_t first = frame(bytes, 1, "no gzip at all", 14), len = first;

	len += frame(bytes + len, 0, "there", 5);
	for (size_t step = 1; step <= len; step++)
		for (enum http_encoding encoding = HTTP_IDENTITY; encoding <= HTTP_GZIP; encoding++) {
			struct seen seen = { "" };
			struct grpc grpc;

			grpc_init(&grpc, encoding);
			feed(&grpc, bytes, len, step, &seen);
			assert_string_equal(seen.text, "[!][there]");
			grpc_done(&grpc);
		}
	bytes[0] = 0;
	for (size_t from = GRPC_PREFIX; from < first; from++)
		for (size_t to = from + 1; to <= first; to++) {
			struct seen seen = { "" };
			struct grpc grpc;

			grpc_init(&grpc, HTTP_GZIP);
			feed(&grpc, bytes, from, len, &seen);
			grpc_gap(&grpc, to - from);
			pull(&grpc, &seen);
			feed(&grpc, bytes + to, len - to, 3, &seen);
			assert_non_null(strstr(seen.text, "!][there]"));
			grpc_done(&grpc);
		}
}

static void behind_a_lost_prefix_nothing_is_guessed(void **state)
{
	uint8_t bytes[512];
	size_t first = frame(bytes, 0, "hello", 5), len = first;

	len += frame(bytes + len, 0, "there", 5);
	len += frame(bytes + len, 0, "again", 5);
	for (size_t from = 0; from < len; from++)
		for (size_t to = from + 1; to <= len; to++) {
			struct seen seen = { "" };
			struct grpc grpc;

			/* A gap that ends within the message that it begins in is the test above. */
			if (from % 10 >= GRPC_PREFIX && to <= (from / 10 + 1) * 10)
				continue;
			grpc_init(&grpc, HTTP_IDENTITY);
			feed(&grpc, bytes, from, len, &seen);
			grpc_gap(&grpc, to - from);
			pull(&grpc, &seen);
			feed(&grpc, bytes + to, len - to, 3, &seen);
			assert_int_equal(strncmp(seen.text, "[hello][there][again]", from / 10 * 7),
					 0);
			assert_int_equal(strlen(seen.text) > from / 10 * 7,
					 from % 10 >= GRPC_PREFIX);
			assert_true(grpc.is_broken);
			grpc_done(&grpc);
		}
	/* A flag that nobody has defined. */
	{
		struct seen seen = { "" };
		struct grpc grpc;

		bytes[first] = 0x80;
		grpc_init(&grpc, HTTP_IDENTITY);
		feed(&grpc, bytes, len, 4, &seen);
		assert_string_equal(seen.text, "[hello]");
		assert_true(grpc.is_broken);
	}
}

/* A message of 4 GiB announces itself and is held nowhere. */
static void a_length_costs_nothing(void **state)
{
	static const uint8_t prefix[GRPC_PREFIX] = { 0, 0xff, 0xff, 0xff, 0xff };
	struct seen seen = { "" };
	struct grpc grpc;

	grpc_init(&grpc, HTTP_GZIP);
	feed(&grpc, prefix, sizeof(prefix), 5, &seen);
	feed(&grpc, (const uint8_t *)"abc", 3, 3, &seen);
	assert_string_equal(seen.text, "[abc");
	assert_true(grpc_is_open(&grpc));
	grpc_gap(&grpc, 0xffffffff - 3);
	pull(&grpc, &seen);
	assert_string_equal(seen.text, "[abc!]");
	assert_false(grpc.is_broken);
	grpc_done(&grpc);
}

static void statuses_have_their_http_status(void **state)
{
	assert_int_equal(grpc_http_status(0), 200);
	assert_int_equal(grpc_http_status(3), 400);
	assert_int_equal(grpc_http_status(8), 429);
	assert_int_equal(grpc_http_status(14), 503);
	assert_int_equal(grpc_http_status(16), 401);
	assert_int_equal(grpc_http_status(17), 500);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages_are_found_in_any_cuts),
		cmocka_unit_test(one_that_cannot_be_read_does_not_take_the_next),
		cmocka_unit_test(behind_a_lost_prefix_nothing_is_guessed),
		cmocka_unit_test(a_length_costs_nothing),
		cmocka_unit_test(statuses_have_their_http_status),
	};

	return cmocka_run_group_tests_name("grpc", tests, NULL, NULL);
}

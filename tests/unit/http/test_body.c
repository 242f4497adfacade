/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <zlib.h>
#include <zstd.h>

#include "http/body.h"
#include "http/decoder.h"

struct bytes {
	uint8_t *at;
	size_t len;
};

static void bytes_add(struct bytes *bytes, const void *from, size_t len)
{
	bytes->at = realloc(bytes->at, bytes->len + len + 1);
	memcpy(bytes->at + bytes->len, from, len);
	bytes->len += len;
}

static void bytes_done(struct bytes *bytes)
{
	free(bytes->at);
	memset(bytes, 0, sizeof(*bytes));
}

/* One text, packed by Python's zlib and gzip, and by libbrotlienc (quality 11) and libzstd (level 9). */
static struct bytes bytes_load(const char *name)
{
	char path[128];
	struct bytes bytes = { 0 };
	uint8_t part[4096];
	size_t n;
	_cleanup_fclose_ FILE *file = NULL;

	snprintf(path, sizeof(path), "tests/data/body/%s", name);
	file = fopen(path, "rb");
	assert_non_null(file);
	while ((n = fread(part, 1, sizeof(part), file)))
		bytes_add(&bytes, part, n);
	return bytes;
}

struct outcome {
	struct bytes text;
	uint64_t lost;
	size_t largest;
};

static void pull(struct body *body, struct outcome *outcome)
{
	struct http_piece piece;

	while (body_next(body, &piece)) {
		assert_true(piece.len || piece.lost_bytes);
		bytes_add(&outcome->text, piece.bytes ? piece.bytes : (const uint8_t *)"",
			  piece.len);
		outcome->lost += piece.lost_bytes;
		if (piece.len > outcome->largest)
			outcome->largest = piece.len;
	}
}

static void feed(struct body *body, const uint8_t *bytes, size_t len, struct outcome *outcome)
{
	/* of exact size and gone at once: nothing may be kept of it */
	_cleanup_free_ uint8_t *copy = malloc(len ? len : 1);

	memcpy(copy, bytes, len);
	body_feed(body, copy, len);
	pull(body, outcome);
}

/* Each way of cutting the input gives the text, and the same loss. */
static void expect(enum http_encoding encoding, const struct bytes *input, const char *text,
		   size_t text_len)
{
	for (size_t cut = 0; cut <= input->len; cut++) {
		struct body body = { 0 };
		struct outcome outcome = { 0 };

		body_begin(&body, encoding);
		feed(&body, input->at, cut, &outcome);
		for (size_t i = cut; i < input->len; i += cut ? input->len : 1)
			feed(&body, input->at + i, cut ? input->len - cut : 1, &outcome);
		assert_int_equal(outcome.text.len, text_len);
		assert_memory_equal(outcome.text.at, text, text_len);
		assert_int_equal(outcome.lost, 0);
		assert_int_equal(body.wire_bytes, input->len);
		assert_int_equal(body.bad_encodings, 0);
		body_end(&body);
		bytes_done(&outcome.text);
	}
}

static void each_encoding_is_undone(void **state)
{
	static const struct {
		const char *name;
		enum http_encoding encoding;
	} cases[] = {
		{ "plain.json", HTTP_IDENTITY }, { "answer.gz", HTTP_GZIP },
		{ "answer.zlib", HTTP_DEFLATE }, { "answer.deflate", HTTP_DEFLATE },
		{ "answer.br", HTTP_BR },        { "answer.zst", HTTP_ZSTD },
		{ "members.gz", HTTP_GZIP },     { "padded.gz", HTTP_GZIP },
	};
	struct bytes plain = bytes_load("plain.json");

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct bytes input = bytes_load(cases[i].name);

		expect(cases[i].encoding, &input, (char *)plain.at, plain.len);
		bytes_done(&input);
	}
	bytes_done(&plain);
}

/* gzip in gzip, and the whole is given up where one of them is corrupt. */
static void what_is_encoded_twice_is_undone_twice(void **state)
{
	struct bytes plain = bytes_load("plain.json"), once = bytes_load("answer.gz");
	uint8_t twice[8192];
	z_stream z = { .next_in = once.at,
		       .avail_in = once.len,
		       .next_out = twice,
		       .avail_out = sizeof(twice) };
	size_t len;

	assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY), Z_OK);
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	len = sizeof(twice) - z.avail_out;
	deflateEnd(&z);
	for (size_t step = 1; step <= len; step += step < 40 ? 1 : len - 40) {
		struct body body = { 0 };
		struct outcome outcome = { 0 };

		body_begin(&body, HTTP_GZIP);
		body.inner.encoding = HTTP_GZIP;
		for (size_t at = 0; at < len; at += step)
			feed(&body, twice + at, step < len - at ? step : len - at, &outcome);
		assert_int_equal(outcome.text.len, plain.len);
		assert_memory_equal(outcome.text.at, plain.at, plain.len);
		assert_int_equal(outcome.lost, 0);
		body_end(&body);
		bytes_done(&outcome.text);
	}
	bytes_done(&plain);
	bytes_done(&once);
}

/* An event that was flushed by the server must come out before the next is fed. */
static void a_flushed_event_comes_out_at_once(void **state)
{
	static const char event[] = "data: {\"delta\":\"hello\"}\n\n";
	z_stream z = { 0 };
	struct body body = { 0 };
	struct outcome outcome = { 0 };
	uint8_t wire[256];

	assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY), Z_OK);
	body_begin(&body, HTTP_GZIP);
	for (size_t i = 1; i <= 100; i++) {
		z.next_in = (Bytef *)event;
		z.avail_in = strlen(event);
		z.next_out = wire;
		z.avail_out = sizeof(wire);
		assert_int_equal(deflate(&z, Z_SYNC_FLUSH), Z_OK);
		feed(&body, wire, sizeof(wire) - z.avail_out, &outcome);
		assert_int_equal(outcome.text.len, i * strlen(event));
	}
	deflateEnd(&z);
	body_end(&body);
	bytes_done(&outcome.text);
}

static void corrupt_data_is_lost_from_there_on(void **state)
{
	struct bytes input = bytes_load("answer.gz");
	struct body body = { 0 };
	struct outcome outcome = { 0 };

	memset(input.at + input.len / 2, 0xff, 40);
	body_begin(&body, HTTP_GZIP);
	feed(&body, input.at, input.len, &outcome);
	feed(&body, (const uint8_t *)"more", 4, &outcome);
	assert_in_range(outcome.lost, 4 + 1, 4 + input.len);
	assert_int_equal(body.bad_encodings, 1);
	assert_int_equal(body.wire_bytes, input.len + 4);
	assert_null(body.decoder);

	/* and the next message is as good as any */
	bytes_done(&outcome.text);
	outcome.lost = 0;
	bytes_done(&input);
	input = bytes_load("answer.gz");
	body_begin(&body, HTTP_GZIP);
	feed(&body, input.at, input.len, &outcome);
	assert_int_equal(outcome.lost, 0);
	assert_int_equal(body.bad_encodings, 1);
	body_end(&body);
	bytes_done(&outcome.text);
	bytes_done(&input);
}

static void a_gap_in_an_encoded_body_loses_the_rest(void **state)
{
	struct bytes input = bytes_load("answer.gz");
	struct body body = { 0 };
	struct outcome outcome = { 0 };

	body_begin(&body, HTTP_GZIP);
	feed(&body, input.at, 100, &outcome);
	body_gap(&body, 50);
	feed(&body, input.at + 150, input.len - 150, &outcome);
	assert_int_equal(outcome.lost, input.len - 100);
	assert_int_equal(body.wire_bytes, input.len);
	assert_int_equal(body.bad_encodings, 0);
	body_end(&body);
	bytes_done(&outcome.text);
	bytes_done(&input);
}

static void an_unknown_encoding_is_lost_and_counted(void **state)
{
	struct body body = { 0 };
	struct outcome outcome = { 0 };

	body_begin(&body, HTTP_ENCODING_UNKNOWN);
	feed(&body, (const uint8_t *)"abc", 3, &outcome);
	feed(&body, (const uint8_t *)"de", 2, &outcome);
	assert_int_equal(outcome.lost, 5);
	assert_int_equal(outcome.text.len, 0);
	assert_int_equal(body.bad_encodings, 1);
	body_end(&body);
	bytes_done(&outcome.text);
}

static void a_bomb_stops_at_the_ratio(void **state)
{
	size_t len = 64 << 20, room = ZSTD_compressBound(len), n;
	_cleanup_free_ uint8_t *zeros = calloc(1, len), *packed = malloc(room);
	struct body body = { 0 };
	struct http_piece piece;
	uint64_t given = 0, lost = 0;

	n = ZSTD_compress(packed, room, zeros, len, 1);
	assert_false(ZSTD_isError(n));
	body_begin(&body, HTTP_ZSTD);
	body_feed(&body, packed, n);
	while (body_next(&body, &piece)) {
		given += piece.len;
		lost += piece.lost_bytes;
	}
	assert_in_range(given, 1, DECODED_RATIO_FLOOR + n * DECODED_RATIO_MAX + DECODER_CHUNK);
	assert_in_range(lost, 1, n);
	assert_int_equal(body.bad_encodings, 1);
	body_end(&body);
}

static void output_comes_in_bounded_chunks(void **state)
{
	size_t len = 1 << 20, room = compressBound(len) + 64;
	_cleanup_free_ uint8_t *text = malloc(len), *packed = malloc(room);
	struct bytes input = { packed, 0 };
	struct outcome outcome = { 0 };
	struct body body = { 0 };
	uint32_t seed = 1;

	for (size_t i = 0; i < len; i++) {
		seed = seed * 1103515245 + 12345;
		text[i] = "abcdefgh"[seed >> 29];
	}
	assert_int_equal(compress(packed, &room, text, len), Z_OK);
	input.len = room;
	body_begin(&body, HTTP_DEFLATE);
	feed(&body, input.at, input.len, &outcome);
	assert_int_equal(outcome.text.len, len);
	assert_memory_equal(outcome.text.at, text, len);
	assert_in_range(outcome.largest, 1, DECODER_CHUNK);
	body_end(&body);
	bytes_done(&outcome.text);
}

/* Begins bodies until one is given up; how many went well. */
static size_t fill(struct body *bodies, size_t most, enum http_encoding encoding,
		   const struct bytes *start)
{
	size_t n;

	for (n = 0; n < most; n++) {
		struct outcome outcome = { 0 };

		body_begin(&bodies[n], encoding);
		feed(&bodies[n], start->at, start->len, &outcome);
		bytes_done(&outcome.text);
		if (outcome.lost)
			break;
	}
	return n;
}

/* The first bytes of a frame that asks for the largest window, and a block of it. */
static struct bytes greedy_zstd(void)
{
	ZSTD_CCtx *zstd = ZSTD_createCCtx();
	struct bytes frame = { malloc(1024), 0 };
	ZSTD_outBuffer out = { frame.at, 1024, 0 };
	ZSTD_inBuffer in = { "greedy", 6, 0 };

	ZSTD_CCtx_setParameter(zstd, ZSTD_c_windowLog, DECODER_ZSTD_WINDOW_LOG);
	assert_false(ZSTD_isError(ZSTD_compressStream2(zstd, &out, &in, ZSTD_e_flush)));
	frame.len = out.pos;
	ZSTD_freeCCtx(zstd);
	return frame;
}

/* Not by their number: what one peer may make us hold differs a hundredfold by its encoding. */
static void decoders_share_what_they_may_hold(void **state)
{
	enum { MOST = 4096 };
	struct body *bodies = calloc(MOST, sizeof(*bodies));
	struct bytes gzip = bytes_load("answer.gz"), start = { gzip.at, gzip.len - 9 },
		     greedy = greedy_zstd();
	struct outcome outcome = { 0 };
	size_t n_gzip = fill(bodies, MOST, HTTP_GZIP, &start), n_zstd;

	assert_in_range(n_gzip, 1500, DECODERS_BYTES_MAX / (64 << 10));
	for (size_t i = 0; i < MOST; i++)
		body_end(&bodies[i]);
	n_zstd = fill(bodies, MOST, HTTP_ZSTD, &greedy);
	assert_in_range(n_zstd, 8, DECODERS_BYTES_MAX >> DECODER_ZSTD_WINDOW_LOG);
	for (size_t i = 0; i < MOST; i++)
		body_end(&bodies[i]);
	/* all of it came back */
	assert_int_equal(fill(bodies, MOST, HTTP_GZIP, &start), n_gzip);
	for (size_t i = 0; i < MOST; i++)
		body_end(&bodies[i]);
	body_begin(&bodies[0], HTTP_GZIP);
	feed(&bodies[0], gzip.at, gzip.len, &outcome);
	assert_int_equal(outcome.lost, 0);
	body_end(&bodies[0]);
	bytes_done(&outcome.text);
	bytes_done(&gzip);
	free(greedy.at);
	free(bodies);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_encoding_is_undone),
		cmocka_unit_test(what_is_encoded_twice_is_undone_twice),
		cmocka_unit_test(a_flushed_event_comes_out_at_once),
		cmocka_unit_test(corrupt_data_is_lost_from_there_on),
		cmocka_unit_test(a_gap_in_an_encoded_body_loses_the_rest),
		cmocka_unit_test(an_unknown_encoding_is_lost_and_counted),
		cmocka_unit_test(a_bomb_stops_at_the_ratio),
		cmocka_unit_test(output_comes_in_bounded_chunks),
		cmocka_unit_test(decoders_share_what_they_may_hold),
	};

	return cmocka_run_group_tests_name("body", tests, NULL, NULL);
}

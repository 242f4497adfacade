/* SPDX-License-Identifier: Apache-2.0 */
#include "websocket_frames.h"

#include "http/decoder.h"
#include "http/websocket.h"

/* Each message as "text;", one whose rest is lost as "text!". */
struct script {
	struct bytes text;
	bool is_open;
};

static void pull(struct websocket *websocket, struct script *script)
{
	struct websocket_piece piece;

	while (websocket_next(websocket, &piece)) {
		assert_int_equal(piece.is_first, !script->is_open);
		bytes_add(&script->text, piece.bytes ? (const void *)piece.bytes : "", piece.len);
		if (piece.is_last)
			bytes_add(&script->text, piece.is_lost ? "!" : ";", 1);
		script->is_open = !piece.is_last;
	}
}

static void feed(struct websocket *websocket, const uint8_t *bytes, size_t len,
		 struct script *script)
{
	/* a copy of exact size, freed at once: what is kept must not point into it */
	_cleanup_free_ uint8_t *copy = malloc(len ? len : 1);

	memcpy(copy, bytes, len);
	websocket_feed(websocket, copy, len);
	pull(websocket, script);
}

static void loses(struct websocket *websocket, size_t n, struct script *script)
{
	websocket_feed(websocket, NULL, 0);
	websocket_gap(websocket, n);
	pull(websocket, script);
}

/* Whole, and cut in two at every byte: the same messages. */
static void expect(enum http_side side, struct http_deflate deflate, const struct bytes *sent,
		   const char *expected)
{
	size_t step = sent->len > 2000 ? sent->len / 97 : 1;

	for (size_t cut = 0; cut <= sent->len; cut += step) {
		struct websocket websocket;
		struct script script = { 0 };

		websocket_init(&websocket, side, &deflate);
		feed(&websocket, sent->at, cut, &script);
		feed(&websocket, sent->at + cut, sent->len - cut, &script);
		assert_string_equal(script.text.at ? (char *)script.text.at : "", expected);
		websocket_done(&websocket);
		bytes_done(&script.text);
	}
}

static const struct http_deflate plain, kept = { .is_on = true },
					reset = { .is_on = true, .resets = { true, true } };

static void frames_are_messages_masked_or_not(void **state)
{
	for (int is_masked = 0; is_masked < 2; is_masked++) {
		_cleanup_bytes_ struct bytes sent = { 0 };

		text_add(&sent, is_masked, "one");
		text_add(&sent, is_masked, "");
		frame_add(&sent, FRAME_FIN | FRAME_BINARY, is_masked, "two", 3);
		expect(is_masked ? HTTP_REQUEST : HTTP_RESPONSE, plain, &sent, "one;;two;");
	}
}

static void fragments_are_joined_around_control_frames(void **state)
{
	_cleanup_bytes_ struct bytes sent = { 0 };

	frame_add(&sent, FRAME_TEXT, false, "a", 1);
	frame_add(&sent, FRAME_FIN | FRAME_PING, false, "are you there", 13);
	frame_add(&sent, FRAME_GOES_ON, false, "", 0);
	frame_add(&sent, FRAME_GOES_ON, false, "b", 1);
	frame_add(&sent, FRAME_FIN | FRAME_PING, false, "", 0);
	frame_add(&sent, FRAME_FIN | FRAME_GOES_ON, false, "c", 1);
	text_add(&sent, false, "next");
	frame_add(&sent, FRAME_TEXT, false, "d", 1);
	frame_add(&sent, FRAME_FIN | FRAME_GOES_ON, false, "", 0);
	frame_add(&sent, FRAME_FIN | FRAME_CLOSE, false, "\x03\xe8", 2);
	expect(HTTP_RESPONSE, plain, &sent, "abc;next;d;");
}

static void every_form_of_a_length_is_read(void **state)
{
	static const size_t lens[] = { 125, 126, 127, 65535, 65536, 70000 };

	for (size_t i = 0; i < ARRAY_SIZE(lens); i++) {
		_cleanup_bytes_ struct bytes sent = { 0 };
		_cleanup_free_ char *text = calloc(1, lens[i] + 2);

		memset(text, 'x', lens[i]);
		text_add(&sent, true, text);
		text[lens[i]] = ';';
		expect(HTTP_REQUEST, plain, &sent, text);
	}
}

/* What the two sides agreed on is kept for each: one message refers to those before, or none does. */
static void compressed_messages_are_read_with_and_without_context(void **state)
{
	for (int resets = 0; resets < 2; resets++) {
		_cleanup_bytes_ struct bytes sent = { 0 };
		z_stream z;

		deflate_begin(&z);
		deflated_add(&sent, &z, true, "the meter counts what the meter sees", resets);
		text_add(&sent, true, "not compressed");
		deflated_add(&sent, &z, true, "the meter counts what the meter sees, again", resets);
		deflated_add(&sent, &z, true, "", resets);
		deflateEnd(&z);
		expect(HTTP_REQUEST, resets ? reset : kept, &sent,
		       "the meter counts what the meter sees;not compressed;"
		       "the meter counts what the meter sees, again;;");
	}
}

static void a_compressed_message_in_fragments_is_one(void **state)
{
	_cleanup_bytes_ struct bytes sent = { 0 };
	_cleanup_bytes_ struct bytes packed = { 0 };
	z_stream z;

	deflate_begin(&z);
	packed = deflated(&z, "fragments of one deflate stream", false);
	deflateEnd(&z);
	frame_add(&sent, FRAME_COMPRESSED | FRAME_TEXT, false, packed.at, 5);
	frame_add(&sent, FRAME_FIN | FRAME_PING, false, "?", 1);
	frame_add(&sent, FRAME_GOES_ON, false, packed.at + 5, 7);
	frame_add(&sent, FRAME_FIN | FRAME_GOES_ON, false, packed.at + 12, packed.len - 12);
	expect(HTTP_RESPONSE, kept, &sent, "fragments of one deflate stream;");
}

/* RFC 7692 7.2.3.4: the stream may end inside a message; 7.2.3.3: blocks that are not compressed. */
static void a_deflate_stream_may_end_and_go_on(void **state)
{
	static const uint8_t ended[] = { 0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00 };
	static const uint8_t again[] = { 0xf2, 0x00, 0x11, 0x00, 0x00 }; /* "Hello" by the window */
	static const uint8_t stored[] = { 0x00, 0x05, 0x00, 0xfa, 0xff, 0x48,
					  0x65, 0x6c, 0x6c, 0x6f, 0x00 };
	_cleanup_bytes_ struct bytes sent = { 0 };

	frame_add(&sent, FRAME_FIN | FRAME_COMPRESSED | FRAME_TEXT, false, ended, sizeof(ended));
	frame_add(&sent, FRAME_FIN | FRAME_COMPRESSED | FRAME_TEXT, false, again, sizeof(again));
	frame_add(&sent, FRAME_FIN | FRAME_COMPRESSED | FRAME_TEXT, false, stored, sizeof(stored));
	expect(HTTP_RESPONSE, kept, &sent, "Hello;Hello;Hello;");
}

/* Bytes that are missing inside a frame cost its message; beyond it, those up to the next piece that begins with one. */
static void a_gap_costs_what_it_holds(void **state)
{
	_cleanup_bytes_ struct bytes sent = { 0 };
	struct script script = { 0 };
	struct websocket websocket;
	size_t second, third;

	text_add(&sent, true, "first message");
	second = sent.len;
	text_add(&sent, true, "second message");
	third = sent.len;
	text_add(&sent, true, "third message");
	websocket_init(&websocket, HTTP_REQUEST, &plain);
	feed(&websocket, sent.at, 10, &script);
	loses(&websocket, 3, &script);
	feed(&websocket, sent.at + 13, second - 13, &script);
	assert_string_equal((char *)script.text.at, "firs!");
	feed(&websocket, sent.at + second, 8, &script);
	loses(&websocket, third - second - 8 + 2, &script); /* and into the third */
	feed(&websocket, sent.at + third + 2, sent.len - third - 2, &script);
	feed(&websocket, sent.at, second, &script);
	assert_string_equal((char *)script.text.at, "firs!se!first message;");
	assert_int_equal(websocket.resyncs, 1);
	websocket_done(&websocket);
	bytes_done(&script.text);
}

/* A compressed message that refers to one that is missing is not made up; without context it is read. */
static void a_gap_costs_all_that_may_refer_to_it(void **state)
{
	for (int resets = 0; resets < 2; resets++) {
		_cleanup_bytes_ struct bytes sent = { 0 };
		struct script script = { 0 };
		struct websocket websocket;
		z_stream z;
		size_t next;

		deflate_begin(&z);
		deflated_add(&sent, &z, false, "a message, a message, a message", resets);
		next = sent.len;
		deflated_add(&sent, &z, false, "a message, a message", resets);
		text_add(&sent, false, "plain");
		deflateEnd(&z);
		websocket_init(&websocket, HTTP_RESPONSE, resets ? &reset : &kept);
		feed(&websocket, sent.at, 4, &script);
		loses(&websocket, 3, &script);
		feed(&websocket, sent.at + 7, sent.len - 7, &script);
		assert_true(next < sent.len);
		assert_string_equal((char *)script.text.at + (script.text.at[0] == 'a'),
				    resets ? "!a message, a message;plain;" : "!!plain;");
		websocket_done(&websocket);
		bytes_done(&script.text);
	}
}

static void what_is_no_frame_is_passed_over(void **state)
{
	static const char *const wrong[] = {
		"\xa1\x01x",         /* RSV2 */
		"\x83\x01x",         /* an opcode that is not in use */
		"\xc1\x01x",         /* compressed, which nobody agreed to */
		"\x09\x01x",         /* a ping in fragments */
		"\x89\x7e\x01\x00x", /* a ping of 256 bytes */
		"\x80\x01x",         /* the rest of nothing */
		"\x81\x7f\x80\x00\x00\x00\x00\x00\x00\x01x", /* a length of 2^63 */
	};

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		static const size_t lens[] = { 3, 3, 3, 3, 5, 3, 11 };
		_cleanup_bytes_ struct bytes sent = { 0 };
		struct script script = { 0 };
		struct websocket websocket;

		text_add(&sent, false, "found again");
		websocket_init(&websocket, HTTP_RESPONSE, &plain);
		feed(&websocket, (const uint8_t *)wrong[i], lens[i], &script);
		assert_null(script.text.at);
		assert_int_equal(websocket.resyncs, 1);
		feed(&websocket, sent.at, sent.len, &script);
		assert_string_equal((char *)script.text.at, "found again;");
		websocket_done(&websocket);
		bytes_done(&script.text);
	}
}

static void a_bomb_is_no_message(void **state)
{
	_cleanup_bytes_ struct bytes sent = { 0 };
	_cleanup_free_ char *zeros = calloc(1, (20 << 20) + 1);
	struct script script = { 0 };
	struct websocket websocket;
	z_stream z;

	memset(zeros, '0', 20 << 20);
	deflate_begin(&z);
	deflated_add(&sent, &z, false, zeros, true);
	deflated_add(&sent, &z, false, "after it", true);
	deflateEnd(&z);
	websocket_init(&websocket, HTTP_RESPONSE, &reset);
	feed(&websocket, sent.at, sent.len, &script);
	assert_true(script.text.len < DECODED_RATIO_FLOOR + 2 * DECODER_CHUNK);
	assert_string_equal((char *)script.text.at + script.text.len - 10, "!after it;");
	assert_int_equal(websocket.bad_encodings, 1);
	websocket_done(&websocket);
	bytes_done(&script.text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames_are_messages_masked_or_not),
		cmocka_unit_test(fragments_are_joined_around_control_frames),
		cmocka_unit_test(every_form_of_a_length_is_read),
		cmocka_unit_test(compressed_messages_are_read_with_and_without_context),
		cmocka_unit_test(a_compressed_message_in_fragments_is_one),
		cmocka_unit_test(a_deflate_stream_may_end_and_go_on),
		cmocka_unit_test(a_gap_costs_what_it_holds),
		cmocka_unit_test(a_gap_costs_all_that_may_refer_to_it),
		cmocka_unit_test(what_is_no_frame_is_passed_over),
		cmocka_unit_test(a_bomb_is_no_message),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "http/sse.h"

/* Each event as "name|data\n" of a transcript, so that one comparison shows everything. */
struct script {
	char text[4096];
	size_t len;
};

static void script_add(struct script *script, const struct sse_event *event)
{
	int n = snprintf(script->text + script->len, sizeof(script->text) - script->len, "%s|%.*s;",
			 event->name, (int)event->len, (const char *)event->data);

	assert_in_range(n, 0, sizeof(script->text) - script->len - 1);
	script->len += n;
}

static void feed(struct sse *sse, const char *bytes, size_t len, struct script *script)
{
	/* a copy of exact size, freed at once: what is kept must not point into it */
	_cleanup_free_ uint8_t *copy = malloc(len ? len : 1);
	struct sse_event event;

	memcpy(copy, bytes, len);
	sse_feed(sse, copy, len);
	while (sse_next(sse, &event))
		script_add(script, &event);
}

static void finish(struct sse *sse, struct script *script)
{
	struct sse_event event;

	if (sse_end(sse, &event))
		script_add(script, &event);
	sse_done(sse);
}

/* Whole, and cut in two at every byte, and byte by byte: the same events. */
static void expect_len(const char *input, size_t len, const char *expected)
{
	struct sse bytewise = { 0 };
	struct script by_byte = { 0 };

	for (size_t cut = 0; cut <= len; cut++) {
		struct sse sse = { 0 };
		struct script script = { 0 };

		feed(&sse, input, cut, &script);
		feed(&sse, input + cut, len - cut, &script);
		finish(&sse, &script);
		assert_string_equal(script.text, expected);
	}
	for (size_t i = 0; i < len; i++)
		feed(&bytewise, input + i, 1, &by_byte);
	finish(&bytewise, &by_byte);
	assert_string_equal(by_byte.text, expected);
}

static void expect(const char *input, const char *expected)
{
	expect_len(input, strlen(input), expected);
}

static void every_line_end_counts(void **state)
{
	expect("data: a\n\ndata: b\n\n", "|a;|b;");
	expect("data: a\r\n\r\ndata: b\r\n\r\n", "|a;|b;");
	expect("data: a\r\rdata: b\r\r", "|a;|b;");
	expect("data: a\r\n\ndata: b\n\r\n", "|a;|b;");
	expect("event: x\rdata: a\r\n\rdata: b\r\n\n", "x|a;|b;");
}

static void fields_are_read_as_the_standard_says(void **state)
{
	expect("\xef\xbb\xbf"
	       "data: a\n\n",
	       "|a;");
	expect(": ping\n\ndata: a\n\n:\n\n", "|a;");
	expect("event: delta\ndata: {\"a\":1}\n\ndata:x\n\n", "delta|{\"a\":1};|x;");
	expect("data:  two\ndata:lines\ndata\ndata: \n\n", "| two\nlines\n\n;");
	expect("data\n\n", "|;");
	expect("event: lonely\n\ndata: a\n\n", "|a;");
	expect("event: first\nevent: last\ndata: a\n\n", "last|a;");
	expect("id: 7\nretry: 10\ndatax: no\ndat: no\nDATA: no\ndata: a\n\n", "|a;");
	expect("\n\n\r\n\ndata: a\n\n\n\n", "|a;");
	expect("\xef\xbb\xbf\xef\xbb\xbf"
	       "data: no\n\ndata: a\n\n",
	       "|a;");
}

static void an_event_without_its_empty_line_is_given_at_the_end(void **state)
{
	expect("data: a\n\ndata: b\n", "|a;|b;");
	expect("data: a\n\ndata: b", "|a;|b;");
	expect("data: a\n\nevent: b", "|a;");
	expect("", "");
}

static void a_long_name_is_cut(void **state)
{
	char input[200] = "event: ", expected[200];

	memset(input + 7, 'n', 100);
	strcpy(input + 107, "\ndata: a\n\n");
	memset(expected, 'n', SSE_NAME_LEN - 1);
	strcpy(expected + SSE_NAME_LEN - 1, "|a;");
	expect(input, expected);
}

static void an_event_whole_in_its_input_is_not_copied(void **state)
{
	static const char input[] = "event: a\ndata: bcd\n\n";
	struct sse sse = { 0 };
	struct sse_event event;

	sse_feed(&sse, (const uint8_t *)input, strlen(input));
	assert_true(sse_next(&sse, &event));
	assert_ptr_equal(event.data, (const uint8_t *)input + 15);
	assert_false(sse_next(&sse, &event));
	assert_null(sse.buf);
	sse_done(&sse);
}

/* What is too long to be held comes in pieces, however it is cut; the next event is whole again. */
static void a_long_event_comes_in_pieces(void **state)
{
	for (size_t extra = 0; extra < 3 * SSE_EVENT_MAX; extra += SSE_EVENT_MAX + 1) {
		size_t len = SSE_EVENT_MAX + extra;
		_cleanup_free_ char *line = malloc(len);

		memset(line, 'x', len);
		memcpy(line, "data: ", 6);
		for (size_t piece = 7777; piece <= len + 7777; piece += len) {
			struct sse sse = { 0 };
			struct sse_event event;
			size_t given = 0, ends = 0, begins = 0;

			for (size_t at = 0; at < len; at += piece) {
				size_t n = len - at < piece ? len - at : piece;

				sse_feed(&sse, (uint8_t *)line + at, n);
				while (sse_next(&sse, &event)) {
					given += event.len;
					begins += event.is_first;
					ends += event.is_last;
				}
				assert_true(sse.buf_room <= 2 * SSE_EVENT_MAX);
			}
			assert_int_equal(begins, extra > 0);
			sse_feed(&sse, (const uint8_t *)"\n\ndata: b\n\n", 11);
			while (sse_next(&sse, &event)) {
				given += event.len;
				begins += event.is_first;
				ends += event.is_last;
			}
			assert_int_equal(given, len - 6 + 1);
			assert_int_equal(begins, 2);
			assert_int_equal(ends, 2);
			assert_int_equal(sse_dropped(&sse), 0);
			sse_done(&sse);
		}
	}
}

static void many_lines_count_towards_the_limit(void **state)
{
	struct sse sse = { 0 };
	struct sse_event event;
	size_t lines = SSE_EVENT_MAX / 4, given = 0;

	for (size_t i = 0; i < lines; i++) {
		sse_feed(&sse, (const uint8_t *)"data:12345678\n", 14);
		while (sse_next(&sse, &event))
			given += event.len;
		assert_true(sse.buf_room <= 2 * SSE_EVENT_MAX);
	}
	sse_feed(&sse, (const uint8_t *)"\ndata: b\n\n", 10);
	assert_true(sse_next(&sse, &event));
	assert_true(event.is_last && !event.is_first);
	/* Eight a line, and a line feed between each two. */
	assert_int_equal(given + event.len, lines * 9 - 1);
	assert_true(sse_next(&sse, &event));
	assert_memory_equal(event.data, "b", 1);
	assert_true(sse.buf_room <= 16384);
	sse_done(&sse);
}

/* A comment or an unknown field of any length is no data, and does not hurt the event around it. */
static void a_long_line_of_another_kind_is_stepped_over(void **state)
{
	struct sse sse = { 0 };
	struct sse_event event;
	_cleanup_free_ char *comment = malloc(3 * SSE_EVENT_MAX);

	memset(comment, 'c', 3 * SSE_EVENT_MAX);
	comment[0] = ':';
	sse_feed(&sse, (const uint8_t *)"event: e\ndata: a\n", 17);
	assert_false(sse_next(&sse, &event));
	for (size_t at = 0; at < 3 * SSE_EVENT_MAX; at += 5000) {
		sse_feed(&sse, (uint8_t *)comment + at, at + 5000 < 3 * SSE_EVENT_MAX ? 5000 : 1000);
		assert_false(sse_next(&sse, &event));
	}
	sse_feed(&sse, (const uint8_t *)"\n\n", 2);
	assert_true(sse_next(&sse, &event));
	assert_string_equal(event.name, "e");
	assert_int_equal(event.len, 1);
	sse_done(&sse);
}

static void a_gap_drops_only_the_event_it_hits(void **state)
{
	struct sse sse = { 0 };
	struct script script = { 0 };

	feed(&sse, "data: a\n\ndata: lo", 17, &script);
	sse_gap(&sse);
	feed(&sse, "st\ndata: too\n\ndata: b\n\n", 23, &script);
	finish(&sse, &script);
	assert_string_equal(script.text, "|a;|b;");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_line_end_counts),
		cmocka_unit_test(fields_are_read_as_the_standard_says),
		cmocka_unit_test(an_event_without_its_empty_line_is_given_at_the_end),
		cmocka_unit_test(a_long_name_is_cut),
		cmocka_unit_test(an_event_whole_in_its_input_is_not_copied),
		cmocka_unit_test(a_long_event_comes_in_pieces),
		cmocka_unit_test(a_long_line_of_another_kind_is_stepped_over),
		cmocka_unit_test(many_lines_count_towards_the_limit),
		cmocka_unit_test(a_gap_drops_only_the_event_it_hits),
	};

	return cmocka_run_group_tests_name("sse", tests, NULL, NULL);
}

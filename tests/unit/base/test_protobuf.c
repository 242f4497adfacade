/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "base/protobuf.h"

static const char *const words[] = { "none", "one", "two", NULL };
static const struct protobuf_node inner[] = {
	{ 1, .id = 11 },
	{ 2, .id = 12, .words = words },
	{ 0 },
};
static const struct protobuf_node middle[] = { { 3, .id = 13, .in = inner }, { 0 } };
static const struct protobuf_node root[] = {
	{ 1, .id = 1 },      { 2, .is_text = true }, { 3, .id = 3, .in = inner },
	{ 4, .in = middle }, { 5000, .id = 5 },      { 0 },
};

static char told[4096];

static void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void say(const char *format, ...)
{
	size_t len = strlen(told);
	va_list args;

	va_start(args, format);
	vsnprintf(told + len, sizeof(told) - len, format, args);
	va_end(args);
}

static void value(void *arg, int id, enum json_kind kind, const char *key, const char *text,
		  bool is_cut)
{
	static const char *const kinds[] = {
		[JSON_IS_STRING] = "\"", [JSON_IS_NUMBER] = "=", [JSON_IS_BEGIN] = "{", [JSON_IS_END] = "}"
	};

	say("%d%s%s%s ", id, kinds[kind], text, is_cut ? "..." : "");
}

static void text(void *arg, enum json_text what, const uint8_t *bytes, size_t len)
{
	if (what == JSON_TEXT_SPAN)
		say("%.*s", (int)len, (const char *)bytes);
	else
		say(what == JSON_TEXT_BEGIN ? "<" : "> ");
}

static const struct json_sink sink = { .value = value, .text = text };

/* Whole, cut in two at every byte, and byte by byte: the same. Returns whether it was whole protobuf. */
static bool read_len(const char *bytes, size_t len)
{
	char first[sizeof(told)];
	bool is_whole = false;

	for (size_t cut = 0; cut <= len + 1; cut++) {
		/* exact copies, so that nothing behind them is looked at */
		_cleanup_free_ uint8_t *copy = malloc(len ? len : 1);
		struct protobuf_scan scan;

		told[0] = '\0';
		memcpy(copy, bytes, len);
		protobuf_init(&scan, root, &sink);
		if (cut <= len) {
			(void)protobuf_feed(&scan, copy, cut);
			is_whole = protobuf_feed(&scan, copy + cut, len - cut) == PROTOBUF_MORE &&
				   protobuf_end(&scan);
		}
		for (size_t i = 0; cut > len && i < len; i++)
			(void)protobuf_feed(&scan, copy + i, 1);
		if (!cut)
			memcpy(first, told, sizeof(first));
		assert_string_equal(told, first);
	}
	return is_whole;
}

#define READ(bytes) read_len(bytes, sizeof(bytes) - 1)

static void wanted_fields_are_told(void **state)
{
	assert_true(READ("\x08\x96\x01"));
	assert_string_equal(told, "1=150 ");
	assert_true(READ("\x12\x05hello"));
	assert_string_equal(told, "<hello> ");
	assert_true(READ("\x1a\x04\x08\x07\x10\x02"));
	assert_string_equal(told, "3{ 11=7 12\"two 3} ");
	assert_true(READ("\x22\x06\x1a\x04\x08\x07\x10\x01"));
	assert_string_equal(told, "13{ 11=7 12\"one 13} ");
	assert_true(READ("\x0a\x03"
			 "abc"));
	assert_string_equal(told, "1\"abc ");
	assert_true(READ("\xc2\xb8\x02\x01x"));
	assert_string_equal(told, "5\"x ");
	assert_true(READ("\x09\x00\x00\x00\x00\x00\x00\x59\x40"));
	assert_string_equal(told, "1=100 ");
	assert_true(READ(""));
	assert_string_equal(told, "");
	/* a message without fields, and one whose end is another's too */
	assert_true(READ("\x1a\x00\x22\x02\x1a\x00\x08\x01"));
	assert_string_equal(told, "3{ 3} 13{ 13} 1=1 ");
}

static void others_are_passed_over(void **state)
{
	assert_true(READ("\x38\x05\x3a\x02\xff\xff\x39"
			 "12345678"
			 "\x3d"
			 "1234"
			 "\x08\x01"));
	assert_string_equal(told, "1=1 ");
	/* Of another type than the field has, or no number of the enum. */
	assert_true(READ("\x10\x05\x18\x05\x1a\x02\x10\x09"));
	assert_string_equal(told, "3{ 3} ");
	/* A double that counts nothing, and an int32 below 0. */
	assert_true(READ("\x09\x00\x00\x00\x00\x00\x00\xf8\x7f\x09\x00\x00\x00\x00\x00\x00\xf8\xbf"));
	assert_string_equal(told, "");
	assert_true(READ("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"));
	assert_string_equal(told, "1=0 ");
}

static void what_is_no_protobuf_is_bad(void **state)
{
	assert_false(READ("\x00\x01"));             /* field 0 */
	assert_false(READ("\x0b"));                 /* a group */
	assert_false(READ("\x0e"));                 /* no wire type */
	assert_false(READ("\x1a\x02\x08\x96\x01")); /* beyond its message */
	assert_false(READ("\x1a\x02\x0a\x05hello"));
	assert_false(READ("\x1a\x01\x0a"));
	assert_false(READ("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"));
	assert_false(READ("\x12\xff\xff\xff\xff\x0f"));
	/* cut short */
	assert_false(READ("\x08"));
	assert_false(READ("\x08\x96"));
	assert_false(READ("\x12\x05hel"));
	assert_false(READ("\x1a\x04\x08\x07"));
}

static void a_long_string_is_cut_and_deep_messages_are_not_entered(void **state)
{
	static const struct protobuf_node endless[] = { { 1, .id = 7, .in = endless }, { 0 } };
	uint8_t bytes[PROTOBUF_DEPTH * 4];
	char lengthy[3 + 300] = "\x0a\xac\x02";
	struct protobuf_scan scan;
	size_t n = sizeof(bytes);

	memset(lengthy + 3, 'x', 300);
	assert_true(read_len(lengthy, sizeof(lengthy)));
	assert_int_equal(strlen(told), 2 + PROTOBUF_VALUE_LEN - 1 + 4);
	while (n >= 2) {
		bytes[n - 1] = (uint8_t)(sizeof(bytes) - n);
		bytes[n - 2] = 0x0a;
		n -= 2;
	}
	told[0] = '\0';
	protobuf_init(&scan, endless, &sink);
	assert_int_equal(protobuf_feed(&scan, bytes, sizeof(bytes)), PROTOBUF_MORE);
	assert_true(protobuf_end(&scan));
	assert_int_equal(strlen(told), (PROTOBUF_DEPTH - 1) * strlen("7{ 7} "));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wanted_fields_are_told),
		cmocka_unit_test(others_are_passed_over),
		cmocka_unit_test(what_is_no_protobuf_is_bad),
		cmocka_unit_test(a_long_string_is_cut_and_deep_messages_are_not_entered),
	};

	return cmocka_run_group_tests_name("protobuf", tests, NULL, NULL);
}

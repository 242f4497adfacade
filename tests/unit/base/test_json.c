/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "base/decimal.h"
#include "base/json.h"

/* Everything that a scan tells, as one line. */
struct told {
	char line[4096];
	char text[4096];
	char before[4096];
};

static void say(char *to, const char *format, ...)
{
	size_t len = strlen(to);
	va_list args;

	va_start(args, format);
	vsnprintf(to + len, 4096 - len, format, args);
	va_end(args);
}

static void take_value(void *arg, int id, enum json_kind kind, const char *key, const char *text,
		       bool is_cut)
{
	static const char kinds[] = "s#tfn{}";
	struct told *told = arg;

	if (kind == JSON_IS_BEGIN || kind == JSON_IS_END)
		say(told->line, "%d%c ", id, kinds[kind]);
	else
		say(told->line, "%d%c%s%s ", id, kinds[kind], text, is_cut ? "..." : "");
}

static void take_text(void *arg, enum json_text what, const uint8_t *bytes, size_t len)
{
	struct told *told = arg;

	if (what == JSON_TEXT_BEGIN)
		strcpy(told->before, told->text);
	else if (what == JSON_TEXT_SPAN)
		say(told->text, "%.*s", (int)len, (const char *)bytes);
	else if (what == JSON_TEXT_END)
		say(told->text, "|");
	else
		strcpy(told->text, told->before);
}

static const struct json_node inner[] = {
	{ "n", .id = 2 },
	{ "m", .id = 3 },
	{ 0 },
};
static const struct json_node root[] = {
	{ "model", .id = 1 },
	{ "usage", .id = 9, .in = inner },
	{ "list", .in = inner },
	{ "tools", .is_schema = true },
	{ 0 },
};
static const char *const mute[] = { "model", "data", NULL };

static enum json_status scan(const char *json, size_t step, struct told *told)
{
	struct json_sink sink = { .value = take_value, .text = take_text, .mute = mute, .arg = told };
	size_t len = strlen(json);
	enum json_status status = JSON_MORE;
	struct json_scan scan;

	memset(told, 0, sizeof(*told));
	json_init(&scan, root, &sink);
	for (size_t at = 0; at < len; at += step) {
		size_t n = step < len - at ? step : len - at;
		uint8_t *copy = malloc(n);

		memcpy(copy, json + at, n);
		status = json_feed(&scan, copy, n);
		free(copy);
		if (status == JSON_BAD)
			break;
	}
	return status;
}

static const struct {
	const char *json, *values, *text;
} rows[] = {
	{ "{\"model\":\"gpt\",\"usage\":{\"n\":12,\"m\":null}}", "1sgpt 9{ 2#12 3nnull 9} ", "" },
	{ " { \"a\" : {\"model\":\"no\"}, \"model\" : \"yes\" } ", "1syes ", "" },
	{ "[{\"model\":\"a\"},\n{\"model\":\"b\"}]", "1sa 1sb ", "" },
	{ "{\"list\":[{\"n\":1},{\"n\":-2.5e3,\"x\":{\"n\":7}},[{\"m\":true}]],\"model\":false}",
	  "2#1 2#-2.5e3 3ttrue 1ffalse ", "" },
	{ "{\"model\":\"1\"}\n{\"model\":\"2\"}\n", "1s1 1s2 ", "" },
	{ "{\"x\":\"a \\\"usage\\\":{\\\"n\\\":1}\",\"usage\":{\"n\":2}}", "9{ 2#2 9} ",
	  "a \"usage\":{\"n\":1}|" },
	{ "{\"model\":\"\\u00e9\\ud83d\\ude00\\n\\/\\ud83dx\\ude00\"}",
	  "1s\xc3\xa9\xf0\x9f\x98\x80\n/\xef\xbf\xbdx\xef\xbf\xbd ", "" },
	{ "{\"mo\\u0064el\":\"escaped key\"}", "1sescaped key ", "" },
	{ "{\"data\":\"muted\",\"c\":[\"one\",{\"t\":\"two\"},\"three\"],\"tools\":[{\"name\":\"f\"}],\"k\":\"v\"}",
	  "", "one|two|three|name|f|v|" },
	{ "{\"u\":\"data:image/png;base64,AAAA\",\"v\":\"w\"}", "", "w|" },
	/* vectors: skipped, told where they are wanted, and what comes behind them */
	{ "{\"v\":[-0.01, 2e-5,3 , 4,5],\"model\":\"a\"}", "1sa ", "" },
	{ "{\"v\":[[1,2], [3, 4],5,\"t\",6, {\"n\":1}, 7],\"usage\":{\"n\":[1, 2,3]}}",
	  "9{ 2#1 2#2 2#3 9} ", "t|" },
	{ "[1, 2,true, null,3, {\"model\":\"b\"},4]", "1sb ", "" },
	{ "{\"model\":[],\"usage\":{},\"list\":[[],{}]}", "9{ 9} ", "" },
};

static void tells_what_is_wanted_in_any_cuts(void **state)
{
	struct told told;

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		for (size_t step = 1; step <= strlen(rows[i].json); step++) {
			assert_int_not_equal(scan(rows[i].json, step, &told), JSON_BAD);
			assert_string_equal(told.line, rows[i].values);
			assert_string_equal(told.text, rows[i].text);
		}
}

static void sets_aside_what_is_no_json(void **state)
{
	static const char *const bad[] = { "{]",
					   "[}",
					   "{\"a\"}",
					   "{\"a\":1 2}",
					   "<html>",
					   "{\"a\":\"\\x\"}",
					   "{\"a\":\"\\u12g4\"}",
					   "}",
					   "{,}",
					   "{1:2}",
					   "[1,,]x",
					   "[1,2,,3]x",
					   "[1,2 3]",
					   "[1,2}",
					   "[1,2,+]x",
					   "{\"a\":[1,2,:3]}",
					   "{\"a\" \"b\"}" };
	struct told told;

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		for (size_t step = 1; step <= strlen(bad[i]); step++)
			assert_int_equal(scan(bad[i], step, &told), JSON_BAD);
}

static void depth_has_a_limit(void **state)
{
	char json[JSON_DEPTH + 3];
	struct told told;

	memset(json, '[', sizeof(json));
	json[JSON_DEPTH] = '\0';
	assert_int_equal(scan(json, 7, &told), JSON_MORE);
	json[JSON_DEPTH] = '[';
	json[JSON_DEPTH + 1] = '\0';
	assert_int_equal(scan(json, 7, &told), JSON_BAD);
}

static void long_values_are_cut_and_long_keys_match_nothing(void **state)
{
	char json[2048] = "{\"", expected[512];
	struct told told;

	memset(json + 2, 'k', 300);
	strcat(json, "\":1,\"model\":\"");
	memset(json + strlen(json), 'v', 400);
	strcat(json, "\"}");
	memset(expected, 0, sizeof(expected));
	strcpy(expected, "1s");
	memset(expected + 2, 'v', JSON_VALUE_LEN - 1);
	strcat(expected, "... ");
	for (size_t step = 1; step < 500; step += 37) {
		assert_int_equal(scan(json, step, &told), JSON_DONE);
		assert_string_equal(told.line, expected);
	}
}

static void base64_is_no_text(void **state)
{
	char json[2048] = "{\"a\":\"";
	struct told told;

	memset(json + 6, 'Q', JSON_BASE64_MIN);
	strcat(json, "==\",\"b\":\"word\"}");
	for (size_t step = 1; step < 600; step += 13) {
		assert_int_equal(scan(json, step, &told), JSON_DONE);
		assert_string_equal(told.text, "word|");
	}
	json[100] = ' ';
	assert_int_equal(scan(json, 9, &told), JSON_DONE);
	assert_int_equal(strlen(told.text), JSON_BASE64_MIN + 2 + 1 + 5);
}

static void decimals_are_exact(void **state)
{
	static const struct {
		const char *text;
		int scale;
		bool ok;
		uint64_t value;
	} decimals[] = {
		{ "2.5e-06", 15, true, 2500000000 },
		{ "0.0000025", 15, true, 2500000000 },
		{ "5E-7", 15, true, 500000000 },
		{ "1.4999999999999998e-07", 15, true, 150000000 },
		{ "0.5", 0, true, 1 },
		{ "0.49999999999999999999999999999999999999999999", 0, true, 0 },
		{ "1e3", 0, true, 1000 },
		{ "7", 2, true, 700 },
		{ "18446744073709551615", 0, true, UINT64_MAX },
		{ "18446744073709551616", 0, false, 0 },
		{ "-1", 0, false, 0 },
		{ "", 0, false, 0 },
		{ "1e", 0, false, 0 },
		{ "1x", 0, false, 0 },
		{ ".", 0, false, 0 },
		{ "1.2.3", 0, false, 0 },
		{ "1e999999999999", 0, false, 0 },
		{ "1e-999999999999", 15, true, 0 },
		{ "0e999", 0, true, 0 },
	};
	static const struct {
		const char *text;
		bool ok;
		uint64_t value;
	} counts[] = {
		{ "12", true, 12 },
		{ "12.0", true, 12 },
		{ "12.5", false, 0 },
		{ "-3", false, 0 },
		{ "9007199254740992", true, 1ULL << 53 },
		{ "9007199254740993", false, 0 },
		{ "1e3", true, 1000 },
		{ "12.04", false, 0 },
	};
	uint64_t value;

	for (size_t i = 0; i < sizeof(decimals) / sizeof(*decimals); i++) {
		assert_int_equal(decimal_read(decimals[i].text, decimals[i].scale, &value),
				 decimals[i].ok);
		if (decimals[i].ok)
			assert_int_equal(value, decimals[i].value);
	}
	for (size_t i = 0; i < sizeof(counts) / sizeof(*counts); i++) {
		assert_int_equal(decimal_count(counts[i].text, &value), counts[i].ok);
		if (counts[i].ok)
			assert_int_equal(value, counts[i].value);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tells_what_is_wanted_in_any_cuts),
		cmocka_unit_test(sets_aside_what_is_no_json),
		cmocka_unit_test(depth_has_a_limit),
		cmocka_unit_test(long_values_are_cut_and_long_keys_match_nothing),
		cmocka_unit_test(base64_is_no_text),
		cmocka_unit_test(decimals_are_exact),
	};

	return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}

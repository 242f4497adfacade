/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "meter/charge.h"
#include "meter/estimate.h"

static struct text_count count(const char *text, size_t step)
{
	struct text_count count = { 0 };
	size_t len = strlen(text);

	for (size_t at = 0; at < len; at += step)
		text_count_feed(&count, (const uint8_t *)text + at, step < len - at ? step : len - at);
	return count;
}

static void classes_are_those_of_the_model(void **state)
{
	static const struct { const char *text; uint64_t milli; } rows[] = {
		{ "", 0 }, { "word", 877 }, { "incomprehensible", 877 + 9 * 268 }, { "HttpConn", 2 * 877 },
		{ "HTTP", 877 }, { "1", 1670 }, { "1234", 2 * 1670 }, { "()", 828 + 252 }, { "\n\n", 1038 },
		{ "a b", 2 * 877 }, { "a    b", 2 * 877 + 3 * 12 }, { "\xc3\xa9", 400 },
		{ "\xe4\xb8\x96\xe7\x95\x8c", 2 * 749 }, { "\xe3\x81\x82", 749 }, { "\xea\xb0\x80", 396 },
		{ "\xf0\x9f\x98\x80", 4200 }, { "\xe2\x80\x94", 396 }, { "\x80\x80\xff", 4200 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		for (size_t step = 1; step <= strlen(rows[i].text) + 1; step++) {
			struct text_count c = count(rows[i].text, step);

			assert_int_equal(text_count_millitokens(&c), rows[i].milli);
			assert_int_equal(c.bytes, strlen(rows[i].text));
		}
}

/* 193 bytes of English at 4.38 bytes a token (facts of the wire, 6.2) are 44 tokens. */
static void english_comes_out_near_its_tokens(void **state)
{
	struct text_count c = count("The quick brown fox jumps over the lazy dog, and then it rests for a "
				    "while beneath the old oak tree. Nobody knows why the fox was in such "
				    "a hurry that morning, but the dog did not mind at all.", 5);

	assert_in_range(text_count_millitokens(&c), 38000, 50000);
}

static void a_newer_claude_counts_more_tokens(void **state)
{
	struct text_request request = { .text = count("Some words of a prompt", 3), .messages = 1 };
	uint64_t gpt = estimate_request(&request, "gpt-4o");

	assert_true(estimate_request(&request, "claude-opus-4-8") > gpt);
	request.has_tools = true;
	assert_true(estimate_request(&request, "claude-opus-4-8") >= gpt + 500);
	request.images = 2;
	assert_int_equal(estimate_request(&request, "gpt-4o"), gpt + 2600);
	assert_true(estimate_bytes(4200, "claude-opus-4-8") > estimate_bytes(4200, "claude-sonnet-4-5"));
	assert_int_equal(estimate_bytes(4200, "gpt-4-turbo"), 1000);
}

static void sizes_give_the_constants_of_the_provider(void **state)
{
	uint64_t in, out;

	estimate_sizes("openai", 4400, 297 * 100 + 600, &in, &out);
	assert_int_equal(in, 1000);
	assert_int_equal(out, 100);
	estimate_sizes("anthropic", 3100, 28000 + 600, &in, &out);
	assert_int_equal(in, 1000);
	assert_int_equal(out, 1000);
	estimate_sizes("nobody", 0, 4100 + 600, &in, &out);
	assert_int_equal(in, 0);
	assert_int_equal(out, 1000);
	estimate_sizes(NULL, 10, 10, &in, &out);
	assert_int_equal(in + out, 0);
}

static void a_factor_moves_after_twenty_samples_and_is_clamped(void **state)
{
	struct calibration *c;
	uint32_t error;

	assert_int_equal(calibration_new(&c), 0);
	for (int i = 0; i < 19; i++)
		calibration_learn(c, "h", "m", 1000, 1300);
	assert_int_equal(calibration_factor(c, "h", "m"), 1000);
	calibration_learn(c, "h", "m", 1000, 1300);
	assert_int_equal(calibration_factor(c, "h", "m"), 1300);
	assert_int_equal(calibration_factor(c, "h", "other"), 1000);
	assert_int_equal(calibration_factor(c, "hm", ""), 1000);
	assert_int_equal(calibration_factor(NULL, "h", "m"), 1000);
	assert_false(calibration_error(c, "h", "m", &error));
	for (int i = 0; i < 20; i++)
		calibration_learn(c, "h", "m", 1000, 1300);
	assert_true(calibration_error(c, "h", "m", &error));
	assert_int_equal(error, 0);
	for (int i = 0; i < 500; i++)
		calibration_learn(c, "h", "m", 1000, 900000);
	assert_in_range(calibration_factor(c, "h", "m"), 1990, 2000);
	for (int i = 0; i < 500; i++)
		calibration_learn(c, "h", "m", 1000, 1);
	assert_in_range(calibration_factor(c, "h", "m"), 500, 510);
	calibration_learn(c, "h", "m", 0, 5);
	calibration_learn(c, "h", "m", UINT64_MAX, UINT64_MAX);
	calibration_free(c);
}

static void the_table_forgets_the_least_recently_used(void **state)
{
	struct calibration *c;
	char model[16];

	assert_int_equal(calibration_new(&c), 0);
	for (int i = 0; i < 20; i++)
		calibration_learn(c, "h", "kept", 100, 150);
	for (int n = 0; n < 2000; n++) {
		snprintf(model, sizeof(model), "m%d", n);
		calibration_learn(c, "h", model, 100, 150);
		if (n % 100 == 0)
			calibration_learn(c, "h", "kept", 100, 150);
	}
	assert_int_equal(calibration_factor(c, "h", "kept"), 1500);
	calibration_free(c);
}

static void money_has_six_decimals_and_more_where_they_say_something(void **state)
{
	static const struct { int64_t nanos; const char *text; } rows[] = {
		{ 0, "0.000000" }, { 1234000, "0.001234" }, { 1, "0.000000001" }, { 1000000000, "1.000000" },
		{ -1500000000, "-1.500000" }, { INT64_MAX, "9223372036.854775807" },
		{ INT64_MIN, "-9223372036.854775808" }, { 1234500, "0.0012345" },
	};
	char buf[MONEY_LEN];

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		assert_string_equal(money_format(rows[i].nanos, buf), rows[i].text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(classes_are_those_of_the_model),
		cmocka_unit_test(english_comes_out_near_its_tokens),
		cmocka_unit_test(a_newer_claude_counts_more_tokens),
		cmocka_unit_test(sizes_give_the_constants_of_the_provider),
		cmocka_unit_test(a_factor_moves_after_twenty_samples_and_is_clamped),
		cmocka_unit_test(the_table_forgets_the_least_recently_used),
		cmocka_unit_test(money_has_six_decimals_and_more_where_they_say_something),
	};

	return cmocka_run_group_tests_name("estimate", tests, NULL, NULL);
}

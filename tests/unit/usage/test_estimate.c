/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "usage/charge.h"
#include "usage/estimate.h"

static struct text_count count(const char *text, size_t step)
{
	struct text_count count = { 0 };
	size_t len = strlen(text);

	for (size_t at = 0; at < len; at += step)
		text_count_feed(&count, (const uint8_t *)text + at,
				step < len - at ? step : len - at);
	return count;
}

static void classes_are_those_of_the_model(void **state)
{
	static const struct {
		const char *text;
		uint64_t milli;
	} rows[] = {
		{ "", 0 },
		{ "word", 877 },
		{ "incomprehensible", 877 + 9 * 268 },
		{ "HttpConn", 2 * 877 },
		{ "HTTP", 877 },
		{ "1", 1670 },
		{ "1234", 2 * 1670 },
		{ "()", 828 + 252 },
		{ "\n\n", 1258 },
		{ "a\nb", 2 * 877 + 1258 },
		{ "a;\nb", 2 * 877 + 828 }, /* ";\n" is one token */
		{ "a b", 2 * 877 },
		{ "a    b", 2 * 877 + 1168 },
		{ "a\tb", 2 * 877 + 1168 },
		{ "\xc3\xa9", 877 + 900 },
		{ "caf\xc3\xa9", 877 + 900 },
		{ "\xe4\xb8\x96\xe7\x95\x8c", 2 * 718 + 671 },
		{ "\xe3\x81\x82", 582 },
		{ "\xea\xb0\x80", 178 + 1588 },
		{ "\xea\xb0\x80\xea\xb0\x80 \xea\xb0\x80", 3 * 178 + 2 * 1588 },
		{ "\xe1\xbb\x87", 877 - 300 },
		{ "\xd0\xb6\xd0\xb6", 1978 },
		{ "\xf0\x9f\x98\x80", 4200 },
		{ "\xe2\x80\x94", 122 + 994 },
		{ "\x80\x80\xff", 4200 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		for (size_t step = 1; step <= strlen(rows[i].text) + 1; step++) {
			struct text_count c = count(rows[i].text, step);

			assert_int_equal(text_count_millitokens(&c), rows[i].milli);
			assert_int_equal(c.bytes, strlen(rows[i].text));
		}
}

/* 193 bytes of English are 44 tokens at 4.38 bytes each: docs/facts/wire.md, "Bytes per token". */
static void english_comes_out_near_its_tokens(void **state)
{
	struct text_count c =
		count("The quick brown fox jumps over the lazy dog, and then it rests for a "
		      "while beneath the old oak tree. Nobody knows why the fox was in such "
		      "a hurry that morning, but the dog did not mind at all.",
		      5);

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
	assert_true(estimate_bytes(4200, "claude-opus-4-8") >
		    estimate_bytes(4200, "claude-sonnet-4-5"));
	assert_int_equal(estimate_bytes(4200, "gpt-4-turbo"), 1000);
}

static struct estimate by_size(const char *provider, enum answer_form form, uint64_t out,
			       uint64_t in)
{
	struct sizes sizes = { .provider = provider,
			       .host = "h",
			       .form = form,
			       .exchanges = 1,
			       .request_bytes = out,
			       .response_bytes = in };
	struct estimate estimate;

	estimate_sizes(&sizes, NULL, &estimate);
	return estimate;
}

static void sizes_give_the_constants_of_the_provider(void **state)
{
	struct estimate e = by_size("openai", ANSWER_SSE, 4400, 297 * 100 + 600);

	assert_int_equal(e.input, 1000);
	assert_int_equal(e.input_error, 500);
	assert_int_equal(e.output, 100);
	assert_int_equal(e.output_error, 200);
	e = by_size("anthropic", ANSWER_UNKNOWN, 3100, 28000 + 600);
	assert_int_equal(e.input, 1000);
	assert_int_equal(e.output, 1000);
	/* A stream most likely; if it is a document, it has 1.6 times its bytes, at 2.9 a token. */
	assert_int_equal(e.output_error, 15572 + 15572 * 65 / 100 + 150 - 1000);
	assert_int_equal(e.output_under, 600 + 150);
	e = by_size("nobody", ANSWER_UNKNOWN, 0, (4200 + 600) * 10 / 16);
	assert_int_equal(e.input, 0);
	assert_int_equal(e.output, 1000);
	e = by_size(NULL, ANSWER_UNKNOWN, 5, 5);
	assert_int_equal(e.input + e.output, 0);
	assert_int_equal(e.input_error, 100); /* nearly nothing is known, and that is said */
	assert_int_equal(e.output_error, 150);
}

/* gzip takes 0.53 of a JSON, some clients do not offer it: the error must reach both. */
static void an_error_of_a_json_reaches_gzip_and_plain(void **state)
{
	uint64_t tokens = 10000, plain = 42000, gzip = plain * 45 / 100;
	struct estimate e = by_size("openai", ANSWER_JSON, 0, plain);

	assert_in_range(tokens, e.output - e.output_error, e.output + e.output_error);
	e = by_size("openai", ANSWER_JSON, 0, gzip);
	assert_in_range(tokens, e.output - e.output_error, e.output + e.output_error);
}

static const struct calibration_key text_key = { CALIBRATED_TEXT_INPUT, 7, "h", "m" };

static void a_factor_moves_after_twenty_samples_and_is_clamped(void **state)
{
	const struct calibration_key other = { CALIBRATED_TEXT_INPUT, 7, "h", "other" };
	const struct calibration_key stranger = { CALIBRATED_TEXT_INPUT, 8, "h", "m" };
	const struct calibration_key joined = { CALIBRATED_TEXT_INPUT, 7, "hm", "" };
	const struct calibration_key size = { CALIBRATED_JSON_OUTPUT, 7, "h", "m" };
	struct calibration *c;
	uint32_t error;

	assert_int_equal(calibration_new(&c), 0);
	for (int i = 0; i < 19; i++)
		calibration_learn(c, &text_key, 1000, 1300);
	assert_int_equal(calibration_factor(c, &text_key), 1000);
	calibration_learn(c, &text_key, 1000, 1300);
	assert_int_equal(calibration_factor(c, &text_key), 1300);
	assert_int_equal(calibration_factor(c, &other), 1000);
	assert_int_equal(calibration_factor(c, &joined), 1000);
	assert_int_equal(calibration_factor(c, &size), 1000);
	assert_int_equal(calibration_factor(NULL, &text_key), 1000);
	assert_false(calibration_error(c, &text_key, &error));
	for (int i = 0; i < 20; i++)
		calibration_learn(c, &text_key, 1000, 1300);
	assert_true(calibration_error(c, &text_key, &error));
	assert_in_range(error, 0, 1);
	for (int i = 0; i < 500; i++)
		calibration_learn(c, &text_key, 1000, 900000);
	assert_in_range(calibration_factor(c, &text_key), 1990, 2000);
	for (int i = 0; i < 500; i++)
		calibration_learn(c, &text_key, 1000, 1);
	assert_in_range(calibration_factor(c, &text_key), 500, 510);
	/* Sizes may lie: a vector's answer has no tokens, a thought has no bytes. */
	for (int i = 0; i < 500; i++)
		calibration_learn(c, &size, 1000, 0);
	assert_in_range(calibration_factor(c, &size), 30, 32);
	assert_int_equal(calibration_factor(c, &stranger), 1000);
	calibration_learn(c, &text_key, 0, 5);
	calibration_learn(c, &text_key, UINT64_MAX, UINT64_MAX);
	calibration_free(c);
}

/* A bill is a sum: where small calls are off one way and a dear one the other, the dear one counts. */
static void a_factor_makes_the_sum_right(void **state)
{
	struct calibration *c;
	uint64_t told = 0, true_sum = 0;

	assert_int_equal(calibration_new(&c), 0);
	for (int i = 0; i < 400; i++)
		calibration_learn(c, &text_key, i % 10 ? 100 : 10000, i % 10 ? 180 : 8000);
	for (int i = 0; i < 10; i++) {
		told += (uint64_t)(i % 10 ? 100 : 10000) * calibration_factor(c, &text_key) / 1000;
		true_sum += i % 10 ? 180 : 8000;
	}
	assert_in_range(told, true_sum * 97 / 100, true_sum * 103 / 100);
	calibration_free(c);
}

static uint64_t draw(uint64_t *seed, uint64_t n)
{
	*seed = *seed * 6364136223846793005 + 1442695040888963407;
	return (*seed >> 33) % n;
}

/* What the error claims: in about six cases of seven the truth is no further off, seldom all of them. */
static void an_expected_error_covers_most_cases(void **state)
{
	const struct sizes sizes = { .provider = "openai",
				     .host = "h",
				     .form = ANSWER_SSE,
				     .exchanges = 1,
				     .request_bytes = 42000,
				     .response_bytes = 297600 };
	struct calibration *c;
	struct estimate e;
	uint64_t seed = 1;
	int covered = 0, n = 0;

	assert_int_equal(calibration_new(&c), 0);
	for (int i = 0; i < 2000; i++) {
		/* Two dice: 500 to 2500 tokens, where the constants say 1000; 300 to 1300 of input for 9952. */
		uint64_t output = 500 + draw(&seed, 1000) + draw(&seed, 1000);

		if (i >= 100) {
			estimate_sizes(&sizes, c, &e);
			covered += output + e.output_error >= e.output &&
				   output <= e.output + e.output_error;
			n++;
		}
		estimate_sizes_learn(&sizes, c, 300 + draw(&seed, 1000), output);
	}
	print_message("note: the expected error covers %d of %d cases\n", covered, n);
	assert_in_range(covered, n * 80 / 100, n * 97 / 100);
	assert_in_range(e.output, 1350, 1650);
	assert_in_range(e.input, 650, 950);
	calibration_free(c);
}

struct told {
	size_t n;
	struct calibration_row row;
};

static void note_row(void *arg, const struct calibration_row *row)
{
	struct told *told = arg;

	told->n++;
	told->row = *row;
}

static void the_table_forgets_the_least_recently_used(void **state)
{
	const struct calibration_key kept = { CALIBRATED_TEXT_INPUT, 7, "h", "kept" };
	struct told told = { 0 };
	struct calibration *c;
	char model[16];

	assert_int_equal(calibration_new(&c), 0);
	for (int i = 0; i < 20; i++)
		calibration_learn(c, &kept, 100, 150);
	calibration_each(c, note_row, &told);
	assert_int_equal(told.n, 1);
	assert_string_equal(told.row.key.model, "kept");
	assert_int_equal(told.row.samples, 20);
	assert_int_equal(told.row.factor, 1500);
	assert_false(told.row.has_error);
	for (int n = 0; n < 2000; n++) {
		const struct calibration_key key = { CALIBRATED_TEXT_INPUT, 7, "h", model };

		snprintf(model, sizeof(model), "m%d", n);
		calibration_learn(c, &key, 100, 150);
		if (n % 50 == 0)
			calibration_learn(c, &kept, 100, 150);
	}
	assert_int_equal(calibration_factor(c, &kept), 1500);
	calibration_free(c);
}

static void learns(struct calibration *c, uint64_t tenant, const char *host, int calls)
{
	const struct calibration_key key = { CALIBRATED_TEXT_INPUT, tenant, host, "" };

	for (int i = 0; i < calls; i++)
		calibration_learn(c, &key, 100, 150);
}

static uint32_t factor(const struct calibration *c, uint64_t tenant, const char *host)
{
	return calibration_factor(
		c, &(struct calibration_key){ CALIBRATED_TEXT_INPUT, tenant, host, "" });
}

/* However many names one tenant has calls for: it pushes out its own rows, and that is counted. */
static void a_tenant_evicts_no_row_of_another(void **state)
{
	struct quota_stats stats;
	struct calibration *c;
	char host[16];

	assert_int_equal(calibration_new(&c), 0);
	learns(c, 7, "kept", 20);
	for (int i = 0; i < 5000; i++) {
		snprintf(host, sizeof(host), "h%d", i);
		learns(c, 8, host, i == 4999 ? 20 : 1);
	}
	calibration_stats(c, &stats);
	assert_int_equal(stats.rows, 1 + 64);
	assert_int_equal(stats.evicted, 5000 - 64);
	assert_int_equal(factor(c, 7, "kept"), 1500);
	assert_int_equal(factor(c, 8, "h4999"), 1500);
	calibration_free(c);
}

/* A full table: who has most gives way, so one with few rows keeps them against many cgroups of another. */
static void a_full_table_takes_from_who_has_most(void **state)
{
	struct quota_stats stats;
	struct calibration *c;
	char host[16];

	assert_int_equal(calibration_new(&c), 0);
	learns(c, 7, "kept", 20);
	learns(c, 7, "kept, too", 20);
	for (uint64_t tenant = 100; tenant < 140; tenant++)
		for (int i = 0; i < 64; i++) {
			snprintf(host, sizeof(host), "h%d", i);
			learns(c, tenant, host, 1);
		}
	calibration_stats(c, &stats);
	assert_int_equal(stats.rows, 2048);
	assert_int_equal(stats.evicted, 2 + 40 * 64 - 2048);
	assert_int_equal(factor(c, 7, "kept"), 1500);
	assert_int_equal(factor(c, 7, "kept, too"), 1500);
	/* As many cgroups as it has rows, and more. */
	for (uint64_t tenant = 1000; tenant < 3500; tenant++)
		learns(c, tenant, "h", 1);
	calibration_stats(c, &stats);
	assert_int_equal(stats.rows, 2048);
	calibration_free(c);
}

static void money_has_six_decimals_and_more_where_they_say_something(void **state)
{
	static const struct {
		int64_t nanos;
		const char *text;
	} rows[] = {
		{ 0, "0.000000" },
		{ 1234000, "0.001234" },
		{ 1, "0.000000001" },
		{ 1000000000, "1.000000" },
		{ -1500000000, "-1.500000" },
		{ INT64_MAX, "9223372036.854775807" },
		{ INT64_MIN, "-9223372036.854775808" },
		{ 1234500, "0.0012345" },
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
		cmocka_unit_test(an_error_of_a_json_reaches_gzip_and_plain),
		cmocka_unit_test(a_factor_makes_the_sum_right),
		cmocka_unit_test(an_expected_error_covers_most_cases),
		cmocka_unit_test(a_factor_moves_after_twenty_samples_and_is_clamped),
		cmocka_unit_test(the_table_forgets_the_least_recently_used),
		cmocka_unit_test(a_tenant_evicts_no_row_of_another),
		cmocka_unit_test(a_full_table_takes_from_who_has_most),
		cmocka_unit_test(money_has_six_decimals_and_more_where_they_say_something),
	};

	return cmocka_run_group_tests_name("estimate", tests, NULL, NULL);
}

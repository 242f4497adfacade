/* SPDX-License-Identifier: Apache-2.0 */
/* Figures that do not mislead: what is not known is not 0, what is a guess has no six digits. */
#include "unit.h"

#include "base/clock.h"
#include "cmd/cmd.h"
#include "cmd/cmd.h"
#include "cmd/show.h"
#include "cmd/top/top.h"
#include "ledger/ledger.h"
#include "said.h"

static char dir[64];
static struct ledger *ledger;
static struct said said;

static int make_ledger(void **state)
{
	return unit_folder(dir) ? -1 : ledger_open(&ledger, dir, true, NULL);
}

static int drop_ledger(void **state)
{
	ledger = ledger_free(ledger);
	return unit_remove(dir);
}

/* Of a flow that nobody read: no price, no status, no duration. */
static void add_unpriced(const char *cgroup)
{
	struct who_group group = { .cgroup = 1 };
	struct who_process process = { .tgid = 7, .comm = "agent" };
	struct charge charge = { .host = "api.anthropic.com",
				 .model = "",
				 .source = CHARGE_SIZE,
				 .usage = { .input = 100 },
				 .error_input = 123456,
				 .error_output = 7,
				 .budget_nanos = 500000000 };
	struct ledger_call call = { .start_us = clock_wall_us() - US_PER_S,
				    .charge = &charge,
				    .group = &group,
				    .process = &process };

	snprintf(group.path, sizeof(group.path), "%s", cgroup);
	assert_int_equal(ledger_add(ledger, &call, NULL), 0);
	assert_int_equal(ledger_flush(ledger), 0);
}

static void what_has_no_price_is_not_zero(void **state)
{
	add_unpriced("/agents");
	RUN(&said, cmd_top, "top", "-1", "--state", dir);
	contains(said.out, "\n/agents          ?        ?         ?          ?    0.500000      1");
	RUN(&said, cmd_report, "report", "--state", dir);
	contains(said.out, "Their expected error: about 120,000 tokens of input, 7 of output more or "
			   "less; what has no price has none in USD.\n");
	assert_null(strstr(said.out, "0.000000"));
}

static void what_is_not_known_of_a_call_is_blank(void **state)
{
	add_unpriced("/agents");
	RUN(&said, cmd_report, "report", "--by", "call", "--state", dir);
	assert_null(strstr(said.out, "0 ms"));
	assert_null(strstr(said.out, "  0  ok"));
	RUN(&said, cmd_explain, "explain", "--state", dir, "call", "1");
	assert_null(strstr(said.out, "status"));
	assert_null(strstr(said.out, "duration"));
	contains(said.out, "  outcome    ");
}

static void a_narrow_terminal_shows_who_and_how_much(void **state)
{
	_cleanup_free_ char *text = NULL;
	size_t size;
	FILE *out;

	for (int i = 0; i < 40; i++) {
		char path[128];

		snprintf(path, sizeof(path),
			 "/kubepods.slice/kubepods-burstable/pod%d-of-a-long/c0ffee%02d", i, i);
		add_unpriced(path);
	}
	out = open_memstream(&text, &size);
	assert_int_equal(
		top_frame(ledger,
			  &(struct top_view){ .key = LEDGER_BY_CGROUP, .width = 80, .height = 24 },
			  out),
		0);
	fclose(out);
	contains(text, "USD/H NOW  IN BUDGETS  CALLS\n");
	contains(text, "/kubepo");
	contains(text, "/c0ffee00");
	contains(text, "\ntotal, +");
	for (const char *line = text; *line; line = strchr(line, '\n') + 1)
		assert_true(strcspn(line, "\n") <= 80);
}

static void names_lose_their_middle(void **state)
{
	char buf[64];

	assert_string_equal(show_short("/a/b", 10, buf, sizeof(buf)), "/a/b");
	assert_string_equal(show_short("/kubepods/pod-1/c0ffee", 14, buf, sizeof(buf)),
			    "/kub..1/c0ffee");
	/* In characters, each of them whole. */
	assert_string_equal(
		show_short("\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9", 5, buf, sizeof(buf)),
		"\xc3\xa9..\xc3\xa9\xc3\xa9");
}

static void a_guess_is_rounded(void **state)
{
	static const uint64_t pairs[][2] = {
		{ 0, 0 },     { 7, 7 },           { 99, 99 },    { 123, 120 },
		{ 125, 130 }, { 123456, 120000 }, { 999, 1000 }, { 1459230, 1500000 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++)
		assert_int_equal(show_rounded(pairs[i][0]), pairs[i][1]);
	assert_true(show_rounded(UINT64_MAX) > UINT64_MAX / 2);
}

static void an_error_beyond_all_is_capped(void **state)
{
	assert_int_equal(
		ledger_put(ledger, "coverage", "[{\"pid\":1,\"command\":\"a\",\"host\":\"h\"}]"), 0);
	assert_int_equal(ledger_put(ledger, "estimates",
				    "[{\"host\":\"a\",\"error_permille\":1459230},"
				    "{\"host\":\"b\",\"error_permille\":254},"
				    "{\"host\":\"c\",\"error_permille\":34}]"),
			 0);
	RUN(&said, cmd_check, "check", "--state", dir);
	contains(said.out, "over 100 %");
	contains(said.out, " 25 %");
	contains(said.out, " 3.4 %");
	assert_null(strstr(said.out, "145923"));
}

#define T0 1700000000000000LL /* 2023-11-14T22:13:20Z */

static void times_are_read(void **state)
{
	static const struct {
		const char *text;
		int64_t us;
	} times[] = {
		{ "90s", T0 - 90 * US_PER_S },
		{ "5m", T0 - 300 * US_PER_S },
		{ "24h", T0 - 86400 * US_PER_S },
		{ "7d", T0 - 7 * 86400 * US_PER_S },
		{ "2w", T0 - 14 * 86400 * US_PER_S },
		{ "all", 0 },
		{ "now", T0 },
		{ "yesterday", 1699830000 * US_PER_S },
		{ "this-week", 1699830000 * US_PER_S }, /* Monday, the 13th */
		{ "last-week", 1699225200 * US_PER_S },
		{ "this-month", 1698793200 * US_PER_S }, /* 2023-11-01T00:00+01:00 */
		{ "last-month", 1696111200 * US_PER_S }, /* 2023-10-01T00:00+02:00 */
		{ "2023-10-29", 1698530400 * US_PER_S }, /* a day of 25 hours */
		{ "2023-10-30", 1698620400 * US_PER_S },
		{ "today", 1699916400 * US_PER_S }, /* 2023-11-14T00:00+01:00 */
		{ "2023-11-14", 1699916400 * US_PER_S },
		{ "2023-07-01", 1688162400 * US_PER_S }, /* summer time */
		{ "2023-11-14T22:13:20Z", T0 },
		{ "2023-11-14T22:13:20.5Z", T0 + 500000 },
		{ "2023-11-14t22:13z", T0 - 20 * US_PER_S },
		{ "2023-11-14 23:13:20+01:00", T0 },
		{ "2023-11-14T17:43:20-04:30", T0 },
		{ "2024-02-29", 1709161200 * US_PER_S },
	};
	static const char *const wrongs[] = { "",
					      "x",
					      "24",
					      "24x",
					      "h",
					      "-5h",
					      "99999999999h",
					      "2023-02-29",
					      "2023-13-01",
					      "2023-1-1",
					      "2023-11-14T",
					      "2023-11-14T22:13:20",
					      "2023-11-14T24:00:00Z",
					      "2023-11-14T22:13:20Zx",
					      "2023-11-14T22:13:20+1:00",
					      "2023-11-14x",
					      " 24h" };
	int64_t us = 1;

	struct zone *zone = NULL;

	assert_int_equal(zone_load(&zone, "Europe/Berlin"), 0);
	for (size_t i = 0; i < ARRAY_SIZE(times); i++) {
		if (show_parse_time(times[i].text, zone, T0, &us) < 0 || us != times[i].us)
			fail_msg("%s: %lld, not %lld", times[i].text, (long long)us,
				 (long long)times[i].us);
	}
	for (size_t i = 0; i < ARRAY_SIZE(wrongs); i++)
		if (show_parse_time(wrongs[i], zone, T0, &us) != -EINVAL)
			fail_msg("\"%s\" was taken", wrongs[i]);
	zone_free(zone);
}

/* A window's calendar words are those of the zone that it is given; what is not given stays the default. */
static void a_window_is_read_in_its_zone(void **state)
{
	struct show_window window = {
		.since = "2023-11-13", .until = "today", .now_us = T0, .since_us = 1, .until_us = 2
	};
	struct zone *berlin = NULL, *utc = NULL;

	assert_int_equal(zone_load(&berlin, "Europe/Berlin"), 0);
	assert_int_equal(zone_load(&utc, "UTC"), 0);
	assert_int_equal(show_window("test", utc, &window), CMD_OK);
	assert_int_equal(window.since_us, 1699833600 * US_PER_S);
	assert_int_equal(window.until_us, 1699920000 * US_PER_S);
	assert_int_equal(show_window("test", berlin, &window), CMD_OK);
	assert_int_equal(window.since_us, 1699830000 * US_PER_S);
	assert_int_equal(window.until_us, 1699916400 * US_PER_S);
	window.until = "2023-11-13";
	assert_int_equal(show_window("test", utc, &window), CMD_USAGE);
	window.until = "soon";
	assert_int_equal(show_window("test", utc, &window), CMD_USAGE);
	window = (struct show_window){ .now_us = T0, .since_us = 1, .until_us = 2 };
	assert_int_equal(show_window("test", utc, &window), CMD_OK);
	assert_int_equal(window.since_us, 1);
	assert_int_equal(window.until_us, 2);
	zone_free(berlin);
	zone_free(utc);
}

static void sums_are_shown_about(void **state)
{
	static const struct {
		int64_t nanos;
		const char *text;
	} sums[] = { { 0, "0" },
		     { 1, "0.000000001" },
		     { 12345678901, "12.3" },
		     { 999600000000, "1000" },
		     { 320000000000, "320" },
		     { 1050000000, "1.05" },
		     { -5500000, "-0.0055" },
		     { 1234567000000000, "1230000" },
		     { INT64_MAX, "9220000000" } };
	char text[SHOW_LEN];

	for (size_t i = 0; i < ARRAY_SIZE(sums); i++)
		assert_string_equal(show_about(sums[i].nanos, text), sums[i].text);
}

static void the_help_lists_every_key(void **state)
{
	RUN(&said, cmd_report, "report", "--help");
	for (enum ledger_key key = 0; key < LEDGER_KEYS; key++)
		contains(said.out, ledger_key_name(key));
}

#define HELD(test) cmocka_unit_test_setup_teardown(test, make_ledger, drop_ledger)

static void folds_to(const char *text, size_t width, size_t indent, const char *expected, unsigned n)
{
	char out[256] = "";
	FILE *file = fmemopen(out, sizeof(out), "w");

	assert_int_equal(show_fold(text, width, indent, file), n);
	fclose(file);
	assert_string_equal(out, expected);
}

static void long_lines_go_on_below(void **state)
{
	folds_to("  why      a b c\n\nnext\n", 0, 11, "  why      a b c\n\nnext\n", 3);
	folds_to("one two three", 8, 2, "one two\n  three\n", 2);
	folds_to("exactly8\n", 8, 2, "exactly8\n", 1);
	folds_to("größer größer", 6, 0, "größer\ngrößer\n", 2);
	folds_to("nowhereToBreak", 8, 2, "nowhereT\n  oBreak\n", 2);
	/* Blanks before a line's first word are no place to break it. */
	folds_to("    abcdefgh", 8, 9, "    abcd\n    efgh\n", 2);
	folds_to("", 8, 2, "", 0);
}

static void durations_have_one_unit_where_there_is_little_room(void **state)
{
	char text[SHOW_LEN];

	assert_string_equal(show_short_duration(1411 * US_PER_S, text), "23 min");
	assert_string_equal(show_short_duration(5 * 3600 * US_PER_S, text), "5 h");
	assert_string_equal(show_short_duration(2100000, text), "2.1 s");
	assert_string_equal(show_short_duration(712 * 3600 * US_PER_S, text), "29 d");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		HELD(what_has_no_price_is_not_zero),
		HELD(what_is_not_known_of_a_call_is_blank),
		HELD(a_narrow_terminal_shows_who_and_how_much),
		cmocka_unit_test(names_lose_their_middle),
		cmocka_unit_test(long_lines_go_on_below),
		cmocka_unit_test(durations_have_one_unit_where_there_is_little_room),
		cmocka_unit_test(a_guess_is_rounded),
		HELD(an_error_beyond_all_is_capped),
		cmocka_unit_test(times_are_read),
		cmocka_unit_test(a_window_is_read_in_its_zone),
		cmocka_unit_test(sums_are_shown_about),
		cmocka_unit_test(the_help_lists_every_key),
	};

	return cmocka_run_group_tests_name("show", tests, NULL, NULL);
}

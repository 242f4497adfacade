/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <jansson.h>
#include <time.h>

#include "base/clock.h"
#include "cmd/report/report.h"
#include "cmd/show.h"
#include "cmd/table.h"

#define T0 1700000000000000LL /* 2023-11-14T22:13:20Z */

static char dir[64];
static struct ledger *ledger;

static uint64_t excess; /* of the calls that add() adds */
static const char *destination = "";
static bool is_unread;

static void add(const char *cgroup, const char *model, enum charge_source source, bool priced,
		int64_t cost, int64_t at_us)
{
	struct who_group group = { .cgroup = 1 };
	struct who_process process = {
		.tgid = 77, .user = "root", .comm = "python3", .exe = "/bin/p"
	};
	struct charge charge = { .provider = "anthropic",
				 .operation = "chat",
				 .host = "api.anthropic.com",
				 .path = "/v1/messages",
				 .price_key = "k",
				 .price_origin = "test",
				 .status = 200,
				 .source = source,
				 .is_priced = priced,
				 .cost_nanos = cost,
				 .request_bytes = 1000,
				 .response_bytes = 2000,
				 .error_input = charge_is_measured(source) ? 0 : 300000,
				 .error_output = charge_is_measured(source) ? 0 : 40,
				 .error_nanos = charge_is_measured(source) ? 0 : cost / 4,
				 .budget_nanos = priced ? cost : NANOS_PER_USD / 4,
				 .under_input = charge_is_measured(source) ? 0 : 200000,
				 .under_output = charge_is_measured(source) ? 0 : 30,
				 .under_nanos = charge_is_measured(source) ? 0 : NANOS_PER_USD / 4,
				 .over_nanos = charge_is_measured(source) ? 0 : NANOS_PER_USD / 2,
				 .excess = excess,
				 .duration_ns = 1500000000,
				 .first_token_ns = 200000000,
				 .usage = { .input = 1200000,
					    .cache_read = 20,
					    .cache_write_5m = 3,
					    .cache_write_1h = 4,
					    .output = 50,
					    .reasoning = 6 } };
	struct ledger_call call = {
		.start_us = at_us, .charge = &charge, .group = &group, .process = &process
	};

	if (is_unread)
		charge.status = 0, charge.duration_ns = charge.first_token_ns = 0;
	snprintf(charge.destination, sizeof(charge.destination), "%s", destination);
	snprintf(group.path, sizeof(group.path), "%s", cgroup);
	snprintf(charge.model, sizeof(charge.model), "%s", model);
	assert_int_equal(ledger_add(ledger, &call, NULL), 0);
}

static int make_ledger(void **state)
{
	char *error = NULL;

	if (unit_folder(dir))
		return -1;
	return ledger_open(&ledger, dir, true, &error);
}

static int drop_ledger(void **state)
{
	ledger = ledger_free(ledger);
	return unit_remove(dir);
}

static char *written_as(const struct report *report)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_int_equal(report_write(out, ledger, report), 0);
	fclose(out);
	return text;
}

static struct report asked(uint32_t keys, enum report_format format)
{
	return (struct report){
		.query = { .since_us = T0, .until_us = LEDGER_NO_END, .keys = keys },
		.now_us = T0 + 3600 * US_PER_S,
		.format = format,
	};
}

static char *written(uint32_t keys, enum report_format format)
{
	struct report report = asked(keys, format);

	return written_as(&report);
}

#define BIT(key) (1u << (LEDGER_BY_##key))

static void add_some(void)
{
	add("/agents/a", "claude-x", CHARGE_USAGE, true, 3600001001, T0 + 1);
	add("/agents/a", "claude-x", CHARGE_TEXT, true, 100000000, T0 + 2);
	add("/agents/a", "new-model", CHARGE_USAGE, false, 0, T0 + 3);
	add("/b", "claude-x", CHARGE_USAGE, true, 1000, T0 + 4);
	add("/b", "claude-x", CHARGE_USAGE, true, 500, T0 - 5); /* before */
}

static void table_is_aligned_and_says_what_is_uncertain(void **state)
{
	_cleanup_free_ char *text = NULL;

	add_some();
	text = written(BIT(CGROUP) | BIT(MODEL), REPORT_TABLE);
	assert_string_equal(
		text,
		"CGROUP     MODEL      CALLS  ESTIMATED      INPUT  CACHE READ  CACHE WRITE  OUTPUT  COST USD  IN BUDGETS\n"
		"/agents/a  claude-x       2          1  2,400,000          40           14     100  3.700001    3.700001\n"
		"/b         claude-x       1          0  1,200,000          20            7      50  0.000001    0.000001\n"
		"/agents/a  new-model      1          0  1,200,000          20            7      50         ?    0.250000  unpriced\n"
		"---------  ---------  -----  ---------  ---------  ----------  -----------  ------  --------  ----------  ----------\n"
		"total                     4          1  4,800,000          80           28     200  3.700002    3.950002  1 unpriced\n"
		"\n"
		"1 of 4 calls (25.0 %) are estimated: no usage could be read of them.\n"
		"Their expected error: about 300,000 tokens of input, 40 of output, 0.025000 USD (of what has a price) more or less.\n"
		"\n"
		"1 calls went to models without a price: their cost is not in the sums. Budgets count 3.950002 USD\n"
		"for all calls above (3.700002 to 4.450002). Give prices in the file that `prices:` of the configuration\n"
		"names, or models with `assume:`.\n");
}

/* As a night is looked for: the dearest, what they are of the whole, and what was usual. */
static void rows_are_cut_sorted_and_compared(void **state)
{
	struct report report = asked(BIT(CGROUP), REPORT_TABLE);
	_cleanup_free_ char *text = NULL, *csv = NULL, *json = NULL;
	json_t *root;

	for (int i = 0; i < 3; i++)
		add("/a", "m", CHARGE_USAGE, true, NANOS_PER_USD, T0 + 1);
	add("/b", "m", CHARGE_USAGE, true, 30 * NANOS_PER_USD, T0 + 2);
	add("/c", "m", CHARGE_USAGE, true, 2 * NANOS_PER_USD, T0 + 3);
	add("/c", "m", CHARGE_USAGE, true, 5 * NANOS_PER_USD,
	    T0 + 3700 * US_PER_S); /* behind the end */
	add("/a", "m", CHARGE_USAGE, true, 2 * NANOS_PER_USD, T0 - 2);
	add("/b", "m", CHARGE_USAGE, true, NANOS_PER_USD, T0 - 3599 * US_PER_S);
	add("/d", "m", CHARGE_USAGE, true, 7 * NANOS_PER_USD, T0 - 3000 * US_PER_S);
	add("/d", "m", CHARGE_USAGE, true, NANOS_PER_USD, T0 - 3601 * US_PER_S); /* before that */
	report.query.until_us = T0 + 3600 * US_PER_S;
	report.has_share = report.compares = true;
	report.most = 2;
	text = written_as(&report);
	assert_string_equal(
		text,
		"CGROUP  CALLS  ESTIMATED      INPUT  CACHE READ  CACHE WRITE  OUTPUT   COST USD    SHARE  BEFORE USD  CHANGE\n"
		"/b          1          0  1,200,000          20            7      50  30.000000   85.7 %    1.000000    x 30\n"
		"/a          3          0  3,600,000          60           21     150   3.000000    8.5 %    2.000000   +50 %\n"
		"1 more      1          0  1,200,000          20            7      50   2.000000    5.7 %\n"
		"------  -----  ---------  ---------  ----------  -----------  ------  ---------  -------  ----------  ------\n"
		"total       5          0  6,000,000         100           35     250  35.000000  100.0 %   10.000000  +250 %\n");
	report.query.order = LEDGER_MOST_CALLS;
	report.format = REPORT_CSV;
	csv = written_as(&report);
	assert_non_null(strstr(
		csv, ",share_permille,before_calls,before_cost_usd,before_budget_usd\r\n/a,3,"));
	assert_non_null(strstr(csv, ",85,1,2.000000,2.000000\r\n/b,1,"));
	report.query.order = LEDGER_BY_WORDS;
	report.most = 1;
	report.format = REPORT_JSON;
	json = written_as(&report);
	root = json_loads(json, 0, NULL);
	assert_int_equal(json_array_size(json_object_get(root, "rows")), 1);
	assert_int_equal(json_integer_value(json_object_get(root, "more_rows")), 2);
	assert_string_equal(
		json_string_value(json_object_get(json_object_get(root, "more"), "cost_usd")),
		"32.000000");
	assert_string_equal(json_string_value(json_object_get(
				    json_object_get(root, "totals_before"), "cost_usd")),
			    "10.000000");
	json_decref(root);
}

/* What is not known is blank, and what has no price did not cost 0. */
static void what_is_not_known_is_no_number(void **state)
{
	_cleanup_free_ char *csv = NULL, *json = NULL;
	json_t *root, *row;

	is_unread = true;
	add("/a", "m", CHARGE_SIZE, false, 0, T0 + 1);
	is_unread = false;
	csv = written(BIT(CALL), REPORT_CSV);
	assert_non_null(strstr(
		csv, "\r\nsize,1,2023-11-14T22:13:20.000Z,/v1/messages,chat,,ok,0,,,k,test,1,"));
	assert_non_null(strstr(csv, ",1000,2000,,300000,40,"));
	json = written(BIT(CALL), REPORT_JSON);
	root = json_loads(json, 0, NULL);
	row = json_array_get(json_object_get(root, "rows"), 0);
	assert_true(json_is_null(json_object_get(row, "status")));
	assert_true(json_is_null(json_object_get(row, "duration_us")));
	assert_true(json_is_null(json_object_get(row, "cost_usd")));
	assert_true(json_is_null(json_object_get(json_object_get(root, "totals"), "cost_usd")));
	json_decref(root);
}

static void a_report_of_now_says_what_the_month_will_cost(void **state)
{
	struct report report = asked(BIT(CGROUP), REPORT_TABLE);
	_cleanup_free_ char *text = NULL, *then = NULL, *json = NULL;
	struct zone *zone = NULL;
	json_t *root;

	/* A dollar an hour for two days; it is 23:13 of the 14th. */
	for (int hour = 0; hour < 48; hour++)
		add("/a", "m", CHARGE_USAGE, true, NANOS_PER_USD,
		    T0 + 600 * US_PER_S - hour * 3600 * US_PER_S);
	assert_int_equal(zone_load(&zone, "UTC"), 0);
	report.zone = zone;
	text = written_as(&report);
	assert_non_null(strstr(
		text, "\n1 USD/h in the last 60 minutes. Today 23 USD, at its end about 23."));
	assert_non_null(strstr(text, " This month 48 USD, at its end about 43"));
	/* Of what is over nothing is forecast. */
	report.query.until_us = report.now_us - 1;
	then = written_as(&report);
	assert_null(strstr(then, "This month"));
	report.format = REPORT_JSON;
	json = written_as(&report);
	root = json_loads(json, 0, NULL);
	assert_string_equal(
		json_string_value(json_object_get(
			json_object_get(json_object_get(root, "forecast"), "month"), "spent_usd")),
		"48.000000");
	assert_string_equal(
		json_string_value(json_object_get(
			json_object_get(json_object_get(root, "forecast"), "month"), "end")),
		"2023-12-01T00:00:00Z");
	json_decref(root);
	zone_free(zone);
}

static void json_has_the_agreed_shape(void **state)
{
	_cleanup_free_ char *text = NULL;

	add("/x\n\x1b[2J\xff", "claude-x", CHARGE_USAGE, true, 1234001, T0 + 1);
	text = written(BIT(CGROUP) | BIT(HOST) | BIT(PROVIDER) | BIT(MODEL), REPORT_JSON);
	assert_string_equal(
		text,
		"{\"rows\":[\n"
		"{\"cgroup\":\"/x\\\\x0a\\\\x1b[2J\\\\xff\",\"host\":\"api.anthropic.com\",\"provider\":\"anthropic\","
		"\"model\":\"claude-x\",\"calls\":1,\"measured_calls\":1,\"estimated_calls\":0,\"unpriced_calls\":0,"
		"\"free_calls\":0,\"tokens\":{\"input\":1200000,\"cache_read\":20,\"cache_write\":7,\"output\":50,"
		"\"reasoning\":6},\"audio_tokens\":{\"input\":0,\"output\":0},\"web_searches\":0,\"request_bytes\":1000,"
		"\"response_bytes\":2000,\"cost_usd\":\"0.001234001\","
		"\"expected_error\":{\"input\":0,\"output\":0,\"cost_usd\":\"0.000000\"},"
		"\"budget_usd\":\"0.001234001\",\"low\":{\"input\":1200000,\"output\":50,\"budget_usd\":\"0.001234001\"},"
		"\"high\":{\"input\":1200000,\"output\":50,\"budget_usd\":\"0.001234001\"},\"excess\":0,"
		"\"unconfirmed\":{\"calls\":0,\"of_calls\":0,\"budget_usd\":\"0.000000\"}}],\n"
		"\"totals\":{\"calls\":1,\"measured_calls\":1,\"estimated_calls\":0,\"unpriced_calls\":0,"
		"\"free_calls\":0,\"tokens\":{\"input\":1200000,\"cache_read\":20,\"cache_write\":7,\"output\":50,"
		"\"reasoning\":6},\"audio_tokens\":{\"input\":0,\"output\":0},\"web_searches\":0,\"request_bytes\":1000,"
		"\"response_bytes\":2000,\"cost_usd\":\"0.001234001\","
		"\"expected_error\":{\"input\":0,\"output\":0,\"cost_usd\":\"0.000000\"},"
		"\"budget_usd\":\"0.001234001\",\"low\":{\"input\":1200000,\"output\":50,\"budget_usd\":\"0.001234001\"},"
		"\"high\":{\"input\":1200000,\"output\":50,\"budget_usd\":\"0.001234001\"},\"excess\":0,"
		"\"unconfirmed\":{\"calls\":0,\"of_calls\":0,\"budget_usd\":\"0.000000\"}},\n"
		"\"since\":\"2023-11-14T22:13:20Z\",\"until\":\"2023-11-14T23:13:20Z\",\"generated\":\"2023-11-14T23:13:20Z\",\"currency\":\"USD\"}\n");
}

static void json_of_calls_tells_time_status_duration_and_source(void **state)
{
	_cleanup_free_ char *text = NULL;
	json_t *root, *row;

	excess = 77;
	add("/b", "claude-x", CHARGE_TEXT, true, 5000, T0 + 123000);
	excess = 0;
	text = written(BIT(CALL) | BIT(PID), REPORT_JSON);
	root = json_loads(text, 0, NULL);
	assert_non_null(root);
	row = json_array_get(json_object_get(root, "rows"), 0);
	assert_int_equal(json_integer_value(json_object_get(json_object_get(row, "low"), "input")),
			 1200000 - 200000);
	assert_int_equal(json_integer_value(json_object_get(json_object_get(row, "low"), "output")),
			 20);
	assert_int_equal(json_integer_value(json_object_get(json_object_get(row, "high"), "input")),
			 1200000 + 300000);
	assert_int_equal(
		json_integer_value(json_object_get(json_object_get(row, "high"), "output")), 90);
	assert_int_equal(json_integer_value(json_object_get(row, "excess")), 77);
	assert_int_equal(json_integer_value(json_object_get(row, "call")), 1);
	assert_string_equal(json_string_value(json_object_get(row, "time")),
			    "2023-11-14T22:13:20.123Z");
	assert_string_equal(json_string_value(json_object_get(row, "path")), "/v1/messages");
	assert_int_equal(json_integer_value(json_object_get(row, "status")), 200);
	assert_int_equal(json_integer_value(json_object_get(row, "duration_us")), 1500000);
	assert_string_equal(json_string_value(json_object_get(row, "source")), "text");
	row = json_object_get(row, "expected_error");
	assert_int_equal(json_integer_value(json_object_get(row, "input")), 300000);
	assert_int_equal(json_integer_value(json_object_get(row, "output")), 40);
	assert_string_equal(json_string_value(json_object_get(row, "cost_usd")), "0.00000125");
	row = json_array_get(json_object_get(root, "rows"), 0);
	assert_string_equal(json_string_value(json_object_get(row, "pid")), "77");
	assert_null(json_object_get(row, "cgroup"));
	json_decref(root);
}

/* What nobody was asked about is in no share; a key tells the three apart. */
static void what_only_its_sender_vouches_for_is_a_share(void **state)
{
	_cleanup_free_ char *text = NULL, *json = NULL;
	json_t *root, *row, *part;

	add("/a", "m", CHARGE_USAGE, true, 1000000000, T0 + 1);
	destination = "confirmed";
	add("/a", "m", CHARGE_USAGE, true, 3000000000, T0 + 2);
	destination = "unconfirmed";
	add("/a", "m", CHARGE_USAGE, false, 0, T0 + 3);
	destination = "";
	text = written(BIT(CGROUP) | BIT(DESTINATION), REPORT_TABLE);
	assert_non_null(strstr(text, "/a      unconfirmed"));
	assert_non_null(strstr(text, "\n1 calls (50.0 %), 0.250000 USD in budgets, are unconfirmed"));
	json = written(BIT(CGROUP), REPORT_JSON);
	root = json_loads(json, 0, NULL);
	row = json_array_get(json_object_get(root, "rows"), 0);
	part = json_object_get(row, "unconfirmed");
	assert_int_equal(json_integer_value(json_object_get(row, "calls")), 3);
	assert_int_equal(json_integer_value(json_object_get(part, "calls")), 1);
	assert_int_equal(json_integer_value(json_object_get(part, "of_calls")), 2);
	assert_string_equal(json_string_value(json_object_get(part, "budget_usd")), "0.250000");
	json_decref(root);
}

static void csv_is_quoted_and_runs_no_formula(void **state)
{
	_cleanup_free_ char *text = NULL;

	add("/a,\"b\"\r\n", "=cmd|' /C calc'!A0", CHARGE_USAGE, false, 0, T0 + 1);
	text = written(BIT(CGROUP) | BIT(MODEL), REPORT_CSV);
	assert_string_equal(
		text,
		"cgroup,model,calls,measured_calls,estimated_calls,unpriced_calls,free_calls,input,cache_read,cache_write,"
		"output,reasoning,audio_input,audio_output,web_searches,request_bytes,response_bytes,cost_usd,error_input,error_output,error_usd,budget_usd,under_input,under_output,under_usd,over_usd,excess,"
		"unconfirmed_calls,asked_calls,unconfirmed_budget_usd\r\n"
		"\"/a,\"\"b\"\"\\x0d\\x0a\",'=cmd|' /C calc'!A0,1,1,0,1,0,1200000,20,7,50,6,0,0,0,1000,2000,,0,0,0.000000,0.250000,0,0,0.000000,0.000000,0,0,0,0.000000\r\n");
}

static void table_of_calls_has_its_columns(void **state)
{
	_cleanup_free_ char *text = NULL;

	add("/b\x1b]0;x\x07", "claude-x", CHARGE_USAGE, true, 5000000, T0 + 1000);
	text = written(BIT(CALL) | BIT(CGROUP), REPORT_TABLE);
	assert_string_equal(
		text,
		"CALL  TIME                      CGROUP          SOURCE  PATH          STATUS  OUTCOME  DURATION      "
		"INPUT  CACHE READ  CACHE WRITE  OUTPUT  COST USD\n"
		"   1  2023-11-14T22:13:20.001Z  /b\\x1b]0;x\\x07  usage   /v1/messages     200  ok          1.5 s  "
		"1,200,000          20            7      50  0.005000\n");
}

static void nothing_to_report_is_said(void **state)
{
	_cleanup_free_ char *text = written(BIT(CGROUP), REPORT_TABLE);
	_cleanup_free_ char *json = written(BIT(CGROUP), REPORT_JSON);
	json_t *root = json_loads(json, 0, NULL);

	assert_string_equal(
		text,
		"No AI calls since 2023-11-14T22:13:20Z.\n"
		"If there should be some: `aigress check` shows what is seen and what is not, and --since 7d\n"
		"looks further back.\n");
	assert_int_equal(json_array_size(json_object_get(root, "rows")), 0);
	json_decref(root);
}

static void keys_are_checked(void **state)
{
	uint32_t keys = 0;
	char *error;

	assert_null(report_parse_keys("model,cgroup", &keys));
	assert_int_equal(keys, BIT(MODEL) | BIT(CGROUP));
	error = report_parse_keys("model,\x1b,x", &keys);
	assert_string_equal(
		error,
		"--by: \"\\x1b\" is not a key; give one or more of: time, hour, team, who, namespace, "
		"workload, pod, container, image, cgroup, unit, user, command, exe, client, pid, host, provider, "
		"model, tier, account, destination, via, api-key, source, call");
	free(error);
	error = report_parse_keys("time", &keys);
	assert_string_equal(error, "--by: \"time\" is that of one call; add call, or take hour");
	free(error);
	error = report_parse_keys("", &keys);
	assert_non_null(error);
	free(error);
	assert_int_equal(keys, BIT(MODEL) | BIT(CGROUP));
}

static void text_cannot_move_a_terminal(void **state)
{
	static const struct {
		const char *text, *shown;
	} texts[] = {
		{ "plain \\ text", "plain \\ text" },
		{ "\x1b[31m\n\t\r\x7f", "\\x1b[31m\\x0a\\x09\\x0d\\x7f" },
		{ "gr\xc3\xbc\xc3\x9f \xe6\x97\xa5 \xf0\x9f\x98\x80",
		  "gr\xc3\xbc\xc3\x9f \xe6\x97\xa5 \xf0\x9f\x98\x80" },
		{ "\xc2\x9b"
		  "31m",
		  "\\xc2\\x9b31m" }, /* C1's CSI */
		{ "\xe2\x80\xae"
		  "txt",
		  "\\xe2\\x80\\xaetxt" }, /* right to left */
		{ "\xff\xc3", "\\xff\\xc3" },
		{ "\xc0\x9b\xe0\x80\x9b", "\\xc0\\x9b\\xe0\\x80\\x9b" }, /* overlong */
		{ "\xed\xa0\x80", "\\xed\\xa0\\x80" },                   /* a surrogate */
		{ "\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80" },
	};
	char buf[64];

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		assert_string_equal(show_text(texts[i].text, buf, sizeof(buf)), texts[i].shown);
	assert_string_equal(show_text("\x01\x02", buf, 8), "\\x01");
	assert_string_equal(show_text("\xc3\xbc\xc3\xbc", buf, 4), "\xc3\xbc");
	assert_string_equal(show_text("abc", buf, 1), "");
}

static void figures_are_readable(void **state)
{
	char buf[SHOW_LEN];

	assert_string_equal(show_count(0, buf), "0");
	assert_string_equal(show_count(999, buf), "999");
	assert_string_equal(show_count(UINT64_MAX, buf), "18,446,744,073,709,551,615");
	assert_string_equal(show_usd(1499, buf), "0.000001");
	assert_string_equal(show_usd(999999500, buf), "1.000000");
	assert_string_equal(show_usd(-1500000, buf), "-0.001500");
	assert_string_equal(show_usd(INT64_MIN, buf), "-9223372036.854776");
	assert_string_equal(show_duration(999999, buf), "999 ms");
	assert_string_equal(show_duration(59950000, buf), "59.9 s");
	assert_string_equal(show_duration(200000000, buf), "3 min 20 s");
	assert_string_equal(show_duration(7260000000, buf), "2 h 1 min");
	assert_string_equal(show_bytes(999, buf), "999 B");
	assert_string_equal(show_bytes(12345, buf), "12.3 kB");
	assert_string_equal(show_bytes(UINT64_MAX, buf), "18.4 EB");
	assert_string_equal(text_time(-1, buf), "1969-12-31T23:59:59.999Z");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(table_is_aligned_and_says_what_is_uncertain,
						make_ledger, drop_ledger),
		cmocka_unit_test_setup_teardown(rows_are_cut_sorted_and_compared, make_ledger,
						drop_ledger),
		cmocka_unit_test_setup_teardown(what_is_not_known_is_no_number, make_ledger,
						drop_ledger),
		cmocka_unit_test_setup_teardown(a_report_of_now_says_what_the_month_will_cost,
						make_ledger, drop_ledger),
		cmocka_unit_test_setup_teardown(json_has_the_agreed_shape, make_ledger, drop_ledger),
		cmocka_unit_test_setup_teardown(json_of_calls_tells_time_status_duration_and_source,
						make_ledger, drop_ledger),
		cmocka_unit_test_setup_teardown(what_only_its_sender_vouches_for_is_a_share,
						make_ledger, drop_ledger),
		cmocka_unit_test_setup_teardown(csv_is_quoted_and_runs_no_formula, make_ledger,
						drop_ledger),
		cmocka_unit_test_setup_teardown(table_of_calls_has_its_columns, make_ledger,
						drop_ledger),
		cmocka_unit_test_setup_teardown(nothing_to_report_is_said, make_ledger, drop_ledger),
		cmocka_unit_test(keys_are_checked),
		cmocka_unit_test(text_cannot_move_a_terminal),
		cmocka_unit_test(figures_are_readable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

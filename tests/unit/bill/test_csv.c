/* SPDX-License-Identifier: Apache-2.0 */
/* Invoices and FOCUS exports, and what their cells are. */
#include "billed.h"

static char dir[UNIT_FOLDER_LEN], path[UNIT_FOLDER_LEN + 16];

static int make_dir(void **state)
{
	if (unit_folder(dir))
		return -1;
	snprintf(path, sizeof(path), "%s/bill.csv", dir);
	return 0;
}

static int remove_dir(void **state)
{
	return unit_remove(dir);
}

static int read_text(const char *text, const char *provider, char **ret_error)
{
	unit_write(path, text, strlen(text));
	*ret_error = NULL;
	return bill_read_csv(&bill, path, provider, ret_error);
}

static void read_bill(const char *text, const char *provider)
{
	_cleanup_free_ char *error = NULL;
	int err = read_text(text, provider, &error);

	if (err)
		fail_msg("%d: %s", err, error ? error : "");
	assert_null(error);
}

/* Refused with a sentence that has these words. */
static void refuse(const char *text, const char *words)
{
	_cleanup_free_ char *error = NULL;

	assert_int_equal(read_text(text, "openai", &error), -EBADMSG);
	assert_non_null(error);
	if (!strstr(error, words))
		fail_msg("\"%s\" does not say \"%s\"", error, words);
}

static void an_invoice_is_added_up_by_day_and_model(void **state)
{
	read_bill("\xef\xbb\xbf"
		  "Date,Model,Cost,Input_Tokens,Output_Tokens,Tier,Workspace\r\n"
		  "2026-11-23,claude-haiku-4-5-20251001,\"$1,234.50\",10,2,standard,w1\r\n"
		  "\r\n"
		  "2026-11-23,Claude-Haiku-4-5,-0.25,5,,default,w1\r\n"
		  "2026-11-23,claude-haiku-4-5,(4.25),,,,w1\r\n"
		  "2026-11-23,claude-haiku-4-5,2,,,batch,w1\r\n"
		  "2026-11-24,\"search, \"\"web\"\"\",0.0000000005,,,,\r\n"
		  "2026-11-25,claude-haiku-4-5,,7,1,,\r\n"
		  ",Total,1230,,,,\r\n",
		  "Anthropic, PBC");
	const struct bill_cell *haiku = cell(DAY(23), "anthropic", "claude-haiku-4-5", "", "w1");

	assert_nanos(haiku->billed_nanos, 1230 * USD);
	assert_int_equal(haiku->billed_input, 15);
	assert_int_equal(haiku->billed_output, 2);
	assert_nanos(cell(DAY(23), "anthropic", "claude-haiku-4-5", "batch", "w1")->billed_nanos,
		     2 * USD);
	/* half a nano-dollar is rounded up */
	assert_nanos(cell(DAY(24), "anthropic", "search, \"web\"", "", "")->billed_nanos, 1);
	/* without a cost, its tokens count */
	assert_int_equal(cell(DAY(25), "anthropic", "claude-haiku-4-5", "", "")->billed_input, 7);
	assert_int_equal(HASH_COUNT(bill.cells), 4);
	assert_true(bill.has_tokens);
	assert_int_equal(bill.n_providers, 1);
	assert_string_equal(bill.providers[0], "anthropic");
}

/* Of the columns that could be meant, the preferred one, wherever it stands. */
static void a_focus_export_is_known_by_its_columns(void **state)
{
	read_bill("EffectiveCost,BilledCost,BillingCurrency,ChargePeriodEnd,ChargePeriodStart,"
		  "ChargeDescription,SkuMeter,ServiceName,ProviderName,SubAccountId\n"
		  "0.1,0.2,USD,2026-11-24T00:00:00Z,2026-11-23T00:00:00Z,x,gpt-4o-mini-2024-07-18,y,"
		  "OpenAI,acme/proj_a\n"
		  "0.1,0.3,usd,2026-11-24T00:00:00Z,2026-11-23T14:00:00Z,x,gpt-4o-mini,y,OpenAI,proj_a\n"
		  "5,5,EUR,2026-11-24T00:00:00Z,2026-11-23T00:00:00Z,x,gpt-4o,y,OpenAI,proj_a\n"
		  "7,7,USD,2026-11-24T00:00:00Z,2026-11-23T00:00:00Z,x,gpt-4o,y,Microsoft (Azure "
		  "OpenAI),sub/\n",
		  NULL);
	assert_nanos(cell(DAY(23), "openai", "gpt-4o-mini", "", "proj_a")->billed_nanos, USD / 2);
	assert_nanos(cell(DAY(23), "azure.ai.openai", "gpt-4o", "", "sub")->billed_nanos, 7 * USD);
	assert_int_equal(HASH_COUNT(bill.cells), 2);
	assert_int_equal(bill.n_foreign, 1);
	assert_false(bill.has_tokens);
	assert_int_equal(bill.n_providers, 2);
}

static void days_are_of_utc(void **state)
{
	static const struct {
		const char *text;
		int64_t day_s; /* 0: none */
	} times[] = {
		{ "2026-11-23", DAY(23) },
		{ "2026-11-23T00:00:00Z", DAY(23) },
		{ "2026-11-23T23:59:59.999Z", DAY(23) },
		{ "2026-11-23T19:00Z", DAY(23) },
		{ "2026-11-23T19:00:00-05:00", DAY(24) },
		{ "2026-11-23T18:59:59-05:00", DAY(23) },
		{ "2026-11-23T05:29:59+05:30", DAY(22) },
		{ "2026-11-23 05:30:00+05:30", DAY(23) },
		{ "2026-11-23 23:00:00 UTC", DAY(23) },
		{ "2026-11-23 23:00:00", DAY(23) },
		{ "2026-11-23T23:00:00", DAY(23) },
		{ "2026-02-29", 0 },
		{ "2026-11-31", 0 },
		{ "2026-11-23T19:00:00+0530", 0 },
		{ "2026-11-23x", 0 },
		{ "2026-11-2", 0 },
		{ "11/23/2026", 0 },
		{ "20261123", 0 },
		{ "", 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(times); i++) {
		int64_t day_s = 0;

		if (bill_day(times[i].text, &day_s) != !!times[i].day_s || day_s != times[i].day_s)
			fail_msg("%s: %lld", times[i].text, (long long)day_s);
	}
}

static void days_outside_are_left_out(void **state)
{
	read_bill("day,cost,model\n2026-10-31,1,m\n2026-11-01,2,m\n2026-11-30,3,m\n2026-12-01,4,m\n",
		  "x");
	assert_nanos(cell(DAY(1), "x", "m", "", "")->billed_nanos, 2 * USD);
	assert_nanos(cell(DAY(30), "x", "m", "", "")->billed_nanos, 3 * USD);
	assert_int_equal(HASH_COUNT(bill.cells), 2);
}

static void what_cannot_be_read_is_said_with_its_line(void **state)
{
	static const struct {
		const char *text, *words;
	} files[] = {
		{ "", "first line names no column" },
		{ "a,b\n1,2\n", "first line names no column" },
		{ "date,model\n2026-11-23,m\n", "first line names no column" },
		{ "date,cost", "first line names no column" },
		{ "date,cost\n2026-11-23,1\nyesterday,2\n", "bill.csv:3: " },
		{ "date,cost\n2026-11-23,free\n", "bill.csv:2: " },
		{ "date,cost\n2026-11-23,1.2.3\n", "bill.csv:2: " },
		{ "date,cost\n2026-11-23,--1\n", "bill.csv:2: " },
		{ "date,cost\n2026-11-23,$\n", "bill.csv:2: " },
		/* 1,234.50 as it is written elsewhere: neither 1.2345 nor 123,450 */
		{ "date,cost\n2026-11-23,\"1.234,50\"\n", "bill.csv:2: " },
		{ "date,cost\n2026-11-23,\"12,50\"\n", "bill.csv:2: " },
		{ "date,cost\n2026-11-23,99999999999999999999\n", "bill.csv:2: " },
		{ "date,cost\n2026-11-23,"
		  "0.00000000000000000000000000000000000000000000000000000000000000001\n",
		  "bill.csv:2: " },
		{ "date,cost,input_tokens\n2026-11-23,1,many\n", "bill.csv:2: " },
		{ "date,cost,input_tokens\n2026-11-23,1,1.5\n", "bill.csv:2: " },
		{ "date,cost\n2026-11-23,1\n2026-11-24,\"2\n\n\n", "bill.csv:3: " },
		/* cut off inside of a row, without its last cells */
		{ "date,model,cost\n2026-11-23,m,1\n2026-11-24,m", "bill.csv:3: " },
		{ "date,cost\n\"2026-11-23\nx\",1\n", "bill.csv:2: " },
	};

	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		refuse(files[i].text, files[i].words);
}

static void a_row_of_too_many_cells_is_none(void **state)
{
	char text[1024] = "date,cost\n2026-11-23,1";

	memset(text + strlen(text), ',', 300);
	refuse(text, "bill.csv:2: ");
}

static void a_last_line_needs_no_end(void **state)
{
	read_bill("date,cost\n2026-11-23,1\n2026-11-23,2", "x");
	assert_nanos(cell(DAY(23), "x", "", "", "")->billed_nanos, 3 * USD);
}

static void what_is_no_file_is_an_error(void **state)
{
	_cleanup_free_ char *error = NULL;

	assert_int_equal(bill_read_csv(&bill, "/proc/self/nothing/x", NULL, &error), -ENOENT);
	assert_int_equal(bill_read_csv(&bill, dir, NULL, &error), -EISDIR);
	assert_null(error);
}

static void names_longer_than_any_of_ours_are_cut(void **state)
{
	char text[2048] = "date,cost,model,account\n2026-11-23,1,", model[1024];

	memset(model, 'm', sizeof(model) - 1);
	model[sizeof(model) - 1] = '\0';
	snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s,a\n", model);
	read_bill(text, "x");
	model[CHARGE_MODEL_LEN - 1] = '\0';
	assert_nanos(cell(DAY(23), "x", model, "", "a")->billed_nanos, USD);
}

static void providers_have_the_names_of_the_ledger(void **state)
{
	static const char *const names[][2] = {
		{ "Anthropic", "anthropic" },
		{ "OpenAI, LLC", "openai" },
		{ "Amazon Web Services", "aws.bedrock" },
		{ "AWS", "aws.bedrock" },
		{ "Microsoft", "azure.ai.openai" },
		{ "Azure OpenAI", "azure.ai.openai" },
		{ "Google Cloud", "gcp.vertex_ai" },
		{ "Mistral AI", "mistral_ai" },
		{ "xAI", "x_ai" },
		{ "groq", "groq" },
		{ "", "" },
	};
	char name[CHARGE_NAME_LEN];

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		bill_provider_name(names[i][0], name);
		assert_string_equal(name, names[i][1]);
	}
}

/* Fields that are not asked for do not tell cells apart; the provider is asked for always. */
static void a_cell_has_the_fields_that_are_asked_for(void **state)
{
	bill_done(&bill);
	bill_init(&bill, 1u << BILL_MODEL, NOV_1, DEC_1);
	read_bill("date,cost,model,provider,tier,account\n"
		  "2026-11-23,1,openai/GPT-5-2026-03-05,openai,batch,a\n"
		  "2026-11-24,2,gpt-5,openai,,b\n"
		  "2026-11-24,4,gpt-5,x,,b\n",
		  NULL);
	assert_nanos(cell(0, "openai", "gpt-5", "", "")->billed_nanos, 3 * USD);
	assert_nanos(cell(0, "x", "gpt-5", "", "")->billed_nanos, 4 * USD);
	assert_int_equal(HASH_COUNT(bill.cells), 2);
}

static void names_of_versions_and_owners_are_cut(void **state)
{
	static const char *const models[][2] = {
		{ "claude-haiku-4-5-20251001", "claude-haiku-4-5" },
		{ "gpt-4o-2024-08-06", "gpt-4o" },
		{ "meta-llama/Llama-3", "llama-3" },
		{ "models/", "models" },
		{ "/", "/" },
		{ "-20251001", "-20251001" }, /* nothing would be left */
		{ "x-2025100a", "x-2025100a" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(models); i++) {
		struct bill_key key = { .day_s = DAY(1) };
		struct bill_cell *made;

		snprintf(key.model, sizeof(key.model), "%s", models[i][0]);
		made = bill_cell(&bill, key);
		assert_non_null(made);
		assert_string_equal(made->key.model, models[i][1]);
	}
}

/* By day, then the largest bill, then the most that was seen, then by name. */
static void cells_are_sorted(void **state)
{
	static const struct {
		int day;
		const char *model;
		int billed, seen;
	} cells[] = { { 2, "e", 9, 0 }, { 1, "d", 0, 1 }, { 1, "c", 0, 2 },
		      { 1, "b", 1, 2 }, { 1, "a", 1, 2 }, { 1, "z", 5, 0 } };
	const char *expected = "zabcde";

	for (size_t i = 0; i < ARRAY_SIZE(cells); i++) {
		struct bill_key key = { .day_s = DAY(cells[i].day) };
		struct bill_cell *made;

		strcpy(key.model, cells[i].model);
		made = bill_cell(&bill, key);
		made->billed_nanos = cells[i].billed;
		made->seen_nanos[CHARGE_USAGE] = cells[i].seen;
	}
	bill_sort(&bill);
	for (struct bill_cell *at = bill.cells; at; at = at->hh.next)
		assert_int_equal(at->key.model[0], *expected++);
}

static void fields_have_names(void **state)
{
	static const char *const names[] = { "day", "provider", "model", "tier", "account" };

	for (unsigned i = 0; i < BILL_FIELDS; i++)
		assert_string_equal(bill_field_name(i), names[i]);
	assert_null(bill_field_name(BILL_FIELDS));
}

/* A bill is somebody else's file: its cells have a limit. */
static void there_are_only_so_many_cells(void **state)
{
	FILE *out = fopen(path, "w");
	char *error = NULL;

	assert_non_null(out);
	fputs("date,cost,model\n", out);
	for (int i = 0; i <= BILL_CELLS_MAX; i++)
		fprintf(out, "2026-11-23,1,m%d\n", i);
	fclose(out);
	assert_int_equal(bill_read_csv(&bill, path, "x", &error), -E2BIG);
	assert_null(error);
	assert_int_equal(HASH_COUNT(bill.cells), BILL_CELLS_MAX);
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, begin, end)
	static const struct CMUnitTest tests[] = {
		TEST(an_invoice_is_added_up_by_day_and_model),
		TEST(a_focus_export_is_known_by_its_columns),
		TEST(days_are_of_utc),
		TEST(days_outside_are_left_out),
		TEST(what_cannot_be_read_is_said_with_its_line),
		TEST(a_row_of_too_many_cells_is_none),
		TEST(a_last_line_needs_no_end),
		TEST(what_is_no_file_is_an_error),
		TEST(names_longer_than_any_of_ours_are_cut),
		TEST(providers_have_the_names_of_the_ledger),
		TEST(a_cell_has_the_fields_that_are_asked_for),
		TEST(names_of_versions_and_owners_are_cut),
		TEST(cells_are_sorted),
		TEST(fields_have_names),
		TEST(there_are_only_so_many_cells),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}

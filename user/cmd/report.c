/* SPDX-License-Identifier: Apache-2.0 */
/* Spend from the ledger. Figures in CSV and JSON are exact; the table rounds to micro-dollars. */
#include "cmd/report.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "cmd/cmd.h"
#include "cmd/options.h"
#include "cmd/show.h"
#include "cmd/table.h"

#define BIT(key) (1u << (key))
#define DEFAULT_KEYS (BIT(LEDGER_BY_CGROUP) | BIT(LEDGER_BY_HOST) | BIT(LEDGER_BY_MODEL))

struct writer {
	FILE *out;
	const struct report *report;
	struct ledger_row total;
	size_t rows;
	struct table *table;
};

static bool is_by_call(const struct writer *writer)
{
	return writer->report->keys & BIT(LEDGER_BY_CALL);
}

static uint64_t cache_write(const struct ledger_row *row)
{
	return row->tokens.cache_write_5m + row->tokens.cache_write_1h;
}

static void add_up(struct ledger_row *total, const struct ledger_row *row)
{
	total->calls += row->calls;
	total->measured_calls += row->measured_calls;
	total->estimated_calls += row->estimated_calls;
	total->unpriced_calls += row->unpriced_calls;
	total->free_calls += row->free_calls;
	total->tokens.input += row->tokens.input;
	total->tokens.cache_read += row->tokens.cache_read;
	total->tokens.cache_write_5m += row->tokens.cache_write_5m;
	total->tokens.cache_write_1h += row->tokens.cache_write_1h;
	total->tokens.output += row->tokens.output;
	total->tokens.reasoning += row->tokens.reasoning;
	total->tokens.audio_input += row->tokens.audio_input;
	total->tokens.audio_output += row->tokens.audio_output;
	total->tokens.web_searches += row->tokens.web_searches;
	total->request_bytes += row->request_bytes;
	total->response_bytes += row->response_bytes;
	total->cost_nanos += row->cost_nanos;
	total->error_input += row->error_input;
	total->error_output += row->error_output;
	total->error_nanos += row->error_nanos;
}

/* JSON. */

static void add_sums(json_t *object, const struct ledger_row *row)
{
	char money[MONEY_LEN];

	json_object_set_new(object, "calls", json_integer((json_int_t)row->calls));
	/* Measured, estimated and free together are all calls. */
	json_object_set_new(object, "measured_calls", json_integer((json_int_t)row->measured_calls));
	json_object_set_new(object, "estimated_calls", json_integer((json_int_t)row->estimated_calls));
	json_object_set_new(object, "unpriced_calls", json_integer((json_int_t)row->unpriced_calls));
	json_object_set_new(object, "free_calls", json_integer((json_int_t)row->free_calls));
	json_object_set_new(object, "tokens",
			    json_pack("{s:I, s:I, s:I, s:I, s:I}", "input",
				      (json_int_t)row->tokens.input, "cache_read",
				      (json_int_t)row->tokens.cache_read, "cache_write",
				      (json_int_t)cache_write(row), "output",
				      (json_int_t)row->tokens.output, "reasoning",
				      (json_int_t)row->tokens.reasoning));
	json_object_set_new(object, "audio_tokens",
			    json_pack("{s:I, s:I}", "input", (json_int_t)row->tokens.audio_input,
				      "output", (json_int_t)row->tokens.audio_output));
	json_object_set_new(object, "web_searches", json_integer((json_int_t)row->tokens.web_searches));
	json_object_set_new(object, "request_bytes", json_integer((json_int_t)row->request_bytes));
	json_object_set_new(object, "response_bytes", json_integer((json_int_t)row->response_bytes));
	json_object_set_new(object, "cost_usd", json_string(money_format(row->cost_nanos, money)));
	/* Of what is estimated: more or less. */
	json_object_set_new(object, "expected_error",
			    json_pack("{s:I, s:I, s:s}", "input", (json_int_t)row->error_input,
				      "output", (json_int_t)row->error_output, "cost_usd",
				      money_format(row->error_nanos, money)));
}

static void add_call(json_t *object, const struct ledger_row *row)
{
	char when[SHOW_LEN];

	json_object_set_new(object, "call", json_integer(row->call_id));
	json_object_set_new(object, "time", json_string(text_time(row->start_us, when)));
	json_object_set_new(object, "path", text_json(row->path));
	json_object_set_new(object, "operation", text_json(row->operation));
	json_object_set_new(object, "status", json_integer(row->status));
	json_object_set_new(object, "outcome", text_json(row->outcome));
	json_object_set_new(object, "stream", json_boolean(row->is_stream));
	json_object_set_new(object, "duration_us", json_integer((json_int_t)row->duration_us));
	json_object_set_new(object, "first_token_us", json_integer((json_int_t)row->first_token_us));
	json_object_set_new(object, "price_key", text_json(row->price_key));
	json_object_set_new(object, "price_origin", text_json(row->price_origin));
}

static void write_object(FILE *out, json_t *object)
{
	if (object)
		json_dumpf(object, out, JSON_COMPACT | JSON_PRESERVE_ORDER | JSON_ENSURE_ASCII);
	else
		fputs("null", out);
	json_decref(object);
}

static void write_json_row(struct writer *writer, const struct ledger_row *row)
{
	json_t *object = json_object();

	for (enum ledger_key key = 0; key < LEDGER_KEYS; key++)
		if (row->keys[key] && key != LEDGER_BY_CALL && key != LEDGER_BY_TIME)
			json_object_set_new(object, ledger_key_name(key), text_json(row->keys[key]));
	if (is_by_call(writer))
		add_call(object, row);
	add_sums(object, row);
	fputs(writer->rows ? ",\n" : "\n", writer->out);
	write_object(writer->out, object);
}

static void end_json(struct writer *writer)
{
	char since[SHOW_LEN], now[SHOW_LEN];
	json_t *totals = json_object();

	add_sums(totals, &writer->total);
	fputs("],\n\"totals\":", writer->out);
	write_object(writer->out, totals);
	fprintf(writer->out, ",\n\"since\":\"%s\",\"generated\":\"%s\",\"currency\":\"USD\"}\n",
		text_time(writer->report->since_us, since), text_time(writer->report->now_us, now));
}

/* CSV, RFC 4180. */

static void write_cell(FILE *out, const char *text, bool is_first)
{
	char shown[TABLE_CELL];

	show_text(text, shown, sizeof(shown));
	if (!is_first)
		fputc(',', out);
	/* Spreadsheets run what begins so: CWE-1236. */
	if (*shown && strchr("=+-@", *shown))
		memmove(shown + 1, shown, strnlen(shown, sizeof(shown) - 2) + 1), *shown = '\'';
	shown[sizeof(shown) - 1] = '\0';
	if (!strpbrk(shown, ",\"")) {
		fputs(shown, out);
		return;
	}
	fputc('"', out);
	for (const char *c = shown; *c; c++) {
		if (*c == '"')
			fputc('"', out);
		fputc(*c, out);
	}
	fputc('"', out);
}

static void begin_csv(struct writer *writer)
{
	for (enum ledger_key key = 0; key < LEDGER_KEYS; key++)
		if ((writer->report->keys & BIT(key)) && key != LEDGER_BY_CALL && key != LEDGER_BY_TIME)
			fprintf(writer->out, "%s,", ledger_key_name(key));
	if (is_by_call(writer))
		fputs("call,time,path,operation,status,outcome,stream,duration_us,first_token_us,price_key,"
		      "price_origin,", writer->out);
	fputs("calls,measured_calls,estimated_calls,unpriced_calls,free_calls,input,cache_read,cache_write,"
	      "output,reasoning,audio_input,audio_output,web_searches,request_bytes,response_bytes,"
	      "cost_usd,error_input,error_output,error_usd\r\n", writer->out);
}

static void write_csv_call(FILE *out, const struct ledger_row *row, bool is_first)
{
	char when[SHOW_LEN];

	fprintf(out, "%s%" PRId64 ",%s", is_first ? "" : ",", row->call_id, text_time(row->start_us, when));
	write_cell(out, row->path, false);
	write_cell(out, row->operation, false);
	fprintf(out, ",%d,%s,%d,%" PRIu64 ",%" PRIu64, row->status, row->outcome, row->is_stream,
		row->duration_us, row->first_token_us);
	write_cell(out, row->price_key, false);
	write_cell(out, row->price_origin, false);
}

static void write_csv_row(struct writer *writer, const struct ledger_row *row)
{
	const uint64_t sums[] = { row->calls, row->measured_calls, row->estimated_calls,
				  row->unpriced_calls, row->free_calls, row->tokens.input,
				  row->tokens.cache_read, cache_write(row), row->tokens.output,
				  row->tokens.reasoning, row->tokens.audio_input,
				  row->tokens.audio_output, row->tokens.web_searches,
				  row->request_bytes, row->response_bytes };
	char money[MONEY_LEN];
	bool is_first = true;

	for (enum ledger_key key = 0; key < LEDGER_KEYS; key++) {
		if (!row->keys[key] || key == LEDGER_BY_CALL || key == LEDGER_BY_TIME)
			continue;
		write_cell(writer->out, row->keys[key], is_first);
		is_first = false;
	}
	if (is_by_call(writer)) {
		write_csv_call(writer->out, row, is_first);
		is_first = false;
	}
	for (size_t i = 0; i < ARRAY_SIZE(sums); i++, is_first = false)
		fprintf(writer->out, "%s%" PRIu64, is_first ? "" : ",", sums[i]);
	/* Money is exact here; a sum without a price is not a sum of 0. */
	if (row->unpriced_calls && row->unpriced_calls + row->free_calls >= row->calls)
		fputs(",", writer->out);
	else
		fprintf(writer->out, ",%s", money_format(row->cost_nanos, money));
	fprintf(writer->out, ",%" PRIu64 ",%" PRIu64 ",%s\r\n", row->error_input, row->error_output,
		money_format(row->error_nanos, money));
}

/* Table. */

static const char *title_of(enum ledger_key key)
{
	static const char *const titles[LEDGER_KEYS] = {
		[LEDGER_BY_TIME] = "TIME", [LEDGER_BY_HOUR] = "HOUR",
		[LEDGER_BY_NAMESPACE] = "NAMESPACE", [LEDGER_BY_WORKLOAD] = "WORKLOAD",
		[LEDGER_BY_POD] = "POD", [LEDGER_BY_CONTAINER] = "CONTAINER",
		[LEDGER_BY_CGROUP] = "CGROUP", [LEDGER_BY_UNIT] = "UNIT", [LEDGER_BY_USER] = "USER",
		[LEDGER_BY_COMMAND] = "COMMAND", [LEDGER_BY_EXE] = "EXE", [LEDGER_BY_PID] = "PID",
		[LEDGER_BY_HOST] = "HOST", [LEDGER_BY_PROVIDER] = "PROVIDER",
		[LEDGER_BY_MODEL] = "MODEL", [LEDGER_BY_SOURCE] = "SOURCE", [LEDGER_BY_CALL] = "CALL",
	};

	return titles[key];
}

static void begin_table(struct writer *writer)
{
	static const char *const sums[] = { "CALLS", "ESTIMATED", "INPUT", "CACHE READ", "CACHE WRITE",
					    "OUTPUT", "COST USD" };
	bool by_call = is_by_call(writer);

	if (by_call) {
		table_column(writer->table, "CALL", true);
		table_column(writer->table, "TIME", false);
	}
	for (enum ledger_key key = 0; key < LEDGER_KEYS; key++)
		if ((writer->report->keys & BIT(key)) && key != LEDGER_BY_CALL && key != LEDGER_BY_TIME)
			table_column(writer->table, title_of(key), key == LEDGER_BY_PID);
	if (by_call) {
		table_column(writer->table, "PATH", false);
		table_column(writer->table, "STATUS", true);
		table_column(writer->table, "OUTCOME", false);
		table_column(writer->table, "DURATION", true);
	}
	for (size_t i = by_call ? 2 : 0; i < ARRAY_SIZE(sums); i++)
		table_column(writer->table, sums[i], true);
	table_column(writer->table, "", false);
}

static void add_figures(struct writer *writer, const struct ledger_row *row)
{
	const uint64_t sums[] = { row->calls, row->estimated_calls, row->tokens.input,
				  row->tokens.cache_read, cache_write(row), row->tokens.output };
	char text[SHOW_LEN], note[SHOW_LEN + 16] = "";

	for (size_t i = is_by_call(writer) ? 2 : 0; i < ARRAY_SIZE(sums); i++)
		table_cell(writer->table, show_count(sums[i], text));
	table_cell(writer->table, show_cost(row, text));
	if (row->unpriced_calls && row->unpriced_calls + row->free_calls < row->calls)
		snprintf(note, sizeof(note), "%s unpriced", show_count(row->unpriced_calls, text));
	else if (row->unpriced_calls)
		snprintf(note, sizeof(note), "unpriced");
	table_cell(writer->table, note);
}

static void write_table_row(struct writer *writer, const struct ledger_row *row)
{
	char text[SHOW_LEN];

	if (is_by_call(writer)) {
		snprintf(text, sizeof(text), "%" PRId64, row->call_id);
		table_cell(writer->table, text);
		table_cell(writer->table, text_time(row->start_us, text));
	}
	for (enum ledger_key key = 0; key < LEDGER_KEYS; key++)
		if (row->keys[key] && key != LEDGER_BY_CALL && key != LEDGER_BY_TIME)
			table_cell(writer->table, row->keys[key]);
	if (is_by_call(writer)) {
		table_cell(writer->table, row->path);
		snprintf(text, sizeof(text), "%d", row->status);
		table_cell(writer->table, text);
		table_cell(writer->table, row->outcome);
		table_cell(writer->table, show_duration(row->duration_us, text));
	}
	add_figures(writer, row);
}

/* The sum stands under its columns; the words before them stay empty but for the first. */
static void add_total(struct writer *writer)
{
	uint32_t words = writer->report->keys & ~(BIT(LEDGER_BY_CALL) | BIT(LEDGER_BY_TIME));
	size_t n = (size_t)__builtin_popcount(words) + (is_by_call(writer) ? 6 : 0);

	table_rule(writer->table);
	for (size_t i = 0; i < n; i++)
		table_cell(writer->table, i ? " " : "total");
	add_figures(writer, &writer->total);
}

static void end_table(struct writer *writer)
{
	const struct ledger_row *total = &writer->total;
	uint64_t permille = total->calls ? total->estimated_calls * 1000 / total->calls : 0;
	char a[SHOW_LEN], b[SHOW_LEN], money[MONEY_LEN];

	if (!writer->rows) {
		fprintf(writer->out,
			"No AI calls since %s.\n"
			"If there should be some: `aigress check` tells what is seen and what is not, and "
			"--since 7d\nlooks further back.\n", text_time(writer->report->since_us, a));
		return;
	}
	if (writer->rows > 1 && writer->report->keys)
		add_total(writer);
	table_print(writer->table, writer->out, 0);
	if (table_left_out(writer->table))
		fprintf(writer->out, "... and %zu more rows; --format csv gives them all.\n",
			table_left_out(writer->table));
	if (total->estimated_calls)
		fprintf(writer->out, "\n%s of %s calls (%" PRIu64 ".%" PRIu64 " %%) are estimated: no usage "
			"could be read of them.\n", show_count(total->estimated_calls, a),
			show_count(total->calls, b), permille / 10, permille % 10);
	if (total->error_input || total->error_output)
		fprintf(writer->out, "Their expected error: %s tokens of input, %s of output, %s USD more or "
			"less.\n", show_count(total->error_input, a), show_count(total->error_output, b),
			money_format(total->error_nanos, money));
	if (total->unpriced_calls)
		fprintf(writer->out, "\n%s calls went to models without a price: their cost is not in the "
			"sums. Give prices\nin the file that `prices:` of the configuration names.\n",
			show_count(total->unpriced_calls, a));
}

static void on_row(void *arg, const struct ledger_row *row)
{
	struct writer *writer = arg;

	add_up(&writer->total, row);
	switch (writer->report->format) {
	case REPORT_JSON:
		write_json_row(writer, row);
		break;
	case REPORT_CSV:
		write_csv_row(writer, row);
		break;
	case REPORT_TABLE:
		write_table_row(writer, row);
		break;
	}
	writer->rows++;
}

int report_write(FILE *out, struct ledger *ledger, const struct report *report)
{
	struct report asked = *report;
	struct writer writer = { .out = out, .report = &asked };
	int r;

	/* A call's row says how its figure is known. */
	if (asked.keys & BIT(LEDGER_BY_CALL))
		asked.keys |= BIT(LEDGER_BY_SOURCE);
	asked.keys &= ~BIT(LEDGER_BY_TIME);
	writer.table = table_new();
	if (!writer.table)
		return -ENOMEM;
	if (asked.format == REPORT_JSON)
		fputs("{\"rows\":[", out);
	else if (asked.format == REPORT_CSV)
		begin_csv(&writer);
	else
		begin_table(&writer);
	r = ledger_report(ledger, asked.since_us, asked.keys, on_row, &writer);
	if (r == 0 && asked.format == REPORT_JSON)
		end_json(&writer);
	else if (r == 0 && asked.format == REPORT_TABLE)
		end_table(&writer);
	table_free(writer.table);
	return r;
}

char *report_parse_keys(const char *text, uint32_t *ret)
{
	char list[256] = "", *error = NULL;
	uint32_t keys = 0;

	for (enum ledger_key key = 0; key < LEDGER_KEYS; key++)
		snprintf(list + strlen(list), sizeof(list) - strlen(list), "%s%s", key ? ", " : "",
			 ledger_key_name(key));
	for (;;) {
		size_t len = strcspn(text, ",");
		enum ledger_key key;

		for (key = 0; key < LEDGER_KEYS; key++)
			if (strlen(ledger_key_name(key)) == len && !strncmp(text, ledger_key_name(key), len))
				break;
		if (key == LEDGER_KEYS) {
			char word[128], shown[SHOW_TEXT_LEN(sizeof(word))];

			snprintf(word, sizeof(word), "%.*s", (int)(len < 127 ? len : 127), text);
			if (asprintf(&error, "--by: \"%s\" is not a key; give one or more of: %s",
				     show_text(word, shown, sizeof(shown)), list) < 0)
				return NULL;
			return error;
		}
		keys |= BIT(key);
		text += len;
		if (!*text++)
			break;
	}
	if ((keys & BIT(LEDGER_BY_TIME)) && !(keys & BIT(LEDGER_BY_CALL)))
		return strdup("--by: \"time\" is that of one call; add call, or take hour");
	*ret = keys;
	return NULL;
}

struct options {
	const char *state;
	struct report report;
};

static const struct argp_option rows[] = {
	{ "since", 'S', "T", 0, "From then on: " SHOW_SINCE_FORMS " (default 24h)", 0 },
	{ "by", 'b', "KEYS", 0, "What a row stands for, as cgroup,model: hour, container, cgroup, unit, "
	  "user, command, exe, pid, host, provider, model, source, call (default cgroup,host,model)", 0 },
	{ "format", 'f', "FORMAT", 0, "table, csv or json (default table)", 0 },
	{ 0 },
};

static int parse_format(const char *text, enum report_format *ret)
{
	static const char *const names[] = { "table", "csv", "json" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (!strcmp(text, names[i])) {
			*ret = (enum report_format)i;
			return 0;
		}
	return -EINVAL;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *options = state->input;
	_cleanup_free_ char *error = NULL;

	switch (key) {
	case 'S':
		if (show_parse_since(arg, options->report.now_us, &options->report.since_us) < 0)
			argp_error(state, "--since: that is not a time; give " SHOW_SINCE_FORMS);
		return 0;
	case 'b':
		error = report_parse_keys(arg, &options->report.keys);
		if (error)
			argp_error(state, "%s", error);
		return 0;
	case 'f':
		if (parse_format(arg, &options->report.format) < 0)
			argp_error(state, "--format: that is not a format; give table, csv or json");
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

int cmd_report(int argc, char **argv)
{
	static const struct argp argp = { .options = rows, .parser = parse,
					  .doc = "Spend from the ledger." };
	struct options options = { .report = { .keys = DEFAULT_KEYS } };
	struct ledger *ledger = NULL;
	int r;

	options.report.now_us = clock_wall_us();
	options.report.since_us = options.report.now_us - 24 * 3600 * US_PER_S;
	options_read(&argp, argc, argv, &options, &options.state);
	r = show_open("report", options.state, &ledger);
	if (r)
		return r;
	r = report_write(stdout, ledger, &options.report);
	ledger_free(ledger);
	if (r < 0)
		fprintf(stderr, "aigress report: the ledger cannot be read: %s\n", strerror(-r));
	if (fflush(stdout) || r < 0)
		return CMD_FAILED;
	return CMD_OK;
}

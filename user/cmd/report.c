/* SPDX-License-Identifier: Apache-2.0 */
/* Spend from the ledger, row by row through one of three forms. */
#include "cmd/report_internal.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "cmd/cmd.h"
#include "cmd/options.h"
#include "cmd/show.h"

#define DEFAULT_KEYS (BIT(LEDGER_BY_CGROUP) | BIT(LEDGER_BY_HOST) | BIT(LEDGER_BY_MODEL))

static void add_up(struct ledger_row *total, const struct ledger_row *row)
{
	total->calls += row->calls;
	total->measured_calls += row->measured_calls;
	total->estimated_calls += row->estimated_calls;
	total->unpriced_calls += row->unpriced_calls;
	total->free_calls += row->free_calls;
	usage_add(&total->tokens, &row->tokens);
	total->request_bytes += row->request_bytes;
	total->response_bytes += row->response_bytes;
	total->cost_nanos += row->cost_nanos;
	total->error_input += row->error_input;
	total->error_output += row->error_output;
	total->error_nanos += row->error_nanos;
	total->budget_nanos += row->budget_nanos;
	total->under_input += row->under_input;
	total->under_output += row->under_output;
	total->under_nanos += row->under_nanos;
	total->over_nanos += row->over_nanos;
	total->excess += row->excess;
}

struct rows {
	struct report_writer writer;
	const struct report_form *form;
};

static void on_row(void *arg, const struct ledger_row *row)
{
	struct rows *rows = arg;

	add_up(&rows->writer.total, row);
	rows->form->row(&rows->writer, row);
	rows->writer.rows++;
}

int report_write(FILE *out, struct ledger *ledger, const struct report *report)
{
	static const struct report_form *const forms[] = {
		[REPORT_TABLE] = &report_table, [REPORT_CSV] = &report_csv, [REPORT_JSON] = &report_json
	};
	struct report asked = *report;
	struct rows rows = { .writer = { .out = out, .report = &asked, .ledger = ledger },
			     .form = forms[asked.format] };
	int r;

	/* A call's row says how its figure is known. */
	if (asked.keys & BIT(LEDGER_BY_CALL))
		asked.keys |= BIT(LEDGER_BY_SOURCE);
	asked.keys &= ~BIT(LEDGER_BY_TIME);
	r = rows.form->begin(&rows.writer);
	if (r == 0)
		r = ledger_report(ledger, asked.since_us, asked.keys, on_row, &rows);
	if (r == 0 && rows.form->end)
		rows.form->end(&rows.writer);
	table_free(rows.writer.table);
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
			if (strlen(ledger_key_name(key)) == len &&
			    !strncmp(text, ledger_key_name(key), len))
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
	{ "by", 'b', "KEYS", 0,
	  "What a row is, as cgroup,model: time, hour, namespace, workload, pod, container, cgroup, "
	  "unit, user, command, exe, pid, host, provider, model, tier, account, source, call; time goes with call "
	  "(default cgroup,host,model)",
	  0 },
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

static void say_beside(struct ledger *ledger, const struct report *report)
{
	metering_print(report->metering, stderr);
	(void)metering_print_gaps(ledger, report->metering, report->since_us, report->now_us,
				  METERING_GAPS, stderr);
}

int cmd_report(int argc, char **argv)
{
	static const struct argp argp = { .options = rows,
					  .parser = parse,
					  .doc = "Spend from the ledger." };
	struct options options = { .report = { .keys = DEFAULT_KEYS } };
	struct ledger *ledger = NULL;
	struct metering metering;
	int r;

	options.report.now_us = clock_wall_us();
	options.report.since_us = options.report.now_us - 24 * 3600 * US_PER_S;
	options_read(&argp, argc, argv, &options, &options.state);
	r = show_open("report", options.state, &ledger);
	if (r)
		return r;
	metering_read(ledger, options.state, gaps_now(), &metering);
	options.report.metering = &metering;
	/* CSV is rows alone: what is to be known of them goes beside it. */
	if (options.report.format == REPORT_CSV)
		say_beside(ledger, &options.report);
	r = report_write(stdout, ledger, &options.report);
	ledger_free(ledger);
	if (r < 0)
		fprintf(stderr, "aigress report: the ledger cannot be read: %s\n", strerror(-r));
	if (fflush(stdout) || r < 0)
		return CMD_FAILED;
	return CMD_OK;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Spend from the ledger, row by row through one of three forms. */
#include "cmd/report/report_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "cmd/cmd.h"
#include "cmd/options.h"
#include "cmd/report/report_team.h"
#include "cmd/show.h"

#define DEFAULT_KEYS (BIT(LEDGER_BY_WHO) | BIT(LEDGER_BY_HOST) | BIT(LEDGER_BY_MODEL))

struct rows {
	struct report_writer writer;
	const struct report_form *form;
};

static void on_row(void *arg, const struct ledger_row *row)
{
	struct rows *rows = arg;
	struct report_writer *writer = &rows->writer;

	report_add(&writer->total, row);
	if (writer->report->most && writer->rows >= writer->report->most) {
		report_add(&writer->rest, row);
		writer->n_rest++;
		return;
	}
	rows->form->row(writer, row);
	writer->rows++;
}

static void on_whole(void *arg, const struct ledger_row *row)
{
	struct report_writer *writer = arg;

	report_add(&writer->whole, row);
}

int report_write(FILE *out, struct ledger *ledger, const struct report *report)
{
	static const struct report_form *const forms[] = { [REPORT_TABLE] = &report_table,
							   [REPORT_CSV] = &report_csv,
							   [REPORT_JSON] = &report_json,
							   [REPORT_FOCUS] = &report_focus };
	struct report asked = *report;
	struct rows rows = { .writer = { .out = out, .report = &asked, .ledger = ledger },
			     .form = forms[asked.format] };
	struct ledger_query whole = asked.query;
	int r;

	if (asked.format == REPORT_FOCUS) {
		asked.query.keys = report_focus_keys(asked.query.keys);
		asked.most = 0;
		asked.compares = asked.has_share = false;
	}
	/* A call's row says how its figure is known. */
	if (asked.query.keys & BIT(LEDGER_BY_CALL))
		asked.query.keys |= BIT(LEDGER_BY_SOURCE);
	asked.query.keys &= ~BIT(LEDGER_BY_TIME);
	whole.keys = 0;
	r = ledger_report(ledger, &whole, on_whole, &rows.writer);
	if (r == 0 && asked.compares)
		r = report_read_before(&rows.writer);
	if (r == 0)
		r = rows.form->begin(&rows.writer);
	if (r == 0)
		r = ledger_report(ledger, &asked.query, on_row, &rows);
	if (r == 0 && rows.form->end)
		rows.form->end(&rows.writer);
	table_free(rows.writer.table);
	report_before_free(rows.writer.before);
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
	const char *state, *since, *until, *config;
	struct report report;
};

enum { OPTION_SHARE = 256 };

static const struct argp_option rows[] = {
	{ "since", 'S', "T", 0, "From then on: " SHOW_TIME_FORMS " (default 24h)", 0 },
	{ "until", 'U', "T", 0, "Before then, likewise (default now)", 0 },
	{ "by", 'b', "KEYS", 0,
	  "What a row is, as who,model: time, hour, team, who, namespace, workload, pod, container, image, cgroup, "
	  "unit, user, command, exe, client, pid, host, provider, model, tier, account, destination, via, api-key, source, call; time goes with call; "
	  "who is pod and container, else service, unit, container or cgroup "
	  "(default who,host,model)",
	  0 },
	{ "sort", 'o', "ORDER", 0,
	  "cost, budget (what budgets count), calls, tokens or words (default cost)", 0 },
	{ "top", 't', "N", 0, "The first N rows; the others are one", 0 },
	{ "share", OPTION_SHARE, NULL, 0, "Each row's part of the whole", 0 },
	{ "compare", 'C', NULL, 0, "With the time before that is as long", 0 },
	{ "config", 'c', "FILE", 0,
	  "Whose `teams:` say what a team is (default: the daemon's; without it, a pod's label)", 0 },
	{ "format", 'f', "FORMAT", 0,
	  "table, csv, json or focus, which is CSV in the columns of FOCUS (default table)", 0 },
	{ 0 },
};

static int index_of(const char *text, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(text, names[i]))
			return (int)i;
	return -1;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	static const char *const formats[] = { "table", "csv", "json", "focus" };
	static const char *const orders[LEDGER_ORDERS] = { "cost", "budget", "calls", "tokens",
							   "words" };
	struct options *options = state->input;
	struct report *report = &options->report;
	_cleanup_free_ char *error = NULL;
	char *end;
	int i;

	switch (key) {
	case 'S':
		options->since = arg;
		return 0;
	case 'U':
		options->until = arg;
		return 0;
	case 'b':
		error = report_parse_keys(arg, &report->query.keys);
		if (error)
			argp_error(state, "%s", error);
		return 0;
	case 'o':
		i = index_of(arg, orders, ARRAY_SIZE(orders));
		if (i < 0)
			argp_error(state,
				   "--sort: that is not an order; give cost, budget, calls, tokens or "
				   "words");
		report->query.order = (enum ledger_order)i;
		return 0;
	case 't':
		report->most = strtoul(arg, &end, 10);
		if (*arg < '1' || *arg > '9' || *end)
			argp_error(state, "--top: that is not a number of rows; give one, as 10");
		return 0;
	case OPTION_SHARE:
		report->has_share = true;
		return 0;
	case 'C':
		report->compares = true;
		return 0;
	case 'c':
		options->config = arg;
		return 0;
	case 'f':
		i = index_of(arg, formats, ARRAY_SIZE(formats));
		if (i < 0)
			argp_error(state,
				   "--format: that is not a format; give table, csv, json or focus");
		report->format = (enum report_format)i;
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

/* CMD_OK, or another exit code after a message. */
static int read_times(struct options *options, const struct zone *zone)
{
	struct report *report = &options->report;
	struct show_window window = { .since = options->since,
				      .until = options->until,
				      .now_us = report->now_us,
				      .since_us = report->now_us - 24 * 3600 * US_PER_S,
				      .until_us = LEDGER_NO_END };
	int code = show_window("report", zone, &window);

	report->query.since_us = window.since_us;
	report->query.until_us = window.until_us;
	if (code == CMD_OK && report->compares && window.since_us <= 0) {
		fprintf(stderr,
			"aigress report: --compare: before all there is nothing; give --since\n");
		code = CMD_USAGE;
	}
	return code;
}

static void say_beside(struct ledger *ledger, const struct report *report)
{
	metering_print(report->metering, stderr);
	(void)metering_print_gaps(ledger, report->metering, report->query.since_us,
				  report_end_us(report), METERING_GAPS, stderr);
}

static int print(struct ledger *ledger, struct options *options)
{
	struct report *report = &options->report;
	struct metering metering;
	int r;

	metering_read(ledger, options->state, gaps_now(), &metering);
	report->metering = &metering;
	metering_print_faults(&metering, stderr);
	/* CSV is rows alone: what is to be known of them goes beside it. */
	if (report->format == REPORT_CSV)
		say_beside(ledger, report);
	r = report_write(stdout, ledger, report);
	if (r < 0)
		fprintf(stderr, "aigress report: the ledger cannot be read: %s\n", strerror(-r));
	report->metering = NULL;
	return fflush(stdout) || r < 0 ? CMD_FAILED : CMD_OK;
}

int cmd_report(int argc, char **argv)
{
	static const struct argp argp = { .options = rows,
					  .parser = parse,
					  .doc = "Spend from the ledger." };
	struct options options = { .report = { .query.keys = DEFAULT_KEYS } };
	struct ledger *ledger = NULL;
	struct config config = { 0 };
	struct zone *zone;
	int code;

	options.report.now_us = clock_wall_us();
	options_read(&argp, argc, argv, &options, &options.state);
	/* what is wrong is said without a ledger, too */
	zone = show_zone(NULL);
	code = zone ? read_times(&options, zone) : CMD_FAILED;
	zone_free(zone);
	if (code == CMD_OK)
		code = show_open("report", options.state, &ledger);
	if (code != CMD_OK)
		return code;
	zone = show_zone(ledger);
	code = zone ? read_times(&options, zone) : CMD_FAILED;
	options.report.zone = zone;
	if (code == CMD_OK && (options.report.query.keys & BIT(LEDGER_BY_TEAM)))
		code = report_set_teams(ledger, options.config, &config);
	if (code == CMD_OK)
		code = print(ledger, &options);
	zone_free(zone);
	ledger_free(ledger);
	config_done(&config);
	return code;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Why this figure, why this action: one row of the ledger, in sentences. */
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fields.h"
#include "cmd/explain/caller.h"
#include "cmd/cmd.h"
#include "cmd/explain/explain_exe.h"
#include "cmd/options.h"
#include "cmd/show.h"
#include "cmd/explain/story.h"
#include "cmd/metering.h"
#include "cmd/table.h"
#include "ledger/ledger.h"
#include "ledger/repricing.h"
#include "price/price.h"

enum what { WHAT_STORY, WHAT_ACTIONS, WHAT_ACTION, WHAT_CALL, WHAT_EXE, WHAT_WHO };

struct options {
	const char *state;
	bool json;
	enum what what;
	bool is_named; /* the command line said what */
	bool is_over;  /* metering_is_over() */
	int64_t id;
	const char *name; /* WHAT_EXE: a file; WHAT_WHO: part of a caller's name */
};

/* What each source of a figure means (DESIGN section 5); the order is that of enum charge_source. */
static const char *const sources[CHARGE_SOURCES] = {
	[CHARGE_PROVIDER] = "the provider's own cost figure stood in the answer",
	[CHARGE_USAGE] = "measured: the answer stated its usage, which was multiplied by the price",
	[CHARGE_PARTIAL] =
		"estimated in part: the stream was cut short; what it had stated counts, the "
		"rest was estimated from its text",
	[CHARGE_TEXT] = "estimated from text: the answer stated no usage (an OpenAI chat stream needs "
			"stream_options.include_usage for it)",
	[CHARGE_SIZE] = "estimated from sizes: neither usage nor text could be read",
	[CHARGE_FREE] = "not billed: it failed before a token, or is free",
	[CHARGE_PENDING] = "not known yet: a job was begun, whose usage the answer to a later "
			   "request tells",
};

/* Who says that it went to the provider. */
static const char *destination_of(const struct charge *charge)
{
	if (charge_is_unconfirmed(charge))
		return "unconfirmed: only its sender says that it went there; no name service gave the address "
		       "for this provider, or its socket was not seen";
	return *charge->destination ?
		       "confirmed: a name service gave the address for this provider, or it is a proxy of `proxies:`" :
		       NULL;
}

/* A line "name: value" of words that anybody may have made. */
static void line(const char *name, const char *value)
{
	char text[SHOW_TEXT_LEN(1024)];

	if (value && *value)
		printf("  %-10s %s\n", name, show_text(value, text, sizeof(text)));
}

/*
 * What each class cost. The ledger keeps the sum and the price's name only, so the built-in prices
 * are asked again; false when they do not give that sum (a file of the operator's, a newer version,
 * a tier), since a reckoning that is not the one that was made would mislead.
 */
static bool reckon(const struct charge *charge, int64_t parts[USAGE_COUNT])
{
	struct prices *prices = NULL;
	int64_t sum = 0;
	bool is_same = false;

	if (charge->source == CHARGE_PROVIDER || !charge->is_priced || prices_new(&prices) < 0)
		return false;
	if (prices_load_builtin(prices, NULL) == 0) {
		is_same = true;
		for (size_t i = 0; i < USAGE_COUNT; i++) {
			struct charge one = *charge;

			if (usage_classes[i].kind == USAGE_PART)
				continue;
			one.usage = (struct usage){ 0 };
			*usage_at(&one.usage, i) = usage_get(&charge->usage, i);
			prices_apply(prices, charge->tier, &one);
			parts[i] = one.cost_nanos;
			sum += parts[i];
			is_same &= one.is_priced && !strcmp(one.price_key, charge->price_key);
		}
	}
	prices_free(prices);
	/* Each part was rounded by itself. */
	return is_same && llabs(sum + charge->beside_nanos - charge->cost_nanos) <= USAGE_COUNT;
}

static void print_usage(const struct charge *charge)
{
	int64_t parts[USAGE_COUNT];
	bool is_reckoned = reckon(charge, parts);
	char count[SHOW_LEN], each[SHOW_LEN], cost[MONEY_LEN];

	for (size_t i = 0; i < USAGE_COUNT; i++) {
		uint64_t n = usage_get(&charge->usage, i);
		bool is_token = usage_classes[i].kind != USAGE_PIECES;

		/* What is a part of another class is not paid for twice. */
		if (!n || usage_classes[i].kind == USAGE_PART)
			continue;
		printf("  %-10s %s%s", usage_classes[i].label, show_count(n, count),
		       is_token ? " tokens" : "");
		if (is_reckoned)
			printf(" x %s USD%s = %s USD",
			       show_usd((int64_t)((__int128)parts[i] * (is_token ? 1000000 : 1) / n),
					each),
			       is_token ? "/million" : "", money_format(parts[i], cost));
		putchar('\n');
	}
	if (charge->usage.reasoning)
		printf("  %-10s %s of the output tokens\n", "reasoning",
		       show_count(charge->usage.reasoning, count));
}

struct search {
	bool found;
	struct ledger *ledger;
};

/* What `aigress prices reprice --keep` made of it. */
static void print_repriced(struct ledger *ledger, int64_t id)
{
	char money[MONEY_LEN], when[SHOW_LEN];
	struct charge charge;
	int64_t made_us;

	if (repricing_of(ledger, id, &charge, &made_us) < 0)
		return;
	printf("  %-10s %s USD, by %s from %s, on %s\n", "re-priced",
	       money_format(charge.cost_nanos, money), charge.price_key, charge.price_origin,
	       text_time(made_us, when));
}

/* What it is at least and at most, as budgets count. */
static void print_range(const struct charge *charge)
{
	const struct usage *usage = &charge->usage;
	char a[SHOW_LEN], b[SHOW_LEN], money[MONEY_LEN];

	printf("  %-10s %s tokens of input, %s of output, %s USD\n", "at least",
	       show_count(usage->input - charge->under_input, a),
	       show_count(usage->output - charge->under_output, b),
	       money_format(charge->budget_nanos - charge->under_nanos, money));
	printf("  %-10s %s tokens of input, %s of output, %s USD\n", "at most",
	       show_count(usage->input + charge->error_input, a),
	       show_count(usage->output + charge->error_output, b),
	       money_format(charge->budget_nanos + charge->over_nanos, money));
}

static void print_call(void *arg, const struct ledger_call *call)
{
	struct search *search = arg;
	const struct charge *charge = call->charge;
	char text[SHOW_LEN], bytes[SHOW_LEN], money[MONEY_LEN], who[WHO_LABEL_LEN];

	search->found = true;
	printf("Call %lld\n", (long long)call->id);
	line("time", text_time(call->start_us, text));
	line("host", charge->host);
	line("path", charge->path);
	line("provider", charge->provider);
	line("model", charge->model);
	if (charge->status) /* 0: it was not read */
		printf("  %-10s %d (%s)%s\n", "status", charge->status,
		       charge_outcome_name(charge->outcome), charge->is_stream ? ", a stream" : "");
	else
		line("outcome", charge_outcome_name(charge->outcome));
	if (charge->duration_ns)
		line("duration", show_duration(charge->duration_ns / 1000, text));
	line("who", who_label(call->group, who));
	line("cgroup", call->group->path);
	line("container", call->group->container);
	line("unit", call->group->unit);
	printf("  %-10s %u\n", "pid", call->process->tgid);
	line("command", call->process->comm);
	line("exe", call->process->exe);
	line("user", call->process->user);
	line("client", charge->client);
	line("API key", charge->api_key);
	printf("  %-10s %s out, %s in\n", "bodies", show_bytes(charge->request_bytes, bytes),
	       show_bytes(charge->response_bytes, text));
	print_usage(charge);
	if (charge_count(charge) > 1)
		printf("  %-10s %u requests of a process, which were not read one by one\n", "of",
		       charge_count(charge));
	line("known by", sources[charge->source]);
	line("went to", destination_of(charge));
	line("through", charge->via);
	if (charge->error_input || charge->error_output)
		printf("  %-10s %s tokens of input, %s of output, %s USD more or less\n", "error",
		       show_count(charge->error_input, text),
		       show_count(charge->error_output, bytes),
		       money_format(charge->error_nanos, money));
	if (charge->excess)
		printf("  %-10s %s tokens more were claimed than its bytes and model can carry: not counted\n",
		       "excess", show_count(charge->excess, text));
	if (charge->under_nanos || charge->over_nanos)
		print_range(charge);
	if (!charge->is_priced)
		printf("  %-10s unpriced: no price for this model; budgets count %s USD, the price of what "
		       "stands in for it\n",
		       "cost", money_format(charge->budget_nanos, money));
	else
		printf("  %-10s %s USD\n", "cost", money_format(charge->cost_nanos, money));
	line("price", charge->price_key);
	line("from", charge->price_origin);
	line("tier", charge->tier);
	line("account", charge->account);
	print_repriced(search->ledger, call->id);
}

struct list {
	struct table *table;
	size_t n;
};

static void add_row(void *arg, const struct ledger_action *action)
{
	struct list *list = arg;
	struct table *table = list->table;
	char text[SHOW_LEN];

	list->n++;
	table_format(table, "%lld", (long long)action->id);
	table_cell(table, text_time(action->time_us, text));
	table_cell(table, action->action);
	table_cell(table, action->target);
	table_cell(table, action->budget);
	table_cell(table, action->limit_nanos ? show_usd(action->spent_nanos, text) :
						show_count(action->spent_tokens, text));
	table_cell(table, action->result);
}

static json_t *tokens_of(const struct charge *charge)
{
	json_t *object = json_object();

	for (size_t i = 0; i < USAGE_COUNT; i++)
		if (usage_get(&charge->usage, i))
			field_number(object, usage_classes[i].column, usage_get(&charge->usage, i));
	return object;
}

static json_t *call_json(const struct ledger_call *call)
{
	const struct charge *charge = call->charge;
	json_t *object = json_object();
	char text[SHOW_LEN];

	field_number(object, "call", (uint64_t)call->id);
	field_text(object, "time", text_time(call->start_us, text));
	field_text(object, "host", charge->host);
	field_text(object, "path", charge->path);
	field_text(object, "provider", charge->provider);
	field_text(object, "model", charge->model);
	field_set(object, "status", charge->status ? json_integer(charge->status) : json_null());
	field_text(object, "outcome", charge_outcome_name(charge->outcome));
	field_bool(object, "stream", charge->is_stream);
	field_set(object, "duration_us",
		  charge->duration_ns ? json_integer((json_int_t)charge->duration_ns / 1000) :
					json_null());
	field_text(object, "namespace", call->group->namespace);
	field_text(object, "pod", call->group->pod);
	field_text(object, "cgroup", call->group->path);
	field_text(object, "unit", call->group->unit);
	field_number(object, "pid", call->process->tgid);
	field_text(object, "command", call->process->comm);
	field_text(object, "user", call->process->user);
	field_text(object, "client", charge->client);
	field_text(object, "api_key", charge->api_key);
	field_number(object, "request_bytes", charge->request_bytes);
	field_number(object, "response_bytes", charge->response_bytes);
	field_number(object, "count", charge_count(charge));
	field_set(object, "tokens", tokens_of(charge));
	field_text(object, "source", charge_source_name(charge->source));
	field_text(object, "known_by", sources[charge->source]);
	field_text(object, "destination", charge->destination);
	field_text(object, "via", charge->via);
	if (charge->is_priced)
		field_money(object, "cost_usd", charge->cost_nanos);
	else
		field_set(object, "cost_usd", json_null());
	field_money(object, "budget_usd", charge->budget_nanos);
	field_text(object, "price_key", charge->price_key);
	field_text(object, "price_origin", charge->price_origin);
	return object;
}

static int dump(json_t *root)
{
	if (!root)
		return -ENOMEM;
	json_dumpf(root, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
	putchar('\n');
	json_decref(root);
	return 0;
}

static void print_call_json(void *arg, const struct ledger_call *call)
{
	struct search *search = arg;

	search->found = !dump(call_json(call));
}

static void print_none(void)
{
	printf("No action was taken or rehearsed. Budgets are set in the configuration: "
	       "aigress.yaml(5).\n");
}

static int print_actions(struct ledger *ledger)
{
	static const struct table_column columns[] = {
		{ "ID", true },      { "TIME", false }, { "ACTION", false }, { "TARGET", false },
		{ "BUDGET", false }, { "SPENT", true }, { "RESULT", false }, { NULL, false },
	};
	struct list list = { .table = table_new(columns) };
	int err = list.table ? ledger_actions(ledger, 0, add_row, &list) : -ENOMEM;

	if (!err && !list.n)
		print_none();
	else if (!err)
		table_print(list.table, stdout, 0);
	table_free(list.table);
	return err;
}

#define STORY_US   (24 * 3600 * US_PER_S)
#define STORY_MOST 20

/* The night's, or where there is none, the last ones there were. */
static int print_story(struct ledger *ledger, bool is_over)
{
	int n = story_print(ledger, clock_wall_us() - STORY_US, STORY_MOST, is_over, stdout);

	if (n)
		return n < 0 ? n : 0;
	printf("No action in the last 24 hours.\n");
	n = story_print(ledger, 0, 1, is_over, stdout);
	if (!n)
		print_none();
	return n < 0 ? n : 0;
}

static int print_one(struct ledger *ledger, const struct options *options)
{
	bool is_call = options->what == WHAT_CALL;
	struct search search = { .ledger = ledger };
	int err;

	if (is_call) {
		err = ledger_calls(ledger, &options->id, 1,
				   options->json ? print_call_json : print_call, &search);
		err = !err && !search.found ? -ENOENT : err;
	} else if (options->json) {
		json_t *row = story_json_one(ledger, options->id, &err);

		err = err ? err : dump(row);
	} else {
		err = story_print_one(ledger, options->id, options->is_over, stdout);
	}
	if (err == -ENOENT)
		fprintf(stderr, "aigress explain: there is no %s %lld; `aigress %s` lists them\n",
			is_call ? "call" : "action", (long long)options->id,
			is_call ? "report --by call" : "explain actions");
	return err;
}

static const struct argp_option rows[] = {
	{ "format", 'f', "FORMAT", 0, "table or json (default table)", 0 },
	{ 0 },
};

static error_t parse_word(struct options *options, const char *arg, struct argp_state *state)
{
	char *end;

	if (!options->is_named) {
		options->is_named = true;
		options->what = !strcmp(arg, "call")    ? WHAT_CALL :
				!strcmp(arg, "action")  ? WHAT_ACTION :
				!strcmp(arg, "exe")     ? WHAT_EXE :
				!strcmp(arg, "who")     ? WHAT_WHO :
				!strcmp(arg, "actions") ? WHAT_ACTIONS :
							  WHAT_STORY;
		if (options->what == WHAT_STORY)
			argp_error(
				state,
				"\"%s\" cannot be explained: name who NAME, call N, action N, exe FILE or actions",
				arg);
		return 0;
	}
	if (options->what == WHAT_ACTIONS || options->id || options->name)
		argp_error(state, "\"%s\" is one word too many", arg);
	if (options->what == WHAT_EXE || options->what == WHAT_WHO) {
		options->name = arg;
		return 0;
	}
	errno = 0;
	options->id = strtoll(arg, &end, 10);
	if (errno || *end || options->id <= 0)
		argp_error(state, "\"%s\" is no number of a row", arg);
	return 0;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *options = state->input;

	switch (key) {
	case 'f':
		options->json = options_format(state, arg, false) == TABLE_JSON;
		return 0;
	case ARGP_KEY_ARG:
		return parse_word(options, arg, state);
	case ARGP_KEY_END:
		if (options->what == WHAT_EXE && !options->name)
			argp_error(state, "name the file");
		if (options->what == WHAT_WHO && !options->name)
			argp_error(state, "name the caller, or a part of its name");
		if ((options->what == WHAT_ACTION || options->what == WHAT_CALL) && !options->id)
			argp_error(state, "name the number of the row");
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

int cmd_explain(int argc, char **argv)
{
	static const struct argp argp = {
		.options = rows,
		.parser = parse,
		.args_doc = "[who NAME|call N|action N|actions|exe FILE]",
		.doc = "One caller, why this figure, why this action, what of a program is read; without "
		       "words, what was done in the last 24 hours, newest first."
	};
	struct options options = { 0 };
	struct metering metering;
	struct ledger *ledger;
	int code, err;

	options_read(&argp, argc, argv, &options, &options.state);
	if (options.what == WHAT_EXE)
		return explain_exe(options.name, options.json);
	code = show_open("explain", options.state, &ledger);
	if (code != CMD_OK)
		return code;
	/* What a daemon that is gone did is not in force, and what a caller spends is not seen. */
	if (!options.json && options.what != WHAT_CALL) {
		metering_read(ledger, options.state, gaps_now(), &metering);
		options.is_over = metering_is_over(&metering);
		if (metering.life != GAPS_STARTING)
			metering_print(&metering, stdout);
	}
	if (options.what == WHAT_WHO) {
		struct zone *zone = show_zone(ledger);

		code = zone ? explain_who(ledger, zone, options.name, options.json) : CMD_FAILED;
		zone_free(zone);
		ledger_free(ledger);
		return code;
	}
	if (options.what == WHAT_ACTION || options.what == WHAT_CALL)
		err = print_one(ledger, &options);
	else if (options.json)
		err = dump(story_json(ledger));
	else
		err = options.what == WHAT_ACTIONS ? print_actions(ledger) :
						     print_story(ledger, options.is_over);
	ledger_free(ledger);
	if (err && err != -ENOENT)
		fprintf(stderr, "aigress explain: the ledger cannot be read: %s\n", strerror(-err));
	return err ? CMD_FAILED : CMD_OK;
}

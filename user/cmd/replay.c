/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs a recorded event file through the pipeline, without root and without a kernel: what tests,
 * bug reports with synthetic traffic and benchmarks use. Prints each charge as a JSON line.
 */
#include <errno.h>
#include <jansson.h>
#include <string.h>

#include "base/cleanup.h"
#include "cmd/cmd.h"
#include "cmd/options.h"
#include "pipeline/pipeline.h"
#include "tap/record.h"

struct options {
	const char *file, *state;
	bool silent;
};

static int64_t epoch_us;

static int64_t wall_us(uint64_t mono_ns)
{
	return epoch_us + (int64_t)(mono_ns / 1000);
}

static void print_call(void *arg, const struct ledger_call *call)
{
	const struct options *options = arg;
	const struct charge *charge = call->charge;
	const struct usage *usage = &charge->usage;
	char money[MONEY_LEN];
	json_t *row;

	if (options->silent)
		return;
	row = json_pack(
		"{s:I, s:s, s:i, s:I, s:s, s:s, s:s, s:s, s:i, s:b, s:s, s:s, s:b, s:s, s:s, "
		"s:{s:I, s:I, s:I, s:I, s:I, s:I}, s:I, s:I}",
		"start_us", (json_int_t)call->start_us, "command", call->process->comm, "pid",
		(int)call->process->tgid, "cgroup_id", (json_int_t)call->group->cgroup, "provider",
		charge->provider, "host", charge->host, "path", charge->path, "model",
		charge->model, "status", charge->status, "stream", charge->is_stream, "outcome",
		charge_outcome_name(charge->outcome), "source", charge_source_name(charge->source),
		"priced", charge->is_priced, "cost_usd", money_format(charge->cost_nanos, money),
		"price_key", charge->price_key, "tokens", "input", (json_int_t)usage->input,
		"cache_read", (json_int_t)usage->cache_read, "cache_write_5m",
		(json_int_t)usage->cache_write_5m, "cache_write_1h",
		(json_int_t)usage->cache_write_1h, "output", (json_int_t)usage->output, "reasoning",
		(json_int_t)usage->reasoning, "request_bytes", (json_int_t)charge->request_bytes,
		"response_bytes", (json_int_t)charge->response_bytes);
	if (!row)
		return;
	if (charge_count(charge) > 1)
		json_object_set_new(row, "count", json_integer(charge_count(charge)));
	if (*charge->client)
		json_object_set_new(row, "client", json_string(charge->client));
	if (*charge->api_key)
		json_object_set_new(row, "api_key", json_string(charge->api_key));
	if (*charge->via)
		json_object_set_new(row, "via", json_string(charge->via));
	/* What was used and has no price in the entry, which the cost is without or at another class's price. */
	if (*charge->price_lacks)
		json_object_set_new(row, "price_lacks", json_string(charge->price_lacks));
	json_dumpf(row, stdout, JSON_COMPACT | JSON_PRESERVE_ORDER | JSON_ENSURE_ASCII);
	putchar('\n');
	json_decref(row);
}

/* 0, or an exit code after saying why. */
static int feed(struct pipeline *pipeline, struct record *record, const char *file)
{
	const struct ev_head *event;
	size_t size;
	int more;

	while ((more = record_read(record, &event, &size)) > 0)
		pipeline_event(pipeline, event, size);
	if (!more)
		return CMD_OK;
	fprintf(stderr, "aigress: %s: cut short or damaged; what came before was used\n", file);
	return CMD_FAILED;
}

static int replay(struct options *options, struct record *record)
{
	struct pipeline_config config = { .hooks.observer = { .called = print_call, .arg = options },
					  .wall_us = wall_us };
	struct pipeline *pipeline = NULL;
	char *sentence = NULL;
	int code = CMD_FAILED;
	int err = who_new(&config.who, NULL);

	epoch_us = (int64_t)(record_epoch_ns(record) / 1000);
	if (!err)
		err = prices_new(&config.prices);
	if (!err)
		err = prices_load_builtin(config.prices, &sentence);
	if (!err && options->state)
		err = ledger_open(&config.ledger, options->state, true, &sentence);
	if (!err)
		err = pipeline_new(&pipeline, &config);
	if (err)
		fprintf(stderr, "aigress: %s\n", sentence ? sentence : strerror(-err));
	else
		code = feed(pipeline, record, options->file);
	free(sentence);
	pipeline_free(pipeline);
	ledger_free(config.ledger);
	prices_free(config.prices);
	who_free(config.who);
	return code;
}

static const struct argp_option rows[] = {
	{ "state", 's', "DIR", 0, "Also keep the calls in a ledger in DIR", 0 },
	{ "silent", 'q', NULL, 0, "Print nothing", 0 },
	{ 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *options = state->input;

	switch (key) {
	case 's':
		options->state = arg;
		return 0;
	case 'q':
		options->silent = true;
		return 0;
	case ARGP_KEY_ARG:
		if (options->file)
			return ARGP_ERR_UNKNOWN;
		options->file = arg;
		return 0;
	case ARGP_KEY_END:
		if (!options->file)
			argp_error(state, "name the event file that `aigress run --record` wrote");
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

int cmd_replay(int argc, char **argv)
{
	static const struct argp argp = { .options = rows,
					  .parser = parse,
					  .args_doc = "FILE",
					  .doc = "Run a recorded event file through the pipeline." };
	struct options options = { 0 };
	struct record *record = NULL;
	int code, err;

	options_read(&argp, argc, argv, &options, NULL);
	err = record_open(&record, options.file);
	if (err) {
		fprintf(stderr, "aigress: %s: %s\n", options.file,
			err == -EINVAL ? "not an event file" : strerror(-err));
		return CMD_FAILED;
	}
	code = replay(&options, record);
	record_free(record);
	return code;
}

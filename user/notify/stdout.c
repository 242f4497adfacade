/* SPDX-License-Identifier: Apache-2.0 */
#include "notify/stdout.h"

#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fields.h"
#include "base/log.h"
#include "base/text.h"
#include "ledger/action_json.h"

struct stdout_lines {
	bool quiet, as_json;
	uint64_t lost;
};

struct stdout_lines *stdout_lines_new(bool quiet, bool as_json)
{
	struct stdout_lines *stdout_lines = calloc(1, sizeof(*stdout_lines));

	if (stdout_lines) {
		stdout_lines->quiet = quiet;
		stdout_lines->as_json = as_json;
	}
	return stdout_lines;
}

/*
 * One whole line, its newline included. A write of up to PIPE_BUF bytes is not split (pipe(7)), and once
 * poll() reports room it does not block either; a longer one could do both, so it is dropped.
 */
static void print(struct stdout_lines *stdout_lines, const char *line, size_t len)
{
	struct pollfd out = { .fd = STDOUT_FILENO, .events = POLLOUT };

	if (len > PIPE_BUF || poll(&out, 1, 0) != 1 || !(out.revents & POLLOUT) ||
	    write(STDOUT_FILENO, line, len) != (ssize_t)len)
		stdout_lines->lost++;
}

/* Names come from processes and hosts, and the line may go to a terminal. */
static void print_text(struct stdout_lines *stdout_lines, const char *raw)
{
	char line[PIPE_BUF + 1];
	size_t len = strlen(text_plain(raw, line, sizeof(line) - 1));

	line[len++] = '\n';
	print(stdout_lines, line, len);
}

/* Takes the object. */
static void print_json(struct stdout_lines *stdout_lines, const char *event, json_t *object)
{
	_cleanup_free_ char *text = NULL, *line = NULL;
	int len;

	field_text(object, "event", event);
	text = fields_line(object);
	len = text ? asprintf(&line, "%s\n", text) : -1;
	if (len >= 0)
		print(stdout_lines, line, (size_t)len);
	else
		stdout_lines->lost++;
}

static json_t *json_of(const struct ledger_call *call, const char *when, const char *who)
{
	const struct charge *charge = call->charge;
	const struct usage *usage = &charge->usage;
	json_t *object = json_object(), *tokens = json_object();

	field_number(tokens, "input", usage->input);
	field_number(tokens, "cache_read", usage->cache_read);
	field_number(tokens, "cache_write", usage->cache_write_5m + usage->cache_write_1h);
	field_number(tokens, "output", usage->output);
	field_text(object, "time", when);
	field_text(object, "who", who);
	field_text(object, "cgroup", call->group->path);
	field_text(object, "command", call->process->comm);
	field_number(object, "pid", call->process->tgid);
	field_text(object, "host", charge->host);
	field_text(object, "model", charge->model);
	field_number(object, "status", (uint64_t)charge->status);
	field_text(object, "outcome", charge_outcome_name(charge->outcome));
	field_text(object, "source", charge_source_name(charge->source));
	field_number(object, "calls", charge_count(charge));
	field_set(object, "tokens", tokens);
	if (charge->is_priced)
		field_money(object, "cost_usd", charge->cost_nanos);
	else
		field_set(object, "cost_usd", json_null());
	field_money(object, "in_budgets_usd", charge->budget_nanos);
	return object;
}

void stdout_lines_call(struct stdout_lines *stdout_lines, const struct ledger_call *call)
{
	const struct charge *charge = call->charge;
	const struct usage *usage = &charge->usage;
	char raw[PIPE_BUF], when[TEXT_TIME_LEN], who[WHO_LABEL_LEN], money[MONEY_LEN];

	if (stdout_lines->quiet)
		return;
	text_time(call->start_us, when);
	who_label(call->group, who);
	if (stdout_lines->as_json) {
		print_json(stdout_lines, "call", json_of(call, when, who));
		return;
	}
	snprintf(raw, sizeof(raw),
		 "%s call %s %s[%u] %s %s %d %s in=%lu cache_read=%lu cache_write=%lu out=%lu "
		 "%s%s (%s)",
		 when, who, call->process->comm, call->process->tgid, charge->host,
		 charge->model[0] ? charge->model : "-", charge->status,
		 charge_outcome_name(charge->outcome), usage->input, usage->cache_read,
		 usage->cache_write_5m + usage->cache_write_1h, usage->output,
		 charge->is_priced ? money_format(charge->cost_nanos, money) : "unpriced",
		 charge->is_priced ? " USD" : "", charge_source_name(charge->source));
	print_text(stdout_lines, raw);
}

void stdout_lines_action(struct stdout_lines *stdout_lines, const struct ledger_action *action)
{
	const char *whose = action->who && *action->who ? action->who : action->target;
	/* The one counter of a budget per match is called as the budget. */
	bool is_whole = !strcmp(action->subject, action->budget);
	const char *counter = is_whole ? "" : action->subject, *comma = is_whole ? "" : ", ";
	char raw[PIPE_BUF], when[TEXT_TIME_LEN], spent[MONEY_LEN];

	money_format(action->spent_nanos, spent);
	log_warn("%s %s: budget %s%s%s spent %s USD%s", action->action, whose, action->budget, comma,
		 counter, spent, action->is_rehearsed ? " (rehearsed: nothing was done)" : "");
	if (stdout_lines->as_json) {
		print_json(stdout_lines, "action", action_json(action));
		return;
	}
	snprintf(raw, sizeof(raw), "%s %s %s budget %s%s%s spent %s USD: %s",
		 text_time(action->time_us, when), action->action, whose, action->budget, comma,
		 counter, spent, action->result);
	print_text(stdout_lines, raw);
}

uint64_t stdout_lines_lost(const struct stdout_lines *stdout_lines)
{
	return stdout_lines->lost;
}

struct stdout_lines *stdout_lines_free(struct stdout_lines *stdout_lines)
{
	if (stdout_lines && stdout_lines->lost)
		log_info("dropped %lu output lines: reader too slow", stdout_lines->lost);
	free(stdout_lines);
	return NULL;
}

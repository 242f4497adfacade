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
#include "base/log.h"
#include "base/text.h"
#include "ledger/action_json.h"

struct stdout_lines {
	bool quiet;
	uint64_t lost;
};

struct stdout_lines *stdout_lines_new(bool quiet)
{
	struct stdout_lines *stdout_lines = calloc(1, sizeof(*stdout_lines));

	if (stdout_lines)
		stdout_lines->quiet = quiet;
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

void stdout_lines_call(struct stdout_lines *stdout_lines, const struct ledger_call *call)
{
	const struct charge *charge = call->charge;
	const struct usage *usage = &charge->usage;
	time_t seconds = call->start_us / US_PER_S;
	char raw[PIPE_BUF], line[PIPE_BUF], when[32], money[MONEY_LEN];
	struct tm tm;
	int len;

	if (stdout_lines->quiet)
		return;
	strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&seconds, &tm));
	len = snprintf(raw, sizeof(raw),
		       "%s %s[%u] %s %s %s %d %s in=%lu cache_read=%lu cache_write=%lu out=%lu "
		       "%s%s (%s)",
		       when, call->process->comm, call->process->tgid, call->group->path,
		       charge->host, charge->model[0] ? charge->model : "-", charge->status,
		       charge_outcome_name(charge->outcome), usage->input, usage->cache_read,
		       usage->cache_write_5m + usage->cache_write_1h, usage->output,
		       charge->is_priced ? money_format(charge->cost_nanos, money) : "unpriced",
		       charge->is_priced ? " USD" : "", charge_source_name(charge->source));
	if (len < 0)
		return;
	/* Names come from processes and hosts, and the line may go to a terminal. */
	len = (int)strlen(text_plain(raw, line, sizeof(line) - 1));
	line[len++] = '\n';
	print(stdout_lines, line, (size_t)len);
}

void stdout_lines_action(struct stdout_lines *stdout_lines, const struct ledger_action *action)
{
	json_t *object = action_json(action);
	_cleanup_free_ char *text = NULL, *line = NULL;
	char spent[MONEY_LEN];
	int len;

	if (object && !json_object_set_new(object, "event", json_string("action")))
		text = json_dumps(object, JSON_COMPACT | JSON_PRESERVE_ORDER | JSON_ENSURE_ASCII);
	json_decref(object);
	log_warn("%s %s: budget %s, %s spent %s USD%s", action->action, action->target,
		 action->budget, action->subject, money_format(action->spent_nanos, spent),
		 action->is_rehearsed ? " (rehearsed: nothing was done)" : "");
	len = text ? asprintf(&line, "%s\n", text) : -1;
	if (len >= 0)
		print(stdout_lines, line, (size_t)len);
	else
		stdout_lines->lost++;
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

/* SPDX-License-Identifier: Apache-2.0 */
#include "notify/stdout.h"

#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <stdint.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "notify/action_json.h"

/* PIPE_BUF of Linux: a write of no more is whole or not at all, once poll says that there is room. */
#define LINE_MAX_BYTES 4096

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

static void print(struct stdout_lines *stdout_lines, const char *line, size_t len)
{
	struct pollfd out = { .fd = STDOUT_FILENO, .events = POLLOUT };

	if (poll(&out, 1, 0) != 1 || !(out.revents & POLLOUT) ||
	    write(STDOUT_FILENO, line, len) != (ssize_t)len)
		stdout_lines->lost++;
}

/* Names come from processes and hosts: a control byte must not reach a terminal. */
static void mask_control(char *line)
{
	for (; *line; line++)
		if ((unsigned char)*line < ' ' || *line == 0x7f)
			*line = '?';
}

void stdout_lines_call(struct stdout_lines *stdout_lines, const struct ledger_call *call)
{
	const struct charge *charge = call->charge;
	const struct usage *usage = &charge->usage;
	time_t seconds = call->start_us / US_PER_S;
	char line[LINE_MAX_BYTES], when[32], money[MONEY_LEN];
	struct tm tm;
	int len;

	if (stdout_lines->quiet)
		return;
	strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&seconds, &tm));
	len = snprintf(line, sizeof(line) - 1,
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
	if ((size_t)len > sizeof(line) - 2)
		len = sizeof(line) - 2;
	mask_control(line);
	line[len++] = '\n';
	print(stdout_lines, line, (size_t)len);
}

void stdout_lines_action(struct stdout_lines *stdout_lines, const struct ledger_action *action)
{
	json_t *object = action_json(action);
	_cleanup_free_ char *text = NULL;
	char spent[MONEY_LEN];

	if (object && !json_object_set_new(object, "event", json_string("action")))
		text = json_dumps(object, JSON_COMPACT | JSON_PRESERVE_ORDER | JSON_ENSURE_ASCII);
	json_decref(object);
	log_warn("%s %s: budget %s, %s spent %s USD%s", action->action, action->target,
		 action->budget, action->subject, money_format(action->spent_nanos, spent),
		 action->is_rehearsed ? " (rehearsed: nothing was done)" : "");
	if (!text)
		return;
	print(stdout_lines, text, strlen(text));
	print(stdout_lines, "\n", 1);
}

struct stdout_lines *stdout_lines_free(struct stdout_lines *stdout_lines)
{
	if (stdout_lines && stdout_lines->lost)
		log_info("%lu lines found no reader", stdout_lines->lost);
	free(stdout_lines);
	return NULL;
}

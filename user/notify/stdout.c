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

struct lines {
	bool quiet;
	uint64_t lost;
};

struct lines *lines_new(bool quiet)
{
	struct lines *lines = calloc(1, sizeof(*lines));

	if (lines)
		lines->quiet = quiet;
	return lines;
}

static void print(struct lines *lines, const char *line, size_t len)
{
	struct pollfd out = { .fd = STDOUT_FILENO, .events = POLLOUT };

	if (poll(&out, 1, 0) != 1 || !(out.revents & POLLOUT) ||
	    write(STDOUT_FILENO, line, len) != (ssize_t)len)
		lines->lost++;
}

/* Names come from processes and hosts: a control byte must not reach a terminal. */
static void mask_control(char *line)
{
	for (; *line; line++)
		if ((unsigned char)*line < ' ' || *line == 0x7f)
			*line = '?';
}

void lines_call(struct lines *lines, const struct ledger_call *call)
{
	const struct charge *charge = call->charge;
	const struct usage *usage = &charge->usage;
	time_t seconds = call->start_us / US_PER_S;
	char line[LINE_MAX_BYTES], when[32], money[MONEY_LEN];
	struct tm tm;
	int len;

	if (lines->quiet)
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
	print(lines, line, (size_t)len);
}

void lines_action(struct lines *lines, const struct ledger_action *action)
{
	json_t *object = evidence_json(action);
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
	print(lines, text, strlen(text));
	print(lines, "\n", 1);
}

struct lines *lines_free(struct lines *lines)
{
	if (lines && lines->lost)
		log_info("%lu lines found no reader", lines->lost);
	free(lines);
	return NULL;
}

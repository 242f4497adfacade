/* SPDX-License-Identifier: Apache-2.0 */
/* A rule in words: an action is explained long after its file has changed. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "budget/policy.h"

struct text {
	char *buf;
	size_t size, len;
};

static void put(struct text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void put(struct text *text, const char *format, ...)
{
	va_list args;
	int n;

	if (text->len >= text->size)
		return;
	va_start(args, format);
	n = vsnprintf(text->buf + text->len, text->size - text->len, format, args);
	va_end(args);
	text->len += n > 0 ? (size_t)n : 0;
}

/* Without the zeros that money_format() has behind it. */
static void put_usd(struct text *text, int64_t nanos)
{
	char money[MONEY_LEN];
	size_t len;

	money_format(nanos, money);
	len = strlen(money);
	if (strchr(money, '.'))
		while (money[len - 1] == '0' || money[len - 1] == '.')
			if (money[--len] == '.')
				break;
	put(text, "%.*s USD", (int)len, money);
}

static void put_span(struct text *text, uint64_t seconds)
{
	char span[TEXT_DURATION_LEN];

	put(text, "%s", text_duration(seconds, span));
}

static void put_limit(struct text *text, const struct policy_budget *budget)
{
	static const char *const windows[] = { "an hour", "a day", "a week", "a month" };

	if (budget->spike_permille) {
		put(text, "at %u.%u times the rate of the last ", budget->spike_permille / 1000,
		    budget->spike_permille % 1000 / 100);
		put_span(text, (uint64_t)budget->window_us / 1000000);
		put(text, ", above ");
		put_usd(text, budget->floor_nanos_per_hour);
		put(text, "/hour");
		return;
	}
	put(text, " of ");
	if (budget->limit_nanos)
		put_usd(text, budget->limit_nanos);
	else
		put(text, "%" PRIu64 " tokens", budget->limit_tokens);
	if (budget->window == POLICY_ROLLING) {
		put(text, " in ");
		put_span(text, (uint64_t)budget->window_us / 1000000);
	} else if ((unsigned)budget->window < ARRAY_SIZE(windows)) {
		put(text, " %s", windows[budget->window]);
	}
}

static void put_action(struct text *text, const struct policy_step *step)
{
	put(text, "%s", policy_action_name(step->action));
	if (step->action == POLICY_PACE) {
		put(text, " to ");
		if (step->pace_in_tokens)
			put(text, "%" PRId64 " tokens", step->pace_per_hour);
		else
			put_usd(text, step->pace_per_hour);
		put(text, "/hour");
	}
	if (step->action == POLICY_KILL || step->action == POLICY_STOP)
		put(text, " the %s",
		    step->target == POLICY_PROCESS ? "process" :
		    step->whole                    ? "whole cgroup" :
						     "cgroup's callers");
	if (step->action == POLICY_KILL) {
		put(text, ", grace ");
		put_span(text, step->grace_ns / 1000000000);
	}
}

char *policy_rule_text(const struct policy_budget *budget, const struct policy_step *step,
		       char *buf, size_t size)
{
	struct text text = { buf, size, 0 };

	*buf = '\0';
	if (!budget->spike_permille)
		put(&text, "at %u%s %%", step->at_permille / 10,
		    step->at_permille % 10 ?
			    (char[]){ '.', (char)('0' + step->at_permille % 10), 0 } :
			    "");
	put_limit(&text, budget);
	put(&text, " per %s: ", policy_pers[budget->per]);
	put_action(&text, step);
	return buf;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* An action, the calls behind it, and one whose names are as bad as can be; for the tests of notices and bodies. */
#ifndef UNIT_NOTIFY_NOTICED_H
#define UNIT_NOTIFY_NOTICED_H

#include "unit.h"

#include <jansson.h>

#include "budget/policy.h"
#include "notify/notice.h"

#define USD 1000000000LL

static const struct ledger_action begun = {
	.id = 7,
	.time_us = 1700000000123456,
	.until_us = 1700003600000000,
	.budget = "daily",
	.rule = "f:3",
	.rule_text = "at 100% of 10 USD a day: refuse",
	.action = "refuse",
	.subject = "cgroup=/a<b>",
	.target = "cgroup /a",
	.result = "done",
	.outcome = ACTION_DONE,
	.spent_nanos = 12500000000,
	.limit_nanos = 10000000000,
	.measured_permille = 995,
	.last_calls = "[9]",
};
static const struct last_calls calls = { .n = 5,
					 .who = "shop/web-1 app",
					 .model = "claude-opus-4-8",
					 .host = "api.anthropic.com",
					 .command = "python3",
					 .pid = 77,
					 .nanos = USD,
					 .from_us = 0,
					 .to_us = 60000000 };
static const struct notice_context context = { .node = "node-1",
					       .identity = "abc",
					       .link = "https://wiki.example/aigress" };
static inline const char *get(const json_t *object, const char *key)
{
	const char *value = json_string_value(json_object_get(object, key));

	if (!value)
		fail_msg("no string \"%s\"", key);
	return value;
}

static inline struct ledger_action ended(void)
{
	struct ledger_action over = begun;

	over.result = "ended: the window is over";
	over.outcome = ACTION_ENDED;
	over.time_us += 5000000;
	over.id++;
	over.is_rehearsed = true; /* by rules that are new */
	return over;
}

/* Names as long and as hostile as any. */
static inline struct ledger_action hostile(void)
{
	static char subject[6000], target[6000];
	struct ledger_action action = begun;
	static const char bad[] =
		"<!channel> [x](https://evil) `';rm -rf ~;\xc3\xa4 \x1b[31m&\"\\{{who}}\r\nTo: x ";

	for (size_t i = 0; i + 1 < sizeof(subject); i++)
		subject[i] = target[i] = bad[i % (sizeof(bad) - 1)];
	action.subject = subject;
	action.target = target;
	action.rule_text = target;
	action.result = subject;
	return action;
}

#endif

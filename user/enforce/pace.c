/* SPDX-License-Identifier: Apache-2.0 */
/* Pace: gates that let a request pass when its bucket has credit (credit.c). */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "enforce/incident.h"

#define RATE_LEN (MONEY_LEN + 16)

static const char *rate(const struct incident *incident, char text[RATE_LEN])
{
	char money[MONEY_LEN];
	int64_t per_hour = incident->key.step->pace_per_hour;

	if (policy_in_money(incident->key.budget))
		snprintf(text, RATE_LEN, "%s USD/hour", money_format(per_hour, money));
	else
		snprintf(text, RATE_LEN, "%lld tokens/hour", (long long)per_hour);
	return text;
}

static void pace(struct enforcer *enforcer, struct applied *applied, bool is_new, int64_t now_us)
{
	bool held_before = applied->holds;
	int err = bucket_open(enforcer, applied->incident);
	char text[RATE_LEN];

	if (!err)
		err = hold_take(enforcer, applied);
	if (!err)
		err = gate_pull(enforcer, applied->target.id);
	if (err && !held_before)
		(void)hold_drop(enforcer, applied);
	if (!err && !held_before)
		applied->shut_ns = clock_mono_ns();
	if (!is_new && err == applied->error)
		return;
	applied->error = err;
	if (err)
		applied_write(enforcer, applied, now_us, ACTION_FAILED, "failed: %s",
			      strerror(-err));
	else
		applied_write(enforcer, applied, now_us, ACTION_DONE, "done: %s",
			      rate(applied->incident, text));
}

void pace_apply(struct enforcer *enforcer, struct incident *incident,
		const struct policy_verdict *verdict, const struct policy_subject *subject,
		int64_t now_us)
{
	gate_each(enforcer, incident, verdict, subject, now_us, pace);
}

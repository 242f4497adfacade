/* SPDX-License-Identifier: Apache-2.0 */
/* Pace: gates that let a request go when its bucket has credit, and the credit as time passes; fuses. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "enforce/incident.h"

static int grant(struct act *act, struct story *story, const struct ctl_grant *grant)
{
	return act->levers.grant ? act->levers.grant(act->levers.arg, story->bucket, grant) :
				   -EOPNOTSUPP;
}

int bucket_open(struct act *act, struct story *story)
{
	const struct ctl_grant none = { .reserve_nanos = 1, .cut_nanos = UINT64_MAX };
	int err;

	if (story->bucket)
		return 0;
	if (act->n_buckets >= CTL_BUCKETS_MAX)
		return -ENOSPC;
	story->bucket = ++act->buckets ?: ++act->buckets; /* 0 is no bucket */
	if (story_is_fuse(story))
		story->fuse = (struct fuse){ 0 };
	else
		bucket_begin(&story->pace, story->step->pace_per_hour);
	err = grant(act, story, &none);
	if (err) {
		story->bucket = 0;
		return err;
	}
	act->n_buckets++;
	act->n_fuses += story_is_fuse(story);
	return 0;
}

void bucket_close(struct act *act, struct story *story)
{
	if (!story->bucket)
		return;
	(void)grant(act, story, NULL);
	story->bucket = 0;
	act->n_buckets--;
	act->n_fuses -= story_is_fuse(story);
}

#define RATE_LEN (MONEY_LEN + 16)

static const char *rate(const struct story *story, char text[RATE_LEN])
{
	char money[MONEY_LEN];
	int64_t per_hour = story->step->pace_per_hour;

	if (policy_in_money(story->budget))
		snprintf(text, RATE_LEN, "%s USD/hour", money_format(per_hour, money));
	else
		snprintf(text, RATE_LEN, "%lld tokens/hour", (long long)per_hour);
	return text;
}

static void pace(struct act *act, struct deed *deed, bool is_new, int64_t now_us)
{
	bool held_before = deed->holds;
	int err = bucket_open(act, deed->story);
	char text[RATE_LEN];

	if (!err)
		err = hold_take(act, deed);
	if (!err)
		err = gate_pull(act, deed->target.id);
	if (err && !held_before)
		(void)hold_drop(act, deed);
	if (!is_new && err == deed->error)
		return;
	deed->error = err;
	if (err)
		deed_write(act, deed, now_us, "failed: %s", strerror(-err));
	else
		deed_write(act, deed, now_us, "done: %s", rate(deed->story, text));
}

void pace_apply(struct act *act, struct story *story, const struct policy_verdict *verdict,
		const struct policy_subject *subject, int64_t now_us)
{
	gate_each(act, story, verdict, subject, now_us, pace);
}

size_t act_pace(struct act *act, struct policy *policy, int64_t now_us)
{
	struct story *story, *next;
	struct policy_pulse pulse;
	struct ctl_grant now;
	struct ctl_take take;
	size_t n_busy = 0;

	if (!act->n_buckets)
		return 0;
	HASH_ITER(hh, act->stories, story, next) {
		if (!story->bucket)
			continue;
		if (story_is_fuse(story) && !policy_stands(policy, story->budget, story->step,
							   story_name(story), false, now_us)) {
			story_drop(act, story, NULL, now_us);
			continue;
		}
		if (!act->levers.taken || act->levers.taken(act->levers.arg, story->bucket, &take) ||
		    !policy_pulse(policy, story->budget, story_name(story), &pulse))
			continue;
		if (story_is_fuse(story))
			now = fuse_update(&story->fuse, &pulse, &take, fuse_waiting(act, story),
					  now_us);
		else
			now = bucket_update(&story->pace, &pulse, &take, now_us);
		n_busy += !story_is_fuse(story) || pulse.n_flights;
		(void)grant(act, story, &now);
	}
	return n_busy;
}

bool act_has_fuse(const struct act *act)
{
	return act->n_fuses;
}

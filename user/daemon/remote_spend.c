/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/remote_spend.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "daemon/timers.h"
#include "shared/shared.h"

/* Of a cgroup as a whole. */
static const struct who_process no_process;

/* A step that stops, freezes or kills: carried out where the members of its counter are. */
struct reach {
	struct daemon *daemon;
	const struct policy_verdict *verdict;
	int64_t now_us;
};

/*
 * A member: charged here, or connected to an AI host now. Calls of others on its budget are taken for its own
 * (is_calling), so that it is reached without waiting for one.
 */
static void reach(const struct reach *reach, const struct policy_subject *subject)
{
	const struct policy_rules *rules = &reach->daemon->config.rules;
	struct policy_verdict verdict = *reach->verdict;

	if (!policy_covers(rules, verdict.budget, verdict.key, subject, &verdict.is_protected))
		return;
	verdict.cgroup = subject->group->cgroup;
	verdict.tgid = subject->process->tgid;
	enforcer_apply(reach->daemon->enforcer, &verdict, subject, reach->now_us);
}

/*
 * Processes: those that have a connection to an AI host now. Its model is not known, so a budget that
 * asks for one waits for their next call.
 */
static void reach_process(void *arg, const struct ev_flow *flow)
{
	struct reach *at = arg;
	struct who *who = at->daemon->who;
	struct who_group group;
	struct who_process process;
	const struct policy_subject subject = { .is_calling = true,
						.group = &group,
						.process = &process,
						.host = flow->host,
						.model = "" };

	if (!flow->head.tgid)
		return;
	who_group_get(who, flow->head.cgroup, &group);
	who_process_get(who, flow->head.tgid, flow->comm, WHO_NO_UID, &process);
	reach(at, &subject);
}

static void reach_cgroups(struct reach *at)
{
	for (size_t i = 0; i < at->verdict->n_cgroups; i++) {
		struct who_group group;
		const struct policy_subject subject = { .is_calling = true,
							.group = &group,
							.process = &no_process,
							.host = "",
							.model = "" };
		struct policy_verdict verdict = *at->verdict;

		who_group_get(at->daemon->who, at->verdict->cgroups[i], &group);
		/* It was charged, so it falls under the budget, whatever that asks of a call. */
		verdict.cgroup = group.cgroup;
		enforcer_apply(at->daemon->enforcer, &verdict, &subject, at->now_us);
	}
}

/* For no subject in particular: what others spent is over the line for every member. */
static void on_verdict(void *arg, const struct policy_verdict *verdict)
{
	static const struct who_group nowhere;
	const struct policy_subject all = {
		.group = &nowhere, .process = &no_process, .host = "", .model = ""
	};
	const struct policy_step *step = verdict->step;
	struct reach at = { .daemon = arg, .verdict = verdict, .now_us = clock_wall_us() };

	if (step->action == POLICY_NOTE || step->action == POLICY_PACE ||
	    step->action == POLICY_REFUSE)
		enforcer_apply(at.daemon->enforcer, verdict, &all, at.now_us);
	else if (step->action == POLICY_FREEZE || step->target == POLICY_CGROUP)
		reach_cgroups(&at);
	else
		pipeline_flows(at.daemon->pipeline, reach_process, &at);
}

static void on_review(void *arg)
{
	struct daemon *daemon = arg;

	enforcer_review(daemon->enforcer, daemon->policy, false, clock_wall_us());
}

static void on_said(void *arg, bool is_up, const char *text)
{
	log_write(is_up ? LOG_INFO : LOG_WARN, "%s", text);
}

void remote_spend_begin(struct daemon *daemon)
{
	const struct shared_hooks hooks = {
		.verdict = on_verdict, .review = on_review, .said = on_said, .arg = daemon
	};
	bool is_needed = false;
	int err;

	daemon->shared = shared_free(daemon->shared);
	for (size_t i = 0; i < daemon->config.rules.n_budgets; i++)
		is_needed |= daemon->config.rules.budgets[i].is_shared;
	if (!is_needed)
		return;
	err = shared_new(&daemon->shared, daemon->loop, daemon->fetcher, daemon->ledger,
			 daemon->policy, &daemon->config.shared, &hooks);
	if (err)
		log_error("shared budgets: %s, proceeding with this host's own sums",
			  strerror(-err));
	else
		timers_commit_soon(daemon->timers);
}

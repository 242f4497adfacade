/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How many members of a counter may be stopped, frozen or killed at once: `min-healthy`. Members are
 * what was charged on this host, and the pods on it that names know of.
 */
#include <errno.h>
#include <string.h>

#include "enforce/incident.h"

/* Something is done to this cgroup, or to a process of it. */
static bool is_hurt(const struct enforcer *enforcer, uint64_t cgroup)
{
	const struct incident *incident;
	const struct applied *applied;

	for (incident = enforcer->incidents; incident; incident = incident->hh.next) {
		enum policy_action action = incident->key.step->action;

		if (action != POLICY_FREEZE && action != POLICY_STOP && action != POLICY_KILL)
			continue;
		for (applied = incident->applied_list; applied; applied = applied->hh.next)
			if (applied->cgroup == cgroup && (applied->holds || applied->due_ns))
				return true;
	}
	return false;
}

static bool is_live(const struct enforcer *enforcer, uint64_t cgroup)
{
	return !enforcer->actuators.is_live ||
	       enforcer->actuators.is_live(enforcer->actuators.arg, cgroup);
}

/* More pods than a node runs; the rest is not counted, and so not relied on. */
#define MEMBERS_MAX 512

/* A pod; where there is none, a cgroup. */
struct member {
	char pod_uid[WHO_UID_LEN];
	uint64_t cgroup;
	bool is_hurt;
};

struct count {
	const struct enforcer *enforcer;
	const struct policy_verdict *verdict;
	uint64_t seen;      /* bits of verdict->cgroups */
	struct member *own; /* the one that the action is for */
	size_t n;
	struct member members[MEMBERS_MAX];
};
_Static_assert(POLICY_MEMBERS <= 64, "a bit each");

static void join(struct count *count, uint64_t cgroup, const char *pod_uid)
{
	struct member *member = count->members;
	const struct member *end = member + count->n;

	if (!is_live(count->enforcer, cgroup))
		return;
	while (member < end &&
	       (*pod_uid ? strcmp(member->pod_uid, pod_uid) != 0 : member->cgroup != cgroup))
		member++;
	if (member == end) {
		if (count->n == MEMBERS_MAX)
			return;
		count->n++;
		*member = (struct member){ .cgroup = cgroup };
		memcpy(member->pod_uid, pod_uid, strlen(pod_uid) + 1);
	}
	member->is_hurt |= is_hurt(count->enforcer, cgroup);
	if (cgroup == count->verdict->cgroup)
		count->own = member;
}

/* Was charged, as far as that is remembered. */
static bool is_charged(struct count *count, uint64_t cgroup)
{
	const struct policy_verdict *verdict = count->verdict;
	bool is_charged = cgroup == verdict->cgroup;

	for (size_t i = 0; i < verdict->n_cgroups; i++) {
		if (verdict->cgroups[i] != cgroup)
			continue;
		count->seen |= 1ULL << i;
		is_charged = true;
	}
	return is_charged;
}

/* A container of a pod: a member, too, before it has called anybody. */
static void look(void *arg, const struct who_group *group)
{
	static const struct who_process nobody;
	const struct policy_subject subject = {
		.group = group, .process = &nobody, .host = "", .model = ""
	};
	struct count *count = arg;
	const struct policy_verdict *verdict = count->verdict;
	bool is_protected;

	if (is_charged(count, group->cgroup) ||
	    policy_covers(count->enforcer->rules, verdict->budget, verdict->key, &subject,
			  &is_protected))
		join(count, group->cgroup, group->pod_uid);
}

static void count_members(struct count *count)
{
	const struct enforcer_ops *actuators = &count->enforcer->actuators;
	const struct policy_verdict *verdict = count->verdict;

	if (actuators->each_container)
		actuators->each_container(actuators->arg, look, count);
	for (size_t i = 0; i < verdict->n_cgroups; i++)
		if (!(count->seen & 1ULL << i))
			join(count, verdict->cgroups[i], "");
	if (!count->own)
		join(count, verdict->cgroup, "");
}

/* What would be left if the verdict's member were hurt, too. */
struct healthy {
	size_t members, healthy, least;
};

static bool do_suffice(const struct enforcer *enforcer, const struct policy_verdict *verdict,
		       struct healthy *ret)
{
	const struct policy_budget *budget = verdict->budget;
	struct count count = { .enforcer = enforcer, .verdict = verdict };

	if (!budget->min_healthy && !budget->min_healthy_permille)
		return true;
	count_members(&count);
	if (count.own && count.own->is_hurt)
		return true;
	*ret = (struct healthy){ .members = count.n };
	for (size_t i = 0; i < count.n; i++)
		ret->healthy += !count.members[i].is_hurt && &count.members[i] != count.own;
	ret->least = budget->min_healthy_permille ?
			     (ret->members * budget->min_healthy_permille + 999) / 1000 :
			     budget->min_healthy;
	return ret->healthy >= ret->least;
}

bool min_healthy_stay(struct enforcer *enforcer, struct applied *applied,
		      const struct policy_verdict *verdict, int64_t now_us)
{
	struct healthy healthy;

	if (do_suffice(enforcer, verdict, &healthy))
		return true;
	if (applied->error != -EBUSY)
		applied_write(
			enforcer, applied, now_us, ACTION_REFUSED,
			"refused: it would leave %zu of %zu members healthy, min-healthy is %zu",
			healthy.healthy, healthy.members, healthy.least);
	applied->error = -EBUSY; /* its next charge asks again */
	return false;
}

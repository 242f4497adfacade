/* SPDX-License-Identifier: Apache-2.0 */
/* Whose counters a subject's charges go to: found out once, then remembered by all that matches look at. */
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "budget/match.h"
#include "budget/policy_internal.h"

#define PACKED_MAX 6144

/* Names are made unique: two namespaces may each have a "Deployment/agents". */
static void name_counter(const struct policy_budget *budget, const struct policy_subject *subject,
			 char key[COUNTER_KEY_LEN])
{
	const struct who_process *process = subject->process;
	const struct who_group *group = subject->group;
	const size_t size = COUNTER_KEY_LEN;
	int n = 0;

	switch (budget->per) {
	case POLICY_PER_MATCH:
		n = snprintf(key, size, "match");
		break;
	case POLICY_PER_NAMESPACE:
		if (*group->namespace)
			n = snprintf(key, size, "namespace=%s", group->namespace);
		break;
	case POLICY_PER_WORKLOAD:
		if (*group->workload)
			n = snprintf(key, size, "workload=%s/%s", group->namespace, group->workload);
		break;
	case POLICY_PER_POD:
		if (*group->pod)
			n = snprintf(key, size, "pod=%s/%s", group->namespace, group->pod);
		break;
	case POLICY_PER_CONTAINER:
		if (*group->pod && *group->container_name)
			n = snprintf(key, size, "container=%s/%s/%s", group->namespace, group->pod,
				     group->container_name);
		else if (*group->container)
			n = snprintf(key, size, "container=%s", group->container);
		break;
	case POLICY_PER_UNIT:
		if (*group->unit)
			n = snprintf(key, size, "unit=%s", group->unit);
		break;
	case POLICY_PER_USER:
		if (*process->user)
			n = snprintf(key, size, "user=%s", process->user);
		break;
	case POLICY_PER_PROCESS:
		if (process->tgid)
			n = snprintf(key, size, "process=%u (%s)", process->tgid, process->comm);
		break;
	case POLICY_PER_CGROUP:
		break;
	}
	/* A plain host has no pods: what shares a cgroup is the nearest thing. */
	if (n <= 0)
		snprintf(key, size, "cgroup=%s", group->path);
}

void policy_forget(struct policy *policy)
{
	struct known *known, *next;

	HASH_ITER(hh, policy->cache, known, next) {
		HASH_DEL(policy->cache, known);
		free(known->packed);
		free(known);
	}
	memset(policy->by_id, 0, sizeof(policy->by_id));
	policy->present = NULL;
	policy->n_telling = 0;
	policy->is_stale = false;
}

static size_t pack(const struct policy *policy, const struct policy_subject *subject, char *packed)
{
	const struct who_process *process = subject->process;
	const struct who_group *group = subject->group;
	const char *const texts[] = { group->path,         group->namespace, group->workload,
				      group->pod,          group->container, group->container_name,
				      group->unit,         group->labels,    process->user,
				      process->comm,       process->exe,     subject->host ?: "",
				      subject->model ?: "" };
	uint32_t tgid = policy->is_per_process ? process->tgid : 0;
	size_t len = sizeof(tgid);

	memcpy(packed, &tgid, sizeof(tgid));
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		size_t n = strlen(texts[i]) + 1;

		if (len + n > PACKED_MAX)
			n = PACKED_MAX - len;
		memcpy(packed + len, texts[i], n);
		len += n;
	}
	return len;
}

static struct known *learn(struct policy *policy, const struct policy_subject *subject,
			   const char *packed, size_t len)
{
	const struct policy_rules *rules = policy->rules;
	struct policy_subject whole = { .group = subject->group,
					.process = subject->process,
					.host = subject->host ?: "",
					.model = subject->model ?: "" };
	struct known *known;
	size_t n = 0;

	if (HASH_COUNT(policy->cache) >= POLICY_CACHE)
		policy_forget(policy);
	for (int pass = 0; pass < 2 && !(pass && n); pass++)
		for (size_t i = 0; i < rules->n_budgets; i++)
			if (rules->budgets[i].is_default == pass &&
			    match_fits(&rules->budgets[i].match, &whole))
				policy->scratch[n++] =
					(struct membership){ .counters = policy->counters[i] };
	known = calloc(1, sizeof(*known) + n * sizeof(*known->memberships));
	if (!known)
		return NULL;
	known->packed = malloc(len);
	if (!known->packed) {
		free(known);
		return NULL;
	}
	memcpy(known->packed, packed, len);
	memcpy(known->memberships, policy->scratch, n * sizeof(*known->memberships));
	known->n_memberships = n;
	for (size_t i = 0; i < rules->n_protect && !known->is_protected; i++)
		known->is_protected = match_fits(&rules->protect[i], &whole);
	HASH_ADD_KEYPTR(hh, policy->cache, known->packed, len, known);
	if (!known->hh.tbl) {
		free(known->packed);
		free(known);
		return NULL;
	}
	return known;
}

void policy_number(struct policy *policy, struct known *known)
{
	if (policy->by_id[known->id % POLICY_CACHE] == known)
		policy->by_id[known->id % POLICY_CACHE] = NULL;
	do
		known->id = ++policy->ids;
	while (!known->id || policy->by_id[known->id % POLICY_CACHE]);
	policy->by_id[known->id % POLICY_CACHE] = known;
}

void policy_calls(const struct policy *policy, struct counter *counter)
{
	const struct known *known = policy->by_id[counter->known % POLICY_CACHE];

	if (known && known->id == counter->known)
		for (uint32_t i = counter->n_silent_below; i > 0; i--)
			counter_call(counter, known->calls[(known->n_calls - i) % POLICY_CALLS]);
	counter->n_silent_below = 0;
}

struct known *policy_recall(struct policy *policy, const struct policy_subject *subject,
			    struct verdict_iter *ret)
{
	char packed[PACKED_MAX];
	size_t len = pack(policy, subject, packed);
	struct known *known;

	if (policy->is_stale)
		policy_forget(policy);
	HASH_FIND(hh, policy->cache, packed, len, known);
	if (!known)
		known = learn(policy, subject, packed, len);
	policy->present = known;
	policy->n_telling = 0;
	policy->judged++;
	if (ret)
		*ret = (struct verdict_iter){ .policy = policy,
					      .judged = policy->judged,
					      .cgroup = subject->group->cgroup,
					      .tgid = subject->process->tgid };
	return known;
}

struct counter *policy_counter_of(struct policy *policy, struct membership *membership,
				  const struct policy_subject *subject, bool make)
{
	char key[COUNTER_KEY_LEN];

	/* "other" is only for as long as there is no room. */
	if (membership->counter && membership->counter != membership->counters->other) {
		if (membership->counter->n_silent_below)
			policy_calls(policy, membership->counter);
		return membership->counter;
	}
	name_counter(membership->counters->budget, subject, key);
	membership->counter = counters_get(membership->counters, key, make, &policy->is_stale);
	/* A new one, or "other", whose orders are looked up again for nothing. */
	if (membership->counter && membership->counter->n_silent_below)
		policy_calls(policy, membership->counter);
	if (membership->counter && policy->n_overrides)
		counter_override(membership->counters, membership->counter, policy->overrides,
				 policy->n_overrides);
	return membership->counter;
}

bool policy_covers(const struct policy_rules *rules, const struct policy_budget *budget,
		   const char *key, const struct policy_subject *subject, bool *ret_protected)
{
	char own[COUNTER_KEY_LEN];

	if (!match_fits(&budget->match, subject))
		return false;
	for (size_t i = 0; budget->is_default && i < rules->n_budgets; i++)
		if (!rules->budgets[i].is_default && match_fits(&rules->budgets[i].match, subject))
			return false;
	name_counter(budget, subject, own);
	if (strcmp(own, key))
		return false;
	*ret_protected = false;
	for (size_t i = 0; i < rules->n_protect; i++)
		*ret_protected |= match_fits(&rules->protect[i], subject);
	return true;
}

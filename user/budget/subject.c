/* SPDX-License-Identifier: Apache-2.0 */
/* Which counters a subject's charges go to: computed once, then cached by all the texts that a match can use. */
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "budget/match.h"
#include "budget/policy_internal.h"

#define PACKED_MAX 6144

/* Names are made unique: two namespaces may each have a "Deployment/agents". */
static void write_key(const struct policy_budget *budget, const struct policy_subject *subject,
		      char key[COUNTER_KEY_LEN])
{
	const struct who_process *process = subject->process;
	const struct who_group *group = subject->group;
	const size_t size = COUNTER_KEY_LEN;
	int n = 0;

	switch (budget->per) {
	case POLICY_PER_MATCH:
		n = snprintf(key, size, "%s", budget->name);
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
		snprintf(key, size, "cgroup=%.*s",
			 group->whole_len && !budget->parts_apart ? (int)group->whole_len :
								    WHO_PATH_LEN,
			 group->path);
}

/* As the ledger has it, from which a restart makes it again; a tenant may have made the cgroup's name. */
static void name_counter(const struct policy_budget *budget, const struct policy_subject *subject,
			 char key[COUNTER_KEY_LEN])
{
	char raw[COUNTER_KEY_LEN];

	write_key(budget, subject, raw);
	text_plain(raw, key, COUNTER_KEY_LEN);
}

void policy_forget(struct policy *policy)
{
	struct subject_entry *entry, *next;

	HASH_ITER(hh, policy->cache, entry, next) {
		HASH_DEL(policy->cache, entry);
		free(entry->packed);
		free(entry);
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
	const char *const texts[] = {
		group->path,          group->namespace,      group->workload, group->pod,
		group->container,     group->container_name, group->unit,     group->labels,
		process->user,        process->comm,         process->exe,    subject->host ?: "",
		subject->model ?: "", subject->client ?: "", group->image,    subject->via ?: ""
	};
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

static struct subject_entry *learn(struct policy *policy, const struct policy_subject *subject,
				   const char *packed, size_t len)
{
	const struct policy_rules *rules = policy->rules;
	struct policy_subject whole = { .group = subject->group,
					.process = subject->process,
					.host = subject->host ?: "",
					.model = subject->model ?: "",
					.client = subject->client,
					.via = subject->via };
	struct subject_entry *entry;
	size_t n = 0;

	if (HASH_COUNT(policy->cache) >= POLICY_CACHE)
		policy_forget(policy);
	for (int pass = 0; pass < 2 && !(pass && n); pass++)
		for (size_t i = 0; i < rules->n_budgets; i++)
			if (rules->budgets[i].is_default == pass &&
			    match_fits(&rules->budgets[i].match, &whole))
				policy->scratch[n++] =
					(struct membership){ .counters = policy->counters[i] };
	entry = calloc(1, sizeof(*entry) + n * sizeof(*entry->memberships));
	if (!entry)
		return NULL;
	entry->packed = malloc(len);
	if (!entry->packed) {
		free(entry);
		return NULL;
	}
	memcpy(entry->packed, packed, len);
	memcpy(entry->memberships, policy->scratch, n * sizeof(*entry->memberships));
	entry->n_memberships = n;
	for (size_t i = 0; i < rules->n_protect && !entry->is_protected; i++)
		entry->is_protected = match_fits(&rules->protect[i], &whole);
	HASH_ADD_KEYPTR(hh, policy->cache, entry->packed, len, entry);
	if (!entry->hh.tbl) {
		free(entry->packed);
		free(entry);
		return NULL;
	}
	return entry;
}

void policy_number(struct policy *policy, struct subject_entry *entry)
{
	if (policy->by_id[entry->id % POLICY_CACHE] == entry)
		policy->by_id[entry->id % POLICY_CACHE] = NULL;
	do
		entry->id = ++policy->ids;
	while (!entry->id || policy->by_id[entry->id % POLICY_CACHE]);
	policy->by_id[entry->id % POLICY_CACHE] = entry;
}

void policy_calls(const struct policy *policy, struct counter *counter)
{
	const struct subject_entry *entry = policy->by_id[counter->known % POLICY_CACHE];

	if (entry && entry->id == counter->known)
		for (uint32_t i = counter->n_silent_below; i > 0; i--)
			counter_call(counter, entry->calls[(entry->n_calls - i) % POLICY_CALLS]);
	counter->n_silent_below = 0;
}

struct subject_entry *policy_recall(struct policy *policy, const struct policy_subject *subject,
				    struct verdict_iter *ret)
{
	char packed[PACKED_MAX];
	size_t len = pack(policy, subject, packed);
	struct subject_entry *entry;

	if (policy->is_stale)
		policy_forget(policy);
	HASH_FIND(hh, policy->cache, packed, len, entry);
	if (!entry)
		entry = learn(policy, subject, packed, len);
	policy->present = entry;
	policy->n_telling = 0;
	policy->judged++;
	if (ret)
		*ret = (struct verdict_iter){ .policy = policy,
					      .judged = policy->judged,
					      .cgroup = subject->group->cgroup,
					      .tgid = subject->process->tgid };
	return entry;
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
	/* A new one, or "other", whose orders need not be looked up again. */
	if (membership->counter && membership->counter->n_silent_below)
		policy_calls(policy, membership->counter);
	if (membership->counter && policy->n_overrides)
		counter_override(membership->counters, membership->counter, policy->overrides,
				 policy->n_overrides);
	return membership->counter;
}

const char *policy_assumed(const struct policy *policy, const struct policy_subject *subject)
{
	const struct policy_rules *rules = policy->rules;

	for (size_t i = 0; i < rules->n_assume; i++)
		if (match_fits(&rules->assume[i].match, subject))
			return rules->assume[i].model;
	return NULL;
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

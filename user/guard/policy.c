/* SPDX-License-Identifier: Apache-2.0 */
#include "guard/policy.h"

#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "guard/ledger.h"
#include "guard/match.h"
#include "guard/policy_in.h"

#define LONG_CALL_US (3600 * US_PER_S)	/* a call that ran longer may miss its window in a replay */
#define PACKED_MAX 6144
#define FETCH_AHEAD 16	/* counters: about a memory latency of work */

const struct policy_step policy_hold = { .action = POLICY_REFUSE };
const struct policy_step policy_fuse = { .action = POLICY_PACE };

const char *policy_action_name(enum policy_action action)
{
	static const char *const names[POLICY_ACTIONS] = { "note",   "pace", "refuse",
							   "freeze", "stop", "kill" };

	return (unsigned)action < POLICY_ACTIONS ? names[action] : NULL;
}

void policy_rules_done(struct policy_rules *rules)
{
	for (size_t i = 0; i < rules->n_budgets; i++) {
		struct policy_budget *budget = &rules->budgets[i];

		free(budget->name);
		free(budget->zone);
		free(budget->steps);
		match_done(&budget->match);
	}
	for (size_t i = 0; i < rules->n_protect; i++)
		match_done(&rules->protect[i]);
	free(rules->budgets);
	free(rules->protect);
	free(rules->file);
	*rules = (struct policy_rules){ 0 };
}

struct policy *policy_new(const struct policy_rules *rules)
{
	static uint64_t epochs;
	struct policy *policy = calloc(1, sizeof(*policy));

	if (!policy)
		return NULL;
	policy->own = *rules;
	policy->rules = &policy->own;
	policy->epoch = ++epochs;
	policy->counters = calloc(rules->n_budgets + 1, sizeof(*policy->counters));
	policy->scratch = calloc(rules->n_budgets + 1, sizeof(*policy->scratch));
	policy->telling = calloc(rules->n_budgets + 1, sizeof(*policy->telling));
	if (!policy->counters || !policy->scratch || !policy->telling)
		return policy_free(policy);
	for (size_t i = 0; i < rules->n_budgets; i++) {
		policy->counters[i] = counters_new(&rules->budgets[i],
						   rules->enforce && !rules->budgets[i].is_rehearsed,
						   &policy->bytes,
						   rules->counters_bytes ?: POLICY_COUNTERS_BYTES,
						   &policy->turns);
		if (!policy->counters[i])
			return policy_free(policy);
		policy->is_per_process |= rules->budgets[i].per == POLICY_PER_PROCESS;
	}
	return policy;
}

static void forget_all(struct policy *policy)
{
	struct known *known, *next;

	HASH_ITER(hh, policy->cache, known, next) {
		HASH_DEL(policy->cache, known);
		free(known->packed);
		free(known);
	}
	memset(policy->by_id, 0, sizeof(policy->by_id));
	policy->present = NULL;
	policy->is_stale = false;
}

struct policy *policy_free(struct policy *policy)
{
	if (!policy)
		return NULL;
	forget_all(policy);
	while (policy->flights)
		policy_release(policy, policy->flights->id);
	free(policy->orders);
	for (size_t i = 0; policy->counters && i < policy->rules->n_budgets; i++)
		counters_free(policy->counters[i]);
	free(policy->counters);
	free(policy->scratch);
	free(policy->telling);
	free(policy);
	return NULL;
}

/* ---- whose counter ---- */

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
			n = snprintf(key, size, "workload=%s/%s", group->namespace,
				     group->workload);
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

static size_t pack(const struct policy *policy, const struct policy_subject *subject, char *packed)
{
	const struct who_process *process = subject->process;
	const struct who_group *group = subject->group;
	const char *const texts[] = { group->path, group->namespace, group->workload, group->pod,
		group->container, group->container_name, group->unit, group->labels, process->user,
		process->comm, process->exe, subject->host ?: "", subject->model ?: "" };
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
		forget_all(policy);
	for (int pass = 0; pass < 2 && !(pass && n); pass++)
		for (size_t i = 0; i < rules->n_budgets; i++)
			if (rules->budgets[i].is_default == pass &&
			    match_fits(&rules->budgets[i].match, &whole))
				policy->scratch[n++] =
					(struct claim){ .counters = policy->counters[i] };
	known = calloc(1, sizeof(*known) + n * sizeof(*known->claims));
	if (!known)
		return NULL;
	known->packed = malloc(len);
	if (!known->packed) {
		free(known);
		return NULL;
	}
	memcpy(known->packed, packed, len);
	memcpy(known->claims, policy->scratch, n * sizeof(*known->claims));
	known->n_claims = n;
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

/* A number of its own, for a cache that holds no more than POLICY_CACHE. */
static void number(struct policy *policy, struct known *known)
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
		for (uint32_t i = counter->n_quiet; i > 0; i--)
			counter_call(counter, known->calls[(known->n_calls - i) % POLICY_CALLS]);
	counter->n_quiet = 0;
}

struct known *policy_recall(struct policy *policy, const struct policy_subject *subject)
{
	char packed[PACKED_MAX];
	size_t len = pack(policy, subject, packed);
	struct known *known;

	if (policy->is_stale)
		forget_all(policy);
	HASH_FIND(hh, policy->cache, packed, len, known);
	if (!known)
		known = learn(policy, subject, packed, len);
	policy->present = known;
	policy->n_telling = policy->at = 0;
	policy->is_inside = false;
	policy->cgroup = subject->group->cgroup;
	policy->tgid = subject->process->tgid;
	return known;
}

struct counter *policy_counter_of(struct policy *policy, struct claim *claim,
				  const struct policy_subject *subject, bool make)
{
	char key[COUNTER_KEY_LEN];

	/* "other" is only for as long as there is no room. */
	if (claim->counter && claim->counter != claim->counters->other) {
		if (claim->counter->n_quiet)
			policy_calls(policy, claim->counter);
		return claim->counter;
	}
	name_counter(claim->counters->budget, subject, key);
	claim->counter = counters_get(claim->counters, key, make, &policy->is_stale);
	/* A new one, or "other", whose orders are looked up again for nothing. */
	if (claim->counter && claim->counter->n_quiet)
		policy_calls(policy, claim->counter);
	if (claim->counter && policy->n_orders)
		counter_order(claim->counters, claim->counter, policy->orders, policy->n_orders);
	return claim->counter;
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

/* ---- charges ---- */

static uint64_t clamp_tokens(uint64_t tokens)
{
	return tokens < LEDGER_TOKENS_MAX ? tokens : LEDGER_TOKENS_MAX;
}

/* Clamped as the ledger does, so that a replay gives the same sums. */
void policy_read(const struct charge *charge, int64_t call_id, struct counter_charge *ret)
{
	const struct usage *usage = &charge->usage;
	int64_t nanos = charge->budget_nanos;

	*ret = (struct counter_charge){ .call_id = call_id };
	if (charge->source == CHARGE_FREE)
		return;
	ret->is_measured = charge_is_measured(charge->source);
	ret->nanos =
		nanos < 0 ? 0 : (uint64_t)(nanos < LEDGER_NANOS_MAX ? nanos : LEDGER_NANOS_MAX);
	ret->tokens = clamp_tokens(usage->input) + clamp_tokens(usage->cache_read) +
		      clamp_tokens(usage->cache_write_5m) + clamp_tokens(usage->cache_write_1h) +
		      clamp_tokens(usage->output) + clamp_tokens(usage->audio_input) +
		      clamp_tokens(usage->audio_output);
}

/* Rolls the windows of a subject's budgets, unless it is known that none would turn. */
static void roll_all(const struct policy *policy, struct known *known, int64_t now_us)
{
	if (known->turns == policy->turns && now_us >= known->same_from_us &&
	    now_us < known->same_until_us)
		return;
	known->same_from_us = INT64_MIN;
	known->same_until_us = INT64_MAX;
	for (size_t i = 0; i < known->n_claims; i++) {
		struct counters *counters = known->claims[i].counters;

		counters_roll(counters, now_us);
		if (counters->same_from_us > known->same_from_us)
			known->same_from_us = counters->same_from_us;
		if (counters->same_until_us < known->same_until_us)
			known->same_until_us = counters->same_until_us;
	}
	known->turns = policy->turns;
}

/*
 * What most charges are to most counters, as a few additions in one cache line: the window is the same,
 * nobody else was charged meanwhile, nothing is in flight, and no step is near. False: nothing was done.
 */
static inline bool add_quietly(const struct known *known, struct counter *counter,
			       const struct counter_charge *more)
{
	struct sum *sum = &counter->sum;
	uint64_t unit;

	if (counter->turn != known->turns || counter->known != known->id || !counter->is_plain)
		return false;
	unit = counter->in_tokens ? more->tokens : more->nanos;
	if ((counter->in_tokens ? sum->tokens : sum->nanos) + unit >= counter->quiet)
		return false;
	add(&sum->nanos, more->nanos);
	add(&sum->tokens, more->tokens);
	sum->measured += more->is_measured ? unit : 0;
	sum->calls += unit > 0;
	counter->n_quiet += more->call_id && counter->n_quiet < POLICY_CALLS;
	return true;
}

/* May add_quietly() be tried with this counter, until a window turns? */
static bool is_quiet(const struct claim *claim)
{
	const struct counter *counter = claim->counter;

	return counter != claim->counters->other && !counter->slots && !counter->raised &&
	       counter->order == OVERRIDE_NONE && !claim->counters->is_spike;
}

void policy_charge(struct policy *policy, const struct policy_subject *subject,
		   const struct charge *charge, int64_t call_id, int64_t now_us)
{
	struct known *known = policy_recall(policy, subject);
	struct counter_charge more;
	uint64_t member;

	if (!known) {
		policy->dropped++;
		return;
	}
	policy_read(charge, call_id, &more);
	/* The root is everybody, and what is protected is nobody's to gate. */
	member = known->is_protected || !strcmp(subject->group->path, "/") ? 0
									   : subject->group->cgroup;
	if (!known->id || known->member != member) {
		number(policy, known);
		known->member = member;
	}
	roll_all(policy, known, now_us);
	for (size_t i = 0; i < known->n_claims; i++) {
		struct claim *claim = &known->claims[i];
		struct counter *counter;

		if (i + FETCH_AHEAD < known->n_claims)
			counter_fetch(known->claims[i + FETCH_AHEAD].counter);
		if (claim->counter && add_quietly(known, claim->counter, &more))
			continue;
		counters_roll(claim->counters, now_us);
		counter = policy_counter_of(policy, claim, subject, true);
		if (!counter) {
			policy->dropped++;
			continue;
		}
		policy->shared += counter == claim->counters->other;
		counter_add(claim->counters, counter, &more, member);
		policy_tell(policy, i, counter);
		counter->turn = is_quiet(claim) ? known->turns : 0;
		counter->known = known->id;
	}
	if (call_id)
		known->calls[known->n_calls++ % POLICY_CALLS] = call_id;
}

void policy_judge(struct policy *policy, const struct policy_subject *subject, int64_t now_us)
{
	struct known *known = policy_recall(policy, subject);

	for (size_t i = 0; known && i < known->n_claims; i++) {
		struct claim *claim = &known->claims[i];

		counters_roll(claim->counters, now_us);
		/* What is ordered held is held before it spends. */
		if (!policy_counter_of(policy, claim, subject, policy->has_hold))
			continue;
		counter_look(claim->counters, claim->counter);
		policy_tell(policy, i, claim->counter);
	}
}

/*
 * The next step to tell of a counter, from `from` on: an order to hold, else the steps that were
 * reached, then those that turn calls away and are reached with what is in flight, and its fuse.
 * UINT32_MAX - 1: none.
 */
#define NO_STEP (COUNTER_HOLD - 1)
static uint32_t next_step(const struct counters *counters, const struct counter *counter,
			  uint32_t from)
{
	const struct policy_budget *budget = counters->budget;

	if (counter->order == OVERRIDE_HOLD)
		return from == 0 ? COUNTER_HOLD : NO_STEP;
	if (from == COUNTER_FUSE)
		return NO_STEP;
	if (from < counter->reached)
		return from;
	for (; from < counter->ahead_of; from++)
		if (budget->steps[from].action == POLICY_REFUSE ||
		    budget->steps[from].action == POLICY_PACE)
			return from;
	return counter->is_near ? COUNTER_FUSE : NO_STEP;
}

bool policy_next(struct policy *policy, struct policy_verdict *ret)
{
	struct known *known = policy->present;

	for (; known && policy->at < policy->n_telling; policy->at++) {
		const struct claim *claim = &known->claims[policy->telling[policy->at]];
		const struct counter *counter = claim->counter;
		uint32_t step;

		if (!policy->is_inside)
			policy->step = counter->order == OVERRIDE_HOLD	    ? 0 :
				       counter->before < counter->reached ? counter->before :
				       counter->reached		    ? counter->reached - 1U :
									      0;
		step = next_step(claim->counters, counter, policy->step);
		policy->is_inside = step != NO_STEP;
		if (!policy->is_inside)
			continue;
		policy->step = step == COUNTER_HOLD ? 1 : step == COUNTER_FUSE ? step : step + 1;
		memset(ret, 0, sizeof(*ret));
		counter_tell(claim->counters, counter, step, ret);
		ret->cgroup = policy->cgroup;
		ret->tgid = policy->tgid;
		ret->is_protected = known->is_protected;
		return true;
	}
	return false;
}

/* ---- questions ---- */

int64_t policy_since(const struct policy *policy, int64_t now_us)
{
	int64_t since_us = now_us, start_us, end_us;

	for (size_t i = 0; i < policy->rules->n_budgets; i++) {
		counters_window(policy->counters[i], now_us, &start_us, &end_us);
		if (start_us < since_us)
			since_us = start_us;
	}
	return since_us - LONG_CALL_US;
}

int64_t policy_next_reset(const struct policy *policy, int64_t now_us)
{
	int64_t next_us = INT64_MAX, start_us, end_us;

	for (size_t i = 0; i < policy->rules->n_budgets; i++) {
		counters_window(policy->counters[i], now_us, &start_us, &end_us);
		if (end_us < next_us)
			next_us = end_us;
	}
	return next_us;
}

bool policy_pulse(struct policy *policy, const struct policy_budget *budget, const char *key,
		  struct policy_pulse *ret)
{
	struct counters *counters = policy->counters[budget - policy->rules->budgets];
	const struct counter *counter = counters_get(counters, key, false, &policy->is_stale);

	if (!counter)
		return false;
	counter_pulse(counters, counter, ret);
	ret->epoch = policy->epoch;
	return true;
}

void policy_counters(struct policy *policy, int64_t now_us,
		     void (*fn)(void *arg, const struct policy_counter *counter), void *arg)
{
	for (size_t i = 0; i < policy->rules->n_budgets; i++) {
		counters_roll(policy->counters[i], now_us);
		counters_walk(policy->counters[i], fn, arg);
	}
}

void policy_stats(const struct policy *policy, struct policy_stats *ret)
{
	*ret = (struct policy_stats){ .cached = HASH_COUNT(policy->cache), .shared = policy->shared,
				      .dropped = policy->dropped,
				      .flights = HASH_COUNT(policy->flights),
				      .unreserved = policy->unreserved };
	for (size_t i = 0; i < policy->rules->n_budgets; i++)
		ret->counters += counters_count(policy->counters[i]);
}

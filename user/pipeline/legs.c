/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/legs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "base/cleanup.h"
#include "pipeline/pipeline_internal.h"
#include "provider/api.h"

/* A call that has ended, with whose it is. */
struct leg {
	struct leg *prev, *next;
	struct connections_caller caller; /* its comm: below */
	char comm[EV_COMM_LEN];
	uint64_t since_ns;
	bool is_hop; /* or its callers' call was: struct charged */
	struct charge charge;
};

/* What is known of a call that was charged. */
struct charged {
	uint64_t ids[CHARGE_IDS], start_ns, end_ns, tokens;
	int64_t nanos;
	uint32_t tgid;
	bool is_unconfirmed;
	bool is_joined; /* what it was passed on as is known */
	bool is_named;  /* it went to a gateway that the operator named */
	bool is_hop;    /* its caller's call did, or through a tunnel */
	bool is_exact;  /* the provider itself told what was used */
};

struct process {
	uint32_t tgid;
	uint8_t in_vain;
	bool passes_on;
	bool is_unseen; /* ... and its callers do not look as if they called it */
};

struct legs {
	struct leg *waiting; /* the oldest first */
	size_t n;
	struct charged charged[LEGS_CHARGED]; /* a ring */
	uint64_t n_charged;                   /* ever */
	struct process processes[LEGS_PROCESSES];
	struct legs_stats stats;
};

struct legs *legs_new(void)
{
	return calloc(1, sizeof(struct legs));
}

static void drop(struct legs *legs, struct leg *leg)
{
	DL_DELETE(legs->waiting, leg);
	legs->n--;
	free(leg);
}

struct legs *legs_free(struct legs *legs)
{
	if (!legs)
		return NULL;
	while (legs->waiting)
		drop(legs, legs->waiting);
	free(legs);
	return NULL;
}

void legs_stats(const struct legs *legs, struct legs_stats *ret)
{
	*ret = legs->stats;
}

static struct process *process_of(struct legs *legs, uint32_t tgid)
{
	struct process *process = &legs->processes[tgid % LEGS_PROCESSES];

	if (process->tgid != tgid)
		*process = (struct process){ .tgid = tgid };
	return process;
}

static uint64_t tokens_of(const struct charge *charge)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < USAGE_COUNT; i++)
		sum += usage_get(&charge->usage, i);
	return sum;
}

static struct charged charged_of(uint32_t tgid, const struct charge *charge, bool is_hop)
{
	struct charged charged = { .start_ns = charge->start_mono_ns,
				   .end_ns = charge->start_mono_ns + charge->duration_ns,
				   .tokens = tokens_of(charge),
				   .nanos = charge->budget_nanos,
				   .tgid = tgid,
				   .is_unconfirmed = charge_is_unconfirmed(charge),
				   .is_joined = *charge->via,
				   .is_named = api_is_added(charge->host),
				   .is_hop = is_hop };

	charged.is_exact = !charged.is_named && !charged.is_unconfirmed && charge->is_priced &&
			   charge_is_measured(charge->source);

	memcpy(charged.ids, charge->ids, sizeof(charged.ids));
	return charged;
}

static struct charged charged_of_leg(const struct leg *leg)
{
	return charged_of(leg->caller.tgid, &leg->charge, leg->is_hop);
}

/*
 * Two processes were told of one answer: is b the call of which a is what it was passed on as? It began first, and ends
 * last: what is passed on was read before.
 */
static bool is_callers(const struct charged *a, const struct charged *b)
{
	if (a->is_hop != b->is_hop)
		return b->is_hop;
	if (a->start_ns + LEGS_SLACK_NS < b->start_ns || b->start_ns + LEGS_SLACK_NS < a->start_ns)
		return b->start_ns < a->start_ns;
	return b->end_ns > a->end_ns;
}

static bool is_within(const struct charged *inner, const struct charged *outer)
{
	return inner->tgid != outer->tgid && charge_shares_id(inner->ids, outer->ids) &&
	       is_callers(inner, outer) && inner->start_ns + LEGS_SLACK_NS > outer->start_ns &&
	       inner->start_ns < outer->end_ns && inner->end_ns < outer->end_ns + LEGS_WAIT_NS;
}

/*
 * Is a's cost in b's? It counts no more (LiteLLM's own figures are rounded, hence 1 %), or is what a gateway says of what b
 * was told by the provider.
 */
static bool is_covered(const struct charged *a, const struct charged *b)
{
	if (a->is_named && b->is_exact)
		return true;
	return a->nanos <= b->nanos + b->nanos / 100 + 1000 &&
	       a->tokens <= b->tokens + b->tokens / 100 && (b->is_unconfirmed <= a->is_unconfirmed);
}

/*
 * What the two cost together, which is never less than what the provider itself told one of them, nor, where that cannot
 * be known, than what the caller was told; and never more for the caller than its own call, but by the word of the
 * provider through a gateway that the operator named. False: they stay two.
 */
static bool join(const struct leg *inner, const struct leg *outer, struct charge *ret)
{
	const struct charge *call = &inner->charge, *hop = &outer->charge;
	struct charged a = charged_of_leg(inner);
	struct charged b = charged_of_leg(outer);

	if (b.is_named && a.is_exact) {
		*ret = *call;
		snprintf(ret->via, sizeof(ret->via), "%s", hop->host);
		memcpy(ret->client, hop->client, sizeof(ret->client));
		ret->start_mono_ns = hop->start_mono_ns;
		ret->duration_ns = hop->duration_ns;
		ret->first_token_ns = hop->first_token_ns;
		return true;
	}
	a.is_unconfirmed = b.is_unconfirmed = false;
	if (!is_covered(&a, &b))
		return false;
	*ret = *hop;
	snprintf(ret->via, sizeof(ret->via), "%s", inner->comm);
	if (is_covered(&b, &a))
		memcpy(ret->destination, call->destination, sizeof(ret->destination));
	return true;
}

static void count_alone(struct legs *legs, const struct charge *charge)
{
	legs->stats.alone += charge->cost_nanos && !strcmp(charge->provider, "litellm");
}

static void charge_now(struct pipeline *pipeline, const struct leg *leg)
{
	struct legs *legs = pipeline->legs;

	count_alone(legs, &leg->charge);
	legs->charged[legs->n_charged++ % LEGS_CHARGED] = charged_of_leg(leg);
	pipeline_charge(pipeline, &leg->caller, &leg->charge);
}

/*
 * Of what waits, the one that is the same call, by preference one that went to the provider: a stranger may have given the
 * id to a server of its own. *ret_is_outer: it is the caller's.
 */
static struct leg *find(struct legs *legs, const struct leg *leg, bool *ret_is_outer)
{
	struct charged own = charged_of_leg(leg);
	struct leg *other, *found = NULL;

	DL_FOREACH(legs->waiting, other)
	{
		struct charged its = charged_of_leg(other);
		bool is_outer = is_within(&own, &its);

		if ((!is_outer && !is_within(&its, &own)) || (found && its.is_unconfirmed))
			continue;
		found = other;
		*ret_is_outer = is_outer;
		if (!its.is_unconfirmed)
			break;
	}
	return found;
}

/* The same call was charged before, and no less: whoever passed it on was not known to, or was waited for too long. */
static bool was_charged(struct legs *legs, const struct leg *leg)
{
	struct charged own = charged_of_leg(leg);
	size_t n = legs->n_charged < LEGS_CHARGED ? (size_t)legs->n_charged : LEGS_CHARGED;

	for (size_t i = 0; i < n; i++) {
		struct charged *other = &legs->charged[i];
		bool is_outer = is_within(&own, other);
		struct process *process;

		if ((is_outer ? other->is_joined : !is_within(other, &own)) ||
		    !is_covered(&own, other) || own.end_ns > other->end_ns + LEGS_CHARGED_NS)
			continue;
		process = process_of(legs, is_outer ? own.tgid : other->tgid);
		process->in_vain = 0;
		process->is_unseen |= !api_is_added(leg->charge.host);
		process->passes_on = true;
		memset(other->ids, 0, sizeof(other->ids)); /* once */
		return true;
	}
	return false;
}

static bool may_wait(struct pipeline *pipeline, const struct leg *leg)
{
	struct legs *legs = pipeline->legs;
	const struct process *process = process_of(legs, leg->caller.tgid);
	const struct leg *other;
	size_t n = 0;

	if (connections_may_be_passed_on(pipeline->connections, leg->caller.tgid, &leg->charge)) {
		if (!process->passes_on && process->in_vain >= LEGS_IN_VAIN)
			return false;
	} else if (!process->is_unseen || process->in_vain >= LEGS_IN_VAIN) {
		return false;
	}
	DL_FOREACH(legs->waiting, other)
	{
		n += other->caller.cgroup == leg->caller.cgroup;
	}
	return n < LEGS_MAX - legs->n;
}

static bool wait(struct pipeline *pipeline, const struct leg *leg)
{
	const struct pipeline_observer_ops *observer = &pipeline->config.hooks.observer;
	struct leg *copy = may_wait(pipeline, leg) ? malloc(sizeof(*copy)) : NULL;

	if (!copy)
		return false;
	*copy = *leg;
	copy->caller.comm = copy->comm;
	DL_APPEND(pipeline->legs->waiting, copy);
	pipeline->legs->n++;
	if (observer->settle_soon)
		observer->settle_soon(observer->arg);
	return true;
}

bool pipeline_leg(struct pipeline *pipeline, const struct connections_caller *caller,
		  const struct charge *charge)
{
	struct leg own = { .caller = *caller, .since_ns = pipeline->last_ns, .charge = *charge };
	struct legs *legs = pipeline->legs;
	struct charge joined;
	struct leg *other;
	bool is_outer = false;

	if (charge->source == CHARGE_FREE ||
	    (!charge->ids[0] && !charge->ids[1] && !charge->ids[2])) {
		count_alone(legs, charge);
		return false;
	}
	own.is_hop = api_is_added(charge->host) ||
		     pairs_is_tunnelled(pipeline->pairs, caller->connection);
	snprintf(own.comm, sizeof(own.comm), "%s", caller->comm);
	own.caller.comm = own.comm;
	other = find(legs, &own, &is_outer);
	if (other && join(is_outer ? &own : other, is_outer ? other : &own, &joined)) {
		const struct leg *inner = is_outer ? &own : other;

		*process_of(legs, inner->caller.tgid) = (struct process){
			.tgid = inner->caller.tgid,
			.passes_on = true,
			.is_unseen = process_of(legs, inner->caller.tgid)->is_unseen
		};
		legs->stats.joined++;
		if (pipeline->config.policy)
			policy_release(pipeline->config.policy, inner->caller.call);
		if (is_outer) {
			own.caller = other->caller;
			own.is_hop = other->is_hop;
			memcpy(own.comm, other->comm, sizeof(own.comm));
			own.caller.comm = own.comm;
		}
		own.charge = joined;
		drop(legs, other);
	} else if (was_charged(legs, &own)) {
		legs->stats.joined++;
		if (pipeline->config.policy)
			policy_release(pipeline->config.policy, caller->call);
		return true;
	}
	if (!wait(pipeline, &own))
		charge_now(pipeline, &own);
	return true;
}

void pipeline_legs_expire(struct pipeline *pipeline, uint64_t now_ns)
{
	const struct pipeline_observer_ops *observer = &pipeline->config.hooks.observer;
	struct legs *legs = pipeline->legs;
	struct leg *leg, *next;

	DL_FOREACH_SAFE(legs->waiting, leg, next)
	{
		struct process *process = process_of(legs, leg->caller.tgid);

		if (now_ns < leg->since_ns || now_ns - leg->since_ns < LEGS_WAIT_NS)
			continue;
		process->in_vain += process->in_vain < LEGS_IN_VAIN;
		charge_now(pipeline, leg);
		drop(legs, leg);
	}
	if (legs->waiting && observer->settle_soon)
		observer->settle_soon(observer->arg);
}

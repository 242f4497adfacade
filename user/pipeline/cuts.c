/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/cuts.h"

#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "pipeline/pipeline_internal.h"

struct cut {
	struct cut *prev, *next;
	struct connections_caller caller; /* its comm: below */
	char comm[EV_COMM_LEN];
	char host[EV_HOST_LEN]; /* the connection's */
	bool is_paired;         /* it waits for a flow that is known to carry its connection */
	uint64_t since_ns;
	struct reading reading;
};

struct cuts {
	struct cut *list; /* the oldest first */
	size_t n;
};

struct cuts *cuts_new(void)
{
	return calloc(1, sizeof(struct cuts));
}

static void drop(struct cuts *cuts, struct cut *cut)
{
	DL_DELETE(cuts->list, cut);
	cuts->n--;
	free(cut);
}

struct cuts *cuts_free(struct cuts *cuts)
{
	if (!cuts)
		return NULL;
	while (cuts->list)
		drop(cuts, cuts->list);
	free(cuts);
	return NULL;
}

static void settle_soon(struct pipeline *pipeline)
{
	const struct pipeline_observer_ops *observer = &pipeline->config.hooks.observer;

	if (observer->settle_soon)
		observer->settle_soon(observer->arg);
}

/* Keeps the call. False: there is no room, or no memory. */
static bool put(struct pipeline *pipeline, const struct connections_caller *caller,
		const char *host, const struct reading *reading)
{
	const struct pairs_sockets *sockets = pairs_get(pipeline->pairs, caller->connection);
	struct cuts *cuts = pipeline->cuts;
	struct cut *cut = cuts->n < CUTS_MAX ? calloc(1, sizeof(*cut)) : NULL;

	if (!cut)
		return false;
	cut->caller = *caller;
	cut->caller.comm = cut->comm;
	strncpy(cut->comm, caller->comm, sizeof(cut->comm) - 1);
	strncpy(cut->host, host, sizeof(cut->host) - 1);
	cut->is_paired = sockets;
	if (sockets)
		cut->caller.sockets = *sockets;
	cut->since_ns = pipeline->last_ns;
	cut->reading = *reading;
	DL_APPEND(cuts->list, cut);
	cuts->n++;
	settle_soon(pipeline);
	return true;
}

/* Is a flow open that carries this connection? A relay's says nothing of what the process read. */
static bool is_carried(const struct pipeline *pipeline, uint64_t connection)
{
	const struct pairs_sockets *sockets = pairs_get(pipeline->pairs, connection);

	for (size_t i = 0; sockets && i < sockets->n; i++)
		if (flow_table_get(pipeline->flows, sockets->cookies[i]) &&
		    !flow_table_is_relayed(pipeline->flows, sockets->cookies[i]))
			return true;
	return false;
}

void pipeline_cut(struct pipeline *pipeline, const struct connections_caller *caller,
		  const char *host, struct reading *reading, uint64_t unread)
{
	bool is_open, is_unsent;

	if (pairs_get(pipeline->pairs, caller->connection)) {
		is_open = is_carried(pipeline, caller->connection);
		reconcile_paired_taken(pipeline->reconcile, caller->tgid, host, unread);
	} else {
		is_open = reconcile_take_unread(pipeline->reconcile, caller->tgid, host, &unread);
	}
	reading->unread_bytes += unread;
	/* Asked before it waits: by then a request may be held that began at another time. */
	is_unsent = pipeline_call_is_unsent(pipeline, caller, reading);
	if (!unread && is_open && !is_unsent && put(pipeline, caller, host, reading))
		return;
	pipeline_call_settle(pipeline, caller, reading, is_unsent);
}

static void charge(struct pipeline *pipeline, struct cut *cut, uint64_t unread)
{
	cut->reading.unread_bytes += unread;
	pipeline_call_settle(pipeline, &cut->caller, &cut->reading,
			     false); /* else it had not waited */
	drop(pipeline->cuts, cut);
}

/* Of several calls of the process that wait, which one's bytes they are is unknown: the oldest's. */
void pipeline_cut_flow_end(struct pipeline *pipeline, uint32_t tgid, const char *host)
{
	struct cut *cut, *next;
	uint64_t unread;

	DL_FOREACH_SAFE(pipeline->cuts->list, cut, next)
	{
		if (cut->is_paired || cut->caller.tgid != tgid || strcmp(cut->host, host) != 0)
			continue;
		if (reconcile_take_unread(pipeline->reconcile, tgid, host, &unread) && !unread)
			return;
		charge(pipeline, cut, unread);
	}
}

bool pipeline_cut_pair_end(struct pipeline *pipeline, uint64_t connection, uint64_t unread)
{
	struct cut *cut, *next;
	bool is_taken = false;

	DL_FOREACH_SAFE(pipeline->cuts->list, cut, next)
	{
		if (!cut->is_paired || cut->caller.connection != connection)
			continue;
		reconcile_paired_taken(pipeline->reconcile, cut->caller.tgid, cut->host, unread);
		charge(pipeline, cut, unread);
		unread = 0;
		is_taken = true;
	}
	return is_taken;
}

void pipeline_cuts_expire(struct pipeline *pipeline, uint64_t now_ns)
{
	struct cut *cut, *next;

	DL_FOREACH_SAFE(pipeline->cuts->list, cut, next)
	if (now_ns >= cut->since_ns && now_ns - cut->since_ns >= CUTS_WAIT_NS)
		charge(pipeline, cut, 0);
	if (pipeline->cuts->list)
		settle_soon(pipeline);
}

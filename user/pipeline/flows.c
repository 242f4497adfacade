/* SPDX-License-Identifier: Apache-2.0 */
/* The pipeline's half below TLS: flows, and what of them was not read. */
#include "pipeline/joined.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "provider/api.h"
#include "usage/estimate.h"

/* Nobody saw it greet, or it gave no name: who it goes to, and whose it is. False: that is not known. */
static bool adopt(const struct pipeline *pipeline, struct ev_flow *flow)
{
	const struct pipeline_tap_ops *tap = &pipeline->config.hooks.tap;
	const char *host = addresses_host(pipeline->addresses, flow->netns, flow->family,
					  flow->remote_addr, flow->remote_port);

	if (!host)
		return false;
	snprintf(flow->host, sizeof(flow->host), "%s", host);
	if (!flow->head.tgid && tap->owner)
		flow->head.tgid = tap->owner(tap->arg, flow->head.id);
	return true;
}

/* The hello inside a tunnel: one that was seen before makes a relay of this flow. */
static void learn_hello(struct pipeline *pipeline, const struct ev_flow *known, uint64_t hello)
{
	if (flow_table_is_relayed(pipeline->flows, known->head.id) || !hello ||
	    !relays_is_relayed(pipeline->relays, hello, known->head.id))
		return;
	reconcile_flow_cancel(pipeline->reconcile, known);
	flow_table_set_relayed(pipeline->flows, known->head.id);
}

/* A flow to an AI host that passes. */
static void add_flow(struct pipeline *pipeline, struct ev_flow *flow)
{
	const struct pipeline_find_ops *find = &pipeline->config.hooks.find;
	struct who_process process;
	bool is_relayed = !flow->is_quic && flow->hello &&
			  relays_is_relayed(pipeline->relays, flow->hello, flow->head.id);
	bool is_new = !flow_table_get(pipeline->flows, flow->head.id);

	/* Asked now, while the process is sure to be there; a flow's own name is that of a thread. */
	if (flow->head.tgid) {
		who_process_get(pipeline->config.who, flow->head.tgid, flow->comm, WHO_NO_UID,
				&process);
		snprintf(flow->comm, sizeof(flow->comm), "%s", process.comm);
	}
	/* Without a row its end says nothing: the account of its process must not wait for it. */
	if (flow_table_put(pipeline->flows, flow) < 0) {
		pipeline->stats.flows_dropped++;
	} else if (is_new) {
		pipeline->n_quic += flow->is_quic;
		if (!is_relayed)
			reconcile_flow(pipeline->reconcile, flow);
		pipeline_ask_name(pipeline, flow);
	}
	if (is_relayed)
		flow_table_set_relayed(pipeline->flows, flow->head.id);
	else if (flow->head.tgid && find->greeted)
		find->greeted(find->arg, flow->head.tgid, flow->head.cgroup, 0);
	/* What is only known by its address is counted; it says nothing of what its cgroup is about to do. */
	if (!flow->is_adopted)
		pipeline_judge(pipeline, flow->head.cgroup, flow->head.tgid ? &process : NULL,
			       flow->host, true, flow->head.time_ns);
}

void pipeline_flow(struct pipeline *pipeline, const struct ev_flow *event)
{
	const struct pipeline_find_ops *find = &pipeline->config.hooks.find;
	const struct pipeline_tap_ops *tap = &pipeline->config.hooks.tap;
	const struct ev_flow *known = flow_table_get(pipeline->flows, event->head.id);
	struct ev_flow flow = *event;
	bool is_ai, is_named;

	if (flow.state == EV_FLOW_APPROACH) {
		if (known && flow.head.tgid != known->head.tgid)
			joined_note(pipeline, flow.head.tgid, flow.head.id);
		if (flow.head.tgid && find->greeted)
			find->greeted(find->arg, flow.head.tgid, flow.head.cgroup, flow.head.id);
		return;
	}
	flow.host[sizeof(flow.host) - 1] = '\0';
	text_trim_root(flow.host);
	flow.comm[sizeof(flow.comm) - 1] = '\0';
	if (known && !flow.host[0])
		return learn_hello(pipeline, known, flow.hello);
	is_named = flow.host[0];
	if (!is_named && !adopt(pipeline, &flow))
		return;
	is_ai = api_find(flow.host);
	if (flow.verdict == CTL_ASK && tap->flow_decide)
		tap->flow_decide(tap->arg, &flow, is_ai ? CTL_AI : CTL_IGNORE);
	if (!is_ai)
		return;
	if (flow.state == EV_FLOW_REFUSED) {
		if (tap->destroy)
			tap->destroy(tap->arg, &flow);
		return;
	}
	if (!flow.is_tunnelled && is_named)
		addresses_learn(pipeline->addresses, flow.netns, flow.family, flow.remote_addr,
				flow.remote_port, flow.host);
	add_flow(pipeline, &flow);
}

/* Heads of HTTP, about: an SDK's request, and an answer with its rate limits. */
#define HEAD_OUT_BYTES 500
#define HEAD_IN_BYTES  700

/*
 * What of so many bytes is not heads. A hand-written client and a local proxy send shorter ones, so it is a third
 * at the least: small calls cost something, too.
 */
static uint64_t body_of(uint64_t bytes, uint64_t heads)
{
	uint64_t least = bytes / 3;

	return bytes > heads + least ? bytes - heads : least;
}

/* A prompt of 4,000 tokens or a file with next to nothing in answer, or more than any context holds. */
#define TRAFFIC_REQUEST_BYTES 16384
#define TRAFFIC_ANSWER_BYTES  500
#define TRAFFIC_UPLOAD_BYTES  (8u << 20)

/*
 * An upload, or a request that was turned away: most likely no call that costs anything, but that it was none is not
 * known either. Of a process that is read in part, what is left may be any part of a call.
 */
static bool is_traffic(const struct reconcile_sum *sum, const struct sizes *sizes)
{
	uint64_t n = sizes->exchanges;

	return sum->is_unread && (sizes->request_bytes > n * TRAFFIC_UPLOAD_BYTES ||
				  (sizes->request_bytes > n * TRAFFIC_REQUEST_BYTES &&
				   sizes->response_bytes <= n * TRAFFIC_ANSWER_BYTES));
}

static void estimate_unmetered(const struct pipeline *pipeline, const struct reconcile_sum *sum,
			       struct charge *charge)
{
	uint64_t n = sum->exchanges ? sum->exchanges : 1; /* a connection has one at the least */
	struct sizes sizes = { .tenant = sum->cgroup,
			       .provider = charge->provider,
			       .host = sum->host,
			       .form = sum->form,
			       .exchanges = n,
			       .request_bytes = body_of(sum->bytes[EV_OUT], n * HEAD_OUT_BYTES),
			       .response_bytes = body_of(sum->bytes[EV_IN], n * HEAD_IN_BYTES) };
	struct estimate estimate;

	estimate_sizes(&sizes, pipeline->calibration, &estimate);
	if (is_traffic(sum, &sizes)) {
		snprintf(charge->operation, sizeof(charge->operation), "unknown traffic");
		charge->error_input = estimate.input + estimate.input_error;
		charge->error_output = estimate.output + estimate.output_error;
		return;
	}
	charge->count = n < CHARGE_COUNT_MAX ? (uint32_t)n : CHARGE_COUNT_MAX;
	charge->usage.input = estimate.input;
	charge->usage.output = estimate.output;
	charge->error_input = estimate.input_error;
	charge->error_output = estimate.output_error;
	charge->under_input = estimate.input_under;
	charge->under_output = estimate.output_under;
	/* It may have been a GET, of a list. */
	if (sum->bytes[EV_OUT] <= n * HEAD_OUT_BYTES)
		charge->under_output = estimate.output;
}

/*
 * What of an account was never read, as a charge: by sizes, at the price of no known model, so it
 * is unpriced in reports, and budgets count what stands in for it (charge.c).
 */
static void charge_unmetered(struct pipeline *pipeline, const struct reconcile_sum *sum,
			     uint64_t now_ns)
{
	const struct api_provider *provider = api_find(sum->host);
	struct connections_caller caller = {
		.cgroup = sum->cgroup, .tgid = sum->tgid, .uid = WHO_NO_UID, .comm = sum->comm
	};
	struct charge charge = { .source = CHARGE_SIZE,
				 .outcome = CHARGE_OK,
				 .request_bytes = sum->bytes[EV_OUT],
				 .response_bytes = sum->bytes[EV_IN],
				 .start_mono_ns = now_ns };

	if (!provider)
		return;
	snprintf(charge.provider, sizeof(charge.provider), "%s", api_name(provider));
	snprintf(charge.operation, sizeof(charge.operation), "unmetered");
	snprintf(charge.host, sizeof(charge.host), "%s", sum->host);
	charge.is_stream = sum->form == ANSWER_SSE;
	if (pipeline->config.hooks.names.ask)
		snprintf(charge.destination, sizeof(charge.destination), "%s",
			 sum->is_unconfirmed ? CHARGE_UNCONFIRMED : CHARGE_CONFIRMED);
	estimate_unmetered(pipeline, sum, &charge);
	prices_apply(pipeline->config.prices, "", &charge);
	pipeline_charge(pipeline, &caller, &charge);
}

static void settle_unread(struct pipeline *pipeline, bool tick, uint64_t now_ns)
{
	struct reconcile_sum sum;

	connections_report(pipeline->connections);
	pipeline_cuts_expire(pipeline, now_ns);
	pipeline_legs_expire(pipeline, now_ns);
	while (reconcile_next(pipeline->reconcile, tick, &sum))
		charge_unmetered(pipeline, &sum, now_ns);
}

void pipeline_settle(struct pipeline *pipeline, uint64_t now_ns)
{
	settle_unread(pipeline, false, now_ns);
}

/* Settling walks all connections and accounts: many ends are settled at once. */
static void settle_soon(struct pipeline *pipeline, uint64_t now_ns)
{
	const struct pipeline_observer_ops *observer = &pipeline->config.hooks.observer;

	if (observer->settle_soon)
		observer->settle_soon(observer->arg);
	else
		pipeline_settle(pipeline, now_ns);
}

/* Another name was seen where an old connection goes: it may go to a host that never greeted. */
static bool doubt_flow(struct pipeline *pipeline, const struct ev_flow *flow)
{
	const struct pipeline_tap_ops *tap = &pipeline->config.hooks.tap;

	if (!flow->is_adopted || !tap->is_shared || !tap->is_shared(tap->arg, flow))
		return false;
	reconcile_flow_doubt(pipeline->reconcile, flow);
	if (tap->flow_decide)
		tap->flow_decide(tap->arg, flow, CTL_IGNORE);
	flow_table_drop(pipeline->flows, flow->head.id);
	return true;
}

static void end_flow(struct pipeline *pipeline, const struct ev_flow *flow)
{
	const struct pipeline_find_ops *find = &pipeline->config.hooks.find;
	bool is_relayed = flow_table_is_relayed(pipeline->flows, flow->head.id);
	bool is_paired = flow_table_is_paired(pipeline->flows, flow->head.id);

	if (!is_paired && doubt_flow(pipeline, flow))
		return;
	if (!is_relayed && is_paired)
		pipeline_pair_end(pipeline, flow);
	flow_table_drop(pipeline->flows, flow->head.id);
	if (is_relayed || is_paired)
		return;
	if (flow->head.tgid && find->left_out)
		reconcile_left_out(pipeline->reconcile, flow->head.tgid, flow->host,
				   find->left_out(find->arg, flow->head.tgid));
	pipeline_note_destination(pipeline, flow);
	reconcile_flow_end(pipeline->reconcile, flow);
	pipeline_cut_flow_end(pipeline, flow->head.tgid, flow->host);
}

struct release {
	struct pipeline *pipeline;
	uint64_t socket;
};

/* One of a socket that is gone: its counts are still in the kernel. */
static void end_quic(void *arg, const struct ev_flow *known)
{
	const struct release *release = arg;
	const struct pipeline_tap_ops *tap = &release->pipeline->config.hooks.tap;
	struct ev_flow flow = *known;
	struct ctl_flow counts;

	if (!flow.is_quic || flow.socket != release->socket)
		return;
	release->pipeline->n_quic--;
	if (tap->flow_get && !tap->flow_get(tap->arg, flow.head.id, &counts)) {
		memcpy(flow.bytes, counts.bytes, sizeof(flow.bytes));
		memcpy(flow.handshake, counts.handshake, sizeof(flow.handshake));
		memcpy(flow.framed, counts.framed, sizeof(flow.framed));
		memcpy(flow.records, counts.records, sizeof(flow.records));
		flow.requests = counts.requests;
	}
	end_flow(release->pipeline, &flow);
}

void pipeline_flow_end(struct pipeline *pipeline, const struct ev_flow *event)
{
	const struct ev_flow *known = flow_table_get(pipeline->flows, event->head.id);
	struct release release = { pipeline, event->head.id };
	const struct pipeline_tap_ops *tap = &pipeline->config.hooks.tap;
	struct ev_flow flow;

	if (event->is_unsent && tap->hold_over)
		tap->hold_over(tap->arg, event->head.id);
	if (known) {
		/* The end comes from where no task is known. */
		flow = *known;
		memcpy(flow.bytes, event->bytes, sizeof(flow.bytes));
		memcpy(flow.handshake, event->handshake, sizeof(flow.handshake));
		memcpy(flow.framed, event->framed, sizeof(flow.framed));
		memcpy(flow.records, event->records, sizeof(flow.records));
		flow.record_bytes = event->record_bytes;
		flow.requests = event->requests;
		flow.unread = event->unread;
		pipeline->n_quic -= flow.is_quic;
		if (event->is_unsent)
			unsent_put(pipeline->unsent, &flow, event->held_since_ns);
		else
			unsent_drop(pipeline->unsent, flow.head.id);
		end_flow(pipeline, &flow);
	} else if (pipeline->n_quic) {
		flow_table_each(pipeline->flows, end_quic, &release);
	} else {
		return;
	}
	settle_soon(pipeline, event->head.time_ns);
}

/* A QUIC connection's name is known, or that it will not be: then its address is asked. */
void pipeline_quic(struct pipeline *pipeline, const struct ev_quic *event)
{
	const struct pipeline_tap_ops *tap = &pipeline->config.hooks.tap;
	struct ev_flow flow = event->flow;
	const char *host;
	enum ctl_verdict verdict;

	if (flow_table_get(pipeline->flows, flow.head.id))
		return;
	flow.comm[sizeof(flow.comm) - 1] = '\0';
	switch (quic_flows_take(pipeline->quic_flows, event, flow.host)) {
	case QUIC_FLOWS_MORE:
		return;
	case QUIC_FLOWS_NAME:
		break;
	case QUIC_FLOWS_NONE:
		host = addresses_host(pipeline->addresses, flow.netns, flow.family,
				      flow.remote_addr, flow.remote_port);
		snprintf(flow.host, sizeof(flow.host), "%s", host ? host : "");
		break;
	}
	verdict = api_find(flow.host) ? CTL_AI : CTL_IGNORE;
	if (tap->decide)
		tap->decide(tap->arg, flow.head.id, verdict);
	if (flow.host[0] && tap->flow_decide)
		tap->flow_decide(tap->arg, &flow, verdict);
	if (verdict != CTL_AI)
		return;
	addresses_learn(pipeline->addresses, flow.netns, flow.family, flow.remote_addr,
			flow.remote_port, flow.host);
	add_flow(pipeline, &flow);
}

static void count_flow(void *arg, const struct ev_flow *flow)
{
	struct pipeline *pipeline = arg;
	const struct pipeline_tap_ops *tap = &pipeline->config.hooks.tap;
	struct ev_flow doubtful = *flow;
	struct ctl_flow counts;

	if (flow_table_is_relayed(pipeline->flows, flow->head.id) ||
	    tap->flow_get(tap->arg, flow->head.id, &counts))
		return;
	if (flow_table_is_paired(pipeline->flows, flow->head.id))
		return reconcile_paired_count(pipeline->reconcile, flow, &counts);
	memcpy(doubtful.bytes, counts.bytes, sizeof(doubtful.bytes));
	if (doubt_flow(pipeline, &doubtful))
		return;
	pipeline_note_destination(pipeline, flow);
	reconcile_flow_count(pipeline->reconcile, flow, &counts);
}

void pipeline_tick(struct pipeline *pipeline, uint64_t now_ns)
{
	reconcile_paired_recount(pipeline->reconcile);
	if (pipeline->config.hooks.tap.flow_get)
		flow_table_each(pipeline->flows, count_flow, pipeline);
	settle_unread(pipeline, true, now_ns);
}

struct destroy_job {
	struct pipeline *pipeline;
	const char *path;
	size_t others;
};

static bool is_below(const char *path, const char *root)
{
	size_t len = strlen(root);

	return !strcmp(root, "/") || (!strncmp(path, root, len) && (!path[len] || path[len] == '/'));
}

static bool is_within(const struct destroy_job *job, uint64_t cgroup)
{
	struct who_group group;

	who_group_get(job->pipeline->config.who, cgroup, &group);
	return is_below(group.path, job->path);
}

/* Whether the socket carries a connection of a cgroup that this is not about. */
static bool carries_others(const struct destroy_job *job, uint64_t cookie)
{
	struct connections_reported reported;
	uint64_t connections[FLOWS_PAIRED_MAX];
	size_t n = flow_table_paired(job->pipeline->flows, cookie, connections);

	for (size_t i = 0; i < n; i++)
		if (connections_reported(job->pipeline->connections, connections[i], &reported) &&
		    !is_within(job, reported.cgroup))
			return true;
	return false;
}

static void destroy_one(void *arg, const struct ev_flow *flow)
{
	struct destroy_job *job = arg;
	const struct pipeline_config *config = &job->pipeline->config;

	/* a gate drops the datagrams of QUIC; there is nothing to reset */
	if (flow->is_quic || !is_within(job, flow->head.cgroup))
		return;
	if (carries_others(job, flow->head.id)) {
		job->others++;
		return;
	}
	/* Each event of a call in flight orders it again, and a late daemon has many of them. */
	if (!flow_table_set_reset(job->pipeline->flows, flow->head.id))
		return;
	config->hooks.tap.destroy(config->hooks.tap.arg, flow);
}

size_t pipeline_destroy(struct pipeline *pipeline, const char *path)
{
	struct destroy_job job = { .pipeline = pipeline, .path = path };

	if (pipeline->config.hooks.tap.destroy)
		flow_table_each(pipeline->flows, destroy_one, &job);
	return job.others;
}

bool pipeline_reset(struct pipeline *pipeline, uint64_t cookie)
{
	const struct pipeline_tap_ops *tap = &pipeline->config.hooks.tap;
	const struct ev_flow *flow = flow_table_get(pipeline->flows, cookie);

	if (!flow || !tap->destroy)
		return false;
	tap->destroy(tap->arg, flow);
	return true;
}

struct visit {
	struct pipeline *pipeline;
	void (*fn)(void *arg, const struct ev_flow *flow);
	void *arg;
};

static void visit_one(void *arg, const struct ev_flow *flow)
{
	struct visit *visit = arg;

	if (!flow_table_is_relayed(visit->pipeline->flows, flow->head.id))
		visit->fn(visit->arg, flow);
}

void pipeline_flows(struct pipeline *pipeline, void (*fn)(void *arg, const struct ev_flow *flow),
		    void *arg)
{
	struct visit visit = { pipeline, fn, arg };

	flow_table_each(pipeline->flows, visit_one, &visit);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>
#include <utlist.h>

#include "flows.h"
#include "http/conn.h"
#include "meter/call.h"
#include "meter/estimate.h"

/*
 * Limits. A connection at rest is a struct link and a struct conn, below 5 KiB together; a call in
 * progress has the scanners of two bodies. Beyond them the oldest connection goes, its calls
 * charged as what is known of them.
 */
#define LINKS_MAX 16384
#define CALLS_PER_LINK_MAX 256

/* One call in progress on a connection. */
struct item {
	struct item *prev, *next;
	uint64_t exchange;
	uint64_t cgroup;	/* of the thread that wrote the request */
	struct call *call;
};

/* One TLS connection of one process. */
struct link {
	UT_hash_handle hh;	/* in the order of their first event */
	uint64_t id, ssl, cgroup;
	uint64_t seen[2], records[2];	/* plaintext so far, by enum ev_dir; told to the reconciliation */
	uint64_t told[2], told_records[2];
	uint32_t tgid;
	uid_t uid;
	bool is_decided;	/* the kernel was told, or knew from the start */
	char comm[EV_COMM_LEN];
	char host[EV_HOST_LEN];
	struct conn *conn;	/* NULL: of no interest */
	struct item *items;
	size_t n_items;
};

struct pipeline {
	struct pipeline_config config;
	struct calibration *calibration;
	struct link *links;
	struct flows *flows;
	struct unmetered *unmetered;
	uint64_t last_ns;	/* of the newest event: the end of calls that nothing else ends */
	struct pipeline_stats stats;
};

int pipeline_new(struct pipeline **ret, const struct pipeline_config *config)
{
	struct pipeline *pipeline = calloc(1, sizeof(*pipeline));

	if (!pipeline)
		return -ENOMEM;
	pipeline->config = *config;
	pipeline->flows = flows_new();
	pipeline->unmetered = unmetered_new();
	if (!pipeline->flows || !pipeline->unmetered ||
	    calibration_new(&pipeline->calibration) < 0) {
		pipeline_free(pipeline);
		return -ENOMEM;
	}
	*ret = pipeline;
	return 0;
}

/* Carries out what the policy says of a subject, after a charge or a judgement. */
static void carry_out(struct pipeline *pipeline, const struct policy_subject *subject,
		      int64_t now_us)
{
	struct policy_verdict verdict;

	while (policy_next(pipeline->config.policy, &verdict))
		if (pipeline->config.act)
			act_apply(pipeline->config.act, &verdict, subject, now_us);
}

/* A cgroup or a process has appeared: is one of its budgets spent already? */
static void judge(struct pipeline *pipeline, uint64_t cgroup, const struct who_process *process,
		  const char *host, uint64_t time_ns)
{
	struct policy_subject subject = { .process = process, .host = host, .model = "" };
	int64_t now_us = pipeline->config.wall_us(time_ns);
	struct who_group group;

	if (!pipeline->config.policy)
		return;
	group = *who_group(pipeline->config.who, cgroup);
	subject.group = &group;
	policy_judge(pipeline->config.policy, &subject, now_us);
	carry_out(pipeline, &subject, now_us);
}

/* Whose call it is, as the kernel half told. */
struct caller {
	uint64_t cgroup;
	uint32_t tgid;
	uid_t uid;
	const char *comm;
};

static void charge_add(struct pipeline *pipeline, const struct caller *caller,
		       const struct charge *charge)
{
	const struct pipeline_config *config = &pipeline->config;
	/* Copies: the look-ups' answers hold only until the next one, and act may ask again. */
	struct who_group group = *who_group(config->who, caller->cgroup);
	struct who_process process =
		*who_process(config->who, caller->tgid, caller->comm, caller->uid);
	struct ledger_call row = { .start_us = config->wall_us(charge->start_mono_ns),
				   .charge = charge, .group = &group, .process = &process };
	struct policy_subject subject = { .group = &group, .process = &process,
					  .host = charge->host, .model = charge->model };
	int64_t now_us = config->wall_us(charge->start_mono_ns + charge->duration_ns);

	pipeline->stats.charges++;
	if (config->ledger && ledger_add(config->ledger, &row, &row.id) < 0)
		pipeline->stats.charges_unwritten++;
	if (config->hooks.called)
		config->hooks.called(config->hooks.arg, &row);
	if (config->policy) {
		policy_charge(config->policy, &subject, charge, row.id, now_us);
		carry_out(pipeline, &subject, now_us);
	}
}

static void item_free(struct pipeline *pipeline, struct link *link, struct item *item)
{
	DL_DELETE(link->items, item);
	link->n_items--;
	pipeline->stats.calls--;
	call_free(item->call);
	free(item);
}

/* The call is over, one way or another: its charge leaves, and it is forgotten. */
static void item_settle(struct pipeline *pipeline, struct link *link, struct item *item)
{
	struct caller caller = { .cgroup = item->cgroup, .tgid = link->tgid, .uid = link->uid,
				 .comm = link->comm };
	struct charge charge;

	call_charge(item->call, pipeline->config.prices, pipeline->calibration, &charge);
	charge_add(pipeline, &caller, &charge);
	item_free(pipeline, link, item);
}

static void item_add(struct pipeline *pipeline, struct link *link, const struct http_piece *piece,
		     const struct ev_head *event)
{
	struct item *item;

	if (link->n_items >= CALLS_PER_LINK_MAX) {
		pipeline->stats.calls_dropped++;
		return;
	}
	item = calloc(1, sizeof(*item));
	if (item)
		item->call = call_new(piece->head, link->host, event->time_ns);
	if (!item || !item->call) {
		free(item);
		return;
	}
	item->exchange = piece->exchange;
	item->cgroup = event->cgroup;
	DL_APPEND(link->items, item);
	link->n_items++;
	pipeline->stats.calls++;
}

static void piece_take(struct pipeline *pipeline, struct link *link,
		       const struct http_piece *piece, const struct ev_head *event)
{
	struct item *item;

	DL_SEARCH_SCALAR(link->items, item, exchange, piece->exchange);
	if (!item && piece->type == HTTP_HEAD && piece->side == HTTP_REQUEST) {
		item_add(pipeline, link, piece, event);
		return;
	}
	if (!item)
		return;
	call_feed(item->call, piece, event->time_ns);
	if (call_is_done(item->call))
		item_settle(pipeline, link, item);
}

/* Tells the reconciliation what was read since it was last told. */
static void link_tell(struct pipeline *pipeline, struct link *link)
{
	struct conn_stats stats;

	if (!link->conn || !link->host[0])
		return;
	conn_stats(link->conn, &stats);
	for (int dir = 0; dir < 2; dir++) {
		uint64_t read = link->seen[dir] - stats.unread_bytes[dir];

		if (read > link->told[dir])
			unmetered_read(pipeline->unmetered, link->tgid, link->host, dir,
				       read - link->told[dir],
				       link->records[dir] - link->told_records[dir]);
		link->told[dir] = read;
		link->told_records[dir] = link->records[dir];
	}
}

static void link_stop(struct pipeline *pipeline, struct link *link)
{
	struct conn_stats stats;

	if (!link->conn)
		return;
	link_tell(pipeline, link);
	conn_stats(link->conn, &stats);
	pipeline->stats.gaps += stats.gaps;
	pipeline->stats.gap_bytes += stats.gap_bytes;
	pipeline->stats.resyncs += stats.resyncs;
	pipeline->stats.bad_encodings += stats.bad_encodings;
	link->conn = conn_free(link->conn);
}

/* Pulls what the connection has to say, stage by stage. */
static void link_pull(struct pipeline *pipeline, struct link *link, const struct ev_head *event)
{
	struct http_piece piece;

	while (conn_next(link->conn, &piece))
		piece_take(pipeline, link, &piece, event);
}

static void decide(struct pipeline *pipeline, struct link *link, enum ctl_verdict verdict)
{
	if (link->is_decided)
		return;
	link->is_decided = true;
	if (pipeline->config.hooks.decide)
		pipeline->config.hooks.decide(pipeline->config.hooks.arg, link->id, verdict);
	if (verdict == CTL_IGNORE)
		link_stop(pipeline, link);
}

/*
 * A connection whose name the kernel did not know is ours as soon as a request on it is a call to
 * be charged; it is not ours if it speaks as a server or no HTTP at all, or if its first request
 * is no such call.
 */
static void link_recognise(struct pipeline *pipeline, struct link *link, uint64_t requests)
{
	enum conn_protocol protocol = conn_protocol(link->conn);

	if (link->is_decided)
		return;
	if (link->items)
		decide(pipeline, link, CTL_AI);
	else if (protocol == CONN_SERVER || protocol == CONN_OTHER || requests)
		decide(pipeline, link, CTL_IGNORE);
}

static struct link *link_find(struct pipeline *pipeline, uint64_t id)
{
	struct link *link;

	HASH_FIND(hh, pipeline->links, &id, sizeof(id), link);
	return link;
}

/* The connection is over. `totals` NULL: the kernel's last counts are not known. */
static void link_end(struct pipeline *pipeline, struct link *link, const uint64_t totals[2],
		     const struct ev_head *event)
{
	if (link->conn && totals) {
		link->seen[EV_OUT] = totals[EV_OUT];
		link->seen[EV_IN] = totals[EV_IN];
		conn_end(link->conn, totals);
		link_pull(pipeline, link, event);
	}
	while (link->items) {
		call_end(link->items->call, event->time_ns);
		item_settle(pipeline, link, link->items);
	}
	link_stop(pipeline, link);
	HASH_DEL(pipeline->links, link);
	pipeline->stats.connections--;
	free(link);
}

static struct link *link_add(struct pipeline *pipeline, const struct ev_head *event, bool from_start)
{
	struct link *link;

	if (HASH_COUNT(pipeline->links) >= LINKS_MAX) {
		pipeline->stats.connections_dropped++;
		link_end(pipeline, pipeline->links, NULL, event);
	}
	link = calloc(1, sizeof(*link));
	if (link)
		link->conn = conn_new(from_start);
	if (!link || !link->conn) {
		free(link);
		pipeline->stats.connections_dropped++;
		return NULL;
	}
	link->id = event->id;
	link->tgid = event->tgid;
	link->cgroup = event->cgroup;
	HASH_ADD(hh, pipeline->links, id, sizeof(link->id), link);
	pipeline->stats.connections++;
	return link;
}

static void on_open(struct pipeline *pipeline, const struct ev_open *event)
{
	struct link *link = link_find(pipeline, event->head.id);
	const struct who_process *process;

	if (link)
		return;
	link = link_add(pipeline, &event->head, event->host[0] != '\0');
	if (!link)
		return;
	link->ssl = event->ssl;
	link->uid = event->uid;
	memcpy(link->comm, event->comm, sizeof(link->comm) - 1);
	memcpy(link->host, event->host, sizeof(link->host) - 1);
	link->is_decided = event->verdict == CTL_AI;
	/* Now, while the process is sure to be there. */
	process = who_process(pipeline->config.who, link->tgid, link->comm, link->uid);
	if (event->verdict == CTL_ASK)
		decide(pipeline, link, api_find(link->host) ? CTL_AI : CTL_IGNORE);
	if (link->is_decided && link->conn)
		judge(pipeline, link->cgroup, process, link->host, event->head.time_ns);
}

static void on_data(struct pipeline *pipeline, const struct ev_data *event)
{
	struct link *link = link_find(pipeline, event->head.id);
	struct http_piece piece;
	uint64_t requests = 0;

	if (!link)	/* its EV_OPEN found the ring full */
		link = link_add(pipeline, &event->head, false);
	if (!link || !link->conn)
		return;
	link->seen[event->dir] = event->offset + event->len;
	link->records[event->dir]++;
	conn_feed(link->conn, event->dir == EV_OUT ? HTTP_REQUEST : HTTP_RESPONSE, event->offset,
		  event->bytes, event->len);
	while (conn_next(link->conn, &piece)) {
		requests += piece.type == HTTP_HEAD && piece.side == HTTP_REQUEST;
		piece_take(pipeline, link, &piece, &event->head);
	}
	link_recognise(pipeline, link, requests);
}

static void on_close(struct pipeline *pipeline, const struct ev_close *event)
{
	struct link *link = link_find(pipeline, event->head.id);
	uint64_t totals[2] = { event->bytes[EV_OUT], event->bytes[EV_IN] };

	if (link)
		link_end(pipeline, link, totals, &event->head);
}

/* A process ended or became another program: its connections went with it. */
static void on_gone(struct pipeline *pipeline, const struct ev_head *event)
{
	const struct pipeline_hooks *hooks = &pipeline->config.hooks;
	struct link *link, *next;

	HASH_ITER(hh, pipeline->links, link, next) {
		if (link->tgid != event->tgid)
			continue;
		if (hooks->forget)
			hooks->forget(hooks->arg, link->tgid, link->ssl);
		link_end(pipeline, link, NULL, event);
	}
	if (hooks->gone)
		hooks->gone(hooks->arg, event->tgid);
	who_forget(pipeline->config.who, event->tgid);
}

static void on_cgroup(struct pipeline *pipeline, const struct ev_cgroup *event)
{
	char path[EV_PATH_LEN];

	memcpy(path, event->path, sizeof(path));
	path[sizeof(path) - 1] = '\0';
	who_learn(pipeline->config.who, event->head.cgroup, path);
	judge(pipeline, event->head.cgroup, NULL, "", event->head.time_ns);
}

static void on_flow(struct pipeline *pipeline, const struct ev_flow *event)
{
	const struct pipeline_hooks *hooks = &pipeline->config.hooks;
	struct ev_flow flow = *event;
	const struct who_process *process = NULL;

	flow.host[sizeof(flow.host) - 1] = '\0';
	flow.comm[sizeof(flow.comm) - 1] = '\0';
	if (!api_find(flow.host))
		return;
	if (flow.state == EV_FLOW_REFUSED) {
		if (hooks->destroy)
			hooks->destroy(hooks->arg, &flow);
		return;
	}
	if (!flows_get(pipeline->flows, flow.head.id))
		unmetered_flow(pipeline->unmetered, &flow);
	flows_put(pipeline->flows, &flow);
	if (flow.head.tgid && hooks->greeted)
		hooks->greeted(hooks->arg, flow.head.tgid, flow.head.cgroup);
	judge(pipeline, flow.head.cgroup, process, flow.host, flow.head.time_ns);
}

/*
 * What of an account was never read, as a charge: by sizes, at the price of no known model, so it
 * is unpriced in reports and the dearest of its family for budgets.
 */
static void charge_unmetered(struct pipeline *pipeline, const struct unmetered_sum *sum,
			     uint64_t now_ns)
{
	const struct api_provider *provider = api_find(sum->host);
	struct caller caller = { .cgroup = sum->cgroup, .tgid = sum->tgid, .uid = (uid_t)-1,
				 .comm = sum->comm };
	struct charge charge = { .source = CHARGE_SIZE, .outcome = CHARGE_OK,
				 .request_bytes = sum->bytes[EV_OUT],
				 .response_bytes = sum->bytes[EV_IN], .start_mono_ns = now_ns };

	if (!provider)
		return;
	snprintf(charge.provider, sizeof(charge.provider), "%s", api_name(provider));
	snprintf(charge.operation, sizeof(charge.operation), "unmetered");
	snprintf(charge.host, sizeof(charge.host), "%s", sum->host);
	estimate_sizes(charge.provider, charge.request_bytes, charge.response_bytes,
		       &charge.usage.input, &charge.usage.output);
	prices_apply(pipeline->config.prices, "", &charge);
	charge_add(pipeline, &caller, &charge);
}

static void settle_unmetered(struct pipeline *pipeline, bool tick, uint64_t now_ns)
{
	struct unmetered_sum sum;
	struct link *link, *next;

	HASH_ITER(hh, pipeline->links, link, next)
		link_tell(pipeline, link);
	while (unmetered_next(pipeline->unmetered, tick, &sum))
		charge_unmetered(pipeline, &sum, now_ns);
}

static void on_flow_end(struct pipeline *pipeline, const struct ev_flow *event)
{
	const struct ev_flow *known = flows_get(pipeline->flows, event->head.id);
	struct ev_flow flow;

	if (!known)
		return;
	/* The end comes from where no task is known. */
	flow = *known;
	memcpy(flow.bytes, event->bytes, sizeof(flow.bytes));
	flows_drop(pipeline->flows, event->head.id);
	unmetered_flow_end(pipeline->unmetered, &flow);
	settle_unmetered(pipeline, false, event->head.time_ns);
}

static void count_flow(void *arg, const struct ev_flow *flow)
{
	struct pipeline *pipeline = arg;
	const struct pipeline_hooks *hooks = &pipeline->config.hooks;
	uint64_t bytes[2];

	if (!hooks->flow_bytes(hooks->arg, flow->head.id, bytes))
		unmetered_flow_count(pipeline->unmetered, flow, bytes);
}

void pipeline_tick(struct pipeline *pipeline, uint64_t now_ns)
{
	if (pipeline->config.hooks.flow_bytes)
		flows_each(pipeline->flows, count_flow, pipeline);
	settle_unmetered(pipeline, true, now_ns);
}

static bool is_sound(const struct ev_head *event, size_t size)
{
	static const size_t sizes[] = {
		[EV_DATA] = sizeof(struct ev_data),	[EV_OPEN] = sizeof(struct ev_open),
		[EV_CLOSE] = sizeof(struct ev_close),	[EV_EXEC] = sizeof(struct ev_head),
		[EV_EXIT] = sizeof(struct ev_head),	[EV_CGROUP] = sizeof(struct ev_cgroup),
		[EV_FLOW] = sizeof(struct ev_flow),	[EV_FLOW_END] = sizeof(struct ev_flow),
	};
	const struct ev_data *data = (const struct ev_data *)event;

	if (size < sizeof(*event) || !event->type || event->type > EV_FLOW_END ||
	    size < sizes[event->type])
		return false;
	return event->type != EV_DATA ||
	       (data->len <= size - sizeof(*data) && data->dir <= EV_IN);
}

void pipeline_event(struct pipeline *pipeline, const struct ev_head *event, size_t size)
{
	pipeline->stats.events++;
	if (!is_sound(event, size)) {
		pipeline->stats.bad_events++;
		return;
	}
	pipeline->last_ns = event->time_ns;
	switch (event->type) {
	case EV_DATA:
		return on_data(pipeline, (const struct ev_data *)event);
	case EV_OPEN:
		return on_open(pipeline, (const struct ev_open *)event);
	case EV_CLOSE:
		return on_close(pipeline, (const struct ev_close *)event);
	case EV_EXEC:
	case EV_EXIT:
		return on_gone(pipeline, event);
	case EV_CGROUP:
		return on_cgroup(pipeline, (const struct ev_cgroup *)event);
	case EV_FLOW:
		return on_flow(pipeline, (const struct ev_flow *)event);
	case EV_FLOW_END:
		return on_flow_end(pipeline, (const struct ev_flow *)event);
	}
}

struct destroy_job {
	struct pipeline *pipeline;
	const char *path;
	size_t done;
};

static bool is_below(const char *path, const char *root)
{
	size_t len = strlen(root);

	return !strcmp(root, "/") || (!strncmp(path, root, len) && (!path[len] || path[len] == '/'));
}

static void destroy_one(void *arg, const struct ev_flow *flow)
{
	struct destroy_job *job = arg;
	const struct pipeline_config *config = &job->pipeline->config;

	if (!is_below(who_group(config->who, flow->head.cgroup)->path, job->path))
		return;
	job->done++;
	config->hooks.destroy(config->hooks.arg, flow);
}

size_t pipeline_destroy(struct pipeline *pipeline, const char *path)
{
	struct destroy_job job = { .pipeline = pipeline, .path = path };

	if (pipeline->config.hooks.destroy)
		flows_each(pipeline->flows, destroy_one, &job);
	return job.done;
}

void pipeline_stats(const struct pipeline *pipeline, struct pipeline_stats *ret)
{
	*ret = pipeline->stats;
	ret->flows = flows_count(pipeline->flows);
	unmetered_stats(pipeline->unmetered, &ret->unmetered);
}

struct pipeline *pipeline_free(struct pipeline *pipeline)
{
	struct ev_head now = { 0 };

	if (!pipeline)
		return NULL;
	now.time_ns = pipeline->last_ns;
	while (pipeline->links)
		link_end(pipeline, pipeline->links, NULL, &now);
	unmetered_free(pipeline->unmetered);
	flows_free(pipeline->flows);
	calibration_free(pipeline->calibration);
	free(pipeline);
	return NULL;
}

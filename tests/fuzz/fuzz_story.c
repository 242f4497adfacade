/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A host's day that is well-formed, in an order that the fuzzer chooses: programs connect, ask, are answered
 * or cut off, fork, exit, while pieces are lost and time passes. The story knows the truth, and the pipeline
 * is held to it: no answer is charged twice, none that was read goes without a charge, nothing that was read
 * is charged by size as well, no figure is negative, and the budgets' sum is that of the charges.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "pipeline/pipeline.h"

#define MUST(condition)           \
	do {                      \
		if (!(condition)) \
			abort();  \
	} while (0)

#define PROGRAMS      3
#define PLACES        4 /* connections at once, of each program */
#define ANSWERS       512
#define RECORD        22 /* TLS 1.3's framing of a record, a byte of type and a tag of 16 included */
#define INPUT_FIRST   10000
#define ESTIMATE_MOST (NANOS_PER_USD / 100) /* of a few hundred bytes, at any model's price */
#define HOST          "api.anthropic.com"

enum state { GONE, IDLE, ASKED, STREAMING };

struct place {
	enum state state;
	uint64_t connection, cookie;
	uint64_t plain[2], wire[2], records[2];
	uint32_t reader; /* who reads and writes: a child, after a fork */
	bool is_lossy, is_paired;
};

static struct story {
	struct pipeline *pipeline;
	struct policy *policy;
	uint64_t now_ns, next_id;
	uint64_t settle_ns; /* when pipeline_settle() is due; 0: it is not */
	uint32_t tgids[PROGRAMS];
	struct place places[PROGRAMS][PLACES];
	uint64_t n_answers;
	bool is_whole[ANSWERS];    /* this answer was read from its first byte to its last */
	unsigned charged[ANSWERS]; /* how often */
	uint64_t n_cut;            /* calls without a whole answer, or of which not all was read */
	uint64_t n_estimated;
	int64_t sum_budget;
} story;

static struct pipeline_config config;
static struct policy_step steps[] = { { .at_permille = 1000, .action = POLICY_NOTE } };
static struct policy_budget budget = { .name = "story",
				       .per = POLICY_PER_CGROUP,
				       .limit_nanos = 1000000 * NANOS_PER_USD,
				       .window = POLICY_MONTH,
				       .zone = "UTC",
				       .steps = steps,
				       .n_steps = 1 };
static struct policy_rules rules = { .budgets = &budget, .n_budgets = 1 };

static int64_t wall_us(uint64_t mono_ns)
{
	return 1790000000 * US_PER_S + (int64_t)(mono_ns / 1000);
}

static void called(void *arg, const struct ledger_call *call)
{
	const struct charge *charge = call->charge;
	uint64_t answer = charge->usage.input - INPUT_FIRST;

	MUST(charge->cost_nanos >= 0 && charge->budget_nanos >= 0);
	MUST(charge->under_nanos >= 0 && charge->over_nanos >= 0);
	MUST(charge->under_nanos <= charge->budget_nanos);
	MUST(charge->source == CHARGE_USAGE || charge->budget_nanos < ESTIMATE_MOST);
	story.sum_budget += charge->budget_nanos;
	if (charge->source != CHARGE_USAGE) {
		story.n_estimated += charge->budget_nanos > 0;
		return;
	}
	MUST(charge->usage.input >= INPUT_FIRST && answer < story.n_answers);
	MUST(charge->usage.output == 1 + answer % 100);
	MUST(!story.charged[answer]++);
}

/* Whose cgroup cannot be named is under no budget by cgroup. */
static void names_cgroup(unsigned program)
{
	struct ev_cgroup event = { .head = { .type = EV_CGROUP, .cgroup = 70 + program } };

	snprintf(event.path, sizeof(event.path), "/program-%u", program);
	pipeline_event(story.pipeline, &event.head, sizeof(event));
}

static void settle_soon(void *arg)
{
	story.settle_ns = story.settle_ns ?: story.now_ns + NS_PER_S;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	if (who_new(&config.who, NULL) < 0 || prices_new(&config.prices) < 0 ||
	    prices_load_builtin(config.prices, NULL) < 0)
		abort();
	config.hooks.observer.called = called;
	config.hooks.observer.settle_soon = settle_soon;
	config.wall_us = wall_us;
	return 0;
}

static void settles(void)
{
	if (!story.settle_ns || story.now_ns < story.settle_ns)
		return;
	story.settle_ns = 0;
	pipeline_settle(story.pipeline, story.now_ns);
}

static struct ev_head head_of(enum ev_type type, unsigned program, uint64_t id)
{
	story.now_ns += 1000000;
	settles();
	return (struct ev_head){ .type = type,
				 .tgid = story.tgids[program],
				 .cgroup = 70 + program,
				 .id = id,
				 .time_ns = story.now_ns };
}

static struct ev_flow flow_of(enum ev_type type, unsigned program, const struct place *place)
{
	struct ev_flow flow = { .head = head_of(type, program, place->cookie),
				.bytes = { 600 + place->wire[EV_OUT], 3000 + place->wire[EV_IN] },
				.handshake = { 600, 3000 },
				.framed = { place->wire[EV_OUT], place->wire[EV_IN] },
				.records = { (uint32_t)place->records[EV_OUT],
					     (uint32_t)place->records[EV_IN] },
				.record_bytes = RECORD,
				.comm = "agent" };

	if (type == EV_FLOW)
		snprintf(flow.host, sizeof(flow.host), HOST);
	return flow;
}

static void connects(unsigned program, struct place *place, unsigned choice)
{
	struct ev_open open;
	struct ev_flow flow;
	struct ev_pair pair;

	*place = (struct place){ .state = IDLE,
				 .connection = story.next_id++,
				 .cookie = story.next_id++,
				 .reader = story.tgids[program],
				 .is_paired = choice & 1 };
	open = (struct ev_open){ .head = head_of(EV_OPEN, program, place->connection),
				 .ssl = place->connection << 8,
				 .verdict = CTL_AI,
				 .comm = "agent",
				 .host = HOST };
	flow = flow_of(EV_FLOW, program, place);
	if (choice & 2) /* the name is set before the hello leaves, or is known late */
		pipeline_event(story.pipeline, &open.head, sizeof(open));
	pipeline_event(story.pipeline, &flow.head, sizeof(flow));
	if (!(choice & 2))
		pipeline_event(story.pipeline, &open.head, sizeof(open));
	if (!place->is_paired)
		return;
	pair = (struct ev_pair){ .flow = flow_of(EV_PAIR, program, place),
				 .connection = place->connection };
	pipeline_event(story.pipeline, &pair.flow.head, sizeof(pair));
}

/* One record passes; unless it is lost, its plaintext is told. */
static void passes(unsigned program, struct place *place, enum ev_dir dir, const char *bytes,
		   size_t len, bool is_lost)
{
	_Alignas(8) unsigned char buf[sizeof(struct ev_data) + 4096];
	struct ev_data *event = (struct ev_data *)buf;

	MUST(len <= 4096);
	memset(event, 0, sizeof(*event));
	event->head = head_of(EV_DATA, program, place->connection);
	event->head.tgid = place->reader;
	event->offset = place->plain[dir];
	event->len = (uint32_t)len;
	event->dir = dir;
	memcpy(event->bytes, bytes, len);
	place->plain[dir] += len;
	place->wire[dir] += len + RECORD;
	place->records[dir]++;
	if (!is_lost)
		pipeline_event(story.pipeline, &event->head, sizeof(*event) + len);
	place->is_lossy |= is_lost;
}

static void says(unsigned program, struct place *place, enum ev_dir dir, const char *text,
		 unsigned choice)
{
	size_t len = strlen(text), cut = choice & 1 ? 1 + choice * 7 % 300 : len;

	for (size_t at = 0, n; at < len; at += n) {
		n = cut < len - at ? cut : len - at;
		passes(program, place, dir, text + at, n, false);
	}
}

static void asks(unsigned program, struct place *place, bool is_stream, unsigned choice)
{
	char body[256], text[1024];

	snprintf(body, sizeof(body),
		 "{\"model\":\"claude-haiku-4-5\",\"max_tokens\":64,\"stream\":%s,"
		 "\"messages\":[{\"role\":\"user\",\"content\":\"hello there\"}]}",
		 is_stream ? "true" : "false");
	snprintf(text, sizeof(text),
		 "POST /v1/messages HTTP/1.1\r\nHost: " HOST "\r\nanthropic-version: 2023-06-01\r\n"
		 "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
		 strlen(body), body);
	says(program, place, EV_OUT, text, choice);
	place->state = ASKED;
}

static void usage_of(uint64_t answer, char *ret, size_t size)
{
	snprintf(ret, size,
		 "{\"input_tokens\":%llu,\"cache_creation_input_tokens\":0,\"cache_read_input_tokens\":0,"
		 "\"output_tokens\":%llu}",
		 (unsigned long long)(INPUT_FIRST + answer), (unsigned long long)(1 + answer % 100));
}

static void answers(unsigned program, struct place *place, unsigned choice)
{
	char usage[256], body[1024], text[2048];
	uint64_t answer = story.n_answers++;

	usage_of(answer, usage, sizeof(usage));
	snprintf(body, sizeof(body),
		 "{\"id\":\"msg_%llu\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"claude-haiku-4-5\","
		 "\"content\":[{\"type\":\"text\",\"text\":\"Hi\"}],\"usage\":%s}",
		 (unsigned long long)answer, usage);
	snprintf(text, sizeof(text),
		 "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
		 strlen(body), body);
	says(program, place, EV_IN, text, choice);
	story.is_whole[answer] = !place->is_lossy;
	story.n_cut += place->is_lossy;
	place->state = IDLE;
}

static void chunk(unsigned program, struct place *place, const char *event, unsigned choice)
{
	char text[1024];

	snprintf(text, sizeof(text), "%zx\r\n%s\r\n", strlen(event), event);
	says(program, place, EV_IN, text, choice);
}

static void begins_stream(unsigned program, struct place *place, unsigned choice)
{
	says(program, place, EV_IN,
	     "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n",
	     choice);
	place->state = STREAMING;
}

static void ends_stream(unsigned program, struct place *place, unsigned choice)
{
	char usage[256], event[1024];
	uint64_t answer = story.n_answers++;

	usage_of(answer, usage, sizeof(usage));
	snprintf(event, sizeof(event),
		 "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_%llu\","
		 "\"model\":\"claude-haiku-4-5\",\"usage\":%s}}\n\n"
		 "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{},\"usage\":%s}\n\n"
		 "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
		 (unsigned long long)answer, usage, usage);
	chunk(program, place, event, choice);
	says(program, place, EV_IN, "0\r\n\r\n", 0);
	story.is_whole[answer] = !place->is_lossy;
	story.n_cut += place->is_lossy;
	place->state = IDLE;
}

static void ends(unsigned program, struct place *place, unsigned choice)
{
	struct ev_close close;
	struct ev_flow flow;

	if (place->state == GONE)
		return;
	story.n_cut += (place->state != IDLE) + place->is_lossy;
	close = (struct ev_close){ .head = head_of(EV_CLOSE, program, place->connection),
				   .bytes = { place->plain[EV_OUT], place->plain[EV_IN] } };
	close.head.tgid = place->reader;
	flow = flow_of(EV_FLOW_END, program, place);
	if (choice & 1)
		pipeline_event(story.pipeline, &close.head, sizeof(close));
	pipeline_event(story.pipeline, &flow.head, sizeof(flow));
	if (!(choice & 1))
		pipeline_event(story.pipeline, &close.head, sizeof(close));
	place->state = GONE;
}

/* Its connections end after it, as the kernel closes them, or before. */
static void exits(unsigned program, unsigned choice)
{
	struct ev_head head = head_of(EV_EXIT, program, 0);

	if (choice & 1)
		pipeline_event(story.pipeline, &head, sizeof(head));
	for (size_t i = 0; i < PLACES; i++)
		ends(program, &story.places[program][i], choice >> 1);
	if (!(choice & 1))
		pipeline_event(story.pipeline, &head, sizeof(head));
	story.tgids[program] = (uint32_t)(1000 + story.next_id++);
}

static void time_passes(unsigned choice)
{
	story.now_ns += 1000000ull << choice % 18;
	settles();
	if (choice & 32)
		pipeline_tick(story.pipeline, story.now_ns);
}

/* What is not paired with its socket is reconciled by its process: a child's share is not known there. */
static void forks(struct place *place)
{
	if (place->state == GONE || !place->is_paired)
		return;
	place->reader = (uint32_t)(1000 + story.next_id++);
}

static void step(uint8_t what, uint8_t choice)
{
	static const char ping[] = "event: ping\ndata: {\"type\":\"ping\"}\n\n";
	unsigned program = what / 16 % PROGRAMS;
	struct place *place = &story.places[program][choice % PLACES];

	choice /= PLACES;
	switch (what % 16) {
	case 0:
	case 1:
		if (place->state == GONE)
			connects(program, place, choice);
		break;
	case 2:
	case 3:
		if (place->state == IDLE)
			asks(program, place, what % 16 == 3, choice);
		break;
	case 4:
	case 5:
		if (place->state == ASKED && story.n_answers < ANSWERS)
			answers(program, place, choice);
		break;
	case 6:
		if (place->state == ASKED)
			begins_stream(program, place, choice);
		break;
	case 7:
		if (place->state == STREAMING)
			chunk(program, place, ping, choice);
		break;
	case 8:
		if (place->state == STREAMING && story.n_answers < ANSWERS)
			ends_stream(program, place, choice);
		break;
	case 9:
		ends(program, place, choice);
		break;
	case 10:
		exits(program, choice);
		break;
	case 11:
		time_passes(choice);
		break;
	case 12:
		forks(place);
		break;
	case 13: /* of a stream, an event that the ring had no room for */
		if (place->state == STREAMING)
			passes(program, place, EV_IN, ping, sizeof(ping) - 1, true);
		break;
	}
}

static void sum(void *arg, const struct policy_counter *counter)
{
	*(int64_t *)arg += counter->spent_nanos;
}

static void check(void)
{
	int64_t spent = 0;

	for (uint64_t i = 0; i < story.n_answers; i++)
		MUST(story.charged[i] == 1 || !story.is_whole[i]);
	MUST(story.n_estimated <= story.n_cut);
	policy_counters(story.policy, wall_us(story.now_ns), sum, &spent);
	MUST(spent == story.sum_budget);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	memset(&story, 0, sizeof(story));
	story.now_ns = 1000000000;
	story.next_id = 1;
	for (unsigned i = 0; i < PROGRAMS; i++)
		story.tgids[i] = 100 + i;
	story.policy = config.policy = policy_new(&rules);
	MUST(story.policy && !pipeline_new(&story.pipeline, &config));
	for (unsigned i = 0; i < PROGRAMS; i++)
		names_cgroup(i);
	for (; size >= 2; data += 2, size -= 2)
		step(data[0], data[1]);
	for (unsigned i = 0; i < PROGRAMS; i++)
		exits(i, i);
	story.now_ns += 10 * NS_PER_S;
	settles();
	pipeline_tick(story.pipeline, story.now_ns);
	pipeline_free(story.pipeline);
	check();
	policy_free(story.policy);
	return 0;
}

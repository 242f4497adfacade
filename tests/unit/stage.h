/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A pipeline with what the world does to it, and what came of it: for the tests of
 * pipeline/pipeline.h.
 */
#ifndef UNIT_STAGE_H
#define UNIT_STAGE_H

#include "unit.h"

#include "pipeline/pipeline.h"

#define CALLS_MAX 64

struct stage {
	struct pipeline *pipeline;
	struct pipeline_config config;
	uint64_t now_ns;
	uint32_t tgid; /* that calls */
	uint64_t cgroup;
	uint64_t connection; /* that is being fed */
	uint64_t offsets[2]; /* of it */
	struct charge charges[CALLS_MAX];
	uint64_t cgroups[CALLS_MAX];
	char comms[CALLS_MAX][16];
	size_t n_charges;
	enum ctl_verdict decided;
	size_t n_decided, n_greeted, n_gone, n_forgotten, n_destroyed;
};

static inline void on_called(void *arg, const struct ledger_call *call)
{
	struct stage *stage = arg;

	assert_true(stage->n_charges < CALLS_MAX);
	stage->cgroups[stage->n_charges] = call->group->cgroup;
	snprintf(stage->comms[stage->n_charges], 16, "%s", call->process->comm);
	stage->charges[stage->n_charges++] = *call->charge;
}

static inline void on_decide(void *arg, uint64_t connection, enum ctl_verdict verdict)
{
	struct stage *stage = arg;

	stage->decided = verdict;
	stage->n_decided++;
}

static inline void on_flow_decide(void *arg, const struct ev_flow *flow, enum ctl_verdict verdict)
{
	on_decide(arg, flow->head.id, verdict);
}

static inline void on_greeted(void *arg, uint32_t tgid, uint64_t cgroup, uint64_t socket)
{
	((struct stage *)arg)->n_greeted++;
}

static inline void on_gone(void *arg, uint32_t tgid)
{
	((struct stage *)arg)->n_gone++;
}

static inline void on_forget(void *arg, uint32_t tgid, uint64_t ssl)
{
	((struct stage *)arg)->n_forgotten++;
}

static inline void on_destroy(void *arg, const struct ev_flow *flow)
{
	((struct stage *)arg)->n_destroyed++;
}

static inline int64_t wall_us(uint64_t mono_ns)
{
	return 1790000000000000 + (int64_t)(mono_ns / 1000);
}

static inline struct stage *stage_new(void)
{
	struct stage *stage = calloc(1, sizeof(*stage));

	stage->now_ns = 1000000000;
	stage->connection = 1;
	stage->tgid = 4242;
	stage->cgroup = 77;
	stage->config.hooks = (struct pipeline_hooks){
		.tap = { .decide = on_decide,
			 .flow_decide = on_flow_decide,
			 .forget = on_forget,
			 .destroy = on_destroy,
			 .arg = stage },
		.find = { .greeted = on_greeted, .gone = on_gone, .arg = stage },
		.observer = { .called = on_called, .arg = stage },
	};
	stage->config.wall_us = wall_us;
	assert_int_equal(who_new(&stage->config.who, NULL), 0);
	assert_int_equal(prices_new(&stage->config.prices), 0);
	assert_int_equal(prices_load_builtin(stage->config.prices, NULL), 0);
	assert_int_equal(pipeline_new(&stage->pipeline, &stage->config), 0);
	return stage;
}

static inline void stage_free(struct stage *stage)
{
	pipeline_free(stage->pipeline);
	prices_free(stage->config.prices);
	who_free(stage->config.who);
	free(stage);
}

static inline struct ev_head head_of(struct stage *stage, enum ev_type type)
{
	stage->now_ns += 1000000;
	return (struct ev_head){ .type = type,
				 .tgid = stage->tgid,
				 .cgroup = stage->cgroup,
				 .id = stage->connection,
				 .time_ns = stage->now_ns };
}

static inline void opens(struct stage *stage, const char *host, enum ctl_verdict verdict)
{
	struct ev_open event = { .head = head_of(stage, EV_OPEN),
				 .ssl = 0xabc0,
				 .uid = 0,
				 .verdict = verdict,
				 .comm = "agent" };

	snprintf(event.host, sizeof(event.host), "%s", host);
	memset(stage->offsets, 0, sizeof(stage->offsets));
	pipeline_event(stage->pipeline, &event.head, sizeof(event));
}

static inline void closes(struct stage *stage)
{
	struct ev_close event = { .head = head_of(stage, EV_CLOSE),
				  .bytes = { stage->offsets[0], stage->offsets[1] } };

	pipeline_event(stage->pipeline, &event.head, sizeof(event));
}

/* Passes bytes without telling: the ring was full. */
static inline void loses(struct stage *stage, enum ev_dir dir, size_t len)
{
	stage->offsets[dir] += len;
}

static inline void sends_bytes(struct stage *stage, enum ev_dir dir, const char *bytes, size_t len)
{
	_Alignas(8) unsigned char buf[sizeof(struct ev_data) + EV_PIECE_MAX];
	struct ev_data *event = (struct ev_data *)buf;

	assert_true(len <= EV_PIECE_MAX);
	memset(event, 0, sizeof(*event));
	event->head = head_of(stage, EV_DATA);
	event->offset = stage->offsets[dir];
	event->len = (uint32_t)len;
	event->dir = dir;
	memcpy(event->bytes, bytes, len);
	stage->offsets[dir] += len;
	pipeline_event(stage->pipeline, &event->head, sizeof(*event) + len);
}

/* Cuts the text into events of `cut` bytes; 0: one event. */
static inline void sends(struct stage *stage, enum ev_dir dir, const char *text, size_t cut)
{
	size_t len = strlen(text);

	for (size_t at = 0; at < len;) {
		size_t n = cut && cut < len - at ? cut : len - at;

		sends_bytes(stage, dir, text + at, n);
		at += n;
	}
}

static inline char *message(const char *start, const char *type, const char *body)
{
	char *text = NULL;

	assert_true(asprintf(&text, "%s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n\r\n%s",
			     start, type, strlen(body), body) > 0);
	return text;
}

static const char anthropic_request[] =
	"{\"model\":\"claude-haiku-4-5\",\"max_tokens\":64,"
	"\"messages\":[{\"role\":\"user\",\"content\":\"hello there\"}]}";
static const char anthropic_answer[] =
	"{\"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"claude-haiku-4-5\","
	"\"content\":[{\"type\":\"text\",\"text\":\"Hi\"}],\"usage\":{\"input_tokens\":1000,"
	"\"cache_creation_input_tokens\":0,\"cache_read_input_tokens\":0,\"output_tokens\":200}}";

static inline void asks_anthropic(struct stage *stage, size_t cut)
{
	_cleanup_free_ char *request =
		message("POST /v1/messages?beta=true HTTP/1.1\r\nHost: api.anthropic.com\r\n"
			"anthropic-version: 2023-06-01",
			"application/json", anthropic_request);

	sends(stage, EV_OUT, request, cut);
}

static inline void answers_anthropic(struct stage *stage, size_t cut)
{
	_cleanup_free_ char *answer = message("HTTP/1.1 200 OK", "application/json",
					      anthropic_answer);

	sends(stage, EV_IN, answer, cut);
}

static const char chat_request[] = "{\"model\":\"gpt-4o\",\"stream\":true,"
				   "\"stream_options\":{\"include_usage\":true},\"messages\":[]}";
static const char *const chat_stream[] = {
	"data: {\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"model\":\"gpt-4o-2024-08-06\","
	"\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}],"
	"\"usage\":null}\n\n",
	"data: {\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"model\":\"gpt-4o-2024-08-06\","
	"\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hello\"}}],\"usage\":null}\n\n",
	"data: {\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"model\":\"gpt-4o-2024-08-06\","
	"\"choices\":[],\"usage\":{\"prompt_tokens\":3000,\"completion_tokens\":100,"
	"\"total_tokens\":3100,\"prompt_tokens_details\":{\"cached_tokens\":2000},"
	"\"completion_tokens_details\":{\"reasoning_tokens\":0}}}\n\n",
	"data: [DONE]\n\n",
};

static inline void asks_chat(struct stage *stage)
{
	_cleanup_free_ char *request =
		message("POST /v1/chat/completions HTTP/1.1\r\nHost: api.openai.com",
			"application/json", chat_request);

	sends(stage, EV_OUT, request, 0);
}

static inline void chunks_chat(struct stage *stage, size_t event)
{
	char chunk[1024];

	snprintf(chunk, sizeof(chunk), "%zx\r\n%s\r\n", strlen(chat_stream[event]),
		 chat_stream[event]);
	sends(stage, EV_IN, chunk, 0);
}

static inline void streams_chat(struct stage *stage, size_t events)
{
	sends(stage, EV_IN,
	      "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
	      "Transfer-Encoding: chunked\r\n\r\n",
	      0);
	for (size_t i = 0; i < events; i++)
		chunks_chat(stage, i);
	if (events == ARRAY_SIZE(chat_stream))
		sends(stage, EV_IN, "0\r\n\r\n", 0);
}

static inline void flows(struct stage *stage, enum ev_type type, const char *host, uint64_t out,
			 uint64_t in, enum ev_flow_state what)
{
	struct ev_flow event = {
		.head = head_of(stage, type), .bytes = { out, in }, .state = what, .comm = "java"
	};

	event.head.id = 555;
	snprintf(event.host, sizeof(event.host), "%s", host);
	pipeline_event(stage->pipeline, &event.head, sizeof(event));
}

#endif

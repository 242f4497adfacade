/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A reader that somebody has taken over speaks to the pipeline, in the middle of an honest conversation. The input is a list of lies:
 * a kind, a call, where in the message it lies, and up to 32 bytes to put there. Whatever it says, no figure is
 * negative and what is charged is a text that ends.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipeline/connections_internal.h"

#define MUST(condition)           \
	do {                      \
		if (!(condition)) \
			abort();  \
	} while (0)

static struct pipeline_config config;
static uint64_t now_ns, offsets[2];

static int64_t wall_us(uint64_t mono_ns)
{
	return (int64_t)(mono_ns / 1000);
}

static void called(void *arg, const struct ledger_call *call)
{
	const struct charge *charge = call->charge;

	MUST(charge->cost_nanos >= 0 && charge->budget_nanos >= 0);
	MUST(charge->under_nanos >= 0 && charge->over_nanos >= 0);
	MUST(memchr(charge->model, 0, sizeof(charge->model)) &&
	     memchr(charge->path, 0, sizeof(charge->path)) &&
	     memchr(charge->job, 0, sizeof(charge->job)) &&
	     memchr(charge->host, 0, sizeof(charge->host)));
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	if (who_new(&config.who, NULL) < 0 || prices_new(&config.prices) < 0 ||
	    prices_load_builtin(config.prices, NULL) < 0)
		abort();
	config.hooks.observer.called = called;
	config.wall_us = wall_us;
	return 0;
}

static struct ev_head head_of(enum ev_type type)
{
	return (struct ev_head){
		.type = type, .tgid = 4242, .cgroup = 77, .id = 1, .time_ns = now_ns += 1000000
	};
}

static void sends(struct pipeline *pipeline, enum ev_dir dir, const char *text)
{
	_Alignas(8) uint8_t bytes[sizeof(struct ev_data) + 1024];
	struct ev_data *event = (struct ev_data *)bytes;

	*event = (struct ev_data){ .head = head_of(EV_DATA),
				   .offset = offsets[dir],
				   .len = (uint32_t)strlen(text),
				   .dir = dir };
	memcpy(event->bytes, text, event->len);
	offsets[dir] += event->len;
	pipeline_event(pipeline, &event->head, sizeof(*event) + event->len);
}

static void says(struct pipeline *pipeline, const struct message *message)
{
	struct connections *connections = pipeline->connections;
	struct ev_head event = head_of(EV_DATA);

	connections->ordered = connection_find(connections, 1);
	connections->order = &event;
	connections_hear(connections, message);
	connections->ordered = NULL;
	connections->order = NULL;
}

/* Honest, but for what the input puts into it. */
static void lie(struct pipeline *pipeline, const uint8_t *input, size_t len)
{
	struct connection *connection = connection_find(pipeline->connections, 1);
	static struct message message;
	size_t size, at = (size_t)(input[2] | input[3] << 8);

	memset(&message, 0, sizeof(message));
	message.kind = input[0] % (MESSAGE_KINDS + 1);
	message.connection = 1;
	message.call = input[1];
	if (message.kind == MESSAGE_BEGAN && connection->items)
		message.begin.reading = connection->items->reading;
	if ((message.kind == MESSAGE_SO_FAR || message.kind == MESSAGE_OVER) && connection->items)
		message.reading = connection->items->reading;
	message.reading.tenant = 0;
	size = message_size(message.kind);
	if (size)
		memcpy((uint8_t *)&message + at % size, input + 4,
		       len < size - at % size ? len : size - at % size);
	says(pipeline, &message);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ev_open open = { .verdict = CTL_AI, .comm = "agent", .host = "api.openai.com" };
	struct ev_close close = { 0 };
	struct pipeline *pipeline;

	now_ns = 1000000000;
	offsets[0] = offsets[1] = 0;
	MUST(pipeline_new(&pipeline, &config) == 0);
	open.head = head_of(EV_OPEN);
	pipeline_event(pipeline, &open.head, sizeof(open));
	sends(pipeline, EV_OUT,
	      "POST /v1/chat/completions HTTP/1.1\r\nHost: api.openai.com\r\n"
	      "Content-Type: application/json\r\nContent-Length: 17\r\n\r\n"
	      "{\"model\":\"gpt-4\"}");
	sends(pipeline, EV_IN,
	      "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
	      "Transfer-Encoding: chunked\r\n\r\n");
	for (size_t len; size >= 5; data += len, size -= len) {
		len = 4 + data[4] % 33;
		len = len < size ? len : size;
		lie(pipeline, data, len - 4);
		if (data[0] & 128)
			sends(pipeline, EV_IN, "2\r\n\n\n\r\n");
	}
	close.head = head_of(EV_CLOSE);
	close.bytes[EV_OUT] = offsets[EV_OUT];
	close.bytes[EV_IN] = offsets[EV_IN];
	pipeline_event(pipeline, &close.head, sizeof(close));
	pipeline_tick(pipeline, now_ns + 60000000000);
	pipeline_free(pipeline);
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ring flooded: a stream of an answer through a ring that is far too small and that nobody
 * drains. Prints what was sent, counted, lost and charged.
 */
#include "../kernel/toy.h"

#include "pipeline/pipeline.h"

#define RING_BYTES 65536
#define DELTAS     20000
#define WORDS      6 /* of a delta, a token each */

static struct {
	int n;
	struct charge last;
} charged;

static int64_t wall_us(uint64_t mono_ns)
{
	return (int64_t)(mono_ns / 1000);
}

static void on_called(void *arg, const struct ledger_call *call)
{
	charged.n++;
	charged.last = *call->charge;
}

static void on_event(void *arg, const struct ev_head *event, size_t size)
{
	if (event->type != EV_CGROUP && event->tgid == (uint32_t)getpid())
		pipeline_event(arg, event, size);
}

static uint64_t sent_bytes;

static void in(uint64_t ssl, char *text)
{
	sent_bytes += strlen(text);
	toy_read_n(ssl, text, (int)strlen(text));
}

static uint64_t chunk(uint64_t ssl, const char *event, const char *data)
{
	char payload[512], text[600];
	int n = snprintf(payload, sizeof(payload), "event: %s\ndata: %s\n\n", event, data);

	snprintf(text, sizeof(text), "%x\r\n%s\r\n", (unsigned)n, payload);
	in(ssl, text);
	return (uint64_t)n;
}

/* One streaming call; returns the bytes of its answer's body. */
static uint64_t call_once(uint64_t ssl)
{
	static const char request[] =
		"POST /v1/messages HTTP/1.1\r\nHost: api.anthropic.com\r\nContent-Length: 98\r\n\r\n"
		"{\"model\":\"claude-haiku-4-5\",\"max_tokens\":9,\"stream\":true,"
		"\"messages\":[{\"role\":\"user\",\"content\":\"\"}]}";
	char head[] = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
		      "Transfer-Encoding: chunked\r\n\r\n";
	char end[] = "0\r\n\r\n";
	uint64_t body = 0;

	toy_name(ssl, "api.anthropic.com");
	toy_write_n(ssl, request, sizeof(request) - 1);
	in(ssl, head);
	body += chunk(
		ssl, "message_start",
		"{\"type\":\"message_start\",\"message\":{\"model\":\"claude-haiku-4-5\",\"usage\":"
		"{\"input_tokens\":25,\"output_tokens\":1}}}");
	for (int i = 0; i < DELTAS; i++)
		body += chunk(ssl, "content_block_delta",
			      "{\"type\":\"content_block_delta\",\"index\":0,\"delta\":"
			      "{\"type\":\"text_delta\",\"text\":\"and one more word of it\"}}");
	body += chunk(ssl, "message_delta",
		      "{\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},"
		      "\"usage\":{\"output_tokens\":120000}}");
	body += chunk(ssl, "message_stop", "{\"type\":\"message_stop\"}");
	in(ssl, end);
	return body;
}

static struct pipeline *new_pipeline(void)
{
	struct pipeline_config config = { .hooks.observer.called = on_called, .wall_us = wall_us };
	struct pipeline *pipeline;

	assert_int_equal(who_new(&config.who, NULL), 0);
	assert_int_equal(prices_new(&config.prices), 0);
	assert_int_equal(prices_load_builtin(config.prices, NULL), 0);
	assert_int_equal(pipeline_new(&pipeline, &config), 0);
	return pipeline;
}

int main(void)
{
	char root[WHO_PATH_LEN];
	struct tap_config config = { .ring_bytes = RING_BYTES, .cgroup_root = root };
	const uint64_t ssl = 0x1000;
	uint64_t counters[CTL_COUNTERS], counted[2], body;
	struct pipeline *pipeline = new_pipeline();
	struct pipeline_stats stats;
	struct tap_probes *probes;
	char *error = NULL;
	struct tap *tap;

	assert_int_equal(who_cgroup_mount(root, sizeof(root)), 0);
	if (tap_new(&tap, &config, &error)) {
		fprintf(stderr, "%s\n", error);
		return 1;
	}
	assert_int_equal(tap_add_host(tap, "api.anthropic.com"), 0);
	probes = toy_attach(tap, getpid());
	body = call_once(ssl);
	assert_int_equal(tap_conn_bytes(tap, (uint32_t)getpid(), ssl, counted), 0);
	assert_int_equal(tap_drain(tap, on_event, pipeline), 0);
	toy_free(ssl);
	assert_int_equal(tap_drain(tap, on_event, pipeline), 0);
	assert_int_equal(tap_counters(tap, counters), 0);
	pipeline_stats(pipeline, &stats);
	printf("sent %lu\nbody %lu\ncounted %lu\nlost %lu\ngap %lu\ncalls %d\n", sent_bytes, body,
	       counted[EV_IN], counters[CTL_RING_FULL_BYTES], stats.connections.gap_bytes,
	       charged.n);
	printf("source %s\nresponse %lu\noutput %lu\ntokens %d\n",
	       charge_source_name(charged.last.source), charged.last.response_bytes,
	       charged.last.usage.output, DELTAS * WORDS);
	tap_detach(probes);
	tap_free(tap);
	return charged.n == 1 ? 0 : 1;
}

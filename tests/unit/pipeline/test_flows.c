/* SPDX-License-Identifier: Apache-2.0 */
/* Flows: whose they are, which of them are charged by size, and which were read. */
#include "stage.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

/* The kernel's table knows suffixes; what only ends like an AI host is let go, and not counted. */
static void a_flow_whose_suffix_fits_is_decided_by_its_name(void **state)
{
	struct stage *stage = stage_new();
	struct ev_flow event = { .head = head_of(stage, EV_FLOW), .verdict = CTL_ASK };
	struct pipeline_stats stats;

	snprintf(event.host, sizeof(event.host), "eu-west-1.signin.amazonaws.com");
	pipeline_event(stage->pipeline, &event.head, sizeof(event));
	assert_int_equal(stage->n_decided, 1);
	assert_int_equal(stage->decided, CTL_IGNORE);
	assert_int_equal(stage->n_greeted, 0);
	snprintf(event.host, sizeof(event.host), "bedrock-runtime.eu-west-1.amazonaws.com");
	pipeline_event(stage->pipeline, &event.head, sizeof(event));
	assert_int_equal(stage->n_decided, 2);
	assert_int_equal(stage->decided, CTL_AI);
	assert_int_equal(stage->n_greeted, 1);
	pipeline_stats(stage->pipeline, &stats);
	assert_int_equal(stats.flows, 1);
	stage_free(stage);
}

/* Its process is probed at once; it is no flow, and no name was given. */
static void an_approach_greets_and_counts_nothing(void **state)
{
	struct stage *stage = stage_new();
	struct pipeline_stats stats;

	flows(stage, EV_FLOW, "", 0, 0, EV_FLOW_APPROACH);
	assert_int_equal(stage->n_greeted, 1);
	pipeline_stats(stage->pipeline, &stats);
	assert_int_equal(stats.flows, 0);
	assert_int_equal(stats.reconcile.accounts, 0);
	stage_free(stage);
}

static void is_read_and_not_estimated(const char *name, enum ctl_verdict verdict)
{
	struct stage *stage = stage_new();

	flows(stage, EV_FLOW, "api.anthropic.com", 517, 0, EV_FLOW_SEEN);
	opens(stage, name, verdict);
	for (int i = 0; i < 20; i++) {
		asks_anthropic(stage, 0);
		answers_anthropic(stage, 0);
	}
	flows(stage, EV_FLOW_END, "api.anthropic.com", stage->offsets[EV_OUT] + 1400 + 20 * 22,
	      stage->offsets[EV_IN] + 5000 + 20 * 22, EV_FLOW_SEEN);
	closes(stage);
	assert_int_equal(stage->n_charges, 20);
	stage_free(stage);
}

static void what_is_read_is_not_estimated_as_well(void **state)
{
	is_read_and_not_estimated("api.anthropic.com", CTL_AI);
}

/* Probed on sight, when the name had been set: its calls name the host. */
static void what_is_read_from_its_middle_on_is_not_estimated_as_well(void **state)
{
	is_read_and_not_estimated("", CTL_UNKNOWN);
}

/*
 * A request larger than what is copied of one call (bpf/emit.h): 64 records, a jump over 34, the
 * last. All of them were framed.
 */
static void what_is_beyond_the_pieces_of_a_call_was_framed_too(void **state)
{
	static const char zeros[EV_PIECE_MAX];
	struct stage *stage = stage_new();
	struct ev_flow flow = { .head = head_of(stage, EV_FLOW),
				.bytes = { 600, 2000 },
				.handshake = { 600, 2000 },
				.host = "api.anthropic.com" };
	const uint64_t n_body = 98 * EV_PIECE_MAX + 100;
	_cleanup_free_ char *head = NULL;

	assert_true(asprintf(&head,
			     "POST /v1/messages HTTP/1.1\r\nHost: api.anthropic.com\r\n"
			     "Content-Length: %zu\r\n\r\n",
			     (size_t)n_body) > 0);
	pipeline_event(stage->pipeline, &flow.head, sizeof(flow));
	opens(stage, "api.anthropic.com", CTL_AI);
	sends(stage, EV_OUT, head, 0);
	for (int i = 0; i < 64; i++)
		sends_bytes(stage, EV_OUT, zeros, sizeof(zeros));
	loses(stage, EV_OUT, 33 * EV_PIECE_MAX + 100);
	sends_bytes(stage, EV_OUT, zeros, sizeof(zeros));
	answers_anthropic(stage, 0);
	assert_int_equal(stage->n_charges, 1);
	assert_true(charge_is_measured(stage->charges[0].source));
	flow.head.type = EV_FLOW_END;
	flow.bytes[EV_OUT] += strlen(head) + n_body + (1 + 64 + 34 + 1) * 29;
	flow.bytes[EV_IN] += stage->offsets[EV_IN] + 29;
	pipeline_event(stage->pipeline, &flow.head, sizeof(flow));
	closes(stage);
	assert_int_equal(stage->n_charges, 1);
	stage_free(stage);
}

/* What a proxy on this host sends on is its client's hello: gated, and charged to nobody. */
static void a_relay_is_charged_to_nobody(void **state)
{
	struct stage *stage = stage_new();
	struct ev_flow client = { .head = head_of(stage, EV_FLOW),
				  .is_tunnelled = 1,
				  .host = "api.openai.com",
				  .comm = "curl" };
	struct ev_flow relay = { .head = head_of(stage, EV_FLOW),
				 .hello = 99,
				 .host = "api.openai.com",
				 .comm = "proxy" };
	struct pipeline_stats stats;

	client.head.id = 10;
	relay.head.id = 11;
	relay.head.tgid = 4343;
	pipeline_event(stage->pipeline, &client.head, sizeof(client));
	client.host[0] = '\0'; /* the hello in its tunnel */
	client.hello = 99;
	pipeline_event(stage->pipeline, &client.head, sizeof(client));
	pipeline_event(stage->pipeline, &relay.head, sizeof(relay));
	assert_int_equal(stage->n_greeted, 1);
	pipeline_stats(stage->pipeline, &stats);
	assert_int_equal(stats.flows, 2);
	relay.head.type = client.head.type = EV_FLOW_END;
	relay.bytes[EV_OUT] = client.bytes[EV_OUT] = 40000;
	relay.bytes[EV_IN] = client.bytes[EV_IN] = 50000;
	pipeline_event(stage->pipeline, &relay.head, sizeof(relay));
	assert_int_equal(stage->n_charges, 0);
	pipeline_event(stage->pipeline, &client.head, sizeof(client));
	assert_int_equal(stage->n_charges, 1);
	assert_string_equal(stage->comms[0], "curl");
	stage_free(stage);
}

static uint32_t on_owner(void *arg, uint64_t cookie)
{
	return cookie == 12 ? 4444 : 0;
}

/* Nothing of the time before is charged, and no handshake is taken off. */
static void an_old_connection_is_charged_by_its_address(void **state)
{
	struct stage *stage = stage_new();
	struct sockaddr_in at = { .sin_family = AF_INET,
				  .sin_port = htons(443),
				  .sin_addr.s_addr = htonl(0x7f00000a) };
	struct ev_flow flow = { .head = head_of(stage, EV_FLOW),
				.is_adopted = 1,
				.family = AF_INET,
				.remote_addr = { 127, 0, 0, 11 },
				.remote_port = 443 };

	stage->config.hooks.tap.owner = on_owner;
	pipeline_free(stage->pipeline);
	assert_int_equal(pipeline_new(&stage->pipeline, &stage->config), 0);
	pipeline_address(stage->pipeline, (struct sockaddr *)&at, "api.openai.com", 1);
	flow.head.id = 12;
	flow.head.tgid = 0;
	pipeline_event(stage->pipeline, &flow.head, sizeof(flow)); /* an address that nobody knows */
	assert_int_equal(stage->n_greeted, 0);
	flow.remote_addr[3] = 10;
	pipeline_event(stage->pipeline, &flow.head, sizeof(flow));
	assert_int_equal(stage->n_greeted, 1);
	flow.head.type = EV_FLOW_END;
	flow.bytes[EV_OUT] = flow.framed[EV_OUT] = 2022;
	flow.records[EV_OUT] = 1;
	flow.bytes[EV_IN] = flow.framed[EV_IN] = 10 * 122;
	flow.records[EV_IN] = 10;
	flow.record_bytes = 22;
	pipeline_event(stage->pipeline, &flow.head, sizeof(flow));
	assert_int_equal(stage->n_charges, 1);
	assert_int_equal(stage->charges[0].request_bytes, 2000);
	assert_int_equal(stage->charges[0].response_bytes, 1000);
	assert_string_equal(stage->charges[0].host, "api.openai.com");
	stage_free(stage);
}

static struct reconcile_row seen;

static void note_row(void *arg, const struct reconcile_row *row, const struct who_group *group)
{
	seen = *row;
}

static bool on_is_shared(void *arg, const struct ev_flow *flow)
{
	return true;
}

/* The same, where another name has been greeted at the address since: nobody's, and let go. */
static void an_old_connection_at_a_shared_address_is_charged_to_nobody(void **state)
{
	struct stage *stage = stage_new();
	struct sockaddr_in at = { .sin_family = AF_INET,
				  .sin_port = htons(443),
				  .sin_addr.s_addr = htonl(0x7f00000a) };
	struct ev_flow flow = { .head = head_of(stage, EV_FLOW),
				.is_adopted = 1,
				.family = AF_INET,
				.remote_addr = { 127, 0, 0, 10 },
				.remote_port = 443 };

	stage->config.hooks.tap.owner = on_owner;
	stage->config.hooks.tap.is_shared = on_is_shared;
	pipeline_free(stage->pipeline);
	assert_int_equal(pipeline_new(&stage->pipeline, &stage->config), 0);
	pipeline_address(stage->pipeline, (struct sockaddr *)&at, "api.openai.com", 1);
	flow.head.id = 12;
	flow.head.tgid = 0;
	pipeline_event(stage->pipeline, &flow.head, sizeof(flow));
	flow.head.type = EV_FLOW_END;
	flow.bytes[EV_OUT] = 9000;
	flow.bytes[EV_IN] = 90000;
	pipeline_event(stage->pipeline, &flow.head, sizeof(flow));
	assert_int_equal(stage->n_charges, 0);
	assert_int_equal(stage->decided, CTL_IGNORE);
	pipeline_coverage(stage->pipeline, note_row, NULL);
	assert_int_equal(seen.why, UNMETERED_SHARED);
	assert_int_equal(seen.doubtful_bytes[EV_OUT], 9000);
	assert_int_equal(seen.doubtful_bytes[EV_IN], 90000);
	stage_free(stage);
}

/* A flow of 41 kB and 54 kB, and on it one call that is read behind `lost` bytes of answers that were not. */
static enum unmetered_why why_of(size_t lost)
{
	struct stage *stage = stage_new();

	flows(stage, EV_FLOW, "api.anthropic.com", 600, 0, EV_FLOW_SEEN);
	opens(stage, "api.anthropic.com", CTL_AI);
	asks_anthropic(stage, 0);
	answers_anthropic(stage, 0);
	if (lost) { /* requests and answers */
		loses(stage, EV_OUT, lost);
		loses(stage, EV_IN, lost);
		asks_anthropic(stage, 0);
		answers_anthropic(stage, 0);
	}
	closes(stage);
	flows(stage, EV_FLOW_END, "api.anthropic.com", 41000, 54500, EV_FLOW_SEEN);
	pipeline_coverage(stage->pipeline, note_row, NULL);
	assert_int_equal(stage->charges[stage->n_charges - 1].source, CHARGE_SIZE);
	stage_free(stage);
	return seen.why;
}

static void what_was_lost_is_told_from_what_came_late(void **state)
{
	assert_int_equal(why_of(0), UNMETERED_LATE);
	assert_int_equal(why_of(35000), UNMETERED_LOST);
}

static void a_request_that_is_no_call_is_not_silent(void **state)
{
	_cleanup_free_ char *request = message("POST /v1/messages/count_tokens HTTP/1.1\r\n"
					       "Host: api.anthropic.com",
					       "application/json", anthropic_request);
	_cleanup_free_ char *answer = message("HTTP/1.1 200 OK", "application/json",
					      "{\"input_tokens\":10}");
	struct stage *stage = stage_new();

	opens(stage, "api.anthropic.com", CTL_AI);
	for (int i = 0; i < 3; i++) {
		sends(stage, EV_OUT, request, 0);
		sends(stage, EV_IN, answer, 0);
	}
	sends(stage, EV_OUT, "GET /v1/models HTTP/1.1\r\nHost: api.anthropic.com\r\n\r\n", 0);
	sends(stage, EV_IN, answer, 0);
	closes(stage);
	assert_int_equal(stage->n_charges, 0);
	pipeline_coverage(stage->pipeline, note_row, NULL);
	assert_int_equal(seen.others, 3); /* a GET buys nothing anywhere */
	assert_int_equal(seen.why, UNMETERED_READ);
	stage_free(stage);
}

static int on_quic_counts(void *arg, uint64_t id, struct ctl_flow *ret)
{
	*ret = (struct ctl_flow){ .bytes = { 51200, 103600 },
				  .handshake = { 1200, 3600 },
				  .framed = { 50000, 100000 },
				  .records = { 40, 80 },
				  .record_bytes = 34 };
	return 0;
}

/* By the name in its first datagram (recorded of a real client); it ends with its socket. */
static void quic_is_charged_by_size(void **state)
{
	struct stage *stage = stage_new();
	struct ev_quic event = { .flow = { .head = head_of(stage, EV_QUIC),
					   .is_quic = 1,
					   .socket = 70,
					   .family = AF_INET,
					   .record_bytes = 34,
					   .verdict = CTL_AI,
					   .comm = "browser" } };
	struct ev_head end = head_of(stage, EV_FLOW_END);
	struct ev_flow ended = { .head = end };
	FILE *file = fopen("tests/fuzz/corpus/quic/ngtcp2", "r");
	uint8_t size[2];

	assert_non_null(file);
	assert_int_equal(fread(size, 1, 2, file), 2);
	event.len = (__u32)(size[0] | size[1] << 8);
	assert_int_equal(fread(event.bytes, 1, event.len, file), event.len);
	fclose(file);
	stage->config.hooks.tap.flow_get = on_quic_counts;
	pipeline_free(stage->pipeline);
	assert_int_equal(pipeline_new(&stage->pipeline, &stage->config), 0);
	pipeline_event(stage->pipeline, &event.flow.head, sizeof(event));
	assert_int_equal(stage->decided, CTL_AI);
	ended.head.id = 71; /* another socket */
	pipeline_event(stage->pipeline, &ended.head, sizeof(ended));
	assert_int_equal(stage->n_charges, 0);
	ended.head.id = 70;
	pipeline_event(stage->pipeline, &ended.head, sizeof(ended));
	assert_int_equal(stage->n_charges, 1);
	assert_int_equal(stage->charges[0].request_bytes, 50000 - 40 * 34);
	assert_int_equal(stage->charges[0].response_bytes, 100000 - 80 * 34);
	assert_string_equal(stage->charges[0].host, "api.anthropic.com");
	assert_string_equal(stage->comms[0], "browser");
	stage_free(stage);
}

static void a_refused_flow_is_reset(void **state)
{
	struct stage *stage = stage_new();

	flows(stage, EV_FLOW, "api.openai.com", 600, 0, EV_FLOW_REFUSED);
	assert_int_equal(stage->n_destroyed, 1);
	stage_free(stage);
}

/* A relay in another cgroup carries it: what is reset in the relay's stays, what is reset over both does not. */
static void what_a_relay_carries_for_others_is_not_reset(void **state)
{
	struct stage *stage = stage_new();
	struct ev_flow flow = { .head = head_of(stage, EV_FLOW), .host = "api.openai.com" };
	struct ev_pair pair = { .connection = stage->connection };

	who_learn(stage->config.who, 77, "/pods/client");
	who_learn(stage->config.who, 78, "/pods/relay");
	opens(stage, "api.openai.com", CTL_AI);
	flow.head.cgroup = 78;
	pipeline_event(stage->pipeline, &flow.head, sizeof(flow));
	pair.flow = flow;
	pair.flow.head.type = EV_PAIR;
	pipeline_event(stage->pipeline, &pair.flow.head, sizeof(pair));
	assert_int_equal(pipeline_destroy(stage->pipeline, "/pods/relay"), 1);
	assert_int_equal(stage->n_destroyed, 0);
	assert_int_equal(pipeline_destroy(stage->pipeline, "/pods"), 0);
	assert_int_equal(stage->n_destroyed, 1);
	stage_free(stage);
}

static void live_flows_of_a_cgroup_are_reset_and_no_others(void **state)
{
	struct stage *stage = stage_new();

	who_learn(stage->config.who, 77, "/pods/a/c1");
	flows(stage, EV_FLOW, "api.openai.com", 600, 0, EV_FLOW_SEEN);
	assert_int_equal(pipeline_destroy(stage->pipeline, "/pods/b"), 0);
	assert_int_equal(pipeline_destroy(stage->pipeline, "/pods/a/c"), 0);
	assert_int_equal(stage->n_destroyed, 0);
	pipeline_destroy(stage->pipeline, "/pods/a");
	assert_int_equal(stage->n_destroyed, 1);
	pipeline_destroy(stage->pipeline, "/pods/a"); /* its end is not told yet */
	assert_int_equal(stage->n_destroyed, 1);
	stage_free(stage);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_flow_whose_suffix_fits_is_decided_by_its_name),
		cmocka_unit_test(an_approach_greets_and_counts_nothing),
		cmocka_unit_test(what_is_read_is_not_estimated_as_well),
		cmocka_unit_test(what_is_read_from_its_middle_on_is_not_estimated_as_well),
		cmocka_unit_test(what_is_beyond_the_pieces_of_a_call_was_framed_too),
		cmocka_unit_test(a_relay_is_charged_to_nobody),
		cmocka_unit_test(an_old_connection_is_charged_by_its_address),
		cmocka_unit_test(an_old_connection_at_a_shared_address_is_charged_to_nobody),
		cmocka_unit_test(what_was_lost_is_told_from_what_came_late),
		cmocka_unit_test(a_request_that_is_no_call_is_not_silent),
		cmocka_unit_test(quic_is_charged_by_size),
		cmocka_unit_test(a_refused_flow_is_reset),
		cmocka_unit_test(what_a_relay_carries_for_others_is_not_reset),
		cmocka_unit_test(live_flows_of_a_cgroup_are_reset_and_no_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

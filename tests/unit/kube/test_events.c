/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <jansson.h>

#include "base/clock.h"
#include "base/fetch.h"
#include "fake_loop.h"
#include "kube/events.h"
#include "peer.h"

#define UID  "7da9e2a8-1234-4abc-8def-0123456789ab"
#define HASH "0123456789abcdef0123456789abcdef"
#define T0   1700000000000000LL /* 2023-11-14T22:13:20Z */

struct world {
	struct peer peer;
	struct loop *loop;
	struct fetcher *fetcher;
	struct events *events;
	struct names_config config;
	char url[64], token[32];
	/* requests that the server has had, and what it says to each */
	pthread_mutex_t lock;
	struct {
		char line[512], head[2048], body[4096];
	} asked[8];
	unsigned n_asked, n_answered, wanted, ticks, after;
	const char *answers[8];
};

static void serve(struct peer *peer)
{
	struct world *world = peer->arg;
	char text[8192], *end, *length;
	size_t len = 0, want = 0;
	const char *answer;
	ssize_t n;

	while (len + 1 < sizeof(text) &&
	       (n = peer_read(peer, text + len, sizeof(text) - 1 - len)) > 0) {
		len += (size_t)n;
		text[len] = '\0';
		end = strstr(text, "\r\n\r\n");
		length = strstr(text, "Content-Length: ");
		want = end ? (size_t)(end + 4 - text) +
				       (length ? strtoul(length + 16, NULL, 10) : 0) :
			     0;
		if (want && len >= want)
			break;
	}
	if (!want)
		return;
	pthread_mutex_lock(&world->lock);
	end = strstr(text, "\r\n\r\n");
	*end = '\0';
	snprintf(world->asked[world->n_asked].line, 512, "%.*s",
		 (int)(strcspn(text, "\r") < 511 ? strcspn(text, "\r") : 511), text);
	snprintf(world->asked[world->n_asked].head, 2048, "%.2000s\r\n", text);
	snprintf(world->asked[world->n_asked].body, 4096, "%.4000s", end + 4);
	answer = world->answers[world->n_asked];
	world->n_asked++;
	pthread_mutex_unlock(&world->lock);
	snprintf(text, sizeof(text),
		 "HTTP/1.1 %s\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}",
		 answer ? answer : "201 Created");
	peer_say(peer, text);
	pthread_mutex_lock(&world->lock);
	world->n_answered++;
	pthread_mutex_unlock(&world->lock);
}

static void on_tick(void *arg)
{
	struct world *world = arg;
	bool done;

	pthread_mutex_lock(&world->lock);
	done = world->n_answered >= world->wanted;
	pthread_mutex_unlock(&world->lock);
	/* The answer lies in the socket: some turns of the loop for the client to read it. */
	if ((done && ++world->after > 20) || ++world->ticks > 3000)
		loop_stop(world->loop);
}

/* Until the server has had so many requests. */
static void run_until(struct world *world, unsigned wanted)
{
	world->wanted = wanted;
	world->ticks = world->after = 0;
	assert_int_equal(loop_run(world->loop), 0);
	assert_int_equal(world->n_asked, wanted);
}

static int set_up(void **state)
{
	struct world *world = calloc(1, sizeof(*world));
	FILE *file;

	pthread_mutex_init(&world->lock, NULL);
	strcpy(world->token, "/tmp/test_events.XXXXXX");
	file = fdopen(mkstemp(world->token), "w");
	fputs("secret\n", file);
	fclose(file);
	world->peer.serve = serve;
	world->peer.arg = world;
	peer_start(&world->peer, NULL, 0);
	snprintf(world->url, sizeof(world->url), "http://127.0.0.1:%d", world->peer.port);
	world->config =
		(struct names_config){ .api = world->url, .token = world->token, .node = "n1" };
	if (loop_new(&world->loop) || fetcher_new(&world->fetcher, world->loop) ||
	    loop_add_timer(world->loop, 10 * NS_PER_MS, on_tick, world, NULL) ||
	    events_new(&world->events, world->loop, world->fetcher, &world->config))
		return -1;
	*state = world;
	return 0;
}

static int tear_down(void **state)
{
	struct world *world = *state;

	events_free(world->events);
	fetcher_free(world->fetcher);
	loop_free(world->loop);
	peer_stop(&world->peer);
	unlink(world->token);
	free(world);
	return 0;
}

static const struct who_pod pod = { .uid = UID, .namespace = "team-a", .name = "agents-x-y" };

static struct ledger_action action(const char *what, enum action_result outcome, const char *result)
{
	return (struct ledger_action){ .time_us = T0,
				       .budget = "daily",
				       .action = what,
				       .subject = "namespace=team-a",
				       .target = "cgroup /x",
				       .result = result,
				       .outcome = outcome,
				       .spent_nanos = 51500000000LL,
				       .limit_nanos = 50000000000LL };
}

static const char *text_of(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

static void pod_has_what_was_done_to_it(void **state)
{
	struct world *world = *state;
	struct ledger_action row = action("refuse", ACTION_DONE, "done");
	json_t *body, *object;

	events_tell(world->events, &pod, &row);
	run_until(world, 1);
	assert_string_equal(world->asked[0].line, "POST /api/v1/namespaces/team-a/events HTTP/1.1");
	assert_non_null(strstr(world->asked[0].head, "\r\nAuthorization: Bearer secret\r\n"));
	assert_non_null(strstr(world->asked[0].head, "\r\nContent-Type: application/json\r\n"));
	body = json_loads(world->asked[0].body, 0, NULL);
	assert_non_null(body);
	object = json_object_get(body, "involvedObject");
	assert_string_equal(text_of(object, "kind"), "Pod");
	assert_string_equal(text_of(object, "uid"), UID);
	assert_string_equal(text_of(object, "name"), "agents-x-y");
	assert_string_equal(text_of(object, "namespace"), "team-a");
	assert_string_equal(text_of(body, "reason"), "AigressRefused");
	assert_string_equal(text_of(body, "type"), "Warning");
	assert_string_equal(text_of(body, "message"),
			    "budget daily (namespace=team-a): refuse: 51.500000 of "
			    "50.000000 USD spent; done");
	assert_string_equal(text_of(body, "firstTimestamp"), "2023-11-14T22:13:20Z");
	assert_int_equal(json_integer_value(json_object_get(body, "count")), 1);
	assert_memory_equal(text_of(json_object_get(body, "metadata"), "name"), "agents-x-y.", 11);
	assert_string_equal(text_of(json_object_get(body, "source"), "host"), "n1");
	json_decref(body);
}

static void repetitions_count_up_in_one_event(void **state)
{
	struct world *world = *state;
	struct ledger_action row = action("note", ACTION_REHEARSED, "rehearsed");
	char line[512];
	json_t *body;

	row.is_rehearsed = true;
	events_tell(world->events, &pod, &row);
	events_tell(world->events, &pod, &row);
	run_until(world, 1);
	body = json_loads(world->asked[0].body, 0, NULL);
	assert_int_equal(json_integer_value(json_object_get(body, "count")), 2);
	assert_string_equal(text_of(body, "type"), "Normal");
	assert_string_equal(text_of(body, "reason"), "AigressRehearsed");
	snprintf(line, sizeof(line), "PATCH /api/v1/namespaces/team-a/events/%s HTTP/1.1",
		 text_of(json_object_get(body, "metadata"), "name"));
	json_decref(body);
	row.time_us += 61000000;
	events_tell(world->events, &pod, &row);
	run_until(world, 2);
	assert_string_equal(world->asked[1].line, line);
	assert_non_null(strstr(world->asked[1].head, "application/merge-patch+json"));
	body = json_loads(world->asked[1].body, 0, NULL);
	assert_int_equal(json_integer_value(json_object_get(body, "count")), 3);
	assert_string_equal(text_of(body, "lastTimestamp"), "2023-11-14T22:14:21Z");
	json_decref(body);
}

static void event_that_expired_is_made_anew(void **state)
{
	struct world *world = *state;
	struct ledger_action row = action("pace", ACTION_DONE, "done");

	world->answers[1] = "404 Not Found";
	events_tell(world->events, &pod, &row);
	run_until(world, 1);
	events_tell(world->events, &pod, &row);
	run_until(world, 3);
	assert_memory_equal(world->asked[1].line, "PATCH ", 6);
	assert_memory_equal(world->asked[2].line, "POST ", 5);
}

static void other_deeds_are_other_events(void **state)
{
	struct world *world = *state;
	struct ledger_action row = action("kill", ACTION_DONE, "done: SIGTERM, SIGKILL in 10 s");
	struct who_pod fixed = pod;

	events_tell(world->events, &pod, &row);
	row = action("refuse", ACTION_ENDED, "ended: its window is over");
	events_tell(world->events, &pod, &row);
	strcpy(fixed.hash, HASH);
	events_tell(world->events, &fixed, &row);
	/* nothing was done: nothing to tell */
	row = action("refuse", ACTION_FAILED, "failed: no");
	events_tell(world->events, &pod, &row);
	row = action("kill", ACTION_REFUSED, "refused: protected (by a rule)");
	events_tell(world->events, &pod, &row);
	run_until(world, 3);
	assert_non_null(strstr(world->asked[0].body, "\"AigressKilled\""));
	assert_non_null(strstr(world->asked[1].body, "\"AigressEnded\""));
	assert_non_null(strstr(world->asked[1].body, "\"Normal\""));
	assert_non_null(strstr(world->asked[2].body, "\"uid\":\"" HASH "\""));
}

static void refusal_ends_it_for_a_while(void **state)
{
	struct world *world = *state;
	struct ledger_action row = action("refuse", ACTION_DONE, "done");

	world->answers[0] = "403 Forbidden";
	events_tell(world->events, &pod, &row);
	run_until(world, 1);
	for (int i = 0; i < 2 * EVENTS_MAX; i++) {
		struct who_pod other = pod;

		snprintf(other.uid, sizeof(other.uid), "uid-%d", i);
		events_tell(world->events, &other, &row);
	}
	/* one that would be told at once is not: half a second of the loop */
	world->wanted = 2;
	world->ticks = 2950;
	assert_int_equal(loop_run(world->loop), 0);
	assert_int_equal(world->n_asked, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(pod_has_what_was_done_to_it),     TEST(repetitions_count_up_in_one_event),
		TEST(event_that_expired_is_made_anew), TEST(other_deeds_are_other_events),
		TEST(refusal_ends_it_for_a_while),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

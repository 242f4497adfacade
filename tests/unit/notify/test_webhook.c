/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "base/clock.h"
#include "base/fetch.h"
#include "base/loop.h"
#include "budget/policy.h"
#include "peer.h"
#include "notify/webhook.h"

#define MAX 64

/* A receiver: what it answers next, and what it was sent. */
struct receiver {
	pthread_mutex_t lock;
	int fail_first, status; /* the first requests get this status */
	bool hangs;             /* they get no answer at all */
	int n;
	char keys[MAX][96], bodies[MAX][16384];
	int statuses[MAX];
};

struct world {
	struct peer peer;
	struct receiver receiver;
	struct loop *loop;
	struct fetcher *fetcher;
	struct ledger *ledger;
	struct webhooks *webhooks;
	struct webhook_rule rule;
	struct webhook_rules rules;
	struct loop_source *look;
	int wanted;
	bool is_late;
	uint64_t begin_ns;
	char dir[64], url[64];
};

static int head_end(const char *bytes, size_t len)
{
	const char *end = memmem(bytes, len, "\r\n\r\n", 4);

	return end ? (int)(end - bytes) + 4 : 0;
}

static void serve(struct peer *peer)
{
	struct receiver *receiver = peer->arg;
	char bytes[24576], answer[128], *at;
	size_t len = 0, body = 0;
	int end = 0, status = 200;
	bool hangs;

	while (!end || len < (size_t)end + body) {
		ssize_t n = peer_read(peer, bytes + len, sizeof(bytes) - 1 - len);

		if (n <= 0)
			return;
		bytes[len += (size_t)n] = '\0';
		end = end ? end : head_end(bytes, len);
		at = end ? strcasestr(bytes, "Content-Length: ") : NULL;
		body = at ? (size_t)atoi(at + 16) : 0;
	}
	pthread_mutex_lock(&receiver->lock);
	if (receiver->n < MAX) {
		at = strstr(bytes, "Idempotency-Key: ");
		if (at)
			sscanf(at + 17, "%95[^\r]", receiver->keys[receiver->n]);
		snprintf(receiver->bodies[receiver->n], sizeof(receiver->bodies[0]), "%s",
			 bytes + end);
		if (receiver->n < receiver->fail_first)
			status = receiver->status;
		receiver->statuses[receiver->n++] = status;
	}
	hangs = status != 200 && receiver->hangs;
	pthread_mutex_unlock(&receiver->lock);
	if (hangs)
		peer_hang(peer);
	snprintf(answer, sizeof(answer),
		 "HTTP/1.1 %d X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", status);
	peer_say(peer, answer);
}

static int received(struct world *world)
{
	int n;

	pthread_mutex_lock(&world->receiver.lock);
	n = world->receiver.n;
	pthread_mutex_unlock(&world->receiver.lock);
	return n;
}

static void on_state(void *arg, const struct webhook_state *state)
{
	*(struct webhook_state *)arg = *state;
}

static struct webhook_state state_of(struct world *world)
{
	struct webhook_state state = { 0 };

	webhooks_walk(world->webhooks, on_state, &state);
	return state;
}

static void on_look(void *arg)
{
	struct world *world = arg;
	struct webhook_state state = state_of(world);

	world->is_late = clock_mono_ns() - world->begin_ns > 100 * NS_PER_S;
	if (world->is_late || (world->wanted < 0 ? received(world) >= -world->wanted :
						   (int)(state.sent + state.dead) >= world->wanted))
		loop_stop(world->loop);
}

/* Until so many rows are done with; below 0: until so many requests came. */
static void run(struct world *world, int wanted)
{
	world->wanted = wanted;
	world->begin_ns = clock_mono_ns();
	assert_int_equal(loop_run(world->loop), 0);
	assert_false(world->is_late);
}

static void start(struct world *world)
{
	char *error = NULL;

	assert_int_equal(loop_new(&world->loop), 0);
	assert_int_equal(loop_add_timer(world->loop, 20 * NS_PER_MS, on_look, world, &world->look),
			 0);
	assert_int_equal(fetcher_new(&world->fetcher, world->loop), 0);
	assert_int_equal(ledger_open(&world->ledger, world->dir, true, &error), 0);
	assert_int_equal(webhooks_new(&world->webhooks, world->loop, world->fetcher, world->ledger,
				      &world->rules, "node-1"),
			 0);
}

static void stop(struct world *world)
{
	webhooks_free(world->webhooks);
	fetcher_free(world->fetcher);
	ledger_free(world->ledger);
	loop_free(world->loop);
}

static void bring_up(struct world *world)
{
	*world = (struct world){ .peer.serve = serve, .receiver.lock = PTHREAD_MUTEX_INITIALIZER };
	world->peer.arg = &world->receiver;
	peer_start(&world->peer, NULL, 0);
	assert_int_equal(unit_folder(world->dir), 0);
	snprintf(world->url, sizeof(world->url), "http://127.0.0.1:%d/hook", world->peer.port);
	world->rule = (struct webhook_rule){ .name = "ops", .url = world->url, .timeout_ms = 20000 };
	world->rules = (struct webhook_rules){ .items = &world->rule, .n = 1 };
	start(world);
}

static void take_down(struct world *world)
{
	stop(world);
	peer_stop(&world->peer);
	(void)unit_remove(world->dir);
}

static void add_at(struct world *world, const char *what, const char *subject, bool is_rehearsed,
		   int64_t time_us)
{
	struct ledger_action action = {
		.time_us = time_us,
		.budget = "daily",
		.rule = "f:3",
		.action = what,
		.subject = subject,
		.target = "cgroup /a",
		.result = "done",
		.outcome = ACTION_DONE,
		.is_rehearsed = is_rehearsed,
		.spent_nanos = 2000000000,
		.limit_nanos = 1000000000,
		.measured_permille = 1000,
		.last_calls = "[1,2]",
	};

	assert_int_equal(ledger_add_action(world->ledger, &action), 0);
	webhooks_poke(world->webhooks);
}

static void add(struct world *world, const char *what, const char *subject)
{
	add_at(world, what, subject, false, clock_wall_us());
}

/* Each subject once among the requests that were taken, in order; tried again under the same key. */
static void check_order(struct world *world, const char *const *subjects, int n)
{
	struct receiver *receiver = &world->receiver;
	int taken = 0;

	for (int i = 0; i < receiver->n; i++) {
		assert_string_not_equal(receiver->keys[i], "");
		if (i && receiver->statuses[i - 1] != 200)
			assert_string_equal(receiver->keys[i], receiver->keys[i - 1]);
		if (i && receiver->statuses[i - 1] == 200)
			assert_string_not_equal(receiver->keys[i], receiver->keys[i - 1]);
		if (receiver->statuses[i] != 200)
			continue;
		assert_true(taken < n);
		assert_non_null(strstr(receiver->bodies[i], subjects[taken++]));
	}
	assert_int_equal(taken, n);
}

static void rows_are_delivered_in_order(void **state)
{
	static const char *const subjects[] = { "cgroup=one", "cgroup=two", "cgroup=three" };
	struct world world;

	bring_up(&world);
	for (int i = 0; i < 3; i++)
		add(&world, "refuse", subjects[i]);
	run(&world, 3);
	check_order(&world, subjects, 3);
	assert_int_equal(state_of(&world).sent, 3);
	assert_int_equal(state_of(&world).waiting, 0);
	take_down(&world);
}

static void a_receiver_that_fails_is_tried_again(void **state)
{
	static const char *const subjects[] = { "cgroup=one", "cgroup=two" };
	struct world world;

	bring_up(&world);
	world.receiver.fail_first = 2;
	world.receiver.status = 503;
	add(&world, "refuse", subjects[0]);
	add(&world, "refuse", subjects[1]);
	run(&world, 2);
	assert_int_equal(world.receiver.n, 4);
	check_order(&world, subjects, 2);
	assert_string_equal(state_of(&world).error, "");
	take_down(&world);
}

static void a_receiver_that_hangs_is_tried_again(void **state)
{
	static const char *const subjects[] = { "cgroup=one" };
	struct world world;

	bring_up(&world);
	stop(&world);
	world.rule.timeout_ms = 300;
	start(&world);
	world.receiver.fail_first = 1;
	world.receiver.hangs = true;
	add(&world, "refuse", subjects[0]);
	run(&world, 1);
	check_order(&world, subjects, 1);
	take_down(&world);
}

static void a_restart_loses_nothing(void **state)
{
	static const char *const subjects[] = { "cgroup=one", "cgroup=two", "cgroup=three" };
	struct world world;

	bring_up(&world);
	add(&world, "refuse", subjects[0]);
	run(&world, 1);
	world.receiver.fail_first = 2; /* the second request */
	world.receiver.status = 500;
	add(&world, "refuse", subjects[1]);
	add(&world, "refuse", subjects[2]);
	run(&world, -2);
	stop(&world);
	start(&world);
	run(&world, 3);
	check_order(&world, subjects, 3);
	assert_int_equal(world.receiver.n, 4);
	take_down(&world);
}

/* Killed after the receiver took it and before the mark: the same key comes again. */
static void a_lost_mark_repeats_under_the_same_key(void **state)
{
	struct outbox before;
	struct world world;

	bring_up(&world);
	assert_int_equal(outbox_open(world.ledger, "ops", &before), 0);
	add(&world, "refuse", "cgroup=one");
	run(&world, 1);
	assert_int_equal(outbox_mark(world.ledger, "ops", &before), 0);
	stop(&world);
	start(&world);
	run(&world, 1);
	assert_int_equal(world.receiver.n, 2);
	assert_string_equal(world.receiver.keys[0], world.receiver.keys[1]);
	assert_string_equal(world.receiver.bodies[0], world.receiver.bodies[1]);
	take_down(&world);
}

static void what_will_never_be_taken_is_given_up(void **state)
{
	static const char *const subjects[] = { "cgroup=two" };
	struct world world;

	bring_up(&world);
	world.receiver.fail_first = 1;
	world.receiver.status = 400;
	add(&world, "refuse", "cgroup=bad");
	add(&world, "refuse", "cgroup=two");
	run(&world, 2);
	assert_int_equal(world.receiver.n, 2);
	assert_int_equal(state_of(&world).sent, 1);
	assert_int_equal(state_of(&world).dead, 1);
	assert_non_null(strstr(world.receiver.bodies[1], subjects[0]));
	take_down(&world);
}

static void what_is_too_old_is_given_up(void **state)
{
	struct world world;

	bring_up(&world);
	add_at(&world, "refuse", "cgroup=old", false, clock_wall_us() - WEBHOOK_KEEP_US - US_PER_S);
	add(&world, "refuse", "cgroup=new");
	run(&world, 2);
	assert_int_equal(world.receiver.n, 1);
	assert_non_null(strstr(world.receiver.bodies[0], "cgroup=new"));
	assert_int_equal(state_of(&world).dead, 1);
	take_down(&world);
}

static void only_what_was_asked_for_is_sent(void **state)
{
	struct world world;

	bring_up(&world);
	stop(&world);
	world.rule.on = 1u << POLICY_KILL;
	world.rule.without_rehearsed = true;
	start(&world);
	add(&world, "note", "cgroup=note");
	add_at(&world, "kill", "cgroup=rehearsed", true, clock_wall_us());
	add(&world, "kill", "cgroup=kill");
	run(&world, 1);
	assert_int_equal(world.receiver.n, 1);
	assert_non_null(strstr(world.receiver.bodies[0], "cgroup=kill"));
	take_down(&world);
}

static void a_new_webhook_begins_with_the_next_row(void **state)
{
	struct webhook_rules none = { 0 };
	struct world world;

	bring_up(&world);
	assert_int_equal(webhooks_rules(world.webhooks, &none), 0);
	add(&world, "refuse", "cgroup=before");
	assert_int_equal(webhooks_rules(world.webhooks, &world.rules), 0);
	add(&world, "refuse", "cgroup=after");
	run(&world, 1);
	assert_int_equal(world.receiver.n, 1);
	assert_non_null(strstr(world.receiver.bodies[0], "cgroup=after"));
	take_down(&world);
}

/* The first at once; what comes while that is fresh, together in the next. */
static void people_get_what_came_together(void **state)
{
	struct world world;
	char subject[32];

	bring_up(&world);
	stop(&world);
	world.rule.format = WEBHOOK_SLACK;
	world.rule.digest_ms = 1500;
	start(&world);
	add(&world, "refuse", "cgroup=first");
	run(&world, 1);
	for (int i = 0; i < 30; i++) {
		snprintf(subject, sizeof(subject), "cgroup=storm-%d", i);
		add(&world, i == 7 ? "note" : "refuse", subject);
	}
	run(&world, 31);
	assert_int_equal(world.receiver.n, 2);
	assert_non_null(strstr(world.receiver.bodies[0], "cgroup /a is refused"));
	assert_non_null(strstr(world.receiver.bodies[1], "30 actions of budgets on node-1"));
	assert_int_equal(state_of(&world).sent, 31);
	assert_int_equal(state_of(&world).waiting, 0);
	take_down(&world);
}

static void a_storm_that_fails_comes_back_as_one(void **state)
{
	struct world world;

	bring_up(&world);
	stop(&world);
	world.rule.format = WEBHOOK_SLACK;
	world.rule.digest_ms = 1000;
	start(&world);
	world.receiver.fail_first = 1;
	world.receiver.status = 503;
	add(&world, "refuse", "cgroup=one");
	run(&world, -1);
	add(&world, "refuse", "cgroup=two");
	run(&world, 2);
	assert_int_equal(world.receiver.n, 2);
	assert_non_null(strstr(world.receiver.bodies[1], "2 actions of budgets"));
	take_down(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_are_delivered_in_order),
		cmocka_unit_test(a_receiver_that_fails_is_tried_again),
		cmocka_unit_test(a_receiver_that_hangs_is_tried_again),
		cmocka_unit_test(a_restart_loses_nothing),
		cmocka_unit_test(a_lost_mark_repeats_under_the_same_key),
		cmocka_unit_test(what_will_never_be_taken_is_given_up),
		cmocka_unit_test(what_is_too_old_is_given_up),
		cmocka_unit_test(only_what_was_asked_for_is_sent),
		cmocka_unit_test(a_new_webhook_begins_with_the_next_row),
		cmocka_unit_test(people_get_what_came_together),
		cmocka_unit_test(a_storm_that_fails_comes_back_as_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* What a pace gate holds, lets pass and lets go, on the running kernel. Needs root. */
#include "requests.h"

#define TALK 35

static void holds_what_has_no_credit_and_wakes_it(void **state)
{
	struct child child = child_new(cgroups[CG_BELOW]);
	int fd = talk_begin(&child);

	grant(1, 1);
	pace(CG_A, UINT64_MAX, 1, 0);
	assert_int_equal(tell(&child, 'r'), 0);
	assert_int_equal(server_read(fd, REQUEST, 5000), REQUEST);
	assert_int_equal(taken(1).consumed_nanos, RESERVE);
	assert_int_equal(taken(1).admitted, 1);
	assert_int_equal(holds(), 0);

	answer(fd);
	assert_int_equal(tell(&child, 'r'), 0);
	assert_int_equal(server_read(fd, 1, 500), 0);
	assert_int_equal(taken(1).held, 1);
	assert_int_equal(taken(1).admitted, 1);
	assert_int_equal(gate_hits(CG_A), 1);
	assert_int_equal(holds(), 1);
	assert_int_equal(the_hold.bucket, 1);
	assert_int_equal(the_hold.tgid, child.pid);

	assert_int_equal(tap_wake(the_cookie, &the_hold), 0);
	assert_int_equal(taken(1).admitted, 1);
	grant(1, RESERVE + 1);
	assert_int_equal(tap_wake(the_cookie, &the_hold), 0);
	assert_int_equal(taken(1).admitted, 2); /* within the call, not by TCP's timer */
	assert_int_equal(server_read(fd, REQUEST, 5000), REQUEST);
	assert_int_equal(taken(1).held, 1);
	assert_int_equal(holds(), 0);
	assert_int_equal(tap_wake(the_cookie + 1, &the_hold), -ENOENT);
	assert_int_equal(tap_allowance_clear(tap, 1), 0);
	assert_int_equal(tap_allowance_clear(tap, 1), -ENOENT);
	close(fd);
	child_end(&child);
}

/* HTTP/2: another answer comes in on the connection whose next request is held. */
static void lets_answers_in_flight_go_on(void **state)
{
	struct child child = child_new(cgroups[CG_A]);
	int fd = talk_begin(&child);

	grant(1, 1);
	pace(CG_A, UINT64_MAX, 1, 0);
	assert_int_equal(tell(&child, 'r'), 0);
	assert_int_equal(server_read(fd, REQUEST, 5000), REQUEST);
	answer(fd);
	assert_int_equal(tell(&child, 'r'), 0);
	assert_int_equal(server_read(fd, 1, 300), 0);
	for (int i = 0; i < 20; i++)
		answer(fd);
	assert_int_equal(taken(1).held, 1);
	close(fd);
	child_end(&child);
}

/* They come while a connection's first request waits: nothing was asked yet. */
static void takes_no_session_tickets_for_an_answer(void **state)
{
	struct child child = child_new(cgroups[CG_A]);
	int fd = talk_begin(&child);
	char tickets[510] = { 0 };

	grant(1, 0);
	pace(CG_A, UINT64_MAX, 1, 0);
	assert_int_equal(tell(&child, 'r'), 0);
	assert_int_equal(send(fd, tickets, sizeof(tickets), 0), sizeof(tickets));
	assert_int_equal(server_read(fd, 1, 2000), 0); /* TCP has tried three times */
	assert_int_equal(taken(1).admitted, 0);
	assert_int_equal(holds(), 1);
	close(fd);
	child_end(&child);
}

static void each_bucket_of_each_gate_must_have_credit(void **state)
{
	struct child child = child_new(cgroups[CG_BELOW]);
	int fd = talk_begin(&child);

	grant(1, 1);
	grant(2, 0);
	grant(3, 1);
	pace(CG_A, UINT64_MAX, 1, 2);
	pace(CG_BELOW, UINT64_MAX, 3, 0);
	assert_int_equal(tell(&child, 'r'), 0);
	assert_int_equal(server_read(fd, 1, 300), 0);
	assert_int_equal(holds(), 1);
	assert_int_equal(the_hold.bucket, 2);
	assert_int_equal(taken(1).admitted + taken(3).admitted, 0);
	assert_int_equal(tap_allowance_clear(tap, 2), 0); /* has credit: it was just taken away */
	assert_int_equal(tap_wake(the_cookie, &the_hold), 0);
	assert_int_equal(server_read(fd, REQUEST, 5000), REQUEST);
	assert_int_equal(taken(1).admitted, 1);
	assert_int_equal(taken(3).admitted, 1);
	close(fd);
	child_end(&child);
}

static void takes_no_talk_and_no_upload_for_requests(void **state)
{
	struct child child = child_new(cgroups[CG_A]);
	int fd = talk_begin(&child);

	grant(1, 1000 * RESERVE);
	pace(CG_A, UINT64_MAX, 1, 0);
	for (int i = 0; i < 5; i++) {
		assert_int_equal(tell(&child, 'r'), 0);
		assert_int_equal(server_read(fd, REQUEST, 5000), REQUEST);
	}
	assert_int_equal(taken(1).admitted, 1);
	answer(fd);
	grant(1, 0);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(tell(&child, 't'), 0);
		assert_int_equal(server_read(fd, TALK, 5000), TALK);
	}
	assert_int_equal(taken(1).admitted, 1);
	assert_int_equal(tell(&child, 'r'), 0); /* the talk has not hidden the answer */
	assert_int_equal(server_read(fd, 1, 300), 0);
	assert_int_equal(taken(1).held, 1);
	close(fd);
	child_end(&child);
}

static void finds_the_records_again(void **state)
{
	struct child child = child_new(cgroups[CG_A]);
	int fd = talk_begin(&child);

	grant(1, 1000 * RESERVE);
	pace(CG_A, UINT64_MAX, 1, 0);
	assert_int_equal(tell(&child, 's'), 0);
	assert_int_equal(server_read(fd, 2 * REQUEST, 5000), 2 * REQUEST);
	assert_int_equal(taken(1).admitted, 1);
	answer(fd);
	assert_int_equal(tell(&child, 'r'), 0);
	assert_int_equal(server_read(fd, REQUEST, 5000), REQUEST);
	assert_int_equal(taken(1).admitted, 2);
	answer(fd);
	assert_int_equal(tell(&child, 't'), 0);
	assert_int_equal(server_read(fd, TALK, 5000), TALK);
	assert_int_equal(taken(1).admitted, 2);
	close(fd);
	child_end(&child);
}

static void lets_other_traffic_pass(void **state)
{
	struct child ai = child_new(cgroups[CG_A]), other = child_new(cgroups[CG_A]);
	struct child beside = child_new(cgroups[CG_B]);
	int fd = talk_begin(&ai), beside_fd, other_fd;

	grant(1, 0);
	pace(CG_A, UINT64_MAX, 1, 0);
	assert_int_equal(tell(&ai, 'r'), 0);
	assert_int_equal(server_read(fd, 1, 300), 0);
	beside_fd = talk_begin(&beside);
	assert_int_equal(tell(&beside, 'r'), 0);
	assert_int_equal(server_read(beside_fd, REQUEST, 5000), REQUEST);
	assert_int_equal(tell(&other, 'c'), 0);
	other_fd = server_accept();
	assert_int_equal(tell(&other, 'o'), 0);
	assert_int_equal(server_read(other_fd, 517, 5000), 517);
	assert_int_equal(tell(&other, 'r'), 0);
	assert_int_equal(server_read(other_fd, REQUEST, 5000), REQUEST);
	/* a new AI connection of the same cgroup: its handshake passes, its request waits */
	assert_int_equal(taken(1).held, 1);
	close(other_fd);
	other_fd = talk_begin(&other);
	assert_int_equal(tell(&other, 'r'), 0);
	assert_int_equal(server_read(other_fd, 1, 300), 0);
	assert_int_equal(holds(), 2);
	close(fd);
	close(other_fd);
	close(beside_fd);
	child_end(&ai);
	child_end(&other);
	child_end(&beside);
}

static void opens_when_the_lease_ends(void **state)
{
	struct child child = child_new(cgroups[CG_A]);
	int fd = talk_begin(&child);

	grant(1, 0);
	pace(CG_A, clock_mono_ns() + 700 * NS_PER_MS, 1, 0);
	assert_int_equal(tell(&child, 'r'), 0);
	assert_int_equal(server_read(fd, REQUEST, 10000), REQUEST); /* TCP tries again */
	assert_int_equal(taken(1).held, 1);
	assert_int_equal(taken(1).admitted, 0);
	assert_int_equal(holds(), 0);
	close(fd);
	child_end(&child);
}

/* Who closes with an answer unread resets: the connection ends at once, else it would take minutes. */
static void sends_nothing_of_who_gave_up(void **state)
{
	struct child child = child_new(cgroups[CG_A]);
	int fd = talk_begin(&child);

	assert_int_equal(tell(&child, 'i'), 0);
	grant(1, 0);
	pace(CG_A, UINT64_MAX, 1, 0);
	assert_int_equal(tell(&child, 'r'), 0);
	assert_int_equal(server_read(fd, 1, 300), 0);
	assert_int_equal(holds(), 1);
	assert_int_equal(tell(&child, 'x'), 0);
	grant(1, 1000 * RESERVE);
	assert_int_equal(server_read(fd, 1, 1500), 0); /* TCP has tried twice */
	assert_int_equal(taken(1).admitted, 0);
	assert_int_equal(holds(), 1);
	assert_int_equal(the_hold.bucket, 0); /* nobody waits */
	assert_int_equal(tap_gate_clear(tap, ids[CG_A]), 0);
	assert_int_equal(server_read(fd, 1, 3500), 0); /* and once more, with the gate gone */
	close(fd);
	child_end(&child);
}

static void survives_a_reset_of_what_waits(void **state)
{
	struct child child = child_new(cgroups[CG_A]);
	int fd = talk_begin(&child);

	take_events(1);
	grant(1, 0);
	pace(CG_A, UINT64_MAX, 1, 0);
	assert_int_equal(tell(&child, 'r'), 0);
	assert_int_equal(server_read(fd, 1, 300), 0);
	assert_int_equal(holds(), 1);
	assert_int_equal(the_cookie, last[0].head.id);
	assert_int_equal(tap_destroy(tap, &last[0]), 0);
	assert_int_equal(tell(&child, 'w'), ECONNABORTED);
	take_events(2);
	assert_int_equal(last[1].head.type, EV_FLOW_END);
	assert_true(last[1].is_unsent);
	assert_int_equal(last[1].held_since_ns, the_hold.since_ns);
	assert_int_equal(holds(), 1); /* until user space has read of the end */
	assert_int_equal(the_hold.bucket, 0);
	assert_int_equal(tap_hold_drop(tap, the_cookie), 0);
	assert_int_equal(tap_hold_get(tap, the_cookie, &the_hold), -ENOENT);
	close(fd);
	child_end(&child);
}

/* What left, and was then reset. */
static void tells_nothing_withheld_of_what_left(void **state)
{
	struct child child = child_new(cgroups[CG_A]);
	int fd = talk_begin(&child);

	take_events(1);
	grant(1, 1);
	pace(CG_A, UINT64_MAX, 1, 0);
	assert_int_equal(tell(&child, 'r'), 0);
	assert_int_equal(server_read(fd, REQUEST, 5000), REQUEST);
	assert_int_equal(tap_destroy(tap, &last[0]), 0);
	take_events(2);
	assert_false(last[1].is_unsent);
	close(fd);
	child_end(&child);
}

static void tells_what_a_refusal_withheld(void **state)
{
	struct child child = child_new(cgroups[CG_BELOW]), beside = child_new(cgroups[CG_A]);
	struct ctl_gate gate = { .lease_ns = UINT64_MAX, .state = CTL_REFUSE };
	int fd = talk_begin(&child), beside_fd;
	uint64_t before;

	beside_fd = talk_begin(&beside);
	take_events(2);
	assert_int_equal(tell(&beside, 'r'), 0);
	assert_int_equal(server_read(beside_fd, REQUEST, 5000), REQUEST);
	before = clock_mono_ns();
	assert_int_equal(tap_gate_set(tap, ids[CG_A], &gate), 0);
	assert_int_equal(tell(&child, 'r'), 0);
	assert_int_equal(tell(&beside, 't'), 0); /* talk, as of one who hangs up, is no request */
	assert_int_equal(server_read(fd, 1, 300), 0);
	assert_int_equal(holds(), 1);
	assert_int_equal(the_hold.bucket, 0);
	assert_int_equal(tap_destroy(tap, &last[0]), 0);
	assert_int_equal(tap_destroy(tap, &last[1]), 0);
	take_events(4);
	assert_int_equal(last[2].head.id, last[0].head.id);
	assert_true(last[2].is_unsent);
	assert_in_range(last[2].held_since_ns, before, clock_mono_ns());
	assert_false(last[3].is_unsent);
	close(fd);
	close(beside_fd);
	child_end(&child);
	child_end(&beside);
}

/* A refusal that is over resets nobody by itself: what it dropped leaves, and its end says so. */
static void lets_go_what_a_refusal_dropped(void **state)
{
	struct ctl_gate gate = { .lease_ns = UINT64_MAX, .state = CTL_REFUSE };
	struct child child = child_new(cgroups[CG_A]);
	int fd = talk_begin(&child);

	take_events(1);
	assert_int_equal(tap_gate_set(tap, ids[CG_A], &gate), 0);
	assert_int_equal(tell(&child, 'r'), 0);
	assert_int_equal(server_read(fd, 1, 300), 0);
	assert_int_equal(tap_gate_clear(tap, ids[CG_A]), 0);
	assert_int_equal(server_read(fd, REQUEST, 5000), REQUEST);
	assert_int_equal(holds(), 0);
	assert_int_equal(tap_destroy(tap, &last[0]), 0);
	take_events(2);
	assert_false(last[1].is_unsent);
	close(fd);
	child_end(&child);
}

static void a_gate_for_new_connections_admits_requests_on_live_ones_by_credit(void **state)
{
	struct ctl_gate gate = { .lease_ns = UINT64_MAX, .state = CTL_TURN_AWAY, .buckets = { 1 } };
	struct child child = child_new(cgroups[CG_A]);
	int fd = talk_begin(&child);

	grant_left(1, 1, UINT64_MAX);
	assert_int_equal(tap_gate_set(tap, ids[CG_A], &gate), 0);
	assert_int_equal(tell(&child, 'r'), 0);
	assert_int_equal(server_read(fd, REQUEST, 5000), REQUEST);
	answer(fd);
	assert_int_equal(tell(&child, 'r'), 0);
	assert_int_equal(server_read(fd, 1, 300), 0);
	assert_int_equal(taken(1).held, 1);
	answer(fd); /* what was asked for comes */
	close(fd);
	child_end(&child);
}

static void admits_no_quic_by_a_rate_nor_when_nothing_is_left(void **state)
{
	struct ctl_gate gate = { .lease_ns = UINT64_MAX, .state = CTL_PACE, .buckets = { 1 } };
	struct child child = child_new(cgroups[CG_A]), beside = child_new(cgroups[CG_B]);
	struct sockaddr_in to = server;

	to.sin_port = htons(443);
	assert_int_equal(tap_add_address(tap, (void *)&to, CTL_AI), 0);
	grant_left(1, 1, UINT64_MAX);
	assert_int_equal(tap_gate_set(tap, ids[CG_A], &gate), 0);
	assert_int_equal(tell(&child, 'q'), 0);
	grant_left(1, 0, UINT64_MAX);
	assert_int_equal(tell(&child, 'q'), EPERM);
	grant_left(1, 1, UINT64_MAX);
	gate.has_rate = 1;
	assert_int_equal(tap_gate_set(tap, ids[CG_A], &gate), 0);
	assert_int_equal(tell(&child, 'q'), EPERM);
	assert_int_equal(gate_hits(CG_A), 1);
	assert_int_equal(tell(&beside, 'q'), 0);
	child_end(&child);
	child_end(&beside);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(holds_what_has_no_credit_and_wakes_it),
		TEST(lets_answers_in_flight_go_on),
		TEST(takes_no_session_tickets_for_an_answer),
		TEST(each_bucket_of_each_gate_must_have_credit),
		TEST(takes_no_talk_and_no_upload_for_requests),
		TEST(finds_the_records_again),
		TEST(lets_other_traffic_pass),
		TEST(opens_when_the_lease_ends),
		TEST(sends_nothing_of_who_gave_up),
		TEST(survives_a_reset_of_what_waits),
		TEST(tells_nothing_withheld_of_what_left),
		TEST(tells_what_a_refusal_withheld),
		TEST(lets_go_what_a_refusal_dropped),
		TEST(a_gate_for_new_connections_admits_requests_on_live_ones_by_credit),
		TEST(admits_no_quic_by_a_rate_nor_when_nothing_is_left),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* What a shut gate stops and what it lets pass, on the running kernel. Needs root. */
#include "world.h"

#include "base/loop.h"
#include "tap/leases.h"

static void refuses_connects_below_a_gate_only(void **state)
{
	struct child in = child_new(cgroups[CG_A]), below = child_new(cgroups[CG_BELOW]);
	struct child beside = child_new(cgroups[CG_B]);
	uint64_t counters[CTL_COUNTERS];

	assert_int_equal(tap_add_address(tap, (void *)&server, CTL_AI), 0);
	assert_int_equal(tell(&in, 'c'), 0);
	gate_set(CG_A, UINT64_MAX);
	assert_int_equal(tell(&in, 'c'), EPERM);
	assert_int_equal(tell(&below, 'c'), EPERM);
	assert_int_equal(tell(&beside, 'c'), 0);
	assert_int_equal(gate_hits(CG_A), 2);
	assert_int_equal(tap_counters(tap, counters), 0);
	assert_int_equal(counters[CTL_REFUSED_CONNECTS], 2);
	assert_int_equal(tap_gate_clear(tap, ids[CG_A]), 0);
	assert_int_equal(tell(&in, 'c'), 0);
	assert_int_equal(tell(&below, 'c'), 0);
	child_end(&in);
	child_end(&below);
	child_end(&beside);
}

/* The client goes to an AI host, and the server answers in TLS: from then on its address is known. */
static void learn_address(const struct child *child)
{
	int fd;

	assert_int_equal(tell(child, 'c'), 0);
	fd = server_accept();
	assert_int_equal(tell(child, 'a'), 0);
	assert_int_equal(server_read(fd, 517, 2000), 517);
	answered(child, fd);
	close(fd);
}

static void does_not_refuse_a_shared_address(void **state)
{
	struct child child = child_new(cgroups[CG_B]), other = child_new(cgroups[CG_A]);

	learn_address(&child);
	gate_set(CG_A, UINT64_MAX);
	assert_int_equal(tell(&other, 'c'), EPERM);
	assert_int_equal(tell(&child, 'c'), 0);
	assert_int_equal(tell(&child, 'o'), 0); /* another name */
	assert_int_equal(tell(&other, 'c'), 0);
	/* what the node's resolver says is nobody's to take back */
	assert_int_equal(tap_add_address(tap, (void *)&server, CTL_AI), 0);
	assert_int_equal(tell(&other, 'c'), EPERM);
	child_end(&child);
	child_end(&other);
}

/* A ClientHello is its client's word: it makes no AI host of the server that it is sent to. */
static void learns_no_address_from_a_hello(void **state)
{
	struct child child = child_new(cgroups[CG_B]), other = child_new(cgroups[CG_A]);
	int fd;

	assert_int_equal(tell(&child, 'c'), 0);
	fd = server_accept();
	assert_int_equal(tell(&child, 'a'), 0);
	assert_int_equal(server_read(fd, 517, 2000), 517);
	assert_int_equal(send(fd, "N", 1, 0), 1); /* as a database that speaks no TLS */
	assert_int_equal(tell(&child, 'i'), 0);
	assert_int_equal(tell(&child, 'f'), 0);
	assert_int_equal(tell(&child, 'r'), 0);
	assert_true(server_read(fd, 100, 2000) > 0);
	gate_set(CG_A, UINT64_MAX);
	assert_int_equal(tell(&other, 'c'), 0);
	close(fd);
	child_end(&child);
	child_end(&other);
}

static void drops_the_hello_and_resets_its_socket(void **state)
{
	struct child child = child_new(cgroups[CG_BELOW]);
	int fd;

	gate_set(CG_A, UINT64_MAX);
	assert_int_equal(tell(&child, 'c'), 0);
	fd = server_accept();
	assert_int_equal(tell(&child, 'a'), 0);
	take_events(1);
	assert_int_equal(last[0].state, EV_FLOW_REFUSED);
	assert_string_equal(last[0].host, AI_HOST);
	assert_int_equal(tap_destroy(tap, &last[0]), 0);
	assert_int_equal(tell(&child, 'w'), ECONNABORTED);
	assert_int_equal(server_read(fd, 1, 300), 0);
	assert_int_equal(gate_hits(CG_A), 1);
	take_events(2);
	assert_int_equal(last[1].head.type, EV_FLOW_END);
	assert_int_equal(tap_destroy(tap, &last[0]), -ENOENT);
	close(fd);
	child_end(&child);
}

static void stops_requests_of_live_ai_flows_but_no_others(void **state)
{
	struct child ai = child_new(cgroups[CG_A]), other = child_new(cgroups[CG_A]);
	int ai_fd, other_fd;

	assert_int_equal(tell(&ai, 'c'), 0);
	assert_int_equal(tell(&ai, 'a'), 0);
	ai_fd = server_accept();
	assert_int_equal(server_read(ai_fd, 517, 2000), 517);
	assert_int_equal(tell(&other, 'c'), 0);
	assert_int_equal(tell(&other, 'o'), 0);
	other_fd = server_accept();
	assert_int_equal(server_read(other_fd, 517, 2000), 517);

	gate_set(CG_A, UINT64_MAX);
	assert_int_equal(tell(&ai, 'd'), 0);
	assert_int_equal(tell(&other, 'd'), 0);
	assert_int_equal(server_read(other_fd, 10, 2000), 10);
	assert_int_equal(server_read(ai_fd, 1, 300), 0);
	take_events(1);
	assert_int_equal(tap_destroy(tap, &last[0]), 0);
	assert_int_equal(tell(&ai, 'w'), ECONNABORTED);
	assert_int_equal(tell(&other, 'd'), 0);
	assert_int_equal(server_read(other_fd, 10, 2000), 10);
	close(ai_fd);
	close(other_fd);
	child_end(&ai);
	child_end(&other);
}

static void turns_new_connections_away_and_lets_live_ones_go_on(void **state)
{
	struct ctl_gate gate = { .lease_ns = UINT64_MAX, .state = CTL_TURN_AWAY };
	struct child live = child_new(cgroups[CG_A]), late = child_new(cgroups[CG_A]);
	int fd;

	assert_int_equal(tell(&live, 'c'), 0);
	assert_int_equal(tell(&live, 'a'), 0);
	fd = server_accept();
	assert_int_equal(server_read(fd, 517, 2000), 517);
	assert_int_equal(tap_gate_set(tap, ids[CG_A], &gate), 0);
	assert_int_equal(tell(&live, 'd'), 0);
	assert_int_equal(server_read(fd, 10, 2000), 10);
	answered(&live, fd);
	assert_int_equal(tell(&late, 'c'), EPERM);
	close(fd);
	child_end(&live);
	child_end(&late);
}

static struct loop *busy_loop;

static void be_busy(void *arg)
{
	usleep(*(const useconds_t *)arg);
	loop_stop(busy_loop);
}

/* A gate whose lease ends in 3 s, while the loop does one thing for 5 s. */
static void stays_shut_while_the_loop_is_late(void **state)
{
	useconds_t us = 5000000;
	struct leases *leases;
	struct loop_stats stats;
	struct ctl_gate gate;

	assert_int_equal(loop_new(&busy_loop), 0);
	assert_int_equal(leases_new(&leases, tap, busy_loop, 3 * NS_PER_S), 0);
	gate_set(CG_A, clock_mono_ns() + 3 * NS_PER_S);
	gate_set(CG_B, UINT64_MAX);
	assert_int_equal(loop_add_timer(busy_loop, 10 * NS_PER_MS, be_busy, &us, NULL), 0);
	assert_int_equal(loop_run(busy_loop), 0);
	assert_int_equal(tap_gate_get(tap, ids[CG_A], &gate), 0);
	assert_true(gate.lease_ns > clock_mono_ns());
	assert_int_equal(tap_gate_get(tap, ids[CG_B], &gate), 0);
	assert_int_equal(gate.lease_ns, UINT64_MAX);
	loop_stats(busy_loop, &stats);
	assert_int_equal(stats.late, 1);
	assert_in_range(stats.longest_ns, 5 * NS_PER_S, 20 * NS_PER_S);
	/* It is idle now: whoever renews gates is the loop's own business. */
	sleep(4);
	assert_int_equal(tap_gate_get(tap, ids[CG_A], &gate), 0);
	assert_true(gate.lease_ns < clock_mono_ns());
	leases_free(leases);
	loop_free(busy_loop);
}

static void opens_when_the_lease_ends(void **state)
{
	struct child child = child_new(cgroups[CG_A]);
	int fd;

	gate_set(CG_A, clock_mono_ns() + 600 * NS_PER_MS);
	assert_int_equal(tell(&child, 'c'), 0);
	fd = server_accept();
	assert_int_equal(tell(&child, 'a'), 0);
	take_events(1);
	assert_int_equal(last[0].state, EV_FLOW_REFUSED);
	assert_int_equal(server_read(fd, 517, 3000), 517); /* TCP sends it again */
	take_events(2);
	assert_int_equal(last[1].head.type, EV_FLOW);
	assert_int_equal(last[1].state, EV_FLOW_SEEN);
	assert_string_equal(last[1].host, AI_HOST);
	assert_int_equal(last[1].bytes[EV_OUT], 517);
	assert_int_equal(tell(&child, 'c'), 0);
	close(fd);
	child_end(&child);
}

static void resets_a_socket_in_another_namespace(void **state)
{
	struct child child = child_new(cgroups[CG_A]);
	int own = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);

	assert_int_equal(tell(&child, 'c'), 0);
	assert_int_equal(tell(&child, 'a'), 0);
	take_events(1);
	assert_int_equal(unshare(CLONE_NEWNET), 0);
	assert_int_equal(tap_destroy(tap, &last[0]), 0);
	assert_int_equal(tell(&child, 'w'), ECONNABORTED);
	last[0].head.tgid = 1; /* as when the process has left: found by another one */
	assert_int_equal(tap_destroy(tap, &last[0]), -ENOENT);
	assert_int_equal(setns(own, CLONE_NEWNET), 0);
	close(own);
	child_end(&child);
}

static void gates_leave_with_the_daemon(void **state)
{
	struct child child = child_new(cgroups[CG_A]);

	assert_int_equal(tap_add_address(tap, (void *)&server, CTL_AI), 0);
	gate_set(CG_A, UINT64_MAX);
	assert_int_equal(tell(&child, 'c'), EPERM);
	tap = tap_free(tap);
	assert_int_equal(tell(&child, 'c'), 0);
	child_end(&child);
}

static void stops_quic_to_an_ai_address(void **state)
{
	struct child child = child_new(cgroups[CG_A]), beside = child_new(cgroups[CG_B]);
	struct sockaddr_in to = server;

	to.sin_port = htons(443);
	assert_int_equal(tap_add_address(tap, (void *)&to, CTL_AI), 0);
	assert_int_equal(tell(&child, 'q'), 0);
	gate_set(CG_A, UINT64_MAX);
	assert_int_equal(tell(&child, 'q'), EPERM);
	assert_int_equal(tell(&beside, 'q'), 0);
	assert_int_equal(gate_hits(CG_A), 1);
	child_end(&child);
	child_end(&beside);
}

/* The same where nobody but a connection of the same namespace has told whose the address is. */
static void stops_quic_to_an_address_that_a_connection_taught(void **state)
{
	struct child child;
	int fd;

	close(listener);
	server.sin_port = htons(443);
	listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(listener, (void *)&server, sizeof(server)), 0);
	assert_int_equal(listen(listener, 1), 0);
	child = child_new(cgroups[CG_A]);
	assert_int_equal(tell(&child, 'c'), 0);
	fd = server_accept();
	assert_int_equal(tell(&child, 'a'), 0);
	answered(&child, fd);
	assert_int_equal(tell(&child, 'q'), 0);
	gate_set(CG_A, UINT64_MAX);
	assert_int_equal(tell(&child, 'q'), EPERM);
	close(fd);
	child_end(&child);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(refuses_connects_below_a_gate_only),
		TEST(does_not_refuse_a_shared_address),
		TEST(learns_no_address_from_a_hello),
		TEST(drops_the_hello_and_resets_its_socket),
		TEST(stops_requests_of_live_ai_flows_but_no_others),
		TEST(turns_new_connections_away_and_lets_live_ones_go_on),
		TEST(stays_shut_while_the_loop_is_late),
		TEST(opens_when_the_lease_ends),
		TEST(resets_a_socket_in_another_namespace),
		TEST(gates_leave_with_the_daemon),
		TEST(stops_quic_to_an_ai_address),
		TEST(stops_quic_to_an_address_that_a_connection_taught),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}

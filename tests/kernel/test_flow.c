/* SPDX-License-Identifier: Apache-2.0 */
/* What the flow look sees and counts, on the running kernel. Needs root. */
#include "world.h"

static void tells_of_an_ai_flow_and_counts_it(void **state)
{
	struct child child = child_new(cgroups[CG_A]);
	struct ctl_flow counts;
	struct stat net;
	int fd;

	assert_int_equal(tell(&child, 'c'), 0);
	assert_int_equal(tell(&child, 'a'), 0);
	take_events(1);
	assert_int_equal(last[0].head.type, EV_FLOW);
	assert_string_equal(last[0].host, AI_HOST);
	assert_int_equal(last[0].head.tgid, child.pid);
	assert_int_equal(last[0].head.cgroup, ids[CG_A]);
	assert_int_equal(last[0].state, EV_FLOW_SEEN);
	assert_int_equal(last[0].verdict, CTL_AI);
	assert_int_equal(last[0].family, AF_INET);
	assert_int_equal(last[0].remote_addr[0], 127);
	assert_int_equal(stat("/proc/self/ns/net", &net), 0);
	assert_int_equal(last[0].netns, net.st_ino);
	assert_non_null(strstr(last[0].comm, "test_"));

	fd = server_accept();
	assert_int_equal(server_read(fd, 517, 2000), 517);
	assert_int_equal(tell(&child, 'd'), 0);
	assert_int_equal(server_read(fd, 10, 2000), 10);
	assert_int_equal(tap_flow_get(tap, last[0].head.id, &counts), 0);
	assert_int_equal(counts.bytes[EV_OUT], 527);
	assert_int_equal(send(fd, "12345", 5, 0), 5);
	assert_int_equal(tell(&child, 'd'), 0);
	assert_int_equal(server_read(fd, 10, 2000), 10);
	assert_int_equal(tell(&child, 'x'), 0);
	close(fd);
	take_events(2);
	assert_int_equal(last[1].head.type, EV_FLOW_END);
	assert_int_equal(last[1].head.id, last[0].head.id);
	assert_int_equal(last[1].head.cgroup, ids[CG_A]);
	assert_int_equal(last[1].bytes[EV_OUT], 537);
	assert_int_equal(last[1].bytes[EV_IN], 5);
	assert_int_equal(last[1].unread, 5);
	assert_int_equal(tap_flow_get(tap, last[0].head.id, &counts), -ENOENT);
	child_end(&child);
}

/* TLS 1.3: the server's flight, Finished, request; then 2 tickets come that were not there yet. */
static void knows_where_the_handshake_ends(void **state)
{
	struct child child = child_new(cgroups[CG_A]);
	struct ctl_flow counts;
	char flight[3000] = { 22, 3, 3 };
	int fd;

	assert_int_equal(tell(&child, 'c'), 0);
	assert_int_equal(tell(&child, 'a'), 0);
	take_events(1);
	assert_int_equal(last[0].handshake[EV_OUT], 517);
	fd = server_accept();
	assert_int_equal(server_read(fd, 517, 2000), 517);
	assert_int_equal(send(fd, flight, sizeof(flight), 0), sizeof(flight));
	assert_int_equal(tell(&child, 'f'), 0);
	assert_int_equal(server_read(fd, 80, 2000), 80);
	assert_int_equal(tap_flow_get(tap, last[0].head.id, &counts), 0);
	assert_int_equal(counts.handshake[EV_OUT], 597);
	assert_int_equal(counts.handshake[EV_IN], 3000);
	assert_int_equal(tell(&child, 'r'), 0);
	assert_int_equal(server_read(fd, 1005, 2000), 1005);
	assert_int_equal(send(fd, flight, 700, 0), 700);
	assert_int_equal(tell(&child, 'r'), 0);
	assert_int_equal(server_read(fd, 1005, 2000), 1005);
	assert_int_equal(tell(&child, 'x'), 0);
	close(fd);
	take_events(2);
	assert_int_equal(last[1].bytes[EV_OUT], 597 + 2 * 1005);
	assert_int_equal(last[1].bytes[EV_IN], 3700);
	assert_int_equal(last[1].handshake[EV_OUT], 597);
	assert_int_equal(last[1].handshake[EV_IN], 3510);
	child_end(&child);
}

/* A keep-alive of requests; tickets that come amidst the first one are no answer, nor is a second record of one. */
static void counts_the_requests_of_a_connection(void **state)
{
	struct child child = child_new(cgroups[CG_A]);
	char flight[3000] = { 22, 3, 3 }, answer[905] = { 23, 3, 3, 900 >> 8, 900 & 255 };
	struct ctl_flow counts;
	int fd;

	assert_int_equal(tell(&child, 'c'), 0);
	assert_int_equal(tell(&child, 'a'), 0);
	take_events(1);
	fd = server_accept();
	assert_int_equal(server_read(fd, 517, 2000), 517);
	assert_int_equal(send(fd, flight, sizeof(flight), 0), sizeof(flight));
	assert_int_equal(tell(&child, 'f'), 0);
	assert_int_equal(tell(&child, 'r'), 0);
	assert_int_equal(server_read(fd, 80 + 1005, 2000), 80 + 1005);
	assert_int_equal(send(fd, answer, 510, 0), 510); /* as tickets */
	assert_int_equal(tell(&child, 'r'), 0);
	assert_int_equal(server_read(fd, 1005, 2000), 1005);
	assert_int_equal(tap_flow_get(tap, last[0].head.id, &counts), 0);
	assert_int_equal(counts.requests, 1);
	for (uint32_t i = 2; i <= 20; i++) {
		assert_int_equal(send(fd, answer, sizeof(answer), 0), sizeof(answer));
		usleep(2000);
		assert_int_equal(tell(&child, 'r'), 0);
		assert_int_equal(server_read(fd, 1005, 2000), 1005);
		assert_int_equal(tell(&child, 'r'), 0);
		assert_int_equal(server_read(fd, 1005, 2000), 1005);
		assert_int_equal(tap_flow_get(tap, last[0].head.id, &counts), 0);
		assert_int_equal(counts.requests, i);
	}
	assert_int_equal(tell(&child, 'x'), 0);
	close(fd);
	take_events(2);
	assert_int_equal(last[1].requests, 20);
	child_end(&child);
}

static void all_is_handshake_while_nothing_is_asked(void **state)
{
	struct child child = child_new(cgroups[CG_A]);
	int fd;

	assert_int_equal(tell(&child, 'c'), 0);
	assert_int_equal(tell(&child, 'a'), 0);
	fd = server_accept();
	assert_int_equal(send(fd, "12345", 5, 0), 5);
	assert_int_equal(tell(&child, 'f'), 0);
	assert_int_equal(server_read(fd, 597, 2000), 597);
	assert_int_equal(tell(&child, 'x'), 0);
	close(fd);
	take_events(2);
	assert_int_equal(last[1].handshake[EV_OUT], 597);
	assert_int_equal(last[1].handshake[EV_IN], last[1].bytes[EV_IN]);
	child_end(&child);
}

/* What begins like TLS and goes on as something else: its handshake is not known, not wrong. */
static void does_not_guess_at_strange_records(void **state)
{
	struct child child = child_new(cgroups[CG_A]);

	assert_int_equal(tell(&child, 'c'), 0);
	assert_int_equal(tell(&child, 'a'), 0);
	assert_int_equal(tell(&child, 'd'), 0);
	assert_int_equal(tell(&child, 'x'), 0);
	take_events(2);
	assert_int_equal(last[1].handshake[EV_OUT], 0);
	child_end(&child);
}

/*
 * An answer's head, then a stream in records of one byte each, all in one segment: what TCP makes of
 * a stream whose reader comes late.
 */
static void counts_each_of_many_small_records_in_a_segment(void **state)
{
	enum { HEAD = 310, SMALL = 23, N = 1000 };
	static char answer[HEAD + N * SMALL] = { 23, 3, 3, (HEAD - 5) >> 8, (HEAD - 5) & 255 };
	struct child child = child_new(cgroups[CG_A]);
	int fd;

	for (size_t at = HEAD; at < sizeof(answer); at += SMALL)
		memcpy(answer + at, (char[]){ 23, 3, 3, 0, SMALL - 5 }, 5);
	assert_int_equal(tell(&child, 'c'), 0);
	assert_int_equal(tell(&child, 'a'), 0);
	fd = server_accept();
	assert_int_equal(tell(&child, 'f'), 0);
	assert_int_equal(tell(&child, 'r'), 0);
	assert_int_equal(server_read(fd, 517 + 80 + 1005, 2000), 517 + 80 + 1005);
	assert_int_equal(send(fd, answer, sizeof(answer), 0), sizeof(answer));
	assert_int_equal(tell(&child, 'x'), 0);
	close(fd);
	take_events(2);
	assert_int_equal(last[1].bytes[EV_IN], sizeof(answer));
	assert_int_equal(last[1].records[EV_IN], 1 + N);
	assert_int_equal(last[1].framed[EV_IN], sizeof(answer));
	assert_int_equal(last[1].unread, sizeof(answer));
	child_end(&child);
}

/* The address is known from the first hello: the next process is told of before its own. */
static void tells_of_an_approach_once_a_process(void **state)
{
	struct child child = child_new(cgroups[CG_A]);
	struct child other = child_new(cgroups[CG_BELOW]);
	struct child third = child_new(cgroups[CG_B]);

	int fd;

	assert_int_equal(tell(&child, 'c'), 0);
	fd = server_accept();
	assert_int_equal(tell(&child, 'a'), 0);
	assert_int_equal(server_read(fd, 517, 2000), 517);
	answered(&child, fd);
	take_events(1);
	assert_int_equal(n_approaches, 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(tell(&other, 'c'), 0);
	assert_int_equal(tell(&other, 'a'), 0);
	take_events(2);
	assert_int_equal(n_approaches, 1);
	assert_int_equal(approach.head.tgid, other.pid);
	assert_int_equal(approach.head.cgroup, ids[CG_BELOW]);
	assert_string_equal(approach.host, "");
	/* another name at the address: it is shared, and a connect to it says nothing */
	assert_int_equal(tell(&child, 'c'), 0);
	assert_int_equal(tell(&child, 'o'), 0);
	assert_int_equal(tell(&third, 'c'), 0);
	assert_int_equal(tell(&third, 'a'), 0);
	take_events(4); /* the first flow's end comes when its FIN is acknowledged, before or after */
	assert_int_equal(n_approaches, 2); /* of the first process, when the address was not */
	close(fd);
	child_end(&child);
	child_end(&other);
	child_end(&third);
}

static void tells_of_an_approach_over_ipv6(void **state)
{
	struct child child = child_new(cgroups[CG_A]);

	assert_int_equal(tap_add_address(tap, (void *)&server6, CTL_AI), 0);
	assert_int_equal(tell(&child, '6'), 0);
	assert_int_equal(tell(&child, 'a'), 0);
	take_events(1);
	assert_int_equal(n_approaches, 1);
	assert_int_equal(approach.head.tgid, child.pid);
	child_end(&child);
}

static void follows_a_hello_over_three_segments(void **state)
{
	struct child child = child_new(cgroups[CG_A]);

	assert_int_equal(tell(&child, 'c'), 0);
	assert_int_equal(tell(&child, '1'), 0);
	assert_int_equal(tell(&child, '2'), 0);
	assert_int_equal(tell(&child, '3'), 0);
	assert_int_equal(tell(&child, 'x'), 0);
	take_events(2);
	assert_string_equal(last[0].host, AI_HOST);
	assert_int_equal(last[1].bytes[EV_OUT], 517);
	child_end(&child);
}

static void takes_the_name_of_a_connect_request(void **state)
{
	struct child child = child_new(cgroups[CG_A]);

	assert_int_equal(tell(&child, 'c'), 0);
	assert_int_equal(tell(&child, 'p'), 0);
	take_events(1);
	assert_string_equal(last[0].host, "api.openai.com");
	assert_true(last[0].is_tunnelled);
	/* the proxy itself is no AI address */
	gate_set(CG_A, UINT64_MAX);
	assert_int_equal(tell(&child, 'c'), 0);
	child_end(&child);
}

static void lets_a_flow_go_when_told(void **state)
{
	struct child child = child_new(cgroups[CG_A]);
	struct ctl_flow counts;
	int fd;

	assert_int_equal(tell(&child, 'c'), 0);
	assert_int_equal(tell(&child, 'a'), 0);
	take_events(1);
	fd = server_accept();
	assert_int_equal(tap_flow_decide(tap, &last[0], CTL_IGNORE), 0);
	assert_int_equal(tap_flow_get(tap, last[0].head.id, &counts), -ENOENT);
	gate_set(CG_A, UINT64_MAX);
	assert_int_equal(tell(&child, 'c'), 0); /* a shared address now */
	close(fd);
	child_end(&child);
}

static void sees_ipv6_too(void **state)
{
	struct child child = child_new(cgroups[CG_BELOW]);
	int fd;

	assert_int_equal(tell(&child, '6'), 0);
	assert_int_equal(tell(&child, 'a'), 0);
	take_events(1);
	assert_string_equal(last[0].host, AI_HOST);
	assert_int_equal(last[0].family, AF_INET6);
	assert_memory_equal(last[0].remote_addr, &in6addr_loopback, 16);
	assert_memory_equal(last[0].local_addr, &in6addr_loopback, 16);
	assert_int_equal(last[0].head.cgroup, ids[CG_BELOW]);
	fd = server_accept();
	assert_int_equal(server_read(fd, 517, 2000), 517);
	answered(&child, fd);
	/* learned: the next connect is refused, this one can be reset */
	gate_set(CG_A, UINT64_MAX);
	assert_int_equal(tap_destroy(tap, &last[0]), 0);
	take_events(2);
	assert_in_range(last[1].bytes[EV_OUT], 517 + 80 + 1005, 517 + 80 + 2 * 1005);
	assert_int_equal(last[1].bytes[EV_IN], 35);
	assert_int_equal(tell(&child, '6'), EPERM);
	assert_int_equal(tell(&child, 'c'), 0);
	close(fd);
	child_end(&child);
}

/* A server's own bytes and a client's other bytes are told to nobody. */
static void leaves_other_connections_alone(void **state)
{
	struct child child = child_new(cgroups[CG_A]);
	uint64_t counters[CTL_COUNTERS];

	assert_int_equal(tell(&child, 'c'), 0);
	assert_int_equal(tell(&child, 'd'), 0);
	assert_int_equal(tell(&child, 'a'), 0); /* not its first bytes */
	assert_int_equal(tell(&child, 'c'), 0);
	assert_int_equal(tell(&child, 'o'), 0);
	assert_int_equal(tell(&child, 'x'), 0);
	assert_int_equal(tell(&child, 'c'), 0);
	assert_int_equal(tell(&child, 'a'), 0); /* events are in order: this is the first */
	take_events(1);
	assert_string_equal(last[0].host, AI_HOST);
	assert_int_equal(tap_counters(tap, counters), 0);
	assert_int_equal(counters[CTL_HELLO_BAD], 0);
	child_end(&child);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(tells_of_an_ai_flow_and_counts_it),
		TEST(knows_where_the_handshake_ends),
		TEST(counts_the_requests_of_a_connection),
		TEST(all_is_handshake_while_nothing_is_asked),
		TEST(does_not_guess_at_strange_records),
		TEST(counts_each_of_many_small_records_in_a_segment),
		TEST(tells_of_an_approach_once_a_process),
		TEST(tells_of_an_approach_over_ipv6),
		TEST(follows_a_hello_over_three_segments),
		TEST(takes_the_name_of_a_connect_request),
		TEST(lets_a_flow_go_when_told),
		TEST(sees_ipv6_too),
		TEST(leaves_other_connections_alone),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}

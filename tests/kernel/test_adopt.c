/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is known of connections without a ClientHello in clear: those that are older than the programs,
 * and QUIC's. On the running kernel; needs root.
 */
#include "world.h"

#include <stdlib.h>

#define HELLO_BYTES   517
#define REQUEST_BYTES 1005

static void tap_begin(void)
{
	struct tap_config config = { .cgroup_root = v2, .ring_bytes = 1 << 18 };
	char *error = NULL;

	if (tap_new(&tap, &config, &error))
		fail_msg("%s", error);
	assert_int_equal(tap_add_host(tap, AI_HOST), 0);
}

/* A connection that greeted and was answered while nobody looked; the server's end of it. */
static int open_unseen(struct child *child)
{
	int fd;

	tap = tap_free(tap);
	*child = child_new(cgroups[CG_A]);
	assert_int_equal(tell(child, 'c'), 0);
	assert_int_equal(tell(child, 'a'), 0);
	fd = server_accept();
	assert_int_equal(server_read(fd, HELLO_BYTES, 2000), HELLO_BYTES);
	assert_int_equal(send(fd, "12345", 5, 0), 5);
	tap_begin();
	return fd;
}

static void request(struct child *child, int fd)
{
	assert_int_equal(tell(child, 'r'), 0);
	assert_int_equal(server_read(fd, REQUEST_BYTES, 2000), REQUEST_BYTES);
}

static struct ev_flow ended;

static void note_end(void *arg, const struct ev_head *event, size_t size)
{
	if (event->type == EV_FLOW_END && event->id == last[0].head.id)
		memcpy(&ended, event, sizeof(ended));
}

static void adopts_an_old_connection_by_its_address(void **state)
{
	struct ctl_flow counts;
	struct child child;
	int fd = open_unseen(&child);
	uint32_t owner = 0;

	assert_int_equal(tap_add_address(tap, (void *)&server, CTL_AI), 0);
	request(&child, fd);
	take_events(1);
	assert_int_equal(last[0].head.type, EV_FLOW);
	assert_true(last[0].is_adopted);
	assert_string_equal(last[0].host, "");
	assert_int_equal(last[0].head.cgroup, ids[CG_A]);
	assert_int_equal(tap_flow_owner(tap, last[0].head.id, &owner), 0);
	assert_int_equal(owner, child.pid);
	/* What it sent and got before is nobody's. */
	assert_int_equal(tap_flow_get(tap, last[0].head.id, &counts), 0);
	assert_int_equal(counts.bytes[EV_OUT], REQUEST_BYTES);
	assert_int_equal(counts.bytes[EV_IN], 0);
	assert_int_equal(send(fd, "1234567", 7, 0), 7);
	request(&child, fd);
	assert_int_equal(tell(&child, 'x'), 0);
	/* Its end is told by the socket's release, which knows the number alone. */
	for (int i = 0; i < 100 && ended.head.id != last[0].head.id; i++) {
		usleep(10000);
		assert_int_equal(tap_drain(tap, note_end, NULL), 0);
	}
	assert_int_equal(ended.head.id, last[0].head.id);
	assert_int_equal(ended.bytes[EV_OUT], 2 * REQUEST_BYTES);
	assert_int_equal(ended.bytes[EV_IN], 7);
	close(fd);
	child_end(&child);
}

/* Connected before the programs were there, so its sockops are silent; its hello came after them. */
static void reports_the_end_of_a_connection_that_greeted_late(void **state)
{
	struct child child;
	int fd;

	tap = tap_free(tap);
	child = child_new(cgroups[CG_A]);
	assert_int_equal(tell(&child, 'c'), 0);
	fd = server_accept();
	tap_begin();
	assert_int_equal(tell(&child, 'a'), 0);
	assert_int_equal(server_read(fd, HELLO_BYTES, 2000), HELLO_BYTES);
	take_events(1);
	assert_string_equal(last[0].host, AI_HOST);
	assert_false(last[0].is_adopted);
	request(&child, fd);
	assert_int_equal(tell(&child, 'x'), 0);
	for (int i = 0; i < 100 && ended.head.id != last[0].head.id; i++) {
		usleep(10000);
		assert_int_equal(tap_drain(tap, note_end, NULL), 0);
	}
	assert_int_equal(ended.head.id, last[0].head.id);
	assert_int_equal(ended.bytes[EV_OUT], HELLO_BYTES + REQUEST_BYTES);
	close(fd);
	child_end(&child);
}

/* The address is learned after the connection was looked at: it asks once more. */
static void adopts_by_an_address_that_comes_late(void **state)
{
	struct child child;
	int fd = open_unseen(&child);

	request(&child, fd);
	take_events(0);
	assert_int_equal(tap_add_address(tap, (void *)&server, CTL_AI), 0);
	request(&child, fd);
	take_events(1);
	assert_true(last[0].is_adopted);
	close(fd);
	child_end(&child);
}

static void adopts_nobody_at_a_shared_address(void **state)
{
	struct child child;
	int fd = open_unseen(&child);

	assert_int_equal(tap_add_address(tap, (void *)&server, CTL_IGNORE), 0);
	assert_int_equal(tap_add_address(tap, (void *)&server, CTL_AI), 0);
	request(&child, fd);
	assert_int_equal(tap_drain(tap, keep, NULL), 0);
	take_events(0);
	close(fd);
	child_end(&child);
}

/* Adopted first; then another name is greeted at the address. */
static void says_when_an_address_proves_to_be_shared(void **state)
{
	struct ctl_flow counts;
	struct child child, other;
	int fd = open_unseen(&child);

	assert_int_equal(tap_add_address(tap, (void *)&server, CTL_AI), 0);
	request(&child, fd);
	take_events(1);
	assert_false(tap_flow_is_shared(tap, &last[0]));
	other = child_new(cgroups[CG_B]);
	assert_int_equal(tell(&other, 'c'), 0);
	assert_int_equal(tell(&other, 'o'), 0);
	assert_true(tap_flow_is_shared(tap, &last[0]));
	/* Let go, and not adopted a second time when there is news of addresses. */
	assert_int_equal(tap_flow_decide(tap, &last[0], CTL_IGNORE), 0);
	assert_int_equal(tap_add_address(tap, (void *)&server6, CTL_AI), 0);
	request(&child, fd);
	assert_int_equal(tap_flow_get(tap, last[0].head.id, &counts), -ENOENT);
	assert_int_equal(tap_drain(tap, keep, NULL), 0);
	take_events(1);
	close(fd);
	child_end(&child);
	child_end(&other);
}

/* QUIC: what the tap told of this process. */
static struct {
	size_t n_looks, n_flows, n_ends;
	struct ev_quic look; /* the first */
	struct ev_flow flow;
	uint64_t ended;
} quic;

static void note_quic(void *arg, const struct ev_head *event, size_t size)
{
	if (event->type == EV_FLOW_END) {
		quic.n_ends++;
		quic.ended = event->id;
		return;
	}
	if (event->tgid != (uint32_t)getpid())
		return;
	if (event->type == EV_QUIC && !quic.n_looks++)
		memcpy(&quic.look, event, size < sizeof(quic.look) ? size : sizeof(quic.look));
	if (event->type == EV_FLOW && ((const struct ev_flow *)event)->is_quic && !quic.n_flows++)
		memcpy(&quic.flow, event, sizeof(quic.flow));
}

static void look(void)
{
	assert_int_equal(tap_drain(tap, note_quic, NULL), 0);
}

/* A server on port 443 and a client that is connected to it, both UDP and in this process. */
struct pair {
	int server, client;
	struct sockaddr_in to;
};

static struct pair pair_new(void)
{
	struct pair pair = { socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0),
			     socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), server };

	memset(&quic, 0, sizeof(quic));
	pair.to.sin_port = htons(443);
	assert_int_equal(bind(pair.server, (void *)&pair.to, sizeof(pair.to)), 0);
	assert_int_equal(connect(pair.client, (void *)&pair.to, sizeof(pair.to)), 0);
	return pair;
}

static void pair_end(struct pair *pair)
{
	if (pair->client >= 0)
		close(pair->client);
	close(pair->server);
}

/* Of a short header: a packet of application data. */
static void answer(struct pair *pair, size_t len)
{
	struct sockaddr_in client;
	socklen_t size = sizeof(client);
	char data[2048] = { 0x40 };

	assert_int_equal(getsockname(pair->client, (void *)&client, &size), 0);
	assert_int_equal(sendto(pair->server, data, len, 0, (void *)&client, size), len);
	assert_int_equal(recv(pair->client, data, sizeof(data), 0), len);
}

static void ask(struct pair *pair, const void *data, size_t len)
{
	char got[4096];

	assert_int_equal(send(pair->client, data, len, 0), len);
	assert_int_equal(recv(pair->server, got, sizeof(got), 0), len);
}

/* The first datagram of a real client. */
static size_t initial(char *data, size_t size)
{
	int fd = open("tests/fuzz/corpus/quic/ngtcp2", O_RDONLY | O_CLOEXEC);
	uint16_t len = 0;

	assert_int_equal(read(fd, &len, sizeof(len)), sizeof(len));
	assert_in_range(len, 1200, size);
	assert_int_equal(read(fd, data, len), len);
	close(fd);
	return len;
}

static void shows_the_first_datagrams_of_quic_and_counts_what_is_ai(void **state)
{
	struct pair pair = pair_new();
	char hello[2048], data[100] = { 0x40 };
	size_t len = initial(hello, sizeof(hello));
	struct ctl_flow counts;

	ask(&pair, hello, len);
	look();
	assert_int_equal(quic.n_looks, 1);
	assert_int_equal(quic.look.len, len);
	assert_memory_equal(quic.look.bytes, hello, len);
	assert_true(quic.look.flow.is_quic);
	assert_int_equal(quic.look.flow.remote_port, 443);
	assert_int_equal(quic.look.flow.family, AF_INET);
	assert_int_equal(quic.look.flow.remote_addr[0], 127);
	for (int i = 0; i < 6; i++)
		ask(&pair, hello, len);
	look();
	assert_int_equal(quic.n_looks, 4); /* QUIC_LOOKS of bpf/quic.h */
	assert_int_equal(tap_decide(tap, quic.look.flow.head.id, CTL_AI), 0);
	ask(&pair, data, sizeof(data));
	answer(&pair, 1000);
	answer(&pair, 500);
	assert_int_equal(tap_flow_get(tap, quic.look.flow.head.id, &counts), 0);
	assert_int_equal(counts.bytes[EV_OUT], 7 * len + sizeof(data));
	assert_int_equal(counts.handshake[EV_OUT], 7 * len);
	assert_int_equal(counts.framed[EV_OUT], sizeof(data));
	assert_int_equal(counts.bytes[EV_IN], 1500);
	assert_int_equal(counts.records[EV_IN], 2);
	/* The socket's end is told by the socket's number. */
	close(pair.client);
	pair.client = -1;
	look();
	assert_int_equal(quic.n_ends, 1);
	assert_int_equal(quic.ended, quic.look.flow.socket);
	pair_end(&pair);
}

static void forgets_quic_that_is_no_ai_s(void **state)
{
	struct pair pair = pair_new();
	char hello[2048];
	size_t len = initial(hello, sizeof(hello));
	struct ctl_flow counts;

	ask(&pair, hello, len);
	look();
	assert_int_equal(quic.n_looks, 1);
	assert_int_equal(tap_decide(tap, quic.look.flow.head.id, CTL_IGNORE), 0);
	for (int i = 0; i < 3; i++)
		ask(&pair, hello, len);
	look();
	assert_int_equal(quic.n_looks, 1);
	assert_int_equal(tap_flow_get(tap, quic.look.flow.head.id, &counts), 0);
	assert_int_equal(counts.bytes[EV_OUT], len); /* none since */
	pair_end(&pair);
}

/* In its middle when the programs came: nothing tells its name but the address. */
static void adopts_quic_by_its_address_alone(void **state)
{
	struct pair pair = pair_new();
	char data[200] = { 0x40 };
	struct ctl_flow counts;

	ask(&pair, data, sizeof(data));
	look();
	assert_int_equal(quic.n_looks + quic.n_flows, 0);
	pair_end(&pair);

	pair = pair_new();
	assert_int_equal(tap_add_address(tap, (void *)&pair.to, CTL_AI), 0);
	ask(&pair, data, sizeof(data));
	look();
	assert_int_equal(quic.n_looks, 0);
	assert_int_equal(quic.n_flows, 1);
	assert_true(quic.flow.is_adopted);
	assert_int_equal(tap_flow_get(tap, quic.flow.head.id, &counts), 0);
	assert_int_equal(counts.bytes[EV_OUT], sizeof(data));
	assert_false(tap_flow_is_shared(tap, &quic.flow));
	pair_end(&pair);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(adopts_an_old_connection_by_its_address),
		TEST(reports_the_end_of_a_connection_that_greeted_late),
		TEST(adopts_by_an_address_that_comes_late),
		TEST(adopts_nobody_at_a_shared_address),
		TEST(says_when_an_address_proves_to_be_shared),
		TEST(shows_the_first_datagrams_of_quic_and_counts_what_is_ai),
		TEST(forgets_quic_that_is_no_ai_s),
		TEST(adopts_quic_by_its_address_alone),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}

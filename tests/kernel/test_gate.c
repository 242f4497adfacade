/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Flows and gates on the running kernel: real sockets on loopback, in a network namespace and
 * cgroups of this test's own. A child per role does what a program would. Needs root.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "tap/tap.h"

#define V2 "/sys/fs/cgroup/unified"
#define AI_HOST "api.anthropic.com"

/* What a test works with: a tap, a listener in its own namespace, cgroups a, a/below and b. */
static struct tap *tap;
static int listener = -1;
static struct sockaddr_in server;
static char cgroups[3][96];
static uint64_t ids[3];
enum { CG_A, CG_BELOW, CG_B };

static struct ev_flow last[4];	/* EV_FLOW and EV_FLOW_END since take_events() began, in order */
static size_t n_last;

static void keep(void *arg, const struct ev_head *event, size_t size)
{
	const struct ev_flow *flow = (const void *)event;

	if (event->type != EV_FLOW && event->type != EV_FLOW_END)
		return;
	assert_int_equal(size, sizeof(*flow));
	if (flow->remote_port == ntohs(server.sin_port) && n_last < 4)
		last[n_last++] = *flow;
}

static void take_events(size_t n)
{
	struct pollfd poll_fd = { .fd = tap_fd(tap), .events = POLLIN };
	uint64_t end = clock_mono_ns() + 5 * NS_PER_S;

	while (n_last < n && clock_mono_ns() < end) {
		poll(&poll_fd, 1, 100);
		assert_int_equal(tap_drain(tap, keep, NULL), 0);
	}
	assert_int_equal(n_last, n);
}

static void loopback_up(void)
{
	struct ifreq lo = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	assert_int_equal(ioctl(fd, SIOCSIFFLAGS, &lo), 0);
	close(fd);
}

static void join_cgroup(const char *cgroup)
{
	char path[128], pid[16];
	int fd, n = snprintf(pid, sizeof(pid), "%d", getpid());

	snprintf(path, sizeof(path), "%s/cgroup.procs", cgroup);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, pid, n) != n)
		_exit(99);
	close(fd);
}

/* What a child is told to do, one letter at a time, and what it answers: an errno. */
struct child {
	pid_t pid;
	int to, from;
};

static ssize_t read_corpus(const char *name, char *data, size_t size)
{
	char path[128];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "tests/fuzz/corpus/hello/%s.bin", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = read(fd, data, size);
	close(fd);
	return n;
}

static int send_part(int fd, const char *name, size_t from, size_t to)
{
	char data[4096];
	ssize_t n = read_corpus(name, data, sizeof(data));

	if (n <= 0)
		return ENOENT;
	if (to > (size_t)n)
		to = (size_t)n;
	return send(fd, data + from, to - from, MSG_NOSIGNAL) < 0 ? errno : 0;
}

static int obey(int *fd, char what)
{
	struct pollfd wait = { .fd = *fd, .events = POLLIN };
	int error = 0, one = 1;
	socklen_t size = sizeof(error);

	switch (what) {
	case 'c':	/* connect anew */
		if (*fd >= 0)
			close(*fd);
		*fd = socket(AF_INET, SOCK_STREAM, 0);
		setsockopt(*fd, IPPROTO_TCP, 1 /* TCP_NODELAY */, &one, sizeof(one));
		return connect(*fd, (void *)&server, sizeof(server)) ? errno : 0;
	case 'a': return send_part(*fd, "curl", 0, SIZE_MAX);		/* an AI name */
	case '1': return send_part(*fd, "curl", 0, 100);
	case '2': return send_part(*fd, "curl", 100, 200);
	case '3': return send_part(*fd, "curl", 200, SIZE_MAX);
	case 'o': return send_part(*fd, "wget", 0, SIZE_MAX);		/* localhost */
	case 'p': return send_part(*fd, "curl_proxy_request", 0, SIZE_MAX);
	case 'd': return send(*fd, "0123456789", 10, MSG_NOSIGNAL) < 0 ? errno : 0;
	case 'w':	/* wait for a reset */
		poll(&wait, 1, 5000);
		getsockopt(*fd, SOL_SOCKET, SO_ERROR, &error, &size);
		return error;
	case 'x': close(*fd); *fd = -1; return 0;
	}
	return EINVAL;
}

static struct child child_new(const char *cgroup)
{
	int down[2], up[2], fd = -1, answer;
	struct child child;
	char what;

	assert_int_equal(pipe2(down, O_CLOEXEC), 0);
	assert_int_equal(pipe2(up, O_CLOEXEC), 0);
	child.pid = fork();
	if (!child.pid) {
		close(down[1]);
		tap_free(tap);	/* its copies of the links would hold the programs in place */
		join_cgroup(cgroup);
		while (read(down[0], &what, 1) == 1) {
			answer = obey(&fd, what);
			if (write(up[1], &answer, sizeof(answer)) < 0)
				break;
		}
		_exit(0);
	}
	close(down[0]);
	close(up[1]);
	child.to = down[1];
	child.from = up[0];
	return child;
}

static int tell(const struct child *child, char what)
{
	int answer = -1;

	assert_int_equal(write(child->to, &what, 1), 1);
	assert_int_equal(read(child->from, &answer, sizeof(answer)), sizeof(answer));
	return answer;
}

static void child_end(struct child *child)
{
	close(child->to);
	close(child->from);
	kill(child->pid, SIGKILL);	/* a child born later holds the pipe too */
	waitpid(child->pid, NULL, 0);
}

static int server_accept(void)
{
	struct pollfd wait = { .fd = listener, .events = POLLIN };

	assert_int_equal(poll(&wait, 1, 5000), 1);
	return accept4(listener, NULL, NULL, SOCK_CLOEXEC);
}

/* How many bytes came before nothing came for a while. */
static size_t server_read(int fd, size_t wanted, int patience_ms)
{
	struct pollfd wait = { .fd = fd, .events = POLLIN };
	char data[4096];
	size_t sum = 0;
	ssize_t n;

	while (sum < wanted && poll(&wait, 1, patience_ms) == 1) {
		n = recv(fd, data, sizeof(data), 0);
		if (n <= 0)
			break;
		sum += (size_t)n;
	}
	return sum;
}

static void gate_set(int cgroup, uint64_t lease_ns)
{
	struct ctl_gate gate = { .lease_ns = lease_ns, .state = CTL_REFUSE };

	assert_int_equal(tap_gate_set(tap, ids[cgroup], &gate), 0);
}

static uint64_t gate_hits(int cgroup)
{
	struct ctl_gate gate;

	assert_int_equal(tap_gate_get(tap, ids[cgroup], &gate), 0);
	return gate.hits;
}

static int group_setup(void **state)
{
	if (unshare(CLONE_NEWNET))
		return -1;
	loopback_up();
	for (int i = 0; i < 3; i++) {
		struct stat st;

		snprintf(cgroups[i], sizeof(cgroups[i]), V2 "/aigress-gate-%d%s", getpid(),
			 i == CG_A ? "-a" : i == CG_B ? "-b" : "-a/below");
		assert_int_equal(mkdir(cgroups[i], 0755), 0);
		assert_int_equal(stat(cgroups[i], &st), 0);
		ids[i] = st.st_ino;
	}
	return 0;
}

/* Kills what a failed test left behind; a killed task leaves its cgroup a moment later. */
static void remove_cgroup(const char *cgroup)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/cgroup.kill", cgroup);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, "1", 1) != 1)
		print_error("%s: %s\n", path, strerror(errno));
	close(fd);
	while (waitpid(-1, NULL, 0) > 0)
		;
	if (rmdir(cgroup))
		print_error("%s: %s\n", cgroup, strerror(errno));
}

static int group_teardown(void **state)
{
	remove_cgroup(cgroups[CG_BELOW]);
	remove_cgroup(cgroups[CG_B]);
	remove_cgroup(cgroups[CG_A]);
	return 0;
}

/* Each test has its own tap and port, so nothing learned reaches the next. */
static int setup(void **state)
{
	struct tap_config config = { .cgroup_root = V2, .ring_bytes = 1 << 18 };
	socklen_t size = sizeof(server);
	char *error = NULL;

	if (tap_new(&tap, &config, &error))
		fail_msg("%s", error);
	assert_int_equal(tap_add_host(tap, AI_HOST), 0);
	assert_int_equal(tap_add_host(tap, "api.openai.com"), 0);
	listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	server = (struct sockaddr_in){ .sin_family = AF_INET };
	server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(listener, (void *)&server, sizeof(server)), 0);
	assert_int_equal(listen(listener, 8), 0);
	assert_int_equal(getsockname(listener, (void *)&server, &size), 0);
	n_last = 0;
	return 0;
}

static int teardown(void **state)
{
	close(listener);
	tap = tap_free(tap);
	return 0;
}

static void tells_of_an_ai_flow_and_counts_it(void **state)
{
	struct child child = child_new(cgroups[CG_A]);
	uint64_t bytes[2];
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
	assert_int_equal(tap_flow_bytes(tap, last[0].head.id, bytes), 0);
	assert_int_equal(bytes[EV_OUT], 527);
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
	assert_int_equal(tap_flow_bytes(tap, last[0].head.id, bytes), -ENOENT);
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
	uint64_t bytes[2];
	int fd;

	assert_int_equal(tell(&child, 'c'), 0);
	assert_int_equal(tell(&child, 'a'), 0);
	take_events(1);
	fd = server_accept();
	assert_int_equal(tap_flow_decide(tap, &last[0], CTL_IGNORE), 0);
	assert_int_equal(tap_flow_bytes(tap, last[0].head.id, bytes), -ENOENT);
	gate_set(CG_A, UINT64_MAX);
	assert_int_equal(tell(&child, 'c'), 0);	/* a shared address now */
	close(fd);
	child_end(&child);
}

static void refuses_connects_below_a_gate_only(void **state)
{
	struct child in = child_new(cgroups[CG_A]), below = child_new(cgroups[CG_BELOW]);
	struct child beside = child_new(cgroups[CG_B]);
	uint64_t counters[CTL_COUNTERS];

	assert_int_equal(tap_add_address(tap, (void *)&server), 0);
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

static void does_not_refuse_a_shared_address(void **state)
{
	struct child child = child_new(cgroups[CG_A]);

	assert_int_equal(tap_add_address(tap, (void *)&server), 0);
	assert_int_equal(tell(&child, 'c'), 0);
	assert_int_equal(tell(&child, 'o'), 0);
	gate_set(CG_A, UINT64_MAX);
	assert_int_equal(tell(&child, 'c'), 0);
	child_end(&child);
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
	assert_int_equal(server_read(fd, 517, 3000), 517);	/* TCP sends it again */
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
	last[0].head.tgid = 1;	/* as when the process has left: found by another one */
	assert_int_equal(tap_destroy(tap, &last[0]), -ENOENT);
	assert_int_equal(setns(own, CLONE_NEWNET), 0);
	close(own);
	child_end(&child);
}

static void gates_leave_with_the_daemon(void **state)
{
	struct child child = child_new(cgroups[CG_A]);

	assert_int_equal(tap_add_address(tap, (void *)&server), 0);
	gate_set(CG_A, UINT64_MAX);
	assert_int_equal(tell(&child, 'c'), EPERM);
	tap = tap_free(tap);
	assert_int_equal(tell(&child, 'c'), 0);
	child_end(&child);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(tells_of_an_ai_flow_and_counts_it),
		TEST(follows_a_hello_over_three_segments),
		TEST(takes_the_name_of_a_connect_request),
		TEST(lets_a_flow_go_when_told),
		TEST(refuses_connects_below_a_gate_only),
		TEST(does_not_refuse_a_shared_address),
		TEST(drops_the_hello_and_resets_its_socket),
		TEST(stops_requests_of_live_ai_flows_but_no_others),
		TEST(opens_when_the_lease_ends),
		TEST(resets_a_socket_in_another_namespace),
		TEST(gates_leave_with_the_daemon),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}

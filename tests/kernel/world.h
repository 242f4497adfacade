/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tests of flows and gates share: a tap, a listener on loopback in a network namespace of
 * their own, three cgroups, and children that do what a program would, one letter at a time.
 */
#ifndef WORLD_H
#define WORLD_H

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
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "tap/tap.h"
#include "who/who.h"

#define AI_HOST "api.anthropic.com"

/* What a test works with: a tap, a listener in its own namespace, cgroups a, a/below and b. */
static struct tap *tap;
static char v2[64]; /* the cgroup v2 mount */
static int listener = -1;
static struct sockaddr_in server;
static struct sockaddr_in6 server6; /* the same listener */
static char cgroups[3][96];
static uint64_t ids[3];
enum { CG_A, CG_BELOW, CG_B };

static struct ev_flow last[4]; /* EV_FLOW and EV_FLOW_END since take_events() began, in order */
static size_t n_last;
static struct ev_flow approach; /* the newest EV_FLOW_APPROACH, which is not in last[] */
static size_t n_approaches;

static inline void keep(void *arg, const struct ev_head *event, size_t size)
{
	const struct ev_flow *flow = (const void *)event;

	if (event->type != EV_FLOW && event->type != EV_FLOW_END)
		return;
	assert_int_equal(size, sizeof(*flow));
	if (flow->remote_port != ntohs(server.sin_port))
		return; /* somebody else's on this host */
	if (flow->state == EV_FLOW_APPROACH) {
		approach = *flow;
		n_approaches++;
	} else if (n_last < 4) {
		last[n_last++] = *flow;
	}
}

static inline void take_events(size_t n)
{
	struct pollfd poll_fd = { .fd = tap_fd(tap), .events = POLLIN };
	uint64_t end = clock_mono_ns() + 5 * NS_PER_S;

	while (n_last < n && clock_mono_ns() < end) {
		poll(&poll_fd, 1, 100);
		assert_int_equal(tap_drain(tap, keep, NULL), 0);
	}
	assert_int_equal(n_last, n);
}

static inline void loopback_up(void)
{
	struct ifreq lo = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	assert_int_equal(ioctl(fd, SIOCSIFFLAGS, &lo), 0);
	close(fd);
}

static inline void join_cgroup(const char *cgroup)
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

static inline ssize_t read_corpus(const char *name, char *data, size_t size)
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

static inline int send_part(int fd, const char *name, size_t from, size_t to)
{
	char data[4096];
	ssize_t n = read_corpus(name, data, sizeof(data));

	if (n <= 0)
		return ENOENT;
	if (to > (size_t)n)
		to = (size_t)n;
	return send(fd, data + from, to - from, MSG_NOSIGNAL) < 0 ? errno : 0;
}

static inline int connect_to(int *fd, const struct sockaddr *to, socklen_t size)
{
	int one = 1;

	if (*fd >= 0)
		close(*fd);
	*fd = socket(to->sa_family, SOCK_STREAM, 0);
	setsockopt(*fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return connect(*fd, to, size) ? errno : 0;
}

static inline int send_datagram(uint16_t port)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(port) };
	int fd = socket(AF_INET, SOCK_DGRAM, 0), err = 0;

	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (sendto(fd, "x", 1, 0, (void *)&to, sizeof(to)) < 0)
		err = errno;
	close(fd);
	return err;
}

/* A change of cipher spec and a Finished of TLS 1.3 with SHA-384; 80 bytes. */
static inline int send_finished(int fd)
{
	char data[80] = { 20, 3, 3, 0, 1, 1, 23, 3, 3, 0, 69 };

	return send(fd, data, sizeof(data), MSG_NOSIGNAL) < 0 ? errno : 0;
}

/* A record of application data, 1,005 bytes. */
static inline int send_request(int fd)
{
	char data[1005] = { 23, 3, 3, 1000 >> 8, 1000 & 255 };

	return send(fd, data, sizeof(data), MSG_NOSIGNAL) < 0 ? errno : 0;
}

/* The same by a child, which has inherited the socket; it stays for as long as this process. */
static inline int send_as_child(int fd)
{
	pid_t child = fork();

	if (child)
		return child < 0 ? errno : 0;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (send_request(fd))
		_exit(1);
	pause();
	_exit(0);
}

/* A WINDOW_UPDATE of HTTP/2 in a record of its own, 35 bytes. */
static inline int send_talk(int fd)
{
	char data[35] = { 23, 3, 3, 0, 30 };

	return send(fd, data, sizeof(data), MSG_NOSIGNAL) < 0 ? errno : 0;
}

/* What two requests' worth of records looks like when a header lies in two segments. */
static inline int send_split(int fd)
{
	char data[1008] = { 23, 3, 3, 1000 >> 8, 1000 & 255 };
	char rest[1002] = { 1000 >> 8, 1000 & 255 };

	memcpy(data + 1005, data, 3);
	if (send(fd, data, sizeof(data), MSG_NOSIGNAL) < 0)
		return errno;
	usleep(20000);
	return send(fd, rest, sizeof(rest), MSG_NOSIGNAL) < 0 ? errno : 0;
}

static inline int take_in(int fd)
{
	char data[4096];

	return recv(fd, data, sizeof(data), 0) < 0 ? errno : 0;
}

static inline int obey(int *fd, char what)
{
	struct pollfd wait = { .fd = *fd, .events = POLLIN };
	int error = 0;
	socklen_t size = sizeof(error);

	switch (what) {
	case 'c':
		return connect_to(fd, (void *)&server, sizeof(server));
	case '6':
		return connect_to(fd, (void *)&server6, sizeof(server6));
	case 'q':
		return send_datagram(443);
	case 'a':
		return send_part(*fd, "curl", 0, SIZE_MAX); /* an AI name */
	case '1':
		return send_part(*fd, "curl", 0, 100);
	case '2':
		return send_part(*fd, "curl", 100, 200);
	case '3':
		return send_part(*fd, "curl", 200, SIZE_MAX);
	case 'o':
		return send_part(*fd, "wget", 0, SIZE_MAX); /* localhost */
	case 'p':
		return send_part(*fd, "curl_proxy_request", 0, SIZE_MAX);
	case 'd':
		return send(*fd, "0123456789", 10, MSG_NOSIGNAL) < 0 ? errno : 0;
	case 'f':
		return send_finished(*fd);
	case 'r':
		return send_request(*fd);
	case 'h':
		return send_as_child(*fd);
	case 't':
		return send_talk(*fd);
	case 's':
		return send_split(*fd);
	case 'i':
		return take_in(*fd);
	case 'w': /* wait for a reset */
		poll(&wait, 1, 5000);
		getsockopt(*fd, SOL_SOCKET, SO_ERROR, &error, &size);
		return error;
	case 'x':
		close(*fd);
		*fd = -1;
		return 0;
	}
	return EINVAL;
}

static inline struct child child_new(const char *cgroup)
{
	int down[2], up[2], fd = -1, answer;
	struct child child;
	char what;

	assert_int_equal(pipe2(down, O_CLOEXEC), 0);
	assert_int_equal(pipe2(up, O_CLOEXEC), 0);
	child.pid = fork();
	if (!child.pid) {
		close(down[1]);
		tap_free(tap); /* its copies of the links would hold the programs in place */
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

static inline int tell(const struct child *child, char what)
{
	int answer = -1;

	assert_int_equal(write(child->to, &what, 1), 1);
	assert_int_equal(read(child->from, &answer, sizeof(answer)), sizeof(answer));
	return answer;
}

static inline void child_end(struct child *child)
{
	close(child->to);
	close(child->from);
	kill(child->pid, SIGKILL); /* a child born later holds the pipe too */
	waitpid(child->pid, NULL, 0);
}

static inline int server_accept(void)
{
	struct pollfd wait = { .fd = listener, .events = POLLIN };

	assert_int_equal(poll(&wait, 1, 5000), 1);
	return accept4(listener, NULL, NULL, SOCK_CLOEXEC);
}

/* How many bytes came before nothing came for a while. */
static inline size_t server_read(int fd, size_t wanted, int patience_ms)
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

/* After the hello: the client asks, and a server that speaks TLS answers; only then is its address known. */
static inline void answered(const struct child *child, int fd)
{
	static const uint8_t answer[5 + 30] = { 23, 3, 3, 0, 30 };

	assert_int_equal(tell(child, 'f'), 0);
	assert_int_equal(tell(child, 'r'), 0);
	assert_true(server_read(fd, 100, 2000) > 0);
	assert_int_equal(send(fd, answer, sizeof(answer), 0), sizeof(answer));
	assert_int_equal(tell(child, 'i'), 0);
	assert_int_equal(tell(child, 'r'), 0); /* what acknowledges the answer, and more */
}

static inline void gate_set(int cgroup, uint64_t lease_ns)
{
	struct ctl_gate gate = { .lease_ns = lease_ns, .state = CTL_REFUSE };

	assert_int_equal(tap_gate_set(tap, ids[cgroup], &gate), 0);
}

static inline uint64_t gate_hits(int cgroup)
{
	struct ctl_gate gate;

	assert_int_equal(tap_gate_get(tap, ids[cgroup], &gate), 0);
	return gate.hits;
}

static inline int group_setup(void **state)
{
	if (unshare(CLONE_NEWNET))
		return -1;
	loopback_up();
	assert_int_equal(who_cgroup_mount(v2, sizeof(v2)), 0);
	for (int i = 0; i < 3; i++) {
		struct stat st;

		snprintf(cgroups[i], sizeof(cgroups[i]), "%s/aigress-gate-%d%s", v2, getpid(),
			 i == CG_A ? "-a" :
			 i == CG_B ? "-b" :
				     "-a/below");
		assert_int_equal(mkdir(cgroups[i], 0755), 0);
		assert_int_equal(stat(cgroups[i], &st), 0);
		ids[i] = st.st_ino;
	}
	return 0;
}

/* A killed task leaves its cgroup a moment later, and one that is no child of ours cannot be waited for. */
static inline int remove_cgroup(const char *path)
{
	for (int i = 0; i < 500 && rmdir(path); i++) {
		if (errno != EBUSY)
			return -1;
		usleep(10000);
	}
	return access(path, F_OK) ? 0 : -1;
}

/* Kills what a failed test left behind. A cgroup that stays is a failure. */
static inline int group_teardown(void **state)
{
	static const int inner_first[] = { CG_BELOW, CG_B, CG_A };

	for (int i = 0; i < 3; i++) {
		char path[128];
		FILE *procs;
		int pid;

		snprintf(path, sizeof(path), "%s/cgroup.procs", cgroups[inner_first[i]]);
		procs = fopen(path, "re");
		while (procs && fscanf(procs, "%d", &pid) == 1)
			kill(pid, SIGKILL);
		if (procs)
			fclose(procs);
	}
	while (waitpid(-1, NULL, 0) > 0)
		;
	for (int i = 0; i < 3; i++) {
		if (remove_cgroup(cgroups[inner_first[i]])) {
			print_error("%s: %s\n", cgroups[inner_first[i]], strerror(errno));
			return -1;
		}
	}
	return 0;
}

/* Each test has its own tap and port, so nothing learned reaches the next. */
static inline int setup(void **state)
{
	struct tap_config config = { .cgroup_root = v2, .ring_bytes = 1 << 18 };
	socklen_t size = sizeof(server6);
	int no = 0;
	char *error = NULL;

	if (tap_new(&tap, &config, &error))
		fail_msg("%s", error);
	assert_int_equal(tap_add_host(tap, AI_HOST), 0);
	assert_int_equal(tap_add_host(tap, "api.openai.com"), 0);
	server6 = (struct sockaddr_in6){ .sin6_family = AF_INET6 };
	listener = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(setsockopt(listener, IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof(no)), 0);
	assert_int_equal(bind(listener, (void *)&server6, sizeof(server6)), 0);
	assert_int_equal(listen(listener, 8), 0);
	assert_int_equal(getsockname(listener, (void *)&server6, &size), 0);
	server6.sin6_addr = in6addr_loopback;
	server = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = server6.sin6_port };
	server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	n_last = n_approaches = 0;
	return 0;
}

static inline int teardown(void **state)
{
	close(listener);
	tap = tap_free(tap);
	return 0;
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long after the last byte of the answer that crosses a budget's line the gate is in force.
 *   cross HOST CGROUP N
 * N times, in a new cgroup below CGROUP (a directory) each time: a call over TLS whose usage crosses the
 * line of that cgroup's budget; then, from SSL_read's return on, one datagram after the other to the
 * host's port of QUIC, until the kernel refuses one (EPERM), as it does for any packet with which something
 * new begins behind a shut gate. Prints the microseconds of each, "late" after a second, or "early" where that was
 * refused before the call: the kernel counts what is left of such a small budget, and held that nothing was.
 */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"

static const char body[] = "{\"model\":\"claude-haiku-4-5\",\"max_tokens\":64,"
			   "\"messages\":[{\"role\":\"user\",\"content\":\"Go on.\"}]}";

static void die(const char *what)
{
	perror(what);
	exit(1);
}

/* The end of one of N, which has nothing more to say. */
static void end(const char *word)
{
	puts(word);
	fflush(stdout);
	_exit(0);
}

static void enter(const char *cgroup)
{
	char path[512], pid[16];
	int fd, n = snprintf(pid, sizeof(pid), "%d", getpid());

	snprintf(path, sizeof(path), "%s/cgroup.procs", cgroup);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, pid, (size_t)n) != n)
		die(path);
	close(fd);
}

static void call(SSL *ssl, const char *host)
{
	char text[8192];
	int n = snprintf(text, sizeof(text),
			 "POST /v1/messages HTTP/1.1\r\nHost: %s\r\n"
			 "Content-Length: %zu\r\n\r\n%s",
			 host, sizeof(body) - 1, body);
	size_t have = 0;

	if (SSL_write(ssl, text, n) != n)
		die("SSL_write");
	/* Our server's answer ends so. */
	while (have < 4 || memcmp(text + have - 3, "\"}}", 3)) {
		n = SSL_read(ssl, text + have, (int)(sizeof(text) - have));
		if (n <= 0)
			die("SSL_read");
		have += (size_t)n;
	}
}

static void cross(const char *host, const char *cgroup)
{
	struct addrinfo hints = { .ai_family = AF_INET, .ai_socktype = SOCK_STREAM }, *to;
	SSL *ssl = SSL_new(SSL_CTX_new(TLS_client_method()));
	uint64_t begun_ns, now_ns;
	int tcp, udp;

	enter(cgroup);
	if (getaddrinfo(host, "443", &hints, &to))
		die(host);
	tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	SSL_set_tlsext_host_name(ssl, host);
	SSL_set_fd(ssl, tcp);
	if (connect(tcp, to->ai_addr, to->ai_addrlen) || SSL_connect(ssl) != 1)
		die("connect");
	/* the first datagram is news to the daemon; what follows is not */
	if (sendto(udp, "x", 1, 0, to->ai_addr, to->ai_addrlen) != 1)
		end("early");
	usleep(20000);
	call(ssl, host);
	begun_ns = clock_mono_ns();
	do {
		now_ns = clock_mono_ns();
	} while (sendto(udp, "x", 1, 0, to->ai_addr, to->ai_addrlen) == 1 &&
		 now_ns - begun_ns < NS_PER_S);
	if (now_ns - begun_ns < NS_PER_S)
		printf("%.1f\n", (double)(clock_mono_ns() - begun_ns) / 1000);
	else
		puts("late");
	fflush(stdout);
	_exit(0);
}

int main(int argc, char **argv)
{
	int n = argc == 4 ? atoi(argv[3]) : 0, failed = 0;

	for (int i = 0; i < n; i++) {
		char cgroup[256];
		int status;
		pid_t pid;

		snprintf(cgroup, sizeof(cgroup), "%s/%d", argv[2], i);
		if (mkdir(cgroup, 0755))
			die(cgroup);
		fflush(stdout);
		pid = fork();
		if (!pid)
			cross(argv[1], cgroup);
		waitpid(pid, &status, 0);
		failed |= status;
		while (rmdir(cgroup) && errno == EBUSY)
			usleep(1000);
	}
	return n ? failed != 0 : 2;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The processes that parse files. One, which reads no file, makes the others in advance: each waits without rights,
 * takes one request, answers and ends, so that what a file makes of it meets no other file.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "base/cleanup.h"
#include "base/sandbox.h"
#include "find/inspect.h"

#define REQUESTS 0 /* standard input */

/* What one that is asked needs. Without sockets but the one that it was given, sendto() says nothing to anybody. */
static const int inspecting[] = {
	SCMP_SYS(pread64), SCMP_SYS(read),   SCMP_SYS(fstat), SCMP_SYS(newfstatat),
	SCMP_SYS(recvmsg), SCMP_SYS(sendto), SCMP_SYS(close), SCMP_SYS(write),
};
/* What the one that makes them needs beside that. */
static const int making[] = {
	SCMP_SYS(clone),   SCMP_SYS(pipe2),     SCMP_SYS(prctl),
	SCMP_SYS(seccomp), SCMP_SYS(prlimit64), SCMP_SYS(setrlimit),
};

/* How many descriptors came, 0: nobody asks any more. */
static size_t receive(struct inspect_request *request, int fds[INSPECT_FDS_MAX])
{
	union {
		char bytes[CMSG_SPACE(INSPECT_FDS_MAX * sizeof(int))];
		struct cmsghdr aligned;
	} control = {};
	struct iovec data = { request, sizeof(*request) };
	struct msghdr message = { .msg_iov = &data,
				  .msg_iovlen = 1,
				  .msg_control = &control,
				  .msg_controllen = sizeof(control) };
	const struct cmsghdr *header;
	size_t n;

	if (recvmsg(REQUESTS, &message, MSG_CMSG_CLOEXEC) != sizeof(*request))
		return 0;
	header = CMSG_FIRSTHDR(&message);
	if (!header || header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
		return 0;
	n = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
	memcpy(fds, CMSG_DATA(header), n * sizeof(int));
	return n;
}

/* In a process of its own, without rights; `taken` is to be written to as soon as there is a request. */
static void inspect_one(int taken)
{
	static struct inspect_answer answer;
	static struct anchor_memory memory = { .fd = -1 };
	struct inspect_request request;
	int fds[INSPECT_FDS_MAX];
	size_t n = receive(&request, fds);
	const struct inspect_hello hello = { .pid = getpid() };

	close(REQUESTS);
	if (n < 2)
		return;
	(void)!write(taken, "", 1);
	close(taken);
	if (send(fds[0], &hello, sizeof(hello), MSG_NOSIGNAL) != sizeof(hello))
		return;
	if (n > 2)
		memory.fd = fds[2];
	inspect(&request, fds[1], &memory, &answer);
	(void)!send(fds[0], &answer, inspect_answer_size(&answer), MSG_NOSIGNAL);
}

/*
 * A process whose parent is this one's: so that who has asked can tell of what it died, and knows its number for as long
 * as it likes.
 */
static pid_t begin_one(void)
{
	return (pid_t)syscall(SYS_clone, CLONE_PARENT | SIGCHLD, NULL, NULL, NULL, NULL);
}

int inspect_main(void)
{
	struct sandbox_filter *inside = sandbox_filter_new(), *outside = sandbox_filter_new();
	char taken;
	int ends[2];
	ssize_t n;

	/* Whoever waits for a request ends with the socket; this ends with its parent in any case. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || close_range(REQUESTS + 1, ~0U, 0) < 0 ||
	    prctl(PR_SET_NAME, INSPECT_NAME) < 0 || setsid() < 0 || chdir("/") < 0)
		return 1;
	if (!inside || !outside || sandbox_filter_allow(inside, inspecting, ARRAY_SIZE(inspecting)) ||
	    sandbox_filter_allow(outside, inspecting, ARRAY_SIZE(inspecting)) ||
	    sandbox_filter_allow(outside, making, ARRAY_SIZE(making)))
		return 1;
	if (sandbox_enter(INSPECT_DATA_BYTES) || sandbox_filter_load(outside))
		return 1;
	do {
		if (pipe2(ends, O_CLOEXEC) < 0)
			return 1;
		switch (begin_one()) {
		case -1:
			return 1;
		case 0:
			close(ends[0]);
			if (!sandbox_limit_cpu(INSPECT_CPU_S) && !sandbox_filter_load(inside))
				inspect_one(ends[1]);
			_exit(0);
		}
		close(ends[1]);
		n = read(ends[0], &taken, 1);
		close(ends[0]);
	} while (n == 1);
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "find/inspector.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "find/inspect.h"

struct inspector {
	pthread_mutex_t lock;
	unsigned int users;
	int requests; /* a socket; -1: not running */
	pid_t maker;  /* makes the processes that inspect */
};

/* ---- the process that makes the others ---- */

/*
 * Whatever program this is part of (a test, say) can be run as that process, before its main(): one that did not know
 * INSPECT_COMMAND would begin anew, and begin others without end.
 */
__attribute__((constructor)) static void become(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], INSPECT_COMMAND))
		_exit(inspect_main());
}

static int spawn(pid_t *ret, int requests)
{
	char *const argv[] = { (char *)"aigress", (char *)INSPECT_COMMAND, NULL };
	char *const envp[] = { NULL };
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t none;
	int err;

	sigemptyset(&none);
	posix_spawn_file_actions_init(&actions);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK);
	err = posix_spawn_file_actions_adddup2(&actions, requests, STDIN_FILENO);
	if (!err)
		err = posix_spawn(ret, "/proc/self/exe", &actions, &attr, argv, envp);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&actions);
	return -err;
}

static int start(struct inspector *inspector)
{
	_cleanup_close_ int ours = -1, theirs = -1;
	int ends[2], err;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return -errno;
	ours = ends[0];
	theirs = ends[1];
	err = spawn(&inspector->maker, theirs);
	if (!err)
		inspector->requests = take_fd(ours);
	return err;
}

static int wait_for(pid_t process)
{
	int status = 0;

	while (waitpid(process, &status, 0) < 0)
		if (errno != EINTR)
			break;
	return status;
}

/*
 * Those that have ended since the last job: after an answer nobody waits for the end, which takes as long as the look at
 * a small file. They are of the maker's process group.
 */
static void reap(const struct inspector *inspector)
{
	while (waitpid(-inspector->maker, NULL, WNOHANG) > 0)
		;
}

static void stop(struct inspector *inspector)
{
	if (inspector->requests < 0)
		return;
	close(inspector->requests); /* which ends the maker, and who waits for a request */
	inspector->requests = -1;
	(void)wait_for(inspector->maker);
	reap(inspector);
}

struct inspector *inspector_keep(struct inspector *inspector)
{
	if (inspector)
		__atomic_add_fetch(&inspector->users, 1, __ATOMIC_SEQ_CST);
	return inspector;
}

struct inspector *inspector_free(struct inspector *inspector)
{
	if (!inspector || __atomic_sub_fetch(&inspector->users, 1, __ATOMIC_SEQ_CST))
		return NULL;
	stop(inspector);
	pthread_mutex_destroy(&inspector->lock);
	free(inspector);
	return NULL;
}

/* ---- a job ---- */

/* Hands the request over. 0 or -errno. */
static int put(int requests, const struct inspect_request *request, const int *fds, size_t n)
{
	union {
		char bytes[CMSG_SPACE(INSPECT_FDS_MAX * sizeof(int))];
		struct cmsghdr aligned;
	} control = {};
	struct iovec data = { (void *)request, sizeof(*request) };
	struct msghdr message = { .msg_iov = &data,
				  .msg_iovlen = 1,
				  .msg_control = &control,
				  .msg_controllen = CMSG_SPACE(n * sizeof(int)) };
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);

	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(n * sizeof(int));
	memcpy(CMSG_DATA(header), fds, n * sizeof(int));
	return sendmsg(requests, &message, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

/* Whoever made the processes may have been killed: once, it is made again. */
static int ask(struct inspector *inspector, const struct inspect_request *request, const int *fds,
	       size_t n)
{
	int err = -EPIPE;

	pthread_mutex_lock(&inspector->lock);
	if (inspector->requests >= 0)
		reap(inspector);
	if (inspector->requests >= 0)
		err = put(inspector->requests, request, fds, n);
	if (err == -EPIPE || err == -ECONNRESET) {
		stop(inspector);
		err = start(inspector);
		if (!err)
			err = put(inspector->requests, request, fds, n);
	}
	pthread_mutex_unlock(&inspector->lock);
	return err;
}

static ssize_t receive(int fd, void *buf, size_t size)
{
	ssize_t n;

	do
		n = recv(fd, buf, size, 0);
	while (n < 0 && errno == EINTR);
	return n;
}

/* Of what it died. */
static void tell(struct inspector_job *job, int status)
{
	int signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
	if (signal == SIGXCPU)
		snprintf(job->why, sizeof(job->why), "took more than %d s of CPU time",
			 INSPECT_CPU_S);
	else if (signal == SIGSYS)
		snprintf(job->why, sizeof(job->why), "made a system call that it never makes");
	else if (signal)
		snprintf(job->why, sizeof(job->why), "was killed by SIG%s",
			 sigabbrev_np(signal) ?: "?");
	else
		snprintf(job->why, sizeof(job->why), "ended without an answer");
}

/* The answer of whoever takes the job. 0 and its size, or -errno. */
static int hear(int fd, struct inspector_job *job, struct inspect_answer *answer, size_t *ret_size)
{
	struct inspect_hello hello;
	ssize_t n;

	if (receive(fd, &hello, sizeof(hello)) != sizeof(hello))
		return -ECHILD; /* it was killed as it began, say for want of memory */
	__atomic_store_n(&job->process, hello.pid, __ATOMIC_SEQ_CST);
	n = receive(fd, answer, sizeof(*answer));
	__atomic_store_n(&job->process, 0, __ATOMIC_SEQ_CST);
	if (n > 0) {
		*ret_size = (size_t)n;
		return 0;
	}
	tell(job, wait_for(hello.pid));
	return -EOWNERDEAD;
}

/* Asks whoever is next, and hears the answer. As hear(). */
static int ask_one(struct inspector *inspector, struct inspector_job *job,
		   const struct inspect_request *request, int record, struct inspect_answer *answer,
		   size_t *ret_size)
{
	_cleanup_close_ int ours = -1, theirs = -1;
	int ends[2], fds[INSPECT_FDS_MAX] = { -1, job->fd, record }, err;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return -errno;
	ours = ends[0];
	fds[0] = theirs = ends[1];
	err = ask(inspector, request, fds, record < 0 ? 2 : 3);
	close(take_fd(theirs));
	return err ? err : hear(ours, job, answer, ret_size);
}

static int run_apart(struct inspector *inspector, struct inspector_job *job,
		     const struct inspect_request *request, int record, uint64_t size,
		     struct inspect_answer *answer, struct stack_explanation *ret)
{
	size_t answer_size = 0;
	int err = ask_one(inspector, job, request, record, answer, &answer_size), found_err;

	/* it was killed before it looked, and with it what was asked: the file is not to blame */
	if (err == -ECHILD)
		err = ask_one(inspector, job, request, record, answer, &answer_size);
	if (err)
		return err;
	if (!inspect_check(answer, answer_size, size, ret, &found_err))
		return found_err;
	snprintf(job->why, sizeof(job->why), "gave an answer that cannot be true");
	return -EOWNERDEAD;
}

static int run_here(struct inspector_job *job, const struct inspect_request *request, int record,
		    uint64_t size, struct inspect_answer *answer, struct stack_explanation *ret)
{
	_cleanup_free_ struct anchor_memory *memory = calloc(1, sizeof(*memory));
	int err;

	if (!memory)
		return -ENOMEM;
	memory->fd = record;
	inspect(request, job->fd, memory, answer);
	return inspect_check(answer, inspect_answer_size(answer), size, ret, &err) ?: err;
}

static int run(struct inspector *inspector, struct inspector_job *job, enum inspect_kind kind,
	       struct stack_explanation *ret)
{
	_cleanup_free_ struct inspect_answer *answer = malloc(sizeof(*answer));
	const struct inspect_request request = { .kind = kind,
						 .by_instruction = job->by_instruction,
						 .depth = job->depth };
	_cleanup_close_ int record = -1;
	struct stat st;
	int err;

	if (!answer)
		return -ENOMEM;
	answer->record_size = 0;
	if (fstat(job->fd, &st) < 0)
		return -errno;
	if (job->cache)
		record = cache_open(job->cache, &st);
	err = inspector ? run_apart(inspector, job, &request, record, (uint64_t)st.st_size, answer,
				    ret) :
			  run_here(job, &request, record, (uint64_t)st.st_size, answer, ret);
	if (err != -EOWNERDEAD && job->cache && answer->record_size)
		(void)cache_put(job->cache, &st, answer->record, answer->record_size);
	return err;
}

int inspector_find(struct inspector *inspector, struct inspector_job *job, struct sites *ret)
{
	struct stack_explanation found;
	int err = run(inspector, job, INSPECT_FIND, &found);

	if (!err)
		*ret = found.sites;
	return err;
}

int inspector_explain(struct inspector *inspector, struct inspector_job *job,
		      struct stack_explanation *ret)
{
	return run(inspector, job, INSPECT_EXPLAIN, ret);
}

/* Is there anybody who looks into files? */
static int try(struct inspector *inspector)
{
	_cleanup_close_ int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	struct inspector_job job = { .fd = fd, .depth = STACK_SYMBOLS };
	struct sites sites;
	int err = fd < 0 ? -errno : inspector_find(inspector, &job, &sites);

	return err == -ENOENT || err == -EAGAIN ? 0 : err;
}

int inspector_new(struct inspector **ret)
{
	struct inspector *inspector = calloc(1, sizeof(*inspector));
	int err;

	if (!inspector)
		return -ENOMEM;
	inspector->users = 1;
	inspector->requests = -1;
	pthread_mutex_init(&inspector->lock, NULL);
	err = start(inspector);
	if (!err)
		err = try(inspector);
	if (err)
		inspector_free(inspector);
	else
		*ret = inspector;
	return err;
}

uint64_t inspector_used_ns(const struct inspector_job *job)
{
	pid_t process = __atomic_load_n(&job->process, __ATOMIC_SEQ_CST);
	struct timespec used;
	clockid_t clock;

	if (!process || clock_getcpuclockid(process, &clock) || clock_gettime(clock, &used))
		return 0;
	return (uint64_t)used.tv_sec * NS_PER_S + (uint64_t)used.tv_nsec;
}

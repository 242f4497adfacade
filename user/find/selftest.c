/* SPDX-License-Identifier: Apache-2.0 */
#include "find/selftest.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "find/procs.h"
#include "tap/tap.h"

#define PATIENCE_MS 5000
#define CALLS 3			/* a second call needs what the first left behind to be right */
#define SSL 0x5e1f7e57u		/* what the connection is called in the kernel's table */

/* A TLS library's function, as the probes take it: TAP_WRITE. */
typedef int call_fn(uint64_t ssl, const void *buf, int num);

struct child {
	pid_t pid;
	int fd;
	int status;		/* of waitpid(); valid when pid is 0 */
};

/* noinline, and called through a volatile pointer: a function with the usual arguments. */
static __attribute__((noinline)) int probed(uint64_t ssl, const void *buf, int num)
{
	__asm__ volatile("" : "+r"(num) : "r"(ssl), "r"(buf) : "memory");
	return num;
}

/* Stricter than any container's: what is not named kills, instead of failing. */
static int confine(void)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_read, 3, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_write, 2, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_exit_group, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = { .len = ARRAY_SIZE(filter), .filter = filter };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0 ? -errno : 0;
}

static void be_child(call_fn *function, int fd)
{
	call_fn *volatile call = function;
	char token = 0;

	if (confine() || read(fd, &token, 1) != 1)
		_exit(1);
	for (int i = 0; i < CALLS; i++)
		(void)call(SSL, &token, 1);
	if (write(fd, &token, 1) != 1)
		_exit(1);
	(void)!read(fd, &token, 1);	/* lives until it was looked at */
	_exit(0);
}

static int child_start(struct child *child, call_fn *call)
{
	int ends[2], err = 0;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		return -errno;
	child->pid = fork();
	if (child->pid == 0) {
		close(ends[0]);
		be_child(call, ends[1]);
	}
	if (child->pid < 0) {
		err = -errno;
		close(ends[0]);
	}
	close(ends[1]);
	child->fd = ends[0];
	return err;
}

static void child_end(struct child *child)
{
	if (child->pid <= 0)
		return;
	kill(child->pid, SIGKILL);	/* it has nothing left to do, or did not do it */
	while (waitpid(child->pid, &child->status, 0) < 0 && errno == EINTR)
		;
	child->pid = 0;
	close(child->fd);
}

/* Lets it call. 0, -ETIME, or -EFAULT: it is dead. */
static int child_calls(const struct child *child)
{
	struct pollfd answer = { .fd = child->fd, .events = POLLIN };
	char token = 'x';
	int n;

	if (send(child->fd, &token, 1, MSG_NOSIGNAL) != 1)
		return errno == EPIPE ? -EFAULT : -errno;
	while ((n = poll(&answer, 1, PATIENCE_MS)) < 0 && errno == EINTR)
		;
	if (n == 0)
		return -ETIME;
	return read(child->fd, &token, 1) == 1 ? 0 : -EFAULT;
}

/* Where in the program's file a function lies. */
struct search {
	uint64_t address, offset;
	bool is_found;
};

static void look(void *arg, const struct procs_map *map)
{
	struct search *search = arg;

	if (search->address < map->start || search->address >= map->end)
		return;
	search->offset = search->address - map->start + map->offset;
	search->is_found = true;
}

static int probe(struct tap *tap, const struct child *child, call_fn *call,
		 struct tap_probes **ret)
{
	struct search search = { .address = (uintptr_t)call };
	struct tap_site site = { .role = TAP_WRITE };
	int err = procs_maps((uint32_t)getpid(), look, &search);

	if (err)
		return err;
	if (!search.is_found)
		return -ENOENT;
	site.offset = search.offset;
	return tap_attach(tap, "/proc/self/exe", child->pid, &site, 1, ret);
}

static int prove(struct tap *tap, const struct child *child, call_fn *call)
{
	struct tap_probes *probes = NULL;
	uint64_t bytes[2] = { 0 };
	int err = probe(tap, child, call, &probes);

	if (err)
		return err;
	err = child_calls(child);
	if (!err && (tap_conn_bytes(tap, (uint32_t)child->pid, SSL, bytes) ||
		     bytes[EV_OUT] != CALLS))
		err = -ENODATA;
	tap_forget(tap, (uint32_t)child->pid, SSL);
	tap_detach(probes);
	return err;
}

static int explain(int err, const struct child *child, char **ret_error)
{
	const char *and_so = "`attach: never` goes without probes, all calls are then estimated";
	int n;

	if (err == -EFAULT && WIFSIGNALED(child->status))
		n = asprintf(ret_error, "probes are not safe on this kernel: a child behind a seccomp "
			     "filter died of signal %d (%s) when its function returned, as containers "
			     "would (fixed in Linux 6.12.14, 6.13.3 and 6.14); %s",
			     WTERMSIG(child->status), strsignal(WTERMSIG(child->status)), and_so);
	else if (err == -ENODATA)
		n = asprintf(ret_error, "probes see nothing here: a child's calls were not counted (is "
			     "this the host's own pid namespace?); %s", and_so);
	else
		n = asprintf(ret_error, "probes do not work here: the test of a child failed: %s; %s",
			     strerror(-err), and_so);
	if (n < 0)
		*ret_error = NULL;
	return err;
}

static int test(struct tap *tap, call_fn *call, char **ret_error)
{
	struct child child = { 0 };
	int err = child_start(&child, call);

	if (!err)
		err = prove(tap, &child, call);
	child_end(&child);
	return err ? explain(err, &child, ret_error) : 0;
}

int find_selftest(struct tap *tap, char **ret_error)
{
	return test(tap, probed, ret_error);
}

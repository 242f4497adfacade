/* SPDX-License-Identifier: Apache-2.0 */
#include "find/selftest.h"

#include <errno.h>
#include <fcntl.h>
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
#include "find/elf/disasm.h"
#include "find/procs.h"
#include "tap/tap.h"

#define PATIENCE_MS 5000
#define CALLS       3           /* a second call needs what the first left behind to be right */
#define SSL         0x5e1f7e57u /* what the connection is called in the kernel's table */

/* A TLS library's function, as the probes take it (TAP_WRITE), from its first byte to its last. */
typedef int call_fn(uint64_t ssl, const void *buf, int num);
struct target {
	call_fn *call;
	const char *start, *end;
};

/*
 * Each function has its own section, so that its end is known even after strip(1): the linker defines symbols
 * for both ends of a section.
 */
#define TARGET(name) __attribute__((noinline, used, section("probed_" #name)))
#define TARGET_OF(name)                                                               \
	({                                                                            \
		extern const char __start_probed_##name[], __stop_probed_##name[];    \
		(struct target){ name, __start_probed_##name, __stop_probed_##name }; \
	})

struct child {
	pid_t pid;
	int fd;
	int status; /* of waitpid(); valid when pid is 0 */
};

/* Called through a volatile pointer: a function with the usual arguments. */
static TARGET(harmless) int harmless(uint64_t ssl, const void *buf, int num)
{
	__asm__ volatile("" : "+r"(num) : "r"(ssl), "r"(buf) : "memory");
	return num;
}

/* Stricter than the filter of any container: an unlisted system call kills the process instead of failing. */
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
	(void)!read(fd, &token, 1); /* lives until it was looked at */
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
	kill(child->pid, SIGKILL); /* it has nothing left to do, or did not do it */
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

/* Where in this program's file the byte at an address lies. */
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

static int offset_of(const char *byte, uint64_t *ret)
{
	struct search search = { .address = (uintptr_t)byte };
	int err = procs_maps((uint32_t)getpid(), look, &search);

	if (!err && !search.is_found)
		err = -ENOENT;
	if (!err)
		*ret = search.offset;
	return err;
}

/* The virtual address at which a byte of an executable segment is linked. */
static uint64_t linked_at(const struct elf *elf, uint64_t offset)
{
	for (size_t i = 0; i < elf->n_segments; i++) {
		const struct elf_segment *segment = &elf->segments[i];

		if (segment->is_exec && offset - segment->offset < segment->filesz)
			return offset - segment->offset + segment->vaddr;
	}
	return 0;
}

struct target_sites {
	struct tap_site at[1 + CODE_EXITS_MAX];
	size_t n;
};

static int add_returns(const struct elf *elf, uint64_t addr, uint64_t size,
		       struct target_sites *sites)
{
	struct disasm_exits exits;
	int err = disasm_exits(elf, addr, size, &exits);

	for (size_t i = 0; !err && i < exits.n_returns; i++) {
		sites->at[sites->n].role = TAP_RETURN;
		err = elf_offset(elf, exits.returns[i], &sites->at[sites->n++].offset);
	}
	return err;
}

/* As a library's are found; the first library is not kept waiting while the disassembler comes from disk. */
static int place(const struct target *target, enum find_returns returns, struct target_sites *sites)
{
	_cleanup_close_ int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	uint64_t offset, addr, size = (uint64_t)(target->end - target->start);
	struct disasm_spot spot;
	struct elf elf = { 0 };
	int err = fd < 0 ? -errno : elf_open(&elf, fd);

	if (!err)
		err = offset_of(target->start, &offset);
	if (err)
		return err;
	addr = linked_at(&elf, offset);
	err = disasm_spot(&elf, addr, size, true, &spot);
	if (!err)
		err = elf_offset(&elf, spot.addr, &sites->at[0].offset);
	if (!err && returns == FIND_RETURN_INSTRUCTIONS)
		err = add_returns(&elf, addr, size, sites);
	return err;
}

static int probe(struct tap *tap, const struct child *child, const struct target *target,
		 enum find_returns returns, struct tap_probes **ret)
{
	struct target_sites sites = { .at = { { .role = TAP_WRITE } }, .n = 1 };
	int err = place(target, returns, &sites);

	return err ? err : tap_attach(tap, "/proc/self/exe", child->pid, sites.at, sites.n, ret);
}

static int prove(struct tap *tap, const struct child *child, const struct target *target,
		 enum find_returns returns)
{
	struct tap_probes *probes = NULL;
	uint64_t bytes[2] = { 0 };
	int err = probe(tap, child, target, returns, &probes);

	if (err)
		return err;
	err = child_calls(child);
	if (!err && (tap_conn_bytes(tap, (uint32_t)child->pid, SSL, bytes) || bytes[EV_OUT] != CALLS))
		err = -ENODATA;
	tap_forget(tap, (uint32_t)child->pid, SSL);
	/* a return probe also holds in other processes that have a breakpoint there: in the next child */
	tap_detach_now(probes);
	return err;
}

static int explain(int err, const struct child *child, char **ret_error)
{
	const char *and_so = "`attach: never` goes without probes, all calls are then estimated";
	int n;

	if (err == -EFAULT && WIFSIGNALED(child->status))
		n = asprintf(
			ret_error,
			"probes are not safe on this kernel: a child behind a seccomp "
			"filter died of signal %d (%s) when its function returned, as containers "
			"would (return probes are fixed in Linux 6.12.14, 6.13.3 and 6.14); %s",
			WTERMSIG(child->status), strsignal(WTERMSIG(child->status)), and_so);
	else if (err == -ENODATA)
		n = asprintf(ret_error,
			     "probes see nothing here: a child's calls were not counted (is "
			     "this the host's own pid namespace?); %s",
			     and_so);
	else
		n = asprintf(ret_error,
			     "probes do not work here: the test of a child failed: %s; %s",
			     strerror(-err), and_so);
	if (n < 0)
		*ret_error = NULL;
	return err;
}

static int test(struct tap *tap, const struct target *target, enum find_returns *returns,
		char **ret_error)
{
	struct child child;
	int err;

	for (;;) {
		child = (struct child){ 0 };
		err = child_start(&child, target->call);
		if (!err)
			err = prove(tap, &child, target, *returns);
		child_end(&child);
		if (err != -EFAULT || *returns == FIND_RETURN_INSTRUCTIONS)
			return err ? explain(err, &child, ret_error) : 0;
		*returns = FIND_RETURN_INSTRUCTIONS;
	}
}

int find_selftest(struct tap *tap, enum find_returns *returns, char **ret_error)
{
	const struct target target = TARGET_OF(harmless);

	return test(tap, &target, returns, ret_error);
}

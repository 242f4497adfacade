/* SPDX-License-Identifier: Apache-2.0 */
/* inspector.h: files are looked into by processes that have nothing else, and what they say is checked. */
#include "unit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "find/inspect.h"
#include "find/inspector.h"

#define LIBSSL "/usr/lib/x86_64-linux-gnu/libssl.so.3"
#define NO_TLS "/usr/bin/true"

static int start(void **state)
{
	struct inspector *inspector = NULL;

	if (inspector_new(&inspector))
		return -1;
	*state = inspector;
	return 0;
}

static int end(void **state)
{
	inspector_free(*state);
	return 0;
}

static int open_file(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

static void finds_what_this_process_finds(void **state)
{
	_cleanup_close_ int library = open_file(LIBSSL), other = open_file(NO_TLS);
	struct inspector_job job = { .fd = library, .depth = STACK_ANCHORS };
	static struct sites here, there;
	static struct stack_explanation explained;

	assert_int_equal(inspector_find(NULL, &job, &here), 0);
	assert_int_equal(inspector_find(*state, &job, &there), 0);
	assert_true(here.n > 0);
	assert_int_equal(here.n, there.n);
	assert_int_equal(here.n_stepped, there.n_stepped);
	assert_int_equal(here.write_worker, there.write_worker);
	assert_int_equal(here.read_worker, there.read_worker);
	assert_string_equal(here.flavour, there.flavour);
	for (size_t i = 0; i < here.n; i++) {
		assert_int_equal(here.at[i].offset, there.at[i].offset);
		assert_int_equal(here.at[i].role, there.at[i].role);
	}
	assert_int_equal(inspector_explain(*state, &job, &explained), 0);
	assert_string_equal(explained.brief, "symbols");
	assert_string_equal(explained.sites.flavour, here.flavour);
	job.fd = other;
	assert_int_equal(inspector_find(*state, &job, &there), -ENOENT);
	assert_int_equal(inspector_explain(*state, &job, &explained), -ENOENT);
}

/* ---- what such a process has ---- */

/* A number out of /proc/PID/status. */
static unsigned long long status_of(pid_t pid, const char *key, int base)
{
	char path[64], line[256];
	_cleanup_fclose_ FILE *file = NULL;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file))
		if (!strncmp(line, key, strlen(key)) && line[strlen(key)] == ':')
			return strtoull(line + strlen(key) + 1, NULL, base);
	return ~0ULL;
}

/* Fills pids with this process's children of that name. How many. */
static size_t children(pid_t pids[16])
{
	_cleanup_closedir_ DIR *proc = opendir("/proc");
	const struct dirent *entry;
	size_t n = 0;

	while ((entry = readdir(proc))) {
		pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);
		char path[64], comm[32] = "";
		_cleanup_fclose_ FILE *file = NULL;

		if (pid <= 0 || status_of(pid, "PPid", 10) != (unsigned long long)getpid())
			continue;
		snprintf(path, sizeof(path), "/proc/%d/comm", pid);
		file = fopen(path, "re");
		if (file && fgets(comm, sizeof(comm), file) && !strcmp(comm, INSPECT_NAME "\n") &&
		    status_of(pid, "VmSize", 10) != ~0ULL && status_of(pid, "Seccomp", 10) != 3 &&
		    n < 16) /* 3: it is ending */
			pids[n++] = pid;
	}
	return n;
}

static size_t descriptors(pid_t pid)
{
	_cleanup_closedir_ DIR *dir = NULL;
	const struct dirent *entry;
	char path[64];
	size_t n = 0;

	snprintf(path, sizeof(path), "/proc/%d/fd", pid);
	dir = opendir(path);
	while (dir && (entry = readdir(dir)))
		n += entry->d_name[0] != '.';
	return n;
}

/* The one that makes them, and one that waits: alone, when those that have answered are gone. */
static void find_those_that_wait(pid_t pids[16])
{
	pid_t again[16];
	size_t n = 0;

	for (int i = 0; i < 500; i++) {
		n = children(pids);
		poll(NULL, 0, 50);
		if (n == 2 && children(again) == 2 && !memcmp(pids, again, 2 * sizeof(*pids)) &&
		    descriptors(pids[0]) <= 2 && descriptors(pids[1]) <= 2)
			return;
	}
	fail_msg("%zu processes that inspect, not 2", n);
}

static void they_have_nothing(void **state)
{
	pid_t pids[16];

	find_those_that_wait(pids);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(status_of(pids[i], "Seccomp", 10), 2);
		assert_int_equal(status_of(pids[i], "NoNewPrivs", 10), 1);
		assert_int_equal(status_of(pids[i], "CapEff", 16), 0);
		assert_int_equal(status_of(pids[i], "CapPrm", 16), 0);
		assert_int_equal(status_of(pids[i], "CapInh", 16), 0);
		assert_int_equal(status_of(pids[i], "CapAmb", 16), 0);
		/* the socket of requests, and an end of a pipe; as root others' cannot be listed without a right */
		assert_in_range(descriptors(pids[i]), geteuid() ? 0 : 2, 2);
	}
}

/* ---- one that dies ---- */

/* A program of 400 MiB of code, which takes some 0.2 s to be looked through. */
static int big_file(void)
{
	static const uint64_t code = 400ULL << 20;
	struct {
		unsigned char ident[16];
		uint16_t type, machine;
		uint32_t version;
		uint64_t entry, phoff, shoff;
		uint32_t flags;
		uint16_t ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
		uint32_t p_type, p_flags;
		uint64_t offset, vaddr, paddr, filesz, memsz, align;
		uint32_t c_type, c_flags;
		uint64_t c_offset, c_vaddr, c_paddr, c_filesz, c_memsz, c_align;
		char mark[32];
	} head = {
		.ident = "\x7f"
			 "ELF\2\1\1",
		.type = 3,
		.machine = 62,
		.version = 1,
		.phoff = 64,
		.ehsize = 64,
		.phentsize = 56,
		.phnum = 2,
		.p_type = 1,
		.p_flags = 5,
		.offset = 4096,
		.vaddr = 4096,
		.filesz = code,
		.memsz = code,
		.align = 4096,
		.c_type = 1,
		.c_flags = 4,
		.c_filesz = sizeof(head),
		.c_memsz = sizeof(head),
		.c_align = 4096,
		.mark = "x/ssl/ssl_lib.cc",
	};
	int fd = memfd_create("big", MFD_CLOEXEC);

	assert_int_equal(write(fd, &head, sizeof(head)), sizeof(head));
	assert_int_equal(ftruncate(fd, 4096 + (off_t)code), 0);
	return fd;
}

struct run {
	struct inspector *inspector;
	struct inspector_job job;
	int err;
};

static void *run(void *arg)
{
	struct run *run = arg;
	struct sites sites;

	run->err = inspector_find(run->inspector, &run->job, &sites);
	return NULL;
}

static void killed_while_it_looks(struct inspector *inspector, int signal, const char *why)
{
	_cleanup_close_ int file = big_file();
	struct run given = { .inspector = inspector, .job = { .fd = file, .depth = STACK_ANCHORS } };
	pthread_t thread;
	pid_t pid = 0;

	assert_int_equal(pthread_create(&thread, NULL, run, &given), 0);
	for (int i = 0; i < 5000 && !pid; i++) {
		pid = __atomic_load_n(&given.job.process, __ATOMIC_SEQ_CST);
		poll(NULL, 0, 1);
	}
	assert_true(pid > 0);
	assert_int_equal(kill(pid, signal), 0);
	pthread_join(thread, NULL);
	assert_int_equal(given.err, -EOWNERDEAD);
	assert_string_equal(given.job.why, why);
	assert_int_equal(inspector_used_ns(&given.job), 0);
}

static void one_that_dies_is_told_of_and_others_go_on(void **state)
{
	killed_while_it_looks(*state, SIGABRT, "was killed by SIGABRT");
	finds_what_this_process_finds(state);
	killed_while_it_looks(*state, SIGSYS, "made a system call that it never makes");
	killed_while_it_looks(*state, SIGXCPU, "took more than 4 s of CPU time");
	finds_what_this_process_finds(state);
}

static void begins_again_when_all_of_them_are_killed(void **state)
{
	pid_t pids[16];
	size_t n = children(pids);

	assert_true(n > 0);
	for (size_t i = 0; i < n; i++)
		kill(pids[i], SIGKILL);
	for (size_t i = 0; i < n; i++) /* gone, or a zombie */
		for (int k = 0; k < 500 && status_of(pids[i], "VmSize", 10) != ~0ULL; k++)
			poll(NULL, 0, 10);
	finds_what_this_process_finds(state);
}

/* ---- an answer of one that is no longer ours ---- */

static void believes_nothing_that_cannot_be(void **state)
{
	static struct inspect_answer good, bad;
	static struct stack_explanation found;
	_cleanup_close_ int library = open_file(LIBSSL);
	const struct inspect_request request = { .depth = STACK_ANCHORS };
	size_t head = offsetof(struct inspect_answer, record);
	int err = 1;

	inspect(&request, library, NULL, &good);
	assert_int_equal(inspect_check(&good, head, 1 << 30, &found, &err), 0);
	assert_int_equal(err, 0);
	assert_true(found.sites.n > 0);
#define EXPECT_REFUSED(change)                                                                \
	do {                                                                                  \
		bad = good;                                                                   \
		change;                                                                       \
		assert_int_equal(inspect_check(&bad, head, 1 << 30, &found, &err), -EBADMSG); \
	} while (0)
	EXPECT_REFUSED(bad.n = SITES_MAX + 1);
	EXPECT_REFUSED(bad.n = ~0U);
	EXPECT_REFUSED(bad.n_stepped = bad.n + 1);
	EXPECT_REFUSED(bad.at[0].role = TAP_ROLES);
	EXPECT_REFUSED(bad.at[0].offset = 1 << 30);
	EXPECT_REFUSED(bad.has_records_only = 2);
	EXPECT_REFUSED(bad.machine = 1);
	EXPECT_REFUSED(bad.machine = 1U << 16);
	EXPECT_REFUSED(bad.err = 1);
	EXPECT_REFUSED(bad.err = INT_MIN);
	EXPECT_REFUSED(bad.err = -ETIMEDOUT);
	EXPECT_REFUSED(bad.err = -EOWNERDEAD);
	EXPECT_REFUSED(memset(bad.flavour, 'x', sizeof(bad.flavour)));
	EXPECT_REFUSED(strcpy(bad.brief, "\033[2J"));
	EXPECT_REFUSED(memset(bad.how, 'x', sizeof(bad.how)));
	EXPECT_REFUSED(bad.record_size = sizeof(bad.record) + 1);
	EXPECT_REFUSED(bad.record_size = 1);
	/* an explanation may be as long as it can be */
	memset(good.how, 'x', STACK_HOW_LEN - 1);
	assert_int_equal(inspect_check(&good, head, 1 << 30, &found, &err), 0);
	assert_int_equal(strlen(found.how), STACK_HOW_LEN - 1);
	assert_int_equal(inspect_check(&good, head - 1, 1 << 30, &found, &err), -EBADMSG);
	assert_int_equal(inspect_check(&good, 0, 1 << 30, &found, &err), -EBADMSG);
	assert_int_equal(inspect_check(&good, sizeof(good), 1 << 30, &found, &err), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_what_this_process_finds),
		cmocka_unit_test(they_have_nothing),
		cmocka_unit_test(one_that_dies_is_told_of_and_others_go_on),
		cmocka_unit_test(begins_again_when_all_of_them_are_killed),
		cmocka_unit_test(believes_nothing_that_cannot_be),
	};

	return cmocka_run_group_tests(tests, start, end);
}

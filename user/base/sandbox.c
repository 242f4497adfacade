/* SPDX-License-Identifier: Apache-2.0 */
#include "base/sandbox.h"

#include <cap-ng.h>
#include <errno.h>
#include <linux/landlock.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"

#define DESCRIPTORS_MAX 16

/* Of memory, clocks, signals' returns and the end; malloc(), stdio and qsort() use no others. */
static const int plain[] = {
	SCMP_SYS(brk),          SCMP_SYS(munmap),    SCMP_SYS(mremap),        SCMP_SYS(madvise),
	SCMP_SYS(futex),        SCMP_SYS(getpid),    SCMP_SYS(clock_gettime), SCMP_SYS(exit_group),
	SCMP_SYS(rt_sigreturn), SCMP_SYS(getrandom), SCMP_SYS(sysinfo),
};

/* All that Landlock of this kernel can take away: rights that are handled and granted nowhere. */
static int forbid_files_and_network(void)
{
	struct {
		uint64_t files, network, scoped;
	} rules = { .files = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1 };
	size_t size = sizeof(rules.files);
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	_cleanup_close_ int fd = -1;

	if (abi < 1)
		return 0;
	/* linux/landlock.h of the build may be older than the kernel: a bit each in 2 (refer), 3 (truncate), 5 (ioctl) */
	rules.files |= (abi >= 2 ? 1ULL << 13 : 0) | (abi >= 3 ? 1ULL << 14 : 0) |
		       (abi >= 5 ? 1ULL << 15 : 0);
	if (abi >= 4) { /* bind and connect of TCP */
		rules.network = 3;
		size += sizeof(rules.network);
	}
	if (abi >= 6) { /* abstract sockets of others, signals to others */
		rules.scoped = 3;
		size += sizeof(rules.scoped);
	}
	fd = (int)syscall(SYS_landlock_create_ruleset, &rules, size, 0);
	return fd < 0 || syscall(SYS_landlock_restrict_self, fd, 0) < 0 ? -errno : 0;
}

static int limit(int resource, uint64_t soft, uint64_t hard)
{
	const struct rlimit rlimit = { soft, hard };

	return setrlimit((unsigned)resource, &rlimit) < 0 ? -errno : 0;
}

static int set_limits(uint64_t data_bytes)
{
	int err = limit(RLIMIT_CORE, 0, 0);

	if (!err)
		err = limit(RLIMIT_FSIZE, 0, 0);
	if (!err)
		err = limit(RLIMIT_NOFILE, DESCRIPTORS_MAX, DESCRIPTORS_MAX);
#ifndef __SANITIZE_ADDRESS__ /* its shadow memory has 16 TiB */
	if (!err)
		err = limit(RLIMIT_DATA, data_bytes, data_bytes);
#endif
	return err;
}

/* Its cgroup's limit is the daemon's, too. */
static void go_first(void)
{
	_cleanup_fclose_ FILE *score = fopen("/proc/self/oom_score_adj", "we");

	if (score)
		fputs("1000", score);
}

/*
 * The bounding set stays: without new privileges it gives nothing, and where it may not be set, as under systemd and in
 * pods, libcap-ng logs a warning. Ambient capabilities go with those that are permitted.
 */
static int drop_capabilities(void)
{
	if (capng_get_caps_process() < 0)
		return -EPERM;
	capng_clear(CAPNG_SELECT_CAPS);
	return capng_apply(CAPNG_SELECT_CAPS) < 0 ? -EPERM : 0;
}

int sandbox_enter(uint64_t data_bytes)
{
	int err;

	go_first();
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return -errno;
	err = drop_capabilities();
	if (!err)
		err = forbid_files_and_network();
	return err ? err : set_limits(data_bytes);
}

int sandbox_limit_cpu(uint64_t seconds)
{
	return limit(RLIMIT_CPU, seconds, seconds + 1);
}

struct sandbox_filter *sandbox_filter_new(void)
{
	const struct scmp_arg_cmp data_only = SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0);
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);

	if (filter && !sandbox_filter_allow(filter, plain, ARRAY_SIZE(plain)) &&
	    !seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1, data_only) &&
	    !seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1, data_only))
		return filter;
	seccomp_release(filter);
	return NULL;
}

int sandbox_filter_allow(struct sandbox_filter *filter, const int *calls, size_t n)
{
	int err = 0;

	for (size_t i = 0; i < n && !err; i++)
		err = seccomp_rule_add((scmp_filter_ctx)filter, SCMP_ACT_ALLOW, calls[i], 0);
	return err;
}

int sandbox_filter_load(const struct sandbox_filter *filter)
{
	return seccomp_load((scmp_filter_ctx)filter);
}

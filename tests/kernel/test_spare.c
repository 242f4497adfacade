/* SPDX-License-Identifier: Apache-2.0 */
/* Who is spared: real processes in real cgroups, under the names and in the places of a node. Needs root. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "enforce/exempt.h"
#include "who/process.h"

#define ID_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define ID_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define POD  "pod01234567-89ab-cdef-0123-456789abcdef"

static char v2[64], top[64]; /* the mount; the test's own cgroup, below it */
static char bin[] = "/tmp/test_spare.XXXXXX";
static char made[24][2 * WHO_PATH_LEN]; /* in the order of making */
static size_t n_made;
static uid_t as; /* who starts it: root, or who has no rights */
static pid_t started[16];
static size_t n_started;

/* Makes every directory on the way; "kubepods/x" is "/aigress-spare-1/kubepods/x". Valid for a test. */
static const char *group(const char *name)
{
	static char paths[8][WHO_PATH_LEN];
	static size_t n;
	char *path = paths[n++ % 8], dir[2 * WHO_PATH_LEN];

	snprintf(path, WHO_PATH_LEN, "%s/%s", top, name);
	for (const char *at = path; at;) {
		at = strchr(at + 1, '/');
		snprintf(dir, sizeof(dir), "%s%.*s", v2, at ? (int)(at - path) : WHO_PATH_LEN, path);
		if (mkdir(dir, 0755) == 0)
			strcpy(made[n_made++], dir);
	}
	return path;
}

static void enter(const char *path)
{
	char procs[2 * WHO_PATH_LEN];
	int fd;

	snprintf(procs, sizeof(procs), "%s%s/cgroup.procs", v2, path);
	fd = open(procs, O_WRONLY);
	if (fd < 0 || write(fd, "0", 1) != 1)
		_exit(2);
	close(fd);
}

/* A sleep(1) of that name in that cgroup; `in_own`: as pid 1 of a pid namespace. */
static uint32_t start(const char *name, const char *path, bool in_own)
{
	int ends[2];
	pid_t helper, child = -1;
	char exe[96];

	snprintf(exe, sizeof(exe), "%s/%s", bin, name);
	assert_int_equal(pipe(ends), 0);
	helper = fork();
	if (helper == 0) {
		enter(path);
		if (in_own && unshare(CLONE_NEWPID))
			_exit(2);
		child = fork();
		if (child == 0) {
			fcntl(ends[1], F_SETFD, FD_CLOEXEC);
			if (as && setuid(as))
				_exit(2);
			execl(exe, name, "60", NULL);
			_exit(2);
		}
		(void)!write(ends[1], &child, sizeof(child));
		_exit(0);
	}
	close(ends[1]);
	assert_int_equal(read(ends[0], &child, sizeof(child)), sizeof(child));
	assert_true(child > 0);
	started[n_started++] = child;
	waitpid(helper, NULL, 0);
	/* its end is closed by exec: now it is what it is called */
	assert_int_equal(read(ends[0], exe, 1), 0);
	close(ends[0]);
	return (uint32_t)child;
}

static void copy_sleep(const char *name)
{
	char command[160];

	snprintf(command, sizeof(command), "cp /bin/sleep %s/%s", bin, name);
	assert_int_equal(system(command), 0);
}

static int setup_all(void **state)
{
	static const char *const names[] = { "kubelet", "containerd-shim-runc-v2", "sleeper" };

	if (geteuid() || who_cgroup_mount(v2, sizeof(v2)) || !mkdtemp(bin)) {
		fprintf(stderr, "skipped: it needs root and cgroup v2\n");
		return 0;
	}
	chmod(bin, 0755); /* for those without rights, too */
	snprintf(top, sizeof(top), "/aigress-spare-%d", getpid());
	for (size_t i = 0; i < 3; i++)
		copy_sleep(names[i]);
	return 0;
}

static int teardown(void **state)
{
	while (n_started) {
		kill(started[--n_started], SIGKILL);
		for (int i = 0; i < 1000 && process_start_time((uint32_t)started[n_started]); i++) {
			waitpid(started[n_started], NULL, WNOHANG);
			usleep(1000);
		}
	}
	while (n_made)
		for (int i = 0; rmdir(made[n_made - 1]) == 0 ? !n_made-- : i < 1000; i++)
			usleep(1000);
	return 0;
}

static int teardown_all(void **state)
{
	char command[64];

	snprintf(command, sizeof(command), "rm -r %s", bin);
	return *top ? system(command) : 0;
}

#define NEEDS_ROOT()            \
	do {                    \
		if (!*top)      \
			skip(); \
	} while (0)

static const char *process_of(const char *path, uint32_t tgid)
{
	static char buf[256];

	return exempt_process(v2, path, tgid, buf, sizeof(buf));
}

static const char *group_of(const char *path)
{
	static char buf[256];

	return exempt_group(v2, path, buf, sizeof(buf));
}

static void in_a_container_nobody_is_the_kubelet(void **state)
{
	static const char *const containers[] = { "docker/" ID_A, "kubepods/burstable/" POD "/" ID_B,
						  "docker-" ID_A
						  ".scope/system.slice/kubelet.service" };
	const char *path;

	NEEDS_ROOT();
	path = group("agents");
	assert_string_equal(process_of(path, start("kubelet", path, false)), "kubelet");
	assert_string_equal(group_of(path), "kubelet");
	assert_null(process_of(path, start("sleeper", path, false)));
	for (size_t i = 0; i < 3; i++) {
		path = group(containers[i]);
		assert_null(process_of(path, start("kubelet", path, false)));
		assert_null(group_of(path));
	}
}

/* `runc run` and systemd-nspawn choose names that tell nothing. */
static void a_pid_namespace_is_a_container_by_any_name(void **state)
{
	const char *path;

	NEEDS_ROOT();
	path = group("machine");
	assert_null(process_of(path, start("kubelet", path, true)));
	assert_null(group_of(path));
}

static void a_container_that_holds_containers_is_a_node(void **state)
{
	const char *outer, *inner;
	uint32_t kubelet, agent;

	NEEDS_ROOT();
	outer = group("docker/" ID_A "/kubelet.slice/kubelet.service");
	kubelet = start("kubelet", outer, true);
	assert_null(process_of(outer, kubelet));
	inner = group("docker/" ID_A "/kubelet.slice/kubelet-kubepods-" POD ".slice/"
		      "cri-containerd-" ID_B ".scope");
	agent = start("kubelet", inner, true);
	assert_string_equal(process_of(outer, kubelet), "kubelet");
	assert_null(process_of(inner, agent));
	assert_null(group_of(inner));
	assert_string_equal(group_of(group("docker/" ID_A)), "kubelet");
}

static void a_unit_of_the_node_is_spared_by_any_name(void **state)
{
	const char *path;

	NEEDS_ROOT();
	path = group("system.slice/containerd.service");
	assert_string_equal(process_of(path, start("sleeper", path, false)), "containerd.service");
	assert_string_equal(group_of(path), "containerd.service");
	path = group("system.slice/ssh.service");
	assert_null(process_of(path, start("sleeper", path, false)));
	/* not moved by an old runtime, but in a namespace of its own */
	path = group("system.slice/containerd.service");
	assert_null(process_of(path, start("sleeper", path, true)));
}

static void *run_container(void *arg)
{
	uint32_t *ret = arg;

	*ret = start("sleeper", group("docker/" ID_A), false);
	return NULL;
}

/* By a thread that is not its first, and as a subreaper: both as a shim does it. */
static void who_runs_containers_is_spared_by_any_name(void **state)
{
	const char *path;
	int ends[2];
	pid_t shim;

	NEEDS_ROOT();
	path = group("shims");
	group("docker/" ID_A);
	assert_int_equal(pipe(ends), 0);
	shim = fork();
	if (shim == 0) {
		pthread_t thread;
		pid_t child = -1;
		uint32_t pid = 0;

		enter(path);
		close(ends[0]);
		/* the helper of start() ends, and its child comes here: a subreaper, as shims are */
		if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) ||
		    pthread_create(&thread, NULL, run_container, &pid) || pthread_join(thread, NULL))
			_exit(2);
		child = (pid_t)pid;
		(void)!write(ends[1], &child, sizeof(child));
		pause();
		_exit(0);
	}
	started[n_started++] = shim;
	assert_int_equal(read(ends[0], &started[n_started], sizeof(pid_t)), sizeof(pid_t));
	n_started++;
	close(ends[0]);
	close(ends[1]);
	assert_string_equal(process_of(path, (uint32_t)shim), "it runs containers");
	assert_string_equal(group_of(path), "it runs containers");
	assert_null(group_of(group("docker/" ID_A)));
}

static void a_service_whose_file_was_replaced_is_known_still(void **state)
{
	const char *path;
	char exe[96];
	uint32_t pid;

	NEEDS_ROOT();
	path = group("upgraded");
	pid = start("containerd-shim-runc-v2", path, false);
	snprintf(exe, sizeof(exe), "%s/containerd-shim-runc-v2", bin);
	assert_int_equal(unlink(exe), 0);
	assert_string_equal(process_of(path, pid), "containerd-shim-runc-v2");
	assert_string_equal(process_of(path, 1), "pid 1");
	assert_string_equal(process_of(path, (uint32_t)getpid()), "aigress itself");
	if (access("/proc/2/exe", F_OK) && process_start_time(2)) /* not inside a container */
		assert_string_equal(process_of("/", 2), "a kernel thread");
}

/* Without rights over the host it is a tenant's, by whatever name, in whatever place of its own. */
static void a_tenant_is_not_spared_by_the_names_that_it_chooses(void **state)
{
	char dir[2 * WHO_PATH_LEN];
	const char *path;
	uint32_t pid;

	NEEDS_ROOT();
	as = 65534;
	path = group("agents");
	pid = start("kubelet", path, false);
	assert_null(process_of(path, pid));
	assert_null(group_of(path));
	path = group("delegated");
	snprintf(dir, sizeof(dir), "%s%s", v2, path);
	assert_int_equal(chown(dir, as, as), 0);
	path = group("delegated/kubelet.service");
	snprintf(dir, sizeof(dir), "%s%s", v2, path);
	assert_int_equal(chown(dir, as, as), 0);
	pid = start("sleeper", path, false);
	assert_null(process_of(path, pid));
	/* a container inside of its own, as if it were a node */
	path = group("delegated/docker/" ID_A "/kubelet.slice/kubelet.service");
	group("delegated/docker/" ID_A "/docker/" ID_B);
	assert_null(process_of(path, start("kubelet", path, true)));
	as = 0;
	/* A service without rights of its own is known by its unit. */
	path = group("system.slice/systemd-resolved.service");
	as = 65534;
	assert_string_equal(process_of(path, start("sleeper", path, false)),
			    "systemd-resolved.service");
	as = 0;
}

#define HELD(test) cmocka_unit_test_teardown(test, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		HELD(in_a_container_nobody_is_the_kubelet),
		HELD(a_pid_namespace_is_a_container_by_any_name),
		HELD(a_container_that_holds_containers_is_a_node),
		HELD(a_unit_of_the_node_is_spared_by_any_name),
		HELD(who_runs_containers_is_spared_by_any_name),
		HELD(a_tenant_is_not_spared_by_the_names_that_it_chooses),
		HELD(a_service_whose_file_was_replaced_is_known_still),
	};

	return cmocka_run_group_tests_name("spare", tests, setup_all, teardown_all);
}

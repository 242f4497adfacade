/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>

#include "who/cgroup.h"
#include "who/users.h"
#include "who/who.h"

#define CID  "d4917225c0ffee00d4917225c0ffee00d4917225c0ffee00d4917225c0ffee00"
#define CID2 "a4917225c0ffee00d4917225c0ffee00d4917225c0ffee00d4917225c0ffee0a"
#define UID  "7da9e2a8-1234-4abc-8def-0123456789ab"
#define UID_ "7da9e2a8_1234_4abc_8def_0123456789ab"
#define HASH "0123456789abcdef0123456789abcdef"

/* docs/facts/kernel.md, "Cgroup ids and paths" */
static const struct {
	const char *path, *container, *pod_uid, *unit;
} paths[] = {
	{ "/", "", "", "" },
	{ "", "", "", "" },
	{ "/kubepods/burstable/pod" UID "/" CID, CID, UID, "" },
	{ "/kt/kubepods/besteffort/pod" UID "/" CID, CID, UID, "" },
	{ "/kubepods/pod" UID "/" CID, CID, UID, "" },
	{ "/kubepods/burstable/pod" UID, "", UID, "" },
	{ "/kubepods/burstable/pod" HASH "/" CID, CID, HASH, "" },
	{ "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" UID_
	  ".slice/cri-containerd-" CID ".scope",
	  CID, UID, "" },
	{ "/kubepods.slice/kubepods-pod" UID_ ".slice/crio-" CID ".scope", CID, UID, "" },
	{ "/kubepods.slice/kubepods-pod" UID_ ".slice/docker-" CID ".scope", CID, UID, "" },
	{ "/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod" HASH
	  ".slice/cri-containerd-" CID ".scope",
	  CID, HASH, "" },
	{ "/kubepods.slice/kubepods-pod" UID_ ".slice/crio-conmon-" CID ".scope", "", UID,
	  "crio-conmon-" CID ".scope" },
	{ "/system.slice/containerd.service/kubepods-burstable-pod" UID_ ".slice:cri-containerd:" CID,
	  CID, UID, "" },
	{ "/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-besteffort.slice/"
	  "kubelet-kubepods-besteffort-pod" UID_ ".slice/cri-containerd-" CID ".scope",
	  CID, UID, "" },
	/* kind: the node is a container of docker's */
	{ "/docker/" CID2 "/kubelet/kubepods/burstable/pod" UID "/" CID, CID, UID, "" },
	{ "/docker/" CID2 "/kubelet/kubepods/burstable/pod" UID, "", UID, "" },
	{ "/system.slice/docker-" CID2
	  ".scope/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-pod" UID_
	  ".slice/cri-containerd-" CID ".scope",
	  CID, UID, "" },
	{ "/docker/" CID2 "/system.slice/containerd.service", CID2, "", "containerd.service" },
	/* k3s */
	{ "/system.slice/k3s.service/kubepods/besteffort/pod" UID "/" CID, CID, UID, "" },
	/* inside a container: its own init, a nested cgroup */
	{ "/kubepods/pod" UID "/" CID "/system.slice/nginx.service", CID, UID, "nginx.service" },
	{ "/kubepods/pod" UID "/" CID "/workers/1", CID, UID, "" },
	{ "/docker/" CID, CID, "", "" },
	{ "/docker/" CID "/docker/" CID2, CID2, "", "" },
	{ "/system.slice/docker-" CID ".scope", CID, "", "" },
	{ "/system.slice/nerdctl-" CID ".scope", CID, "", "" },
	{ "/machine.slice/libpod-" CID ".scope/container", CID, "", "" },
	{ "/machine.slice/libpod-conmon-" CID ".scope", "", "", "libpod-conmon-" CID ".scope" },
	{ "/libpod_parent/libpod-" CID, CID, "", "" },
	{ "/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" CID ".scope/container",
	  CID, "", "user@1000.service" },
	{ "/system.slice/web.service/libpod-payload-" CID, CID, "", "web.service" },
	{ "/lxc.payload.web-1", "web-1", "", "" },
	{ "/lxc.payload/web-1", "web-1", "", "" },
	{ "/lxc/web-1/system.slice/cron.service", "web-1", "", "cron.service" },
	{ "/lxc.monitor.web-1", "", "", "" },
	{ "/podruntime/runtime", "", "", "" },
	{ "/mycontainer", "", "", "" },
	{ "/" CID, CID, "", "" },
	{ "/system.slice/nginx.service", "", "", "nginx.service" },
	{ "/system.slice/system-getty.slice/getty@tty1.service", "", "", "getty@tty1.service" },
	{ "/system.slice/nginx.service/worker", "", "", "nginx.service" },
	{ "/system.slice/_cpu.service", "", "", "cpu.service" },
	{ "/user.slice/user-1000.slice/session-3.scope", "", "", "session-3.scope" },
	{ "/user.slice/user-1000.slice/user@1000.service/app.slice/agent.service", "", "",
	  "agent.service" },
	{ "/init.scope", "", "", "init.scope" },
	{ "/user.slice", "", "", "" },
	/* near misses */
	{ "/kubepods/pod" UID "x/1", "", "", "" },
	{ "/podcast", "", "", "" },
	{ "/kubepods-pod.slice", "", "", "" },
	{ "/x" CID, "", "", "" },
	{ "/D4917225C0FFEE00D4917225C0FFEE00D4917225C0FFEE00D4917225C0FFEE00", "", "", "" },
	{ "/.service", "", "", "" },
	{ "/a:b:c", "", "", "" },
	{ "//docker//" CID "//", CID, "", "" },
};

static void path_names_container_pod_and_unit(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		struct who_group group;

		memset(&group, 'x', sizeof(group));
		who_parse_path(paths[i].path, &group);
		if (strcmp(group.container, paths[i].container) ||
		    strcmp(group.pod_uid, paths[i].pod_uid) || strcmp(group.unit, paths[i].unit))
			fail_msg("%s: container \"%s\", pod \"%s\", unit \"%s\"", paths[i].path,
				 group.container, group.pod_uid, group.unit);
	}
}

/* LXC's and Incus's ids are names; a hash says less than the unit that has it. */
static void a_container_is_called_by_what_people_call_it(void **state)
{
	static const char *const labels[][2] = {
		{ "/lxc.payload.web-1", "web-1" },
		{ "/lxc.payload.web-1/system.slice/cron.service", "web-1" },
		{ "/lxc.payload.shop_web-1/init.scope",
		  "shop_web-1" },                                   /* Incus: of the project shop */
		{ "/lxc/101/ns/system.slice/cron.service", "101" }, /* Proxmox VE */
		{ "/system.slice/web.service/libpod-payload-" CID, "web.service" },
		{ "/docker/" CID, CID },
		{ "/system.slice/nginx.service", "nginx.service" },
		{ "/mycontainer", "/mycontainer" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(labels); i++) {
		struct who_group group = { 0 };
		char label[WHO_LABEL_LEN];

		snprintf(group.path, sizeof(group.path), "%s", labels[i][0]);
		who_parse_path(group.path, &group);
		memcpy(group.container_name, group.container, sizeof(group.container));
		assert_string_equal(who_label(&group, label), labels[i][1]);
	}
}

static void a_job_of_slurm_is_a_workload(void **state)
{
	static const char *const jobs[][2] = {
		{ "/system.slice/slurmstepd.scope/job_17/step_0/user/task_0", "Slurm/job_17" },
		{ "/system.slice/node1_slurmstepd.scope/job_17/step_batch", "Slurm/job_17" },
		{ "/system.slice/slurmstepd.scope/job_17", "Slurm/job_17" },
		{ "/system.slice/slurmstepd.scope/system", "" },
		{ "/system.slice/slurmstepd.scope/job_/x", "" },
		{ "/system.slice/slurmstepd.scope", "" },
		{ "/system.slice/xslurmstepd.scope/job_17", "" },
		{ "/system.slice/job_17", "" },
		/* where a user may make cgroups */
		{ "/user.slice/user-1000.slice/user@1000.service/system.slice/slurmstepd.scope/job_17",
		  "" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(jobs); i++) {
		struct who_group group = { 0 };

		who_parse_path(jobs[i][0], &group);
		if (strcmp(group.workload, jobs[i][1]))
			fail_msg("%s: \"%s\"", jobs[i][0], group.workload);
	}
}

static int mount_in(const char *text, char *buf, size_t size)
{
	_cleanup_fclose_ FILE *file = fmemopen((void *)text, strlen(text), "r");

	return cgroups_find_mount(file, buf, size);
}

static void v2_mount_is_found(void **state)
{
	char buf[64];

	/* hybrid */
	assert_int_equal(
		mount_in("31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n"
			 "40 31 0:37 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,name=systemd\n"
			 "41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n",
			 buf, sizeof(buf)),
		0);
	assert_string_equal(buf, "/sys/fs/cgroup/unified");
	/* pure, optional fields, octal escapes */
	assert_int_equal(
		mount_in("41 31 0:38 / /mnt/a\\040b\\134 rw shared:9 master:1 - cgroup2 c rw\n",
			 buf, sizeof(buf)),
		0);
	assert_string_equal(buf, "/mnt/a b\\");
	/* in a container's cgroup namespace: its own mount, the host's root, a part of the tree */
	assert_int_equal(mount_in("1 1 0:38 / /sys/fs/cgroup rw - cgroup2 cgroup rw\n"
				  "2 1 0:38 /../.. /host/cgroup rw - cgroup2 cgroup rw\n"
				  "3 1 0:38 /../../x /part rw - cgroup2 cgroup rw\n"
				  "4 1 0:38 /.. /half rw - cgroup2 cgroup rw\n",
				  buf, sizeof(buf)),
			 0);
	assert_string_equal(buf, "/host/cgroup");
	assert_int_equal(mount_in("3 1 0:38 /x /part rw - cgroup2 cgroup rw\n", buf, sizeof(buf)),
			 -ENOENT);
	assert_int_equal(mount_in("cgroup2\n - cgroup2 \n1 - cgroup2 c", buf, sizeof(buf)), -ENOENT);
	assert_int_equal(mount_in("1 1 0:38 / /sys/fs/cgroup rw - cgroup2 cgroup rw\n", buf, 4),
			 -ENAMETOOLONG);
}

static uint64_t make(const char *root, const char *path)
{
	char full[WHO_PATH_LEN];
	struct stat st;

	snprintf(full, sizeof(full), "%s%s", root, path);
	assert_int_equal(mkdir(full, 0700), 0);
	assert_int_equal(stat(full, &st), 0);
	return st.st_ino;
}

static void drop(const char *root, const char *path)
{
	char full[WHO_PATH_LEN];

	snprintf(full, sizeof(full), "%s%s", root, path);
	assert_int_equal(rmdir(full), 0);
}

/* A tree of plain directories: the ids are inode numbers there, too, and the walk is the only way. */
/* The answer before stays as it was. */
static const struct who_group *group_of(struct who *who, uint64_t cgroup)
{
	static struct who_group groups[2];
	static size_t n;
	struct who_group *group = &groups[n++ % 2];

	who_group_get(who, cgroup, group);
	return group;
}

static const struct who_process *process_of(struct who *who, uint32_t tgid, const char *comm,
					    uid_t uid)
{
	static struct who_process process;

	who_process_get(who, tgid, comm, uid, &process);
	return &process;
}

static void walk_names_groups_and_names_outlive_them(void **state)
{
	char root[UNIT_FOLDER_LEN];
	const struct who_group *first;
	uint64_t a, ab, late;
	struct who *who;

	assert_int_equal(unit_folder(root), 0);
	a = make(root, "/a");
	ab = make(root, "/a/b.service");
	assert_int_equal(who_new(&who, root), 0);
	first = group_of(who, a);
	assert_string_equal(group_of(who, ab)->path, "/a/b.service");
	assert_string_equal(first->path, "/a");
	assert_string_equal(group_of(who, ab)->path, "/a/b.service");
	assert_string_equal(group_of(who, ab)->unit, "b.service");
	assert_int_equal(who_cgroup_id(who, "/a/b.service"), ab);
	assert_int_equal(who_cgroup_id(who, "/a/../a"), 0);
	assert_int_equal(who_cgroup_id(who, "/.."), 0);
	assert_int_equal(who_cgroup_id(who, "a"), 0);
	drop(root, "/a/b.service");
	assert_string_equal(group_of(who, ab)->path, "/a/b.service");
	assert_int_equal(who_cgroup_id(who, "/a/b.service"), 0);

	/* One made later: found by a walk, but no sooner than a second after the last. */
	late = make(root, "/a/late");
	if (late != ab) /* a plain file system may use an inode number again */
		assert_int_equal(strncmp(group_of(who, late)->path, "cgroup:", 7), 0);
	nanosleep(&(struct timespec){ .tv_sec = 1, .tv_nsec = 20000000 }, NULL);
	if (late != ab)
		assert_string_equal(group_of(who, late)->path, "/a/late");
	drop(root, "/a/late");
	drop(root, "/a");
	who_free(who);
	assert_int_equal(rmdir(root), 0);
	assert_int_equal(who_new(&who, root), -ENOENT);
}

static void write_line(const char *path, const char *line)
{
	FILE *file = fopen(path, "w");

	assert_true(file && fprintf(file, "%s\n", line) > 0 && fclose(file) == 0);
}

/* A tenant makes cgroups of threads, and cgroups below its own, as it likes. */
static void what_a_cgroup_is_a_part_of(void **state)
{
	char root[UNIT_FOLDER_LEN], path[UNIT_FOLDER_LEN + 64];
	uint64_t a, threads, below, inside;
	struct who *who;

	assert_int_equal(unit_folder(root), 0);
	a = make(root, "/a");
	threads = make(root, "/a/threads");
	below = make(root, "/a/threads/below");
	make(root, "/" CID);
	inside = make(root, "/" CID "/inside");
	for (int i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "%s/a/threads%s/cgroup.type", root, i ? "/below" : "");
		write_line(path, "threaded");
	}
	assert_int_equal(who_new(&who, root), 0);
	assert_int_equal(group_of(who, threads)->cgroup, a);
	assert_int_equal(group_of(who, below)->cgroup, a);
	assert_string_equal(group_of(who, below)->path, "/a");
	assert_int_equal(group_of(who, inside)->whole_len, 65);
	for (int i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "%s/a/threads%s/cgroup.type", root, i ? "/below" : "");
		assert_int_equal(unlink(path), 0);
	}
	who_free(who);
	assert_int_equal(who_new(&who, root), 0);
	assert_int_equal(group_of(who, below)->cgroup, below);
	/* what was asked about while nobody lived there may have become one of threads since */
	snprintf(path, sizeof(path), "%s/a/threads/below/cgroup.type", root);
	write_line(path, "threaded");
	assert_int_equal(group_of(who, below)->cgroup, threads);
	assert_int_equal(unlink(path), 0);
	who_free(who);
	assert_int_equal(who_new(&who, root), 0);
	assert_int_equal(group_of(who, below)->cgroup, below);
	snprintf(path, sizeof(path), "%s/a/threads", root);
	if (geteuid() == 0) {
		assert_int_equal(group_of(who, below)->whole_len, 16);
		assert_int_equal(chown(path, 65534, 65534), 0);
		who_free(who);
		assert_int_equal(who_new(&who, root), 0);
		assert_int_equal(group_of(who, below)->whole_len, 10);
		assert_int_equal(group_of(who, threads)->whole_len, 10);
		assert_int_equal(group_of(who, a)->whole_len, 2);
	}
	who_free(who);
	assert_int_equal(unit_remove(root), 0);
}

static void learned_names_win_and_are_bounded(void **state)
{
	struct who *who;

	assert_int_equal(who_new(&who, "/proc/self/fdinfo"), 0);
	who_learn(who, 7, "/docker/" CID);
	assert_string_equal(group_of(who, 7)->container, CID);
	assert_string_equal(group_of(who, 7)->container_name, CID);
	who_learn(who, 7, "/system.slice/x.service");
	assert_string_equal(group_of(who, 7)->container, "");
	assert_string_equal(group_of(who, 7)->unit, "x.service");
	who_learn(who, 8, "no slash");
	assert_string_equal(group_of(who, 8)->path, "cgroup:8");
	assert_string_equal(group_of(who, 0)->path, "cgroup:0");
	for (uint64_t id = 100; id < 100 + CGROUPS_MAX; id++) {
		who_learn(who, id, "/n");
		(void)group_of(who, 7); /* in use: stays */
	}
	assert_string_equal(group_of(who, 7)->unit, "x.service");
	assert_string_equal(group_of(who, 100)->path, "cgroup:100");
	assert_string_equal(group_of(who, 101 + CGROUPS_MAX / 2)->path, "/n");
	who_free(who);
}

struct visits {
	struct who *who;
	uint64_t sum, n;
};

static void visit(void *arg, const struct who_group *group)
{
	struct visits *visits = arg;

	assert_string_equal(group->container, CID);
	visits->sum += group->cgroup;
	visits->n++;
	/* asked for, it becomes the last of the table that is walked */
	assert_int_equal(group_of(visits->who, group->cgroup)->cgroup, group->cgroup);
}

static void containers_of_pods_are_visited_once(void **state)
{
	struct visits visits = { 0 };
	struct who *who;

	assert_int_equal(who_new(&who, NULL), 0);
	visits.who = who;
	who_learn(who, 1, "/kubepods/pod01234567-89ab-cdef-0123-456789abcdef");
	who_learn(who, 2, "/kubepods/pod01234567-89ab-cdef-0123-456789abcdef/" CID);
	who_learn(who, 4, "/docker/" CID);
	who_learn(who, 8, "/kubepods/pod11234567-89ab-cdef-0123-456789abcdef/" CID);
	who_each_container(who, visit, &visits);
	assert_int_equal(visits.n, 2);
	assert_int_equal(visits.sum, 2 + 8);
	who_free(who);
}

static void kernel_is_asked_for_a_cgroup_that_no_event_told(void **state)
{
	char root[256], path[64];
	struct who *who;
	uint64_t id;

	if (who_cgroup_mount(root, sizeof(root)) || access(root, W_OK)) {
		skip();
		return;
	}
	assert_int_equal(who_new(&who, root), 0);
	assert_string_equal(group_of(who, who_cgroup_id(who, "/"))->path, "/");
	snprintf(path, sizeof(path), "/test-who-%d.scope", (int)getpid());
	id = make(root, path);
	assert_string_equal(group_of(who, id)->path, path); /* at once: by its handle */
	drop(root, path);
	assert_string_equal(group_of(who, id)->path, path);
	assert_int_equal(strncmp(group_of(who, id + 999999999)->path, "cgroup:", 7), 0);
	who_free(who);
}

static void process_is_named_while_it_lives_and_after(void **state)
{
	const struct who_process *process;
	struct who *who;
	int to[2], from[2];
	char byte;
	pid_t pid;

	assert_int_equal(pipe(to) | pipe(from), 0);
	pid = fork();
	if (!pid) {
		prctl(PR_SET_NAME, "a) (b");
		if (write(from[1], "x", 1) != 1 || read(to[0], &byte, 1) != 1)
			_exit(1);
		_exit(0);
	}
	assert_int_equal(read(from[0], &byte, 1), 1);
	assert_int_equal(who_new(&who, "/proc/self/fdinfo"), 0);
	process = process_of(who, (uint32_t)pid, "thread-7", WHO_NO_UID);
	assert_string_equal(process->comm,
			    "test_who"); /* what runs, not what a thread calls itself */
	assert_string_equal(process->user, "root");
	assert_non_null(strstr(process->exe, "test_who"));
	assert_int_equal(write(to[1], "x", 1), 1);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_non_null(strstr(process_of(who, (uint32_t)pid, "thread-7", 0)->exe, "test_who"));
	assert_string_equal(process_of(who, (uint32_t)pid, "x", 4000000000u)->user, "4000000000");
	assert_string_equal(process_of(who, (uint32_t)pid, "x", WHO_NO_UID)->user, "4000000000");
	who_forget(who, (uint32_t)pid);
	process = process_of(who, (uint32_t)pid, "thread-7-and-too-long", WHO_NO_UID);
	assert_string_equal(process->comm, "thread-7-and-to");
	assert_string_equal(process->user, "");
	assert_string_equal(process->exe, "");
	close(to[0]), close(to[1]), close(from[0]), close(from[1]);
	who_free(who);
}

/* The number at once; then what the services say, which is the number again. */
static void users_that_no_file_lists_are_asked_for(void **state)
{
	struct users *users = users_new();
	char name[64];
	int tries = 0;

	assert_non_null(users);
	assert_true(users_name(users, 0, name, sizeof(name)));
	assert_string_equal(name, "root");
	assert_false(users_name(users, 4000000000u, name, sizeof(name)));
	assert_string_equal(name, "4000000000");
	while (!users_name(users, 4000000000u, name, sizeof(name)) && tries++ < 5000)
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
	assert_in_range(tries, 0, 4999);
	assert_string_equal(name, "4000000000");
	for (uid_t uid = 3000000000u; uid < 3000000000u + 2 * USERS_MAX; uid++)
		(void)users_name(users, uid, name, sizeof(name));
	assert_true(users_name(users, 0, name, sizeof(name)));
	users_free(users);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(path_names_container_pod_and_unit),
		cmocka_unit_test(a_container_is_called_by_what_people_call_it),
		cmocka_unit_test(a_job_of_slurm_is_a_workload),
		cmocka_unit_test(v2_mount_is_found),
		cmocka_unit_test(walk_names_groups_and_names_outlive_them),
		cmocka_unit_test(what_a_cgroup_is_a_part_of),
		cmocka_unit_test(learned_names_win_and_are_bounded),
		cmocka_unit_test(containers_of_pods_are_visited_once),
		cmocka_unit_test(kernel_is_asked_for_a_cgroup_that_no_event_told),
		cmocka_unit_test(process_is_named_while_it_lives_and_after),
		cmocka_unit_test(users_that_no_file_lists_are_asked_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

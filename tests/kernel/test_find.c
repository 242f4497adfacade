/* SPDX-License-Identifier: Apache-2.0 */
/*
 * find.h on this kernel with real clients: Python processes that do what their standard input
 * says. Whether a process is probed is read from its memory by find_explain().
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/loop.h"
#include "find/attach.h"
#include "find/find.h"
#include "tap/tap.h"

#define LIBSSL      "/usr/lib/x86_64-linux-gnu/libssl.so.3"
#define DEADLINE_NS (10 * NS_PER_S)

extern char **environ;

struct fixture {
	struct loop *loop;
	struct tap *tap;
	struct find *find;
	char folder[64], copy[96];
};

/* Perf events that find listens to for news of mappings, which are no probes. */
static size_t n_listeners;

/* uprobe_multi links, or perf uprobes, that this process holds. */
static size_t count_links(void)
{
	DIR *dir = opendir("/proc/self/fdinfo");
	struct dirent *entry;
	size_t n = 0;

	while ((entry = readdir(dir))) {
		char path[300], line[256] = "";
		_cleanup_fclose_ FILE *info = NULL;

		snprintf(path, sizeof(path), "/proc/self/fd/%s", entry->d_name);
		n += readlink(path, line, sizeof(line) - 1) > 0 && strstr(line, "[perf_event]");
		snprintf(path, sizeof(path), "/proc/self/fdinfo/%s", entry->d_name);
		info = fopen(path, "re");
		while (info && fgets(line, sizeof(line), info))
			n += !strcmp(line, "link_type:\tuprobe_multi\n");
	}
	closedir(dir);
	return n - n_listeners;
}

static struct fixture *start(enum find_mode mode, enum find_returns returns)
{
	const struct find_config config = { .mode = mode, .returns = returns };
	struct fixture *f = calloc(1, sizeof(*f));
	char command[256], root[256], *error = NULL;
	FILE *mounts;

	strcpy(f->folder, "/tmp/aigress-find-XXXXXX");
	assert_non_null(mkdtemp(f->folder));
	snprintf(f->copy, sizeof(f->copy), "%s/libssl.so.3", f->folder);
	snprintf(command, sizeof(command), "cp -L %s %s", LIBSSL, f->copy);
	assert_int_equal(system(command), 0);
	mounts = popen("findmnt -n -o TARGET -t cgroup2 | head -1", "r");
	assert_int_equal(fscanf(mounts, "%255s", root), 1);
	pclose(mounts);
	assert_int_equal(loop_new(&f->loop), 0);
	if (tap_new(&f->tap, &(struct tap_config){ .cgroup_root = root }, &error))
		fail_msg("%s", error);
	if (find_new(&f->find, f->loop, f->tap, &config, &error))
		fail_msg("%s", error);
	n_listeners = 0;
	n_listeners = count_links();
	assert_int_equal(find_scan(f->find), 0);
	return f;
}

struct client {
	pid_t pid;
	FILE *to, *from;
};

/* `name` tells one program from another: both are python3. `folder` NULL: the host's own libssl. */
static struct client client_start(const char *name, const char *folder)
{
	struct client client;
	char code[256], path[128];
	char *argv[] = { "python3", "-c", code, NULL };
	char *env[] = { path, "PATH=/usr/bin:/bin", NULL };
	int in[2], out[2];
	posix_spawn_file_actions_t actions;

	snprintf(code, sizeof(code),
		 "import sys, os\n#%s\nprint('on', flush=True)\n"
		 "for line in sys.stdin:\n exec(line)\n print('ok', flush=True)",
		 name);
	snprintf(path, sizeof(path), "LD_LIBRARY_PATH=%s", folder ? folder : "");
	assert_int_equal(pipe2(in, 02000000) | pipe2(out, 02000000), 0); /* O_CLOEXEC */
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, in[0], 0);
	posix_spawn_file_actions_adddup2(&actions, out[1], 1);
	assert_int_equal(posix_spawn(&client.pid, "/usr/bin/python3", &actions, NULL, argv, env), 0);
	posix_spawn_file_actions_destroy(&actions);
	close(in[0]);
	close(out[1]);
	client.to = fdopen(in[1], "w");
	client.from = fdopen(out[0], "r");
	assert_string_equal(fgets(code, sizeof(code), client.from), "on\n");
	return client;
}

/* Runs one line of Python in the client and waits for it; what it printed first. */
static int client_do(const struct client *client, const char *line)
{
	char answer[64];
	int value = 0;

	fprintf(client->to, "%s\n", line);
	fflush(client->to);
	while (fgets(answer, sizeof(answer), client->from) && strcmp(answer, "ok\n"))
		value = atoi(answer);
	return value;
}

static void client_end(struct client *client)
{
	fclose(client->to);
	fclose(client->from);
	assert_int_equal(waitpid(client->pid, NULL, 0), client->pid);
}

/* Runs the loop until check(arg) holds. False at the deadline. */
struct waiting {
	struct loop *loop;
	bool (*check)(void *arg);
	void *arg;
	uint64_t until_ns;
	bool holds;
};

static void look(void *arg)
{
	struct waiting *waiting = arg;

	waiting->holds = waiting->check(waiting->arg);
	if (waiting->holds || clock_mono_ns() > waiting->until_ns)
		loop_stop(waiting->loop);
}

static bool becomes(struct fixture *f, bool (*check)(void *arg), void *arg, uint64_t within_ns)
{
	struct waiting waiting = { f->loop, check, arg, clock_mono_ns() + within_ns, false };
	struct loop_source *timer;

	assert_int_equal(loop_add_timer(f->loop, 5 * NS_PER_MS, look, &waiting, &timer), 0);
	assert_int_equal(loop_run(f->loop), 0);
	loop_remove(timer);
	return waiting.holds;
}

static void note_row(void *arg, const struct find_row *row)
{
	bool *probed = arg;

	*probed |= row->reach == FIND_PROBED;
}

static bool is_probed(void *arg)
{
	const pid_t *pid = arg;
	bool probed = false;

	(void)find_explain((uint32_t)*pid, FIND_RETURN_PROBES, note_row, &probed);
	return probed;
}

static bool has_no_links(void *arg)
{
	return !count_links();
}

static void stop(struct fixture *f)
{
	find_free(f->find);
	n_listeners = 0;
	/* probes leave in a thread; the next test counts from none */
	assert_true(becomes(f, has_no_links, NULL, DEADLINE_NS));
	tap_free(f->tap);
	loop_free(f->loop);
	unlink(f->copy);
	rmdir(f->folder);
	free(f);
}

#define assert_probed(f, p) assert_true(becomes(f, is_probed, p, DEADLINE_NS))
/* Long enough for news that would have come: a probe follows its mapping within 20 ms. */
#define assert_unprobed(f, p) assert_false(becomes(f, is_probed, p, 300 * NS_PER_MS))

static struct client client_greeting(struct fixture *f, const char *name)
{
	struct client client = client_start(name, NULL);

	client_do(&client, "import ssl, time");
	find_greeted(f->find, (uint32_t)client.pid, 1);
	return client;
}

struct opened {
	uint32_t by, not_by;
	size_t n;
};

static void note_open(void *arg, const struct ev_head *event, size_t size)
{
	struct opened *opened = arg;

	if (event->type != EV_OPEN)
		return;
	assert_int_not_equal(event->tgid, opened->not_by);
	opened->n += event->tgid == opened->by;
}

/*
 * By the breakpoints in memory, unless another aigress of this host puts its own there; and by whose
 * calls are heard.
 */
static void probes_who_greets_and_nobody_else(void **state)
{
	static const char names[] =
		"import ssl; ssl.create_default_context().wrap_bio(ssl.MemoryBIO(), "
		"ssl.MemoryBIO(), server_hostname='api.openai.com')";
	struct fixture *f = *state;
	struct client greets = client_start("greets", f->folder);
	struct client other = client_start("other", f->folder);
	struct opened opened = { .by = (uint32_t)greets.pid, .not_by = (uint32_t)other.pid };
	bool is_alone;

	assert_int_equal(tap_add_host(f->tap, "api.openai.com"), 0);
	client_do(&greets, "import ssl");
	client_do(&other, "import ssl");
	is_alone = !becomes(f, is_probed, &greets.pid, 300 * NS_PER_MS);
	assert_int_equal(count_links(), 0);
	if (!is_alone)
		print_message(
			"note: another program of this host probes every libssl: nobody's memory can "
			"show who was left alone\n");
	find_greeted(f->find, (uint32_t)greets.pid, 1);
	/* without the loop: probes are in when the call comes back */
	assert_true(is_probed(&greets.pid));
	client_do(&other, names);
	client_do(&greets, names);
	if (is_alone)
		assert_unprobed(f, &other.pid);
	assert_int_equal(tap_drain(f->tap, note_open, &opened), 0);
	assert_int_equal(opened.n, 1);
	client_end(&greets);
	client_end(&other);
}

static void leaves_nothing_behind_the_last_user(void **state)
{
	struct fixture *f = *state;
	struct client client = client_greeting(f, "leaves");

	assert_true(count_links() > 0);
	client_end(&client);
	find_gone(f->find, (uint32_t)client.pid);
	assert_true(becomes(f, has_no_links, NULL, DEADLINE_NS));
}

static void sweeps_up_who_left_unseen(void **state)
{
	struct fixture *f = *state;
	struct client client = client_greeting(f, "unseen");

	assert_true(count_links() > 0);
	client_end(&client);
	assert_int_equal(find_scan(f->find), 0);
	assert_true(becomes(f, has_no_links, NULL, DEADLINE_NS));
}

/* One record and none after it: the least of news must be enough. */
static void hears_of_a_lone_mapping(void **state)
{
	struct fixture *f = *state;
	struct client client = client_start("lone", NULL);
	char line[256];

	find_greeted(f->find, (uint32_t)client.pid, 1);
	snprintf(line, sizeof(line), "import mmap; f = os.open('%s', 0)", f->copy);
	client_do(&client, line);
	assert_unprobed(f, &client.pid);
	client_do(&client, "m = mmap.mmap(f, 0, mmap.MAP_PRIVATE, mmap.PROT_READ | mmap.PROT_EXEC)");
	assert_probed(f, &client.pid);
	client_end(&client);
}

static void probes_a_library_that_comes_late(void **state)
{
	struct fixture *f = *state;
	struct client client = client_start("late", NULL);

	find_greeted(f->find, (uint32_t)client.pid, 1);
	assert_unprobed(f, &client.pid);
	client_do(&client, "import ssl");
	assert_probed(f, &client.pid);
	client_end(&client);
}

static void remembers_the_program(void **state)
{
	struct fixture *f = *state;
	struct client first = client_greeting(f, "again"), second;

	client_end(&first);
	find_gone(f->find, (uint32_t)first.pid);
	assert_true(becomes(f, has_no_links, NULL, DEADLINE_NS));
	second = client_start("again", NULL);
	client_do(&second, "import ssl");
	assert_probed(f, &second.pid);
	client_end(&second);
}

static void follows_a_fork(void **state)
{
	struct fixture *f = *state;
	struct client client = client_greeting(f, "forks");
	pid_t child;

	child = client_do(&client, "p = os.fork(); p or (time.sleep(30), os._exit(0)); print(p)");
	assert_true(child > 0);
	assert_probed(f, &child);
	kill(child, SIGKILL);
	client_do(&client, "os.waitpid(p, 0)");
	client_end(&client);
}

/* More single links on one file than is cheap become one for all, and end with the last user. */
static void turns_many_links_into_one(void **state)
{
	struct fixture *f = *state;
	struct client clients[LINKS_FILE_MAX + 2];
	size_t single = 0, n = ARRAY_SIZE(clients);

	for (size_t i = 0; i < n; i++) {
		char name[16];

		snprintf(name, sizeof(name), "many-%zu", i);
		clients[i] = client_start(name, f->folder);
		client_do(&clients[i], "import ssl");
		find_greeted(f->find, (uint32_t)clients[i].pid, 1);
		if (!i)
			single = count_links();
		assert_true(is_probed(&clients[i].pid));
	}
	assert_true(single > 0);
	/* the single ones leave in a thread */
	for (int i = 0; i < 1000 && count_links() > single; i++)
		usleep(10000);
	assert_int_equal(count_links(), single);
	for (size_t i = 0; i < n; i++)
		assert_true(is_probed(&clients[i].pid));
	for (size_t i = 0; i < n; i++)
		client_end(&clients[i]);
	assert_int_equal(find_scan(f->find), 0);
	assert_true(becomes(f, has_no_links, NULL, DEADLINE_NS));
}

static void survives_a_storm_of_execs(void **state)
{
	struct fixture *f = *state;
	struct find_stats before, after;
	char *argv[] = { "true", NULL };
	size_t links = count_links();

	find_stats(f->find, &before);
	for (int i = 0; i < 300; i++) {
		pid_t pid;

		assert_int_equal(posix_spawn(&pid, "/bin/true", NULL, NULL, argv, environ), 0);
		assert_int_equal(waitpid(pid, NULL, 0), pid);
		if (i % 20 == 0)
			becomes(f, has_no_links, NULL, 0);
	}
	becomes(f, has_no_links, NULL, 0);
	find_stats(f->find, &after);
	assert_int_equal(after.processes_probed, before.processes_probed);
	assert_int_equal(after.attach_failures, before.attach_failures);
	assert_int_equal(count_links(), links);
	print_message("300 execs: %llu files looked into, %llu news lost\n",
		      (unsigned long long)(after.files_seen - before.files_seen),
		      (unsigned long long)(after.map_events_lost - before.map_events_lost));
}

static void probes_a_deleted_library(void **state)
{
	struct fixture *f = *state;
	struct client client = client_start("deleted", f->folder);

	client_do(&client, "import ssl");
	assert_int_equal(unlink(f->copy), 0);
	find_greeted(f->find, (uint32_t)client.pid, 1);
	assert_true(is_probed(&client.pid));
	client_end(&client);
}

static void note_unfollowed(void *arg, const struct find_row *row)
{
	/* Another aigress of this host may probe it for everyone. */
	*(bool *)arg |= row->reach == FIND_UNFOLLOWED || row->reach == FIND_PROBED;
}

/* A library of which not every return is known: no probe, and each process of it has its reason. */
static void says_of_whom_it_leaves_a_library_alone(void **state)
{
	struct fixture *f = *state;
	struct client clients[2], other = client_start("other", NULL);
	char command[512], load[192];
	struct find_stats stats, before;
	bool told;

	find_stats(f->find, &before); /* others of this host may map such a library, too */
	snprintf(command, sizeof(command),
		 "%s -shared -fPIC -Wl,-Bsymbolic -O2 -DSHAPE_HELPER_FIRST -o %s "
		 "tests/data/find/shapes.c",
		 getenv("CC") ?: "cc", f->copy);
	assert_int_equal(system(command), 0);
	snprintf(load, sizeof(load), "import ctypes; ctypes.CDLL('%s')", f->copy);
	for (int i = 0; i < 2; i++) {
		clients[i] = client_start(i ? "second" : "first", NULL);
		client_do(&clients[i], load);
		find_greeted(f->find, (uint32_t)clients[i].pid, 1);
		assert_int_equal(find_reach_of(f->find, (uint32_t)clients[i].pid), FIND_UNFOLLOWED);
		told = false;
		assert_int_equal(find_explain((uint32_t)clients[i].pid, FIND_RETURN_INSTRUCTIONS,
					      note_unfollowed, &told),
				 0);
		assert_true(told);
	}
	assert_int_equal(find_reach_of(f->find, (uint32_t)other.pid), FIND_NO_TLS);
	find_stats(f->find, &stats);
	assert_int_equal(stats.processes_probed, 0);
	assert_int_equal(stats.attach_failures, before.attach_failures + 1); /* the file, once */
	for (int i = 0; i < 2; i++)
		client_end(&clients[i]);
	client_end(&other);
}

static void probes_everyone_before_and_after_a_replacement(void **state)
{
	struct fixture *f = *state;
	struct client before = client_start("before", f->folder), after;
	char command[512];

	client_do(&before, "import ssl");
	assert_probed(f, &before.pid);
	snprintf(command, sizeof(command), "cp -L %s %s.new && mv %s.new %s", LIBSSL, f->copy,
		 f->copy, f->copy);
	assert_int_equal(system(command), 0);
	after = client_start("after", f->folder);
	client_do(&after, "import ssl");
	assert_probed(f, &after.pid);
	assert_true(is_probed(&before.pid));
	client_end(&before);
	client_end(&after);
}

static int setup_on_sight(void **state)
{
	*state = start(FIND_ON_SIGHT, FIND_RETURN_PROBES);
	return 0;
}

static int setup_by_instruction(void **state)
{
	*state = start(FIND_ON_SIGHT, FIND_RETURN_INSTRUCTIONS);
	return 0;
}

static int setup_everyone(void **state)
{
	*state = start(FIND_EVERYONE, FIND_RETURN_PROBES);
	return 0;
}

static int teardown(void **state)
{
	stop(*state);
	return 0;
}

#define ON_SIGHT(test)       cmocka_unit_test_setup_teardown(test, setup_on_sight, teardown)
#define BY_INSTRUCTION(test) cmocka_unit_test_setup_teardown(test, setup_by_instruction, teardown)
#define EVERYONE(test)       cmocka_unit_test_setup_teardown(test, setup_everyone, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_SIGHT(probes_who_greets_and_nobody_else),
		ON_SIGHT(leaves_nothing_behind_the_last_user),
		ON_SIGHT(sweeps_up_who_left_unseen),
		ON_SIGHT(probes_a_library_that_comes_late),
		ON_SIGHT(hears_of_a_lone_mapping),
		ON_SIGHT(remembers_the_program),
		ON_SIGHT(follows_a_fork),
		ON_SIGHT(turns_many_links_into_one),
		ON_SIGHT(survives_a_storm_of_execs),
		ON_SIGHT(probes_a_deleted_library),
		BY_INSTRUCTION(says_of_whom_it_leaves_a_library_alone),
		EVERYONE(probes_everyone_before_and_after_a_replacement),
	};

	return cmocka_run_group_tests_name("find", tests, NULL, NULL);
}

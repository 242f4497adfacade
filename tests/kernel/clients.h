/* SPDX-License-Identifier: Apache-2.0 */
/* find.h on the running kernel, and programs that load libssl when they are asked to. */
#ifndef KERNEL_CLIENTS_H
#define KERNEL_CLIENTS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <dirent.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/loop.h"
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
static inline size_t count_links(void)
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

static inline struct fixture *start(enum find_mode mode, enum find_returns returns)
{
	const struct find_config config = { .mode = mode, .returns = returns, .guess_ns = NS_PER_S };
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
static inline struct client client_start(const char *name, const char *folder)
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
static inline int client_do(const struct client *client, const char *line)
{
	char answer[64];
	int value = 0;

	fprintf(client->to, "%s\n", line);
	fflush(client->to);
	while (fgets(answer, sizeof(answer), client->from) && strcmp(answer, "ok\n"))
		value = atoi(answer);
	return value;
}

static inline void client_end(struct client *client)
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

static inline void look(void *arg)
{
	struct waiting *waiting = arg;

	waiting->holds = waiting->check(waiting->arg);
	if (waiting->holds || clock_mono_ns() > waiting->until_ns)
		loop_stop(waiting->loop);
}

static inline bool becomes(struct fixture *f, bool (*check)(void *arg), void *arg,
			   uint64_t within_ns)
{
	struct waiting waiting = { f->loop, check, arg, clock_mono_ns() + within_ns, false };
	struct loop_source *timer;

	assert_int_equal(loop_add_timer(f->loop, 5 * NS_PER_MS, look, &waiting, &timer), 0);
	assert_int_equal(loop_run(f->loop), 0);
	loop_remove(timer);
	return waiting.holds;
}

static inline void note_row(void *arg, const struct find_row *row)
{
	bool *probed = arg;

	*probed |= row->reach == FIND_PROBED;
}

static inline bool is_probed(void *arg)
{
	const pid_t *pid = arg;
	const struct find_explaining how = { .returns = FIND_RETURN_PROBES };
	bool probed = false;

	(void)find_explain(&how, (uint32_t)*pid, note_row, &probed);
	return probed;
}

static inline bool has_no_links(void *arg)
{
	return !count_links();
}

static inline void stop(struct fixture *f)
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

static inline int setup_on_sight(void **state)
{
	*state = start(FIND_ON_SIGHT, FIND_RETURN_PROBES);
	return 0;
}

static inline int teardown(void **state)
{
	stop(*state);
	return 0;
}

#define ON_SIGHT(test) cmocka_unit_test_setup_teardown(test, setup_on_sight, teardown)

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * find.h on this kernel with real clients: Python processes that do what their standard input
 * says. Whether a process is probed is read from its memory by find_explain().
 */
#include "clients.h"

#include <errno.h>

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

/* As this find has it: another program of this host may probe every libssl. */
struct sight {
	const struct find *find;
	pid_t pid;
};

static bool has_probes(void *arg)
{
	const struct sight *sight = arg;

	return find_reach_of(sight->find, (uint32_t)sight->pid) == FIND_PROBED;
}

static bool has_none(void *arg)
{
	return !has_probes(arg);
}

/* Whoever has connected to the relay's Unix socket may be whose hello it passes on, for a while. */
static void probes_who_may_be_behind_a_relay(void **state)
{
	struct fixture *f = *state;
	struct client relay = client_start("relay", NULL);
	struct client calls = client_start("calls", NULL), idles = client_start("idles", NULL);
	struct client serves = client_start("serves", NULL);
	struct sight caller = { f->find, calls.pid }, idler = { f->find, idles.pid };
	struct sight server = { f->find, serves.pid };
	char line[256];

	client_do(&relay, "import socket, ssl");
	for (int i = 0; i < 3; i++)
		client_do(i == 0 ? &calls : i == 1 ? &idles : &serves, "import socket, ssl");
	snprintf(line, sizeof(line),
		 "l = socket.socket(socket.AF_UNIX); l.bind('%s/s'); l.listen()", f->folder);
	client_do(&relay, line);
	snprintf(line, sizeof(line), "s = socket.socket(socket.AF_UNIX); s.connect('%s/s')",
		 f->folder);
	client_do(&calls, line);
	client_do(&idles, line);
	client_do(&relay, "a = l.accept(), l.accept()");
	/* the relay is itself connected to somebody, with a name as if it had accepted that */
	snprintf(line, sizeof(line),
		 "l = socket.socket(socket.AF_UNIX); l.bind('%s/t'); l.listen()", f->folder);
	client_do(&serves, line);
	snprintf(line, sizeof(line),
		 "b = socket.socket(socket.AF_UNIX); b.bind('%s/b'); b.connect('%s/t')", f->folder,
		 f->folder);
	client_do(&relay, line);
	client_do(&serves, "a = l.accept()");
	find_put_greeting(f->find, (uint32_t)relay.pid, 1, 1);
	assert_true(becomes(f, has_probes, &caller, DEADLINE_NS));
	assert_true(becomes(f, has_probes, &idler, DEADLINE_NS));
	assert_true(has_none(&server));
	find_put_speaker(f->find, (uint32_t)calls.pid);
	assert_true(becomes(f, has_none, &idler, DEADLINE_NS));
	assert_true(has_probes(&caller));
	find_put_greeting(f->find, (uint32_t)relay.pid, 1, 1);
	assert_false(becomes(f, has_probes, &idler, 300 * NS_PER_MS)); /* not again so soon */
	client_do(&relay, "import os");
	snprintf(line, sizeof(line), "[os.unlink('%s/' + n) for n in 'stb']", f->folder);
	client_do(&relay, line);
	client_end(&relay);
	client_end(&calls);
	client_end(&idles);
	client_end(&serves);
}

static int setup_everyone(void **state)
{
	*state = start(FIND_EVERYONE, FIND_RETURN_PROBES);
	return 0;
}

#define EVERYONE(test) cmocka_unit_test_setup_teardown(test, setup_everyone, teardown)

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
		ON_SIGHT(probes_who_may_be_behind_a_relay),
		ON_SIGHT(survives_a_storm_of_execs),
		EVERYONE(probes_everyone_before_and_after_a_replacement),
	};

	return cmocka_run_group_tests_name("find", tests, NULL, NULL);
}

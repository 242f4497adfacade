/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "ledger/ledger.h"
#include "ledger/overrides.h"
#include "ledger/reading_group.h"

#define HOUR_US 3600000000LL
#define T0      (1700000000LL / 3600 * HOUR_US)

static char dir[64];

static int make_dir(void **state)
{
	return unit_folder(dir);
}

static int remove_dir(void **state)
{
	return unit_remove(dir);
}

/* The call of a seed: six subjects, twelve services, all sources. */
struct made {
	struct who_group group;
	struct who_process process;
	struct charge charge;
	struct ledger_call call;
};

static void make(struct made *made, unsigned seed)
{
	unsigned who = seed % 6, what = seed % 12;

	memset(made, 0, sizeof(*made));
	snprintf(made->group.path, sizeof(made->group.path), "/slice/%u", who);
	snprintf(made->group.namespace, sizeof(made->group.namespace), "ns-%u", who % 2);
	snprintf(made->group.workload, sizeof(made->group.workload), "Deployment/w%u", who % 3);
	snprintf(made->group.pod, sizeof(made->group.pod), "pod-%u", who);
	snprintf(made->group.container_name, sizeof(made->group.container_name), "c%u", who);
	snprintf(made->group.unit, sizeof(made->group.unit), "u%u.service", who);
	snprintf(made->process.user, sizeof(made->process.user), "user%u", who);
	snprintf(made->process.comm, sizeof(made->process.comm), "comm%u", who);
	snprintf(made->process.exe, sizeof(made->process.exe), "/bin/exe%u", who);
	made->process.tgid = 1000 + seed % 4;
	made->process.uid = who;
	snprintf(made->charge.host, sizeof(made->charge.host), "api%u.example", what);
	snprintf(made->charge.provider, sizeof(made->charge.provider), "p%u", what % 3);
	snprintf(made->charge.model, sizeof(made->charge.model), "model-%u", what);
	snprintf(made->charge.operation, sizeof(made->charge.operation), "chat");
	snprintf(made->charge.path, sizeof(made->charge.path), "/v1/%u", what % 2);
	snprintf(made->charge.price_key, sizeof(made->charge.price_key), "key-%u", what);
	snprintf(made->charge.price_origin, sizeof(made->charge.price_origin), "test");
	made->charge.status = 200;
	made->charge.source = seed % CHARGE_SOURCES;
	made->charge.outcome = seed % 4;
	made->charge.is_priced = seed % 5 != 0;
	made->charge.is_stream = seed % 2;
	made->charge.usage = (struct usage){ .input = seed,
					     .cache_read = seed * 2,
					     .cache_write_5m = seed * 3,
					     .cache_write_1h = seed * 4,
					     .output = seed * 5,
					     .reasoning = seed * 6,
					     .audio_input = seed * 7,
					     .audio_output = seed * 8,
					     .web_searches = seed % 3 };
	made->charge.cost_nanos = seed * 1000 + 1;
	made->charge.budget_nanos = seed * 2000;
	made->charge.request_bytes = seed * 10;
	made->charge.response_bytes = seed * 100;
	made->charge.first_token_ns = seed * 1000;
	made->charge.duration_ns = seed * 5000;
	made->call = (struct ledger_call){ .start_us = T0 + seed * 7000000LL,
					   .charge = &made->charge,
					   .group = &made->group,
					   .process = &made->process };
}

static struct ledger *open_writer(void)
{
	struct ledger *ledger = NULL;
	_cleanup_free_ char *error = NULL;

	assert_int_equal(ledger_open(&ledger, dir, true, &error), 0);
	return ledger;
}

static void add(struct ledger *ledger, unsigned seed)
{
	struct made made;

	make(&made, seed);
	assert_int_equal(ledger_add(ledger, &made.call, NULL), 0);
}

static int64_t ask(const char *sql)
{
	char path[96];
	sqlite3 *db;
	sqlite3_stmt *statement;
	int64_t value;

	snprintf(path, sizeof(path), "%s/" LEDGER_FILE, dir);
	assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
	sqlite3_busy_timeout(db, 1000);
	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
	value = sqlite3_column_int64(statement, 0);
	sqlite3_finalize(statement);
	sqlite3_close(db);
	return value;
}

static void assert_hours_equal_calls(void)
{
	assert_int_equal(ask("SELECT ifnull(sum(calls), 0) FROM hours"),
			 ask("SELECT count(*) FROM calls"));
	/* Every column, group by group, both ways round. */
	assert_int_equal(
		ask("SELECT count(*) FROM (SELECT hour, subject, service, source, calls,"
		    " unpriced, input, cache_read, cache_write_5m, cache_write_1h, output, "
		    "reasoning,"
		    " audio_input, audio_output, web_searches, cost_nanos, budget_nanos, "
		    "request_bytes,"
		    " response_bytes FROM hours EXCEPT SELECT start_us / 3600000000, subject, "
		    "service, source,"
		    " count(*), sum(priced = 0 AND source <> 'free'), sum(input), sum(cache_read),"
		    " sum(cache_write_5m), sum(cache_write_1h), sum(output), sum(reasoning), "
		    "sum(audio_input),"
		    " sum(audio_output), sum(web_searches), sum(cost_nanos), sum(budget_nanos),"
		    " sum(request_bytes), sum(response_bytes) FROM calls GROUP BY 1, 2, 3, 4)"),
		0);
	assert_int_equal(
		ask("SELECT count(*) FROM (SELECT 1 FROM calls GROUP BY start_us / 3600000000,"
		    " subject, service, source)"),
		ask("SELECT count(*) FROM hours"));
}

static void makes_a_private_file_in_a_private_directory(void **state)
{
	char path[96];
	struct stat st;
	struct ledger *ledger;

	strcat(dir, "/sub");
	ledger = open_writer();
	add(ledger, 1);
	assert_int_equal(ledger_commit(ledger), 0);
	assert_int_equal(stat(dir, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0750);
	snprintf(path, sizeof(path), "%s/" LEDGER_FILE, dir);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0640);
	strcat(path, "-wal");
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0640);
	ledger_free(ledger);
	*strrchr(dir, '/') = '\0';
}

static void a_second_writer_is_told_why_it_may_not(void **state)
{
	struct ledger *first = open_writer(), *second = NULL;
	char *error = NULL;

	assert_int_equal(ledger_open(&second, dir, true, &error), -EBUSY);
	assert_non_null(error);
	assert_non_null(strstr(error, "another aigress"));
	free(error);
	assert_null(second);
	ledger_free(first);
	ledger_free(open_writer());
}

static void what_is_no_ledger_is_refused_in_a_sentence(void **state)
{
	struct ledger *ledger = NULL;
	char path[96], *error = NULL;
	sqlite3 *db;
	FILE *file;

	assert_int_equal(ledger_open(&ledger, dir, false, &error), -ENOENT);
	assert_non_null(strstr(error, "aigress run"));
	free(error);
	snprintf(path, sizeof(path), "%s/" LEDGER_FILE, dir);
	file = fopen(path, "w");
	for (int i = 0; i < 1000; i++)
		fputs("no database at all ", file);
	fclose(file);
	assert_int_equal(ledger_open(&ledger, dir, true, &error), -EBADMSG);
	assert_non_null(strstr(error, "damaged"));
	free(error);
	unlink(path);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	sqlite3_exec(db, "PRAGMA user_version = 99", NULL, NULL, NULL);
	sqlite3_close(db);
	assert_int_equal(ledger_open(&ledger, dir, true, &error), -EPROTO);
	assert_non_null(strstr(error, "newer"));
	free(error);
	assert_null(ledger);
}

/* What a user without rights is answered; its text is compared in the child. */
static int open_as_nobody(bool as_reader)
{
	_cleanup_free_ char *error = NULL;
	struct ledger *ledger = NULL;
	bool has_daemon = false;
	int status = -1, err;
	pid_t pid = fork();

	if (!pid) {
		if (setgid(65534) < 0 || setuid(65534) < 0)
			_exit(2);
		err = as_reader ? ledger_open(&ledger, dir, false, &error) :
				  override_open(&ledger, dir, &has_daemon, &error);
		_exit(err == -EACCES && strstr(error, "permission denied") &&
				      strstr(error, "sudo") && strstr(error, "group aigress") ?
			      0 :
			      1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void who_may_not_read_is_told_that_it_is_permission(void **state)
{
	char path[96];

	if (geteuid())
		skip();
	ledger_free(open_writer());
	/* The directory is closed, then the file alone. */
	assert_int_equal(chmod(dir, 0700), 0);
	assert_int_equal(open_as_nobody(true), 0);
	assert_int_equal(open_as_nobody(false), 0);
	assert_int_equal(chmod(dir, 0755), 0);
	snprintf(path, sizeof(path), "%s/" LEDGER_FILE, dir);
	assert_int_equal(chmod(path, 0600), 0);
	assert_int_equal(open_as_nobody(true), 0);
	assert_int_equal(open_as_nobody(false), 0);
}

static gid_t group_of(const char *name)
{
	char path[96];
	struct stat st;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	assert_int_equal(stat(path, &st), 0);
	return st.st_gid;
}

static void a_group_may_read_what_the_daemon_keeps(void **state)
{
	const struct group *daemon = geteuid() ? NULL : getgrnam("daemon");
	gid_t gid = daemon ? daemon->gr_gid : 0;

	if (!daemon)
		skip();
	ledger_free(open_writer());
	/* A directory that others use as well keeps its group. */
	assert_int_equal(chmod(dir, 01777), 0);
	assert_int_equal(reading_group_apply(dir, "daemon"), 0);
	assert_int_equal(group_of("."), 0);
	assert_int_equal(group_of(LEDGER_FILE), gid);
	assert_int_equal(group_of(LEDGER_FILE "-wal"), gid);
	assert_int_equal(group_of(LEDGER_FILE "-shm"), gid);
	assert_int_equal(group_of("ledger.lock"), gid);
	assert_int_equal(chmod(dir, 0750), 0);
	assert_int_equal(reading_group_apply(dir, "daemon"), 0);
	assert_int_equal(group_of("."), gid);
	assert_int_equal(reading_group_apply(dir, "no-such-group"), 0);
	assert_int_equal(reading_group_apply("/nowhere", "daemon"), -ENOENT);
}

static void ids_rise_and_are_never_used_again(void **state)
{
	struct ledger *ledger = open_writer();
	struct made made;
	int64_t first, second;

	make(&made, 1);
	assert_int_equal(ledger_add(ledger, &made.call, &first), 0);
	made.call.start_us -= 5 * HOUR_US; /* the clock went back */
	assert_int_equal(ledger_add(ledger, &made.call, &second), 0);
	assert_int_equal(second, first + 1);
	assert_int_equal(ledger_commit(ledger), 0);
	assert_int_equal(ledger_prune(ledger, INT64_MAX), 0);
	ledger_free(ledger);
	assert_int_equal(ask("SELECT count(*) FROM calls"), 0);
	assert_int_equal(ask("SELECT sum(calls) FROM hours"), 2);
	ledger = open_writer();
	assert_int_equal(ledger_add(ledger, &made.call, &first), 0);
	assert_int_equal(first, second + 1);
	ledger_free(ledger);
}

/* Adds at random and dies at random; the parent looks at what is left. */
static void a_kill_loses_no_more_than_the_batch_and_counts_nothing_twice(void **state)
{
	volatile unsigned *committed = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
					    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	srand(4711);
	for (int round = 0; round < 12; round++) {
		unsigned before = *committed, pause_us = 3000 + (unsigned)rand() % 60000;
		pid_t child = fork();

		if (child == 0) {
			struct ledger *ledger = NULL;
			struct made made;

			if (ledger_open(&ledger, dir, true, NULL) < 0)
				_exit(1);
			for (unsigned n = before, since = 0;;) {
				make(&made, n + since);
				if (ledger_add(ledger, &made.call, NULL) < 0)
					_exit(2);
				since++;
				if ((unsigned)rand() % 20)
					continue;
				if (ledger_commit(ledger) < 0)
					_exit(3);
				n += since;
				since = 0;
				*committed = n;
			}
		}
		/* on a slow disk too there is something to lose */
		while (*committed < before + 10 && !waitpid(child, NULL, WNOHANG))
			usleep(1000);
		usleep(pause_us);
		kill(child, SIGKILL);
		int status;
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_true(WIFSIGNALED(status));
		int64_t rows = ask("SELECT count(*) FROM calls");
		/* A commit may have reached the file before the child could say so. */
		assert_true(rows >= *committed);
		*committed = (unsigned)rows;
		assert_hours_equal_calls();
		assert_int_equal(ask("SELECT count(DISTINCT id) FROM calls"), rows);
	}
	assert_true(*committed > 100);
	munmap((void *)committed, 4096);
}

/* Naive sums of the calls of a seed range, by one key. */
struct expected {
	char key[64];
	struct ledger_row row;
	bool seen;
};
struct check {
	struct expected rows[2048];
	size_t n, seen;
	enum ledger_key key;
	int64_t last_cost;
};

static void key_text(const struct made *made, int64_t id, enum ledger_key key, char *buf,
		     size_t size)
{
	time_t start = made->call.start_us / 1000000;
	const char *text = "";
	struct tm tm;

	switch (key) {
	case LEDGER_BY_NAMESPACE:
		text = made->group.namespace;
		break;
	case LEDGER_BY_WORKLOAD:
		text = made->group.workload;
		break;
	case LEDGER_BY_POD:
		text = made->group.pod;
		break;
	case LEDGER_BY_CONTAINER:
		text = made->group.container_name;
		break;
	case LEDGER_BY_CGROUP:
		text = made->group.path;
		break;
	case LEDGER_BY_UNIT:
		text = made->group.unit;
		break;
	case LEDGER_BY_USER:
		text = made->process.user;
		break;
	case LEDGER_BY_COMMAND:
		text = made->process.comm;
		break;
	case LEDGER_BY_EXE:
		text = made->process.exe;
		break;
	case LEDGER_BY_HOST:
		text = made->charge.host;
		break;
	case LEDGER_BY_PROVIDER:
		text = made->charge.provider;
		break;
	case LEDGER_BY_MODEL:
		text = made->charge.model;
		break;
	case LEDGER_BY_SOURCE:
		text = charge_source_name(made->charge.source);
		break;
	case LEDGER_BY_HOUR:
		gmtime_r(&start, &tm);
		strftime(buf, size, "%Y-%m-%dT%H:00Z", &tm);
		return;
	case LEDGER_BY_PID:
		snprintf(buf, size, "%u", made->process.tgid);
		return;
	case LEDGER_BY_CALL:
		snprintf(buf, size, "%lld", (long long)id);
		return;
	default:
		break;
	}
	snprintf(buf, size, "%.60s", text);
}

static void expect(struct check *check, const struct made *made, int64_t id)
{
	const struct charge *charge = &made->charge;
	struct expected *row;
	uint64_t *sum, *part;
	char key[64];
	size_t i;

	key_text(made, id, check->key, key, sizeof(key));
	for (i = 0; i < check->n && strcmp(check->rows[i].key, key); i++)
		;
	row = &check->rows[i];
	if (i == check->n) {
		check->n++;
		snprintf(row->key, sizeof(row->key), "%s", key);
	}
	row->row.calls++;
	row->row.free_calls += charge->source == CHARGE_FREE;
	row->row.measured_calls += charge->source != CHARGE_FREE &&
				   charge_is_measured(charge->source);
	row->row.estimated_calls += charge->source != CHARGE_FREE &&
				    !charge_is_measured(charge->source);
	row->row.unpriced_calls += charge->source != CHARGE_FREE && !charge->is_priced;
	sum = (uint64_t *)&row->row.tokens;
	part = (uint64_t *)&charge->usage;
	for (size_t n = 0; n < sizeof(struct usage) / sizeof(*sum); n++)
		sum[n] += part[n];
	row->row.request_bytes += charge->request_bytes;
	row->row.response_bytes += charge->response_bytes;
	row->row.cost_nanos += charge->cost_nanos;
}

static void compare(void *arg, const struct ledger_row *row)
{
	struct check *check = arg;
	struct expected *want = NULL;

	assert_true(row->cost_nanos <= check->last_cost);
	check->last_cost = row->cost_nanos;
	for (size_t i = 0; i < check->n; i++)
		if (!strcmp(check->rows[i].key, row->keys[check->key]))
			want = &check->rows[i];
	assert_non_null(want);
	assert_false(want->seen);
	want->seen = true;
	check->seen++;
	assert_int_equal(row->calls, want->row.calls);
	assert_int_equal(row->measured_calls, want->row.measured_calls);
	assert_int_equal(row->estimated_calls, want->row.estimated_calls);
	assert_int_equal(row->unpriced_calls, want->row.unpriced_calls);
	assert_int_equal(row->free_calls, want->row.free_calls);
	assert_memory_equal(&row->tokens, &want->row.tokens, sizeof(row->tokens));
	assert_int_equal(row->request_bytes, want->row.request_bytes);
	assert_int_equal(row->response_bytes, want->row.response_bytes);
	assert_int_equal(row->cost_nanos, want->row.cost_nanos);
}

static void reports_are_exact_by_every_key_and_from_every_moment(void **state)
{
	static struct check check;
	struct ledger *ledger = open_writer();
	const int64_t moments[] = { INT64_MIN,
				    0,
				    T0,
				    T0 + HOUR_US,
				    T0 + 17 * 60000000LL,
				    T0 + HOUR_US - 1,
				    T0 + HOUR_US + 1,
				    T0 + 100 * HOUR_US };
	struct made made;

	for (unsigned i = 0; i < 1500; i++) /* 2.9 hours */
		add(ledger, i);
	for (enum ledger_key key = LEDGER_BY_HOUR; key < LEDGER_KEYS; key++) {
		for (size_t m = 0; m < ARRAY_SIZE(moments); m++) {
			memset(&check, 0, sizeof(check));
			check.key = key;
			check.last_cost = INT64_MAX;
			for (unsigned i = 0; i < 1500; i++) {
				make(&made, i);
				if (made.call.start_us >= moments[m])
					expect(&check, &made, i + 1);
			}
			assert_int_equal(
				ledger_report(ledger, moments[m], 1u << key, compare, &check), 0);
			assert_int_equal(check.seen, check.n);
		}
	}
	assert_int_equal(ledger_report(ledger, 0, 1u << LEDGER_BY_TIME, compare, &check), -EINVAL);
	ledger_free(ledger);
}

static void remember_row(void *arg, const struct ledger_row *row)
{
	struct made made;

	make(&made, 77);
	if (row->call_id != 78)
		return;
	++*(int *)arg;
	assert_string_equal(row->keys[LEDGER_BY_CALL], "78");
	assert_string_equal(row->keys[LEDGER_BY_MODEL], made.charge.model);
	assert_string_equal(row->keys[LEDGER_BY_TIME], "2023-11-14T22:08:59.000Z");
	assert_null(row->keys[LEDGER_BY_HOST]);
	assert_int_equal(row->start_us, made.call.start_us);
	assert_string_equal(row->path, made.charge.path);
	assert_string_equal(row->operation, "chat");
	assert_string_equal(row->outcome, charge_outcome_name(made.charge.outcome));
	assert_string_equal(row->price_key, made.charge.price_key);
	assert_string_equal(row->price_origin, "test");
	assert_int_equal(row->status, 200);
	assert_int_equal(row->duration_us, 77 * 5);
	assert_int_equal(row->first_token_us, 77);
	assert_true(row->is_stream);
}

static void one_call_has_everything(void **state)
{
	struct ledger *ledger = open_writer();
	int seen = 0;

	for (unsigned i = 0; i < 100; i++)
		add(ledger, i);
	assert_int_equal(
		ledger_report(ledger, 0,
			      1u << LEDGER_BY_CALL | 1u << LEDGER_BY_MODEL | 1u << LEDGER_BY_TIME,
			      remember_row, &seen),
		0);
	assert_int_equal(seen, 1);
	ledger_free(ledger);
}

struct replayed {
	unsigned next;
	int64_t since_us;
};

static void compare_replayed(void *arg, const struct ledger_call *call)
{
	struct replayed *replayed = arg;
	struct made made;

	do
		make(&made, replayed->next++);
	while (made.call.start_us < replayed->since_us);
	assert_int_equal(call->id, replayed->next);
	assert_int_equal(call->start_us, made.call.start_us);
	assert_memory_equal(call->charge, &made.charge, sizeof(made.charge));
	assert_memory_equal(call->group, &made.group, sizeof(made.group));
	assert_memory_equal(call->process, &made.process, sizeof(made.process));
}

static void a_replay_gives_back_what_was_added(void **state)
{
	struct replayed all = { 0, INT64_MIN }, late = { 0, T0 + HOUR_US + 5 };
	struct ledger *ledger = open_writer(), *reader = NULL;
	struct made made;

	for (unsigned i = 0; i < 1500; i++)
		add(ledger, i);
	assert_int_equal(ledger_replay(ledger, INT64_MIN, compare_replayed, &all), 0);
	assert_int_equal(all.next, 1500);
	ledger_free(ledger);
	assert_int_equal(ledger_open(&reader, dir, false, NULL), 0);
	assert_int_equal(ledger_replay(reader, late.since_us, compare_replayed, &late), 0);
	assert_int_equal(late.next, 1500);
	make(&made, 1);
	assert_int_equal(ledger_add(reader, &made.call, NULL), -EROFS);
	ledger_free(reader);
}

static void hostile_numbers_and_names_do_no_harm(void **state)
{
	struct ledger *ledger = open_writer();
	struct made made;
	int seen = 0;

	make(&made, 77);
	memset(&made.charge.usage, 0xff, sizeof(made.charge.usage));
	made.charge.cost_nanos = INT64_MAX;
	made.charge.request_bytes = UINT64_MAX;
	made.charge.duration_ns = UINT64_MAX;
	snprintf(made.charge.model, sizeof(made.charge.model), "'); DROP TABLE calls; --\xff\xc3");
	made.call.start_us = -1;
	for (int i = 0; i < 3000; i++)
		assert_int_equal(ledger_add(ledger, &made.call, NULL), 0);
	assert_int_equal(
		ledger_report(ledger, INT64_MIN, 1u << LEDGER_BY_MODEL, remember_row, &seen), 0);
	ledger_free(ledger);
	assert_int_equal(ask("SELECT count(*) FROM calls"), 3000);
	assert_int_equal(ask("SELECT sum(calls) FROM hours WHERE hour = -1"), 3000);
	assert_int_equal(ask("SELECT typeof(cost_nanos) = 'integer' FROM hours"), 1);
}

static void many_names_do_not_grow_memory_or_lose_calls(void **state)
{
	struct ledger *ledger = open_writer();
	struct made made;

	make(&made, 1);
	for (int i = 0; i < 10000; i++) {
		snprintf(made.charge.model, sizeof(made.charge.model), "m%d", i);
		assert_int_equal(ledger_add(ledger, &made.call, NULL), 0);
	}
	ledger_free(ledger);
	assert_int_equal(ask("SELECT count(DISTINCT model) FROM services JOIN calls ON service = "
			     "services.id"),
			 10000);
	assert_hours_equal_calls();
}

/* A small tmpfs in a mount namespace of the child's own, so that nothing is left behind. */
static int on_full_disk(void)
{
	char mounted[96], ballast[128];
	struct ledger *ledger = NULL;
	struct made made;
	uint64_t begun_ns;
	unsigned n = 0;
	int fd;

	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return 77;
	snprintf(mounted, sizeof(mounted), "%s/disk", dir);
	mkdir(mounted, 0700);
	if (mount("tmpfs", mounted, "tmpfs", 0, "size=1m") < 0)
		return 77;
	strcpy(dir, mounted);
	if (ledger_open(&ledger, dir, true, NULL) < 0)
		return 1;
	for (; n < 50; n++) {
		make(&made, n);
		if (ledger_add(ledger, &made.call, NULL) < 0)
			return 2;
	}
	if (ledger_commit(ledger) < 0)
		return 3;
	snprintf(ballast, sizeof(ballast), "%s/ballast", dir);
	fd = open(ballast, O_WRONLY | O_CREAT, 0600);
	while (write(fd, ballast, sizeof(ballast)) > 0)
		;
	for (; n < 5000; n++) {
		make(&made, n);
		if (ledger_add(ledger, &made.call, NULL) < 0)
			return 4;
	}
	if (ledger_commit(ledger) == 0 || !ledger_pending(ledger) || ledger_lost(ledger))
		return 5;
	begun_ns = clock_mono_ns();
	for (; n < LEDGER_QUEUE + 3000; n++) {
		make(&made, n);
		(void)ledger_add(ledger, &made.call, NULL);
	}
	if (clock_mono_ns() - begun_ns > NS_PER_S || ledger_pending(ledger) != LEDGER_QUEUE)
		return 6;
	close(fd);
	unlink(ballast);
	if (mount("tmpfs", mounted, "tmpfs", MS_REMOUNT, "size=64m") < 0)
		return 7;
	for (int i = 0; i < 300 && ledger_commit(ledger) < 0; i++)
		usleep(10000);
	if (ledger_pending(ledger))
		return 8;
	n -= (unsigned)ledger_lost(ledger);
	ledger_free(ledger);
	if (ask("SELECT count(*) FROM calls") != n)
		return 9;
	assert_hours_equal_calls();
	return 0;
}

static void a_full_disk_costs_nothing_until_the_queue_is_full(void **state)
{
	pid_t child = fork();
	int status;

	if (child == 0)
		_exit(on_full_disk());
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void count_rows(void *arg, const struct ledger_row *row)
{
	*(uint64_t *)arg += row->calls;
}

/* Readers come and go while the writer commits; neither is refused, and sums never go back. */
static void readers_and_the_writer_do_not_stop_each_other(void **state)
{
	struct ledger *ledger = open_writer();
	pid_t child = fork();
	uint64_t longest_ns = 0;
	int status;

	if (child == 0) {
		struct ledger *reader = NULL;
		uint64_t before = 0, now = 0;

		if (ledger_open(&reader, dir, false, NULL) < 0)
			_exit(1);
		while (now < 20000) {
			now = 0;
			if (ledger_report(reader, T0 + 1, 1u << LEDGER_BY_MODEL, count_rows, &now) <
			    0)
				_exit(2);
			if (now < before)
				_exit(3);
			before = now;
		}
		ledger_free(reader);
		_exit(0);
	}
	for (unsigned n = 1; n <= 20000; n++) {
		add(ledger, n);
		if (n % 100)
			continue;
		uint64_t begun_ns = clock_mono_ns();
		assert_int_equal(ledger_commit(ledger), 0);
		begun_ns = clock_mono_ns() - begun_ns;
		longest_ns = begun_ns > longest_ns ? begun_ns : longest_ns;
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	ledger_free(ledger);
	print_message("longest commit beside a reader: %.1f ms\n", (double)longest_ns / 1e6);
}

/* A reader that never ends its transaction keeps the WAL; when it goes, the WAL shrinks again. */
static void the_wal_shrinks_when_readers_let_it(void **state)
{
	struct ledger *ledger = open_writer();
	sqlite3_stmt *statement;
	struct stat st;
	char path[96];
	sqlite3 *db;

	add(ledger, 1);
	assert_int_equal(ledger_commit(ledger), 0);
	snprintf(path, sizeof(path), "%s/" LEDGER_FILE, dir);
	assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, "SELECT * FROM calls", -1, &statement, NULL),
			 SQLITE_OK);
	assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
	for (unsigned n = 0; n < 60000; n++) {
		add(ledger, n * 977);
		if (n % 100 == 0)
			assert_int_equal(ledger_commit(ledger), 0);
	}
	strcat(path, "-wal");
	assert_int_equal(stat(path, &st), 0);
	assert_true(st.st_size > 8 << 20);
	sqlite3_finalize(statement);
	sqlite3_close(db);
	for (unsigned n = 0; n < 20000; n++) {
		add(ledger, n * 977);
		if (n % 50 == 0)
			assert_int_equal(ledger_commit(ledger), 0);
	}
	assert_int_equal(stat(path, &st), 0);
	assert_true(st.st_size <= 8 << 20);
	ledger_free(ledger);
}

static void check_action(void *arg, const struct ledger_action *action)
{
	int *seen = arg;

	if (action->time_us == T0 + 1) {
		assert_string_equal(action->budget, "agents");
		assert_string_equal(action->rule, "a.yaml:12");
		assert_string_equal(action->action, "kill");
		assert_string_equal(action->subject, "cgroup=/a");
		assert_string_equal(action->target, "process 12 (python3)");
		assert_string_equal(action->result, "rehearsed");
		assert_true(action->is_rehearsed);
		assert_int_equal(action->spent_nanos, 5);
		assert_int_equal(action->limit_nanos, 4);
		assert_int_equal(action->spent_tokens, 3);
		assert_int_equal(action->limit_tokens, INT64_MAX);
		assert_int_equal(action->window_start_us, T0);
		assert_int_equal(action->measured_permille, 1000);
		assert_string_equal(action->last_calls, "[1,2]");
		assert_int_equal(action->outcome, ACTION_REHEARSED);
	} else {
		assert_string_equal(action->budget, "");
		assert_int_equal(action->outcome, ACTION_UNKNOWN);
	}
	*seen = *seen * 10 + (int)action->id;
}

static void actions_keep_their_evidence(void **state)
{
	struct ledger *ledger = open_writer();
	struct ledger_action action = { .time_us = T0 + 1,
					.budget = "agents",
					.rule = "a.yaml:12",
					.action = "kill",
					.subject = "cgroup=/a",
					.target = "process 12 (python3)",
					.result = "rehearsed",
					.outcome = ACTION_REHEARSED,
					.is_rehearsed = true,
					.spent_nanos = 5,
					.limit_nanos = 4,
					.spent_tokens = 3,
					.limit_tokens = UINT64_MAX,
					.window_start_us = T0,
					.measured_permille = 1000,
					.last_calls = "[1,2]" };
	struct ledger_action empty = { .time_us = T0 + 2 }, old = { .time_us = T0 - 1 };
	int seen = 0;

	add(ledger, 1);
	assert_int_equal(ledger_add_action(ledger, &action), 0);
	/* The calls that it names are in the file as soon as the action is. */
	assert_int_equal(ask("SELECT count(*) FROM calls"), 1);
	assert_int_equal(ledger_add_action(ledger, &empty), 0);
	assert_int_equal(ledger_add_action(ledger, &old), 0);
	assert_int_equal(ledger_actions(ledger, T0, check_action, &seen), 0);
	assert_int_equal(seen, 12);
	ledger_free(ledger);
}

static void facts_are_told_to_other_processes(void **state)
{
	struct ledger *ledger = open_writer(), *reader = NULL;
	char *value;

	assert_int_equal(ledger_put(ledger, "coverage", "{\"a\":1}"), 0);
	assert_int_equal(ledger_put(ledger, "coverage", "{\"a\":2}"), 0);
	assert_int_equal(ledger_open(&reader, dir, false, NULL), 0);
	value = ledger_get(reader, "coverage");
	assert_string_equal(value, "{\"a\":2}");
	free(value);
	assert_null(ledger_get(reader, "gates"));
	assert_int_equal(ledger_put(reader, "x", "1"), -EROFS);
	ledger_free(reader);
	ledger_free(ledger);
}

static void a_job_is_charged_once(void **state)
{
	const int64_t later = 61LL * 24 * 3600 * 1000000;
	struct ledger *ledger = open_writer();

	assert_int_equal(ledger_claim_job(ledger, "openai", "resp_1", 1000), 0);
	assert_int_equal(ledger_claim_job(ledger, "openai", "resp_1", 2000), -EEXIST);
	assert_int_equal(ledger_claim_job(ledger, "anthropic", "resp_1", 2000), 0);
	ledger_free(ledger);
	/* Another process of the daemon. */
	ledger = open_writer();
	assert_int_equal(ledger_claim_job(ledger, "openai", "resp_1", 3000), -EEXIST);
	/* After two months nobody can ask any more. */
	assert_int_equal(ledger_claim_job(ledger, "openai", "x", later), 0);
	assert_int_equal(ledger_claim_job(ledger, "openai", "resp_1", later), 0);
	ledger_free(ledger);
	assert_int_equal(ledger_open(&ledger, dir, false, NULL), 0);
	assert_int_equal(ledger_claim_job(ledger, "openai", "y", 1), -EROFS);
	ledger_free(ledger);
}

#define HELD(test) cmocka_unit_test_setup_teardown(test, make_dir, remove_dir)

int main(void)
{
	const struct CMUnitTest tests[] = {
		HELD(makes_a_private_file_in_a_private_directory),
		HELD(a_second_writer_is_told_why_it_may_not),
		HELD(what_is_no_ledger_is_refused_in_a_sentence),
		HELD(who_may_not_read_is_told_that_it_is_permission),
		HELD(a_group_may_read_what_the_daemon_keeps),
		HELD(ids_rise_and_are_never_used_again),
		HELD(a_kill_loses_no_more_than_the_batch_and_counts_nothing_twice),
		HELD(reports_are_exact_by_every_key_and_from_every_moment),
		HELD(one_call_has_everything),
		HELD(a_replay_gives_back_what_was_added),
		HELD(hostile_numbers_and_names_do_no_harm),
		HELD(many_names_do_not_grow_memory_or_lose_calls),
		HELD(a_full_disk_costs_nothing_until_the_queue_is_full),
		HELD(readers_and_the_writer_do_not_stop_each_other),
		HELD(the_wal_shrinks_when_readers_let_it),
		HELD(actions_keep_their_evidence),
		HELD(facts_are_told_to_other_processes),
		HELD(a_job_is_charged_once),
	};

	return cmocka_run_group_tests_name("ledger", tests, NULL, NULL);
}

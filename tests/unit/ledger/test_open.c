/* SPDX-License-Identifier: Apache-2.0 */
/* Who may open a ledger, and what the others are answered. */
#include "made_calls.h"

#include <grp.h>
#include <sys/wait.h>

#include "ledger/overrides.h"
#include "ledger/reading_group.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		HELD(makes_a_private_file_in_a_private_directory),
		HELD(a_second_writer_is_told_why_it_may_not),
		HELD(what_is_no_ledger_is_refused_in_a_sentence),
		HELD(who_may_not_read_is_told_that_it_is_permission),
		HELD(a_group_may_read_what_the_daemon_keeps),
	};

	return cmocka_run_group_tests_name("open", tests, NULL, NULL);
}

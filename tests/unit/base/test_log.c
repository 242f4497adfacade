/* SPDX-License-Identifier: Apache-2.0 */
/* base/log.h, as stderr has it. */
#include "unit.h"

#include <jansson.h>
#include <time.h>

#include "base/log.h"

static char said[4096];
static int saved, end;

/* From here on stderr goes to a pipe, whose other end is `end`. */
static void listen_to(void)
{
	int ends[2];

	assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
	fflush(stderr);
	saved = dup(STDERR_FILENO);
	assert_true(saved >= 0 && dup2(ends[1], STDERR_FILENO) >= 0);
	close(ends[1]);
	end = ends[0];
}

static const char *heard(void)
{
	ssize_t n;

	fflush(stderr);
	dup2(saved, STDERR_FILENO);
	close(saved);
	n = read(end, said, sizeof(said) - 1);
	close(end);
	said[n > 0 ? n : 0] = '\0';
	return said;
}

static void text_says_how_bad_it_is(void **state)
{
	listen_to();
	log_error("disk %s", "full");
	log_warn("slow");
	log_info("ready");
	log_debug("not wanted");
	assert_string_equal(heard(), "error: disk full\nwarning: slow\nready\n");
}

static void the_level_chooses(void **state)
{
	log_setup(LOG_DEBUG, LOG_TEXT);
	assert_int_equal(log_max(), LOG_DEBUG);
	listen_to();
	log_debug("wanted");
	assert_string_equal(heard(), "debug: wanted\n");
	log_setup(LOG_ERROR, LOG_TEXT);
	listen_to();
	log_warn("not wanted");
	log_error("wanted");
	assert_string_equal(heard(), "error: wanted\n");
}

static void the_journal_gets_priorities(void **state)
{
	setenv("JOURNAL_STREAM", "8:1", 1);
	log_setup(LOG_DEBUG, LOG_TEXT);
	listen_to();
	log_error("a");
	log_warn("b");
	log_info("c");
	log_debug("d");
	assert_string_equal(heard(), "<3>error: a\n<4>warning: b\n<6>c\n<7>debug: d\n");
}

static void json_is_one_object_a_line(void **state)
{
	json_t *object;
	const char *time;

	log_setup(LOG_INFO, LOG_JSON);
	listen_to();
	log_warn("a \"quoted\"\nline");
	(void)heard();
	assert_ptr_equal(strchr(said, '\n'), said + strlen(said) - 1);
	object = json_loads(said, 0, NULL);
	assert_non_null(object);
	assert_string_equal(json_string_value(json_object_get(object, "level")), "warn");
	assert_string_equal(json_string_value(json_object_get(object, "msg")),
			    "a \"quoted\"\\x0aline");
	time = json_string_value(json_object_get(object, "time"));
	assert_non_null(strptime(time, "%Y-%m-%dT%H:%M:%SZ", &(struct tm){ 0 }));
	json_decref(object);
}

/* Say, a path that a tenant chose, or a letter that the limit of a line has cut. */
static void what_is_no_utf8_is_said_all_the_same(void **state)
{
	json_t *object;

	log_setup(LOG_INFO, LOG_JSON);
	listen_to();
	log_warn("cannot open /tmp/\xff\xc3");
	object = json_loads(heard(), 0, NULL);
	assert_non_null(object);
	assert_string_equal(json_string_value(json_object_get(object, "msg")),
			    "cannot open /tmp/\\xff\\xc3");
	json_decref(object);
}

static void a_long_line_is_cut(void **state)
{
	char text[3000];

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	listen_to();
	log_info("%s", text);
	assert_int_equal(strlen(heard()), 1024);
	assert_int_equal(said[1023], '\n');
}

static int plain(void **state)
{
	unsetenv("JOURNAL_STREAM");
	log_setup(LOG_INFO, LOG_TEXT);
	return 0;
}

#define PLAIN(test) cmocka_unit_test_setup_teardown(test, plain, plain)

int main(void)
{
	const struct CMUnitTest tests[] = {
		PLAIN(text_says_how_bad_it_is),
		PLAIN(the_level_chooses),
		PLAIN(the_journal_gets_priorities),
		PLAIN(json_is_one_object_a_line),
		PLAIN(what_is_no_utf8_is_said_all_the_same),
		PLAIN(a_long_line_is_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

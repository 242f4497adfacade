/* SPDX-License-Identifier: Apache-2.0 */
/* selftest.h where probes kill, see nothing, are refused, or do no harm; with a fake kernel. */
#include "fake_tap.h"

#include "find/selftest.h"

#define CALLS 3 /* as the child makes them */

static int run(struct tap *tap, enum find_returns *returns, char **ret_error)
{
	*ret_error = NULL;
	return find_selftest(tap, returns, ret_error);
}

static size_t count(const struct tap *tap, enum tap_role role)
{
	size_t n = 0;

	for (size_t i = 0; i < tap->n_sites; i++)
		n += tap->sites[i].role == role;
	return n;
}

static void harmless_probes_pass(void **state)
{
	struct tap tap = { .conn_bytes = CALLS };
	enum find_returns returns = FIND_RETURN_PROBES;
	char *error;

	assert_int_equal(run(&tap, &returns, &error), 0);
	assert_null(error);
	assert_int_equal(returns, FIND_RETURN_PROBES);
	assert_int_equal(tap.n_tries, 1);
	assert_int_equal(count(&tap, TAP_WRITE), 1);
	assert_int_equal(count(&tap, TAP_RETURN), 0);
	assert_true(LIST_EMPTY(&tap.probes));
}

static void kill_by_return(struct tap *tap, pid_t pid)
{
	if (!count(tap, TAP_RETURN))
		kill(pid, SIGKILL);
}

static void where_return_probes_kill_returns_are_probed_by_instruction(void **state)
{
	struct tap tap = { .conn_bytes = CALLS, .attached = kill_by_return };
	enum find_returns returns = FIND_RETURN_PROBES;
	char *error;

	assert_int_equal(run(&tap, &returns, &error), 0);
	assert_null(error);
	assert_int_equal(returns, FIND_RETURN_INSTRUCTIONS);
	assert_int_equal(tap.n_tries, 2);
	assert_true(count(&tap, TAP_RETURN) >= 1);
	/* the harm comes with the second way, too, if nothing but it is tried */
	assert_int_equal(run(&tap, &returns, &error), 0);
	assert_int_equal(tap.n_tries, 3);
}

static void kill_always(struct tap *tap, pid_t pid)
{
	kill(pid, SIGKILL);
}

static void what_kills_in_both_ways_is_told(void **state)
{
	struct tap tap = { .conn_bytes = CALLS, .attached = kill_always };
	enum find_returns returns = FIND_RETURN_PROBES;
	_cleanup_free_ char *error = NULL;

	assert_int_equal(run(&tap, &returns, &error), -EFAULT);
	assert_non_null(error);
	assert_non_null(strstr(error, "died of signal"));
	assert_non_null(strstr(error, "attach: never"));
	assert_int_equal(tap.n_tries, 2);
	assert_true(LIST_EMPTY(&tap.probes));
}

static void probes_that_see_nothing_are_told(void **state)
{
	struct tap tap = { .conn_bytes = CALLS - 1 };
	enum find_returns returns = FIND_RETURN_PROBES;
	_cleanup_free_ char *few = NULL, *none = NULL;

	assert_int_equal(run(&tap, &returns, &few), -ENODATA);
	assert_non_null(strstr(few, "pid namespace"));
	tap.conn_err = -ENOENT;
	assert_int_equal(run(&tap, &returns, &none), -ENODATA);
	assert_int_equal(tap.n_tries, 2); /* another way of returning would not help */
	assert_true(LIST_EMPTY(&tap.probes));
}

static void refused_probes_are_told(void **state)
{
	struct tap tap = { .attach_err = -EPERM };
	enum find_returns returns = FIND_RETURN_PROBES;
	_cleanup_free_ char *error = NULL;

	assert_int_equal(run(&tap, &returns, &error), -EPERM);
	assert_non_null(strstr(error, strerror(EPERM)));
	assert_int_equal(tap.n_tries, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(harmless_probes_pass),
		cmocka_unit_test(where_return_probes_kill_returns_are_probed_by_instruction),
		cmocka_unit_test(what_kills_in_both_ways_is_told),
		cmocka_unit_test(probes_that_see_nothing_are_told),
		cmocka_unit_test(refused_probes_are_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Who found no place is told once, and again when there are more, but not all the time. */
#include "unit.h"

#include "base/log.h"
#include "daemon/shortage.h"

struct told {
	uint64_t sum;
	unsigned n;
};

static void add(void *arg, uint64_t n, const char *what)
{
	struct told *told = arg;

	assert_non_null(strstr(what, "estimated"));
	told->sum += n;
	told->n++;
}

static void what_found_no_place_is_told(void **state)
{
	struct shortage_told told = { 0 };
	struct told rows = { 0 };
	json_t *health = json_pack("{s:{s:i}, s:{s:i, s:i}}", "kernel", "connections_refused", 0,
				   "search", "files_refused", 3, "processes_refused", 4);
	uint64_t first_ns = 5 * SHORTAGE_AGAIN_NS;

	shortage_each(NULL, add, &rows);
	assert_int_equal(rows.n, 0);
	shortage_each(health, add, &rows);
	assert_int_equal(rows.n, 2);
	assert_int_equal(rows.sum, 7);
	shortage_log(&told, NULL, 1);
	assert_int_equal(told.n[3], 0);
	shortage_log(&told, health, first_ns);
	assert_int_equal(told.n[0], 0);
	assert_int_equal(told.n[3], 3);
	assert_int_equal(told.at_ns[3], first_ns);
	json_object_set_new(json_object_get(health, "search"), "files_refused", json_integer(9));
	shortage_log(&told, health, first_ns + SHORTAGE_AGAIN_NS - 1);
	assert_int_equal(told.n[3], 3);
	shortage_log(&told, health, first_ns + SHORTAGE_AGAIN_NS);
	assert_int_equal(told.n[3], 9);
	/* nothing new: nothing is said */
	shortage_log(&told, health, first_ns + 3 * SHORTAGE_AGAIN_NS);
	assert_int_equal(told.at_ns[3], first_ns + SHORTAGE_AGAIN_NS);
	json_decref(health);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_found_no_place_is_told),
	};

	return cmocka_run_group_tests_name("shortage", tests, NULL, NULL);
}

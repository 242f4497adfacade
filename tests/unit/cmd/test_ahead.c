/* SPDX-License-Identifier: Apache-2.0 */
/* What a report says of budgets that fill up: by the fact that a daemon has left in the ledger. */
#include "unit.h"

#include "base/clock.h"
#include "cmd/ahead.h"

#define T0 1700000000000000LL /* 2023-11-14T22:13:20Z */

static char dir[UNIT_FOLDER_LEN];
static struct ledger *ledger;

static int make_ledger(void **state)
{
	_cleanup_free_ char *error = NULL;

	return unit_folder(dir) ? -1 : ledger_open(&ledger, dir, true, &error);
}

static int drop_ledger(void **state)
{
	ledger = ledger_free(ledger);
	return unit_remove(dir);
}

static char *print(size_t most)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	ahead_print(ledger, T0, most, out);
	fclose(out);
	return text;
}

static void the_soonest_come_first(void **state)
{
	_cleanup_free_ char *text = NULL;
	json_t *array;

	assert_int_equal(
		ledger_put(ledger, "budgets",
			   "[ { \"budget\": \"late\", \"key\": \"match\", \"limit_reached_us\": "
			   "1700086400000000 },"
			   "  { \"budget\": \"never\", \"key\": \"match\" },"
			   "  { \"budget\": \"past\", \"key\": \"match\", \"limit_reached_us\": "
			   "1699999999000000 },"
			   "  { \"budget\": \"soon\", \"key\": \"cgroup=/\\u001b[31m\", "
			   "\"limit_reached_us\": 1700000200000000 },"
			   "  5 ]"),
		0);
	text = print(1);
	assert_string_equal(
		text, "Budget soon (cgroup=/\\x1b[31m) is full in 3 min 20 s at its present rate.\n"
		      "+1 more budgets that will be full before their window ends\n");
	array = ahead_json(ledger, T0);
	assert_int_equal(json_array_size(array), 2);
	assert_string_equal(json_string_value(json_object_get(json_array_get(array, 0), "full")),
			    "2023-11-14T22:16:40Z");
	assert_string_equal(json_string_value(json_object_get(json_array_get(array, 1), "budget")),
			    "late");
	json_decref(array);
}

static void nothing_is_said_where_nothing_fills(void **state)
{
	static const char *const facts[] = { NULL, "[]", "{}", "5" };

	for (size_t i = 0; i < ARRAY_SIZE(facts); i++) {
		_cleanup_free_ char *text = NULL;
		json_t *array;

		if (facts[i])
			assert_int_equal(ledger_put(ledger, "budgets", facts[i]), 0);
		text = print(3);
		array = ahead_json(ledger, T0);
		assert_string_equal(text, "");
		assert_int_equal(json_array_size(array), 0);
		json_decref(array);
	}
}

int main(void)
{
#define TEST(test) cmocka_unit_test_setup_teardown(test, make_ledger, drop_ledger)
	static const struct CMUnitTest tests[] = {
		TEST(the_soonest_come_first),
		TEST(nothing_is_said_where_nothing_fills),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

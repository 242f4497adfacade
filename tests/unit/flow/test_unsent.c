/* SPDX-License-Identifier: Apache-2.0 */
/* Which calls are paired with which held flows, by their times. */
#include "unit.h"

#include "base/clock.h"
#include "flow/unsent.h"

#define HOST "api.anthropic.com"
#define HELD (100 * NS_PER_S)
#define MS   NS_PER_MS

static struct unsent *unsent;

static int setup(void **state)
{
	unsent = unsent_new();
	return !unsent;
}

static int teardown(void **state)
{
	unsent = unsent_free(unsent);
	return 0;
}

static void held(uint64_t cookie, uint64_t since_ns)
{
	struct ev_flow flow = { .head = { .id = cookie, .tgid = 42 }, .host = HOST };

	unsent_put(unsent, &flow, since_ns);
}

static bool explains_before(uint64_t connection, uint64_t start_ns, uint64_t next_ns)
{
	struct unsent_call call = { .tgid = 42,
				    .host = HOST,
				    .connection = connection,
				    .start_ns = start_ns,
				    .next_ns = next_ns };

	return unsent_explains(unsent, &call);
}

static bool explains(uint64_t connection, uint64_t start_ns)
{
	return explains_before(connection, start_ns, 0);
}

static void a_flow_explains_one_connection(void **state)
{
	held(1, HELD);
	assert_true(explains(7, HELD + MS));
	assert_false(explains(8, HELD + MS));
	held(1, HELD); /* looked at again: it is the same */
	assert_false(explains(8, HELD + MS));
}

static void what_is_another_process_or_host_is_not_explained(void **state)
{
	struct unsent_call call = { .tgid = 43, .host = HOST, .connection = 7, .start_ns = HELD };

	held(1, HELD);
	assert_false(unsent_explains(unsent, &call));
	call.tgid = 42;
	call.host = "api.openai.com";
	assert_false(unsent_explains(unsent, &call));
	call.host = HOST;
	assert_true(unsent_explains(unsent, &call));
}

static void what_had_left_before_is_not_explained(void **state)
{
	held(1, HELD);
	assert_false(explains(7, HELD - 400 * MS));
	assert_false(explains(8, HELD + 2 * NS_PER_S)); /* let in beside it, later */
	assert_true(explains(9, HELD - MS));
}

static void of_two_the_one_that_began_with_the_holding_is_explained(void **state)
{
	held(1, HELD);
	held(2, HELD + 500 * MS);
	assert_true(explains(7, HELD + 500 * MS));
	assert_true(explains(8, HELD));
	assert_false(explains(9, HELD + 250 * MS));
}

/* HTTP/2: one call left, the next was held, and what was written after it waits behind it. */
static void all_calls_of_a_connection_from_the_held_one_on_are_explained(void **state)
{
	held(1, HELD);
	assert_false(explains_before(7, HELD - 100 * MS, HELD));
	assert_true(explains_before(7, HELD, HELD + 5 * NS_PER_S));
	assert_true(explains(7, HELD + 5 * NS_PER_S));
	assert_false(explains(7, HELD - 100 * MS));
	assert_false(explains(8, HELD));
}

/* Nagle's algorithm holds a request back until the peer's acknowledgement comes. */
static void the_last_call_of_a_connection_may_have_been_written_earlier(void **state)
{
	held(1, HELD);
	assert_true(explains(7, HELD - 45 * MS));
	held(2, HELD + NS_PER_S);
	assert_true(explains_before(8, HELD + NS_PER_S - 45 * MS, HELD + 2 * NS_PER_S));
	assert_true(explains(8, HELD + 2 * NS_PER_S));
}

static void what_left_after_all_explains_nothing(void **state)
{
	held(1, HELD);
	unsent_drop(unsent, 1);
	assert_false(explains(7, HELD));
	held(1, HELD + NS_PER_S);
	assert_false(explains(7, HELD));
	assert_true(explains(7, HELD + NS_PER_S));
}

static void the_oldest_goes_first(void **state)
{
	for (uint64_t i = 1; i <= UNSENT_MAX + 1; i++)
		held(i, i * 10 * NS_PER_S);
	assert_false(explains(7, 10 * NS_PER_S));
	assert_true(explains(7, 20 * NS_PER_S));
	assert_true(explains(8, (UNSENT_MAX + 1) * 10 * NS_PER_S));
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_flow_explains_one_connection),
		TEST(what_is_another_process_or_host_is_not_explained),
		TEST(what_had_left_before_is_not_explained),
		TEST(of_two_the_one_that_began_with_the_holding_is_explained),
		TEST(all_calls_of_a_connection_from_the_held_one_on_are_explained),
		TEST(the_last_call_of_a_connection_may_have_been_written_earlier),
		TEST(what_left_after_all_explains_nothing),
		TEST(the_oldest_goes_first),
	};

	return cmocka_run_group_tests_name("withheld", tests, NULL, NULL);
}

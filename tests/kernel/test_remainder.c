/* SPDX-License-Identifier: Apache-2.0 */
/* What of a budget is left, counted by the kernel as it flows. Needs root. */
#include "requests.h"

#define ANSWER 400

static void counts_answers_where_little_is_left_and_holds_the_next_request(void **state)
{
	struct child child = child_new(cgroups[CG_BELOW]);
	int fd = talk_begin(&child);

	grant_left(1, RESERVE + 2 * ANSWER, UINT64_MAX);
	pace(CG_A, UINT64_MAX, 1, 0);
	assert_int_equal(tell(&child, 'r'), 0);
	assert_int_equal(server_read(fd, REQUEST, 5000), REQUEST);
	assert_int_equal(taken(1).streamed_nanos, 0); /* a handshake is no answer */
	answer(fd);
	assert_int_equal(taken(1).streamed_nanos, ANSWER);
	assert_int_equal(tell(&child, 'r'), 0); /* there is something left */
	assert_int_equal(server_read(fd, REQUEST, 5000), REQUEST);
	assert_int_equal(taken(1).consumed_nanos, 2 * RESERVE);
	answer(fd);
	assert_int_equal(taken(1).streamed_nanos, 2 * ANSWER);
	assert_int_equal(tell(&child, 'r'), 0);
	assert_int_equal(server_read(fd, 1, 300), 0);
	assert_int_equal(taken(1).held, 1);
	grant_left(1, 2 * RESERVE + 2 * ANSWER + 1, UINT64_MAX);
	assert_int_equal(holds(), 1);
	assert_int_equal(tap_wake(the_cookie, &the_hold), 0);
	assert_int_equal(server_read(fd, REQUEST, 5000), REQUEST);
	close(fd);
	child_end(&child);
}

static uint64_t cuts(void)
{
	uint64_t counters[CTL_COUNTERS];

	assert_int_equal(tap_counters(tap, counters), 0);
	return counters[CTL_CUT_STREAMS];
}

/* What of an answer its server has no acknowledgement of, after some time. */
static int unacknowledged(int fd)
{
	int left = 1;

	usleep(300000);
	assert_int_equal(ioctl(fd, TIOCOUTQ, &left), 0);
	return left;
}

static void cuts_an_answer_and_lets_it_go_on(void **state)
{
	struct child child = child_new(cgroups[CG_A]), beside = child_new(cgroups[CG_B]);
	int fd = talk_begin(&child), beside_fd = talk_begin(&beside);
	char data[ANSWER] = { 0 };

	grant_left(1, 1 << 20, ANSWER + 1);
	pace(CG_A, UINT64_MAX, 1, 0);
	assert_int_equal(tell(&child, 'r'), 0);
	assert_int_equal(server_read(fd, REQUEST, 5000), REQUEST);
	assert_int_equal(tell(&beside, 'r'), 0);
	answer(fd);
	assert_int_equal(cuts(), 0);
	answer(fd); /* it crosses, and was there before that was known */
	assert_int_equal(cuts(), 1);
	assert_int_equal(send(fd, data, sizeof(data), 0), sizeof(data));
	assert_int_equal(unacknowledged(fd), sizeof(data));
	assert_int_equal(taken(1).streamed_nanos, 2 * ANSWER);
	answer(beside_fd);
	assert_int_equal(cuts(), 1);
	grant_left(1, 1 << 20, 4 * ANSWER);
	for (int i = 0; i < 20 && unacknowledged(fd); i++)
		;
	assert_int_equal(unacknowledged(fd), 0); /* its server's TCP repeated it */
	assert_int_equal(taken(1).streamed_nanos, 3 * ANSWER);
	answer(fd);
	assert_int_equal(cuts(), 2);
	close(fd);
	close(beside_fd);
	child_end(&child);
	child_end(&beside);
}

static void cuts_no_longer_than_the_lease(void **state)
{
	struct child child = child_new(cgroups[CG_A]);
	int fd = talk_begin(&child);
	char data[ANSWER] = { 0 };

	grant_left(1, 1 << 20, 1);
	pace(CG_A, clock_mono_ns() + 700 * NS_PER_MS, 1, 0);
	assert_int_equal(tell(&child, 'r'), 0);
	assert_int_equal(server_read(fd, REQUEST, 5000), REQUEST);
	answer(fd);
	assert_int_equal(send(fd, data, sizeof(data), 0), sizeof(data));
	assert_int_equal(unacknowledged(fd), sizeof(data));
	for (int i = 0; i < 20 && unacknowledged(fd); i++)
		;
	assert_int_equal(unacknowledged(fd), 0);
	close(fd);
	child_end(&child);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(counts_answers_where_little_is_left_and_holds_the_next_request),
		TEST(cuts_an_answer_and_lets_it_go_on),
		TEST(cuts_no_longer_than_the_lease),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* counters_file.h: sums survive the loss of a ledger, and a file that is not whole adds nothing. */
#include "budgeted.h"

#include "daemon/counters_file.h"

static char folder[UNIT_FOLDER_LEN], file[UNIT_FOLDER_LEN + 16];

static struct policy_budget budgets[2];
static const struct policy_rules rules = { .budgets = budgets, .n_budgets = 2 };

/* A policy that has spent 3 USD of a day's and a rolling budget, in two cgroups. */
static struct policy *spender(void)
{
	struct policy *policy;

	budgets[0] = budgets[1] = day_budget();
	budgets[1].name = "rolling";
	budgets[1].window = POLICY_ROLLING;
	budgets[1].window_us = HOUR_US;
	policy = policy_new(&rules);
	charge(policy, 2 * USD, 1, T0);
	group = (struct who_group){ .cgroup = 8, .path = "/b\n\xff" };
	charge(policy, 1 * USD, 2, T0);
	plain_group(NULL);
	return policy;
}

static int64_t load(int64_t now_us, int64_t spent_before, int expected)
{
	struct policy *policy = policy_new(&rules);
	int64_t at_us = 0, sum;

	if (spent_before)
		charge(policy, spent_before, 1, now_us);
	assert_int_equal(counters_file_load(folder, policy, now_us, &at_us), expected);
	assert_int_equal(at_us, expected < 0 ? 0 : T0);
	sum = spent(policy, now_us);
	policy_free(policy);
	return sum;
}

static void sums_are_what_they_were(void **state)
{
	struct policy *policy = spender();

	assert_int_equal(counters_file_load(folder, policy, T0, &(int64_t){ 0 }), -ENOENT);
	assert_int_equal(counters_file_save(folder, policy, T0), 0);
	assert_int_equal(load(T0 + MINUTE_US, 0, 4), 6 * USD);
	/* what the ledger still had is not added twice */
	assert_int_equal(load(T0 + MINUTE_US, USD / 2, 4), 6 * USD);
	assert_int_equal(load(T0 + MINUTE_US, 5 * USD, 2), 12 * USD);
	/* the hour is over, the day is not; then neither is there */
	assert_int_equal(load(T0 + 2 * HOUR_US, 0, 2), 3 * USD);
	assert_int_equal(load(T0 + DAY_US, 0, 0), 0);
	/* the rolling one forgets it in its time */
	policy_free(policy);
	policy = policy_new(&rules);
	assert_int_equal(counters_file_load(folder, policy, T0 + MINUTE_US, &(int64_t){ 0 }), 4);
	assert_int_equal(spent(policy, T0 + 2 * HOUR_US), 3 * USD);
	policy_free(policy);
}

static void a_lost_sum_still_refuses(void **state)
{
	struct policy *policy = spender();
	struct policy_subject who = subject();
	struct policy_verdict verdict;

	charge(policy, 9 * USD, 3, T0);
	assert_int_equal(counters_file_save(folder, policy, T0), 0);
	policy_free(policy);
	policy = policy_new(&rules);
	assert_int_equal(counters_file_load(folder, policy, T0, &(int64_t){ 0 }), 4);
	policy_judge(policy, &who, T0, &verdicts);
	assert_true(verdict_next(&verdicts, &verdict));
	assert_int_equal(verdict.step->action, POLICY_REFUSE);
	assert_int_equal(verdict.spent_nanos, 11 * USD);
	assert_int_equal(verdict.measured_permille, 0); /* no evidence to stop or kill anybody */
	policy_free(policy);
}

static void a_file_that_is_not_whole_adds_nothing(void **state)
{
	struct policy *policy = spender();
	uint8_t bytes[4096];
	ssize_t size;
	int fd;

	assert_int_equal(counters_file_save(folder, policy, T0), 0);
	policy_free(policy);
	fd = open(file, O_RDONLY | O_CLOEXEC);
	size = read(fd, bytes, sizeof(bytes));
	close(fd);
	assert_in_range(size, 100, sizeof(bytes) - 1);
	for (ssize_t n = 0; n < size; n += 7) {
		unit_write(file, bytes, (size_t)n);
		assert_int_equal(load(T0, 0, -EBADMSG), 0);
	}
	for (ssize_t i = 0; i < size; i++) {
		bytes[i] ^= 0x40;
		unit_write(file, bytes, (size_t)size);
		assert_int_equal(load(T0, 0, -EBADMSG), 0);
		bytes[i] ^= 0x40;
	}
	unit_write(file, bytes, (size_t)size);
	assert_int_equal(load(T0, 0, 4), 6 * USD);
}

static void what_cannot_be_written_leaves_the_last(void **state)
{
	struct policy *policy = spender();
	char new[UNIT_FOLDER_LEN + 32];

	assert_int_equal(counters_file_save("/proc/nowhere", policy, T0), -ENOENT);
	assert_int_equal(counters_file_save(folder, policy, T0), 0);
	snprintf(new, sizeof(new), "%s.new", file);
	assert_int_equal(mkdir(new, 0700), 0);
	charge(policy, 1 * USD, 4, T0);
	assert_true(counters_file_save(folder, policy, T0) < 0);
	policy_free(policy);
	assert_int_equal(load(T0, 0, 4), 6 * USD);
	assert_int_equal(rmdir(new), 0);
}

static int make_folder(void **state)
{
	plain_group(state);
	if (unit_folder(folder))
		return -1;
	snprintf(file, sizeof(file), "%s/" COUNTERS_FILE, folder);
	return 0;
}

static int remove_folder(void **state)
{
	return unit_remove(folder);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(sums_are_what_they_were),
		TEST(a_lost_sum_still_refuses),
		TEST(a_file_that_is_not_whole_adds_nothing),
		TEST(what_cannot_be_written_leaves_the_last),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

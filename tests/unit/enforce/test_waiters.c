/* SPDX-License-Identifier: Apache-2.0 */
/* Who waits at a pace gate is woken in turn, as far as the credit goes; the kernel is made of arrays. */
#include "unit.h"

#include "base/clock.h"
#include "enforce/waiters.h"
#include "tap/tap.h"

#define MOST 16

/* The kernel's half, which these functions of tap/tap.h stand in for. */
static struct {
	struct ctl_allowance allowed[MOST]; /* by bucket */
	struct ctl_consumed consumed[MOST];
	bool has[MOST];
	struct {
		uint64_t cookie;
		struct ctl_hold hold;
	} holds[MOST];
	size_t n_holds;
	uint64_t woken[MOST], turned_away[MOST];
	size_t n_woken, n_turned_away;
	uint64_t unknown; /* cookie of a socket that is not found */
	int error;
} kernel;

int tap_allowance_set(struct tap *tap, uint32_t bucket, const struct ctl_allowance *allowed)
{
	if (kernel.error)
		return kernel.error;
	kernel.allowed[bucket] = *allowed;
	kernel.has[bucket] = true;
	return 0;
}

int tap_allowance_clear(struct tap *tap, uint32_t bucket)
{
	kernel.has[bucket] = false;
	return 0;
}

int tap_consumed_get(const struct tap *tap, uint32_t bucket, struct ctl_consumed *ret)
{
	if (!kernel.has[bucket])
		return -ENOENT;
	*ret = kernel.consumed[bucket];
	return 0;
}

int tap_holds(struct tap *tap, void (*fn)(void *arg, uint64_t cookie, const struct ctl_hold *hold),
	      void *arg)
{
	for (size_t i = 0; i < kernel.n_holds; i++)
		fn(arg, kernel.holds[i].cookie, &kernel.holds[i].hold);
	return 0;
}

int tap_wake(uint64_t cookie, const struct ctl_hold *hold)
{
	if (cookie == kernel.unknown)
		return -ENOENT;
	kernel.woken[kernel.n_woken++] = cookie;
	return 0;
}

static bool on_reset(void *arg, uint64_t cookie)
{
	assert_ptr_equal(arg, &kernel);
	if (cookie == kernel.unknown)
		return false;
	kernel.turned_away[kernel.n_turned_away++] = cookie;
	return true;
}

static void hold(uint64_t cookie, uint32_t bucket, uint64_t since_ns)
{
	kernel.holds[kernel.n_holds].cookie = cookie;
	kernel.holds[kernel.n_holds++].hold = (struct ctl_hold){ .bucket = bucket,
								 .since_ns = since_ns };
}

static struct waiters *waiters;

static int begin(void **state)
{
	memset(&kernel, 0, sizeof(kernel));
	return waiters_new(&waiters, NULL, on_reset, &kernel);
}

static int finish(void **state)
{
	waiters = waiters_free(waiters);
	return 0;
}

static void allow(uint32_t bucket, uint64_t granted, uint64_t reserve)
{
	const struct ctl_allowance allowed = { .granted_nanos = granted, .reserve_nanos = reserve };

	assert_int_equal(waiters_allow(waiters, bucket, &allowed), 0);
	assert_int_equal(kernel.allowed[bucket].granted_nanos, granted);
}

/* Requests of 10 and credit for 25: the third may go, too, and takes the credit below 0. */
static void longest_waiting_go_first_as_far_as_credit_goes(void **state)
{
	struct waiters_stats stats;

	allow(1, 100, 10);
	kernel.consumed[1] = (struct ctl_consumed){ .consumed_nanos = 70, .streamed_nanos = 5 };
	hold(104, 1, 40);
	hold(102, 1, 20);
	hold(101, 1, 10);
	hold(103, 1, 30);
	hold(900, 0, 5); /* held for another reason than a bucket's */
	waiters_read(waiters);
	assert_int_equal(waiters_waiting(waiters, 0), 4);
	assert_int_equal(waiters_look(waiters, 50), 4);
	assert_int_equal(kernel.n_woken, 3);
	assert_int_equal(kernel.woken[0], 101);
	assert_int_equal(kernel.woken[1], 102);
	assert_int_equal(kernel.woken[2], 103);
	waiters_stats(waiters, &stats);
	assert_int_equal(stats.waiting, 4);
	assert_int_equal(stats.woken, 3);
	assert_int_equal(stats.turned_away, 0);
}

static void each_bucket_has_its_own_credit_and_an_ended_one_holds_none(void **state)
{
	struct waiters_stats stats;

	allow(1, 100, 10);
	allow(2, 100, 10);
	kernel.consumed[1].consumed_nanos = 100;
	hold(11, 1, 1);
	hold(21, 2, 2);
	hold(31, 3, 3); /* its bucket ended a moment ago */
	kernel.unknown = 21;
	waiters_read(waiters);
	assert_int_equal(waiters_waiting(waiters, 1), 1);
	assert_int_equal(waiters_waiting(waiters, 7), 0);
	waiters_look(waiters, 50);
	assert_int_equal(kernel.n_woken, 1);
	assert_int_equal(kernel.woken[0], 31);
	waiters_stats(waiters, &stats);
	assert_int_equal(stats.unwoken, 1);
	assert_int_equal(waiters_allow(waiters, 1, NULL), 0);
	assert_false(kernel.has[1]);
	waiters_look(waiters, 50);
	assert_int_equal(kernel.woken[1], 11);
}

/* The kernel has lost a bucket: then it has no credit, rather than all. */
static void lost_bucket_has_no_credit(void **state)
{
	allow(1, 100, 10);
	kernel.has[1] = false;
	hold(11, 1, 1);
	waiters_read(waiters);
	waiters_look(waiters, 50);
	assert_int_equal(kernel.n_woken, 0);
}

static void patience_ends_with_a_reset(void **state)
{
	struct waiters_stats stats;

	allow(1, 100, 10);
	kernel.consumed[1].consumed_nanos = 100;
	hold(11, 1, NS_PER_S);
	hold(12, 1, NS_PER_S + 1);
	hold(13, 1, 1);
	kernel.unknown = 13;
	waiters_read(waiters);
	waiters_look(waiters, NS_PER_S + WAITERS_PATIENCE_NS);
	assert_int_equal(kernel.n_turned_away, 0);
	waiters_look(waiters, NS_PER_S + WAITERS_PATIENCE_NS + 1);
	assert_int_equal(kernel.n_turned_away, 1);
	assert_int_equal(kernel.turned_away[0], 11);
	waiters_stats(waiters, &stats);
	assert_int_equal(stats.turned_away, 1);
	assert_int_equal(kernel.n_woken, 0);
}

static void error_of_the_kernel_is_the_callers(void **state)
{
	const struct ctl_allowance allowed = { .granted_nanos = 1 };

	kernel.error = -ENOSPC;
	assert_int_equal(waiters_allow(waiters, 1, &allowed), -ENOSPC);
}

/* The daemon ends: gates are gone, and who was held need not wait for TCP's own clock. */
static void all_that_wait_are_woken_at_the_end(void **state)
{
	allow(1, 0, 10);
	hold(12, 1, 2);
	hold(11, 1, 1);
	waiters_read(waiters);
	waiters = waiters_free(waiters);
	assert_int_equal(kernel.n_woken, 2);
	assert_int_equal(kernel.woken[0], 11);
}

static void without_a_pace_nothing_is_read(void **state)
{
	hold(11, 1, 1);
	waiters_read(waiters);
	assert_int_equal(waiters_look(waiters, 50), 0);
	waiters_read(NULL);
}

#define WITH(test) cmocka_unit_test_setup_teardown(test, begin, finish)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH(longest_waiting_go_first_as_far_as_credit_goes),
		WITH(each_bucket_has_its_own_credit_and_an_ended_one_holds_none),
		WITH(lost_bucket_has_no_credit),
		WITH(patience_ends_with_a_reset),
		WITH(error_of_the_kernel_is_the_callers),
		WITH(all_that_wait_are_woken_at_the_end),
		WITH(without_a_pace_nothing_is_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

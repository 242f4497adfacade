/* SPDX-License-Identifier: Apache-2.0 */
/* The arithmetic of pacing, against a workload that asks for all it can get. */
#include "unit.h"

#include "base/clock.h"
#include "enforce/bucket.h"

#define T0      1790000000000000LL
#define STEP_US 100000
#define USD     1000000000LL

/* Clients that call as soon as they may, and what their calls cost. */
struct world {
	struct bucket bucket;
	struct policy_usage_snapshot snapshot;
	struct ctl_consumed take;
	struct ctl_allowance allowed;
	int64_t now_us;
	int n_clients;
	int64_t busy_until_us[64]; /* 0: asks */
	uint64_t cost[64];
	int64_t duration_us;
	bool is_settled; /* calls are seen to end, and are charged then */
	uint64_t spent;
};

static void begin(struct world *world, int64_t per_hour, int n_clients, int64_t duration_us)
{
	*world = (struct world){ .now_us = T0,
				 .n_clients = n_clients,
				 .is_settled = true,
				 .duration_us = duration_us,
				 .snapshot.epoch = 1,
				 .allowed.reserve_nanos = 1 };
	bucket_begin(&world->bucket, per_hour);
}

static uint64_t draw(uint64_t mean)
{
	return mean / 2 + (uint64_t)rand() % mean;
}

static void settle(struct world *world, int i)
{
	world->busy_until_us[i] = 0;
	world->snapshot.n_flights--;
	world->spent += world->cost[i];
	world->snapshot.charged += world->cost[i];
	world->snapshot.calls++;
	world->snapshot.mean = world->snapshot.charged / world->snapshot.calls;
}

/* As the kernel does it: one after the other, while there is credit. */
static void ask(struct world *world, int i, uint64_t mean)
{
	if ((int64_t)(world->allowed.granted_nanos - world->take.consumed_nanos) <= 0)
		return;
	world->take.consumed_nanos += world->allowed.reserve_nanos;
	world->take.admitted++;
	world->busy_until_us[i] = world->now_us + world->duration_us;
	world->cost[i] = draw(mean);
	world->snapshot.n_flights++;
}

static void run(struct world *world, int64_t seconds, uint64_t mean)
{
	for (int64_t end = world->now_us + seconds * US_PER_S; world->now_us < end;
	     world->now_us += STEP_US) {
		for (int i = 0; i < world->n_clients; i++) {
			if (world->busy_until_us[i] && world->busy_until_us[i] <= world->now_us)
				settle(world, i);
			if (!world->busy_until_us[i])
				ask(world, i, mean);
		}
		world->allowed = bucket_update(&world->bucket, &world->snapshot, &world->take,
					       world->now_us);
	}
}

static void in_range(struct world *world, int64_t per_hour, int64_t seconds)
{
	double due = (double)per_hour * (double)seconds / 3600;

	assert_true((double)world->spent >= 0.95 * due);
	assert_true((double)world->spent <= 1.05 * due);
}

static void spends_at_the_rate(void **state)
{
	static const int clients[] = { 4, 7, 64 };
	struct world world;

	for (size_t i = 0; i < 3; i++) {
		begin(&world, 36 * USD, clients[i], 2 * US_PER_S);
		run(&world, 3600, USD / 100);
		in_range(&world, 36 * USD, 3600);
	}
}

static void a_bad_reserve_is_made_good(void **state)
{
	struct world world;

	/* the mean of cheap calls before is a hundredth of what they cost now */
	begin(&world, 36 * USD, 3, US_PER_S);
	world.snapshot = (struct policy_usage_snapshot){
		.epoch = 1, .charged = USD, .calls = 10000, .mean = USD / 10000
	};
	run(&world, 7200, USD / 100);
	in_range(&world, 36 * USD, 7200);
	/* and dear ones before */
	begin(&world, 36 * USD, 3, US_PER_S);
	world.snapshot = (struct policy_usage_snapshot){
		.epoch = 1, .charged = 1000 * USD, .calls = 10, .mean = 100 * USD
	};
	run(&world, 36000, USD / 100);
	assert_true(world.spent <= 360 * USD * 1.05);
	assert_true(world.spent > 0);
}

static void tokens_and_rates_below_one_a_step(void **state)
{
	struct world world;

	begin(&world, 1000, 2, US_PER_S); /* 0.03 tokens in a step */
	run(&world, 36000, 20);
	in_range(&world, 1000, 36000);
}

static void a_pause_saves_a_minute_and_no_more(void **state)
{
	struct world world;
	int64_t credit;

	begin(&world, 36 * USD, 0, US_PER_S);
	run(&world, 3600, USD / 100);
	credit = (int64_t)(world.allowed.granted_nanos - world.take.consumed_nanos);
	assert_int_equal(credit, 36 * USD / 60);
}

static void takes_that_nobody_settles_come_back(void **state)
{
	struct world world;

	begin(&world, 36 * USD, 0, US_PER_S);
	run(&world, 60, 1);
	world.take.consumed_nanos += 500 * USD;
	world.take.admitted += 50;
	run(&world, 10, 1);
	assert_true((int64_t)(world.allowed.granted_nanos - world.take.consumed_nanos) < 0);
	run(&world, BUCKET_QUIET_US / US_PER_S + 1, 1);
	assert_true((int64_t)(world.allowed.granted_nanos - world.take.consumed_nanos) > 0);
	/* but not while a call is in flight, which may last */
	world.take.consumed_nanos += 500 * USD;
	world.take.admitted++;
	world.snapshot.n_flights = 1;
	run(&world, 10 * BUCKET_QUIET_US / US_PER_S, 1);
	assert_true((int64_t)(world.allowed.granted_nanos - world.take.consumed_nanos) < 0);
}

static void calls_from_before_it_cost_but_give_nothing_back(void **state)
{
	struct world world;
	int64_t credit;

	begin(&world, 36 * USD, 0, US_PER_S);
	run(&world, 1, 1);
	world.snapshot.charged += USD;
	world.snapshot.calls += 3;
	run(&world, 1, 1);
	credit = (int64_t)(world.allowed.granted_nanos - world.take.consumed_nanos);
	assert_true(credit < -USD * 9 / 10 && credit > -USD);
	/* what is in flight now keeps what was taken for it */
	world.take.consumed_nanos += 7;
	world.take.admitted++;
	world.snapshot.n_flights = 1;
	run(&world, 1, 1);
	assert_int_equal(world.bucket.outstanding, 7);
	assert_int_equal(world.bucket.n_outstanding, 1);
}

static void other_sums_begin_a_new_count(void **state)
{
	struct world world;

	begin(&world, 36 * USD, 1, US_PER_S);
	run(&world, 600, USD / 100);
	world.snapshot.epoch = 2; /* the rules were read again: a replay's sums */
	world.snapshot.charged += 500 * USD;
	world.snapshot.calls += 9;
	run(&world, 1, USD / 100);
	world.snapshot.charged = world.snapshot.calls = 0; /* the counter was dropped and made anew */
	world.snapshot.mean = 0;
	run(&world, 3000, USD / 100);
	in_range(&world, 36 * USD, 3601);
}

static void a_clock_that_jumps_earns_little(void **state)
{
	struct world world;

	begin(&world, 36 * USD, 1, US_PER_S);
	run(&world, 60, USD / 100);
	world.now_us += 86400 * 365 * US_PER_S;
	run(&world, 1, USD / 100);
	assert_true((int64_t)(world.allowed.granted_nanos - world.take.consumed_nanos) <=
		    36 * USD / 60);
	world.spent = 0;
	world.now_us -= 2 * 86400 * 365 * US_PER_S;
	for (int i = 0; i < world.n_clients; i++)
		world.busy_until_us[i] = world.busy_until_us[i] ? 1 : 0;
	run(&world, 3600, USD / 100);
	assert_true(world.spent <= 36 * USD * 1.08); /* and the minute that was saved */
	assert_true(world.spent >= 36 * USD * 0.95);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(spends_at_the_rate),
		cmocka_unit_test(a_bad_reserve_is_made_good),
		cmocka_unit_test(tokens_and_rates_below_one_a_step),
		cmocka_unit_test(a_pause_saves_a_minute_and_no_more),
		cmocka_unit_test(takes_that_nobody_settles_come_back),
		cmocka_unit_test(calls_from_before_it_cost_but_give_nothing_back),
		cmocka_unit_test(other_sums_begin_a_new_count),
		cmocka_unit_test(a_clock_that_jumps_earns_little),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

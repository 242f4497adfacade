/* SPDX-License-Identifier: Apache-2.0 */
/* What the stages call back goes to the kernel half, to discovery and to those who are shown it. */
#include "world.h"

#include "daemon/hooks.h"
#include "pipeline/pipeline.h"

static const struct ev_flow flow = { .head.id = 9, .host = "api.openai.com" };

static void the_kernel_half_gets_its_answers(void **state)
{
	struct pipeline_hooks hooks;
	struct ctl_flow counts;

	starts();
	hooks = hooks_pipeline(&world.daemon);
	hooks.tap.decide(hooks.tap.arg, 1, CTL_AI);
	hooks.tap.flow_decide(hooks.tap.arg, &flow, CTL_AI); /* fails: its flow has ended */
	assert_int_equal(kernel.n_decided, 2);
	hooks.tap.forget(hooks.tap.arg, TGID, 0xabc0);
	assert_int_equal(kernel.n_forgotten, 1);
	hooks.tap.destroy(hooks.tap.arg, &flow); /* fails: no privilege, which is logged */
	assert_int_equal(kernel.n_destroyed, 1);
	hooks.tap.hold_over(hooks.tap.arg, 9);
	assert_int_equal(kernel.n_dropped, 1);
	assert_int_equal(hooks.tap.flow_get(hooks.tap.arg, 9, &counts), -ENOENT);
}

static void what_it_knows_is_passed_up(void **state)
{
	struct pipeline_hooks hooks;

	starts();
	hooks = hooks_pipeline(&world.daemon);
	assert_int_equal(hooks.tap.owner(hooks.tap.arg, 9), 0);
	kernel.owner = 4242;
	assert_int_equal(hooks.tap.owner(hooks.tap.arg, 9), 4242);
	assert_false(hooks.tap.is_shared(hooks.tap.arg, &flow));
	kernel.is_shared = true;
	assert_true(hooks.tap.is_shared(hooks.tap.arg, &flow));
	assert_int_equal(hooks.tap.held(hooks.tap.arg, 9), 0);
	kernel.held_since_ns = 17;
	assert_int_equal(hooks.tap.held(hooks.tap.arg, 9), 17);
}

static void discovery_learns_who_greets_and_who_ends(void **state)
{
	struct pipeline_hooks hooks;

	configure("resolve: false\nfirst-call: estimate\n");
	starts();
	hooks = hooks_pipeline(&world.daemon);
	hooks.find.greeted(hooks.find.arg, TGID, CGROUP, 9);
	assert_int_equal(kernel.n_greeted, 1);
	assert_int_equal(kernel.socket, 9);
	assert_int_equal(kernel.n_deferred, 0);
	hooks.find.gone(hooks.find.arg, TGID);
	assert_int_equal(kernel.n_gone, 1);
	assert_int_equal(hooks.find.left_out(hooks.find.arg, TGID), UNMETERED_READ);
	kernel.reach = FIND_ATTACH_FAILED;
	assert_int_equal(hooks.find.left_out(hooks.find.arg, TGID), UNMETERED_REFUSED);
}

/* A cut resets the connections that are live below a path, and no other. */
static void the_enforcer_resets_live_connections(void **state)
{
	struct ev_flow live = { .head = head(EV_FLOW),
				.verdict = CTL_AI,
				.family = AF_INET,
				.remote_port = 443,
				.comm = "agent",
				.host = "api.anthropic.com" };

	starts();
	appears("/agents");
	live.head.id = 0xf00;
	kernel_event(&live, sizeof(live));
	passes(NS_PER_MS);
	hooks_destroy(&world.daemon, "/others");
	assert_int_equal(kernel.n_destroyed, 0);
	hooks_destroy(&world.daemon, "/agents");
	assert_int_equal(kernel.n_destroyed, 1);
	assert_false(hooks_reset(&world.daemon, 0xbad));
	assert_true(hooks_reset(&world.daemon, 0xf00));
	assert_int_equal(kernel.n_destroyed, 2);
}

static void a_change_makes_a_snapshot_due(void **state)
{
	json_t *health;

	starts();
	passes(5 * NS_PER_S);
	kernel.counters[CTL_RING_FULL_EVENTS] = 3;
	hooks_changed(&world.daemon);
	passes(2 * NS_PER_S);
	health = part("health");
	assert_int_equal(json_integer_value(json_object_get(json_object_get(health, "kernel"),
							    "ring_full_events")),
			 3);
	json_decref(health);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(the_kernel_half_gets_its_answers),
		TEST(what_it_knows_is_passed_up),
		TEST(discovery_learns_who_greets_and_who_ends),
		TEST(the_enforcer_resets_live_connections),
		TEST(a_change_makes_a_snapshot_due),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

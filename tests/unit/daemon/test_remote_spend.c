/* SPDX-License-Identifier: Apache-2.0 */
/* What the daemon does when others have spent; the server is not there: shared/shared.h is faked. */
#include "world.h"

#include <signal.h>
#include <sys/wait.h>

#include "daemon/remote_spend.h"
#include "shared/shared.h"

#define SHARED                                                   \
	"shared: { server: valkey://127.0.0.1:1 }\n" BUDGETS     \
	"- { name: fleet, limit: 1 USD, shared: true, steps: [ " \
	"{ at: 100%, do: refuse }, { at: 110%, do: freeze }, "   \
	"{ at: 120%, do: kill, target: process }, "              \
	"{ at: 130%, do: kill, target: cgroup } ] }\n"
enum { REFUSE_STEP, FREEZE_STEP, KILL_PROCESS, KILL_CGROUP };

struct shared {
	struct shared_hooks hooks;
	const struct policy *policy;
	size_t n_commits, n_looks;
};
static struct shared server;
static size_t n_new, n_freed;
static int new_err;

int shared_new(struct shared **ret, struct loop *loop, struct fetcher *fetcher,
	       struct ledger *ledger, struct policy *policy, const struct shared_config *config,
	       const struct shared_hooks *hooks)
{
	if (new_err)
		return new_err;
	server = (struct shared){ .hooks = *hooks, .policy = policy };
	n_new++;
	*ret = &server;
	return 0;
}

struct shared *shared_free(struct shared *shared)
{
	n_freed += !!shared;
	return NULL;
}

void shared_policy(struct shared *shared, struct policy *policy)
{
	if (shared)
		shared->policy = policy;
}

void shared_commit(struct shared *shared)
{
	if (shared)
		shared->n_commits++;
}

void shared_look(struct shared *shared)
{
	if (shared)
		shared->n_looks++;
}

void shared_state(const struct shared *shared, struct shared_state *ret)
{
	*ret = (struct shared_state){ .is_up = true, .nodes = 3, .counters = 1, .error = "" };
}

static int setup_shared(void **state)
{
	n_new = n_freed = 0;
	new_err = 0;
	return setup(state);
}

/* The verdict that the policy would give for a step of the first budget. */
static void others_reach(int step)
{
	static const uint64_t cgroups[] = { CGROUP };
	const struct policy_budget *budget = &world.daemon.config.rules.budgets[0];
	const struct policy_verdict verdict = { .budget = budget,
						.step = &budget->steps[step],
						.key = budget->name,
						.is_first = true,
						.spent_nanos = 2 * NANOS_PER_USD,
						.limit_nanos = NANOS_PER_USD,
						.window_end_us = clock_wall_us() + 3600 * US_PER_S,
						.measured_permille = 1000,
						.cgroups = cgroups,
						.n_cgroups = 1 };

	server.hooks.verdict(server.hooks.arg, &verdict);
}

static void shared_budgets_begin_and_end_with_the_rules(void **state)
{
	configure(BUDGETS REFUSE("a", "1 USD"));
	starts();
	assert_int_equal(n_new, 0);
	assert_null(world.daemon.shared);
	configure(SHARED);
	passes(NS_PER_S);
	assert_int_equal(n_new, 1);
	assert_ptr_equal(server.policy, world.daemon.policy);
	configure(BUDGETS REFUSE("a", "1 USD"));
	passes(NS_PER_S);
	assert_int_equal(n_freed, 1);
	assert_null(world.daemon.shared);
}

static void a_failure_leaves_this_hosts_own_sums(void **state)
{
	configure(SHARED);
	new_err = -ENOMEM;
	starts();
	assert_null(world.daemon.shared);
	calls();
	passes(NS_PER_S);
	assert_int_equal(calls_in_ledger(), 1);
}

static void the_server_is_told_after_a_commit(void **state)
{
	json_t *shared;

	configure(SHARED);
	starts();
	calls();
	passes(2 * NS_PER_S);
	assert_true(server.n_commits > 0);
	assert_true(server.n_looks > 0);
	shared = part("shared");
	assert_int_equal(json_integer_value(json_object_get(shared, "nodes")), 3);
	assert_string_equal(json_string_value(json_object_get(shared, "server")), "up");
	json_decref(shared);
}

/* Cuts the text there. */
static const char *last_line(char *text)
{
	char *end = strrchr(text, '\n');

	if (!end)
		return "";
	*end = '\0';
	return strrchr(text, '\n') ? strrchr(text, '\n') + 1 : text;
}

static void a_refusal_shuts_every_members_gate(void **state)
{
	_cleanup_free_ char *text = NULL;

	configure(SHARED);
	starts();
	appears("/agents");
	calls();
	passes(NS_PER_MS);
	others_reach(REFUSE_STEP);
	text = printed();
	assert_non_null(strstr(last_line(text), "\"action\":\"refuse\""));
}

/* Carried out on the cgroups that were charged; this one is gone. */
static void a_freeze_is_for_the_charged_cgroups(void **state)
{
	_cleanup_free_ char *text = NULL;
	const char *line;

	configure(SHARED);
	starts();
	appears("/agents");
	calls();
	passes(NS_PER_MS);
	others_reach(FREEZE_STEP);
	text = printed();
	line = last_line(text);
	assert_non_null(strstr(line, "\"action\":\"freeze\""));
	assert_non_null(strstr(line, "cgroup /agents"));
	others_reach(KILL_CGROUP);
	free(text);
	text = printed();
	/* which ends callers and their kin: no process of it is known to call */
	assert_null(strstr(last_line(text), "\"action\":\"kill\""));
}

/* And those of processes on the ones that have a connection to an AI host now. */
static void a_kill_is_for_processes_with_a_connection(void **state)
{
	struct ev_flow flow = { .head = head(EV_FLOW),
				.verdict = CTL_AI,
				.family = AF_INET,
				.remote_port = 443,
				.comm = "agent",
				.host = "api.anthropic.com" };
	_cleanup_free_ char *before = NULL, *after = NULL;
	const char *line;
	char target[32];
	pid_t child;

	configure(SHARED);
	starts();
	appears("/agents");
	passes(NS_PER_MS);
	others_reach(KILL_PROCESS);
	before = printed();
	assert_string_equal(before, "");
	child = fork();
	if (!child) {
		pause();
		_exit(0);
	}
	flow.head.id = 0xf00;
	flow.head.tgid = (uint32_t)child;
	kernel_event(&flow, sizeof(flow));
	passes(NS_PER_MS);
	others_reach(KILL_PROCESS);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	after = printed();
	line = last_line(after);
	assert_non_null(strstr(line, "\"action\":\"kill\""));
	snprintf(target, sizeof(target), "process %d (", child);
	assert_non_null(strstr(line, target));
}

static void less_spent_elsewhere_opens_the_gate(void **state)
{
	configure(SHARED);
	starts();
	appears("/agents");
	calls();
	passes(NS_PER_MS);
	others_reach(REFUSE_STEP);
	assert_int_equal(kernel_gate(CGROUP), CTL_REFUSE);
	server.hooks.said(server.hooks.arg, false, "the server is away");
	server.hooks.review(server.hooks.arg);
	assert_int_not_equal(kernel_gate(CGROUP), CTL_REFUSE);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup_shared, teardown)
	const struct CMUnitTest tests[] = {
		TEST(shared_budgets_begin_and_end_with_the_rules),
		TEST(a_failure_leaves_this_hosts_own_sums),
		TEST(the_server_is_told_after_a_commit),
		TEST(a_refusal_shuts_every_members_gate),
		TEST(a_freeze_is_for_the_charged_cgroups),
		TEST(a_kill_is_for_processes_with_a_connection),
		TEST(less_spent_elsewhere_opens_the_gate),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

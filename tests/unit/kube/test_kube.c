/* SPDX-License-Identifier: Apache-2.0 */
/* Names that come late, from a node's log folders to the ledger and the budgets: kube.c on a whole daemon. */
#include "daemon/world.h"

#include "kube/kube.h"

#define UID       "7da9e2a8-1234-4abc-8def-0123456789ab"
#define CONTAINER "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define POD_PATH  "/kubepods/pod" UID "/" CONTAINER

static char root[64];

/* A node's / with the kubelet's log folders, which hold nothing yet. */
static int setup_node(void **state)
{
	char path[160];

	if (setup(state))
		return -1;
	snprintf(root, sizeof(root), "%s/root", world.dir);
	mkdir(root, 0700);
	snprintf(path, sizeof(path), "%s/var", root);
	mkdir(path, 0700);
	snprintf(path, sizeof(path), "%s/var/log", root);
	mkdir(path, 0700);
	snprintf(path, sizeof(path), "%s/var/log/pods", root);
	mkdir(path, 0700);
	snprintf(path, sizeof(path), "%s/var/log/containers", root);
	return mkdir(path, 0700);
}

static void configure_node(const char *more)
{
	char text[2048];

	snprintf(text, sizeof(text),
		 "resolve: false\nenforce: true\nkubernetes: { host-root: %s, api: off, kubelet: off }\n"
		 "%s",
		 root, more);
	configure(text);
}

/* The kubelet makes it before the pod's first process runs; here it comes late. */
static void the_pods_folder_is_made(const char *namespace, const char *pod)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/var/log/pods/%s_%s_%s", root, namespace, pod, UID);
	assert_int_equal(mkdir(path, 0700), 0);
}

static void write_pod(void *arg, const struct ledger_call *call)
{
	snprintf(arg, 1024, "%s/%s %s", call->group->namespace, call->group->pod,
		 call->group->workload);
}

static const char *pod_of_last_call(void)
{
	static char name[1024];

	name[0] = '\0';
	assert_int_equal(ledger_replay(world.daemon.ledger, 0, write_pod, name), 0);
	return name;
}

struct spent {
	const char *key;
	int64_t nanos;
};

static void add_spent(void *arg, const struct policy_counter *counter)
{
	struct spent *spent = arg;

	if (!strcmp(counter->key, spent->key))
		spent->nanos += counter->spent_nanos;
}

static int64_t spent_of(const char *key)
{
	struct spent spent = { .key = key };

	policy_counters(world.daemon.policy, clock_wall_us(), add_spent, &spent);
	return spent.nanos;
}

static void a_late_name_reaches_ledger_and_budgets(void **state)
{
	configure_node(
		"budgets:\n- { name: a, per: namespace, limit: 1 USD, steps: [ { do: note } ] }\n");
	starts();
	appears(POD_PATH);
	calls();
	passes(NS_PER_S);
	assert_string_equal(pod_of_last_call(), "/ ");
	assert_int_equal(spent_of("namespace=team"), 0);
	the_pods_folder_is_made("team", "agents-6d4cf56db6-x7k2p");
	passes(KUBE_NAME_NS + NS_PER_S);
	assert_string_equal(pod_of_last_call(), "team/agents-6d4cf56db6-x7k2p Deployment/agents");
	assert_int_equal(spent_of("namespace=team"), 2000000);
}

static void budgets_that_do_not_look_at_names_are_left(void **state)
{
	const struct policy *policy;

	configure_node(
		"budgets:\n- { name: a, per: cgroup, limit: 1 USD, steps: [ { do: note } ] }\n");
	starts();
	appears(POD_PATH);
	calls();
	passes(NS_PER_S);
	policy = world.daemon.policy;
	the_pods_folder_is_made("team", "agents");
	passes(10 * NS_PER_S);
	assert_string_equal(pod_of_last_call(), "team/agents Pod/agents");
	assert_ptr_equal(world.daemon.policy, policy);
}

/* What came just before the end is written by it. */
static void names_that_wait_are_written_at_the_end(void **state)
{
	configure_node("");
	starts();
	appears(POD_PATH);
	calls();
	passes(NS_PER_S);
	the_pods_folder_is_made("team", "agents");
	passes(NS_PER_MS);
	starts_again();
	assert_string_equal(pod_of_last_call(), "team/agents Pod/agents");
}

static void sources_are_shown(void **state)
{
	json_t *names, *row;
	size_t i, n_working = 0;

	configure_node("");
	starts();
	passes(3 * NS_PER_S);
	names = part("names");
	json_array_foreach(names, i, row)
		n_working += json_is_true(json_object_get(row, "works"));
	assert_true(n_working >= 2); /* the folders, and the runtimes' state */
	json_decref(names);
}

/* In a pod the API server and the kubelet are found by the environment; neither is there. */
static void a_pods_environment_names_the_servers(void **state)
{
	char text[512];
	json_t *names;

	setenv("KUBERNETES_SERVICE_HOST", "::1", 1);
	setenv("KUBERNETES_SERVICE_PORT", "1", 1);
	setenv("NODE_IP", "127.0.0.1", 1);
	snprintf(text, sizeof(text), "resolve: false\nnode: n1\nkubernetes: { host-root: %s }\n",
		 root);
	configure(text);
	starts();
	passes(20 * NS_PER_S);
	names = part("names");
	assert_true(json_array_size(names) >= 3);
	json_decref(names);
	unsetenv("KUBERNETES_SERVICE_HOST");
	unsetenv("KUBERNETES_SERVICE_PORT");
	unsetenv("NODE_IP");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup_node, teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_late_name_reaches_ledger_and_budgets),
		TEST(budgets_that_do_not_look_at_names_are_left),
		TEST(names_that_wait_are_written_at_the_end),
		TEST(sources_are_shown),
		TEST(a_pods_environment_names_the_servers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

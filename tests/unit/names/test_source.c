/* SPDX-License-Identifier: Apache-2.0 */
/* What sources of names have in common: names/source.h. */
#include "unit.h"

#include "base/clock.h"
#include "names/source.h"

static void a_failing_source_is_left_alone_longer_each_time(void **state)
{
	assert_int_equal(source_retry_ns(0), 5 * NS_PER_S);
	assert_int_equal(source_retry_ns(1), 5 * NS_PER_S);
	assert_int_equal(source_retry_ns(2), 10 * NS_PER_S);
	assert_int_equal(source_retry_ns(6), 160 * NS_PER_S);
	assert_int_equal(source_retry_ns(7), 300 * NS_PER_S);
	assert_int_equal(source_retry_ns(UINT_MAX), 300 * NS_PER_S);
}

static void why_is_said_in_words(void **state)
{
	struct fetch_answer answer = { .err = -ECONNREFUSED, .error = "nobody listens" };
	char why[64];

	source_why(&answer, "list pods", why, sizeof(why));
	assert_string_equal(why, "nobody listens");
	answer = (struct fetch_answer){ .status = 401 };
	source_why(&answer, "list pods", why, sizeof(why));
	assert_string_equal(why, "401: its token is not taken");
	answer.status = 403;
	source_why(&answer, "list pods", why, sizeof(why));
	assert_string_equal(why, "403: it may not list pods");
	answer.status = 503;
	source_why(&answer, "list pods", why, sizeof(why));
	assert_string_equal(why, "it answers 503");
	source_why(&answer, "list pods", why, 9); /* cut, and ended */
	assert_string_equal(why, "it answe");
}

static void a_path_lies_below_the_hosts_root(void **state)
{
	struct names_config config = { .root = "/host" };
	char path[PATH_MAX], root[PATH_MAX];

	assert_true(source_path(&config, "/var/log/pods", path));
	assert_string_equal(path, "/host/var/log/pods");
	config.root = NULL;
	assert_true(source_path(&config, "/var/log/pods", path));
	assert_string_equal(path, "/var/log/pods");
	memset(root, 'x', sizeof(root) - 1);
	root[sizeof(root) - 1] = '\0';
	config.root = root;
	assert_false(source_path(&config, "/var/log/pods", path));
}

static void a_pod_of_no_namespace_is_not_learned(void **state)
{
	struct pods *pods = pods_new(NULL, NULL);
	const struct source_env env = { .pods = pods };
	const struct who_container containers[] = { { .id = "c1", .name = "main" },
						    { .id = "c2", .name = "side" } };
	struct who_pod pod = { .uid = "u1", .name = "agents-1" };
	enum pods_rank rank;

	source_learn(&env, &pod, containers, 2);
	assert_null(pods_find(pods, "u1", NULL));
	assert_null(pods_find_container(pods, "c1"));
	strcpy(pod.namespace, "team");
	source_learn(&env, &pod, containers, 2);
	assert_string_equal(pods_find(pods, "u1", &rank)->name, "agents-1");
	assert_int_equal(rank, PODS_OBJECT);
	assert_string_equal(pods_find_container(pods, "c1")->name, "main");
	assert_string_equal(pods_find_container(pods, "c2")->name, "side");
	pods_free(pods);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_failing_source_is_left_alone_longer_each_time),
		cmocka_unit_test(why_is_said_in_words),
		cmocka_unit_test(a_path_lies_below_the_hosts_root),
		cmocka_unit_test(a_pod_of_no_namespace_is_not_learned),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

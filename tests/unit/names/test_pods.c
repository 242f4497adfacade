/* SPDX-License-Identifier: Apache-2.0 */
/* The table of pods. */
#include "world.h"

#include "names/pods.h"

static void mirror_of_a_static_pod_is_the_same_pod(void **state)
{
	struct pods *pods = pods_new(NULL, NULL);
	struct who_pod pod = { .uid = HASH, .namespace = "kube-system", .name = "etcd-n1" };

	pods_learn(pods, &pod, PODS_PATHS);
	snprintf(pod.uid, sizeof(pod.uid), "%s", UID);
	snprintf(pod.hash, sizeof(pod.hash), "%s", HASH);
	snprintf(pod.workload, sizeof(pod.workload), "StaticPod/etcd");
	pods_learn(pods, &pod, PODS_OBJECT);
	assert_ptr_equal(pods_find(pods, HASH, NULL), pods_find(pods, UID, NULL));
	assert_string_equal(pods_find(pods, HASH, NULL)->workload, "StaticPod/etcd");
	pods_free(pods);
}

static void table_is_bounded_and_the_used_stay(void **state)
{
	struct pods *pods = pods_new(NULL, NULL);
	struct who_pod pod = { .uid = "first", .namespace = "n", .name = "p" };
	struct who_container container = { .id = "first", .name = "c" };

	pods_learn(pods, &pod, PODS_PATHS);
	pods_learn_container(pods, &container, PODS_PATHS);
	for (int i = 0; i < 2 * PODS_CONTAINERS_MAX; i++) {
		snprintf(pod.uid, sizeof(pod.uid), "uid-%d", i);
		snprintf(pod.hash, sizeof(pod.hash), "hash-%d", i);
		pods_learn(pods, &pod, PODS_OBJECT);
		snprintf(container.id, sizeof(container.id), "id-%d", i);
		pods_learn_container(pods, &container, PODS_PATHS);
		assert_non_null(pods_find(pods, "first", NULL));
		assert_non_null(pods_find_container(pods, "first"));
	}
	assert_null(pods_find(pods, "uid-0", NULL));
	assert_null(pods_find(pods, "hash-0", NULL));
	assert_null(pods_find_container(pods, "id-0"));
	assert_non_null(pods_find(pods, pod.hash, NULL));
	pods_free(pods);
}

static void lesser_source_only_fills_gaps(void **state)
{
	struct pods *pods = pods_new(NULL, NULL);
	struct who_pod pod = {
		.uid = UID, .namespace = "n", .name = "p", .workload = "Deployment/w", .labels = "a=b"
	};
	struct who_pod less = {
		.uid = UID, .namespace = "n", .name = "p", .workload = "Pod/p", .node = "n1"
	};

	pods_learn(pods, &pod, PODS_OBJECT);
	pods_learn(pods, &less, PODS_PATHS);
	assert_string_equal(pods_find(pods, UID, NULL)->workload, "Deployment/w");
	assert_string_equal(pods_find(pods, UID, NULL)->node, "n1");
	/* a label that is taken away is gone */
	pod.labels[0] = '\0';
	pods_learn(pods, &pod, PODS_OBJECT);
	assert_string_equal(pods_find(pods, UID, NULL)->labels, "");
	pods_free(pods);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mirror_of_a_static_pod_is_the_same_pod),
		cmocka_unit_test(table_is_bounded_and_the_used_stay),
		cmocka_unit_test(lesser_source_only_fills_gaps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "names/podlist.h"
#include "names/workload.h"

#define UID  "7da9e2a8-1234-4abc-8def-0123456789ab"
#define CID  "d4917225c0ffee00d4917225c0ffee00d4917225c0ffee00d4917225c0ffee00"
#define HASH "0123456789abcdef0123456789abcdef"

struct seen {
	struct who_pod pod;
	struct who_container containers[8];
	size_t n_containers, pods;
	bool is_deleted;
};

static void on_pod(void *arg, const struct who_pod *pod, const struct who_container *containers,
		   size_t n_containers, bool is_deleted)
{
	struct seen *seen = arg;

	seen->pod = *pod;
	seen->n_containers = n_containers;
	for (size_t i = 0; i < n_containers && i < ARRAY_SIZE(seen->containers); i++)
		seen->containers[i] = containers[i];
	seen->is_deleted = is_deleted;
	seen->pods++;
}

/* In two pieces, cut at every byte; the same must come of it. */
static struct podlist list;
static struct seen read_cut(const char *text, size_t cut, bool is_object)
{
	struct seen seen = { 0 };
	const struct podlist_sink sink = { .pod = on_pod, .arg = &seen };

	if (is_object)
		podlist_init_object(&list, &sink);
	else
		podlist_init(&list, &sink);
	assert_true(podlist_feed(&list, text, cut));
	assert_true(podlist_feed(&list, text + cut, strlen(text) - cut));
	assert_true(podlist_end(&list));
	return seen;
}

static struct seen read_text(const char *text)
{
	struct seen whole = read_cut(text, strlen(text), false);

	for (size_t cut = 1; cut < strlen(text); cut++) {
		struct seen seen = read_cut(text, cut, false);

		assert_memory_equal(&seen, &whole, sizeof(seen));
	}
	return whole;
}

#define POD(extra_metadata, spec, status)                                                    \
	"{\"metadata\":{\"name\":\"agents-6d4cf56db6-x2x9q\",\"namespace\":\"team-a\","      \
	"\"uid\":\"" UID "\",\"resourceVersion\":\"77\"," extra_metadata "},\"spec\":{" spec \
	"},\"status\":{" status "}}"
#define LIST(items)                                                                                               \
	"{\"kind\":\"PodList\",\"apiVersion\":\"v1\",\"metadata\":{\"resourceVersion\":\"41\"},\"items\":[" items \
	"]}"

/* What is no label's value names no team: too long, empty, or with what a report must not show. */
static void a_team_is_a_name(void **state)
{
	static const char *const bad[] = {
		"", "two words", "a,team=b",
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	};
	char text[1024];

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct seen seen;

		snprintf(text, sizeof(text),
			 LIST(POD("\"annotations\":{\"aigress.dev/team\":\"%s\"}", "", "")), bad[i]);
		seen = read_text(text);
		assert_int_equal(seen.pods, 1);
		assert_string_equal(seen.pod.labels, "");
	}
}

static void pod_is_read_with_all_that_it_says(void **state)
{
	struct seen seen = read_text(LIST(POD(
		"\"generateName\":\"agents-\",\"labels\":{\"app\":\"agents\","
		"\"pod-template-hash\":\"6d4cf56db6\",\"team\":\"search\",\"empty\":\"\"},"
		"\"annotations\":{\"aigress.dev/budget\":\"20 USD/day\",\"aigress.dev/mode\":\"rehearse\","
		"\"aigress.dev/team\":\"billing\",\"other\":\"{\\\"uid\\\":\\\"x\\\"}\"},"
		"\"ownerReferences\":[{\"kind\":\"Other\",\"name\":\"first\"},{\"apiVersion\":\"apps/v1\","
		"\"kind\":\"ReplicaSet\",\"name\":\"agents-6d4cf56db6\",\"controller\":true},"
		"{\"kind\":\"Third\",\"name\":\"third\",\"controller\":false}]",
		"\"nodeName\":\"n1\",\"serviceAccountName\":\"sa\",\"hostNetwork\":true,"
		"\"containers\":[{\"name\":\"not-this\"}]",
		"\"containerStatuses\":[{\"name\":\"main\",\"state\":{\"running\":{}},\"containerID\":"
		"\"containerd://" CID
		"\",\"image\":\"r.example/web:1@sha256:ab\"},{\"name\":\"waiting\",\"containerID\":\"\"}],"
		"\"initContainerStatuses\":[{\"name\":\"setup\",\"containerID\":\"cri-o://a" HASH
		"\"}],"
		"\"ephemeralContainerStatuses\":[{\"name\":\"debugger\",\"containerID\":"
		"\"docker://b" HASH "\"}]")));

	assert_int_equal(seen.pods, 1);
	assert_string_equal(seen.pod.uid, UID);
	assert_string_equal(seen.pod.name, "agents-6d4cf56db6-x2x9q");
	assert_string_equal(seen.pod.namespace, "team-a");
	assert_string_equal(seen.pod.workload, "Deployment/agents");
	assert_string_equal(seen.pod.owner, "ReplicaSet/agents-6d4cf56db6");
	assert_string_equal(seen.pod.labels,
			    "app=agents,team=search,empty=,aigress.dev/team=billing");
	assert_string_equal(seen.pod.service_account, "sa");
	assert_string_equal(seen.pod.node, "n1");
	assert_string_equal(seen.pod.wish.budget, "20 USD/day");
	assert_string_equal(seen.pod.wish.mode, "rehearse");
	assert_true(seen.pod.on_host_network);
	assert_int_equal(seen.n_containers, 3);
	assert_string_equal(seen.containers[0].name, "main");
	assert_string_equal(seen.containers[0].image, "r.example/web:1");
	assert_string_equal(seen.containers[0].id, CID);
	assert_string_equal(seen.containers[0].pod_uid, UID);
	assert_string_equal(seen.containers[1].name, "setup");
	assert_string_equal(seen.containers[1].id, "a" HASH);
	assert_string_equal(seen.containers[2].name, "debugger");
	assert_string_equal(list.version, "41");
}

static void each_pod_of_a_list_stands_alone(void **state)
{
	struct seen seen = read_text(LIST(POD(
		"\"labels\":{\"a\":\"b\"}", "\"hostNetwork\":true",
		"\"containerStatuses\":[{\"name\":\"m\",\"containerID\":\"c://1\"}]") ","
										      "{\"metadata\":{\"name\":\"b\",\"namespace\":\"c\",\"uid\":\"2\"}}"));

	assert_int_equal(seen.pods, 2);
	assert_string_equal(seen.pod.name, "b");
	assert_string_equal(seen.pod.labels, "");
	assert_string_equal(seen.pod.workload, "Pod/b");
	assert_false(seen.pod.on_host_network);
	assert_int_equal(seen.n_containers, 0);
	assert_int_equal(read_text("{\"items\":null,\"kind\":\"PodList\"}").pods, 0);
}

static void static_pods_have_their_hash(void **state)
{
	struct seen seen = read_text(LIST(
		"{\"metadata\":{\"name\":\"kube-apiserver-n1\",\"namespace\":\"kube-system\",\"uid\":\"" UID
		"\",\"annotations\":{\"kubernetes.io/config.hash\":\"" HASH "\"},\"ownerReferences\":"
		"[{\"kind\":\"Node\",\"name\":\"n1\",\"controller\":true}]},\"spec\":{\"nodeName\":\"n1\"}}"));

	assert_string_equal(seen.pod.hash, HASH);
	assert_string_equal(seen.pod.workload, "StaticPod/kube-apiserver");
}

static void watch_tells_events_and_its_place(void **state)
{
	struct seen seen = read_text("{\"type\":\"ADDED\",\"object\":" POD(
		"\"a\":1", "", "") "}\n"
				   "{\"type\":\"BOOKMARK\",\"object\":{\"kind\":\"Pod\",\"metadata\":"
				   "{\"resourceVersion\":\"80\"}}}\n");

	assert_int_equal(seen.pods, 1);
	assert_false(seen.is_deleted);
	assert_string_equal(list.version, "80");
	assert_int_equal(list.code, 0);
	seen = read_text("{\"type\":\"DELETED\",\"object\":" POD("\"a\":1", "", "") "}");
	assert_true(seen.is_deleted);
	assert_string_equal(list.version, "77");
	read_text("{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"code\":410}}");
	assert_int_equal(list.code, 410);
}

static void one_object_is_read_alone(void **state)
{
	static const char text[] =
		"{\"kind\":\"Namespace\",\"metadata\":{\"name\":\"team-a\",\"uid\":\"1\","
		"\"annotations\":{\"aigress.dev/budget\":\"5 USD/day\"}}}";

	for (size_t cut = 1; cut < strlen(text); cut++) {
		struct seen seen = read_cut(text, cut, true);

		assert_int_equal(seen.pods, 1);
		assert_string_equal(seen.pod.name, "team-a");
		assert_string_equal(seen.pod.namespace, "");
		assert_string_equal(seen.pod.wish.budget, "5 USD/day");
	}
}

/* Whoever may label a pod may not write where a label is printed, nor make up a second one. */
static void hostile_values_are_unknown(void **state)
{
	struct seen seen = read_text(LIST(POD(
		"\"labels\":{\"a\":\"x,team=other\",\"b\\n\":\"c\",\"ok\":\"1\"},"
		"\"annotations\":{\"aigress.dev/budget\":\"1 USD/day"
		"                                                                  x\"}",
		"\"nodeName\":\"a b\",\"serviceAccountName\":7",
		"\"containerStatuses\":[{\"name\":\"m\",\"containerID\":\"no-scheme\"},"
		"{\"name\":\"\\u0000\",\"containerID\":\"c://1\"},{\"containerID\":\"c://1\"}]")));

	assert_string_equal(seen.pod.labels, "ok=1");
	assert_string_equal(seen.pod.wish.budget, WHO_ANNOTATION_BAD);
	assert_string_equal(seen.pod.node, "");
	assert_string_equal(seen.pod.service_account, "");
	assert_int_equal(seen.n_containers, 0);
}

static void feed(const char *text)
{
	assert_true(podlist_feed(&list, text, strlen(text)));
}

static void bounds_hold(void **state)
{
	struct seen seen = { 0 };
	const struct podlist_sink sink = { .pod = on_pod, .arg = &seen };
	char item[512];

	podlist_init(&list, &sink);
	feed("{\"items\":[{\"metadata\":{\"name\":\"p\",\"uid\":\"1\",\"labels\":{");
	for (int i = 0; i < 100; i++) {
		snprintf(item, sizeof(item), "%s\"label-%d\":\"%063d\"", i ? "," : "", i, i);
		feed(item);
	}
	feed("}},\"status\":{\"containerStatuses\":[");
	for (int i = 0; i < 200; i++) {
		snprintf(item, sizeof(item), "%s{\"name\":\"c%d\",\"containerID\":\"x://%d\"}",
			 i ? "," : "", i, i);
		feed(item);
	}
	feed("]}}]}");
	assert_true(podlist_end(&list));
	assert_int_equal(seen.pods, 1);
	assert_int_equal(seen.n_containers, PODLIST_CONTAINERS);
	/* whole labels only */
	assert_true(strlen(seen.pod.labels) < WHO_LABELS_LEN);
	assert_int_equal(strlen(strrchr(seen.pod.labels, '=') + 1), 63);
}

static void cut_or_bad_lists_are_known_as_such(void **state)
{
	struct seen seen = { 0 };
	const struct podlist_sink sink = { .pod = on_pod, .arg = &seen };

	podlist_init(&list, &sink);
	assert_true(podlist_feed(&list, "{\"items\":[", 10));
	assert_false(podlist_end(&list));
	podlist_init(&list, &sink);
	assert_false(podlist_end(&list));
	podlist_init(&list, &sink);
	assert_false(podlist_feed(&list, "<html>", 6));
	assert_false(podlist_end(&list));
}

static const struct {
	const char *kind, *name, *hash, *pod, *config_hash, *workload;
} owners[] = {
	{ "ReplicaSet", "agents-6d4cf56db6", "6d4cf56db6", "p", "", "Deployment/agents" },
	{ "ReplicaSet", "agents-6d4cf56db6", "", "p", "", "ReplicaSet/agents-6d4cf56db6" },
	{ "ReplicaSet", "agents", "other", "p", "", "ReplicaSet/agents" },
	{ "ReplicaSet", "-abc", "abc", "p", "", "ReplicaSet/-abc" },
	{ "StatefulSet", "web", "", "web-0", "", "StatefulSet/web" },
	{ "DaemonSet", "agent", "", "agent-x2x9q", "", "DaemonSet/agent" },
	{ "Job", "once", "", "once-x2x9q", "", "Job/once" },
	{ "Job", "nightly-28400040", "", "p", "", "CronJob/nightly" },
	{ "Job", "nightly-1704067200", "", "p", "", "CronJob/nightly" },
	{ "Job", "report-2024", "", "p", "", "Job/report-2024" },
	{ "Workflow", "w", "", "p", "", "Workflow/w" },
	{ "", "", "", "alone", "", "Pod/alone" },
	{ "Node", "n1", "", "etcd-n1", HASH, "StaticPod/etcd" },
	{ "Node", "n1", "", "etcd", HASH, "StaticPod/etcd" },
};

static const struct {
	const char *pod, *workload;
} guesses[] = {
	{ "agents-6d4cf56db6-x2x9q", "Deployment/agents" },
	{ "agents-6d4cf56db6-x2x9a", "Pod/agents-6d4cf56db6-x2x9a" },
	{ "my-web-app-7b9f8c4d5-zxcvb", "Deployment/my-web-app" },
	{ "nightly-28400040-x2x9q", "CronJob/nightly" },
	{ "nightly-1704067200-x2x9q", "CronJob/nightly" },
	{ "agent-x2x9q", "Controller/agent" },
	{ "web-0", "StatefulSet/web" },
	{ "web-12", "StatefulSet/web" },
	{ "web-012", "Pod/web-012" },
	{ "alone", "Pod/alone" },
	{ "-x2x9q", "Pod/-x2x9q" },
	{ "-0", "Pod/-0" },
	{ "", "Pod/" },
};

static void workloads_are_what_was_deployed(void **state)
{
	char workload[64];

	for (size_t i = 0; i < ARRAY_SIZE(owners); i++) {
		const struct workload_owner owner = { owners[i].kind, owners[i].name,
						      owners[i].hash, owners[i].pod,
						      "n1",           owners[i].config_hash };

		workload_of(&owner, workload, sizeof(workload));
		assert_string_equal(workload, owners[i].workload);
	}
	for (size_t i = 0; i < ARRAY_SIZE(guesses); i++) {
		workload_guess(guesses[i].pod, workload, sizeof(workload));
		assert_string_equal(workload, guesses[i].workload);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pod_is_read_with_all_that_it_says),
		cmocka_unit_test(a_team_is_a_name),
		cmocka_unit_test(each_pod_of_a_list_stands_alone),
		cmocka_unit_test(static_pods_have_their_hash),
		cmocka_unit_test(watch_tells_events_and_its_place),
		cmocka_unit_test(one_object_is_read_alone),
		cmocka_unit_test(hostile_values_are_unknown),
		cmocka_unit_test(bounds_hold),
		cmocka_unit_test(cut_or_bad_lists_are_known_as_such),
		cmocka_unit_test(workloads_are_what_was_deployed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

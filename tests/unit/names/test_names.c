/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "base/clock.h"
#include "base/fetch.h"
#include "base/loop.h"
#include "peer.h"
#include "names/names.h"
#include "names/pods.h"
#include "names/source.h"
#include "who/who.h"

#define UID  "7da9e2a8-1234-4abc-8def-0123456789ab"
#define UID2 "7da9e2a8-1234-4abc-8def-0123456789cd"
#define HASH "0123456789abcdef0123456789abcdef"
#define CID  "d4917225c0ffee00d4917225c0ffee00d4917225c0ffee00d4917225c0ffee00"
#define CID2 "a4917225c0ffee00d4917225c0ffee00d4917225c0ffee00d4917225c0ffee0a"

struct world {
	char root[64];
	struct loop *loop;
	struct fetcher *fetcher;
	struct loop_source *late;
	struct names_config config;
	struct names *names;
	bool (*is_done)(struct world *world);
	bool is_late;
	/* what was told */
	char named[512], state[64], error[256], namespace[64], wish[64];
	unsigned n_named;
	struct peer peer;
	char url[64];
};

/* ---- a host's files ---- */

static void shell(struct world *world, const char *format, ...)
{
	char command[2048], full[4096];
	va_list args;

	va_start(args, format);
	vsnprintf(command, sizeof(command), format, args);
	va_end(args);
	snprintf(full, sizeof(full), "cd %s && %s", world->root, command);
	assert_int_equal(system(full), 0);
}

static void add_pod(struct world *world, const char *namespace, const char *pod, const char *uid)
{
	shell(world, "mkdir -p var/log/pods/%s_%s_%s", namespace, pod, uid);
}

static void add_container(struct world *world, const char *namespace, const char *pod,
			  const char *uid, const char *name, const char *cid)
{
	shell(world,
	      "mkdir -p var/log/pods/%1$s_%2$s_%3$s/%4$s &&"
	      " ln -s /var/log/pods/%1$s_%2$s_%3$s/%4$s/0.log var/log/containers/%2$s_%1$s_%4$s-%5$s.log",
	      namespace, pod, uid, name, cid);
}

static void on_named(void *arg, const struct who_pod *pod, const struct who_container *container)
{
	struct world *world = arg;

	world->n_named++;
	if (pod)
		snprintf(world->named, sizeof(world->named), "%s/%s", pod->namespace, pod->name);
}

static void on_source(void *arg, const char *name, const char *error)
{
	struct world *world = arg;

	snprintf(world->state, sizeof(world->state), "%s", name);
	snprintf(world->error, sizeof(world->error), "%s", error ? error : "works");
}

static void on_namespace(void *arg, const char *name, const struct who_wish *wish)
{
	struct world *world = arg;

	snprintf(world->namespace, sizeof(world->namespace), "%s", name);
	snprintf(world->wish, sizeof(world->wish), "%s", wish->budget);
}

static void on_tick(void *arg)
{
	struct world *world = arg;
	static unsigned ticks;

	world->is_late = ++ticks > 3000;
	if (world->is_late || !world->is_done || world->is_done(world)) {
		ticks = 0;
		loop_stop(world->loop);
	}
}

/* Lets the loop run until it is so: at most half a minute. */
static void run_until(struct world *world, bool (*is_done)(struct world *world))
{
	world->is_done = is_done;
	world->is_late = false;
	assert_int_equal(loop_run(world->loop), 0);
	assert_false(world->is_late);
}

static int set_up(void **state)
{
	struct world *world = calloc(1, sizeof(*world));

	if (unit_folder(world->root) || loop_new(&world->loop) ||
	    fetcher_new(&world->fetcher, world->loop) ||
	    loop_add_timer(world->loop, 10 * NS_PER_MS, on_tick, world, &world->late))
		return -1;
	world->config.root = world->root;
	*state = world;
	return 0;
}

static void start(struct world *world)
{
	const struct names_told told = {
		.named = on_named, .source = on_source, .namespace = on_namespace, .arg = world
	};

	assert_int_equal(
		names_new(&world->names, world->loop, world->fetcher, &world->config, &told), 0);
}

static int tear_down(void **state)
{
	struct world *world = *state;
	int err;

	names_free(world->names);
	fetcher_free(world->fetcher);
	if (world->peer.serve)
		peer_stop(&world->peer);
	loop_free(world->loop);
	err = unit_remove(world->root);
	free(world);
	return err;
}

static struct who_group ask(struct world *world, const char *uid, const char *cid)
{
	struct who_group group = { 0 };

	snprintf(group.pod_uid, sizeof(group.pod_uid), "%s", uid);
	snprintf(group.container, sizeof(group.container), "%s", cid);
	snprintf(group.container_name, sizeof(group.container_name), "%s", cid);
	(void)names_fill(world->names,
			 &(struct names_fields){ .container = group.container,
						 .pod_uid = &group.pod_uid,
						 .namespace = &group.namespace,
						 .pod = &group.pod,
						 .workload = &group.workload,
						 .container_name = &group.container_name,
						 .labels = &group.labels });
	return group;
}

#define assert_named(group, ns, pod_, workload_, container_)             \
	do {                                                             \
		assert_string_equal((group).namespace, ns);              \
		assert_string_equal((group).pod, pod_);                  \
		assert_string_equal((group).workload, workload_);        \
		assert_string_equal((group).container_name, container_); \
	} while (0)

static void log_folders_name_pods_that_were_there(void **state)
{
	struct world *world = *state;

	shell(world, "mkdir -p var/log/containers");
	add_container(world, "team-a", "agents-6d4cf56db6-x2x9q", UID, "main", CID);
	add_pod(world, "kube-system", "etcd-n1", HASH);
	start(world);
	assert_named(ask(world, UID, CID), "team-a", "agents-6d4cf56db6-x2x9q", "Deployment/agents",
		     "main");
	assert_named(ask(world, HASH, ""), "kube-system", "etcd-n1", "Pod/etcd-n1", "");
	/* no such container, no such pod */
	assert_named(ask(world, UID, CID2), "team-a", "agents-6d4cf56db6-x2x9q",
		     "Deployment/agents", CID2);
	assert_named(ask(world, UID2, CID2), "", "", "", CID2);
}

static bool is_named(struct world *world)
{
	return !strcmp(world->named, "team-a/brief");
}

/* The folder is there before the sandbox, and gone when anybody asks: inotify has its name. */
static void pod_that_is_gone_again_is_named(void **state)
{
	struct world *world = *state;

	shell(world, "mkdir -p var/log/pods var/log/containers");
	start(world);
	add_pod(world, "team-a", "brief", UID);
	shell(world, "rmdir var/log/pods/*");
	assert_named(ask(world, UID, ""), "team-a", "brief", "Pod/brief", "");
	add_pod(world, "team-a", "brief", UID2);
	shell(world, "rmdir var/log/pods/*");
	run_until(world, is_named);
	assert_named(ask(world, UID2, ""), "team-a", "brief", "Pod/brief", "");
}

static void folders_may_be_made_anew(void **state)
{
	struct world *world = *state;

	shell(world, "mkdir -p var/log/pods var/log/containers");
	start(world);
	shell(world, "rm -r var/log && mkdir -p var/log/pods var/log/containers");
	assert_named(ask(world, UID, ""), "", "", "", "");
	add_pod(world, "team-a", "brief", UID2);
	shell(world, "rmdir var/log/pods/*");
	run_until(world, is_named);
	assert_named(ask(world, UID2, ""), "team-a", "brief", "Pod/brief", "");
}

static bool has_brief(struct world *world)
{
	return !strcmp(ask(world, UID, CID).pod, "brief");
}

static void kubelet_may_start_after_the_daemon(void **state)
{
	struct world *world = *state;

	start(world);
	assert_named(ask(world, UID, CID), "", "", "", CID);
	assert_string_equal(world->state, ""); /* no node is no failure */
	shell(world, "mkdir -p var/log/containers");
	add_container(world, "team-a", "brief", UID, "main", CID);
	add_pod(world, "..", "x y", "z");
	shell(world, "touch var/log/pods/_ var/log/pods/a_b_ 'var/log/containers/x.log'");
	run_until(world, has_brief);
	assert_named(ask(world, UID, CID), "team-a", "brief", "Pod/brief", "main");
	/* what is no pod's folder named nobody */
	assert_int_equal(world->n_named, 2);
}

static const struct {
	const char *file, *text, *name, *pod;
} runtimes[] = {
	{ "run/containerd/io.containerd.runtime.v2.task/k8s.io/" CID "/config.json",
	  "{\"ociVersion\":\"1.0.2\",\"annotations\":{\"io.kubernetes.cri.container-name\":\"main\","
	  "\"io.kubernetes.cri.container-type\":\"container\",\"io.kubernetes.cri.sandbox-id\":\"x\","
	  "\"io.kubernetes.cri.sandbox-name\":\"agents-0\",\"io.kubernetes.cri.sandbox-namespace\":\"team-a\"}}",
	  "main", "agents-0" },
	{ "run/k3s/containerd/io.containerd.runtime.v2.task/k8s.io/" CID "/config.json",
	  "{\"annotations\":{\"io.kubernetes.cri.container-type\":\"sandbox\","
	  "\"io.kubernetes.cri.sandbox-name\":\"agents-0\",\"io.kubernetes.cri.sandbox-uid\":\"" UID
	  "\","
	  "\"io.kubernetes.cri.sandbox-namespace\":\"team-a\"}}",
	  "POD", "agents-0" },
	{ "run/containers/storage/overlay-containers/" CID "/userdata/config.json",
	  "{\"annotations\":{\"io.kubernetes.container.name\":\"main\",\"io.kubernetes.pod.uid\":\"" UID
	  "\","
	  "\"io.kubernetes.pod.name\":\"agents-0\",\"io.kubernetes.pod.namespace\":\"team-a\"}}",
	  "main", "agents-0" },
	{ "var/lib/docker/containers/" CID "/config.v2.json",
	  "{\"Config\":{\"Labels\":{\"io.kubernetes.container.name\":\"main\",\"io.kubernetes.pod.name\":"
	  "\"agents-0\",\"io.kubernetes.pod.namespace\":\"team-a\",\"io.kubernetes.pod.uid\":\"" UID
	  "\"}},"
	  "\"Name\":\"/k8s_main_agents-0\"}",
	  "main", "agents-0" },
	{ "var/lib/docker/containers/" CID "/config.v2.json",
	  "{\"Config\":{\"Labels\":{}},\"Name\":\"/search-agent\"}", "search-agent", "" },
	{ "run/containerd/io.containerd.runtime.v2.task/default/" CID "/config.json",
	  "{\"annotations\":{\"nerdctl/name\":\"hand-made\"}}", "hand-made", "" },
};

static void runtime_state_names_containers_at_once(void **state)
{
	struct world *world = *state;

	for (size_t i = 0; i < ARRAY_SIZE(runtimes); i++) {
		struct who_group group;

		shell(world, "rm -rf run var && mkdir -p $(dirname %s) && printf '%%s' '%s' > %s",
		      runtimes[i].file, runtimes[i].text, runtimes[i].file);
		start(world);
		group = ask(world, runtimes[i].pod[0] ? UID : "", CID);
		assert_string_equal(group.container_name, runtimes[i].name);
		assert_string_equal(group.pod, runtimes[i].pod);
		assert_string_equal(group.namespace, runtimes[i].pod[0] ? "team-a" : "");
		world->names = names_free(world->names);
	}
}

static void hostile_ids_and_files_name_nothing(void **state)
{
	struct world *world = *state;

	shell(world,
	      "mkdir -p run/containerd/io.containerd.runtime.v2.task/k8s.io/x secret &&"
	      " printf '%%s' '{\"annotations\":{\"io.kubernetes.cri.container-name\":\"a b\"}}'"
	      " > run/containerd/io.containerd.runtime.v2.task/k8s.io/x/config.json &&"
	      " printf '%%s' '{\"Name\":\"/stolen\"}' > secret/config.v2.json && mkdir -p var/lib/docker/containers");
	start(world);
	assert_string_equal(ask(world, "", "x").container_name, "x");
	assert_string_equal(ask(world, "", "../../../../secret").container_name,
			    "../../../../secret");
	assert_string_equal(ask(world, "", "..").container_name, "..");
}

/* ---- servers ---- */

#define CONTAINER "{\"name\":\"main\",\"containerID\":\"containerd://" CID "\"}"
#define POD                                                                                                     \
	"{\"metadata\":{\"name\":\"agents-6d4cf56db6-x2x9q\",\"namespace\":\"team-a\",\"uid\":\"" UID           \
	"\","                                                                                                   \
	"\"labels\":{\"team\":\"search\",\"pod-template-hash\":\"6d4cf56db6\"},\"ownerReferences\":[{\"kind\":" \
	"\"ReplicaSet\",\"name\":\"agents-6d4cf56db6\",\"controller\":true}],\"resourceVersion\":\"7\"},"       \
	"\"spec\":{\"nodeName\":\"n1\"},\"status\":{\"containerStatuses\":[" CONTAINER "]}}"

static void serve_text(struct peer *peer, const char *status, const char *body)
{
	char head[128];

	snprintf(head, sizeof(head),
		 "HTTP/1.1 %s\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n", status,
		 strlen(body));
	peer_say(peer, head);
	peer_say(peer, body);
}

static bool read_head(struct peer *peer, char *head, size_t size)
{
	size_t len = 0;
	ssize_t n;

	while (len + 1 < size && (n = peer_read(peer, head + len, size - 1 - len)) > 0) {
		len += (size_t)n;
		head[len] = '\0';
		if (strstr(head, "\r\n\r\n"))
			return true;
	}
	return false;
}

/* A node's kubelet; ".arg" is the status line that it answers, NULL: all is well. */
static void serve_kubelet(struct peer *peer)
{
	char head[4096];

	if (!read_head(peer, head, sizeof(head)))
		return;
	if (strncmp(head, "GET /pods HTTP", 14) || !strstr(head, "Authorization: Bearer secret\r\n"))
		serve_text(peer, "401 Unauthorized", "");
	else if (peer->arg)
		serve_text(peer, peer->arg, "");
	else
		serve_text(peer, "200 OK",
			   "{\"kind\":\"PodList\",\"metadata\":{},\"items\":[" POD "]}");
}

/*
 * An API server whose first watch tells one change and hangs, or (arg) says that the version is too
 * old; the first list is empty then, the second not.
 */
static void serve_api(struct peer *peer)
{
	static const char list[] =
		"GET /api/v1/pods?fieldSelector=spec.nodeName%3Dn1&resourceVersion=0 ";
	static const char watch[] = "GET /api/v1/pods?fieldSelector=spec.nodeName%3Dn1&watch=1&";
	bool forgets = peer->arg;
	char head[4096];

	if (!read_head(peer, head, sizeof(head)))
		return;
	if (!strncmp(head, list, strlen(list)))
		serve_text(
			peer, "200 OK",
			forgets && peer->n_accepted > 1 ?
				"{\"kind\":\"PodList\",\"metadata\":{\"resourceVersion\":\"9\"},\"items\":[" POD
				"]}" :
				"{\"kind\":\"PodList\",\"metadata\":{\"resourceVersion\":\"5\"},\"items\":[]}");
	else if (!strncmp(head, "GET /api/v1/namespaces/team-a ", 30))
		serve_text(peer, "200 OK",
			   "{\"kind\":\"Namespace\",\"metadata\":{\"name\":\"team-a\",\"uid\":\"1\","
			   "\"annotations\":{\"aigress.dev/budget\":\"5 USD/day\"}}}");
	else if (!strncmp(head, watch, strlen(watch)) && strstr(head, "&resourceVersion=5 ") &&
		 forgets)
		serve_text(peer, "200 OK",
			   "{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"code\":410}}\n");
	else if (!strncmp(head, watch, strlen(watch)) && strstr(head, "&resourceVersion=5 "))
		serve_text(peer, "200 OK", "{\"type\":\"ADDED\",\"object\":" POD "}\n");
	else if (!strncmp(head, watch, strlen(watch)))
		peer_hang(peer); /* from 7 or 9 on: nothing new */
	else
		serve_text(peer, "404 Not Found", "");
}

static void start_server(struct world *world, void (*serve)(struct peer *peer), void *arg)
{
	world->peer.serve = serve;
	world->peer.arg = arg;
	peer_start(&world->peer, NULL, 0);
	snprintf(world->url, sizeof(world->url), "http://127.0.0.1:%d", world->peer.port);
	shell(world, "printf secret > token");
	assert_true(asprintf(&world->config.token, "%s/token", world->root) > 0);
	world->config.node = "n1";
}

static bool has_labels(struct world *world)
{
	return !strcmp(ask(world, UID, CID).labels, "team=search");
}

static bool has_state(struct world *world)
{
	return world->state[0];
}

static void kubelet_knows_all_of_a_pod(void **state)
{
	struct world *world = *state;

	start_server(world, serve_kubelet, NULL);
	world->config.kubelet = world->url;
	start(world);
	run_until(world, has_labels);
	assert_named(ask(world, UID, CID), "team-a", "agents-6d4cf56db6-x2x9q", "Deployment/agents",
		     "main");
	run_until(world, has_state);
	assert_string_equal(world->state, "kubelet");
	assert_string_equal(world->error, "works");
	free(world->config.token);
}

/* What the folders said is replaced by what the kubelet says, and that is told. */
static void better_source_replaces_a_guess(void **state)
{
	struct world *world = *state;

	shell(world, "mkdir -p var/log/containers");
	add_pod(world, "team-a", "agents-6d4cf56db6-x2x9q", UID);
	start_server(world, serve_kubelet, NULL);
	world->config.kubelet = world->url;
	start(world);
	assert_int_equal(world->n_named, 1);
	assert_string_equal(ask(world, UID, CID).labels, "");
	run_until(world, has_labels);
	assert_true(world->n_named >= 3); /* the pod anew, and its container */
	free(world->config.token);
}

static void refusal_is_told_once_and_folders_go_on(void **state)
{
	struct world *world = *state;

	shell(world, "mkdir -p var/log/containers");
	add_pod(world, "team-a", "agents-6d4cf56db6-x2x9q", UID);
	start_server(world, serve_kubelet, "403 Forbidden");
	world->config.kubelet = world->url;
	start(world);
	run_until(world, has_state);
	assert_string_equal(world->error, "403: it may not get nodes/proxy");
	world->state[0] = '\0';
	assert_named(ask(world, UID, CID), "team-a", "agents-6d4cf56db6-x2x9q", "Deployment/agents",
		     CID);
	/* told, and not asked again before its time */
	assert_string_equal(world->state, "");
	assert_int_equal(world->peer.n_accepted, 1);
	free(world->config.token);
}

static void watch_tells_of_pods_as_they_come(void **state)
{
	struct world *world = *state;

	start_server(world, serve_api, NULL);
	world->config.api = world->url;
	start(world);
	run_until(world, has_labels);
	assert_named(ask(world, UID, CID), "team-a", "agents-6d4cf56db6-x2x9q", "Deployment/agents",
		     "main");
	assert_string_equal(world->error, "works");
	free(world->config.token);
}

static void watch_begins_anew_when_its_version_is_forgotten(void **state)
{
	struct world *world = *state;

	start_server(world, serve_api, world);
	world->config.api = world->url;
	start(world);
	run_until(world, has_labels);
	assert_string_equal(world->error, "works");
	assert_true(world->peer.n_accepted >= 3);
	free(world->config.token);
}

static bool has_namespace(struct world *world)
{
	return world->namespace[0];
}

/* No watch (no node), so the one request at a time that the peer serves is this one. */
static void namespaces_are_asked_for_their_annotations(void **state)
{
	struct world *world = *state;

	shell(world, "mkdir -p var/log/containers");
	add_pod(world, "team-a", "p", UID);
	start_server(world, serve_api, NULL);
	world->config.api = world->url;
	world->config.node = NULL;
	world->config.namespaces = true;
	start(world);
	run_until(world, has_namespace);
	assert_string_equal(world->namespace, "team-a");
	assert_string_equal(world->wish, "5 USD/day");
	free(world->config.token);
}

/* ---- the table ---- */

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

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(log_folders_name_pods_that_were_there),
		TEST(pod_that_is_gone_again_is_named),
		TEST(folders_may_be_made_anew),
		TEST(kubelet_may_start_after_the_daemon),
		TEST(runtime_state_names_containers_at_once),
		TEST(hostile_ids_and_files_name_nothing),
		TEST(kubelet_knows_all_of_a_pod),
		TEST(better_source_replaces_a_guess),
		TEST(refusal_is_told_once_and_folders_go_on),
		TEST(watch_tells_of_pods_as_they_come),
		TEST(watch_begins_anew_when_its_version_is_forgotten),
		TEST(namespaces_are_asked_for_their_annotations),
		cmocka_unit_test(mirror_of_a_static_pod_is_the_same_pod),
		cmocka_unit_test(table_is_bounded_and_the_used_stay),
		cmocka_unit_test(lesser_source_only_fills_gaps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

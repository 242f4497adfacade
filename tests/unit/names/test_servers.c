/* SPDX-License-Identifier: Apache-2.0 */
/* Names from the kubelet and the API server. */
#include "world.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(kubelet_knows_all_of_a_pod),
		TEST(better_source_replaces_a_guess),
		TEST(refusal_is_told_once_and_folders_go_on),
		TEST(watch_tells_of_pods_as_they_come),
		TEST(watch_begins_anew_when_its_version_is_forgotten),
		TEST(namespaces_are_asked_for_their_annotations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Names from the files of a host. */
#include "world.h"

#define UID2 "7da9e2a8-1234-4abc-8def-0123456789cd"

#define CID2 "a4917225c0ffee00d4917225c0ffee00d4917225c0ffee00d4917225c0ffee0a"

static void add_container(struct world *world, const char *namespace, const char *pod,
			  const char *uid, const char *name, const char *cid)
{
	shell(world,
	      "mkdir -p var/log/pods/%1$s_%2$s_%3$s/%4$s &&"
	      " ln -s /var/log/pods/%1$s_%2$s_%3$s/%4$s/0.log var/log/containers/%2$s_%1$s_%4$s-%5$s.log",
	      namespace, pod, uid, name, cid);
}

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
	const char *file, *text, *name, *pod, *image;
} runtimes[] = {
	{ "run/containerd/io.containerd.runtime.v2.task/k8s.io/" CID "/config.json",
	  "{\"ociVersion\":\"1.0.2\",\"annotations\":{\"io.kubernetes.cri.container-name\":\"main\","
	  "\"io.kubernetes.cri.container-type\":\"container\",\"io.kubernetes.cri.sandbox-id\":\"x\","
	  "\"io.kubernetes.cri.image-name\":\"r.example:5000/team/web:1.2@sha256:" CID "\","
	  "\"io.kubernetes.cri.sandbox-name\":\"agents-0\",\"io.kubernetes.cri.sandbox-namespace\":\"team-a\"}}",
	  "main", "agents-0", "r.example:5000/team/web:1.2" },
	{ "run/k3s/containerd/io.containerd.runtime.v2.task/k8s.io/" CID "/config.json",
	  "{\"annotations\":{\"io.kubernetes.cri.container-type\":\"sandbox\","
	  "\"io.kubernetes.cri.sandbox-name\":\"agents-0\",\"io.kubernetes.cri.sandbox-uid\":\"" UID
	  "\","
	  "\"io.kubernetes.cri.sandbox-namespace\":\"team-a\"}}",
	  "POD", "agents-0", "" },
	{ "run/containers/storage/overlay-containers/" CID "/userdata/config.json",
	  "{\"annotations\":{\"io.kubernetes.container.name\":\"main\",\"io.kubernetes.pod.uid\":\"" UID
	  "\","
	  "\"io.kubernetes.cri-o.ImageName\":\"quay.io/web:2\","
	  "\"io.kubernetes.pod.name\":\"agents-0\",\"io.kubernetes.pod.namespace\":\"team-a\"}}",
	  "main", "agents-0", "quay.io/web:2" },
	{ "var/lib/docker/containers/" CID "/config.v2.json",
	  "{\"Config\":{\"Labels\":{\"io.kubernetes.docker.type\":\"container\","
	  "\"io.kubernetes.container.name\":\"main\",\"io.kubernetes.pod.name\":"
	  "\"agents-0\",\"io.kubernetes.pod.namespace\":\"team-a\",\"io.kubernetes.pod.uid\":\"" UID
	  "\"}},"
	  "\"Name\":\"/k8s_main_agents-0\"}",
	  "main", "agents-0", "" },
	{ "var/lib/docker/containers/" CID "/config.v2.json",
	  "{\"Config\":{\"Labels\":{},\"Image\":\"python:3.12\"},\"Name\":\"/search-agent\"}",
	  "search-agent", "", "python:3.12" },
	/* an id is no name */
	{ "var/lib/docker/containers/" CID "/config.v2.json",
	  "{\"Config\":{\"Image\":\"sha256:" CID "\"},\"Name\":\"/search-agent\"}", "search-agent",
	  "", "" },
	/* labels that Compose has not set, and labels of which nobody can say whose they are */
	{ "var/lib/docker/containers/" CID "/config.v2.json",
	  "{\"Config\":{\"Labels\":{\"com.docker.compose.project\":\"shop\","
	  "\"com.docker.compose.service\":\"web\",\"com.docker.compose.container-number\":\"1\"}},"
	  "\"Name\":\"/alone\",\"Image\":\"sha256:" CID "\",\"Driver\":\"overlay2\"}",
	  "alone", "", "" },
	{ "var/lib/containers/storage/overlay-containers/containers.json",
	  "[{\"id\":\"" HASH "\",\"names\":[\"other\"],\"metadata\":\"{}\"},"
	  "{\"id\":\"" CID "\",\"names\":[\"web\",\"alias\"],\"image\":\"x\","
	  "\"metadata\":\"{\\\"image-name\\\":\\\"docker.io/library/web:1\\\",\\\"name\\\":\\\"web\\\"}\"},"
	  "{\"id\":\"" HASH
	  "0\",\"names\":[\"last\"],\"metadata\":\"{\\\"image-name\\\":\\\"other\\\"}\"}]",
	  "web", "", "docker.io/library/web:1" },
	/* where layers are kept by another driver */
	{ "var/lib/containers/storage/vfs-containers/containers.json",
	  "[{\"id\":\"" CID "\",\"names\":[\"web\"],\"metadata\":\"{}\"}]", "web", "", "" },
	{ "run/containerd/io.containerd.runtime.v2.task/default/" CID "/config.json",
	  "{\"annotations\":{\"nerdctl/name\":\"hand-made\"}}", "hand-made", "", "" },
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
		assert_string_equal(group.image, runtimes[i].image);
		assert_string_equal(group.namespace, runtimes[i].pod[0] ? "team-a" : "");
		world->names = names_free(world->names);
	}
}

#define IMAGE  "sha256:" CID
#define LABELS "\"com.docker.compose.project\":\"shop\",\"com.docker.compose.service\":\"web\""
#define NUMBER ",\"com.docker.compose.container-number\":\"1\""
#define SWARM                                                                                     \
	"\"com.docker.stack.namespace\":\"shop\",\"com.docker.swarm.service.name\":\"shop_web\"," \
	"\"com.docker.swarm.task.id\":\"x1\""

/* Labels of a container and of its image; what Docker's own container belongs to. */
static const struct {
	const char *labels, *image, *namespace, *workload;
} dockers[] = {
	{ LABELS NUMBER, "", "shop", "Compose/web" },
	/* Compose labels the images that it builds, too */
	{ LABELS NUMBER, LABELS, "shop", "Compose/web" },
	{ SWARM, "", "shop", "Swarm/shop_web" },
	{ SWARM "," LABELS NUMBER, "", "shop", "Swarm/shop_web" },
	/* an image that claims to be of Compose: the same labels lie in it */
	{ LABELS NUMBER, LABELS NUMBER, "", "" },
	{ SWARM, SWARM, "", "" },
	{ LABELS, LABELS, "", "" },
	{ LABELS, "", "", "" },
	{ "\"com.docker.compose.service\":\"a b\"" NUMBER, "", "", "" },
	/* one that claims to be a pod of somebody else */
	{ "\"io.kubernetes.docker.type\":\"container\",\"io.kubernetes.pod.name\":\"agents-0\","
	  "\"io.kubernetes.pod.namespace\":\"team-a\",\"io.kubernetes.pod.uid\":\"" UID "\"",
	  "\"io.kubernetes.docker.type\":\"container\"", "", "" },
	{ "\"io.kubernetes.container.name\":\"main\",\"io.kubernetes.pod.name\":\"agents-0\","
	  "\"io.kubernetes.pod.namespace\":\"team-a\",\"io.kubernetes.pod.uid\":\"" UID "\"",
	  "", "", "" },
};

static void what_made_a_container_says_what_it_belongs_to(void **state)
{
	struct world *world = *state;

	for (size_t i = 0; i < ARRAY_SIZE(dockers); i++) {
		struct who_group group;

		shell(world,
		      "rm -rf run var && mkdir -p var/lib/docker/containers/" CID
		      " var/lib/docker/image/overlay2/imagedb/content/sha256 &&"
		      " printf '%%s' '{\"Driver\":\"overlay2\",\"Image\":\"" IMAGE
		      "\",\"Config\":{\"Labels\":{%s}},\"Name\":\"/shop-web-1\"}'"
		      " > var/lib/docker/containers/" CID "/config.v2.json &&"
		      " printf '%%s' '{\"config\":{\"Labels\":{%s}}}'"
		      " > var/lib/docker/image/overlay2/imagedb/content/sha256/" CID,
		      dockers[i].labels, dockers[i].image);
		start(world);
		group = ask(world, "", CID);
		assert_string_equal(group.container_name, "shop-web-1");
		assert_string_equal(group.namespace, dockers[i].namespace);
		assert_string_equal(group.workload, dockers[i].workload);
		assert_string_equal(group.pod, "");
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(log_folders_name_pods_that_were_there),
		TEST(pod_that_is_gone_again_is_named),
		TEST(folders_may_be_made_anew),
		TEST(kubelet_may_start_after_the_daemon),
		TEST(runtime_state_names_containers_at_once),
		TEST(what_made_a_container_says_what_it_belongs_to),
		TEST(hostile_ids_and_files_name_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

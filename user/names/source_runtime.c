/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files in which container runtimes keep the state of each container. One file names a container and its
 * pod before the first process runs, and needs no right in the cluster. The CRI socket would give the same, but
 * access to it amounts to root on the node.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "names/podlist.h"
#include "names/source.h"
#include "names/workload.h"

#define FILE_MAX (1u << 20) /* an OCI configuration is 10 to 50 kB */

enum want {
	WANT_CONTAINER = 1,
	WANT_POD,
	WANT_NAMESPACE,
	WANT_UID,
	WANT_KIND,
	WANT_NAME,
	WANT_PROJECT,
	WANT_COMPOSED,
	WANT_STACK,
	WANT_SWARM,
	WANT_ID,
	WANT_IMAGE_NAME,
	WANT_METADATA,
	WANT_IMAGE,
	WANT_DRIVER,
	WANT_MARK_POD,
	WANT_MARK_COMPOSE,
	WANT_MARK_SWARM,
};

/* containerd's CRI plugin: pkg/cri/annotations/annotations.go */
static const struct json_node containerd_annotations[] = {
	{ .key = "io.kubernetes.cri.container-name", .id = WANT_CONTAINER },
	{ .key = "io.kubernetes.cri.sandbox-name", .id = WANT_POD },
	{ .key = "io.kubernetes.cri.sandbox-namespace", .id = WANT_NAMESPACE },
	{ .key = "io.kubernetes.cri.sandbox-uid", .id = WANT_UID },
	{ .key = "io.kubernetes.cri.container-type", .id = WANT_KIND },
	{ .key = "io.kubernetes.cri.image-name", .id = WANT_IMAGE_NAME },
	{ .key = "nerdctl/name", .id = WANT_NAME },
	{ 0 }
};
static const struct json_node containerd_keys[] = { { .key = "annotations",
						      .in = containerd_annotations },
						    { 0 } };
/* CRI-O: pkg/annotations; the kubelet's labels are among them. */
static const struct json_node crio_annotations[] = {
	{ .key = "io.kubernetes.container.name", .id = WANT_CONTAINER },
	{ .key = "io.kubernetes.pod.name", .id = WANT_POD },
	{ .key = "io.kubernetes.pod.namespace", .id = WANT_NAMESPACE },
	{ .key = "io.kubernetes.pod.uid", .id = WANT_UID },
	{ .key = "io.kubernetes.cri-o.ContainerType", .id = WANT_KIND },
	{ .key = "io.kubernetes.cri-o.ImageName", .id = WANT_IMAGE_NAME },
	{ 0 }
};
static const struct json_node crio_keys[] = { { .key = "annotations", .in = crio_annotations },
					      { 0 } };
/*
 * Docker, by itself, under cri-dockerd, by Compose (docs.docker.com/reference/compose-file, "labels") and in Swarm
 * (moby's daemon/cluster/executor/container). A container has its image's labels, too, which whoever made the image chose:
 * what only the program that made the container sets, WANT_MARK_*, says whose the others are.
 */
#define DOCKER_MARKS                                                                       \
	{ .key = "io.kubernetes.docker.type", .id = WANT_MARK_POD },                       \
		{ .key = "com.docker.compose.container-number", .id = WANT_MARK_COMPOSE }, \
	{                                                                                  \
		.key = "com.docker.swarm.task.id", .id = WANT_MARK_SWARM                   \
	}
static const struct json_node docker_labels[] = {
	{ .key = "io.kubernetes.container.name", .id = WANT_CONTAINER },
	{ .key = "io.kubernetes.pod.name", .id = WANT_POD },
	{ .key = "io.kubernetes.pod.namespace", .id = WANT_NAMESPACE },
	{ .key = "io.kubernetes.pod.uid", .id = WANT_UID },
	{ .key = "com.docker.compose.project", .id = WANT_PROJECT },
	{ .key = "com.docker.compose.service", .id = WANT_COMPOSED },
	{ .key = "com.docker.stack.namespace", .id = WANT_STACK },
	{ .key = "com.docker.swarm.service.name", .id = WANT_SWARM },
	DOCKER_MARKS,
	{ 0 }
};
static const struct json_node docker_config[] = { { .key = "Labels", .in = docker_labels },
						  { .key = "Image", .id = WANT_IMAGE_NAME },
						  { 0 } };
static const struct json_node docker_keys[] = { { .key = "Name", .id = WANT_NAME },
						{ .key = "Image", .id = WANT_IMAGE },
						{ .key = "Driver", .id = WANT_DRIVER },
						{ .key = "Config", .in = docker_config },
						{ 0 } };
/* An image's own labels (the OCI image configuration), of which the marks alone are wanted. */
static const struct json_node image_labels[] = { DOCKER_MARKS, { 0 } };
static const struct json_node image_config[] = { { .key = "Labels", .in = image_labels }, { 0 } };
static const struct json_node image_keys[] = { { .key = "config", .in = image_config }, { 0 } };

/* Podman as root: a list of all containers (containers/storage, containers.go), each with its id first. */
static const struct json_node podman_keys[] = { { .key = "id", .id = WANT_ID },
						{ .key = "names", .id = WANT_NAME },
						{ .key = "metadata", .id = WANT_METADATA },
						{ 0 } };
/* Its metadata is a JSON document in a string. */
static const struct json_node podman_metadata[] = { { .key = "image-name", .id = WANT_IMAGE_NAME },
						    { 0 } };

/* Of CRI-O and Podman: folders are called by the driver that keeps the layers (containers-storage.conf(5), "driver"). */
#define STORAGE(driver)                                                                           \
	{ "/run/containers/storage/" driver "-containers/", "/userdata/config.json", crio_keys }, \
		{ "/var/lib/containers/storage/" driver "-containers/", "/userdata/config.json",  \
		  crio_keys },                                                                    \
	{                                                                                         \
		"/var/lib/containers/storage/" driver "-containers/containers.json", NULL,        \
			podman_keys                                                               \
	}

static const struct runtime {
	/* Parts of the path, below the host's root, around the id; a list has no second part. */
	const char *before, *after;
	const struct json_node *keys;
} runtimes[] = {
	{ "/run/containerd/io.containerd.runtime.v2.task/k8s.io/", "/config.json", containerd_keys },
	{ "/run/k3s/containerd/io.containerd.runtime.v2.task/k8s.io/", "/config.json",
	  containerd_keys },
	STORAGE("overlay"),
	STORAGE("vfs"),
	STORAGE("btrfs"),
	STORAGE("zfs"),
	{ "/var/lib/docker/containers/", "/config.v2.json", docker_keys },
	{ "/run/containerd/io.containerd.runtime.v2.task/default/", "/config.json", containerd_keys },
};

struct found {
	struct who_pod pod;
	struct who_container container;
	bool is_sandbox;
	const char *id;          /* of the container that is looked for, in a list */
	bool is_other;           /* the element in hand is not it */
	char name[WHO_NAME_LEN]; /* as the runtime calls it, which no label does */
	char project[WHO_NAME_LEN], composed[WHO_NAME_LEN]; /* of Compose */
	char stack[WHO_NAME_LEN], swarm[WHO_NAME_LEN];      /* of Swarm */
	char image[WHO_NAME_LEN], driver[WHO_NAME_LEN];
	uint32_t marks; /* bits 1 << WANT_MARK_* */
};

static void on_value(void *arg, int id, enum json_kind kind, const char *key, const char *text,
		     bool is_cut);

static void read_metadata(struct found *found, const char *text)
{
	const struct json_sink sink = { .value = on_value, .arg = found };
	struct json_scan scan;

	json_init(&scan, podman_metadata, &sink);
	(void)json_feed(&scan, (const uint8_t *)text, strlen(text));
}

static void on_value(void *arg, int id, enum json_kind kind, const char *key, const char *text,
		     bool is_cut)
{
	struct found *found = arg;
	struct who_pod *pod = &found->pod;
	char *fields[] = { [WANT_CONTAINER] = found->container.name,
			   [WANT_POD] = pod->name,
			   [WANT_NAMESPACE] = pod->namespace,
			   [WANT_UID] = pod->uid,
			   [WANT_NAME] = found->name,
			   [WANT_PROJECT] = found->project,
			   [WANT_COMPOSED] = found->composed,
			   [WANT_STACK] = found->stack,
			   [WANT_SWARM] = found->swarm,
			   [WANT_IMAGE] = found->image,
			   [WANT_DRIVER] = found->driver };
	size_t size = id == WANT_UID ? sizeof(pod->uid) : WHO_NAME_LEN;

	if (kind != JSON_IS_STRING || is_cut)
		return;
	if (id == WANT_ID)
		found->is_other = strcmp(text, found->id) != 0;
	if (id == WANT_ID || found->is_other)
		return;
	if (id == WANT_METADATA) {
		read_metadata(found, text);
		return;
	}
	if (id == WANT_IMAGE_NAME) {
		podlist_take_image(found->container.image, text);
		return;
	}
	if (id >= WANT_MARK_POD)
		found->marks |= 1u << id;
	if (id > WANT_MARK_POD)
		return;
	if (id == WANT_KIND || id == WANT_MARK_POD) {
		found->is_sandbox = !strcmp(text, "sandbox") || !strcmp(text, "podsandbox");
		return;
	}
	/* Podman's containers have a list of names, of which the first is shown. */
	if (id == WANT_NAME && found->name[0])
		return;
	if (id == WANT_NAME)
		text += *text == '/'; /* Docker's names begin with a slash */
	if (podlist_is_name(text, size))
		snprintf(fields[id], size, "%s", text);
}

static bool read_file(const char *path, const struct json_node *keys, struct found *found)
{
	const struct json_sink sink = { .value = on_value, .arg = found };
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct json_scan scan;
	uint8_t buf[16384];
	size_t total = 0;
	ssize_t n;

	if (fd < 0)
		return false;
	json_init(&scan, keys, &sink);
	while (total < FILE_MAX && (n = read(fd, buf, sizeof(buf))) > 0) {
		total += (size_t)n;
		if (json_feed(&scan, buf, (size_t)n) == JSON_BAD)
			break;
	}
	return true;
}

/*
 * What an image says of itself is forgotten. Where Docker keeps its images elsewhere, that cannot be told: then the labels
 * of Compose and Swarm are not believed. (Those of a pod are: its uid is in the cgroup's path as well.)
 */
static void doubt(const struct source_env *env, struct found *found)
{
	static const char algorithm[] = "sha256:";
	char path[PATH_MAX / 2], full[PATH_MAX];
	struct found image = { 0 };
	const char *digest = found->image + strlen(algorithm);
	bool is_known = !strncmp(found->image, algorithm, strlen(algorithm)) &&
			!strchr(found->image, '/') && !strchr(found->driver, '/') &&
			found->driver[0] != '.';

	snprintf(path, sizeof(path), "/var/lib/docker/image/%s/imagedb/content/sha256/%s",
		 found->driver, is_known ? digest : "");
	is_known = found->marks && is_known && source_path(env->config, path, full) &&
		   read_file(full, image_keys, &image);
	found->marks &= ~image.marks;
	if (!is_known)
		found->marks &= 1u << WANT_MARK_POD;
	if (found->marks & 1u << WANT_MARK_POD)
		return;
	found->pod = (struct who_pod){ 0 };
	found->container.name[0] = '\0';
	found->is_sandbox = false;
}

/* Of a container that belongs to no pod. */
static void set_workload(struct found *found)
{
	struct who_container *container = &found->container;
	bool is_swarm = found->marks & 1u << WANT_MARK_SWARM && found->swarm[0];

	if (!is_swarm && (!(found->marks & 1u << WANT_MARK_COMPOSE) || !found->composed[0]))
		return;
	snprintf(container->namespace, sizeof(container->namespace), "%s",
		 is_swarm ? found->stack : found->project);
	snprintf(container->workload, sizeof(container->workload), "%s/%.240s",
		 is_swarm ? "Swarm" : "Compose", is_swarm ? found->swarm : found->composed);
}

/* The id becomes part of a path: it may contain no slash and not be "." or "..". */
static bool is_id(const char *id)
{
	return podlist_is_name(id, WHO_ID_LEN) && !strchr(id, '/') && id[0] != '.';
}

static void learn(const struct source_env *env, struct found *found, const char *id, const char *uid)
{
	struct who_pod *pod = &found->pod;

	snprintf(found->container.id, sizeof(found->container.id), "%s", id);
	/* containerd writes it from 1.6 on; the cgroup's path has it in any case. */
	if (!pod->uid[0])
		snprintf(pod->uid, sizeof(pod->uid), "%s", uid);
	if (!found->container.name[0])
		memcpy(found->container.name, found->name, sizeof(found->name));
	if (found->is_sandbox)
		snprintf(found->container.name, sizeof(found->container.name), "%s", WHO_SANDBOX);
	if (pod->uid[0] && pod->name[0] && pod->namespace[0]) {
		workload_guess(pod->name, pod->workload, sizeof(pod->workload));
		pods_learn(env->pods, pod, PODS_RUNTIME);
		memcpy(found->container.pod_uid, pod->uid, sizeof(pod->uid));
	} else {
		set_workload(found);
	}
	pods_learn_container(env->pods, &found->container, PODS_RUNTIME);
}

static void runtime_want(void *source, const char *container, const char *uid)
{
	const struct source_env *env = source;

	if (!is_id(container) || pods_find_container(env->pods, container))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(runtimes); i++) {
		const struct runtime *runtime = &runtimes[i];
		char path[PATH_MAX / 2], full[PATH_MAX];
		struct found found = { .id = container };

		snprintf(path, sizeof(path), "%s%s%s", runtime->before,
			 runtime->after ? container : "", runtime->after ? runtime->after : "");
		/* CRI-O and Podman have the same files, of which each leaves out what the other has. */
		if (source_path(env->config, path, full) && read_file(full, runtime->keys, &found) &&
		    (found.name[0] || found.container.name[0] || found.pod.name[0])) {
			if (runtime->keys == docker_keys)
				doubt(env, &found);
			learn(env, &found, container, uid);
			return;
		}
	}
}

/* Runtimes may come and go, so the files are looked for each time. */
static int runtime_start(const struct source_env *env, void **ret)
{
	struct source_env *copy = malloc(sizeof(*copy));

	if (!copy)
		return -ENOMEM;
	*copy = *env;
	*ret = copy;
	return 0;
}

const struct source source_runtime = {
	.name = "runtime state",
	.start = runtime_start,
	.want = runtime_want,
	.stop = free,
};

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
};

/* containerd's CRI plugin: pkg/cri/annotations/annotations.go */
static const struct json_node containerd_annotations[] = {
	{ .key = "io.kubernetes.cri.container-name", .id = WANT_CONTAINER },
	{ .key = "io.kubernetes.cri.sandbox-name", .id = WANT_POD },
	{ .key = "io.kubernetes.cri.sandbox-namespace", .id = WANT_NAMESPACE },
	{ .key = "io.kubernetes.cri.sandbox-uid", .id = WANT_UID },
	{ .key = "io.kubernetes.cri.container-type", .id = WANT_KIND },
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
	{ 0 }
};
static const struct json_node crio_keys[] = { { .key = "annotations", .in = crio_annotations },
					      { 0 } };
/* Docker, by itself and under cri-dockerd. */
static const struct json_node docker_labels[] = {
	{ .key = "io.kubernetes.container.name", .id = WANT_CONTAINER },
	{ .key = "io.kubernetes.pod.name", .id = WANT_POD },
	{ .key = "io.kubernetes.pod.namespace", .id = WANT_NAMESPACE },
	{ .key = "io.kubernetes.pod.uid", .id = WANT_UID },
	{ .key = "io.kubernetes.docker.type", .id = WANT_KIND },
	{ 0 }
};
static const struct json_node docker_config[] = { { .key = "Labels", .in = docker_labels }, { 0 } };
static const struct json_node docker_keys[] = { { .key = "Name", .id = WANT_NAME },
						{ .key = "Config", .in = docker_config },
						{ 0 } };

static const struct runtime {
	const char *before, *after; /* parts of the path, below the host's root, around the id */
	const struct json_node *keys;
} runtimes[] = {
	{ "/run/containerd/io.containerd.runtime.v2.task/k8s.io/", "/config.json", containerd_keys },
	{ "/run/k3s/containerd/io.containerd.runtime.v2.task/k8s.io/", "/config.json",
	  containerd_keys },
	{ "/run/containers/storage/overlay-containers/", "/userdata/config.json", crio_keys },
	{ "/var/lib/containers/storage/overlay-containers/", "/userdata/config.json", crio_keys },
	{ "/var/lib/docker/containers/", "/config.v2.json", docker_keys },
	{ "/run/containerd/io.containerd.runtime.v2.task/default/", "/config.json", containerd_keys },
};

struct found {
	struct who_pod pod;
	struct who_container container;
	bool is_sandbox;
};

static void on_value(void *arg, int id, enum json_kind kind, const char *key, const char *text,
		     bool is_cut)
{
	struct found *found = arg;
	struct who_pod *pod = &found->pod;
	char *fields[] = { [WANT_CONTAINER] = found->container.name,
			   [WANT_POD] = pod->name,
			   [WANT_NAMESPACE] = pod->namespace,
			   [WANT_UID] = pod->uid,
			   [WANT_NAME] = found->container.name };
	size_t size = id == WANT_UID ? sizeof(pod->uid) : WHO_NAME_LEN;

	if (kind != JSON_IS_STRING || is_cut)
		return;
	if (id == WANT_KIND) {
		found->is_sandbox = !strcmp(text, "sandbox") || !strcmp(text, "podsandbox");
		return;
	}
	if (id == WANT_NAME) {
		text += *text == '/'; /* Docker's names begin with a slash */
		if (found->container.name[0])
			return;
	}
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
	if (found->is_sandbox)
		snprintf(found->container.name, sizeof(found->container.name), "%s", WHO_SANDBOX);
	if (pod->uid[0] && pod->name[0] && pod->namespace[0]) {
		workload_guess(pod->name, pod->workload, sizeof(pod->workload));
		pods_learn(env->pods, pod, PODS_RUNTIME);
		memcpy(found->container.pod_uid, pod->uid, sizeof(pod->uid));
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
		struct found found = { 0 };

		snprintf(path, sizeof(path), "%s%s%s", runtime->before, container, runtime->after);
		if (source_path(env->config, path, full) && read_file(full, runtime->keys, &found)) {
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

/* SPDX-License-Identifier: Apache-2.0 */
/* What is known of a pod and of a container, from any source. */
#ifndef NAMES_POD_H
#define NAMES_POD_H

#include <stdbool.h>
#include <stddef.h>

/* Sizes of these texts with their NUL. */
#define WHO_NAME_LEN       256  /* Kubernetes names: 253 */
#define WHO_ID_LEN         65   /* a container id: 64 hex */
#define WHO_UID_LEN        37   /* a UUID: 36 */
#define WHO_LABELS_LEN     2048 /* longer ones: whole labels are left out */
#define WHO_ANNOTATION_LEN 64
/* Takes the place of a longer annotation; no parser accepts it. */
#define WHO_ANNOTATION_BAD "(too long)"
/* Whose a pod is, by who wrote it; it stands among the labels, under this name. */
#define WHO_TEAM_ANNOTATION "aigress.dev/team"

/* Annotations that aigress reads, of pods and of namespaces. */
struct who_wish {
	char budget[WHO_ANNOTATION_LEN]; /* aigress.dev/budget */
	char mode[WHO_ANNOTATION_LEN];   /* aigress.dev/mode */
};

struct who_pod {
	char uid[WHO_UID_LEN];  /* as the API server writes it */
	char hash[WHO_UID_LEN]; /* static pods: as cgroup paths contain it; else empty */
	char namespace[WHO_NAME_LEN];
	char name[WHO_NAME_LEN];
	char workload[WHO_NAME_LEN]; /* "Deployment/agents" */
	char owner[WHO_NAME_LEN]; /* "ReplicaSet/agents-6d4cf56db6": the owner that the pod itself names */
	char labels[WHO_LABELS_LEN];
	char service_account[WHO_NAME_LEN];
	char node[WHO_NAME_LEN];
	struct who_wish wish;
	bool on_host_network;
};

struct who_container {
	char id[WHO_ID_LEN];
	char pod_uid[WHO_UID_LEN]; /* empty: belongs to no pod */
	char name[WHO_NAME_LEN];   /* a sandbox is called WHO_SANDBOX */
	char image[WHO_NAME_LEN];  /* as it was asked for, without a digest; empty: not known */
	/* Of one that belongs to no pod: "shop" and "Compose/web"; empty: it is a container by itself. */
	char namespace[WHO_NAME_LEN], workload[WHO_NAME_LEN];
};
/* As in the kubelet's own metrics. */
#define WHO_SANDBOX "POD"

#endif

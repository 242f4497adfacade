/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names for the pods and containers that cgroups carry only ids of. Where names come from is a table
 * of sources (names.c), from what every node has to what needs rights in the cluster; each works
 * without the others, and a better one's answer replaces a lesser one's. Spend never waits here: it is
 * keyed by ids, and what becomes known later is told.
 */
#ifndef NAMES_NAMES_H
#define NAMES_NAMES_H

#include <stdint.h>

#include "names/pod.h"

struct loop;
struct fetcher;
struct names;

#define NAMES_WANTED \
	4096 /* ids that nobody could name, remembered so as not to ask again at once */
#define NAMES_ASK_NS     1000000000ULL /* a source that was asked for an id is left alone for so long */
#define NAMES_ASK_MAX_NS 60000000000ULL /* the same id: doubling, up to this */

struct names_config {
	char *root;            /* where the host's / is seen; NULL: "" */
	char *node;            /* this node's name; NULL or not one: no API server is watched */
	char *kubelet;         /* "https://10.0.0.7:10250"; NULL or empty: not asked */
	char *kubelet_ca;      /* NULL: as ca */
	bool kubelet_insecure; /* its certificate is not verified */
	char *api;             /* "https://10.96.0.1:443"; NULL or empty: not asked */
	char *token, *ca;      /* files */
	bool namespaces;       /* annotations of namespaces are wanted */
};
void names_config_done(struct names_config *config);

struct names_told {
	/* A pod's or a container's names have come or changed; one of the two is NULL. */
	void (*named)(void *arg, const struct who_pod *pod, const struct who_container *container);
	/* A source began to work (error NULL), or stopped: once for each change. */
	void (*source)(void *arg, const char *name, const char *error);
	/* Annotations of a namespace are known, or have changed. */
	void (*namespace)(void *arg, const char *name, const struct who_wish *wish);
	void *arg;
};

/*
 * Starts every source that can start. The fetcher may be NULL: files alone. The configuration stays
 * the caller's and must outlive it. 0 or -errno.
 */
int names_new(struct names **ret, struct loop *loop, struct fetcher *fetcher,
	      const struct names_config *config, const struct names_told *told);
struct names *names_free(struct names *names);

/* Where names_fill() finds ids and puts names, in whatever struct the caller keeps them. All are set. */
struct names_fields {
	const char *container;        /* its id; empty: none */
	char (*pod_uid)[WHO_UID_LEN]; /* empty: filled if its container is known */
	char (*namespace)[WHO_NAME_LEN], (*pod)[WHO_NAME_LEN], (*workload)[WHO_NAME_LEN];
	char (*container_name)[WHO_NAME_LEN];
	char (*labels)[WHO_LABELS_LEN];
};
/*
 * Fills the names that belong to the ids; what is not known is left as it is. Sources that answer at once
 * are asked when something is missing; the others are started. True: it is all that will ever be known,
 * until names_changes() rises.
 */
bool names_fill(struct names *names, const struct names_fields *fields);
/* How often a name has come or changed. */
uint64_t names_changes(const struct names *names);
/* NULL: unknown. `uid` as in a cgroup's path, or the API server's. Valid until the loop runs. */
const struct who_pod *names_pod(struct names *names, const char *uid);

/* Each source: whether it works and why not ("" where it works, or was not set up). */
void names_each_source(const struct names *names,
		       void (*fn)(void *arg, const char *name, bool works, const char *why),
		       void *arg);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of pods and containers, of which cgroups carry only the ids. Names come from a table of sources
 * (names.c), from files that every node has to servers that need rights in the cluster. Each source works
 * without the others, and the answer of a better one replaces that of a lesser one. Spend never waits here: it
 * is keyed by ids, and names that become known later are reported to the owner.
 */
#ifndef NAMES_NAMES_H
#define NAMES_NAMES_H

#include <stdint.h>

#include "names/pod.h"

struct loop;
struct fetcher;
struct names;

#define NAMES_WANTED \
	4096 /* ids without a name, remembered so that they are not asked for again at once */
#define NAMES_ASK_NS     1000000000ULL  /* how long a source is not asked again */
#define NAMES_ASK_MAX_NS 60000000000ULL /* for the same id: doubles up to this */

struct names_config {
	char *root;       /* where the host's / is mounted; NULL: "" */
	char *node;       /* this node's name; NULL or not a valid name: no API server is watched */
	char *kubelet;    /* "https://10.0.0.7:10250"; NULL or empty: not asked */
	char *kubelet_ca; /* NULL: as ca */
	bool kubelet_insecure; /* its certificate is not verified */
	char *api;             /* "https://10.96.0.1:443"; NULL or empty: not asked */
	char *token, *ca;      /* files */
	bool namespaces;       /* annotations of namespaces are wanted */
};
void names_config_done(struct names_config *config);

struct names_told {
	/* The names of a pod or of a container have become known or changed; the other one is NULL. */
	void (*named)(void *arg, const struct who_pod *pod, const struct who_container *container);
	/* A source has begun to work (error NULL) or has stopped; called once for each change. */
	void (*source)(void *arg, const char *name, const char *error);
	/* The annotations of a namespace have become known or changed. */
	void (*namespace)(void *arg, const char *name, const struct who_wish *wish);
	void *arg;
};

/*
 * Starts every source that can start. If the fetcher is NULL, only files are used. The configuration stays the
 * caller's and must outlive `names`. Returns 0 or -errno.
 */
int names_new(struct names **ret, struct loop *loop, struct fetcher *fetcher,
	      const struct names_config *config, const struct names_told *told);
struct names *names_free(struct names *names);

/* Pointers to the caller's fields: names_fill() reads the ids and writes the names. All must be set. */
struct names_fields {
	const char *container;        /* its id; empty: none */
	char (*pod_uid)[WHO_UID_LEN]; /* empty: filled if its container is known */
	char (*namespace)[WHO_NAME_LEN], (*pod)[WHO_NAME_LEN], (*workload)[WHO_NAME_LEN];
	char (*container_name)[WHO_NAME_LEN], (*image)[WHO_NAME_LEN];
	char (*labels)[WHO_LABELS_LEN];
};
/*
 * Fills the names that belong to the ids; unknown names are left as they are. If something is missing, sources
 * that answer at once are asked, and requests to the others are started. True: nothing more will be known until
 * names_changes() rises.
 */
bool names_fill(struct names *names, const struct names_fields *fields);
/* How often a name has become known or changed. */
uint64_t names_changes(const struct names *names);
/* NULL: unknown. `uid` as in a cgroup's path, or the API server's. Valid until the loop runs. */
const struct who_pod *names_pod(struct names *names, const char *uid);

/* Calls fn for each source, with whether it works and the reason if not ("" if it works or is not configured). */
void names_each_source(const struct names *names,
		       void (*fn)(void *arg, const char *name, bool works, const char *why),
		       void *arg);

#endif

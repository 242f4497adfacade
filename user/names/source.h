/* SPDX-License-Identifier: Apache-2.0 */
/* The interface of a source of names. Included by names.c and the sources only. */
#ifndef NAMES_SOURCE_H
#define NAMES_SOURCE_H

#include <limits.h>

#include "base/fetch.h"
#include "names/names.h"
#include "names/pods.h"

struct source;

/* What a source reports to its owner, `names`. */
struct source_hooks {
	/* Whether the source works: `why` is the reason of its failure, or NULL. May be repeated. */
	void (*state)(struct names *names, const struct source *source, const char *why);
	/* Whether another source works, by its last state. */
	bool (*works)(const struct names *names, const struct source *source);
	/* A pod has started of which only the name is known: the other sources will be asked soon. */
	void (*seen)(struct names *names, const char *uid);
	/* The annotations of a namespace have become known or changed. */
	void (*namespace)(struct names *names, const char *name, const struct who_wish *wish);
};

/* What sources work with. */
struct source_env {
	const struct source_hooks *hooks;
	struct names *names;
	struct pods *pods;
	struct loop *loop;
	struct fetcher *fetcher;
	const struct names_config *config;
};

struct source {
	const char *name;
	/* Returns 0; -ENODEV if the source is not configured or not present, which is not a failure; or -errno. */
	int (*start)(const struct source_env *env, void **ret);
	/*
	 * Asks for the names of a container id, a pod uid or both; either may be empty. Learns at once what it
	 * can, and the rest later.
	 */
	void (*want)(void *source, const char *container, const char *uid);
	void (*stop)(void *source);
};

extern const struct source source_runtime, source_logs, source_kubelet, source_watch,
	source_namespaces;

#define SOURCE_BYTES_MAX    (64u << 20)         /* of one list: a thousand pods are 20 MB */
#define SOURCE_RETRY_NS     (5 * 1000000000ULL) /* after a failure, doubling up to */
#define SOURCE_RETRY_MAX_NS (300 * 1000000000ULL)

/* Reports whether a source works (source_hooks.state). */
void source_state(const struct source_env *env, const struct source *source, const char *why);

/* How long to wait after this many failures in a row. */
uint64_t source_retry_ns(unsigned failures);
/*
 * Why a request failed, as text for people: "403 Forbidden: may not get nodes/proxy, which pods by name need".
 * `right`: the right that it needed.
 */
void source_why(const struct fetch_answer *answer, const char *right, char *ret, size_t size);
/* Learns a pod and its containers from the whole object. */
void source_learn(const struct source_env *env, const struct who_pod *pod,
		  const struct who_container *containers, size_t n_containers);

/* `path` below the host's root; false: too long. */
bool source_path(const struct names_config *config, const char *path, char ret[PATH_MAX]);

#endif

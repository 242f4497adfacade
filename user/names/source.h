/* SPDX-License-Identifier: Apache-2.0 */
/* What a source of names is, for names.c and the sources alone. */
#ifndef NAMES_SOURCE_H
#define NAMES_SOURCE_H

#include <limits.h>

#include "base/fetch.h"
#include "names/names.h"
#include "names/pods.h"

struct source;

/* What a source reports to its owner, which is passed back as `names`. */
struct source_hooks {
	/* How the source fares: `why` is what it failed of, NULL if it works. May be repeated. */
	void (*state)(struct names *names, const struct source *source, const char *why);
	/* Whether another source works, going by its last state. */
	bool (*works)(const struct names *names, const struct source *source);
	/* A pod came up of which only the name is known: the other sources are asked soon. */
	void (*seen)(struct names *names, const char *uid);
	/* A namespace's annotations are known, or have changed. */
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
	/* 0; -ENODEV: it is not set up or not there, which is no failure; or -errno. */
	int (*start)(const struct source_env *env, void **ret);
	/*
	 * Somebody has ids without names: a container's, a pod's, or both; empty where none. What can
	 * be learned at once is, the rest later.
	 */
	void (*want)(void *source, const char *container, const char *uid);
	void (*stop)(void *source);
};

extern const struct source source_runtime, source_logs, source_kubelet, source_watch,
	source_namespaces;

#define SOURCE_BYTES_MAX    (64u << 20)         /* of one list: a thousand pods are 20 MB */
#define SOURCE_RETRY_NS     (5 * 1000000000ULL) /* after a failure, doubling up to */
#define SOURCE_RETRY_MAX_NS (300 * 1000000000ULL)

/* Reports how a source fares (source_hooks.state). */
void source_state(const struct source_env *env, const struct source *source, const char *why);

/* How long to wait after so many failures in a row. */
uint64_t source_retry_ns(unsigned failures);
/*
 * Why a request came to nothing, for people: "403 Forbidden: may not get nodes/proxy, which pods by
 * name need". `right`: what it needed.
 */
void source_why(const struct fetch_answer *answer, const char *right, char *ret, size_t size);
/* Learns a pod with its containers, as the object has it. */
void source_learn(const struct source_env *env, const struct who_pod *pod,
		  const struct who_container *containers, size_t n_containers);

/* `path` below the host's root; false: too long. */
bool source_path(const struct names_config *config, const char *path, char ret[PATH_MAX]);

#endif

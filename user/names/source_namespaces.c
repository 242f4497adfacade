/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Annotations of the namespaces that have pods on this node: one GET each, repeated every REFRESH_NS. No names
 * come from here; it runs only if annotations are to be honoured.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/loop.h"
#include "names/podlist.h"
#include "names/source.h"

#define REFRESH_NS     (60 * NS_PER_S)
#define LOOK_NS        NS_PER_S /* how often new namespaces are looked for; one request at a time */
#define NAMESPACES_MAX 1024     /* more than this many on one node are not asked for */

struct namespace
{
	UT_hash_handle hh;
	char name[64];
	struct who_wish wish;
	uint64_t due_ns;
};

struct namespaces {
	struct source_env env;
	struct loop_source *timer;
	struct fetch *fetch;
	struct podlist list;
	struct namespace *all, *asked;
	uint64_t pause_ns; /* after a failure, no request before */
	unsigned failures;
};

static void add(void *arg, const struct who_pod *pod)
{
	struct namespaces *namespaces = arg;
	struct namespace *namespace;

	if (strlen(pod->namespace) >= sizeof(namespace->name) || !pod->namespace[0])
		return;
	HASH_FIND_STR(namespaces->all, pod->namespace, namespace);
	if (namespace || HASH_COUNT(namespaces->all) >= NAMESPACES_MAX)
		return;
	namespace = calloc(1, sizeof(*namespace));
	if (!namespace)
		return;
	snprintf(namespace->name, sizeof(namespace->name), "%.63s", pod->namespace);
	HASH_ADD_STR(namespaces->all, name, namespace);
	if (!namespace->hh.tbl)
		free(namespace);
}

static void on_object(void *arg, const struct who_pod *pod, const struct who_container *containers,
		      size_t n_containers, bool is_deleted)
{
	struct namespaces *namespaces = arg;
	struct namespace *namespace = namespaces->asked;

	if (strcmp(pod->name, namespace->name) ||
	    !memcmp(&namespace->wish, &pod->wish, sizeof(pod->wish)))
		return;
	namespace->wish = pod->wish;
	namespaces->env.hooks->namespace(namespaces->env.names, namespace->name, &namespace->wish);
}

static bool on_piece(void *arg, const char *bytes, size_t len)
{
	struct namespaces *namespaces = arg;

	return podlist_feed(&namespaces->list, bytes, len);
}

static void on_done(void *arg, const struct fetch_answer *answer)
{
	struct namespaces *namespaces = arg;
	char why[256];

	namespaces->fetch = NULL;
	/* 404: it has been deleted since. */
	if (!answer->err && answer->status == 404)
		return;
	if (!answer->err && answer->status == 200 && podlist_end(&namespaces->list)) {
		namespaces->failures = 0;
		return source_state(&namespaces->env, &source_namespaces, NULL);
	}
	namespaces->asked->due_ns = 0;
	namespaces->pause_ns = clock_mono_ns() + source_retry_ns(++namespaces->failures);
	source_why(answer, "get namespaces", why, sizeof(why));
	source_state(&namespaces->env, &source_namespaces, why);
}

static void ask(struct namespaces *namespaces, struct namespace *namespace)
{
	const struct names_config *config = namespaces->env.config;
	const struct podlist_sink sink = { .pod = on_object, .arg = namespaces };
	struct fetch_request request = {
		.bearer_file = config->token,
		.tls.ca_file = config->ca,
		.timeout_ms = 10000,
		.piece = on_piece,
		.done = on_done,
		.arg = namespaces,
	};
	char url[1024];

	snprintf(url, sizeof(url), "%s/api/v1/namespaces/%s", config->api, namespace->name);
	request.url = url;
	podlist_init_object(&namespaces->list, &sink);
	namespaces->asked = namespace;
	namespace->due_ns = clock_mono_ns() + REFRESH_NS;
	if (fetch_start(namespaces->env.fetcher, &request, &namespaces->fetch) < 0)
		namespaces->pause_ns = clock_mono_ns() + source_retry_ns(++namespaces->failures);
}

static void on_timer(void *arg)
{
	struct namespaces *namespaces = arg;
	uint64_t now_ns = clock_mono_ns();

	if (namespaces->fetch || now_ns < namespaces->pause_ns)
		return;
	pods_each(namespaces->env.pods, PODS_PATHS, add, namespaces);
	for (struct namespace *namespace = namespaces->all; namespace;
	     namespace = namespace->hh.next)
		if (namespace->due_ns <= now_ns)
			return ask(namespaces, namespace);
}

static void namespaces_want(void *source, const char *container, const char *uid)
{
}

static void namespaces_stop(void *source)
{
	struct namespaces *namespaces = source;
	struct namespace *namespace, *next;

	fetch_cancel(namespaces->fetch);
	loop_remove(namespaces->timer);
	HASH_ITER(hh, namespaces->all, namespace, next) {
		HASH_DEL(namespaces->all, namespace);
		free(namespace);
	}
	free(namespaces);
}

static int namespaces_start(const struct source_env *env, void **ret)
{
	struct namespaces *namespaces;
	int err;

	if (!env->config->namespaces || !env->config->api || !*env->config->api || !env->fetcher)
		return -ENODEV;
	namespaces = calloc(1, sizeof(*namespaces));
	if (!namespaces)
		return -ENOMEM;
	namespaces->env = *env;
	err = loop_add_timer(env->loop, LOOK_NS, on_timer, namespaces, &namespaces->timer);
	if (err) {
		free(namespaces);
		return err;
	}
	*ret = namespaces;
	return 0;
}

const struct source source_namespaces = {
	.name = "namespaces",
	.start = namespaces_start,
	.want = namespaces_want,
	.stop = namespaces_stop,
};

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A watch on the API server for the pods of this node only: one list, then a request that stays open and
 * delivers each change as it happens. It needs list and watch on pods, which Kubernetes cannot grant for a
 * single node; so it is optional, and the kubelet is asked instead if it is not granted.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/loop.h"
#include "names/podlist.h"
#include "names/source.h"

#define WATCH_S   300 /* the server ends a watch after this time; the next one continues from there */
#define SILENCE_S 360      /* bookmarks come about every minute */
#define AGAIN_NS  NS_PER_S /* least time between the starts of watches */

struct watch {
	struct source_env env;
	struct loop_source *timer;
	struct fetch *fetch;
	struct podlist list;
	size_t bytes;
	char version[PODLIST_VERSION_LEN]; /* continue from here; empty: list first */
	unsigned failures;
};

static void on_pod(void *arg, const struct who_pod *pod, const struct who_container *containers,
		   size_t n_containers, bool is_deleted)
{
	const struct watch *watch = arg;

	/* The names of a deleted pod are still needed. A bookmark has no name. */
	source_learn(&watch->env, pod, containers, n_containers);
}

static bool on_piece(void *arg, const char *bytes, size_t len)
{
	struct watch *watch = arg;

	if (!podlist_feed(&watch->list, bytes, len))
		return false;
	if (watch->version[0]) {
		if (watch->list.version[0])
			memcpy(watch->version, watch->list.version, sizeof(watch->version));
		return !watch->list.code;
	}
	watch->bytes += len;
	return watch->bytes <= SOURCE_BYTES_MAX;
}

static void fail(struct watch *watch, const char *why)
{
	watch->version[0] = '\0';
	source_state(&watch->env, &source_watch, why);
	(void)loop_arm(watch->timer, source_retry_ns(++watch->failures));
}

static void on_done(void *arg, const struct fetch_answer *answer)
{
	struct watch *watch = arg;
	bool was_list = !watch->version[0];
	char why[256];

	watch->fetch = NULL;
	/* 410 Gone, as the status or within the stream: the server no longer has the version. */
	if (!was_list && (answer->status == 410 || watch->list.code == 410)) {
		watch->version[0] = '\0';
		(void)loop_arm(watch->timer, AGAIN_NS);
		return;
	}
	if (answer->err || answer->status != 200 || watch->list.code) {
		source_why(answer, was_list ? "list pods" : "watch pods", why, sizeof(why));
		return fail(watch, why);
	}
	if (was_list && (!podlist_end(&watch->list) || !watch->list.version[0]))
		return fail(watch, "its list of pods cannot be read");
	if (was_list)
		memcpy(watch->version, watch->list.version, sizeof(watch->version));
	watch->failures = 0;
	source_state(&watch->env, &source_watch, NULL);
	(void)loop_arm(watch->timer, was_list ? 1 : AGAIN_NS);
}

static void ask(struct watch *watch)
{
	const struct names_config *config = watch->env.config;
	const struct podlist_sink sink = { .pod = on_pod, .arg = watch };
	struct fetch_request request = {
		.bearer_file = config->token,
		.tls.ca_file = config->ca,
		.piece = on_piece,
		.done = on_done,
		.arg = watch,
	};
	char url[1024], why[256];
	int err;

	/* Version 0: from the server's cache and not from etcd. */
	if (watch->version[0]) {
		snprintf(url, sizeof(url),
			 "%s/api/v1/pods?fieldSelector=spec.nodeName%%3D%s&watch=1"
			 "&allowWatchBookmarks=true&timeoutSeconds=%d&resourceVersion=%s",
			 config->api, config->node, WATCH_S, watch->version);
		request.silence_s = SILENCE_S;
	} else {
		snprintf(url, sizeof(url),
			 "%s/api/v1/pods?fieldSelector=spec.nodeName%%3D%s&resourceVersion=0",
			 config->api, config->node);
		request.timeout_ms = 30000;
	}
	request.url = url;
	podlist_init(&watch->list, &sink);
	watch->bytes = 0;
	err = fetch_start(watch->env.fetcher, &request, &watch->fetch);
	if (!err)
		return;
	snprintf(why, sizeof(why), "it cannot be asked: %s", strerror(-err));
	fail(watch, why);
}

static void on_timer(void *arg)
{
	struct watch *watch = arg;

	(void)loop_arm(watch->timer, 0);
	if (!watch->fetch)
		ask(watch);
}

/* Nothing to do: the watch delivers everything. */
static void watch_want(void *source, const char *container, const char *uid)
{
}

static void watch_stop(void *source)
{
	struct watch *watch = source;

	fetch_cancel(watch->fetch);
	loop_remove(watch->timer);
	free(watch);
}

static int watch_start(const struct source_env *env, void **ret)
{
	struct watch *watch;
	int err;

	if (!env->config->api || !*env->config->api || !env->fetcher || !env->config->node ||
	    !podlist_is_name(env->config->node, WHO_NAME_LEN))
		return -ENODEV;
	watch = calloc(1, sizeof(*watch));
	if (!watch)
		return -ENOMEM;
	watch->env = *env;
	err = loop_add_timer(env->loop, AGAIN_NS, on_timer, watch, &watch->timer);
	if (!err)
		err = loop_arm(watch->timer, 0);
	if (err) {
		watch_stop(watch);
		return err;
	}
	ask(watch);
	*ret = watch;
	return 0;
}

const struct source source_watch = {
	.name = "API server",
	.start = watch_start,
	.want = watch_want,
	.stop = watch_stop,
};

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kubelet's own list of its pods: GET /pods on its port, with a service account's token. It needs a right
 * on this node only (nodes/proxy, or nodes/pods if the kubelet has fine-grained authorisation), and knows a pod
 * before its sandbox is created. It is asked for ids without a name, at most once in NAMES_ASK_NS, and
 * otherwise once in REFRESH_NS for changes.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/loop.h"
#include "names/podlist.h"
#include "names/source.h"

#define REFRESH_NS (60 * NS_PER_S)

struct kubelet {
	struct source_env env;
	struct loop_source *timer;
	struct fetch *fetch;
	struct podlist list;
	size_t bytes;
	uint64_t started_ns;
	unsigned failures;
	bool is_wanted; /* a name was asked for while a request was in progress */
};

static void on_pod(void *arg, const struct who_pod *pod, const struct who_container *containers,
		   size_t n_containers, bool is_deleted)
{
	const struct kubelet *kubelet = arg;

	source_learn(&kubelet->env, pod, containers, n_containers);
}

static bool on_piece(void *arg, const char *bytes, size_t len)
{
	struct kubelet *kubelet = arg;

	kubelet->bytes += len;
	return kubelet->bytes <= SOURCE_BYTES_MAX && podlist_feed(&kubelet->list, bytes, len);
}

static void on_done(void *arg, const struct fetch_answer *answer)
{
	struct kubelet *kubelet = arg;
	uint64_t wait_ns = kubelet->is_wanted ? NAMES_ASK_NS : REFRESH_NS;
	char why[256];

	kubelet->fetch = NULL;
	kubelet->is_wanted = false;
	if (!answer->err && answer->status == 200 && podlist_end(&kubelet->list)) {
		kubelet->failures = 0;
		source_state(&kubelet->env, &source_kubelet, NULL);
	} else {
		if (answer->status == 200)
			snprintf(why, sizeof(why), "its list of pods cannot be read");
		else
			source_why(answer, "get nodes/proxy", why, sizeof(why));
		wait_ns = source_retry_ns(++kubelet->failures);
		source_state(&kubelet->env, &source_kubelet, why);
	}
	(void)loop_arm(kubelet->timer, wait_ns);
}

static void ask(struct kubelet *kubelet)
{
	const struct names_config *config = kubelet->env.config;
	const struct podlist_sink sink = { .pod = on_pod, .arg = kubelet };
	struct fetch_request request = {
		.bearer_file = config->token,
		.tls = { .ca_file = config->kubelet_ca ? config->kubelet_ca : config->ca,
			 .is_insecure = config->kubelet_insecure },
		.timeout_ms = 10000,
		.piece = on_piece,
		.done = on_done,
		.arg = kubelet,
	};
	char url[512], why[256];
	int err;

	snprintf(url, sizeof(url), "%s/pods", config->kubelet);
	request.url = url;
	podlist_init(&kubelet->list, &sink);
	kubelet->bytes = 0;
	kubelet->started_ns = clock_mono_ns();
	err = fetch_start(kubelet->env.fetcher, &request, &kubelet->fetch);
	if (!err)
		return;
	snprintf(why, sizeof(why), "it cannot be asked: %s", strerror(-err));
	source_state(&kubelet->env, &source_kubelet, why);
	(void)loop_arm(kubelet->timer, source_retry_ns(++kubelet->failures));
}

static void on_timer(void *arg)
{
	struct kubelet *kubelet = arg;

	/* If the watch works, it reports each change. */
	if (!kubelet->failures && kubelet->env.hooks->works(kubelet->env.names, &source_watch))
		(void)loop_arm(kubelet->timer, REFRESH_NS);
	else if (!kubelet->fetch)
		ask(kubelet);
}

static void kubelet_want(void *source, const char *container, const char *uid)
{
	struct kubelet *kubelet = source;
	uint64_t age_ns = clock_mono_ns() - kubelet->started_ns;

	if (kubelet->fetch) {
		kubelet->is_wanted = true;
		return;
	}
	if (kubelet->failures)
		return;
	if (age_ns >= NAMES_ASK_NS)
		ask(kubelet);
	else
		(void)loop_arm(kubelet->timer, NAMES_ASK_NS - age_ns);
}

static void kubelet_stop(void *source)
{
	struct kubelet *kubelet = source;

	fetch_cancel(kubelet->fetch);
	loop_remove(kubelet->timer);
	free(kubelet);
}

static int kubelet_start(const struct source_env *env, void **ret)
{
	struct kubelet *kubelet;
	int err;

	if (!env->config->kubelet || !*env->config->kubelet || !env->fetcher)
		return -ENODEV;
	kubelet = calloc(1, sizeof(*kubelet));
	if (!kubelet)
		return -ENOMEM;
	kubelet->env = *env;
	err = loop_add_timer(env->loop, REFRESH_NS, on_timer, kubelet, &kubelet->timer);
	if (err) {
		free(kubelet);
		return err;
	}
	ask(kubelet);
	*ret = kubelet;
	return 0;
}

const struct source source_kubelet = {
	.name = "kubelet",
	.start = kubelet_start,
	.want = kubelet_want,
	.stop = kubelet_stop,
};

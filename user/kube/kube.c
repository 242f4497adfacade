/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/kube.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "kube/events.h"

/* Where a pod has its service account: kubernetes.io, "Accessing the Kubernetes API from a Pod". */
#define ACCOUNT      "/var/run/secrets/kubernetes.io/serviceaccount/"
#define KUBELET_PORT 10250

struct pending {
	char uid[WHO_UID_LEN]; /* a pod's, if container.id is empty */
	struct who_container container;
};

struct kube {
	struct kube_options options;
	struct names_config config; /* with what the environment added */
	struct names *names;
	struct events *events; /* NULL: none are sent */
	struct pending *pending;
	size_t n_pending;
	struct loop_source *timer;
	struct annotations *annotations;
	bool is_armed, must_rebuild, must_annotate;
	uint64_t rebuilt_ns;
};

struct names *kube_names(struct kube *kube)
{
	return kube->names;
}

/* ---- late names ---- */

static void arm(struct kube *kube, uint64_t after_ns)
{
	if (!kube->is_armed)
		kube->is_armed = !loop_arm(kube->timer, after_ns);
}

static bool has_text(const char *text)
{
	return text && *text;
}

/* Whether it matters to any budget what a pod is called. */
static bool look_at_names(const struct policy_rules *rules)
{
	for (size_t i = 0; i < rules->n_budgets; i++) {
		const struct policy_budget *budget = &rules->budgets[i];
		const struct policy_match *match = &budget->match;

		if (budget->per == POLICY_PER_NAMESPACE || budget->per == POLICY_PER_WORKLOAD ||
		    budget->per == POLICY_PER_POD || budget->per == POLICY_PER_CONTAINER ||
		    has_text(match->namespace) || has_text(match->workload) ||
		    has_text(match->pod) || has_text(match->container) || match->n_labels)
			return true;
	}
	return false;
}

/* Returns how many subjects of the ledger were given names, or -errno. */
static int write_name(struct kube *kube, const struct pending *pending)
{
	const struct who_pod *pod;

	if (pending->container.id[0])
		return ledger_name_container(kube->options.ledger, &pending->container);
	pod = names_pod(kube->names, pending->uid);
	return pod ? ledger_name_pod(kube->options.ledger, pod) : 0;
}

static void write_names(struct kube *kube)
{
	size_t done = 0;
	int err = 0, changed = 0;

	for (; done < kube->n_pending && err >= 0; done += err >= 0) {
		err = write_name(kube, &kube->pending[done]);
		changed += err > 0 ? err : 0;
	}
	kube->n_pending -= done;
	memmove(kube->pending, kube->pending + done, kube->n_pending * sizeof(*kube->pending));
	if (err < 0) {
		log_debug("names cannot be written to the ledger: %s", strerror(-err));
		arm(kube, NS_PER_S);
	}
	kube->must_rebuild |= changed && look_at_names(kube->options.rules);
}

static void on_timer(void *arg)
{
	struct kube *kube = arg;
	uint64_t age_ns;

	kube->is_armed = false;
	write_names(kube);
	if (!kube->must_rebuild && !kube->must_annotate)
		return;
	age_ns = clock_mono_ns() - kube->rebuilt_ns;
	if (kube->rebuilt_ns && age_ns < KUBE_REBUILD_NS)
		return arm(kube, KUBE_REBUILD_NS - age_ns);
	kube->rebuilt_ns = clock_mono_ns();
	/* The sums of new rules are rebuilt from the ledger as well. */
	if (kube->must_annotate)
		kube->options.annotated(kube->options.arg);
	else
		kube->options.rebuild(kube->options.arg);
	kube->must_rebuild = kube->must_annotate = false;
}

static void add_pending(struct kube *kube, const struct pending *new)
{
	for (size_t i = 0; i < kube->n_pending; i++)
		if (!strcmp(kube->pending[i].uid, new->uid) &&
		    !strcmp(kube->pending[i].container.id, new->container.id)) {
			kube->pending[i] = *new;
			return;
		}
	/*
	 * If this is full because the disk accepts no writes, the forgotten ones get their names with their
	 * next calls.
	 */
	if (kube->n_pending < KUBE_PENDING)
		kube->pending[kube->n_pending++] = *new;
	arm(kube, KUBE_NAME_NS);
}

void kube_action(struct kube *kube, const struct ledger_action *action)
{
	const struct who_pod *pod = kube->events && has_text(action->pod_uid) ?
					    names_pod(kube->names, action->pod_uid) :
					    NULL;

	if (pod)
		events_tell(kube->events, pod, action);
}

/* Reports from the sources. */

static void on_named(void *arg, const struct who_pod *pod, const struct who_container *container)
{
	struct pending pending = { 0 };
	struct kube *kube = arg;

	if (pod)
		kube->must_annotate |= annotations_pod(kube->annotations, pod);
	if (container)
		pending.container = *container;
	else if (pod)
		memcpy(pending.uid, pod->uid, sizeof(pending.uid));
	add_pending(kube, &pending);
}

static void on_namespace(void *arg, const char *name, const struct who_wish *wish)
{
	struct kube *kube = arg;

	if (!annotations_namespace(kube->annotations, name, wish))
		return;
	kube->must_annotate = true;
	arm(kube, KUBE_NAME_NS);
}

int kube_annotate(struct kube *kube, const struct annotations_config *config,
		  struct policy_rules *rules)
{
	return annotations_add(kube->annotations, config, rules);
}

const struct annotations *kube_annotations(const struct kube *kube)
{
	return kube->annotations;
}

static void on_source(void *arg, const char *name, const char *error)
{
	struct kube *kube = arg;

	if (error)
		log_warn("names of pods: %s: %s; proceeding with what the other sources tell", name,
			 error);
	else
		log_info("names of pods: %s works", name);
	if (kube->options.changed)
		kube->options.changed(kube->options.arg);
}

/* ---- configuration ---- */

static bool set(char **field, const char *format, ...) __attribute__((format(printf, 2, 3)));
static bool set(char **field, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vasprintf(field, format, args);
	va_end(args);
	if (n < 0)
		*field = NULL;
	return n >= 0;
}

/* An IPv6 address is written in brackets in a URL. */
static bool set_url(char **field, const char *host, const char *port)
{
	bool is_v6 = strchr(host, ':');

	return set(field, "https://%s%s%s:%s", is_v6 ? "[" : "", host, is_v6 ? "]" : "", port);
}

/* Defaults for what is not configured, as in a pod: the service account's files and the environment. */
static bool fill(struct names_config *config)
{
	const char *host = getenv("KUBERNETES_SERVICE_HOST"),
		   *port = getenv("KUBERNETES_SERVICE_PORT");
	const char *address = getenv("NODE_IP");
	char kubelet_port[16];
	bool ok = true;

	snprintf(kubelet_port, sizeof(kubelet_port), "%d", KUBELET_PORT);
	if (!config->api && has_text(host) && has_text(port))
		ok &= set_url(&config->api, host, port);
	if (!config->kubelet && has_text(host) && has_text(address))
		ok &= set_url(&config->kubelet, address, kubelet_port);
	if (!config->token && (has_text(config->api) || has_text(config->kubelet)))
		ok &= set(&config->token, ACCOUNT "token");
	if (!config->ca && (has_text(config->api) || has_text(config->kubelet)))
		ok &= set(&config->ca, ACCOUNT "ca.crt");
	return ok;
}

static char *copy(const char *text, bool *ok)
{
	char *copy = text ? strdup(text) : NULL;

	*ok &= copy || !text;
	return copy;
}

static bool read_config(struct names_config *to, const struct names_config *from, const char *node)
{
	bool ok = true;

	*to = *from;
	to->root = copy(from->root, &ok);
	to->node = copy(node, &ok);
	to->kubelet = copy(from->kubelet, &ok);
	to->kubelet_ca = copy(from->kubelet_ca, &ok);
	to->api = copy(from->api, &ok);
	to->token = copy(from->token, &ok);
	to->ca = copy(from->ca, &ok);
	return ok && fill(to);
}

int kube_new(struct kube **ret, const struct kube_options *options)
{
	struct names_told told = { .named = on_named,
				   .source = on_source,
				   .namespace = on_namespace };
	struct kube *kube = calloc(1, sizeof(*kube));
	int err = -ENOMEM;

	if (!kube)
		return -ENOMEM;
	kube->options = *options;
	told.arg = kube;
	kube->pending = calloc(KUBE_PENDING, sizeof(*kube->pending));
	kube->annotations = annotations_new();
	if (kube->annotations &&
	    read_config(&kube->config, &options->config->names, options->node) && kube->pending)
		err = loop_add_timer(options->loop, KUBE_NAME_NS, on_timer, kube, &kube->timer);
	if (!err)
		err = loop_arm(kube->timer, 0);
	kube->config.namespaces = options->namespaces;
	if (!err)
		err = names_new(&kube->names, options->loop, options->fetcher, &kube->config, &told);
	if (!err && has_text(kube->config.api) && !options->config->without_events)
		err = events_new(&kube->events, options->loop, options->fetcher, &kube->config);
	if (err) {
		kube_free(kube);
		return err;
	}
	who_use_names(options->who, kube->names);
	*ret = kube;
	return 0;
}

struct kube *kube_free(struct kube *kube)
{
	if (!kube)
		return NULL;
	if (kube->names && kube->pending) {
		who_use_names(kube->options.who, NULL);
		write_names(kube);
	}
	events_free(kube->events);
	names_free(kube->names);
	loop_remove(kube->timer);
	free(kube->pending);
	annotations_free(kube->annotations);
	names_config_done(&kube->config);
	free(kube);
	return NULL;
}

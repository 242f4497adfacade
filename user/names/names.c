/* SPDX-License-Identifier: Apache-2.0 */
#include "names/names.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/loop.h"
#include "names/source.h"

/* Sources that answer at once come first: what they know need not be asked of the others. */
static const struct source *const sources[] = {
	&source_runtime, &source_logs, &source_kubelet, &source_watch, &source_namespaces,
};
#define SOURCES ARRAY_SIZE(sources)

#define RETRY_NS (3 * NS_PER_S)   /* a source that was not available is tried again */
#define SEEN_NS  (50 * NS_PER_MS) /* pods that start together are asked for together */
#define WHY_LEN  256

/* An id that was asked for, so that it is not asked for again at each of its events. */
struct wanted {
	UT_hash_handle hh; /* in the order of the requests */
	uint64_t next_ns, wait_ns;
	char id[WHO_ID_LEN];
};

struct names {
	struct source_env env;
	struct names_told told;
	struct pods *pods;
	struct wanted *wanted;
	struct loop_source *seen;
	bool is_seen_armed;
	uint64_t retry_ns, changes;
	struct {
		void *source; /* NULL: it is not started */
		bool is_set_up, works, is_told;
		char why[WHY_LEN];
	} states[SOURCES];
};

void names_config_done(struct names_config *config)
{
	free(config->root);
	free(config->node);
	free(config->kubelet);
	free(config->kubelet_ca);
	free(config->api);
	free(config->token);
	free(config->ca);
	*config = (struct names_config){ 0 };
}

static void set_state(struct names *names, const struct source *source, const char *why)
{
	for (size_t i = 0; i < SOURCES; i++) {
		bool is_up = !why;

		if (sources[i] != source)
			continue;
		names->states[i].is_set_up = true;
		if (names->states[i].is_told && names->states[i].works == is_up &&
		    !strcmp(names->states[i].why, why ? why : ""))
			continue;
		names->states[i].is_told = true;
		names->states[i].works = is_up;
		snprintf(names->states[i].why, WHY_LEN, "%s", why ? why : "");
		if (names->told.source)
			names->told.source(names->told.arg, source->name,
					   is_up ? NULL : names->states[i].why);
	}
}

static bool works(const struct names *names, const struct source *source)
{
	for (size_t i = 0; i < SOURCES; i++)
		if (sources[i] == source)
			return names->states[i].works;
	return false;
}

static void tell_namespace(struct names *names, const char *name, const struct who_wish *wish)
{
	if (names->told.namespace)
		names->told.namespace(names->told.arg, name, wish);
}

static void start_sources(struct names *names)
{
	names->retry_ns = clock_mono_ns() + RETRY_NS;
	for (size_t i = 0; i < SOURCES; i++) {
		int err = names->states[i].source ?
				  -EALREADY :
				  sources[i]->start(&names->env, &names->states[i].source);

		if (err && err != -ENODEV && err != -EALREADY)
			set_state(names, sources[i], strerror(-err));
	}
}

static void ask(struct names *names, const char *container, const char *uid)
{
	if (clock_mono_ns() >= names->retry_ns)
		start_sources(names);
	for (size_t i = 0; i < SOURCES; i++)
		if (names->states[i].source)
			sources[i]->want(names->states[i].source, container, uid);
}

/* True if the id may be asked for (again) now. */
static bool may_ask(struct names *names, const char *id)
{
	uint64_t now_ns = clock_mono_ns();
	struct wanted *wanted;

	HASH_FIND_STR(names->wanted, id, wanted);
	if (wanted) {
		if (now_ns < wanted->next_ns)
			return false;
		wanted->wait_ns = wanted->wait_ns * 2 < NAMES_ASK_MAX_NS ? wanted->wait_ns * 2 :
									   NAMES_ASK_MAX_NS;
		wanted->next_ns = now_ns + wanted->wait_ns;
		return true;
	}
	if (HASH_COUNT(names->wanted) >= NAMES_WANTED) {
		wanted = names->wanted;
		HASH_DEL(names->wanted, wanted);
		free(wanted);
	}
	wanted = calloc(1, sizeof(*wanted));
	if (!wanted)
		return true;
	snprintf(wanted->id, sizeof(wanted->id), "%s", id);
	/* The first try may come before the source knows the id. */
	wanted->wait_ns = NAMES_ASK_NS / 10;
	wanted->next_ns = now_ns + wanted->wait_ns;
	HASH_ADD_STR(names->wanted, id, wanted);
	if (!wanted->hh.tbl)
		free(wanted);
	return true;
}

static void copy_names(struct names *names, const struct names_fields *to, enum pods_rank *rank,
		       bool *has_container)
{
	const struct who_container *container =
		to->container[0] ? pods_find_container(names->pods, to->container) : NULL;
	const struct who_pod *pod = NULL;

	*has_container = container || !to->container[0];
	if (container) {
		memcpy(*to->container_name, container->name, sizeof(*to->container_name));
		memcpy(*to->image, container->image, sizeof(*to->image));
	}
	/* A Docker container outside a pod's cgroup path may still belong to a pod. */
	if (container && !*to->pod_uid[0])
		memcpy(*to->pod_uid, container->pod_uid, sizeof(*to->pod_uid));
	*rank = PODS_OBJECT;
	if (!*to->pod_uid[0] && container && container->workload[0]) {
		memcpy(*to->namespace, container->namespace, sizeof(*to->namespace));
		memcpy(*to->workload, container->workload, sizeof(*to->workload));
	}
	if (!*to->pod_uid[0])
		return;
	pod = pods_find(names->pods, *to->pod_uid, rank);
	if (!pod) {
		*rank = PODS_PATHS;
		return;
	}
	memcpy(*to->namespace, pod->namespace, sizeof(*to->namespace));
	memcpy(*to->pod, pod->name, sizeof(*to->pod));
	memcpy(*to->workload, pod->workload, sizeof(*to->workload));
	memcpy(*to->labels, pod->labels, sizeof(*to->labels));
}

bool names_fill(struct names *names, const struct names_fields *fields)
{
	bool has_container, wants_container, wants_pod;
	enum pods_rank rank;

	copy_names(names, fields, &rank, &has_container);
	if (has_container && rank >= PODS_OBJECT)
		return true;
	wants_container = !has_container && may_ask(names, fields->container);
	wants_pod = rank < PODS_OBJECT && may_ask(names, *fields->pod_uid);
	if (!wants_container && !wants_pod)
		return false;
	ask(names, fields->container, *fields->pod_uid);
	copy_names(names, fields, &rank, &has_container);
	return has_container && rank >= PODS_OBJECT;
}

uint64_t names_changes(const struct names *names)
{
	return names->changes;
}

const struct who_pod *names_pod(struct names *names, const char *uid)
{
	return pods_find(names->pods, uid, NULL);
}

void names_each_source(const struct names *names,
		       void (*fn)(void *arg, const char *name, bool works, const char *why),
		       void *arg)
{
	for (size_t i = 0; i < SOURCES; i++)
		if (names->states[i].source || names->states[i].is_set_up)
			fn(arg, sources[i]->name,
			   names->states[i].source && !names->states[i].why[0],
			   names->states[i].why);
}

static void seen(struct names *names, const char *uid)
{
	enum pods_rank rank;
	const struct who_pod *pod = pods_find(names->pods, uid, &rank);

	if (pod && rank >= PODS_OBJECT)
		return;
	if (!names->is_seen_armed && names->seen)
		names->is_seen_armed = !loop_arm(names->seen, SEEN_NS);
}

static void on_seen(void *arg)
{
	struct names *names = arg;

	names->is_seen_armed = false;
	ask(names, "", "");
}

static void on_changed(void *arg, const struct who_pod *pod, const struct who_container *container)
{
	struct names *names = arg;

	names->changes++;
	if (names->told.named)
		names->told.named(names->told.arg, pod, container);
}

static const struct source_hooks hooks = {
	.state = set_state,
	.works = works,
	.seen = seen,
	.namespace = tell_namespace,
};

int names_new(struct names **ret, struct loop *loop, struct fetcher *fetcher,
	      const struct names_config *config, const struct names_told *told)
{
	struct names *names = calloc(1, sizeof(*names));
	int err = -ENOMEM;

	if (!names)
		return -ENOMEM;
	names->told = *told;
	names->pods = pods_new(on_changed, names);
	if (names->pods)
		err = loop_add_timer(loop, NAMES_ASK_NS, on_seen, names, &names->seen);
	if (!err)
		err = loop_arm(names->seen, 0);
	if (err) {
		names_free(names);
		return err;
	}
	names->env = (struct source_env){ .hooks = &hooks,
					  .names = names,
					  .pods = names->pods,
					  .loop = loop,
					  .fetcher = fetcher,
					  .config = config };
	start_sources(names);
	*ret = names;
	return 0;
}

struct names *names_free(struct names *names)
{
	struct wanted *wanted, *next;

	if (!names)
		return NULL;
	for (size_t i = 0; i < SOURCES; i++)
		if (names->states[i].source)
			sources[i]->stop(names->states[i].source);
	HASH_ITER(hh, names->wanted, wanted, next) {
		HASH_DEL(names->wanted, wanted);
		free(wanted);
	}
	loop_remove(names->seen);
	pods_free(names->pods);
	free(names);
	return NULL;
}

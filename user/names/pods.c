/* SPDX-License-Identifier: Apache-2.0 */
#include "names/pods.h"

#include <string.h>

#include "base/hash.h"

struct pod {
	struct who_pod is;
	enum pods_rank rank;
	UT_hash_handle hh;      /* by uid, in the order of last use */
	UT_hash_handle by_hash; /* static pods: by config hash */
};

struct container {
	struct who_container is;
	enum pods_rank rank;
	UT_hash_handle hh; /* in the order of last use */
};

struct pods {
	struct pod *pods, *statics;
	struct container *containers;
	void (*changed)(void *arg, const struct who_pod *pod, const struct who_container *container);
	void *arg;
};

struct pods *pods_new(void (*changed)(void *arg, const struct who_pod *pod,
				      const struct who_container *container),
		      void *arg)
{
	struct pods *pods = calloc(1, sizeof(*pods));

	if (!pods)
		return NULL;
	pods->changed = changed;
	pods->arg = arg;
	return pods;
}

static void drop(struct pods *pods, struct pod *pod)
{
	if (pod->is.hash[0])
		HASH_DELETE(by_hash, pods->statics, pod);
	HASH_DEL(pods->pods, pod);
	free(pod);
}

struct pods *pods_free(struct pods *pods)
{
	struct container *container, *after;
	struct pod *pod, *next;

	if (!pods)
		return NULL;
	HASH_ITER(hh, pods->pods, pod, next)
		drop(pods, pod);
	HASH_ITER(hh, pods->containers, container, after) {
		HASH_DEL(pods->containers, container);
		free(container);
	}
	free(pods);
	return NULL;
}

static struct pod *look_up(struct pods *pods, const char *uid)
{
	struct pod *pod;

	HASH_FIND_STR(pods->pods, uid, pod);
	if (!pod)
		HASH_FIND(by_hash, pods->statics, uid, strlen(uid), pod);
	return pod;
}

/* Marks it as used most recently. */
static void touch(struct pods *pods, struct pod *pod)
{
	HASH_TOUCH(hh, pods->pods, pod);
}

static struct pod *add(struct pods *pods, const char *uid)
{
	struct pod *pod;

	if (HASH_COUNT(pods->pods) >= PODS_MAX)
		drop(pods, pods->pods);
	pod = calloc(1, sizeof(*pod));
	if (!pod)
		return NULL;
	memcpy(pod->is.uid, uid, sizeof(pod->is.uid));
	HASH_ADD_STR(pods->pods, is.uid, pod);
	if (pod->hh.tbl)
		return pod;
	free(pod);
	return NULL;
}

/* Whether a source of this rank may set a field. */
static bool takes(const struct pod *pod, enum pods_rank rank, const char *field, const char *text)
{
	if (rank < pod->rank)
		return !*field && *text;
	return *text || rank >= PODS_OBJECT;
}

static bool take_text(const struct pod *pod, enum pods_rank rank, char *field, size_t size,
		      const char *text)
{
	if (!takes(pod, rank, field, text) || !strcmp(field, text))
		return false;
	memset(field, 0, size);
	memcpy(field, text, strnlen(text, size - 1));
	return true;
}

#define TAKE(field) take_text(pod, rank, pod->is.field, sizeof(pod->is.field), from->field)

static bool take_all(struct pod *pod, const struct who_pod *from, enum pods_rank rank)
{
	bool changed = TAKE(namespace);

	changed |= TAKE(name);
	changed |= TAKE(workload);
	changed |= TAKE(labels);
	changed |= TAKE(wish.budget);
	changed |= TAKE(wish.mode);
	(void)TAKE(owner);
	(void)TAKE(service_account);
	(void)TAKE(node);
	if (rank >= pod->rank)
		pod->is.on_host_network = from->on_host_network;
	if (rank > pod->rank)
		pod->rank = rank;
	return changed;
}

/* NULL: out of memory, and the pod is forgotten. */
static struct pod *rename_pod(struct pods *pods, struct pod *pod, const char *uid)
{
	HASH_DEL(pods->pods, pod);
	memcpy(pod->is.uid, uid, sizeof(pod->is.uid));
	HASH_ADD_STR(pods->pods, is.uid, pod);
	if (pod->hh.tbl)
		return pod;
	if (pod->is.hash[0])
		HASH_DELETE(by_hash, pods->statics, pod);
	free(pod);
	return NULL;
}

/*
 * A static pod is identified by its hash in paths and at the kubelet. Its mirror at the API server has a
 * different uid, which takes over the entry.
 */
static struct pod *get(struct pods *pods, const struct who_pod *from)
{
	struct pod *pod = look_up(pods, from->uid);

	if (!pod && from->hash[0]) {
		pod = look_up(pods, from->hash);
		if (pod)
			pod = rename_pod(pods, pod, from->uid);
	}
	if (!pod)
		pod = add(pods, from->uid);
	if (pod && from->hash[0] && !pod->is.hash[0]) {
		struct pod *other;

		HASH_FIND(by_hash, pods->statics, from->hash, strlen(from->hash), other);
		if (!other) {
			memcpy(pod->is.hash, from->hash, sizeof(pod->is.hash));
			HASH_ADD(by_hash, pods->statics, is.hash, strlen(pod->is.hash), pod);
			if (!pod->by_hash.tbl)
				pod->is.hash[0] = '\0';
		}
	}
	return pod;
}

void pods_learn(struct pods *pods, const struct who_pod *from, enum pods_rank rank)
{
	struct pod *pod = from->uid[0] ? get(pods, from) : NULL;

	if (pod && take_all(pod, from, rank) && pods->changed)
		pods->changed(pods->arg, &pod->is, NULL);
}

void pods_learn_container(struct pods *pods, const struct who_container *from, enum pods_rank rank)
{
	struct container *container;
	char image[WHO_NAME_LEN];
	bool changed;

	if (!from->id[0] || !from->name[0])
		return;
	HASH_FIND_STR(pods->containers, from->id, container);
	if (container && rank < container->rank)
		return;
	if (!container) {
		if (HASH_COUNT(pods->containers) >= PODS_CONTAINERS_MAX) {
			container = pods->containers;
			HASH_DEL(pods->containers, container);
			free(container);
		}
		container = calloc(1, sizeof(*container));
		if (!container)
			return;
		memcpy(container->is.id, from->id, sizeof(container->is.id));
		HASH_ADD_STR(pods->containers, is.id, container);
		if (!container->hh.tbl) {
			free(container);
			return;
		}
	}
	changed = strcmp(container->is.name, from->name) != 0 ||
		  (from->image[0] && strcmp(container->is.image, from->image) != 0) ||
		  strcmp(container->is.namespace, from->namespace) != 0 ||
		  strcmp(container->is.workload, from->workload) != 0;
	container->rank = rank;
	memcpy(image, from->image[0] ? from->image : container->is.image, sizeof(image));
	container->is = *from;
	memcpy(container->is.image, image, sizeof(image));
	if (changed && pods->changed)
		pods->changed(pods->arg, NULL, &container->is);
}

const struct who_pod *pods_find(struct pods *pods, const char *uid, enum pods_rank *ret_rank)
{
	struct pod *pod = look_up(pods, uid);

	if (!pod)
		return NULL;
	touch(pods, pod);
	if (ret_rank)
		*ret_rank = pod->rank;
	return &pod->is;
}

const struct who_container *pods_find_container(struct pods *pods, const char *id)
{
	struct container *container;

	HASH_FIND_STR(pods->containers, id, container);
	if (!container)
		return NULL;
	HASH_TOUCH(hh, pods->containers, container);
	return &container->is;
}

void pods_each(const struct pods *pods, enum pods_rank rank,
	       void (*fn)(void *arg, const struct who_pod *pod), void *arg)
{
	for (const struct pod *pod = pods->pods; pod; pod = pod->hh.next)
		if (pod->rank >= rank)
			fn(arg, &pod->is);
}

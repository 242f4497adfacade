/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is known of pods and their containers, from all sources. Sources differ in what they know and answer in
 * any order, so each fact has a rank: a better source overwrites it, a lesser one only fills what is empty.
 * Names outlive their pods; the least recently used is evicted first.
 */
#ifndef NAMES_PODS_H
#define NAMES_PODS_H

#include "names/pod.h"

#define PODS_MAX            4096  /* the least recently used is evicted first; 3.6 kB each */
#define PODS_CONTAINERS_MAX 16384 /* likewise; 1.2 kB each */

/* How much a source knows, in rising order. */
enum pods_rank {
	PODS_PATHS,   /* names of files: namespace, pod, container */
	PODS_RUNTIME, /* the container runtime's own state: the same, and some labels */
	PODS_OBJECT,  /* the whole object, of the kubelet or the API server */
};

struct pods;

/* `changed` is called when the name of a pod or a container becomes known or changes; it may be NULL. */
struct pods *pods_new(void (*changed)(void *arg, const struct who_pod *pod,
				      const struct who_container *container),
		      void *arg);
struct pods *pods_free(struct pods *pods);

/*
 * Learns facts about a pod, which is found by its uid and, if it has one, by its config hash (static pods). An
 * empty field is unknown, except for PODS_OBJECT, which knows all fields.
 */
void pods_learn(struct pods *pods, const struct who_pod *pod, enum pods_rank rank);
/* Learns the pod and the name of a container. */
void pods_learn_container(struct pods *pods, const struct who_container *container,
			  enum pods_rank rank);

/* NULL: unknown. Valid until something is learned. */
const struct who_pod *pods_find(struct pods *pods, const char *uid, enum pods_rank *ret_rank);
const struct who_container *pods_find_container(struct pods *pods, const char *id);
/* Every pod of at least that rank; fn must not learn. */
void pods_each(const struct pods *pods, enum pods_rank rank,
	       void (*fn)(void *arg, const struct who_pod *pod), void *arg);

#endif

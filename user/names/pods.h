/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is known of pods and their containers, whoever told it. Sources know different amounts and
 * answer in any order, so each fact has a rank: a better source overwrites, a lesser one only fills
 * what is empty. Names outlive their pod: the least recently used goes first.
 */
#ifndef NAMES_PODS_H
#define NAMES_PODS_H

#include "names/pod.h"

#define PODS_MAX            4096  /* least recently used goes first; 3.6 kB each */
#define PODS_CONTAINERS_MAX 16384 /* likewise; 0.3 kB each */

/* How much a source knows, rising. */
enum pods_rank {
	PODS_PATHS,   /* names of files: namespace, pod, container */
	PODS_RUNTIME, /* the container runtime's own state: the same, and some labels */
	PODS_OBJECT,  /* the pod as the kubelet or the API server has it: everything */
};

struct pods;

/* `changed` is called when a pod or a container has got a name, or another one; may be NULL. */
struct pods *pods_new(void (*changed)(void *arg, const struct who_pod *pod,
				      const struct who_container *container),
		      void *arg);
struct pods *pods_free(struct pods *pods);

/*
 * A fact about a pod, found again by its uid and, if it has one, its config hash (static pods).
 * An empty field is not known; of PODS_OBJECT all fields are, so an empty one is empty.
 */
void pods_learn(struct pods *pods, const struct who_pod *pod, enum pods_rank rank);
/* A container's pod and name. */
void pods_learn_container(struct pods *pods, const struct who_container *container,
			  enum pods_rank rank);

/* NULL: nobody told. Valid until something is learned. */
const struct who_pod *pods_find(struct pods *pods, const char *uid, enum pods_rank *ret_rank);
const struct who_container *pods_find_container(struct pods *pods, const char *id);
/* Every pod of at least that rank; fn must not learn. */
void pods_each(const struct pods *pods, enum pods_rank rank,
	       void (*fn)(void *arg, const struct who_pod *pod), void *arg);

#endif

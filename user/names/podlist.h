/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads pods from JSON as it arrives: a PodList (of the kubelet or the API server), the events of a watch, a
 * single object, or the Status of a server that refuses. One pod is held at a time, whatever the length of the
 * list; other fields are skipped. Other objects (Namespace, ReplicaSet, Job) have the same metadata and are
 * read as pods without a namespace or a node.
 */
#ifndef NAMES_PODLIST_H
#define NAMES_PODLIST_H

#include "base/json.h"
#include "names/pod.h"

#define PODLIST_CONTAINERS  64 /* of one pod, of all kinds together; other sources find the rest */
#define PODLIST_VERSION_LEN 64

struct podlist_sink {
	/* A pod with its containers (which have its uid). is_deleted: a watch reports its deletion. */
	void (*pod)(void *arg, const struct who_pod *pod, const struct who_container *containers,
		    size_t n_containers, bool is_deleted);
	void *arg;
};

/* Set up by podlist_init() and not moved after. */
struct podlist {
	struct json_scan scan;
	struct json_sink values;
	struct podlist_sink sink;
	struct who_pod pod;
	char template_hash[WHO_NAME_LEN];
	char owner_kind[64], owner_name[WHO_NAME_LEN]; /* of the controller */
	char ref_kind[64], ref_name[WHO_NAME_LEN];     /* of the reference being read */
	bool ref_is_controller;
	struct who_container containers[PODLIST_CONTAINERS], container;
	size_t n_containers;
	size_t pods; /* reported so far */
	bool is_object, has_value, is_whole;
	/* results */
	char version[PODLIST_VERSION_LEN]; /* resourceVersion of the list, or of the last event */
	char kind[64];                     /* of the outermost object: "PodList" */
	char type[16];                     /* of the event being read */
	unsigned code;                     /* of a Status: 403, 410; 0: none was read */
};

void podlist_init(struct podlist *list, const struct podlist_sink *sink);
/* The same for a single object, which podlist_end() reports. */
void podlist_init_object(struct podlist *list, const struct podlist_sink *sink);
/* Ends the input. False: it ended in the middle of an object. */
bool podlist_end(struct podlist *list);
/* Takes the next bytes, which may be cut anywhere. False: they are not JSON, and the rest is not read. */
bool podlist_feed(struct podlist *list, const void *bytes, size_t len);

/*
 * Letters, digits and -._/: within `size`; the characters that Kubernetes allows in names, kinds and label
 * values.
 */
/* "registry.example/team/web:1.2" of an image's name, which may have a digest; left alone if it has nothing else. */
void podlist_take_image(char field[WHO_NAME_LEN], const char *text);
bool podlist_is_name(const char *text, size_t size);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#include "names/podlist.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "names/workload.h"

enum want {
	WANT_KIND = 1,
	WANT_VERSION,
	WANT_TYPE,
	WANT_CODE,
	WANT_POD,
	WANT_UID,
	WANT_NAME,
	WANT_NAMESPACE,
	WANT_LABEL,
	WANT_ANNOTATION,
	WANT_OWNER,
	WANT_OWNER_KIND,
	WANT_OWNER_NAME,
	WANT_OWNER_CONTROLS,
	WANT_NODE,
	WANT_ACCOUNT,
	WANT_HOST_NETWORK,
	WANT_CONTAINER,
	WANT_CONTAINER_NAME,
	WANT_CONTAINER_ID,
	WANT_CONTAINER_IMAGE,
	WANT_POD_VERSION,
};

static const struct json_node label_keys[] = { { .key = "*", .id = WANT_LABEL }, { 0 } };
static const struct json_node annotation_keys[] = { { .key = "*", .id = WANT_ANNOTATION }, { 0 } };
static const struct json_node owner_keys[] = { { .key = "kind", .id = WANT_OWNER_KIND },
					       { .key = "name", .id = WANT_OWNER_NAME },
					       { .key = "controller", .id = WANT_OWNER_CONTROLS },
					       { 0 } };
static const struct json_node container_keys[] = { { .key = "name", .id = WANT_CONTAINER_NAME },
						   { .key = "containerID", .id = WANT_CONTAINER_ID },
						   { .key = "image", .id = WANT_CONTAINER_IMAGE },
						   { 0 } };
static const struct json_node pod_metadata[] = {
	{ .key = "uid", .id = WANT_UID },
	{ .key = "name", .id = WANT_NAME },
	{ .key = "namespace", .id = WANT_NAMESPACE },
	{ .key = "resourceVersion", .id = WANT_POD_VERSION },
	{ .key = "labels", .in = label_keys },
	{ .key = "annotations", .in = annotation_keys },
	{ .key = "ownerReferences", .id = WANT_OWNER, .in = owner_keys },
	{ 0 }
};
static const struct json_node pod_spec[] = { { .key = "nodeName", .id = WANT_NODE },
					     { .key = "serviceAccountName", .id = WANT_ACCOUNT },
					     { .key = "hostNetwork", .id = WANT_HOST_NETWORK },
					     { 0 } };
static const struct json_node pod_status[] = {
	{ .key = "containerStatuses", .id = WANT_CONTAINER, .in = container_keys },
	{ .key = "initContainerStatuses", .id = WANT_CONTAINER, .in = container_keys },
	{ .key = "ephemeralContainerStatuses", .id = WANT_CONTAINER, .in = container_keys },
	{ 0 }
};
static const struct json_node pod_keys[] = {
	{ .key = "metadata", .in = pod_metadata },
	{ .key = "spec", .in = pod_spec },
	{ .key = "status", .in = pod_status },
	{ .key = "code", .id = WANT_CODE }, /* if a watch sends a Status in place of an object */
	{ 0 }
};
static const struct json_node list_metadata[] = { { .key = "resourceVersion", .id = WANT_VERSION },
						  { 0 } };
static const struct json_node root_keys[] = { { .key = "kind", .id = WANT_KIND },
					      { .key = "metadata", .in = list_metadata },
					      { .key = "items", .id = WANT_POD, .in = pod_keys },
					      { .key = "type", .id = WANT_TYPE },
					      { .key = "object", .id = WANT_POD, .in = pod_keys },
					      { .key = "code", .id = WANT_CODE },
					      { 0 } };

/*
 * Labels with the name of one revision or one pod. No rule needs them, and each value would make another
 * subject.
 */
static const char *const passing_labels[] = {
	"pod-template-hash",
	"controller-revision-hash",
	"pod-template-generation",
	"controller-uid",
	"batch.kubernetes.io/controller-uid",
	"job-name",
	"batch.kubernetes.io/job-name",
	"statefulset.kubernetes.io/pod-name",
	"apps.kubernetes.io/pod-index",
	"batch.kubernetes.io/job-completion-index",
};

#define LABEL_VALUE_LEN 64

static const char name_chars[] =
	"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._/:";

bool podlist_is_name(const char *text, size_t size)
{
	size_t len = strspn(text, name_chars);

	return len && !text[len] && len < size;
}

void podlist_take_image(char field[WHO_NAME_LEN], const char *text)
{
	char name[WHO_NAME_LEN];
	size_t len = strcspn(text, "@");

	if (len >= sizeof(name) || !strncmp(text, "sha256:", strlen("sha256:")))
		return;
	memcpy(name, text, len);
	name[len] = '\0';
	if (podlist_is_name(name, sizeof(name)))
		memcpy(field, name, len + 1);
}

/* Anything that is not a valid name counts as unknown. */
static void take_name(char *field, size_t size, const char *text)
{
	if (podlist_is_name(text, size))
		snprintf(field, size, "%s", text);
}

static bool is_passing(const char *key)
{
	for (size_t i = 0; i < ARRAY_SIZE(passing_labels); i++)
		if (!strcmp(key, passing_labels[i]))
			return true;
	return false;
}

/* A label that no longer fits is left out whole, because half a value is a different value. */
static void add_label(struct podlist *list, const char *key, const char *value)
{
	char *labels = list->pod.labels;
	size_t len = strlen(labels);

	if (!strcmp(key, "pod-template-hash"))
		take_name(list->template_hash, sizeof(list->template_hash), value);
	if (is_passing(key) || !podlist_is_name(key, JSON_KEY_LEN) ||
	    (*value && !podlist_is_name(value, JSON_VALUE_LEN)))
		return;
	if (len + strlen(key) + strlen(value) + 3 > WHO_LABELS_LEN)
		return;
	snprintf(labels + len, WHO_LABELS_LEN - len, "%s%s=%s", len ? "," : "", key, value);
}

static void take_wish(char field[WHO_ANNOTATION_LEN], const char *value)
{
	if (strlen(value) < WHO_ANNOTATION_LEN)
		snprintf(field, WHO_ANNOTATION_LEN, "%s", value);
	else
		snprintf(field, WHO_ANNOTATION_LEN, "%s", WHO_ANNOTATION_BAD);
}

static void take_annotation(struct podlist *list, const char *key, const char *value)
{
	if (!strcmp(key, "kubernetes.io/config.hash"))
		take_name(list->pod.hash, sizeof(list->pod.hash), value);
	else if (!strcmp(key, "aigress.dev/budget"))
		take_wish(list->pod.wish.budget, value);
	else if (!strcmp(key, "aigress.dev/mode"))
		take_wish(list->pod.wish.mode, value);
	/* A longer one may be cut, and is no label's value either (Kubernetes, "Labels and Selectors"). */
	else if (!strcmp(key, WHO_TEAM_ANNOTATION) && *value && strlen(value) < LABEL_VALUE_LEN)
		add_label(list, key, value);
}

static void begin_pod(struct podlist *list)
{
	memset(&list->pod, 0, sizeof(list->pod));
	list->template_hash[0] = list->owner_kind[0] = list->owner_name[0] = '\0';
	list->n_containers = 0;
}

static void end_pod(struct podlist *list)
{
	struct who_pod *pod = &list->pod;
	const struct workload_owner owner = { list->owner_kind,    list->owner_name,
					      list->template_hash, pod->name,
					      pod->node,           pod->hash };

	if (!pod->uid[0] || !pod->name[0])
		return;
	workload_of(&owner, pod->workload, sizeof(pod->workload));
	if (list->owner_name[0])
		snprintf(pod->owner, sizeof(pod->owner), "%.60s/%.190s", list->owner_kind,
			 list->owner_name);
	for (size_t i = 0; i < list->n_containers; i++)
		memcpy(list->containers[i].pod_uid, pod->uid, sizeof(pod->uid));
	list->pods++;
	list->sink.pod(list->sink.arg, pod, list->containers, list->n_containers,
		       !strcmp(list->type, "DELETED"));
}

/* Takes the controller among the owners, or any other owner if none is the controller. */
static void end_owner(struct podlist *list)
{
	if (!list->ref_is_controller && list->owner_name[0])
		return;
	memcpy(list->owner_kind, list->ref_kind, sizeof(list->owner_kind));
	memcpy(list->owner_name, list->ref_name, sizeof(list->owner_name));
}

static void end_container(struct podlist *list)
{
	if (list->container.id[0] && list->container.name[0] &&
	    list->n_containers < PODLIST_CONTAINERS)
		list->containers[list->n_containers++] = list->container;
}

/* "containerd://<64 hex>" */
static void take_container_id(struct podlist *list, const char *text)
{
	const char *id = strstr(text, "://");

	if (id)
		take_name(list->container.id, sizeof(list->container.id), id + 3);
}

/* Objects begin and end. */
static void on_object(struct podlist *list, int id, bool begins)
{
	switch (id) {
	case WANT_POD:
		return begins ? begin_pod(list) : end_pod(list);
	case WANT_OWNER:
		if (!begins)
			return end_owner(list);
		list->ref_kind[0] = list->ref_name[0] = '\0';
		list->ref_is_controller = false;
		return;
	case WANT_CONTAINER:
		if (!begins)
			return end_container(list);
		memset(&list->container, 0, sizeof(list->container));
		return;
	}
}

static void on_string(struct podlist *list, int id, const char *key, const char *text)
{
	struct who_pod *pod = &list->pod;

	switch (id) {
	case WANT_KIND:
		return take_name(list->kind, sizeof(list->kind), text);
	case WANT_TYPE:
		return take_name(list->type, sizeof(list->type), text);
	case WANT_VERSION:
	case WANT_POD_VERSION:
		/* In a list the version precedes the items; in a watch it is that of the last object. */
		if (id == WANT_VERSION || list->type[0])
			take_name(list->version, sizeof(list->version), text);
		return;
	case WANT_UID:
		return take_name(pod->uid, sizeof(pod->uid), text);
	case WANT_NAME:
		return take_name(pod->name, sizeof(pod->name), text);
	case WANT_NAMESPACE:
		return take_name(pod->namespace, sizeof(pod->namespace), text);
	case WANT_LABEL:
		return add_label(list, key, text);
	case WANT_ANNOTATION:
		return take_annotation(list, key, text);
	case WANT_OWNER_KIND:
		return take_name(list->ref_kind, sizeof(list->ref_kind), text);
	case WANT_OWNER_NAME:
		return take_name(list->ref_name, sizeof(list->ref_name), text);
	case WANT_NODE:
		return take_name(pod->node, sizeof(pod->node), text);
	case WANT_ACCOUNT:
		return take_name(pod->service_account, sizeof(pod->service_account), text);
	case WANT_CONTAINER_NAME:
		return take_name(list->container.name, sizeof(list->container.name), text);
	case WANT_CONTAINER_ID:
		return take_container_id(list, text);
	case WANT_CONTAINER_IMAGE:
		return podlist_take_image(list->container.image, text);
	}
}

static void on_value(void *arg, int id, enum json_kind kind, const char *key, const char *text,
		     bool is_cut)
{
	struct podlist *list = arg;

	if (kind == JSON_IS_BEGIN || kind == JSON_IS_END)
		on_object(list, id, kind == JSON_IS_BEGIN);
	else if (kind == JSON_IS_STRING && (!is_cut || id == WANT_ANNOTATION))
		on_string(list, id, key, text);
	else if (kind == JSON_IS_NUMBER && id == WANT_CODE)
		list->code = (unsigned)strtoul(text, NULL, 10);
	else if (kind == JSON_IS_TRUE && id == WANT_OWNER_CONTROLS)
		list->ref_is_controller = true;
	else if (kind == JSON_IS_TRUE && id == WANT_HOST_NETWORK)
		list->pod.on_host_network = true;
}

static void init(struct podlist *list, const struct podlist_sink *sink, const struct json_node *keys)
{
	memset(list, 0, sizeof(*list));
	list->sink = *sink;
	list->values = (struct json_sink){ .value = on_value, .arg = list };
	json_init(&list->scan, keys, &list->values);
}

void podlist_init(struct podlist *list, const struct podlist_sink *sink)
{
	init(list, sink, root_keys);
}

void podlist_init_object(struct podlist *list, const struct podlist_sink *sink)
{
	init(list, sink, pod_keys);
	list->is_object = true;
}

bool podlist_feed(struct podlist *list, const void *bytes, size_t len)
{
	enum json_status status = json_feed(&list->scan, bytes, len);

	list->has_value |= status == JSON_DONE;
	list->is_whole = list->has_value && status != JSON_BAD && !list->scan.depth;
	return status != JSON_BAD;
}

bool podlist_end(struct podlist *list)
{
	if (list->is_whole && list->is_object)
		end_pod(list);
	return list->is_whole;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* What a server says of pods; the first byte chooses between a list and an object, and the cut. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "names/podlist.h"
#include "names/pods.h"

static bool is_clean(const char *text, size_t size)
{
	if (strnlen(text, size) == size)
		return false;
	for (; *text; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			return false;
	return true;
}

static void on_pod(void *arg, const struct who_pod *pod, const struct who_container *containers,
		   size_t n_containers, bool is_deleted)
{
	assert(is_clean(pod->uid, sizeof(pod->uid)) && pod->uid[0]);
	assert(is_clean(pod->name, sizeof(pod->name)) && pod->name[0]);
	assert(is_clean(pod->namespace, sizeof(pod->namespace)));
	assert(is_clean(pod->workload, sizeof(pod->workload)) && strchr(pod->workload, '/'));
	assert(is_clean(pod->labels, sizeof(pod->labels)));
	assert(strnlen(pod->wish.budget, sizeof(pod->wish.budget)) < sizeof(pod->wish.budget));
	assert(n_containers <= PODLIST_CONTAINERS);
	pods_learn(arg, pod, PODS_OBJECT);
	assert(!strcmp(pods_find(arg, pod->uid, NULL)->name, pod->name));
	for (size_t i = 0; i < n_containers; i++) {
		pods_learn_container(arg, &containers[i], PODS_OBJECT);
		assert(!strcmp(containers[i].pod_uid, pod->uid));
		assert(is_clean(containers[i].id, sizeof(containers[i].id)));
		assert(is_clean(containers[i].name, sizeof(containers[i].name)));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct podlist list;
	struct pods *pods = pods_new(NULL, NULL);
	const struct podlist_sink sink = { .pod = on_pod, .arg = pods };
	size_t cut = size ? data[0] / 2 : 0;

	if (!size || !pods) {
		pods_free(pods);
		return 0;
	}
	if (data[0] & 1)
		podlist_init_object(&list, &sink);
	else
		podlist_init(&list, &sink);
	data++;
	size--;
	cut = cut < size ? cut : size;
	if (podlist_feed(&list, data, cut))
		(void)podlist_feed(&list, data + cut, size - cut);
	(void)podlist_end(&list);
	pods_free(pods);
	return 0;
}

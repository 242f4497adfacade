/* SPDX-License-Identifier: Apache-2.0 */
#include "names/workload.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* apimachinery's rand.String(): no vowels and no characters that look alike. */
#define SAFE   "bcdfghjklmnpqrstvwxz2456789"
#define DIGITS "0123456789"
#define SUFFIX 5 /* of a generated name: names.SimpleNameGenerator */

static void put(char *ret, size_t size, const char *kind, const char *name, size_t len)
{
	snprintf(ret, size, "%s/%.*s", kind, (int)len, name);
}

/*
 * Cuts "-x" off the end of name[0..len), where x is min to max characters of a set. Returns the length of the
 * rest; 0: it does not end like that.
 */
static size_t cut(const char *name, size_t len, const char *set, size_t min, size_t max)
{
	size_t n = 0;

	while (n < len && strchr(set, name[len - 1 - n]))
		n++;
	if (n < min || n > max || n + 1 >= len || name[len - 1 - n] != '-')
		return 0;
	return len - n - 1;
}

/* Minutes since the epoch in batch/v1, seconds in v1beta1. */
static size_t cut_time(const char *name, size_t len)
{
	size_t before = cut(name, len, DIGITS, 8, 8);

	return before ? before : cut(name, len, DIGITS, 10, 10);
}

/* A static pod's name ends with its node's: kubelet/config/common.go. */
static void put_static(const struct workload_owner *owner, char *ret, size_t size)
{
	size_t len = strlen(owner->pod), node = strlen(owner->node);

	if (node && len > node + 1 && owner->pod[len - node - 1] == '-' &&
	    !strcmp(owner->pod + len - node, owner->node))
		len -= node + 1;
	put(ret, size, "StaticPod", owner->pod, len);
}

void workload_of(const struct workload_owner *owner, char *ret, size_t size)
{
	size_t len = strlen(owner->name), hash = strlen(owner->template_hash), before;

	if (owner->config_hash[0])
		return put_static(owner, ret, size);
	if (!len || !owner->kind[0])
		return put(ret, size, "Pod", owner->pod, strlen(owner->pod));
	if (!strcmp(owner->kind, "ReplicaSet") && hash && len > hash + 1 &&
	    owner->name[len - hash - 1] == '-' &&
	    !strcmp(owner->name + len - hash, owner->template_hash))
		return put(ret, size, "Deployment", owner->name, len - hash - 1);
	before = strcmp(owner->kind, "Job") ? 0 : cut_time(owner->name, len);
	if (before)
		return put(ret, size, "CronJob", owner->name, before);
	put(ret, size, owner->kind, owner->name, len);
}

void workload_guess(const char *pod, char *ret, size_t size)
{
	size_t len = strlen(pod), owner = cut(pod, len, SAFE, SUFFIX, SUFFIX), before;

	if (!owner) {
		/* "web-0"; an ordinal has no leading zero */
		before = cut(pod, len, DIGITS, 1, 4);
		if (before && (pod[before + 1] != '0' || before + 2 == len))
			return put(ret, size, "StatefulSet", pod, before);
		return put(ret, size, "Pod", pod, len);
	}
	before = cut_time(pod, owner);
	if (before)
		return put(ret, size, "CronJob", pod, before);
	/* A template's hash: 32 bits as decimal, each digit replaced by a safe character. */
	before = cut(pod, owner, SAFE, 6, 10);
	if (before)
		return put(ret, size, "Deployment", pod, before);
	put(ret, size, "Controller", pod, owner);
}

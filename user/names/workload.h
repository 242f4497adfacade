/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The workload behind a pod: what a team deployed, and what stays when its pods are replaced.
 * Written "Kind/name".
 */
#ifndef NAMES_WORKLOAD_H
#define NAMES_WORKLOAD_H

#include <stddef.h>

/* What a pod says of its owner; empty strings where it says nothing. */
struct workload_owner {
	const char *kind, *name;   /* its controller's */
	const char *template_hash; /* label pod-template-hash: the suffix of its ReplicaSet */
	const char *pod;           /* its own name */
	const char *node;
	const char *config_hash; /* static pods have no owner but their node */
};

/*
 * Into ret, cut at size. A ReplicaSet that is named after the pod's template hash is a Deployment's;
 * a Job that ends in a time is a CronJob's: both as their controllers name them. Who made such a name by hand
 * is mistaken for one; the owners are asked where that is allowed.
 */
void workload_of(const struct workload_owner *owner, char *ret, size_t size);

/*
 * From the pod's name alone, as controllers make them. Where the name does not tell the kind, it is
 * "Controller": a DaemonSet's, a ReplicaSet's and a Job's pods are named alike.
 */
void workload_guess(const char *pod, char *ret, size_t size);

#endif

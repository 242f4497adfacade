/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The workload of a pod: what a team deployed and what remains when its pods are replaced. Written as
 * "Kind/name".
 */
#ifndef NAMES_WORKLOAD_H
#define NAMES_WORKLOAD_H

#include <stddef.h>

/* What a pod says of its owner; an empty string if it says nothing. */
struct workload_owner {
	const char *kind, *name;   /* its controller's */
	const char *template_hash; /* label pod-template-hash: the suffix of its ReplicaSet */
	const char *pod;           /* its own name */
	const char *node;
	const char *config_hash; /* static pods have no owner except their node */
};

/*
 * Writes the workload to ret, cut at size. A ReplicaSet whose name ends with the pod's template hash belongs to
 * a Deployment, and a Job whose name ends with a time to a CronJob, because their controllers name them so. A
 * name of that form that was given by hand is misread.
 */
void workload_of(const struct workload_owner *owner, char *ret, size_t size);

/*
 * Guesses the workload from the pod's name, as controllers form it. If the name does not reveal the kind, it is
 * "Controller": pods of a DaemonSet, a ReplicaSet and a Job have names of the same form.
 */
void workload_guess(const char *pod, char *ret, size_t size);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kubernetes, as far as this host is a node of it: gives `who` its names, and brings names that came
 * late to the ledger and, from there, to the budgets. On any other host it costs two system calls.
 */
#ifndef KUBE_KUBE_H
#define KUBE_KUBE_H

#include "budget/policy.h"
#include "kube/annotations.h"
#include "ledger/ledger.h"
#include "names/names.h"

#define KUBE_PENDING    1024          /* pods and containers whose new names wait for the ledger */
#define KUBE_NAME_NS    300000000ULL  /* names that come together are written together */
#define KUBE_REBUILD_NS 5000000000ULL /* budgets are rebuilt for new names no more often */

/* As the configuration has it. What is NULL is found out from the pod's environment, if it is one. */
struct kube_config {
	struct names_config names; /* kubelet, api: "" is off */
	bool without_events;       /* pods are not told what was done to them */
};

struct kube;
struct kube_options {
	struct loop *loop;
	struct fetcher *fetcher;
	struct who *who;
	struct ledger *ledger;
	const struct kube_config *config;
	const char *node;                 /* what the cluster calls this host */
	const struct policy_rules *rules; /* what they are when names come, in place */
	bool namespaces;                  /* annotations of namespaces are wanted, too */
	/* Annotations have come or changed: kube_annotate() is wanted. */
	void (*annotated)(void *arg);
	/* Calls in the ledger have got names that budgets look at: these must count anew. */
	void (*rebuild)(void *arg);
	/* A source works, or does not any more. Also while kube_new() runs. May be NULL. */
	void (*changed)(void *arg);
	void *arg;
};

/* 0 or -errno. */
int kube_new(struct kube **ret, const struct kube_options *options);
struct kube *kube_free(struct kube *kube);

/* Adds the budgets of annotations to rules that are not in force yet. 0 or -ENOMEM: some are missing. */
int kube_annotate(struct kube *kube, const struct annotations_config *config,
		  struct policy_rules *rules);
const struct annotations *kube_annotations(const struct kube *kube);

/* An action was written down: its pod is told. */
void kube_action(struct kube *kube, const struct ledger_action *action);

struct names *kube_names(struct kube *kube);

#endif

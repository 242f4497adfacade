/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kubernetes, if this host is a node of it: gives `who` its names, and writes names that became known late to
 * the ledger, from where they reach the budgets. On any other host it costs two system calls.
 */
#ifndef KUBE_KUBE_H
#define KUBE_KUBE_H

#include "budget/policy.h"
#include "kube/annotations.h"
#include "ledger/ledger.h"
#include "names/names.h"

#define KUBE_PENDING 1024 /* pods and containers whose new names wait for the ledger */
#define KUBE_NAME_NS \
	300000000ULL /* names that become known within this time are written together */
#define KUBE_REBUILD_NS 5000000000ULL /* least time between two rebuilds of budgets for new names */

/* As configured. NULL fields are taken from the environment if the daemon runs in a pod. */
struct kube_config {
	struct names_config names; /* kubelet, api: "" is off */
	bool without_events;       /* no events are attached to pods */
};

struct kube;
struct kube_options {
	struct loop *loop;
	struct fetcher *fetcher;
	struct who *who;
	struct ledger *ledger;
	const struct kube_config *config;
	const char *node;                 /* this host's name in the cluster */
	const struct policy_rules *rules; /* the rules in force, read when names become known */
	bool namespaces;                  /* annotations of namespaces are wanted, too */
	/* Annotations have become known or changed: call kube_annotate(). */
	void (*annotated)(void *arg);
	/* Calls in the ledger were given names that budgets match: their sums must be rebuilt. */
	void (*rebuild)(void *arg);
	/* A source has begun to work or has stopped. Also called while kube_new() runs. May be NULL. */
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

/* Reports an action, once it is in the ledger, as an event of its pod. */
void kube_action(struct kube *kube, const struct ledger_action *action);

struct names *kube_names(struct kube *kube);

#endif

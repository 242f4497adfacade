/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kubernetes events: what was done to a pod is attached to the pod, where `kubectl describe pod` shows it.
 * There is one event for each (pod, action, budget), and repetitions within EVENTS_HOUR increment its count.
 * Events are for information: they are bounded, and dropped if the API server does not accept them. The ledger
 * and the webhooks lose nothing.
 */
#ifndef KUBE_EVENTS_H
#define KUBE_EVENTS_H

#include "ledger/ledger.h"
#include "names/names.h"

#define EVENTS_MAX     512           /* that are remembered; the oldest is evicted */
#define EVENTS_EACH_NS 200000000ULL  /* least time between two requests */
#define EVENTS_SAME_NS 5000000000ULL /* least time between two updates of one event */
#define EVENTS_HOUR_US 3600000000LL

struct loop;
struct fetcher;
struct events;

/* The configuration (api, token, ca, node) must outlive it. 0 or -errno. */
int events_new(struct events **ret, struct loop *loop, struct fetcher *fetcher,
	       const struct names_config *config);
struct events *events_free(struct events *events);

/* Reports an action on a pod, or one that was triggered by its calls. */
void events_tell(struct events *events, const struct who_pod *pod,
		 const struct ledger_action *action);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kubernetes events: what was done to a pod stands with the pod, where `kubectl describe pod` shows
 * it. One event for each (pod, action, budget); what repeats within EVENTS_HOUR counts up in it.
 * They are for the eye: bounded, and given up where the API server does not take them. The ledger
 * and the webhooks are what nothing is lost from.
 */
#ifndef KUBE_EVENTS_H
#define KUBE_EVENTS_H

#include "ledger/ledger.h"
#include "names/names.h"

#define EVENTS_MAX     512           /* that are remembered; the oldest makes way */
#define EVENTS_EACH_NS 200000000ULL  /* between two requests */
#define EVENTS_SAME_NS 5000000000ULL /* before one event counts up again */
#define EVENTS_HOUR_US 3600000000LL

struct loop;
struct fetcher;
struct events;

/* The configuration (api, token, ca, node) must outlive it. 0 or -errno. */
int events_new(struct events **ret, struct loop *loop, struct fetcher *fetcher,
	       const struct names_config *config);
struct events *events_free(struct events *events);

/* An action on a pod, or that one of its calls brought about. */
void events_tell(struct events *events, const struct who_pod *pod,
		 const struct ledger_action *action);

#endif

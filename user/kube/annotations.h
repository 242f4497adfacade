/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Budgets that the authors of pods set themselves, by annotations of a pod or its namespace:
 *
 * 	aigress.dev/budget: "20 USD/day"	also hour, week, month, and tokens
 * 	aigress.dev/mode: enforce | rehearse | off
 *
 * Such a budget is added to the operator's, all of which remain in force: an annotation can lower what may be
 * spent, but never raise it. An annotation of a pod applies to the pod's workload, one of a namespace to all
 * its pods together. It is honoured where the configuration allows it, with the configured steps; one that is
 * not honoured is logged once.
 */
#ifndef KUBE_ANNOTATIONS_H
#define KUBE_ANNOTATIONS_H

#include "budget/policy.h"
#include "names/pod.h"

#define ANNOTATIONS_MAX 512 /* workloads and namespaces with an annotation; the oldest is evicted */

/* What the operator allows. */
struct annotations_config {
	struct policy_match *
		allow; /* by namespace, workload, label, ... of the pod; none: nothing is allowed */
	size_t n_allow;
	struct policy_step *steps; /* in ascending order of their share */
	size_t n_steps;
	char *zone; /* of the windows; NULL: the host's */
};
void annotations_config_done(struct annotations_config *config);

struct annotations;
/* NULL: no memory. */
struct annotations *annotations_new(void);
struct annotations *annotations_free(struct annotations *annotations);

/* Learns the annotations of a pod or of a namespace. True: budgets may have changed. */
bool annotations_pod(struct annotations *annotations, const struct who_pod *pod);
bool annotations_namespace(struct annotations *annotations, const char *name,
			   const struct who_wish *wish);

/*
 * Adds a budget to the rules for each annotation that is honoured; logs once each that is not. Returns 0, or
 * -ENOMEM: some may be missing.
 */
int annotations_add(struct annotations *annotations, const struct annotations_config *config,
		    struct policy_rules *rules);

/* Calls fn for each annotation with its state as of the last annotations_add(): "in force", or why not. */
void annotations_each(const struct annotations *annotations,
		      void (*fn)(void *arg, const char *subject, const struct who_wish *wish,
				 const char *state),
		      void *arg);

/* What a budget's text means; `mode` likewise. For annotations.c and its fuzzer. */
struct annotations_wish {
	int64_t limit_nanos; /* one of the two */
	uint64_t limit_tokens;
	enum policy_window window;
	bool is_rehearsed, is_off;
};
/* Returns NULL, or a sentence that says what is wrong. */
const char *annotations_read(const struct who_wish *wish, struct annotations_wish *ret);

#endif

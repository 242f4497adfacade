/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Budgets that those who write pods set themselves, by annotations of a pod or its namespace:
 *
 *	aigress.dev/budget: "20 USD/day"	also hour, week, month, and tokens
 *	aigress.dev/mode: enforce | rehearse | off
 *
 * Such a budget comes beside the operator's, which all still hold: an annotation can lower what may be
 * spent, never raise it. Of a pod it counts for the pod's workload, of a namespace for all its
 * pods together. It is honoured where the configuration allows it, with the steps that stand there;
 * what is not honoured is told once.
 */
#ifndef KUBE_ANNOTATIONS_H
#define KUBE_ANNOTATIONS_H

#include "budget/policy.h"
#include "names/pod.h"

#define ANNOTATIONS_MAX 512 /* workloads and namespaces with one; the oldest makes way */

/* What the operator allows. */
struct annotations_config {
	struct policy_match *allow; /* by namespace, workload, label, ... of the pod; none: nothing */
	size_t n_allow;
	struct policy_step *steps; /* ascending; what happens at which share */
	size_t n_steps;
	char *zone; /* of the windows; NULL: the host's */
};
void annotations_config_done(struct annotations_config *config);

struct annotations;
/* NULL: no memory. */
struct annotations *annotations_new(void);
struct annotations *annotations_free(struct annotations *annotations);

/* What a pod, or a namespace, says now. True: budgets may have changed. */
bool annotations_pod(struct annotations *annotations, const struct who_pod *pod);
bool annotations_namespace(struct annotations *annotations, const char *name,
			   const struct who_wish *wish);

/*
 * Adds a budget for each annotation that is honoured to the rules; what is not is told to the log, once.
 * 0 or -ENOMEM: some may be missing.
 */
int annotations_add(struct annotations *annotations, const struct annotations_config *config,
		    struct policy_rules *rules);

/* Each annotation, and what came of it: "in force", or why not. Since the last annotations_add(). */
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
/* NULL, else what is wrong, in a sentence. */
const char *annotations_read(const struct who_wish *wish, struct annotations_wish *ret);

#endif

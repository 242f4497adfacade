/* SPDX-License-Identifier: Apache-2.0 */
#include "restore.h"

#include <errno.h>
#include <stdlib.h>
#include <uthash.h>

/* Live subjects that are judged; a ledger that names more leaves the rest to their next call. */
#define SUBJECTS_MAX 16384

/* Who has spent and may still be there: judged once, after all sums are known. */
struct subject {
	UT_hash_handle hh;
	uint64_t cgroup;
	struct who_group group;
	struct who_process process;
};

struct job {
	struct policy *policy;
	struct who *who;
	struct subject *subjects;
};

static void remember(struct job *job, const struct who_group *group,
		     const struct who_process *process)
{
	struct subject *subject;

	HASH_FIND(hh, job->subjects, &group->cgroup, sizeof(group->cgroup), subject);
	if (subject || HASH_COUNT(job->subjects) >= SUBJECTS_MAX)
		return;
	subject = calloc(1, sizeof(*subject));
	if (!subject)
		return;
	subject->cgroup = group->cgroup;
	subject->group = *group;
	subject->process = *process;
	/* The pid of a call in the past is nobody's now: a gate may be set by it, no signal sent. */
	subject->process.tgid = 0;
	HASH_ADD(hh, job->subjects, cgroup, sizeof(subject->cgroup), subject);
}

static void add_call(void *arg, const struct ledger_call *call)
{
	struct job *job = arg;
	struct who_group group = *call->group;
	struct policy_subject subject = { .group = &group, .process = call->process,
					  .host = call->charge->host,
					  .model = call->charge->model };
	struct policy_verdict verdict;

	group.cgroup = who_cgroup_id(job->who, group.path);
	policy_charge(job->policy, &subject, call->charge, call->id,
		      call->start_us + (int64_t)(call->charge->duration_ns / 1000));
	while (policy_next(job->policy, &verdict))
		;	/* it was acted on when it happened; what still holds is judged below */
	if (group.cgroup)
		remember(job, &group, call->process);
}

int restore(struct ledger *ledger, struct policy *policy, struct act *act, struct who *who,
	    int64_t now_us)
{
	struct job job = { .policy = policy, .who = who };
	struct subject *subject, *next;
	int err = ledger_replay(ledger, policy_since(policy, now_us), add_call, &job);

	HASH_ITER(hh, job.subjects, subject, next) {
		struct policy_subject who_is = { .group = &subject->group,
						 .process = &subject->process,
						 .host = "", .model = "" };
		struct policy_verdict verdict;

		policy_judge(policy, &who_is, now_us);
		while (policy_next(policy, &verdict))
			act_apply(act, &verdict, &who_is, now_us);
		HASH_DEL(job.subjects, subject);
		free(subject);
	}
	return err;
}

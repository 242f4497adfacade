/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/restore.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/log.h"

/* Steps that wait for a call, in the log: counters, of which a key is compared as far as this. */
#define DEFERRED_SHOWN 20
#define DEFERRED_LEN   256

/* Live subjects that are judged; a ledger that names more leaves the rest to their next call. */
#define SUBJECTS_MAX 16384

/* The longest key: cgroup id, uid, command, host and model. */
#define KEY_LEN \
	(20 + 10 + WHO_COMM_LEN + 2 * CHARGE_HOST_LEN + CHARGE_CLIENT_LEN + CHARGE_MODEL_LEN + 7)

/* A caller that has spent and may still run: judged once, after all sums are known. */
struct subject {
	UT_hash_handle hh;
	char key[KEY_LEN];
	struct who_group group;
	struct who_process process;
	char host[CHARGE_HOST_LEN], model[CHARGE_MODEL_LEN], client[CHARGE_CLIENT_LEN],
		via[CHARGE_HOST_LEN];
};

/* A month's calls come from few cgroups: each path is looked up once. */
struct path {
	UT_hash_handle hh;
	char path[WHO_PATH_LEN];
	uint64_t cgroup;
};

struct job {
	struct policy *policy;
	struct who *who;
	struct subject *subjects;
	struct path *paths;
	size_t n_deferred;
	char deferred[DEFERRED_SHOWN][DEFERRED_LEN];
};

static uint64_t cgroup_of(struct job *job, const char *text)
{
	struct path *path;
	uint64_t cgroup;

	HASH_FIND_STR(job->paths, text, path);
	if (path)
		return path->cgroup;
	path = calloc(1, sizeof(*path));
	if (!path)
		return who_cgroup_id(job->who, text);
	snprintf(path->path, sizeof(path->path), "%s", text);
	path->cgroup = cgroup = who_cgroup_id(job->who, text);
	HASH_ADD_STR(job->paths, path, path);
	if (!path->hh.tbl)
		free(path);
	return cgroup;
}

static void remember(struct job *job, const struct who_group *group, const struct ledger_call *call)
{
	struct subject *subject;
	char key[KEY_LEN];

	snprintf(key, sizeof(key), "%lu %u %s %s %s %s %s", group->cgroup, call->process->uid,
		 call->process->comm, call->charge->host, call->charge->client, call->charge->via,
		 call->charge->model);
	HASH_FIND_STR(job->subjects, key, subject);
	if (subject || HASH_COUNT(job->subjects) >= SUBJECTS_MAX)
		return;
	subject = calloc(1, sizeof(*subject));
	if (!subject)
		return;
	memcpy(subject->key, key, sizeof(key));
	subject->group = *group;
	subject->process = *call->process;
	/* The pid may belong to another process by now: a gate may be set by it, no signal sent. */
	subject->process.tgid = 0;
	memcpy(subject->host, call->charge->host, sizeof(subject->host));
	memcpy(subject->model, call->charge->model, sizeof(subject->model));
	memcpy(subject->client, call->charge->client, sizeof(subject->client));
	memcpy(subject->via, call->charge->via, sizeof(subject->via));
	HASH_ADD_STR(job->subjects, key, subject);
	if (!subject->hh.tbl)
		free(subject);
}

static void add_call(void *arg, const struct ledger_call *call)
{
	struct job *job = arg;
	struct who_group group = *call->group;
	struct policy_subject subject = { .group = &group,
					  .process = call->process,
					  .host = call->charge->host,
					  .model = call->charge->model,
					  .client = call->charge->client,
					  .via = call->charge->via };

	group.cgroup = cgroup_of(job, group.path);
	/* Its verdicts were acted on when it happened; what still holds is judged below. */
	policy_charge(job->policy, &subject, call->charge, call->id,
		      call->start_us + (int64_t)(call->charge->duration_ns / 1000), NULL);
	if (group.cgroup)
		remember(job, &group, call);
}

/* Once a counter: an operator who turns enforcement on is told whom it bears on, and when. */
static void log_deferred(struct job *job, const struct policy_verdict *verdict)
{
	char name[DEFERRED_LEN];

	snprintf(name, sizeof(name), "%s, %s", verdict->budget->name, verdict->key);
	for (size_t i = 0; i < job->n_deferred; i++)
		if (!strcmp(job->deferred[i], name))
			return;
	if (job->n_deferred == DEFERRED_SHOWN)
		return;
	memcpy(job->deferred[job->n_deferred++], name, sizeof(name));
	log_warn("budget %s: %s was reached before; it is carried out at the next AI call of a "
		 "member, and not before",
		 name, policy_action_name(verdict->step->action));
}

static void judge(struct job *job, struct enforcer *enforcer, const struct policy_subject *subject,
		  int64_t now_us)
{
	struct policy_verdict verdict;
	struct verdict_iter verdicts;

	policy_judge(job->policy, subject, now_us, &verdicts);
	while (verdict_next(&verdicts, &verdict)) {
		if (enforcer_defers(enforcer, &verdict))
			log_deferred(job, &verdict);
		enforcer_apply(enforcer, &verdict, subject, now_us);
	}
}

int restore(struct ledger *ledger, struct policy *policy, struct enforcer *enforcer,
	    struct who *who, int64_t now_us)
{
	struct job job = { .policy = policy, .who = who };
	struct subject *subject, *next;
	struct path *path, *after;
	int err = ledger_replay(ledger, policy_since(policy, now_us), add_call, &job);

	HASH_ITER(hh, job.subjects, subject, next) {
		struct policy_subject who_is = { .group = &subject->group,
						 .process = &subject->process,
						 .host = subject->host,
						 .model = subject->model,
						 .client = subject->client,
						 .via = subject->via };

		judge(&job, enforcer, &who_is, now_us);
		HASH_DEL(job.subjects, subject);
		free(subject);
	}
	HASH_ITER(hh, job.paths, path, after) {
		HASH_DEL(job.paths, path);
		free(path);
	}
	return err;
}

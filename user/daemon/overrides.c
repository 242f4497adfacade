/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/overrides.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "ledger/overrides.h"

#define END_MAX_NS (60 * NS_PER_S)

struct overrides {
	struct ledger *ledger;
	struct policy *policy;
	struct enforcer *enforcer;
	struct loop_source *written, *end; /* NULL: not watched */
	int inotify;
	int64_t version; /* of the ledger when it was read */
	int64_t newest;  /* the highest id that was seen: newer ones are logged */
	int64_t ends_us; /* of the first to end */
	size_t n;
};

static int read_all(struct overrides *overrides, int64_t now_us)
{
	_cleanup_free_ struct override *list = NULL;
	size_t n = 0;
	int err = overrides_read(overrides->ledger, now_us, &list, &n);

	if (!err)
		err = policy_override(overrides->policy, list, n);
	if (err)
		return err;
	overrides->n = n;
	overrides->ends_us = INT64_MAX;
	for (size_t i = 0; i < n; i++) {
		if (list[i].until_us < overrides->ends_us)
			overrides->ends_us = list[i].until_us;
		if (list[i].id <= overrides->newest)
			continue;
		overrides->newest = list[i].id;
		log_warn("override: %s \"%s\", ordered by %s", override_kind_name(list[i].kind),
			 list[i].key, list[i].made_by);
	}
	return 0;
}

void overrides_hand(struct overrides *overrides, struct policy *policy, int64_t now_us)
{
	overrides->policy = policy;
	overrides->version = overrides_version(overrides->ledger);
	if (read_all(overrides, now_us) < 0)
		overrides->version = -1; /* read again at the next look */
}

struct overrides *overrides_new(struct ledger *ledger, struct policy *policy, int64_t now_us)
{
	struct overrides *overrides = calloc(1, sizeof(*overrides));

	if (!overrides)
		return NULL;
	overrides->ledger = ledger;
	overrides->inotify = -1;
	overrides->ends_us = INT64_MAX;
	overrides_hand(overrides, policy, now_us);
	return overrides;
}

struct job {
	struct enforcer *enforcer;
	int64_t now_us;
};

/* For no subject in particular: the gates are for the counter's members. */
static void hold(void *arg, const struct policy_verdict *verdict)
{
	static const struct who_process process;
	static const struct who_group group;
	const struct policy_subject subject = {
		.group = &group, .process = &process, .host = "", .model = ""
	};
	struct job *job = arg;

	enforcer_apply(job->enforcer, verdict, &subject, job->now_us);
}

void overrides_apply(struct overrides *overrides, struct enforcer *enforcer, int64_t now_us)
{
	struct job job = { .enforcer = enforcer, .now_us = now_us };

	policy_held(overrides->policy, now_us, hold, &job);
}

/* One pragma while nothing was written. */
static int look(struct overrides *overrides, int64_t now_us)
{
	int64_t version = overrides_version(overrides->ledger);
	size_t before = overrides->n;
	int err;

	if (version < 0)
		return (int)version;
	if (version == overrides->version && now_us < overrides->ends_us)
		return 0;
	err = read_all(overrides, now_us);
	if (err)
		return err;
	overrides->version = version;
	if (!before && !overrides->n)
		return 0;
	enforcer_review(overrides->enforcer, overrides->policy, false, now_us);
	overrides_apply(overrides, overrides->enforcer, now_us);
	return 0;
}

/* What was in force stays so when they cannot be read. */
static void on_end(void *arg)
{
	struct overrides *overrides = arg;
	int err = look(overrides, clock_wall_us());

	if (err)
		log_debug("the overrides cannot be read: %s", strerror(-err));
	if (err)
		(void)loop_arm(overrides->end, NS_PER_S);
	else if (overrides->ends_us != INT64_MAX)
		(void)loop_arm(overrides->end, clock_until_ns(overrides->ends_us, END_MAX_NS));
}

static void on_written(void *arg)
{
	struct overrides *overrides = arg;
	char buf[4096];

	while (read(overrides->inotify, buf, sizeof(buf)) > 0)
		;
	on_end(overrides);
}

/*
 * `aigress override` opens the ledger, writes, and closes it: only then is its transaction sure to be
 * visible. The daemon keeps it open, so its own writes do not wake it.
 */
int overrides_watch(struct overrides *overrides, struct loop *loop, struct enforcer *enforcer,
		    const char *state)
{
	int err;

	if (overrides->end)
		return 0;
	overrides->enforcer = enforcer;
	overrides->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (overrides->inotify < 0 ||
	    inotify_add_watch(overrides->inotify, state, IN_CLOSE_WRITE) < 0)
		return -errno;
	err = loop_add_fd(loop, overrides->inotify, on_written, overrides, &overrides->written);
	if (!err)
		err = loop_add_timer(loop, 0, on_end, overrides, &overrides->end);
	/* For those that were given since they were read, and for the first end. */
	return err ? err : loop_arm(overrides->end, 1);
}

struct overrides *overrides_free(struct overrides *overrides)
{
	if (!overrides)
		return NULL;
	loop_remove(overrides->written);
	loop_remove(overrides->end);
	if (overrides->inotify >= 0)
		close(overrides->inotify);
	free(overrides);
	return NULL;
}

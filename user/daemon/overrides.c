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

struct orders {
	struct ledger *ledger;
	struct policy *policy;
	struct act *act;
	struct loop_source *written, *end; /* NULL: not watched */
	int inotify;
	int64_t version; /* of the ledger when it was read */
	int64_t newest;  /* the highest id that was seen: newer ones are logged */
	int64_t ends_us; /* of the first to end */
	size_t n;
};

static int read_all(struct orders *orders, int64_t now_us)
{
	_cleanup_free_ struct override *list = NULL;
	size_t n = 0;
	int err = overrides_read(orders->ledger, now_us, &list, &n);

	if (!err)
		err = policy_order(orders->policy, list, n);
	if (err)
		return err;
	orders->n = n;
	orders->ends_us = INT64_MAX;
	for (size_t i = 0; i < n; i++) {
		if (list[i].until_us < orders->ends_us)
			orders->ends_us = list[i].until_us;
		if (list[i].id <= orders->newest)
			continue;
		orders->newest = list[i].id;
		log_warn("override: %s \"%s\", ordered by %s", override_kind_name(list[i].kind),
			 list[i].key, list[i].made_by);
	}
	return 0;
}

void orders_hand(struct orders *orders, struct policy *policy, int64_t now_us)
{
	orders->policy = policy;
	orders->version = overrides_version(orders->ledger);
	if (read_all(orders, now_us) < 0)
		orders->version = -1; /* with the next look */
}

struct orders *orders_new(struct ledger *ledger, struct policy *policy, int64_t now_us)
{
	struct orders *orders = calloc(1, sizeof(*orders));

	if (!orders)
		return NULL;
	orders->ledger = ledger;
	orders->inotify = -1;
	orders->ends_us = INT64_MAX;
	orders_hand(orders, policy, now_us);
	return orders;
}

struct job {
	struct act *act;
	int64_t now_us;
};

/* Nobody in particular: the gates are for the counter's members. */
static void hold(void *arg, const struct policy_verdict *verdict)
{
	static const struct who_process process;
	static const struct who_group group;
	const struct policy_subject nobody = {
		.group = &group, .process = &process, .host = "", .model = ""
	};
	struct job *job = arg;

	act_apply(job->act, verdict, &nobody, job->now_us);
}

void orders_apply(struct orders *orders, struct act *act, int64_t now_us)
{
	struct job job = { .act = act, .now_us = now_us };

	policy_held(orders->policy, now_us, hold, &job);
}

/* One pragma while nothing was written. */
static int look(struct orders *orders, int64_t now_us)
{
	int64_t version = overrides_version(orders->ledger);
	size_t before = orders->n;
	int err;

	if (version < 0)
		return (int)version;
	if (version == orders->version && now_us < orders->ends_us)
		return 0;
	err = read_all(orders, now_us);
	if (err)
		return err;
	orders->version = version;
	if (!before && !orders->n)
		return 0;
	act_review(orders->act, orders->policy, false, now_us);
	orders_apply(orders, orders->act, now_us);
	return 0;
}

/* What was in force stays so when they cannot be read. */
static void on_end(void *arg)
{
	struct orders *orders = arg;
	int err = look(orders, clock_wall_us());

	if (err)
		log_debug("the overrides cannot be read: %s", strerror(-err));
	if (err)
		(void)loop_arm(orders->end, NS_PER_S);
	else if (orders->ends_us != INT64_MAX)
		(void)loop_arm(orders->end, clock_until_ns(orders->ends_us, END_MAX_NS));
}

static void on_written(void *arg)
{
	struct orders *orders = arg;
	char buf[4096];

	while (read(orders->inotify, buf, sizeof(buf)) > 0)
		;
	on_end(orders);
}

/*
 * Who gives an order opens the ledger, writes, and closes it: only then is its transaction sure to be
 * seen. The daemon itself does not close it, so its own writes wake nobody.
 */
int orders_watch(struct orders *orders, struct loop *loop, struct act *act, const char *state)
{
	int err;

	if (orders->end)
		return 0;
	orders->act = act;
	orders->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (orders->inotify < 0 || inotify_add_watch(orders->inotify, state, IN_CLOSE_WRITE) < 0)
		return -errno;
	err = loop_add_fd(loop, orders->inotify, on_written, orders, &orders->written);
	if (!err)
		err = loop_add_timer(loop, 0, on_end, orders, &orders->end);
	/* given since they were read, and the first end */
	return err ? err : loop_arm(orders->end, 1);
}

struct orders *orders_free(struct orders *orders)
{
	if (!orders)
		return NULL;
	loop_remove(orders->written);
	loop_remove(orders->end);
	if (orders->inotify >= 0)
		close(orders->inotify);
	free(orders);
	return NULL;
}

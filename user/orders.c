/* SPDX-License-Identifier: Apache-2.0 */
#include "orders.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "guard/override.h"

struct orders {
	struct ledger *ledger;
	struct policy *policy;
	int64_t version;	/* of the ledger when it was read */
	int64_t newest;		/* the highest id that was seen: newer ones are logged */
	int64_t ends_us;	/* of the first to end */
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
		orders->version = -1;	/* with the next look */
}

struct orders *orders_new(struct ledger *ledger, struct policy *policy, int64_t now_us)
{
	struct orders *orders = calloc(1, sizeof(*orders));

	if (!orders)
		return NULL;
	orders->ledger = ledger;
	orders->ends_us = INT64_MAX;
	orders_hand(orders, policy, now_us);
	return orders;
}

struct orders *orders_free(struct orders *orders)
{
	free(orders);
	return NULL;
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
	const struct policy_subject nobody = { .group = &group, .process = &process, .host = "",
					       .model = "" };
	struct job *job = arg;

	act_apply(job->act, verdict, &nobody, job->now_us);
}

void orders_apply(struct orders *orders, struct act *act, int64_t now_us)
{
	struct job job = { .act = act, .now_us = now_us };

	policy_held(orders->policy, now_us, hold, &job);
}

int orders_look(struct orders *orders, struct act *act, int64_t now_us)
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
	act_review(act, orders->policy, false, now_us);
	orders_apply(orders, act, now_us);
	return 1;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "facts.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"

/* Counters that are shown; the dearest matter, and a fact must stay readable. */
#define SHOWN_MAX 1000

static int put(struct ledger *ledger, const char *key, json_t *value)
{
	_cleanup_free_ char *text = NULL;
	_cleanup_free_ char *before = ledger_get(ledger, key);
	int err;

	if (value)
		text = json_dumps(value, JSON_COMPACT | JSON_PRESERVE_ORDER | JSON_ENSURE_ASCII);
	json_decref(value);
	if (!text)
		return -ENOMEM;
	if (before && !strcmp(before, text))
		return 0;
	err = ledger_put(ledger, key, text);
	return err ? err : 1;
}

int facts_put_daemon(struct ledger *ledger, const char *cgroup_root)
{
	int err = put(ledger, "daemon",
		      json_pack("{s:i, s:I, s:s}", "pid", (int)getpid(), "started_us",
				(json_int_t)clock_wall_us(), "cgroup_root", cgroup_root));

	return err < 0 ? err : 0;
}

static void add_counter(void *arg, const struct policy_counter *counter)
{
	const struct policy_budget *budget = counter->budget;
	char spent[MONEY_LEN], limit[MONEY_LEN];
	json_t *array = arg;

	if (json_array_size(array) >= SHOWN_MAX)
		return;
	json_array_append_new(
		array,
		json_pack("{s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:s}", "budget", budget->name, "key",
			  counter->key, "spent_usd", money_format(counter->spent_nanos, spent),
			  "limit_usd", money_format(budget->limit_nanos, limit), "spent_tokens",
			  (json_int_t)counter->spent_tokens, "limit_tokens",
			  (json_int_t)budget->limit_tokens, "window_end_us",
			  (json_int_t)counter->window_end_us, "reached",
			  counter->reached ? policy_action_name(counter->reached->action) : ""));
}

static void add_gate(void *arg, const struct act_gate *gate)
{
	json_t *array = arg;

	if (json_array_size(array) < SHOWN_MAX)
		json_array_append_new(array,
				      json_pack("{s:s, s:s, s:s, s:I}", "budget", gate->budget, "key",
						gate->key, "target", gate->target, "until_us",
						(json_int_t)gate->until_us));
}

bool facts_put(struct ledger *ledger, struct policy *policy, struct act *act, int64_t now_us)
{
	json_t *budgets = json_array();
	json_t *gates = json_array();
	int changed;

	if (budgets)
		policy_counters(policy, now_us, add_counter, budgets);
	if (gates)
		act_gates(act, add_gate, gates);
	changed = put(ledger, "budgets", budgets) > 0;
	changed |= put(ledger, "gates", gates) > 0;
	return changed;
}

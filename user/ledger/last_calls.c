/* SPDX-License-Identifier: Apache-2.0 */
#include "ledger/last_calls.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"

#define CALLS_MAX 16

static void look(void *arg, const struct ledger_call *call)
{
	struct last_calls *calls = arg;
	const struct charge *charge = call->charge;
	int64_t end_us = call->start_us + (int64_t)(charge->duration_ns / 1000);

	/* in the order of their ids: the last one's names stay */
	who_label(call->group, calls->who);
	snprintf(calls->model, sizeof(calls->model), "%s", charge->model);
	snprintf(calls->host, sizeof(calls->host), "%s", charge->host);
	snprintf(calls->command, sizeof(calls->command), "%s", call->process->comm);
	calls->pid = call->process->tgid;
	if (!calls->n || call->start_us < calls->from_us)
		calls->from_us = call->start_us;
	if (end_us > calls->to_us)
		calls->to_us = end_us;
	calls->nanos += charge->budget_nanos;
	calls->n++;
}

void last_calls_read(struct ledger *ledger, const struct ledger_action *action,
		     struct last_calls *ret)
{
	json_t *array = json_loads(action->last_calls ? action->last_calls : "[]", 0, NULL);
	int64_t ids[CALLS_MAX];
	size_t n = json_array_size(array) < CALLS_MAX ? json_array_size(array) : CALLS_MAX;

	*ret = (struct last_calls){ .n = 0 };
	for (size_t i = 0; i < n; i++)
		ids[i] = json_integer_value(json_array_get(array, i));
	json_decref(array);
	if (n)
		(void)ledger_calls(ledger, ids, n, look, ret);
}

int64_t last_calls_rate(const struct last_calls *calls)
{
	int64_t span_us = calls->to_us - calls->from_us;

	return calls->n > 1 && span_us >= US_PER_S ?
		       (int64_t)((__int128)calls->nanos * 3600 * US_PER_S / span_us) :
		       0;
}

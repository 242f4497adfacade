/* SPDX-License-Identifier: Apache-2.0 */
#include "web/timeline.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fields.h"
#include "ledger/action_json.h"
#include "ledger/gaps.h"

#define HOUR_US (3600 * US_PER_S)

static json_t *hours(const struct history *history, enum history_sum which, int64_t from_us)
{
	json_t *array = json_array();

	for (int64_t i = 0; i < TIMELINE_HOURS; i++) {
		int64_t nanos = history_span(history, which, from_us + i * HOUR_US,
					     from_us + (i + 1) * HOUR_US);

		json_array_append_new(array, json_integer(nanos / 1000));
	}
	return array;
}

static void add_gap(void *arg, const struct gap *gap)
{
	json_t *row = json_object();

	field_set(row, "from_us", json_integer((json_int_t)gap->from_us));
	field_set(row, "until_us", json_integer((json_int_t)gap->until_us));
	if (json_array_size(arg) >= TIMELINE_GAPS)
		(void)json_array_remove(arg, 0);
	json_array_append_new(arg, row);
}

json_t *timeline_json(struct ledger *ledger, const struct zone *zone, int64_t now_us)
{
	_cleanup_free_ struct history *history = malloc(sizeof(*history));
	int64_t from_us = (now_us / HOUR_US - TIMELINE_HOURS + 1) * HOUR_US;
	json_t *root = json_object(), *sums = json_object(), *gaps = json_array(),
	       *actions = json_array();
	int err = history ? history_load(history, ledger, zone, NULL, now_us) : -ENOMEM;

	if (!err)
		err = gaps_read(ledger, from_us, now_us, GAPS_MEASURING, add_gap, gaps);
	if (!err)
		err = actions_json(ledger, NULL, from_us, now_us, TIMELINE_ACTIONS, actions);
	if (!err) {
		field_set(sums, "priced", hours(history, HISTORY_PRICED, from_us));
		field_set(sums, "counted", hours(history, HISTORY_COUNTED, from_us));
	}
	field_set(root, "from_us", json_integer((json_int_t)from_us));
	field_set(root, "hours", sums);
	field_set(root, "gaps", gaps);
	field_set(root, "actions", actions);
	if (!err)
		return root;
	json_decref(root);
	return NULL;
}

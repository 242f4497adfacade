/* SPDX-License-Identifier: Apache-2.0 */
#include "ledger/action_json.h"

#include <string.h>

#include "base/fields.h"
#include "base/text.h"
#include "ledger/overrides.h"

static void set_time(json_t *object, const char *key, int64_t us)
{
	char text[TEXT_TIME_LEN];

	field_text(object, key, text_time(us, text));
}

json_t *action_json(const struct ledger_action *action)
{
	json_t *calls = json_loads(action->last_calls ? action->last_calls : "[]", 0, NULL);
	json_t *object = json_object();

	set_time(object, "time", action->time_us);
	if (action->decided_us)
		set_time(object, "decided", action->decided_us);
	else
		field_set(object, "decided", json_null());
	field_text(object, "budget", action->budget);
	field_text(object, "rule", action->rule);
	field_text(object, "rule_text", action->rule_text ? action->rule_text : "");
	field_text(object, "action", action->action);
	field_text(object, "subject", action->subject);
	field_text(object, "target", action->target);
	field_text(object, "who", action->who ? action->who : "");
	field_text(object, "result", action->result);
	field_text(object, "outcome", action_result_name(action->outcome));
	field_bool(object, "rehearsed", action->is_rehearsed);
	field_money(object, "spent_usd", action->spent_nanos);
	field_money(object, "limit_usd", action->limit_nanos);
	field_number(object, "spent_tokens", action->spent_tokens);
	field_number(object, "limit_tokens", action->limit_tokens);
	if (action->limit_tokens && !action->limit_nanos)
		field_number(object, "in_flight_tokens", action->in_flight);
	else
		field_money(object, "in_flight_usd", (int64_t)action->in_flight);
	set_time(object, "window_start", action->window_start_us);
	if (action->until_us)
		set_time(object, "until", action->until_us);
	else
		field_set(object, "until", json_null());
	field_number(object, "measured_permille", action->measured_permille);
	field_set(object, "last_calls", calls ? calls : json_array());
	if (action->id)
		field_number(object, "id", (uint64_t)action->id);
	return object;
}

struct actions {
	json_t *array;
	const char *who;
	int64_t now_us;
	size_t most;
};

static bool has_same(const json_t *row, const char *key, const char *text)
{
	const char *value = json_string_value(json_object_get(row, key));

	return value && !strcmp(value, text);
}

static bool is_sequel(const json_t *row)
{
	return action_result_is_sequel(
		action_result_of(json_string_value(json_object_get(row, "outcome"))));
}

/* Marks the latest row that this one is the end of. False: it is not there. */
static bool end_row(const struct actions *actions, const struct ledger_action *action)
{
	char text[TEXT_TIME_LEN];
	json_t *row;
	size_t i;

	json_array_foreach(actions->array, i, row) {
		if (json_object_get(row, "ended") || is_sequel(row) ||
		    !has_same(row, "action", action->action) ||
		    !has_same(row, "budget", action->budget) ||
		    !has_same(row, "subject", action->subject) ||
		    !has_same(row, "target", action->target))
			continue;
		field_text(row, "ended", text_time(action->time_us, text));
		field_text(row, "because", action_because(action));
		(void)json_object_del(row, "release");
		return true;
	}
	return false;
}

static void add_action(void *arg, const struct ledger_action *action)
{
	const struct actions *actions = arg;
	char command[OVERRIDE_COMMAND_LEN];
	json_t *row;

	if (actions->who && strcmp(actions->who, action->who))
		return;
	if (action->outcome == ACTION_ENDED && end_row(actions, action))
		return;
	row = action_json(action);
	if (action_holds(action, actions->now_us))
		field_text(row, "release", override_open_command(action->subject, command));
	if (json_array_size(actions->array) >= actions->most)
		(void)json_array_remove(actions->array, actions->most - 1);
	(void)json_array_insert_new(actions->array, 0, row);
}

int actions_json(struct ledger *ledger, const char *who, int64_t since_us, int64_t now_us,
		 size_t most, json_t *array)
{
	struct actions actions = { .array = array, .who = who, .now_us = now_us, .most = most };

	return most ? ledger_actions(ledger, since_us, add_action, &actions) : 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "notify/action_json.h"

#include "base/fields.h"
#include "base/text.h"

static void set_time(json_t *object, const char *key, int64_t us)
{
	char text[TEXT_TIME_LEN];

	field_text(object, key, text_time(us, text));
}

static void set_money(json_t *object, const char *key, int64_t nanos)
{
	char text[MONEY_LEN];

	field_text(object, key, money_format(nanos, text));
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
	set_money(object, "spent_usd", action->spent_nanos);
	set_money(object, "limit_usd", action->limit_nanos);
	field_number(object, "spent_tokens", action->spent_tokens);
	field_number(object, "limit_tokens", action->limit_tokens);
	if (action->limit_tokens && !action->limit_nanos)
		field_number(object, "in_flight_tokens", action->in_flight);
	else
		set_money(object, "in_flight_usd", (int64_t)action->in_flight);
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

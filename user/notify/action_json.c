/* SPDX-License-Identifier: Apache-2.0 */
#include "notify/action_json.h"

#include "base/text.h"

json_t *action_json(const struct ledger_action *action)
{
	char spent[MONEY_LEN], limit[MONEY_LEN], when[TEXT_TIME_LEN], start[TEXT_TIME_LEN],
		until[TEXT_TIME_LEN];
	json_t *calls = json_loads(action->last_calls ? action->last_calls : "[]", 0, NULL);
	json_t *object = json_pack(
		"{s:s, s:o, s:o, s:s, s:o, s:o, s:o, s:b, s:s, s:s, s:I, s:I, s:s, s:o, s:i, s:o}",
		"time", text_time(action->time_us, when), "budget", text_json(action->budget),
		"rule", text_json(action->rule), "action", action->action, "subject",
		text_json(action->subject), "target", text_json(action->target), "result",
		text_json(action->result), "rehearsed", action->is_rehearsed, "spent_usd",
		money_format(action->spent_nanos, spent), "limit_usd",
		money_format(action->limit_nanos, limit), "spent_tokens",
		(json_int_t)action->spent_tokens, "limit_tokens", (json_int_t)action->limit_tokens,
		"window_start", text_time(action->window_start_us, start), "until",
		action->until_us ? json_string(text_time(action->until_us, until)) : json_null(),
		"measured_permille", (int)action->measured_permille, "last_calls",
		calls ? calls : json_array());

	if (object && action->id)
		json_object_set_new(object, "id", json_integer((json_int_t)action->id));
	return object;
}

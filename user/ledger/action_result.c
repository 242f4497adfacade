/* SPDX-License-Identifier: Apache-2.0 */
/* The words for what came of an action. */
#include <string.h>

#include "ledger/ledger.h"

static const struct {
	const char *name, *word;
} results[ACTION_RESULTS] = {
	[ACTION_UNKNOWN] = { "", "" },
	[ACTION_REHEARSED] = { "rehearsed", "rehearsed" },
	[ACTION_DONE] = { "done", "done" },
	[ACTION_FINISHED] = { "finished", "done" },
	[ACTION_ENDED] = { "ended", "ended" },
	[ACTION_FAILED] = { "failed", "failed" },
	[ACTION_REFUSED] = { "refused", "refused" },
	[ACTION_ORDERED] = { "ordered", "ordered" },
	[ACTION_INEFFECTIVE] = { "ineffective", "ineffective" },
	[ACTION_NOT_ENFORCEABLE] = { "not enforceable", "not enforceable" },
};

const char *action_result_name(enum action_result result)
{
	return (unsigned)result < ACTION_RESULTS ? results[result].name : NULL;
}

const char *action_result_word(enum action_result result)
{
	return (unsigned)result < ACTION_RESULTS ? results[result].word : NULL;
}

enum action_result action_result_of(const char *name)
{
	for (int i = 0; i < ACTION_RESULTS; i++)
		if (!strcmp(results[i].name, name))
			return (enum action_result)i;
	return ACTION_UNKNOWN;
}

bool action_result_is_sequel(enum action_result result)
{
	return result == ACTION_ENDED || result == ACTION_FINISHED ||
	       result == ACTION_INEFFECTIVE || result == ACTION_NOT_ENFORCEABLE;
}

bool action_holds(const struct ledger_action *action, int64_t now_us)
{
	return action->outcome == ACTION_DONE && !action->is_rehearsed &&
	       strcmp(action->action, "note") && (!action->until_us || action->until_us > now_us);
}

static const char *without(const char *text, const char *word)
{
	return strncmp(text, word, strlen(word)) ? text : text + strlen(word);
}

const char *action_because(const struct ledger_action *action)
{
	return without(action->result, "ended: ");
}

const char *action_done(const struct ledger_action *action)
{
	return without(action->result, "done: ");
}

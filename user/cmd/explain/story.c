/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/explain/story.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fields.h"
#include "cmd/show.h"
#include "ledger/last_calls.h"
#include "ledger/overrides.h"
#include "ledger/action_json.h"

#define ROWS_MAX 20000                   /* the latest are told */
#define PAST_US  (35 * 86400 * US_PER_S) /* an action and its end are no farther apart */
#define TEXTS    9

/* A row with its texts, which the ledger gives for a moment. */
struct row {
	struct ledger_action action;
	char *texts[TEXTS];
	size_t of;   /* the index of the row that it came of, plus 1; 0: of none */
	size_t then; /* plus 1: what came of it, as the end of a grace; 0: nothing */
	size_t end;  /* plus 1: its end */
};

struct story {
	struct row *rows;
	size_t n, room;
	bool is_over;
	int err;
};

static void row_free(struct row *row)
{
	for (size_t i = 0; i < TEXTS; i++)
		free(row->texts[i]);
}

static void story_done(struct story *story)
{
	for (size_t i = 0; i < story->n; i++)
		row_free(&story->rows[i]);
	free(story->rows);
}

static int copy_texts(struct row *row)
{
	struct ledger_action *action = &row->action;
	const char **const texts[TEXTS] = { &action->budget,     &action->rule,
					    &action->action,     &action->subject,
					    &action->target,     &action->result,
					    &action->last_calls, &action->rule_text,
					    &action->who };

	for (size_t i = 0; i < TEXTS; i++) {
		row->texts[i] = strdup(*texts[i] ? *texts[i] : "");
		if (!row->texts[i])
			return -ENOMEM;
		*texts[i] = row->texts[i];
	}
	return 0;
}

static bool is_same(const struct ledger_action *a, const struct ledger_action *b)
{
	return !strcmp(a->budget, b->budget) && !strcmp(a->action, b->action) &&
	       !strcmp(a->subject, b->subject) && !strcmp(a->target, b->target);
}

/* The latest row that this one may have come of. */
static void join(struct story *story, size_t at)
{
	struct row *row = &story->rows[at];

	for (size_t i = at; i-- > 0;) {
		struct row *before = &story->rows[i];

		if (action_result_is_sequel(before->action.outcome) ||
		    !is_same(&before->action, &row->action))
			continue;
		row->of = i + 1;
		if (row->action.outcome == ACTION_ENDED)
			before->end = at + 1;
		else
			before->then = at + 1;
		return;
	}
}

static void add(void *arg, const struct ledger_action *action)
{
	struct story *story = arg;

	if (story->err)
		return;
	if (story->n == ROWS_MAX) {
		row_free(&story->rows[0]);
		memmove(story->rows, story->rows + 1, --story->n * sizeof(*story->rows));
	}
	if (story->n == story->room) {
		size_t room = story->room ? story->room * 2 : 64;
		struct row *rows = reallocarray(story->rows, room, sizeof(*rows));

		if (!rows) {
			story->err = -ENOMEM;
			return;
		}
		story->rows = rows;
		story->room = room;
	}
	story->rows[story->n] = (struct row){ .action = *action };
	story->err = copy_texts(&story->rows[story->n]);
	if (story->err)
		row_free(&story->rows[story->n]);
	else
		story->n++;
}

static int read_story(struct ledger *ledger, int64_t since_us, struct story *story)
{
	int err = ledger_actions(ledger, since_us, add, story);

	for (size_t i = 0; !err && !story->err && i < story->n; i++)
		if (action_result_is_sequel(story->rows[i].action.outcome))
			join(story, i);
	return err ? err : story->err;
}

/* What holds until somebody or something ends it. */
static bool is_in_force(const struct row *row, int64_t now_us)
{
	return !row->end && action_holds(&row->action, now_us);
}

static void print_line(FILE *out, const char *name, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
static void print_line(FILE *out, const char *name, const char *format, ...)
{
	char raw[2048], text[SHOW_TEXT_LEN(sizeof(raw))];
	va_list args;

	va_start(args, format);
	vsnprintf(raw, sizeof(raw), format, args);
	va_end(args);
	fprintf(out, "  %-8s %s\n", name, show_text(raw, text, sizeof(text)));
}

static void print_why(FILE *out, const struct ledger_action *action)
{
	char spent[SHOW_LEN], limit[SHOW_LEN], since[SHOW_LEN], flight[SHOW_LEN], beside[96] = "";
	bool in_money = action->limit_nanos || !action->limit_tokens;

	if (action->in_flight)
		snprintf(beside, sizeof(beside), ", %s in flight",
			 in_money ? show_about((int64_t)action->in_flight, flight) :
				    show_count(action->in_flight, flight));
	print_line(out, "why", "%s: %s of %s %s since %s%s; %u.%u %% of it measured", action->budget,
		   in_money ? money_format(action->spent_nanos, spent) :
			      show_count(action->spent_tokens, spent),
		   in_money ? money_format(action->limit_nanos, limit) :
			      show_count(action->limit_tokens, limit),
		   in_money ? "USD" : "tokens", text_time(action->window_start_us, since), beside,
		   action->measured_permille / 10, action->measured_permille % 10);
	print_line(out, "rule", "%s%s%s%s", action->rule_text, *action->rule_text ? " (" : "",
		   action->rule, *action->rule_text ? ")" : "");
	print_line(out, "counter", "%s", action->subject);
}

static void print_calls(FILE *out, const struct ledger_action *action,
			const struct last_calls *evidence)
{
	char cost[SHOW_LEN], span[SHOW_LEN], rate[SHOW_LEN], at_rate[SHOW_LEN + 16] = "";

	if (!evidence->n)
		return;
	if (last_calls_rate(evidence))
		snprintf(at_rate, sizeof(at_rate), ": %s USD/h",
			 show_about(last_calls_rate(evidence), rate));
	print_line(
		out, "calls", "%s at %s by %s (pid %u); the last %zu cost %s USD in %s%s%s",
		evidence->model[0] ? evidence->model : "a model that is not known", evidence->host,
		evidence->command, evidence->pid, evidence->n, show_about(evidence->nanos, cost),
		show_duration((uint64_t)(evidence->to_us - evidence->from_us), span), at_rate, "");
	print_line(out, "", "%s (`aigress explain call N`)", action->last_calls);
}

static void print_end(FILE *out, const struct story *story, const struct row *row, int64_t now_us)
{
	const struct ledger_action *action = &row->action;
	char time[SHOW_LEN], command[OVERRIDE_COMMAND_LEN];

	if (row->then) {
		const struct ledger_action *then = &story->rows[row->then - 1].action;

		print_line(out, "then", "%s  %s", text_time(then->time_us, time), then->result);
	}
	if (row->end) {
		const struct ledger_action *end = &story->rows[row->end - 1].action;

		print_line(out, "released", "%s, because %s", text_time(end->time_us, time),
			   action_because(end));
		return;
	}
	if (!is_in_force(row, now_us))
		return;
	if (story->is_over) {
		print_line(out, "ended", "when aigress ended: it does not run");
		return;
	}
	if (action->until_us)
		print_line(out, "in force", "until %s", text_time(action->until_us, time));
	else
		print_line(out, "in force", "until what it rests on ends");
	if (strcmp(action->action, "override"))
		/* uncut: half of a quoted name runs as something else */
		fprintf(out, "  %-8s %s\n", "release",
			override_open_command(action->subject, command));
}

static const char *who_of(const struct ledger_action *action, const struct last_calls *evidence)
{
	return *action->who ? action->who : evidence->n ? evidence->who : action->target;
}

/* From when to when, as far as each is known. */
static void print_times(FILE *out, const struct story *story, const struct row *row)
{
	const struct ledger_action *action = &row->action;
	const struct ledger_action *end = row->end ? &story->rows[row->end - 1].action : NULL;
	char decided[SHOW_LEN], after[SHOW_LEN], length[SHOW_LEN], until[SHOW_LEN], over[128] = "";
	int64_t delay_us = action->time_us - action->decided_us;

	if (!action->decided_us || action->is_rehearsed)
		return;
	if (end)
		snprintf(over, sizeof(over), ", ended %s (%s later)", text_time(end->time_us, until),
			 show_duration((uint64_t)(end->time_us > action->time_us ?
							  end->time_us - action->time_us :
							  0),
				       length));
	print_line(out, "times", "decided %s, in force %s%s%s",
		   text_time(action->decided_us, decided),
		   delay_us > 0 ? show_duration((uint64_t)delay_us, after) : "at once",
		   delay_us > 0 ? " later" : "", over);
}

static void print_row(struct ledger *ledger, const struct story *story, const struct row *row,
		      FILE *out)
{
	const struct ledger_action *action = &row->action;
	char time[SHOW_LEN], text[SHOW_TEXT_LEN(WHO_NAME_LEN * 3)];
	struct last_calls evidence;

	last_calls_read(ledger, action, &evidence);
	fprintf(out, "%s  %s%s  %s  (action %" PRId64 ")\n", text_time(action->time_us, time),
		action->action, action->is_rehearsed ? " (rehearsed)" : "",
		show_text(who_of(action, &evidence), text, sizeof(text)), action->id);
	if (strcmp(who_of(action, &evidence), action->target))
		print_line(out, "target", "%s", action->target);
	print_line(out, "result", "%s",
		   action->is_rehearsed ? "nothing was done: enforcement is off" : action->result);
	print_times(out, story, row);
	if (strcmp(action->action, "override"))
		print_why(out, action);
	print_calls(out, action, &evidence);
	print_end(out, story, row, clock_wall_us());
}

int story_print(struct ledger *ledger, int64_t since_us, size_t most, bool is_over, FILE *out)
{
	struct story story = { .is_over = is_over };
	size_t n = 0, printed = 0;
	int err = read_story(ledger, since_us - PAST_US, &story);

	for (size_t i = story.n; !err && i-- > 0;) {
		const struct row *row = &story.rows[i];

		if (row->action.time_us < since_us || row->of)
			continue;
		n++;
		if (most && printed == most)
			continue;
		fprintf(out, "%s", printed ? "\n" : "");
		print_row(ledger, &story, row, out);
		printed++;
	}
	if (n > printed)
		fprintf(out, "\n+%zu more: `aigress explain actions` lists all.\n", n - printed);
	story_done(&story);
	return err ? err : (int)(n > INT32_MAX ? INT32_MAX : n);
}

static const struct row *find(const struct story *story, int64_t id)
{
	for (size_t i = 0; i < story->n; i++)
		if (story->rows[i].action.id == id)
			return &story->rows[i];
	return NULL;
}

int story_print_one(struct ledger *ledger, int64_t id, bool is_over, FILE *out)
{
	struct story story = { .is_over = is_over };
	const struct row *row = NULL;
	int err = read_story(ledger, 0, &story);

	if (!err)
		row = find(&story, id);
	if (row)
		print_row(ledger, &story, row, out);
	story_done(&story);
	return err ? err : row ? 0 : -ENOENT;
}

static json_t *row_json(struct ledger *ledger, const struct story *story, const struct row *row)
{
	json_t *object = action_json(&row->action);
	struct last_calls evidence;
	char text[SHOW_LEN], money[MONEY_LEN];

	last_calls_read(ledger, &row->action, &evidence);
	if (evidence.n) {
		if (!*row->action.who)
			field_text(object, "who", evidence.who);
		field_text(object, "model", evidence.model);
		field_text(object, "host", evidence.host);
		field_text(object, "command", evidence.command);
		field_number(object, "pid", evidence.pid);
	}
	if (last_calls_rate(&evidence))
		field_text(object, "usd_per_hour", money_format(last_calls_rate(&evidence), money));
	if (row->of)
		field_number(object, "of", (uint64_t)story->rows[row->of - 1].action.id);
	if (row->end) {
		const struct ledger_action *end = &story->rows[row->end - 1].action;

		field_text(object, "ended", text_time(end->time_us, text));
		field_text(object, "released", text_time(end->time_us, text));
		field_text(object, "because", action_because(end));
	}
	return object;
}

json_t *story_json(struct ledger *ledger)
{
	struct story story = { .rows = NULL };
	json_t *array = json_array(), *root = NULL;

	if (!read_story(ledger, 0, &story)) {
		for (size_t i = 0; i < story.n; i++)
			json_array_append_new(array, row_json(ledger, &story, &story.rows[i]));
		root = json_pack("{s:O}", "actions", array);
	}
	json_decref(array);
	story_done(&story);
	return root;
}

json_t *story_json_one(struct ledger *ledger, int64_t id, int *ret_err)
{
	struct story story = { .rows = NULL };
	const struct row *row = NULL;
	json_t *object = NULL;

	*ret_err = read_story(ledger, 0, &story);
	if (!*ret_err) {
		row = find(&story, id);
		*ret_err = row ? 0 : -ENOENT;
	}
	if (row)
		object = row_json(ledger, &story, row);
	story_done(&story);
	return object;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/options.h"

#include <string.h>

#include "cmd/cmd.h"
#include "ledger/ledger.h"

static const struct argp_option state_rows[] = {
	{ "state", 's', "DIR", 0, "Where the ledger is kept (default " LEDGER_DIR ")", 0 },
	{ 0 },
};

static error_t parse_state(int key, char *arg, struct argp_state *state)
{
	const char **dir = state->input;

	if (key != 's')
		return ARGP_ERR_UNKNOWN;
	*dir = arg;
	return 0;
}

static const struct argp state_argp = { .options = state_rows, .parser = parse_state };

struct line {
	void *options;
	const char **state; /* NULL: there is no second child */
};

/* Each child has an input of its own, in their order. */
static error_t hand_on(int key, char *arg, struct argp_state *state)
{
	struct line *line = state->input;

	if (key != ARGP_KEY_INIT)
		return ARGP_ERR_UNKNOWN;
	state->child_inputs[0] = line->options;
	if (line->state)
		state->child_inputs[1] = line->state;
	return 0;
}

void options_read(const struct argp *own, int argc, char **argv, void *options,
		  const char **ret_state)
{
	const struct argp_child children[] = { { own, 0, NULL, 0 },
					       { ret_state ? &state_argp : NULL, 0, NULL, 0 },
					       { 0 } };
	const struct argp all = { .parser = hand_on, .children = children };
	struct line line = { options, ret_state };

	if (ret_state)
		*ret_state = LEDGER_DIR;
	argp_err_exit_status = CMD_USAGE;
	argp_parse(&all, argc, argv, 0, NULL, &line);
}

enum table_format options_format(struct argp_state *state, const char *text, bool has_csv)
{
	if (!strcmp(text, "json"))
		return TABLE_JSON;
	if (has_csv && !strcmp(text, "csv"))
		return TABLE_CSV;
	if (strcmp(text, "table"))
		argp_error(state, "--format: that is not a format; give table%s or json",
			   has_csv ? ", csv" : "");
	return TABLE_TEXT;
}

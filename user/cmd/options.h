/* SPDX-License-Identifier: Apache-2.0 */
/* What the commands' lines have in common: --state, and exit code CMD_USAGE for what is wrong. */
#ifndef CMD_OPTIONS_H
#define CMD_OPTIONS_H

#include <argp.h>
#include <stdbool.h>

#include "cmd/table.h"

/*
 * Reads a command line by the command's own options and parser, whose input is `options`. With
 * ret_state there is `--state DIR`, too, whose default is LEDGER_DIR; NULL: the command has none.
 * What is wrong ends the process, as --help does.
 */
void options_read(const struct argp *own, int argc, char **argv, void *options,
		  const char **ret_state);

/* What --format says, of table, json and, where rows are all that there is to say, csv; another word ends the process. */
enum table_format options_format(struct argp_state *state, const char *text, bool has_csv);

#endif

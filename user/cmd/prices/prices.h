/* SPDX-License-Identifier: Apache-2.0 */
/* What the verbs of `aigress prices` share; for no other module. */
#ifndef CMD_PRICES_PRICES_H
#define CMD_PRICES_PRICES_H

#include <stdbool.h>
#include <stdint.h>

#include "cmd/show.h"
#include "cmd/table.h"
#include "ledger/ledger.h"
#include "price/price.h"

struct prices_options {
	const char *state, *verb;
	const char *words[2]; /* after the verb */
	const char *file;     /* the operator's; NULL: the daemon's */
	const char *provider, *host, *tier;
	struct show_window window;
	enum table_format format;
	bool keeps;
};

/*
 * prices_files.c. The built-in prices and over them a file: of this path; "builtin" or NULL, none. CMD_OK, or another exit code after
 * saying why.
 */
int prices_open(const char *file, struct prices **ret);
/* The file that the daemon over DIR's ledger reads, to be freed; NULL: none. */
char *prices_of_daemon(struct ledger *ledger);
/* "litellm 2026-08-01 (121 days old), aigress 2026-11-30 (today)"; to be freed. */
char *prices_ages(const struct prices *prices, int64_t now_us);
void prices_print(const struct table *table, enum table_format format);

/* prices_window.c: verbs that look at calls of the ledger. */
int prices_diff(struct prices_options *options);
int prices_reprice(struct prices_options *options);

#endif

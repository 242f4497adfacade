/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether anybody measures, since when nobody does, and what holds meanwhile: what each subcommand that
 * shows figures says before them, because the figures of a dead daemon look like those of a live one.
 */
#ifndef CMD_METERING_H
#define CMD_METERING_H

#include <stdio.h>

#include "ledger/gaps.h"

/* A state directory's daemon; pid 0: not known. */
struct metering {
	enum gaps_life life;
	enum gap_why why; /* nobody measures: how it came to that */
	bool knows_pins;  /* this user may see what is pinned */
	bool has_pins;    /* gates outlived it */
	int64_t since_us; /* nobody measures since then; 0: not known */
	long long pid;
	bool is_full, is_read_only; /* the file system of the ledger */
	char damage[256]; /* when the ledger was damaged, and what became of it; empty: never */
};

/* `ledger` may be NULL: then only what the directory says is known. */
void metering_read(struct ledger *ledger, const char *dir, struct gaps_time now,
		   struct metering *ret);
/* No daemon runs and no gate outlived it, as far as this user may see: what was in force is not any more. */
bool metering_is_over(const struct metering *metering);
/*
 * Nothing while a daemon measures; else METERING_LINES lines: since when nobody does, which gates are left,
 * and an empty one.
 */
#define METERING_LINES 3
void metering_print(const struct metering *metering, FILE *out);

/* A line if the ledger's disk is full, and one if it was damaged: what is not shown. */
void metering_print_faults(const struct metering *metering, FILE *out);

/*
 * An empty line and "no meter 2026-11-30T21:39:00Z to ... (1 min 2 s)" for each gap between since_us and until_us,
 * `most` of them, those before in one line; nothing if there is none. Returns how many lines, or -errno.
 */
#define METERING_GAPS 10
int metering_print_gaps(struct ledger *ledger, const struct metering *metering, int64_t since_us,
			int64_t until_us, size_t most, FILE *out);
/* The latest of them in one line that fits 80 columns, without an empty one; nothing if there is none. As above. */
int metering_print_last_gap(struct ledger *ledger, const struct metering *metering,
			    int64_t since_us, int64_t until_us, FILE *out);

#endif

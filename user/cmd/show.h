/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How things are shown to people. Names come from programs, cgroups and hosts that anybody may have
 * made: whatever reaches a terminal or a CSV goes through show_text(), which leaves nothing that
 * moves a cursor, changes a title or turns the reading direction.
 */
#ifndef CMD_SHOW_H
#define CMD_SHOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/text.h"
#include "base/zone.h"
#include "ledger/ledger.h"

/* Buffers of SHOW_LEN hold every figure below. Each returns its buffer. */
#define SHOW_LEN           48
#define SHOW_TEXT_LEN(max) TEXT_LEN(max)

/* As text_plain(). */
char *show_text(const char *text, char *buf, size_t size);
/* Columns that such a text takes: one a character. */
size_t show_width(const char *text);

char *show_count(uint64_t n, char buf[SHOW_LEN]);     /* 1,234,567 */
uint64_t show_rounded(uint64_t n);                    /* to two digits: 12,345 is 12,000 */
char *show_usd(int64_t nanos, char buf[SHOW_LEN]);    /* 12.345678: rounded to six decimals */
char *show_about(int64_t nanos, char buf[SHOW_LEN]);  /* 12.3: USD, rounded to three digits */
char *show_duration(uint64_t us, char buf[SHOW_LEN]); /* 350 ms, 2.1 s, 3 min 20 s */
char *show_bytes(uint64_t n, char buf[SHOW_LEN]);     /* 512 B, 12.3 kB */
/* A name in at most `width` characters: its middle is cut out ("/kubepods/..4f2/c0ffee"), its ends tell it apart. */
char *show_short(const char *name, size_t width, char *buf, size_t size);
/*
 * Lines of text broken at their blanks, so that none is wider than `width` (0: no limit); what is broken goes on behind
 * `indent` blanks. A word that is wider is broken inside. Returns how many lines were written.
 */
unsigned show_fold(const char *text, size_t width, size_t indent, FILE *out);
/* The first part of show_duration(): "23 min", "5 h"; from two days on "2 d". */
char *show_short_duration(uint64_t us, char buf[SHOW_LEN]);
/* Nothing of it has a price: its cost is not 0 but not known. */
bool show_is_unpriced(const struct ledger_row *row);
/* Sums that are partly or wholly not priced: "?", or as show_usd(). */
char *show_cost(const struct ledger_row *row, char buf[SHOW_LEN]);

/*
 * Opens DIR's ledger for reading. 0, or CMD_FAILED after a message on stderr, with the command's name,
 * what is wrong and what to do.
 */
int show_open(const char *command, const char *dir, struct ledger **ret);

/*
 * A point in time: "24h", "7d" (s, m, h, d, w before now), "now", "all"; the start of a calendar day, week or
 * month of the zone: "today", "yesterday", "this-week", "last-week", "this-month", "last-month", "2026-11-23";
 * RFC 3339 with its offset. 0 or -EINVAL.
 */
int show_parse_time(const char *text, const struct zone *zone, int64_t now_us, int64_t *ret_us);
/* What the options --since and --until say. */
struct show_window {
	const char *since,
		*until; /* as given; NULL: not given, and the times below are the default */
	int64_t now_us, since_us, until_us;
};
/* Reads both in a zone. CMD_OK, or CMD_USAGE after a message on stderr with the command's name. */
int show_window(const char *command, const struct zone *zone, struct show_window *window);
#define SHOW_TIME_FORMS                                                                         \
	"24h, 7d, today, yesterday, this-week, last-week, this-month, last-month, 2026-11-23, " \
	"2026-11-23T19:00:00Z, now or all"
/* The zone of a ledger's calendar words: that of the configuration, else the host's. NULL: no memory. */
struct zone *show_zone(struct ledger *ledger);

#endif

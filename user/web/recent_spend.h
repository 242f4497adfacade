/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who spends now: sums of the last 60 minutes and 24 hours by caller, in memory, for the status
 * page. No clock in here.
 */
#ifndef WEB_RECENT_SPEND_H
#define WEB_RECENT_SPEND_H

#include "base/text.h"
#include "ledger/ledger.h"
#include "metrics/series.h"

#define SPEND_CALLERS 1000 /* of 9.6 kB; the rest is one row */
#define SPEND_MINUTES 60
#define SPEND_HOURS   24

/* Of an hour, or of several. */
struct spend_sums {
	int64_t priced, counted; /* nanos: what has a price; what budgets count, also without one */
	uint64_t calls, tokens, estimated, unpriced, unconfirmed;
};

struct spend_row {
	struct series_row row;
	char who[TEXT_LEN(WHO_LABEL_LEN)]; /* who_label() */
	char name[TEXT_LEN(WHO_NAME_LEN)], detail[TEXT_LEN(WHO_PATH_LEN)];
	char model[TEXT_LEN(CHARGE_MODEL_LEN)]; /* of the latest call that named one */
	char program[TEXT_LEN(CHARGE_MODEL_LEN)]; /* of the latest call: its client, else the command */
	int64_t minute, hour;                     /* of the newest slot, since the epoch */
	int64_t minutes[SPEND_MINUTES];           /* nanos, at [minute % 60] */
	struct spend_sums hours[SPEND_HOURS];     /* likewise */
};

struct spend;

/* NULL: no memory. */
struct spend *spend_new(void);
struct spend *spend_free(struct spend *spend);
void spend_call(struct spend *spend, const struct ledger_call *call, uint64_t now_ns);
/* What the ledger knows of the last hours. 0 or -errno. */
int spend_restore(struct spend *spend, struct ledger *ledger, int64_t now_us, uint64_t now_ns);
/*
 * Names have come late, and the ledger has them by now: rows that were called by an id have them, too, also of callers that
 * call no more. Does nothing if there is no such row. 0 or -errno, and then it is as before.
 */
int spend_rename(struct spend **spend, struct ledger *ledger, int64_t now_us, uint64_t now_ns);
void spend_expire(struct spend *spend, uint64_t now_ns);

/* Everybody's sums. */
const struct spend_row *spend_total(struct spend *spend, int64_t now_us);
/*
 * Pointers to the `max` rows that spent most: in the last five minutes, then the hour, then the day.
 * Returns how many; ret_more: callers that are not among them.
 */
size_t spend_top(struct spend *spend, int64_t now_us, const struct spend_row **ret, size_t max,
		 size_t *ret_more);
/* Nanos of the last n minutes, the present one included; n up to SPEND_MINUTES. */
int64_t spend_last_minutes(const struct spend_row *row, unsigned n);
/* Of SPEND_HOURS whole hours, the present one included. */
struct spend_sums spend_day(const struct spend_row *row);
/* When the first of these hours began. */
int64_t spend_day_from_us(int64_t now_us);

#endif

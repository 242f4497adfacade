/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What providers say they have billed, and what was seen here, cell by cell. Both sides add to the same cells, whose key
 * has the fields that are asked for; a field that is not is empty, so that its figures come together.
 */
#ifndef BILL_BILL_H
#define BILL_BILL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/hash.h"
#include "ledger/ledger.h"
#include "usage/charge.h"

enum bill_field { BILL_DAY, BILL_PROVIDER, BILL_MODEL, BILL_TIER, BILL_ACCOUNT, BILL_FIELDS };
/* "day", "provider", ...; NULL past the end. */
const char *bill_field_name(enum bill_field field);

struct bill_key {
	int64_t day_s; /* midnight UTC */
	char provider[CHARGE_NAME_LEN], model[CHARGE_MODEL_LEN], tier[CHARGE_TIER_LEN],
		account[CHARGE_NAME_LEN * 2];
};

struct bill_cell {
	UT_hash_handle hh;
	struct bill_key key;
	__int128 billed_nanos;
	uint64_t billed_input,
		billed_output; /* tokens, where the provider tells them; those of the cache are input */
	__int128 seen_nanos[CHARGE_SOURCES]; /* by how it was known */
	uint64_t seen_input, seen_output, seen_calls, unpriced_calls;
};

#define BILL_CELLS_MAX     200000
#define BILL_PROVIDERS_MAX 64 /* of further ones, what was seen and not billed is not shown */

struct bill {
	struct bill_cell *cells;
	uint32_t fields;          /* bits of enum bill_field */
	int64_t since_s, until_s; /* days from this midnight until before that */
	bool has_tokens;
	uint64_t n_foreign; /* amounts left out, which are in another currency than USD */
	/* Whose bills were read; none: it is not known. */
	char providers[BILL_PROVIDERS_MAX][CHARGE_NAME_LEN];
	size_t n_providers;
	int err; /* -ENOMEM, or -E2BIG: too many cells */
};

/* Of these fields (the provider is one of them always) and days. Takes no memory. */
void bill_init(struct bill *bill, uint32_t fields, int64_t since_s, int64_t until_s);
void bill_done(struct bill *bill);
/*
 * The cell of a key: its fields that are not asked for are emptied, names of models brought to one form (lower case,
 * without owner and date) and those of accounts as well: the ledger has "organisation/project", a bill has the project.
 * NULL: outside of the days, or an error, which bill->err keeps.
 */
struct bill_cell *bill_cell(struct bill *bill, struct bill_key key);
/* A bill of this provider was read, even if there is nothing on it. */
void bill_covers(struct bill *bill, const char *provider);
/* Of all that was seen of a cell. */
__int128 bill_seen(const struct bill_cell *cell);
/* The largest bill first; then by key. */
void bill_sort(struct bill *bill);

/*
 * The sources. Each gives 0 or -errno with a sentence (to be freed). What came before an error is in the cells.
 */
struct bill_api {
	const char *base; /* NULL: the provider's own address */
	const char *key_file;
	/* Between two tries of a request that was refused for now, in ms times 1, 2, 4; 0: a second. */
	uint32_t wait_ms;
};
int bill_read_anthropic(struct bill *bill, const struct bill_api *api, char **ret_error);
int bill_read_openai(struct bill *bill, const struct bill_api *api, char **ret_error);
/* An invoice or a FOCUS export; `provider` is whose it is where no column says it, or NULL. */
int bill_read_csv(struct bill *bill, const char *path, const char *provider, char **ret_error);
/* What was seen, of the providers whose bills were read, or of all if that is not known. 0 or -errno. */
int bill_read_ledger(struct bill *bill, struct ledger *ledger);
/*
 * Midnight UTC of the day of a date, "2026-11-23", or of a time. One with an offset, "2026-11-23T22:00:00-05:00", is
 * brought to UTC; one without, "2026-11-23 22:00:00 UTC", is taken as UTC. False: neither.
 */
bool bill_day(const char *text, int64_t *ret_s);
/* The ledger's name of a provider, as bills write it ("Amazon Web Services"); what is unknown stays. */
void bill_provider_name(const char *name, char ret[CHARGE_NAME_LEN]);

#endif

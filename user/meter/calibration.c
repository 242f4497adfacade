/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What measured calls teach: per tenant and host (and model) the ratio of truth to estimate, and how far
 * the corrected estimate still was off. Running sums that forget, so that a change of habits shows; sums
 * and not means of ratios, because a bill is a sum, and many small calls would outvote the dear ones.
 *
 * A usage is the word of whoever answers, which may be a server of the tenant's own: so it corrects the
 * estimates of that tenant alone, and rows of a tenant only give way to its own, or to those of tenants
 * that have fewer.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "meter/estimate.h"

/* 2,048 rows, about 450 KiB: 32 tenants in full, or 400 with one host. Those beyond learn again. */
#define CALIBRATION_ROWS 2048
#define TENANT_ROWS      64 /* of one tenant: a dozen hosts and models */
#define NAME_LEN         64
#define SAMPLES_MIN      20 /* docs/facts/wire.md, "Expected errors" */
#define MEMORY           64 /* a sample's weight falls to 1/e after so many */
#define FACTOR_NONE      1000
#define TOKENS_MAX       1000000000 /* beyond, a count is no count */
#define SCALE            64 /* of the sums, so that forgetting rounds nothing away: 2^30 * 64 * 64 */

struct tenant {
	uint64_t id;
	uint32_t rows; /* 0: a free slot */
};

struct row {
	struct tenant *tenant;
	uint64_t used;                /* clock of the last use */
	uint64_t estimated, measured; /* sums */
	uint64_t corrected,
		wrong; /* sums, of the samples that met a factor: estimates, their errors */
	uint32_t samples, judged;
	enum calibrated what;
	char host[NAME_LEN], model[NAME_LEN];
};

struct calibration {
	uint64_t keys[CALIBRATION_ROWS]; /* hashes of the rows' keys, which are searched; 0: free */
	struct row rows[CALIBRATION_ROWS];
	struct tenant tenants[CALIBRATION_ROWS];
	uint64_t clock, evicted;
};

int calibration_new(struct calibration **ret)
{
	struct calibration *calibration = calloc(1, sizeof(*calibration));

	if (!calibration)
		return -ENOMEM;
	*ret = calibration;
	return 0;
}

struct calibration *calibration_free(struct calibration *calibration)
{
	free(calibration);
	return NULL;
}

static uint64_t hash_text(uint64_t value, const char *text)
{
	for (; *text; text++)
		value = (value ^ (uint8_t)*text) * 0x100000001b3;
	return (value ^ 0) * 0x100000001b3;
}

/* FNV-1a. A collision mixes two models' factors; over 2,048 rows it is once in 10^13 tables. */
static uint64_t hash(const struct calibration_key *key)
{
	uint64_t value = (0xcbf29ce484222325 ^ (uint8_t)key->what) * 0x100000001b3;

	for (int shift = 0; shift < 64; shift += 8)
		value = (value ^ (uint8_t)(key->tenant >> shift)) * 0x100000001b3;
	value = hash_text(hash_text(value, key->host), key->model);
	return value ? value : 1;
}

static const struct row *find(const struct calibration *calibration,
			      const struct calibration_key *key)
{
	uint64_t value = hash(key);

	for (size_t i = 0; calibration && i < CALIBRATION_ROWS; i++)
		if (calibration->keys[i] == value)
			return &calibration->rows[i];
	return NULL;
}

/* The tenant's slot; a free one if it has none yet. There are as many slots as rows. */
static struct tenant *tenant_of(struct calibration *calibration, uint64_t id)
{
	struct tenant *free_slot = NULL;

	for (size_t i = 0; i < CALIBRATION_ROWS; i++) {
		struct tenant *tenant = &calibration->tenants[i];

		if (tenant->rows && tenant->id == id)
			return tenant;
		if (!tenant->rows && !free_slot)
			free_slot = tenant;
	}
	if (free_slot)
		free_slot->id = id;
	return free_slot;
}

/* The row that was used least recently among those of tenants that have `rows` of them; of one, if given. */
static size_t oldest_row(const struct calibration *calibration, const struct tenant *tenant,
			 uint32_t rows)
{
	size_t oldest = CALIBRATION_ROWS;

	for (size_t i = 0; i < CALIBRATION_ROWS; i++) {
		const struct row *row = &calibration->rows[i];

		if (!calibration->keys[i] || (tenant && row->tenant != tenant) ||
		    row->tenant->rows != rows)
			continue;
		if (oldest == CALIBRATION_ROWS || row->used < calibration->rows[oldest].used)
			oldest = i;
	}
	return oldest;
}

/*
 * The oldest row of the tenant that has most: a tenant of many cgroups can take others' rows only down to
 * what each of its own has.
 */
static size_t row_to_evict(const struct calibration *calibration)
{
	uint32_t most = 0;

	for (size_t i = 0; i < CALIBRATION_ROWS; i++)
		if (calibration->tenants[i].rows > most)
			most = calibration->tenants[i].rows;
	return oldest_row(calibration, NULL, most);
}

/* Room for one more row of the tenant; what was there is dropped. */
static size_t make_room(struct calibration *calibration, const struct tenant *tenant)
{
	size_t at = 0;

	if (!tenant || tenant->rows < TENANT_ROWS)
		while (at < CALIBRATION_ROWS && calibration->keys[at])
			at++;
	else
		at = oldest_row(calibration, tenant, tenant->rows);
	if (at == CALIBRATION_ROWS)
		at = row_to_evict(calibration);
	if (calibration->keys[at]) {
		calibration->evicted++;
		calibration->rows[at].tenant->rows--;
		calibration->keys[at] = 0;
	}
	return at;
}

static struct row *find_or_take(struct calibration *calibration, const struct calibration_key *key)
{
	struct row *row = (struct row *)find(calibration, key);
	size_t at;

	if (row)
		return row;
	at = make_room(calibration, tenant_of(calibration, key->tenant));
	row = &calibration->rows[at];
	/* Looked for again: a slot may have become free only now. */
	*row = (struct row){ .tenant = tenant_of(calibration, key->tenant), .what = key->what };
	row->tenant->rows++;
	calibration->keys[at] = hash(key);
	snprintf(row->host, sizeof(row->host), "%s", key->host);
	snprintf(row->model, sizeof(row->model), "%s", key->model);
	return row;
}

/* Within these a factor is believed: 6.6 for text; sizes may be gzip, hidden reasoning, images. */
static uint64_t clamp_factor(enum calibrated what, uint64_t factor)
{
	uint64_t least = what == CALIBRATED_TEXT_INPUT ? 500 : 31;
	uint64_t most = what == CALIBRATED_TEXT_INPUT ? 2000 : 32000;

	if (factor < least)
		return least;
	return factor > most ? most : factor;
}

static uint32_t factor_of(const struct row *row)
{
	if (row->samples < SAMPLES_MIN || !row->estimated)
		return FACTOR_NONE;
	return (uint32_t)clamp_factor(
		row->what,
		(uint64_t)(((unsigned __int128)row->measured * FACTOR_NONE + row->estimated / 2) /
			   row->estimated));
}

static void add(uint64_t *sum, uint64_t sample)
{
	*sum += sample * SCALE - *sum / MEMORY;
}

void calibration_learn(struct calibration *calibration, const struct calibration_key *key,
		       uint64_t estimated, uint64_t measured)
{
	struct row *row;
	uint64_t corrected;

	if (!estimated || estimated > TOKENS_MAX || measured > TOKENS_MAX)
		return;
	row = find_or_take(calibration, key);
	row->used = ++calibration->clock;
	if (row->samples >= SAMPLES_MIN) {
		corrected = estimated * factor_of(row) / FACTOR_NONE;
		add(&row->corrected, corrected);
		add(&row->wrong, corrected > measured ? corrected - measured : measured - corrected);
		row->judged += row->judged < UINT32_MAX;
	}
	/* One odd call may not move the sum further than the clamp lets the factor go. */
	measured = estimated * clamp_factor(key->what, measured * FACTOR_NONE / estimated) /
		   FACTOR_NONE;
	add(&row->estimated, estimated);
	add(&row->measured, measured);
	row->samples += row->samples < UINT32_MAX;
}

uint32_t calibration_factor(const struct calibration *calibration, const struct calibration_key *key)
{
	const struct row *row = find(calibration, key);

	return row ? factor_of(row) : FACTOR_NONE;
}

static bool error_of(const struct row *row, uint32_t *ret_permille)
{
	uint64_t error;

	if (row->judged < SAMPLES_MIN || !row->corrected)
		return false;
	error = (uint64_t)((unsigned __int128)row->wrong * 2 * 1000 / row->corrected);
	/* An estimate may be wrong without bound, its report not. */
	*ret_permille = error > UINT32_MAX ? UINT32_MAX : (uint32_t)error;
	return true;
}

bool calibration_error(const struct calibration *calibration, const struct calibration_key *key,
		       uint32_t *ret_permille)
{
	const struct row *row = find(calibration, key);

	return row && error_of(row, ret_permille);
}

void calibration_each(const struct calibration *calibration,
		      void (*fn)(void *arg, const struct calibration_row *row), void *arg)
{
	for (size_t i = 0; i < CALIBRATION_ROWS; i++) {
		const struct row *row = &calibration->rows[i];
		struct calibration_row told;

		if (!calibration->keys[i])
			continue;
		told = (struct calibration_row){ .key = { row->what, row->tenant->id, row->host,
							  row->model },
						 .samples = row->samples,
						 .factor = factor_of(row) };
		told.has_error = error_of(row, &told.error);
		fn(arg, &told);
	}
}

void calibration_stats(const struct calibration *calibration, struct calibration_stats *ret)
{
	*ret = (struct calibration_stats){ .evicted = calibration->evicted };
	for (size_t i = 0; i < CALIBRATION_ROWS; i++)
		ret->rows += calibration->keys[i] != 0;
}

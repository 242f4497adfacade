/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What measured calls teach: per host (and model) the ratio of truth to estimate, and how far the
 * corrected estimate still was off. Running sums that forget, so that a change of habits shows; sums
 * and not means of ratios, because a bill is a sum, and many small calls would outvote the dear ones.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "meter/estimate.h"

/* 512 rows, about 110 KiB; a host that exceeds them relearns. */
#define CALIBRATION_ROWS 512
#define NAME_LEN         64
#define SAMPLES_MIN      20 /* docs/facts/wire.md, "Expected errors" */
#define MEMORY           64 /* a sample's weight falls to 1/e after so many */
#define FACTOR_NONE      1000
#define TOKENS_MAX       1000000000 /* beyond, a count is no count */
#define SCALE            64 /* of the sums, so that forgetting rounds nothing away: 2^30 * 64 * 64 */

struct row {
	uint64_t key;                 /* hash of the key; 0: free */
	uint64_t used;                /* clock of the last use */
	uint64_t estimated, measured; /* sums */
	uint64_t corrected,
		wrong; /* sums, of the samples that met a factor: estimates, their errors */
	uint32_t samples, judged;
	enum calibrated what;
	char host[NAME_LEN], model[NAME_LEN];
};

struct calibration {
	struct row rows[CALIBRATION_ROWS];
	uint64_t clock;
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

/* FNV-1a. A collision mixes two models' factors; over 512 rows it is once in 10^14 tables. */
static uint64_t hash(const struct calibration_key *key)
{
	uint64_t value = (0xcbf29ce484222325 ^ (uint8_t)key->what) * 0x100000001b3;

	value = hash_text(hash_text(value, key->host), key->model);
	return value ? value : 1;
}

static const struct row *find(const struct calibration *calibration,
			      const struct calibration_key *key)
{
	uint64_t value = hash(key);

	for (size_t i = 0; calibration && i < CALIBRATION_ROWS; i++)
		if (calibration->rows[i].key == value)
			return &calibration->rows[i];
	return NULL;
}

static struct row *find_or_take(struct calibration *calibration, const struct calibration_key *key)
{
	struct row *oldest = calibration->rows;
	uint64_t value = hash(key);

	for (size_t i = 0; i < CALIBRATION_ROWS; i++) {
		struct row *row = &calibration->rows[i];

		if (row->key == value)
			return row;
		if (row->used < oldest->used)
			oldest = row;
	}
	*oldest = (struct row){ .key = value, .what = key->what };
	snprintf(oldest->host, sizeof(oldest->host), "%s", key->host);
	snprintf(oldest->model, sizeof(oldest->model), "%s", key->model);
	return oldest;
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
		struct calibration_row told = { .key = { row->what, row->host, row->model },
						.samples = row->samples,
						.factor = factor_of(row) };

		if (!row->key)
			continue;
		told.has_error = error_of(row, &told.error);
		fn(arg, &told);
	}
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What measured calls teach: per tenant and host (and model) the ratio of truth to estimate, and how far
 * the corrected estimate still was off. Running sums that forget, so that a change of habits shows; sums
 * and not means of ratios, because a bill is a sum, and many small calls would outvote the dear ones.
 *
 * A usage is the word of whoever answers, which may be a server of the tenant's own: so it corrects the
 * estimates of that tenant alone.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/quota.h"
#include "usage/estimate.h"

/* 2,048 rows, about 500 KiB: 32 tenants in full, or 400 with one host. Those beyond learn again. */
#define CALIBRATION_ROWS 2048
#define TENANT_ROWS      64 /* of one tenant: a dozen hosts and models */
#define NAME_LEN         64
#define SAMPLES_MIN      20 /* docs/facts/wire.md, "Expected errors" */
#define MEMORY           64 /* a sample's weight falls to 1/e after so many */
#define FACTOR_NONE      1000
#define TOKENS_MAX       1000000000 /* beyond, a count is no count */
#define SCALE            64 /* of the sums, so that forgetting rounds nothing away: 2^30 * 64 * 64 */

struct row {
	uint64_t estimated, measured; /* sums */
	uint64_t corrected,
		wrong; /* sums, of the samples that met a factor: estimates, their errors */
	uint32_t samples, judged;
	enum calibrated what;
	char host[NAME_LEN], model[NAME_LEN];
};

struct calibration {
	struct quota *quota;
	struct row rows[CALIBRATION_ROWS];
};

int calibration_new(struct calibration **ret)
{
	struct calibration *calibration = calloc(1, sizeof(*calibration));

	if (!calibration)
		return -ENOMEM;
	calibration->quota = quota_new(CALIBRATION_ROWS, TENANT_ROWS);
	if (!calibration->quota) {
		free(calibration);
		return -ENOMEM;
	}
	*ret = calibration;
	return 0;
}

struct calibration *calibration_free(struct calibration *calibration)
{
	if (calibration)
		quota_free(calibration->quota);
	free(calibration);
	return NULL;
}

static uint64_t hash_text(uint64_t value, const char *text)
{
	return hash_fnv1a(value, text, strlen(text) + 1);
}

/* FNV-1a. A collision mixes two models' factors; over 2,048 rows it is once in 10^13 tables. */
static uint64_t hash(const struct calibration_key *key)
{
	uint8_t what = (uint8_t)key->what;
	uint64_t value = hash_fnv1a(FNV1A_BASIS, &what, sizeof(what));

	value = hash_fnv1a(value, &key->tenant, sizeof(key->tenant));
	value = hash_text(hash_text(value, key->host), key->model);
	return value ? value : 1;
}

static const struct row *find(const struct calibration *calibration,
			      const struct calibration_key *key)
{
	size_t at = calibration ? quota_find(calibration->quota, hash(key)) : QUOTA_NONE;

	return at == QUOTA_NONE ? NULL : &calibration->rows[at];
}

static struct row *find_or_take(struct calibration *calibration, const struct calibration_key *key)
{
	size_t at = quota_find(calibration->quota, hash(key));
	struct row *row;

	if (at != QUOTA_NONE) {
		quota_touch(calibration->quota, at);
		return &calibration->rows[at];
	}
	row = &calibration->rows[quota_take(calibration->quota, key->tenant, hash(key))];
	*row = (struct row){ .what = key->what };
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

		if (!quota_is_used(calibration->quota, i))
			continue;
		told = (struct calibration_row){ .key = { row->what,
							  quota_tenant(calibration->quota, i),
							  row->host, row->model },
						 .samples = row->samples,
						 .factor = factor_of(row) };
		told.has_error = error_of(row, &told.error);
		fn(arg, &told);
	}
}

void calibration_stats(const struct calibration *calibration, struct quota_stats *ret)
{
	quota_stats(calibration->quota, ret);
}

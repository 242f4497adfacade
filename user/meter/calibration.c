/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What measured calls teach: per (host, model) the ratio of truth to estimate, and how far the
 * corrected estimate still was off. Running means that forget, so that a change of habits shows.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "meter/estimate.h"

/* 512 pairs, about 32 KiB; a host that exceeds them relearns. */
#define CALIBRATION_ROWS 512
#define SAMPLES_MIN 20		/* facts of the wire, 6.6 */
#define SAMPLES_MEMORY 64	/* a sample's weight is 1/64 at least */
#define FACTOR_NONE 1000
#define FACTOR_MIN 500
#define FACTOR_MAX 2000
#define SCALE 1000		/* of a ratio kept in thousandths */

struct row {
	uint64_t key;		/* hash of host and model; 0: free */
	uint64_t used;		/* clock of the last use */
	uint64_t ratio;		/* thousandths, times SCALE */
	uint64_t error;		/* the same unit */
	uint32_t samples;
	uint32_t judged;	/* samples that were compared with a corrected estimate */
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

/* FNV-1a. A collision mixes two models' factors; over 512 rows it is once in 10^14 tables. */
static uint64_t hash(const char *host, const char *model)
{
	uint64_t value = 0xcbf29ce484222325;

	for (; *host; host++)
		value = (value ^ (uint8_t)*host) * 0x100000001b3;
	value = (value ^ 0) * 0x100000001b3;
	for (; *model; model++)
		value = (value ^ (uint8_t)*model) * 0x100000001b3;
	return value ? value : 1;
}

static const struct row *find(const struct calibration *calibration, const char *host,
			      const char *model)
{
	uint64_t key = hash(host, model);

	for (size_t i = 0; calibration && i < CALIBRATION_ROWS; i++)
		if (calibration->rows[i].key == key)
			return &calibration->rows[i];
	return NULL;
}

static struct row *find_or_take(struct calibration *calibration, uint64_t key)
{
	struct row *oldest = calibration->rows;

	for (size_t i = 0; i < CALIBRATION_ROWS; i++) {
		struct row *row = &calibration->rows[i];

		if (row->key == key)
			return row;
		if (row->used < oldest->used)
			oldest = row;
	}
	*oldest = (struct row){ .key = key };
	return oldest;
}

static uint64_t mean(uint64_t old, uint64_t sample, uint32_t samples)
{
	uint64_t weight = samples < SAMPLES_MEMORY ? samples : SAMPLES_MEMORY;

	return (old * (weight - 1) + sample * SCALE) / weight;
}

static uint32_t clamp_factor(uint64_t factor)
{
	if (factor < FACTOR_MIN)
		return FACTOR_MIN;
	return factor > FACTOR_MAX ? FACTOR_MAX : (uint32_t)factor;
}

void calibration_learn(struct calibration *calibration, const char *host, const char *model,
		       uint64_t estimated, uint64_t measured)
{
	const uint64_t plausible = 1000000000;
	struct row *row;
	uint64_t ratio, corrected;

	if (!estimated || !measured || estimated > plausible || measured > plausible)
		return;
	row = find_or_take(calibration, hash(host, model));
	row->used = ++calibration->clock;
	if (row->samples >= SAMPLES_MIN) {
		corrected = estimated * clamp_factor(row->ratio / SCALE) / FACTOR_NONE;
		corrected = corrected > measured ? corrected - measured : measured - corrected;
		row->judged += row->judged < UINT32_MAX;
		row->error = mean(row->error, corrected * 1000 / measured, row->judged);
	}
	/* One odd call may not move the mean further than the clamp lets the factor go. */
	ratio = clamp_factor(measured * FACTOR_NONE / estimated);
	row->samples += row->samples < UINT32_MAX;
	row->ratio = mean(row->ratio, ratio, row->samples);
}

uint32_t calibration_factor(const struct calibration *calibration, const char *host,
			    const char *model)
{
	const struct row *row = find(calibration, host, model);

	if (!row || row->samples < SAMPLES_MIN)
		return FACTOR_NONE;
	return clamp_factor(row->ratio / SCALE);
}

bool calibration_error(const struct calibration *calibration, const char *host, const char *model,
		       uint32_t *ret_permille)
{
	const struct row *row = find(calibration, host, model);
	uint64_t error;

	if (!row || row->judged < SAMPLES_MIN)
		return false;
	/* An estimate may be wrong without bound, its report not. */
	error = row->error / SCALE;
	*ret_permille = error > UINT32_MAX ? UINT32_MAX : (uint32_t)error;
	return true;
}

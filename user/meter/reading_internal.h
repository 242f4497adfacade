/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by reading_settle.c (counts) and reading_charge.c (prices); included by them and reading_check.c only. */
#ifndef METER_READING_INTERNAL_H
#define METER_READING_INTERNAL_H

#include "meter/reading.h"
#include "provider/provider.h"

static inline const struct api_provider *reading_provider(const struct reading *reading)
{
	return &provider_rows[reading->provider];
}

static inline const struct endpoint *reading_endpoint(const struct reading *reading)
{
	return endpoint_at(reading->endpoint);
}

static inline const struct api_provider *reading_speaker(const struct reading *reading)
{
	return &provider_rows[reading->speaker];
}

/* The layer below reading_charge.c: sets usage, its expected error and the source of a charge. */
void reading_settle(const struct reading *reading, const struct calibration *calibration,
		    struct charge *ret);
/* gen_ai.operation.name: what the path says, and where it serves all kinds of models, what the model's name does. */
const char *reading_operation(const struct reading *reading);
/* A job that has not ended, of which a bill is to come. */
bool reading_is_unfinished(const struct reading *reading);
/* How the numbers of the answer are to be read. */
enum dialect reading_dialect(const struct reading *reading);
/* The text of the request was seen whole. */
bool reading_has_request(const struct reading *reading);
/* The name that teaches and is taught. */
const char *reading_calibrated_model(const struct reading *reading);
/* Tokens of the request by its text, uncorrected. */
uint64_t reading_input_estimate(const struct reading *reading);
struct sizes reading_sizes(const struct reading *reading);

#endif

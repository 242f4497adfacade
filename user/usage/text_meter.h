/* SPDX-License-Identifier: Apache-2.0 */
/* Counts text through a JSON sink, and takes back what proves to be base64. */
#ifndef USAGE_TEXT_METER_H
#define USAGE_TEXT_METER_H

#include "base/json.h"
#include "usage/estimate.h"

/* Zero-initialised. */
struct text_meter {
	struct text_count count, before;
	uint64_t dropped; /* strings of base64: images, files */
};

/* As a json_sink's `text`: begins, continues, ends or drops a string. */
void text_meter_take(struct text_meter *meter, enum json_text what, const uint8_t *bytes,
		     size_t len);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tokens of a picture that a request shows the model, by the provider's formula: its size from the head of the
 * file where it came as a data: URL, a common size where it came as an address.
 */
#ifndef USAGE_PICTURE_H
#define USAGE_PICTURE_H

#include <stdbool.h>
#include <stdint.h>

struct picture {
	uint32_t width, height; /* 0: not known */
	bool is_low;            /* "detail": "low" */
	bool is_set;
};

/* Reads a URL, of which the first 255 bytes do: "data:image/png;base64,..." or "https://...". */
void picture_read(struct picture *picture, const char *url);
/* By the model's name. */
uint64_t picture_tokens(const struct picture *picture, const char *model);

#endif

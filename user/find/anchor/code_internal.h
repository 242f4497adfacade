/* SPDX-License-Identifier: Apache-2.0 */
/* Between the files of code.h; not for others. */
#ifndef FIND_ANCHOR_CODE_INTERNAL_H
#define FIND_ANCHOR_CODE_INTERNAL_H

#include "find/anchor/code.h"

/* What is read at once to decode through; the marks of one function lie within it. */
#define WINDOW (2 * CODE_BACK_MAX)

struct code {
	const struct image *image;
	const struct machine *machine; /* the image's */
	void *decoder;
	uint8_t buf[WINDOW];
};

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The small fields of a multipart/form-data body (RFC 7578), as it passes: audio and images are uploaded with
 * the model's name beside them. Files are stepped over; their bytes are counted.
 */
#ifndef USAGE_FORM_H
#define USAGE_FORM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FORM_BOUNDARY_LEN 80 /* RFC 2046 5.1.1: 70, and "\r\n--" before it */
#define FORM_NAME_LEN     48
#define FORM_VALUE_LEN    160

/* All zero is a form that begins; the fields are the module's own but for file_bytes. */
struct form {
	uint64_t file_bytes;
	char boundary[FORM_BOUNDARY_LEN]; /* with CRLF before it, as every but the first is found */
	uint8_t boundary_len, matched;
	uint8_t part;
	bool is_file;
	char line[256]; /* of a part's head */
	uint16_t line_len;
	char name[FORM_NAME_LEN], value[FORM_VALUE_LEN];
	uint16_t value_len;
};

/* `field` is called once a field is whole; its value is cut to FORM_VALUE_LEN - 1. */
void form_feed(struct form *form, const uint8_t *bytes, size_t len,
	       void (*field)(void *arg, const char *name, const char *value), void *arg);

#endif

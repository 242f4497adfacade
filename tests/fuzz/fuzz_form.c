/* SPDX-License-Identifier: Apache-2.0 */
/* The first byte seeds the cuts; a form in pieces must give the fields of the whole one. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cut.h"
#include "usage/form.h"

static void take(void *arg, const char *name, const char *value)
{
	uint64_t *hash = arg;

	if (strlen(name) >= FORM_NAME_LEN || strlen(value) >= FORM_VALUE_LEN)
		abort();
	for (const char *at = name; *at; at++)
		*hash = (*hash ^ (uint8_t)*at) * 0x100000001b3u;
	*hash *= 0x100000001b3u;
	for (const char *at = value; *at; at++)
		*hash = (*hash ^ (uint8_t)*at) * 0x100000001b3u;
}

static uint64_t run(const uint8_t *bytes, size_t len, unsigned seed, int is_cut)
{
	struct form form = { 0 };
	uint64_t hash = 0xcbf29ce484222325u;

	for (size_t at = 0; at < len;) {
		size_t n = is_cut ? cut_next(&seed, len - at) : len - at;
		uint8_t *copy = malloc(n);

		memcpy(copy, bytes + at, n);
		form_feed(&form, copy, n, take, &hash);
		free(copy);
		at += n;
	}
	return (hash ^ form.file_bytes) * 0x100000001b3u;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	if (len && run(bytes + 1, len - 1, 0, 0) != run(bytes + 1, len - 1, bytes[0], 1))
		abort();
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "budget/override.h"

#include <fnmatch.h>
#include <string.h>

#include "base/cleanup.h"

static const char *const names[] = {
	[OVERRIDE_NONE] = "none",
	[OVERRIDE_OPEN] = "open",
	[OVERRIDE_HOLD] = "hold",
	[OVERRIDE_RAISE] = "raise",
};

const char *override_kind_name(enum override_kind kind)
{
	return kind < ARRAY_SIZE(names) ? names[kind] : NULL;
}

enum override_kind override_kind_of(const char *name)
{
	for (size_t i = 1; i < ARRAY_SIZE(names); i++)
		if (!strcmp(names[i], name))
			return (enum override_kind)i;
	return OVERRIDE_NONE;
}

bool override_fits(const struct override *override, const char *budget, const char *counter)
{
	return fnmatch(override->key, budget, 0) == 0 || fnmatch(override->key, counter, 0) == 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "base/amount.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/decimal.h"

static const struct {
	const char *unit; /* behind the number */
	unsigned places;  /* behind the point that are whole */
	bool in_money;
} units[] = {
	{ " USD", 9, true },      { " usd", 9, true },      { " tokens", 0, false },
	{ "k tokens", 3, false }, { "M tokens", 6, false },
};

const char *amount_read(const char *text, struct amount *ret)
{
	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		int64_t value;
		const char *end = decimal_prefix(text, units[i].places, &value);

		size_t len = strlen(units[i].unit);

		if (!end || value <= 0 || strncmp(end, units[i].unit, len))
			continue;
		*ret = units[i].in_money ? (struct amount){ .nanos = value } :
					   (struct amount){ .tokens = value };
		return end + len;
	}
	return NULL;
}

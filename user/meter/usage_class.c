/* SPDX-License-Identifier: Apache-2.0 */
/* What is done with each class of usage alike. */
#include "meter/usage.h"

const struct usage_class usage_classes[USAGE_COUNT] = {
#define USAGE_ROW(field, kind, column, json_object, json_key, label) \
	{ offsetof(struct usage, field), #field, kind, column, json_object, json_key, label },
	USAGE_CLASSES(USAGE_ROW)
#undef USAGE_ROW
};

uint64_t usage_tokens(const struct usage *usage)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < USAGE_COUNT; i++)
		if (usage_is_disjoint(i))
			sum += usage_get(usage, i);
	return sum;
}

void usage_add(struct usage *to, const struct usage *more)
{
	for (size_t i = 0; i < USAGE_COUNT; i++)
		*usage_at(to, i) += usage_get(more, i);
}

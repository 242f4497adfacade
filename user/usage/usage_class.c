/* SPDX-License-Identifier: Apache-2.0 */
/* What is done with each class of usage alike. */
#include "usage/usage.h"

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
	const uint64_t *from = (const uint64_t *)more;
	uint64_t *sum = (uint64_t *)to;

	_Static_assert(sizeof(*to) % sizeof(*sum) == 0, "a usage is counts and nothing else");
	for (size_t i = 0; i < sizeof(*to) / sizeof(*sum); i++)
		sum[i] += from[i];
}

struct usage usage_fold(const struct usage *usage)
{
	struct usage folded = *usage;

	folded.input += folded.image_input + folded.citations;
	folded.cache_read += folded.cache_read_audio;
	folded.output += folded.image_output + folded.video_output;
	folded.image_input = folded.citations = folded.cache_read_audio = 0;
	folded.image_output = folded.video_output = 0;
	return folded;
}

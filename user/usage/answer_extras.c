/* SPDX-License-Identifier: Apache-2.0 */
/* Usage at other models than the call's own: beside its usage, or parts of it. */
#include "usage/answer_internal.h"

#include <stdio.h>
#include <string.h>

void answer_add_extra(struct answer *answer, const char *model, const struct usage *usage)
{
	size_t i = 0;

	while (i < answer->reading->extras_count && strcmp(answer->reading->extras[i].model, model))
		i++;
	if (i == EXTRAS)
		i--;
	if (i == answer->reading->extras_count) {
		memset(&answer->reading->extras[i], 0, sizeof(answer->reading->extras[i]));
		snprintf(answer->reading->extras[i].model, CHARGE_MODEL_LEN, "%s", model);
		answer->reading->extras_count++;
	}
	usage_add(&answer->reading->extras[i].usage, usage);
}

/*
 * The top level holds the sum of the messages and leaves out compaction and the advisor, each
 * billed at its own model (docs/facts/wire.md, "Anthropic").
 */
static void end_iteration(struct answer *answer)
{
	struct usage usage;

	if (strcmp(answer->iteration_type, "compaction") &&
	    strcmp(answer->iteration_type, "advisor_message"))
		return;
	if (usage_slots_usage_settle(&answer->iteration, DIALECT_ANTHROPIC, &usage))
		answer_add_extra(answer, answer->iteration_model, &usage);
}

void answer_take_iteration(struct answer *answer, enum json_kind kind)
{
	if (kind == JSON_IS_BEGIN) {
		/* A later event repeats the list from its start. */
		if (!answer->has_iterations)
			answer->reading->extras_count = 0;
		answer->has_iterations = true;
		answer->iteration_type[0] = answer->iteration_model[0] = '\0';
		memset(&answer->iteration, 0, sizeof(answer->iteration));
	} else if (kind == JSON_IS_END) {
		end_iteration(answer);
	}
}

/*
 * Images made inside a Responses call are billed at the image model's price, beside the call's own tokens;
 * a final event repeats the whole. gpt-image-1.5 is what the tool takes where the request names none
 * (developers.openai.com, image generation tool, 2026-11).
 */
void answer_take_tool_usage(struct answer *answer, enum json_kind kind)
{
	struct usage usage;

	if (kind == JSON_IS_BEGIN) {
		memset(&answer->iteration, 0, sizeof(answer->iteration));
		answer->reading->extras_count = 0;
	} else if (kind == JSON_IS_END &&
		   usage_slots_usage_settle(&answer->iteration, DIALECT_OPENAI, &usage) &&
		   (usage.input || usage.image_input || usage.output || usage.image_output)) {
		answer_add_extra(answer, "", &usage);
	}
}

void answer_take_part(struct answer *answer, enum json_kind kind)
{
	struct usage usage;

	if (kind == JSON_IS_BEGIN) {
		answer->iteration_model[0] = '\0';
		memset(&answer->iteration, 0, sizeof(answer->iteration));
	} else if (kind == JSON_IS_END &&
		   usage_slots_usage_settle(&answer->iteration, DIALECT_OPENAI, &usage)) {
		answer->reading->has_parts = true;
		answer_add_extra(answer, answer->iteration_model, &usage);
	}
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The values of an answer that count: what each key of usage, model or cost sets. */
#include "meter/answer_internal.h"

#include <stdio.h>
#include <string.h>

#include "base/decimal.h"

static void set_string(char *to, size_t size, enum json_kind kind, const char *text)
{
	if (kind == JSON_IS_STRING && *text)
		snprintf(to, size, "%s", text);
}

static void set_cost(struct answer *answer, const char *text, int scale)
{
	uint64_t nanos;

	/* A million dollars a call is no cost. */
	if (!decimal_read(text, scale, &nanos) || nanos > 1000000ULL * NANOS_PER_USD)
		return;
	answer->cost_nanos = nanos;
	answer->has_cost = true;
}

/*
 * The top level holds the sum of the messages and leaves out compaction and the advisor, each
 * billed at its own model (docs/facts/wire.md, "Anthropic").
 */
static void end_iteration(struct answer *answer)
{
	struct usage usage;
	size_t i = 0;

	if (strcmp(answer->iteration_type, "compaction") &&
	    strcmp(answer->iteration_type, "advisor_message"))
		return;
	if (!usage_slots_usage_settle(&answer->iteration, DIALECT_ANTHROPIC, &usage))
		return;
	while (i < answer->extras_count && strcmp(answer->extras[i].model, answer->iteration_model))
		i++;
	if (i == EXTRAS)
		i--;
	if (i == answer->extras_count) {
		memset(&answer->extras[i], 0, sizeof(answer->extras[i]));
		memcpy(answer->extras[i].model, answer->iteration_model, CHARGE_MODEL_LEN);
		answer->extras_count++;
	}
	usage_add(&answer->extras[i].usage, &usage);
}

static void take_iteration(struct answer *answer, enum json_kind kind)
{
	if (kind == JSON_IS_BEGIN) {
		/* A later event repeats the list from its start. */
		if (!answer->has_iterations)
			answer->extras_count = 0;
		answer->has_iterations = true;
		answer->iteration_type[0] = answer->iteration_model[0] = '\0';
		memset(&answer->iteration, 0, sizeof(answer->iteration));
	} else if (kind == JSON_IS_END) {
		end_iteration(answer);
	}
}

/* Gemini's counts by modality: name and count may come in either order. */
static void take_modality(struct answer *answer, int id, enum json_kind kind, const char *text)
{
	bool *is_audio = id == ANSWER_MODALITY_IN || id == ANSWER_COUNT_IN ? &answer->is_audio_in :
									     &answer->is_audio_out;
	enum slot slot = is_audio == &answer->is_audio_in ? SLOT_AUDIO_IN : SLOT_AUDIO_OUT;

	if (id == ANSWER_MODALITY_IN || id == ANSWER_MODALITY_OUT)
		*is_audio = kind == JSON_IS_STRING && !strcmp(text, "AUDIO");
	else if (*is_audio && kind == JSON_IS_NUMBER)
		usage_slots_usage_set(&answer->slots, slot, text);
}

void answer_take_value(void *arg, int id, enum json_kind kind, const char *key, const char *text,
		       bool is_cut)
{
	struct answer *answer = arg;

	(void)key;
	(void)is_cut;
	if (id < SLOTS || id >= ITERATION_SLOT) {
		if (kind == JSON_IS_NUMBER && id < SLOTS)
			usage_slots_usage_set(&answer->slots, id, text);
		else if (kind == JSON_IS_NUMBER)
			usage_slots_usage_set(&answer->iteration, id - ITERATION_SLOT, text);
		return;
	}
	switch (id) {
	case ANSWER_MODEL:
		set_string(answer->model, sizeof(answer->model), kind, text);
		break;
	case ANSWER_TIER:
		set_string(answer->tier, sizeof(answer->tier), kind, text);
		break;
	case ANSWER_SPEED:
		set_string(answer->speed, sizeof(answer->speed), kind, text);
		break;
	case ANSWER_GEO:
		set_string(answer->geo, sizeof(answer->geo), kind, text);
		break;
	case ANSWER_COST_USD:
		if (kind == JSON_IS_NUMBER)
			set_cost(answer, text, 9);
		break;
	case ANSWER_COST_TICKS:
		if (kind == JSON_IS_NUMBER)
			set_cost(answer, text, -1);
		break;
	case ANSWER_ERROR:
		answer->has_error |= kind == JSON_IS_BEGIN || kind == JSON_IS_STRING;
		break;
	case ANSWER_ITEM:
		if (kind == JSON_IS_STRING && !strcmp(text, "web_search_call"))
			answer->searches++;
		break;
	case ANSWER_ITERATION:
		take_iteration(answer, kind);
		break;
	case ITERATION_TYPE:
		set_string(answer->iteration_type, sizeof(answer->iteration_type), kind, text);
		break;
	case ITERATION_MODEL:
		set_string(answer->iteration_model, sizeof(answer->iteration_model), kind, text);
		break;
	case ANSWER_MODALITY_IN:
	case ANSWER_MODALITY_OUT:
	case ANSWER_COUNT_IN:
	case ANSWER_COUNT_OUT:
		take_modality(answer, id, kind, text);
		break;
	}
}

void answer_end_document(struct answer *answer)
{
	if (answer->searches) {
		answer->slots.slots[SLOT_SEARCHES] = answer->searches;
		answer->slots.has |= 1u << SLOT_SEARCHES;
	}
	answer->searches = 0;
	answer->has_iterations = false;
}

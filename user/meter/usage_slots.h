/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Usage as a provider writes it, before its classes are made disjoint. What is wanted of an answer
 * is a tree of keys a dialect, in usage.c; each number goes to a slot, where a later one wins.
 */
#ifndef METER_USAGE_SLOTS_H
#define METER_USAGE_SLOTS_H

#include "base/json.h"
#include "meter/provider.h"
#include "meter/usage.h"

enum slot {
	SLOT_NONE, /* 0 is "not wanted" to the JSON scanner */
	SLOT_INPUT,
	SLOT_CACHE_READ,
	SLOT_CACHE_MISS, /* DeepSeek: input less the cached part */
	SLOT_WRITE,      /* written to a cache, all times together */
	SLOT_WRITE_5M,
	SLOT_WRITE_1H,
	SLOT_OUTPUT,
	SLOT_REASONING,
	SLOT_AUDIO_IN,
	SLOT_AUDIO_OUT,
	SLOT_SEARCHES,
	SLOT_TOOL_PROMPT, /* Gemini: input beside the prompt */
	SLOT_TOTAL,
	SLOTS,
	/* Not numbers of tokens. */
	ANSWER_MODEL = SLOTS,
	ANSWER_TIER,
	ANSWER_SPEED,      /* Anthropic: "fast" */
	ANSWER_GEO,        /* Anthropic: inference_geo */
	ANSWER_COST_USD,   /* OpenRouter, Perplexity */
	ANSWER_COST_TICKS, /* xAI: 10^10 a dollar */
	ANSWER_ERROR,
	ANSWER_TYPE,        /* of an event */
	ANSWER_ITEM,        /* type of an output item: web_search_call */
	ANSWER_MODALITY_IN, /* Gemini: of the count that follows or precedes */
	ANSWER_COUNT_IN,
	ANSWER_MODALITY_OUT,
	ANSWER_COUNT_OUT,
	ANSWER_ITERATION, /* one attempt of Anthropic's iterations[], with its own slots */
	ITERATION_TYPE,
	ITERATION_MODEL,
	ITERATION_SLOT, /* + enum slot */
	ANSWER_IDS = ITERATION_SLOT + SLOTS,
};

/* A thousand million: no model takes or gives as much in one call; a larger number is no usage. */
#define USAGE_PLAUSIBLE 1000000000ULL

struct usage_slots_usage {
	uint64_t slots[SLOTS];
	uint32_t has; /* bit of each slot that was told */
	bool is_implausible;
};

/* The keys wanted in answers of a dialect, whether one body or one event of a stream. */
const struct json_node *usage_keys(enum dialect dialect);
/* Keys wanted in any request: REQUEST_... */
const struct json_node *request_keys(void);
enum request_id {
	REQUEST_MODEL = 1,
	REQUEST_STREAM,
	REQUEST_INCLUDE_USAGE,
	REQUEST_ROLE,
	REQUEST_TOOL
};

/* A number as written goes to a slot. */
void usage_slots_usage_set(struct usage_slots_usage *slots, enum slot slot, const char *text);
/* False: nothing usable was told. */
bool usage_slots_usage_settle(const struct usage_slots_usage *slots, enum dialect dialect,
			      struct usage *ret);

#endif

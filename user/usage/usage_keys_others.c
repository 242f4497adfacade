/* SPDX-License-Identifier: Apache-2.0 */
/* Where dialects of one provider each keep their counts. */
#include "usage/usage_keys.h"

/* Deepgram: what was heard, and by which model. */
static const struct json_node deepgram_model[] = {
	{ "arch", .id = ANSWER_MODEL },
	{ 0 },
};
static const struct json_node deepgram_models[] = {
	{ "*", .in = deepgram_model },
	{ 0 },
};
static const struct json_node deepgram_metadata[] = {
	{ "duration", .id = ANSWER_SECONDS },
	{ "channels", .id = ANSWER_CHANNELS },
	{ "model_info", .in = deepgram_models },
	{ 0 },
};
const struct json_node usage_deepgram_answer[] = {
	{ "metadata", .in = deepgram_metadata },
	/* Live: where what was heard begins and how long it is, and a summary at the end. */
	{ "start", .id = ANSWER_START },
	{ "duration", .id = ANSWER_SECONDS },
	{ "channels", .id = ANSWER_CHANNELS },
	{ "model_info", .in = deepgram_models },
	{ 0 },
};

/* Ollama */
const struct json_node usage_ollama_answer[] = {
	{ "model", .id = ANSWER_MODEL },
	{ "prompt_eval_count", .id = SLOT_INPUT },
	{ "eval_count", .id = SLOT_OUTPUT },
	{ "error", .id = ANSWER_ERROR },
	{ 0 },
};

/*
 * Vercel's SDK: numbers up to its second version, from its third on objects (@ai-sdk/provider, LanguageModelV3Usage).
 * The gateway's own figure is in dollars, as a string, and 0 where the customer's own key paid.
 */
static const struct json_node sdk_input[] = {
	{ "total", .id = SLOT_INPUT },
	{ "cacheRead", .id = SLOT_CACHE_READ },
	{ "cacheWrite", .id = SLOT_WRITE },
	{ 0 },
};
static const struct json_node sdk_output[] = {
	{ "total", .id = SLOT_OUTPUT },
	{ "reasoning", .id = SLOT_REASONING },
	{ 0 },
};
static const struct json_node sdk_usage[] = {
	{ "inputTokens", .id = SLOT_INPUT, .in = sdk_input },
	{ "outputTokens", .id = SLOT_OUTPUT, .in = sdk_output },
	{ "cachedInputTokens", .id = SLOT_CACHE_READ },
	{ "reasoningTokens", .id = SLOT_REASONING },
	{ "tokens", .id = SLOT_INPUT }, /* of embeddings */
	{ 0 },
};
static const struct json_node sdk_cost[] = {
	{ "cost", .id = ANSWER_COST_PAID },
	{ 0 },
};
static const struct json_node sdk_gateway[] = {
	{ "gateway", .in = sdk_cost },
	{ 0 },
};
const struct json_node usage_sdk_answer[] = {
	{ "type", .id = ANSWER_TYPE },
	{ "usage", .in = sdk_usage },
	{ "providerMetadata", .in = sdk_gateway },
	{ "images", .id = ANSWER_IMAGE },
	{ "error", .id = ANSWER_ERROR },
	{ 0 },
};

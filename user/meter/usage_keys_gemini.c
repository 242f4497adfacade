/* SPDX-License-Identifier: Apache-2.0 */
/* Where Gemini and Vertex keep their counts: docs/facts/wire.md, "Gemini and Vertex AI". */
#include "meter/usage_keys.h"

static const struct json_node gemini_count[] = {
	{ "modality", ANSWER_MODALITY, NULL, false },
	{ "tokenCount", ANSWER_MODALITY_COUNT, NULL, false },
	{ "tokens", ANSWER_MODALITY_COUNT, NULL, false },
	END,
};
const struct json_node usage_gemini_usage[] = {
	{ "promptTokenCount", SLOT_INPUT, NULL, false },
	{ "cachedContentTokenCount", SLOT_CACHE_READ, NULL, false },
	{ "candidatesTokenCount", SLOT_OUTPUT, NULL, false },
	{ "responseTokenCount", SLOT_OUTPUT, NULL, false },
	{ "thoughtsTokenCount", SLOT_REASONING, NULL, false },
	{ "toolUsePromptTokenCount", SLOT_TOOL_PROMPT, NULL, false },
	{ "totalTokenCount", SLOT_TOTAL, NULL, false },
	{ "promptTokensDetails", ANSWER_DETAIL_PROMPT, gemini_count, false },
	{ "cacheTokensDetails", ANSWER_DETAIL_CACHE, gemini_count, false },
	{ "candidatesTokensDetails", ANSWER_DETAIL_OUTPUT, gemini_count, false },
	{ "responseTokensDetails", ANSWER_DETAIL_OUTPUT, gemini_count, false },
	{ "serviceTier", ANSWER_TIER, NULL, false },
	{ "trafficType", ANSWER_TRAFFIC, NULL, false },
	END,
};
static const struct json_node gemini_interaction[] = {
	{ "total_input_tokens", SLOT_INPUT, NULL, false },
	{ "total_cached_tokens", SLOT_CACHE_READ, NULL, false },
	{ "total_output_tokens", SLOT_OUTPUT, NULL, false },
	{ "total_thought_tokens", SLOT_REASONING, NULL, false },
	{ "total_tool_use_tokens", SLOT_TOOL_PROMPT, NULL, false },
	{ "input_tokens_by_modality", ANSWER_DETAIL_PROMPT, gemini_count, false },
	{ "cached_tokens_by_modality", ANSWER_DETAIL_CACHE, gemini_count, false },
	{ "output_tokens_by_modality", ANSWER_DETAIL_OUTPUT, gemini_count, false },
	END,
};
static const struct json_node gemini_found[] = {
	{ "web", ANSWER_GROUNDED, NULL, false },
	{ "maps", ANSWER_GROUNDED, NULL, false },
	END,
};
static const struct json_node gemini_grounding[] = {
	{ "webSearchQueries", ANSWER_GROUNDING, NULL, false },
	{ "groundingChunks", 0, gemini_found, false },
	END,
};
const struct json_node usage_gemini_candidate[] = {
	{ "groundingMetadata", 0, gemini_grounding, false },
	END,
};
/* Vertex's predict: images, and texts of which each has its count. */
static const struct json_node predict_statistics[] = {
	{ "token_count", ANSWER_EMBEDDED, NULL, false },
	END,
};
static const struct json_node predict_embeddings[] = {
	{ "statistics", 0, predict_statistics, false },
	END,
};
static const struct json_node predictions[] = {
	{ "bytesBase64Encoded", ANSWER_IMAGE, NULL, false },
	{ "gcsUri", ANSWER_IMAGE, NULL, false },
	{ "embeddings", 0, predict_embeddings, false },
	END,
};
const struct json_node usage_gemini_answer[] = {
	{ "predictions", 0, predictions, false },
	{ "modelVersion", ANSWER_MODEL, NULL, false },
	{ "model", ANSWER_MODEL, NULL, false },
	{ "candidates", 0, usage_gemini_candidate, false },
	{ "usageMetadata", 0, usage_gemini_usage, false },
	{ "usage", 0, gemini_interaction, false },
	{ "error", ANSWER_ERROR, NULL, false },
	END,
};

/* SPDX-License-Identifier: Apache-2.0 */
/* Where Gemini and Vertex keep their counts: docs/facts/wire.md, "Gemini and Vertex AI". */
#include "usage/usage_keys.h"

static const struct json_node gemini_count[] = {
	{ "modality", .id = ANSWER_MODALITY },
	{ "tokenCount", .id = ANSWER_MODALITY_COUNT },
	{ "tokens", .id = ANSWER_MODALITY_COUNT },
	{ 0 },
};
const struct json_node usage_gemini_usage[] = {
	{ "promptTokenCount", .id = SLOT_INPUT },
	{ "cachedContentTokenCount", .id = SLOT_CACHE_READ },
	{ "candidatesTokenCount", .id = SLOT_OUTPUT },
	{ "responseTokenCount", .id = SLOT_OUTPUT },
	{ "thoughtsTokenCount", .id = SLOT_REASONING },
	{ "toolUsePromptTokenCount", .id = SLOT_TOOL_PROMPT },
	{ "totalTokenCount", .id = SLOT_TOTAL },
	{ "promptTokensDetails", .id = ANSWER_DETAIL_PROMPT, .in = gemini_count },
	{ "cacheTokensDetails", .id = ANSWER_DETAIL_CACHE, .in = gemini_count },
	{ "candidatesTokensDetails", .id = ANSWER_DETAIL_OUTPUT, .in = gemini_count },
	{ "responseTokensDetails", .id = ANSWER_DETAIL_OUTPUT, .in = gemini_count },
	{ "serviceTier", .id = ANSWER_TIER },
	{ "trafficType", .id = ANSWER_TRAFFIC },
	{ 0 },
};
static const struct json_node gemini_interaction[] = {
	{ "total_input_tokens", .id = SLOT_INPUT },
	{ "total_cached_tokens", .id = SLOT_CACHE_READ },
	{ "total_output_tokens", .id = SLOT_OUTPUT },
	{ "total_thought_tokens", .id = SLOT_REASONING },
	{ "total_tool_use_tokens", .id = SLOT_TOOL_PROMPT },
	{ "input_tokens_by_modality", .id = ANSWER_DETAIL_PROMPT, .in = gemini_count },
	{ "cached_tokens_by_modality", .id = ANSWER_DETAIL_CACHE, .in = gemini_count },
	{ "output_tokens_by_modality", .id = ANSWER_DETAIL_OUTPUT, .in = gemini_count },
	{ 0 },
};
/* An interaction, inside of the last event of its stream. */
static const struct json_node gemini_last[] = {
	{ "id", .id = ANSWER_ID },
	{ "status", .id = ANSWER_STATUS },
	{ "model", .id = ANSWER_MODEL },
	{ "usage", .in = gemini_interaction },
	{ 0 },
};
static const struct json_node gemini_found[] = {
	{ "web", .id = ANSWER_GROUNDED },
	{ "maps", .id = ANSWER_MAPPED },
	{ 0 },
};
static const struct json_node gemini_grounding[] = {
	{ "webSearchQueries", .id = ANSWER_GROUNDING },
	{ "groundingChunks", .in = gemini_found },
	{ 0 },
};
const struct json_node usage_gemini_candidate[] = {
	{ "groundingMetadata", .in = gemini_grounding },
	{ 0 },
};
/* Vertex's predict: images, and texts of which each has its count. */
static const struct json_node predict_statistics[] = {
	{ "token_count", .id = ANSWER_EMBEDDED },
	{ 0 },
};
static const struct json_node predict_embeddings[] = {
	{ "statistics", .in = predict_statistics },
	{ 0 },
};
static const struct json_node predictions[] = {
	{ "bytesBase64Encoded", .id = ANSWER_IMAGE },
	{ "gcsUri", .id = ANSWER_IMAGE },
	{ "embeddings", .in = predict_embeddings },
	{ 0 },
};
/* Of a batch: answers inside of its own, or lines of a file. */
static const struct json_node gemini_inlined[] = {
	{ "response", .in = usage_gemini_answer },
	{ 0 },
};
static const struct json_node gemini_inlined_list[] = {
	{ "inlinedResponses", .id = ANSWER_LINE, .in = gemini_inlined },
	{ 0 },
};
static const struct json_node gemini_batch[] = {
	{ "inlinedResponses", .in = gemini_inlined_list },
	{ "modelVersion", .id = ANSWER_MODEL },
	{ "responseId", .id = ANSWER_ID },
	{ "usageMetadata", .in = usage_gemini_usage },
	{ "candidates", .in = usage_gemini_candidate },
	{ 0 },
};
const struct json_node usage_gemini_answer[] = {
	{ "response", .in = gemini_batch },
	{ "predictions", .in = predictions },
	{ "modelVersion", .id = ANSWER_MODEL },
	{ "model", .id = ANSWER_MODEL },
	{ "candidates", .in = usage_gemini_candidate },
	{ "usageMetadata", .in = usage_gemini_usage },
	{ "id", .id = ANSWER_ID },
	{ "responseId", .id = ANSWER_ID },
	{ "status", .id = ANSWER_STATUS },
	{ "usage", .in = gemini_interaction },
	{ "interaction", .in = gemini_last },
	{ "error", .id = ANSWER_ERROR },
	{ 0 },
};

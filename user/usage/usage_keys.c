/* SPDX-License-Identifier: Apache-2.0 */
/* Where each dialect keeps its counts: docs/facts/wire.md, "Token classes". */
#include <string.h>

#include "base/cleanup.h"
#include "usage/usage_keys.h"

/* OpenAI's shape with all additions: docs/facts/wire.md, "OpenAI-compatible providers". */
static const struct json_node openai_cached[] = {
	{ "audio_tokens", .id = SLOT_READ_AUDIO },
	{ "image_tokens", .id = SLOT_READ_IMAGE },
	{ 0 },
};
static const struct json_node openai_input[] = {
	{ "cached_tokens", .id = SLOT_CACHE_READ },
	{ "cache_write_tokens", .id = SLOT_WRITE_5M },
	{ "audio_tokens", .id = SLOT_AUDIO_IN },
	{ "image_tokens", .id = SLOT_IMAGE_IN },
	{ "cached_tokens_details", .in = openai_cached },
	{ 0 },
};
static const struct json_node openai_output[] = {
	{ "reasoning_tokens", .id = SLOT_REASONING },
	{ "audio_tokens", .id = SLOT_AUDIO_OUT },
	{ "image_tokens", .id = SLOT_IMAGE_OUT },
	{ "video_tokens", .id = SLOT_VIDEO_OUT },
	{ 0 },
};
static const struct json_node openrouter_cost[] = {
	{ "upstream_inference_cost", .id = ANSWER_UPSTREAM_COST },
	{ 0 },
};
/* As Anthropic counts them, and OpenRouter in OpenAI's shape. */
static const struct json_node server_tools[] = {
	{ "web_search_requests", .id = SLOT_SEARCHES },
	{ 0 },
};
static const struct json_node perplexity_cost[] = {
	{ "total_cost", .id = ANSWER_COST_USD },
	{ 0 },
};
static const struct json_node openai_usage[] = {
	{ "prompt_tokens", .id = SLOT_INPUT },
	{ "input_tokens", .id = SLOT_INPUT },
	{ "completion_tokens", .id = SLOT_OUTPUT },
	{ "output_tokens", .id = SLOT_OUTPUT },
	{ "total_tokens", .id = SLOT_TOTAL },
	{ "prompt_tokens_details", .in = openai_input },
	{ "input_tokens_details", .in = openai_input },
	{ "input_token_details", .in = openai_input },
	{ "completion_tokens_details", .in = openai_output },
	{ "output_tokens_details", .in = openai_output },
	{ "output_token_details", .in = openai_output },
	{ "prompt_cache_hit_tokens", .id = SLOT_CACHE_READ },
	{ "prompt_cache_miss_tokens", .id = SLOT_CACHE_MISS },
	{ "num_cached_tokens", .id = SLOT_CACHE_READ },
	{ "cached_tokens", .id = SLOT_CACHE_READ }, /* Moonshot */
	{ "reasoning_tokens", .id = SLOT_REASONING },
	{ "num_search_queries", .id = SLOT_SEARCHES },
	{ "search_context_size", .id = ANSWER_CONTEXT },
	{ "num_sources_used", .id = SLOT_SEARCHES }, /* xAI */
	{ "citation_tokens", .id = SLOT_CITATIONS },
	{ "server_tool_use", .in = server_tools },
	/* Transcription by the second, whole or not; Mistral's OCR by the page. */
	{ "seconds", .id = ANSWER_SECONDS },
	{ "prompt_audio_seconds", .id = ANSWER_SECONDS },
	{ "pages_processed", .id = SLOT_PAGES },
	{ "search_units", .id = SLOT_QUERIES },
	{ "total_characters", .id = SLOT_CHARACTERS },
	{ "is_byok", .id = ANSWER_IS_BYOK },
	{ "cost_details", .in = openrouter_cost },
	{ "cost", .id = ANSWER_COST_USD, .in = perplexity_cost },
	{ "estimated_cost", .id = ANSWER_COST_USD }, /* DeepInfra */
	{ "cost_in_usd_ticks", .id = ANSWER_COST_TICKS },
	{ 0 },
};
static const struct json_node groq_extra[] = {
	{ "usage", .in = openai_usage },
	{ 0 },
};
static const struct json_node action[] = {
	{ "type", .id = ANSWER_ACTION },
	{ 0 },
};
static const struct json_node item[] = {
	{ "type", .id = ANSWER_ITEM },
	{ "status", .id = ANSWER_ITEM_STATUS },
	{ "action", .in = action },
	{ 0 },
};
static const struct json_node error_inner[] = {
	{ "code", .id = ANSWER_ERROR_CODE },
	{ 0 },
};
static const struct json_node error_keys[] = {
	{ "code", .id = ANSWER_ERROR_CODE },
	{ "innererror", .in = error_inner },
	{ "inner_error", .in = error_inner },
	{ 0 },
};
/* What an image tool inside a Responses call used, at the image model's price. */
static const struct json_node tool_input[] = {
	{ "image_tokens", .id = ITERATION_SLOT + SLOT_IMAGE_IN },
	{ "cached_tokens", .id = ITERATION_SLOT + SLOT_CACHE_READ },
	{ 0 },
};
static const struct json_node tool_output[] = {
	{ "image_tokens", .id = ITERATION_SLOT + SLOT_IMAGE_OUT },
	{ 0 },
};
static const struct json_node image_tool[] = {
	{ "input_tokens", .id = ITERATION_SLOT + SLOT_INPUT },
	{ "output_tokens", .id = ITERATION_SLOT + SLOT_OUTPUT },
	{ "input_tokens_details", .in = tool_input },
	{ "output_tokens_details", .in = tool_output },
	{ 0 },
};
static const struct json_node tool_usage[] = {
	{ "image_gen", .id = ANSWER_TOOL_USAGE, .in = image_tool },
	{ 0 },
};
static const struct json_node tools[] = {
	{ "model", .id = ANSWER_TOOL_MODEL },
	{ "type", .id = ANSWER_TOOL_TYPE },
	{ 0 },
};
static const struct json_node images[] = {
	{ "b64_json", .id = ANSWER_IMAGE },
	{ "url", .id = ANSWER_IMAGE },
	{ 0 },
};
/* Cohere: billed_units is the bill, `tokens` beside it is what was processed. */
static const struct json_node cohere_units[] = {
	{ "input_tokens", .id = SLOT_INPUT },
	{ "output_tokens", .id = SLOT_OUTPUT },
	{ "search_units", .id = SLOT_QUERIES },
	{ "images", .id = SLOT_IMAGES }, /* that were embedded */
	{ 0 },
};
static const struct json_node cohere_usage[] = {
	{ "billed_units", .in = cohere_units },
	{ 0 },
};
/* A line of a batch's output file. */
static const struct json_node openai_body[] = {
	{ "model", .id = ANSWER_MODEL },
	{ "usage", .in = openai_usage },
	{ "output", .id = ANSWER_OUTPUT, .in = item },
	{ 0 },
};
static const struct json_node openai_response[] = {
	{ "body", .in = openai_body },
	{ "id", .id = ANSWER_ID },
	{ "status", .id = ANSWER_STATUS },
	{ "background", .id = ANSWER_BACKGROUND },
	{ "model", .id = ANSWER_MODEL },
	{ "service_tier", .id = ANSWER_TIER },
	{ "usage", .in = openai_usage },
	{ "tool_usage", .in = tool_usage },
	{ "tools", .in = tools },
	{ "output", .id = ANSWER_OUTPUT, .in = item },
	{ "error", .id = ANSWER_ERROR, .in = error_keys },
	{ 0 },
};
/* DeepInfra's own shape; MiniMax's. */
static const struct json_node deepinfra_status[] = {
	{ "cost", .id = ANSWER_COST_USD },
	{ "tokens_input", .id = SLOT_INPUT },
	{ "tokens_generated", .id = SLOT_OUTPUT },
	{ 0 },
};
static const struct json_node minimax_extra[] = {
	{ "usage_characters", .id = SLOT_CHARACTERS },
	{ 0 },
};
static const struct json_node minimax_result[] = {
	{ "status_code", .id = ANSWER_RESULT },
	{ 0 },
};
/* Groq's systems of several models, each at its own price; the usage beside it is their sum. */
static const struct json_node breakdown_usage[] = {
	{ "prompt_tokens", .id = ITERATION_SLOT + SLOT_INPUT },
	{ "completion_tokens", .id = ITERATION_SLOT + SLOT_OUTPUT },
	{ 0 },
};
static const struct json_node breakdown_part[] = {
	{ "model", .id = ITERATION_MODEL },
	{ "usage", .in = breakdown_usage },
	{ 0 },
};
static const struct json_node breakdown[] = {
	{ "models", .id = ANSWER_BREAKDOWN, .in = breakdown_part },
	{ 0 },
};
static const struct json_node openai_answer[] = {
	{ "type", .id = ANSWER_TYPE },
	{ "output_file_id", .id = ANSWER_OUTPUT_FILE },
	{ "output_file", .id = ANSWER_OUTPUT_FILE }, /* Mistral */
	{ "id", .id = ANSWER_ID },
	{ "status", .id = ANSWER_STATUS },
	{ "background", .id = ANSWER_BACKGROUND },
	{ "model", .id = ANSWER_MODEL },
	{ "service_tier", .id = ANSWER_TIER },
	{ "usage", .in = openai_usage },
	{ "usage_info", .in = openai_usage }, /* Mistral's OCR */
	{ "x_groq", .in = groq_extra },
	{ "response", .in = openai_response },
	{ "output", .id = ANSWER_OUTPUT, .in = item },
	{ "outputs", .id = ANSWER_OUTPUT, .in = item }, /* Mistral's conversations */
	{ "tool_usage", .in = tool_usage },
	{ "tools", .in = tools },
	{ "data", .in = images },
	{ "images", .in = images },
	{ "duration", .id = ANSWER_SECONDS },                 /* verbose_json of a transcription */
	{ "audio_duration", .id = ANSWER_SECONDS },           /* AssemblyAI's */
	{ "audio_duration_secs", .id = ANSWER_SECONDS },      /* ElevenLabs' */
	{ "session_duration_seconds", .id = ANSWER_SECONDS }, /* AssemblyAI's, live */
	{ "speech_model", .id = ANSWER_MODEL },
	{ "model_id", .id = ANSWER_MODEL }, /* IBM's */
	{ "inference_status", .in = deepinfra_status },
	{ "extra_info", .in = minimax_extra },
	{ "base_resp", .in = minimax_result },
	{ "usage_breakdown", .in = breakdown },
	{ "seconds", .id = ANSWER_SECONDS }, /* of a video */
	{ "size", .id = ANSWER_SIZE },
	{ "quality", .id = ANSWER_QUALITY },
	{ "meta", .in = cohere_usage }, /* Cohere's reranker at Azure */
	{ "error", .id = ANSWER_ERROR, .in = error_keys },
	{ 0 },
};

/* Anthropic */
static const struct json_node anthropic_creation[] = {
	{ "ephemeral_5m_input_tokens", .id = SLOT_WRITE_5M },
	{ "ephemeral_1h_input_tokens", .id = SLOT_WRITE_1H },
	{ 0 },
};
static const struct json_node anthropic_output[] = {
	{ "thinking_tokens", .id = SLOT_REASONING },
	{ 0 },
};
static const struct json_node iteration_creation[] = {
	{ "ephemeral_5m_input_tokens", .id = ITERATION_SLOT + SLOT_WRITE_5M },
	{ "ephemeral_1h_input_tokens", .id = ITERATION_SLOT + SLOT_WRITE_1H },
	{ 0 },
};
static const struct json_node iteration[] = {
	{ "type", .id = ITERATION_TYPE },
	{ "model", .id = ITERATION_MODEL },
	{ "input_tokens", .id = ITERATION_SLOT + SLOT_INPUT },
	{ "output_tokens", .id = ITERATION_SLOT + SLOT_OUTPUT },
	{ "cache_read_input_tokens", .id = ITERATION_SLOT + SLOT_CACHE_READ },
	{ "cache_creation_input_tokens", .id = ITERATION_SLOT + SLOT_WRITE },
	{ "cache_creation", .in = iteration_creation },
	{ 0 },
};
static const struct json_node anthropic_usage[] = {
	{ "input_tokens", .id = SLOT_INPUT },
	{ "output_tokens", .id = SLOT_OUTPUT },
	{ "cache_read_input_tokens", .id = SLOT_CACHE_READ },
	{ "cache_creation_input_tokens", .id = SLOT_WRITE },
	{ "cache_creation", .in = anthropic_creation },
	{ "output_tokens_details", .in = anthropic_output },
	{ "server_tool_use", .in = server_tools },
	{ "service_tier", .id = ANSWER_TIER },
	{ "speed", .id = ANSWER_SPEED },
	{ "inference_geo", .id = ANSWER_GEO },
	{ "iterations", .id = ANSWER_ITERATION, .in = iteration },
	/* OpenRouter serves this dialect too. */
	{ "cost", .id = ANSWER_COST_USD },
	{ "is_byok", .id = ANSWER_IS_BYOK },
	{ "cost_details", .in = openrouter_cost },
	{ 0 },
};
static const struct json_node block[] = {
	{ "type", .id = ANSWER_BLOCK },
	{ 0 },
};
static const struct json_node anthropic_message[] = {
	{ "id", .id = ANSWER_ID },          { "model", .id = ANSWER_MODEL },
	{ "content", .in = block },         { "stop_reason", .id = ANSWER_STOP },
	{ "usage", .in = anthropic_usage }, { 0 },
};
/* A line of a batch's results. */
static const struct json_node anthropic_result[] = {
	{ "message", .in = anthropic_message },
	{ 0 },
};
static const struct json_node anthropic_delta[] = {
	{ "stop_reason", .id = ANSWER_STOP },
	{ 0 },
};
static const struct json_node anthropic_answer[] = {
	{ "type", .id = ANSWER_TYPE },
	{ "id", .id = ANSWER_ID },
	{ "model", .id = ANSWER_MODEL },
	{ "content", .in = block },
	{ "stop_reason", .id = ANSWER_STOP },
	{ "delta", .in = anthropic_delta },
	{ "usage", .in = anthropic_usage },
	{ "message", .in = anthropic_message },
	{ "result", .in = anthropic_result },
	{ "error", .id = ANSWER_ERROR },
	{ 0 },
};

static const struct json_node cohere_inner[] = {
	{ "usage", .in = cohere_usage },
	{ "meta", .in = cohere_usage },
	{ 0 },
};
static const struct json_node cohere_answer[] = {
	{ "type", .id = ANSWER_TYPE },      { "usage", .in = cohere_usage },
	{ "meta", .in = cohere_usage },     { "delta", .in = cohere_inner },
	{ "response", .in = cohere_inner }, { 0 },
};

/* Bedrock */
static const struct json_node bedrock_tools[] = {
	{ "webSearchRequests", .id = SLOT_SEARCHES },
	{ 0 },
};
static const struct json_node bedrock_written[] = {
	{ "ttl", .id = ANSWER_MODALITY },
	{ "inputTokens", .id = ANSWER_MODALITY_COUNT },
	{ 0 },
};
static const struct json_node bedrock_usage[] = {
	{ "inputTokens", .id = SLOT_INPUT },
	{ "outputTokens", .id = SLOT_OUTPUT },
	{ "cacheReadInputTokens", .id = SLOT_CACHE_READ },
	{ "cacheWriteInputTokens", .id = SLOT_WRITE },
	/* Nova's own answers */
	{ "cacheReadInputTokenCount", .id = SLOT_CACHE_READ },
	{ "cacheWriteInputTokenCount", .id = SLOT_WRITE },
	{ "cacheDetails", .id = ANSWER_DETAIL_WRITTEN, .in = bedrock_written },
	{ "serverToolUsage", .in = bedrock_tools },
	{ 0 },
};
static const struct json_node bedrock_tier[] = {
	{ "type", .id = ANSWER_TIER },
	{ 0 },
};
/* A router names what it chose as an ARN. */
static const struct json_node bedrock_router[] = {
	{ "invokedModelId", .id = ANSWER_MODEL },
	{ 0 },
};
static const struct json_node bedrock_trace[] = {
	{ "promptRouter", .in = bedrock_router },
	{ 0 },
};
static const struct json_node bedrock_answer[] = {
	{ "usage", .in = bedrock_usage },
	{ "trace", .in = bedrock_trace },
	{ "serviceTier", .in = bedrock_tier },
	{ 0 },
};

/* Every name of the above that stands under "usage", and what models of Bedrock call it themselves. */
static const struct json_node any_usage[] = {
	{ "prompt_tokens", .id = SLOT_INPUT },
	{ "input_tokens", .id = SLOT_INPUT },
	{ "inputTokens", .id = SLOT_INPUT },
	{ "completion_tokens", .id = SLOT_OUTPUT },
	{ "output_tokens", .id = SLOT_OUTPUT },
	{ "outputTokens", .id = SLOT_OUTPUT },
	{ "total_tokens", .id = SLOT_TOTAL },
	{ "prompt_tokens_details", .in = openai_input },
	{ "input_tokens_details", .in = openai_input },
	{ "completion_tokens_details", .in = openai_output },
	{ "output_tokens_details", .in = openai_output },
	{ "cache_read_input_tokens", .id = SLOT_CACHE_READ },
	{ "cache_creation_input_tokens", .id = SLOT_WRITE },
	{ "cache_creation", .in = anthropic_creation },
	{ "server_tool_use", .in = server_tools },
	{ "service_tier", .id = ANSWER_TIER },
	{ "speed", .id = ANSWER_SPEED },
	{ "iterations", .id = ANSWER_ITERATION, .in = iteration },
	{ "cacheReadInputTokens", .id = SLOT_CACHE_READ },
	{ "cacheWriteInputTokens", .id = SLOT_WRITE },
	{ "cacheReadInputTokenCount", .id = SLOT_CACHE_READ },
	{ "cacheWriteInputTokenCount", .id = SLOT_WRITE },
	{ "cacheDetails", .id = ANSWER_DETAIL_WRITTEN, .in = bedrock_written },
	{ "billed_units", .in = cohere_units },
	{ 0 },
};
static const struct json_node bedrock_metrics[] = {
	{ "inputTokenCount", .id = SLOT_INPUT },
	{ "outputTokenCount", .id = SLOT_OUTPUT },
	{ "cacheReadInputTokenCount", .id = SLOT_CACHE_READ },
	{ "cacheWriteInputTokenCount", .id = SLOT_WRITE },
	{ 0 },
};
static const struct json_node any_inner[] = {
	{ "model", .id = ANSWER_MODEL },      { "content", .in = block },
	{ "stop_reason", .id = ANSWER_STOP }, { "usage", .in = any_usage },
	{ "meta", .in = cohere_usage },       { 0 },
};
static const struct json_node titan_result[] = {
	{ "tokenCount", .id = SLOT_OUTPUT },
	/* IBM's */
	{ "generated_token_count", .id = SLOT_OUTPUT },
	{ "input_token_count", .id = SLOT_INPUT },
	{ 0 },
};
/* Replicate: models that are billed by token, and those that are by the second of their hardware */
static const struct json_node replicate_metrics[] = {
	{ "input_token_count", .id = SLOT_INPUT }, { "output_token_count", .id = SLOT_OUTPUT },
	{ "token_input_count", .id = SLOT_INPUT }, { "token_output_count", .id = SLOT_OUTPUT },
	{ "predict_time", .id = ANSWER_SECONDS },  { 0 },
};
static const struct json_node any_answer[] = {
	{ "metrics", .in = replicate_metrics },
	{ "status", .id = ANSWER_STATUS },
	{ "type", .id = ANSWER_TYPE },
	{ "model", .id = ANSWER_MODEL },
	{ "model_id", .id = ANSWER_MODEL }, /* IBM's */
	{ "modelVersion", .id = ANSWER_MODEL },
	{ "service_tier", .id = ANSWER_TIER },
	{ "content", .in = block },
	{ "stop_reason", .id = ANSWER_STOP },
	{ "usage", .in = any_usage },
	{ "usage_info", .in = openai_usage },
	{ "message", .in = any_inner },
	{ "delta", .in = any_inner },
	{ "response", .in = any_inner },
	{ "result", .in = any_inner },   /* Cloudflare's Workers AI */
	{ "metadata", .in = any_inner }, /* Nova's streams */
	{ "meta", .in = cohere_usage },
	{ "candidates", .in = usage_gemini_candidate },
	{ "usageMetadata", .in = usage_gemini_usage },
	{ "images", .id = ANSWER_IMAGE, .in = images }, /* Nova Canvas, Stability */
	{ "amazon-bedrock-invocationMetrics", .in = bedrock_metrics },
	/* Llama; Titan, as a stream and whole */
	{ "prompt_token_count", .id = SLOT_INPUT },
	{ "generation_token_count", .id = SLOT_OUTPUT },
	{ "inputTextTokenCount", .id = SLOT_INPUT },
	{ "totalOutputTextTokenCount", .id = SLOT_OUTPUT },
	{ "results", .in = titan_result },
	{ "prompt_eval_count", .id = SLOT_INPUT },
	{ "eval_count", .id = SLOT_OUTPUT },
	{ "error", .id = ANSWER_ERROR, .in = error_keys },
	{ 0 },
};

const struct json_node *usage_keys(enum dialect dialect)
{
	static const struct json_node *const keys[] = {
		[DIALECT_NONE] = NULL,
		[DIALECT_ANTHROPIC] = anthropic_answer,
		[DIALECT_OPENAI] = openai_answer,
		[DIALECT_GEMINI] = usage_gemini_answer,
		[DIALECT_COHERE] = cohere_answer,
		[DIALECT_BEDROCK] = bedrock_answer,
		[DIALECT_DEEPGRAM] = usage_deepgram_answer,
		[DIALECT_OLLAMA] = usage_ollama_answer,
		[DIALECT_AI_SDK] = usage_sdk_answer,
		[DIALECT_ANY] = any_answer,
	};

	return keys[dialect];
}

enum dialect usage_dialect_of(const char *key)
{
	static const struct {
		const char *key;
		enum dialect dialect;
	} signs[] = {
		{ "prompt_tokens", DIALECT_OPENAI },
		{ "completion_tokens", DIALECT_OPENAI },
		{ "cached_tokens", DIALECT_OPENAI },
		{ "cache_read_input_tokens", DIALECT_ANTHROPIC },
		{ "cache_creation_input_tokens", DIALECT_ANTHROPIC },
		{ "ephemeral_5m_input_tokens", DIALECT_ANTHROPIC },
		{ "ephemeral_1h_input_tokens", DIALECT_ANTHROPIC },
		{ "promptTokenCount", DIALECT_GEMINI },
		{ "inputTokens", DIALECT_BEDROCK },
		{ "inputTokenCount", DIALECT_BEDROCK },
		{ "prompt_token_count", DIALECT_BEDROCK },
		{ "inputTextTokenCount", DIALECT_BEDROCK },
		{ "input_token_count", DIALECT_BEDROCK },
		{ "prompt_eval_count", DIALECT_OLLAMA },
	};

	for (size_t i = 0; i < ARRAY_SIZE(signs); i++)
		if (!strcmp(signs[i].key, key))
			return signs[i].dialect;
	return DIALECT_NONE;
}

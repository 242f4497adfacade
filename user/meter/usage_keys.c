/* SPDX-License-Identifier: Apache-2.0 */
/* Where each dialect keeps its counts: docs/facts/wire.md, "Token classes". */
#include <string.h>

#include "base/cleanup.h"
#include "meter/usage_keys.h"

/* OpenAI's shape with all additions: docs/facts/wire.md, "OpenAI-compatible providers". */
static const struct json_node openai_cached[] = {
	{ "audio_tokens", SLOT_READ_AUDIO, NULL, false },
	{ "image_tokens", SLOT_READ_IMAGE, NULL, false },
	END,
};
static const struct json_node openai_input[] = {
	{ "cached_tokens", SLOT_CACHE_READ, NULL, false },
	{ "cache_write_tokens", SLOT_WRITE_5M, NULL, false },
	{ "audio_tokens", SLOT_AUDIO_IN, NULL, false },
	{ "image_tokens", SLOT_IMAGE_IN, NULL, false },
	{ "cached_tokens_details", 0, openai_cached, false },
	END,
};
static const struct json_node openai_output[] = {
	{ "reasoning_tokens", SLOT_REASONING, NULL, false },
	{ "audio_tokens", SLOT_AUDIO_OUT, NULL, false },
	{ "image_tokens", SLOT_IMAGE_OUT, NULL, false },
	{ "video_tokens", SLOT_VIDEO_OUT, NULL, false },
	END,
};
static const struct json_node openrouter_cost[] = {
	{ "upstream_inference_cost", ANSWER_UPSTREAM_COST, NULL, false },
	END,
};
static const struct json_node openrouter_tools[] = {
	{ "web_search_requests", SLOT_SEARCHES, NULL, false },
	END,
};
static const struct json_node perplexity_cost[] = {
	{ "total_cost", ANSWER_COST_USD, NULL, false },
	END,
};
static const struct json_node openai_usage[] = {
	{ "prompt_tokens", SLOT_INPUT, NULL, false },
	{ "input_tokens", SLOT_INPUT, NULL, false },
	{ "completion_tokens", SLOT_OUTPUT, NULL, false },
	{ "output_tokens", SLOT_OUTPUT, NULL, false },
	{ "total_tokens", SLOT_TOTAL, NULL, false },
	{ "prompt_tokens_details", 0, openai_input, false },
	{ "input_tokens_details", 0, openai_input, false },
	{ "input_token_details", 0, openai_input, false },
	{ "completion_tokens_details", 0, openai_output, false },
	{ "output_tokens_details", 0, openai_output, false },
	{ "output_token_details", 0, openai_output, false },
	{ "prompt_cache_hit_tokens", SLOT_CACHE_READ, NULL, false },
	{ "prompt_cache_miss_tokens", SLOT_CACHE_MISS, NULL, false },
	{ "num_cached_tokens", SLOT_CACHE_READ, NULL, false },
	{ "cached_tokens", SLOT_CACHE_READ, NULL, false }, /* Moonshot */
	{ "reasoning_tokens", SLOT_REASONING, NULL, false },
	{ "num_search_queries", SLOT_SEARCHES, NULL, false },
	{ "search_context_size", ANSWER_CONTEXT, NULL, false },
	{ "num_sources_used", SLOT_SEARCHES, NULL, false }, /* xAI */
	{ "citation_tokens", SLOT_CITATIONS, NULL, false },
	{ "server_tool_use", 0, openrouter_tools, false },
	/* Transcription by the second, whole or not; Mistral's OCR by the page. */
	{ "seconds", ANSWER_SECONDS, NULL, false },
	{ "prompt_audio_seconds", ANSWER_SECONDS, NULL, false },
	{ "pages_processed", SLOT_PAGES, NULL, false },
	{ "search_units", SLOT_QUERIES, NULL, false },
	{ "total_characters", SLOT_CHARACTERS, NULL, false },
	{ "is_byok", ANSWER_IS_BYOK, NULL, false },
	{ "cost_details", 0, openrouter_cost, false },
	{ "cost", ANSWER_COST_USD, perplexity_cost, false },
	{ "cost_in_usd_ticks", ANSWER_COST_TICKS, NULL, false },
	END,
};
static const struct json_node groq_extra[] = {
	{ "usage", 0, openai_usage, false },
	END,
};
static const struct json_node action[] = {
	{ "type", ANSWER_ACTION, NULL, false },
	END,
};
static const struct json_node item[] = {
	{ "type", ANSWER_ITEM, NULL, false },
	{ "action", 0, action, false },
	END,
};
static const struct json_node error_inner[] = {
	{ "code", ANSWER_ERROR_CODE, NULL, false },
	END,
};
static const struct json_node error_keys[] = {
	{ "code", ANSWER_ERROR_CODE, NULL, false },
	{ "innererror", 0, error_inner, false },
	{ "inner_error", 0, error_inner, false },
	END,
};
/* What an image tool inside a Responses call used, at the image model's price. */
static const struct json_node tool_input[] = {
	{ "image_tokens", ITERATION_SLOT + SLOT_IMAGE_IN, NULL, false },
	{ "cached_tokens", ITERATION_SLOT + SLOT_CACHE_READ, NULL, false },
	END,
};
static const struct json_node tool_output[] = {
	{ "image_tokens", ITERATION_SLOT + SLOT_IMAGE_OUT, NULL, false },
	END,
};
static const struct json_node image_tool[] = {
	{ "input_tokens", ITERATION_SLOT + SLOT_INPUT, NULL, false },
	{ "output_tokens", ITERATION_SLOT + SLOT_OUTPUT, NULL, false },
	{ "input_tokens_details", 0, tool_input, false },
	{ "output_tokens_details", 0, tool_output, false },
	END,
};
static const struct json_node tool_usage[] = {
	{ "image_gen", ANSWER_TOOL_USAGE, image_tool, false },
	END,
};
static const struct json_node tools[] = {
	{ "model", ANSWER_TOOL_MODEL, NULL, false },
	END,
};
static const struct json_node images[] = {
	{ "b64_json", ANSWER_IMAGE, NULL, false },
	{ "url", ANSWER_IMAGE, NULL, false },
	END,
};
static const struct json_node openai_response[] = {
	{ "id", ANSWER_ID, NULL, false },
	{ "status", ANSWER_STATUS, NULL, false },
	{ "background", ANSWER_BACKGROUND, NULL, false },
	{ "model", ANSWER_MODEL, NULL, false },
	{ "service_tier", ANSWER_TIER, NULL, false },
	{ "usage", 0, openai_usage, false },
	{ "tool_usage", 0, tool_usage, false },
	{ "tools", 0, tools, false },
	{ "output", ANSWER_OUTPUT, item, false },
	{ "error", ANSWER_ERROR, error_keys, false },
	END,
};
static const struct json_node openai_answer[] = {
	{ "type", ANSWER_TYPE, NULL, false },
	{ "id", ANSWER_ID, NULL, false },
	{ "status", ANSWER_STATUS, NULL, false },
	{ "background", ANSWER_BACKGROUND, NULL, false },
	{ "model", ANSWER_MODEL, NULL, false },
	{ "service_tier", ANSWER_TIER, NULL, false },
	{ "usage", 0, openai_usage, false },
	{ "usage_info", 0, openai_usage, false }, /* Mistral's OCR */
	{ "x_groq", 0, groq_extra, false },
	{ "response", 0, openai_response, false },
	{ "output", ANSWER_OUTPUT, item, false },
	{ "outputs", ANSWER_OUTPUT, item, false }, /* Mistral's conversations */
	{ "tool_usage", 0, tool_usage, false },
	{ "tools", 0, tools, false },
	{ "data", 0, images, false },
	{ "images", 0, images, false },
	{ "duration", ANSWER_SECONDS, NULL, false }, /* verbose_json of a transcription */
	{ "error", ANSWER_ERROR, error_keys, false },
	END,
};

/* Anthropic */
static const struct json_node anthropic_creation[] = {
	{ "ephemeral_5m_input_tokens", SLOT_WRITE_5M, NULL, false },
	{ "ephemeral_1h_input_tokens", SLOT_WRITE_1H, NULL, false },
	END,
};
static const struct json_node anthropic_output[] = {
	{ "thinking_tokens", SLOT_REASONING, NULL, false },
	END,
};
static const struct json_node anthropic_tools[] = {
	{ "web_search_requests", SLOT_SEARCHES, NULL, false },
	END,
};
static const struct json_node iteration_creation[] = {
	{ "ephemeral_5m_input_tokens", ITERATION_SLOT + SLOT_WRITE_5M, NULL, false },
	{ "ephemeral_1h_input_tokens", ITERATION_SLOT + SLOT_WRITE_1H, NULL, false },
	END,
};
static const struct json_node iteration[] = {
	{ "type", ITERATION_TYPE, NULL, false },
	{ "model", ITERATION_MODEL, NULL, false },
	{ "input_tokens", ITERATION_SLOT + SLOT_INPUT, NULL, false },
	{ "output_tokens", ITERATION_SLOT + SLOT_OUTPUT, NULL, false },
	{ "cache_read_input_tokens", ITERATION_SLOT + SLOT_CACHE_READ, NULL, false },
	{ "cache_creation_input_tokens", ITERATION_SLOT + SLOT_WRITE, NULL, false },
	{ "cache_creation", 0, iteration_creation, false },
	END,
};
static const struct json_node anthropic_usage[] = {
	{ "input_tokens", SLOT_INPUT, NULL, false },
	{ "output_tokens", SLOT_OUTPUT, NULL, false },
	{ "cache_read_input_tokens", SLOT_CACHE_READ, NULL, false },
	{ "cache_creation_input_tokens", SLOT_WRITE, NULL, false },
	{ "cache_creation", 0, anthropic_creation, false },
	{ "output_tokens_details", 0, anthropic_output, false },
	{ "server_tool_use", 0, anthropic_tools, false },
	{ "service_tier", ANSWER_TIER, NULL, false },
	{ "speed", ANSWER_SPEED, NULL, false },
	{ "inference_geo", ANSWER_GEO, NULL, false },
	{ "iterations", ANSWER_ITERATION, iteration, false },
	/* OpenRouter serves this dialect too. */
	{ "cost", ANSWER_COST_USD, NULL, false },
	{ "is_byok", ANSWER_IS_BYOK, NULL, false },
	{ "cost_details", 0, openrouter_cost, false },
	END,
};
static const struct json_node block[] = {
	{ "type", ANSWER_BLOCK, NULL, false },
	END,
};
static const struct json_node anthropic_message[] = {
	{ "id", ANSWER_ID, NULL, false },       { "model", ANSWER_MODEL, NULL, false },
	{ "content", 0, block, false },         { "stop_reason", ANSWER_STOP, NULL, false },
	{ "usage", 0, anthropic_usage, false }, END,
};
/* A line of a batch's results. */
static const struct json_node anthropic_result[] = {
	{ "message", 0, anthropic_message, false },
	END,
};
static const struct json_node anthropic_delta[] = {
	{ "stop_reason", ANSWER_STOP, NULL, false },
	END,
};
static const struct json_node anthropic_answer[] = {
	{ "type", ANSWER_TYPE, NULL, false },
	{ "id", ANSWER_ID, NULL, false },
	{ "model", ANSWER_MODEL, NULL, false },
	{ "content", 0, block, false },
	{ "stop_reason", ANSWER_STOP, NULL, false },
	{ "delta", 0, anthropic_delta, false },
	{ "usage", 0, anthropic_usage, false },
	{ "message", 0, anthropic_message, false },
	{ "result", 0, anthropic_result, false },
	{ "error", ANSWER_ERROR, NULL, false },
	END,
};

/* Cohere: billed_units is the bill, `tokens` beside it is what was processed. */
static const struct json_node cohere_units[] = {
	{ "input_tokens", SLOT_INPUT, NULL, false },
	{ "output_tokens", SLOT_OUTPUT, NULL, false },
	{ "search_units", SLOT_QUERIES, NULL, false },
	END,
};
static const struct json_node cohere_usage[] = {
	{ "billed_units", 0, cohere_units, false },
	END,
};
static const struct json_node cohere_inner[] = {
	{ "usage", 0, cohere_usage, false },
	{ "meta", 0, cohere_usage, false },
	END,
};
static const struct json_node cohere_answer[] = {
	{ "type", ANSWER_TYPE, NULL, false },   { "usage", 0, cohere_usage, false },
	{ "meta", 0, cohere_usage, false },     { "delta", 0, cohere_inner, false },
	{ "response", 0, cohere_inner, false }, END,
};

/* Bedrock */
static const struct json_node bedrock_tools[] = {
	{ "webSearchRequests", SLOT_SEARCHES, NULL, false },
	END,
};
static const struct json_node bedrock_written[] = {
	{ "ttl", ANSWER_MODALITY, NULL, false },
	{ "inputTokens", ANSWER_MODALITY_COUNT, NULL, false },
	END,
};
static const struct json_node bedrock_usage[] = {
	{ "inputTokens", SLOT_INPUT, NULL, false },
	{ "outputTokens", SLOT_OUTPUT, NULL, false },
	{ "cacheReadInputTokens", SLOT_CACHE_READ, NULL, false },
	{ "cacheWriteInputTokens", SLOT_WRITE, NULL, false },
	/* Nova's own answers */
	{ "cacheReadInputTokenCount", SLOT_CACHE_READ, NULL, false },
	{ "cacheWriteInputTokenCount", SLOT_WRITE, NULL, false },
	{ "cacheDetails", ANSWER_DETAIL_WRITTEN, bedrock_written, false },
	{ "serverToolUsage", 0, bedrock_tools, false },
	END,
};
static const struct json_node bedrock_tier[] = {
	{ "type", ANSWER_TIER, NULL, false },
	END,
};
static const struct json_node bedrock_answer[] = {
	{ "usage", 0, bedrock_usage, false },
	{ "serviceTier", 0, bedrock_tier, false },
	END,
};

/* Deepgram: what was heard, and by which model. */
static const struct json_node deepgram_model[] = {
	{ "arch", ANSWER_MODEL, NULL, false },
	END,
};
static const struct json_node deepgram_models[] = {
	{ "*", 0, deepgram_model, false },
	END,
};
static const struct json_node deepgram_metadata[] = {
	{ "duration", ANSWER_SECONDS, NULL, false },
	{ "channels", ANSWER_CHANNELS, NULL, false },
	{ "model_info", 0, deepgram_models, false },
	END,
};
static const struct json_node deepgram_answer[] = {
	{ "metadata", 0, deepgram_metadata, false },
	END,
};

/* Ollama */
static const struct json_node ollama_answer[] = {
	{ "model", ANSWER_MODEL, NULL, false },
	{ "prompt_eval_count", SLOT_INPUT, NULL, false },
	{ "eval_count", SLOT_OUTPUT, NULL, false },
	{ "error", ANSWER_ERROR, NULL, false },
	END,
};

/* Every name of the above that stands under "usage", and what models of Bedrock call it themselves. */
static const struct json_node any_usage[] = {
	{ "prompt_tokens", SLOT_INPUT, NULL, false },
	{ "input_tokens", SLOT_INPUT, NULL, false },
	{ "inputTokens", SLOT_INPUT, NULL, false },
	{ "completion_tokens", SLOT_OUTPUT, NULL, false },
	{ "output_tokens", SLOT_OUTPUT, NULL, false },
	{ "outputTokens", SLOT_OUTPUT, NULL, false },
	{ "total_tokens", SLOT_TOTAL, NULL, false },
	{ "prompt_tokens_details", 0, openai_input, false },
	{ "input_tokens_details", 0, openai_input, false },
	{ "completion_tokens_details", 0, openai_output, false },
	{ "output_tokens_details", 0, openai_output, false },
	{ "cache_read_input_tokens", SLOT_CACHE_READ, NULL, false },
	{ "cache_creation_input_tokens", SLOT_WRITE, NULL, false },
	{ "cache_creation", 0, anthropic_creation, false },
	{ "server_tool_use", 0, anthropic_tools, false },
	{ "service_tier", ANSWER_TIER, NULL, false },
	{ "speed", ANSWER_SPEED, NULL, false },
	{ "iterations", ANSWER_ITERATION, iteration, false },
	{ "cacheReadInputTokens", SLOT_CACHE_READ, NULL, false },
	{ "cacheWriteInputTokens", SLOT_WRITE, NULL, false },
	{ "cacheReadInputTokenCount", SLOT_CACHE_READ, NULL, false },
	{ "cacheWriteInputTokenCount", SLOT_WRITE, NULL, false },
	{ "cacheDetails", ANSWER_DETAIL_WRITTEN, bedrock_written, false },
	{ "billed_units", 0, cohere_units, false },
	END,
};
static const struct json_node bedrock_metrics[] = {
	{ "inputTokenCount", SLOT_INPUT, NULL, false },
	{ "outputTokenCount", SLOT_OUTPUT, NULL, false },
	{ "cacheReadInputTokenCount", SLOT_CACHE_READ, NULL, false },
	{ "cacheWriteInputTokenCount", SLOT_WRITE, NULL, false },
	END,
};
static const struct json_node any_inner[] = {
	{ "model", ANSWER_MODEL, NULL, false },      { "content", 0, block, false },
	{ "stop_reason", ANSWER_STOP, NULL, false }, { "usage", 0, any_usage, false },
	{ "meta", 0, cohere_usage, false },          END,
};
static const struct json_node titan_result[] = {
	{ "tokenCount", SLOT_OUTPUT, NULL, false },
	/* IBM's */
	{ "generated_token_count", SLOT_OUTPUT, NULL, false },
	{ "input_token_count", SLOT_INPUT, NULL, false },
	END,
};
/* Replicate: models that are billed by token */
static const struct json_node replicate_metrics[] = {
	{ "input_token_count", SLOT_INPUT, NULL, false },
	{ "output_token_count", SLOT_OUTPUT, NULL, false },
	{ "token_input_count", SLOT_INPUT, NULL, false },
	{ "token_output_count", SLOT_OUTPUT, NULL, false },
	END,
};
static const struct json_node any_answer[] = {
	{ "metrics", 0, replicate_metrics, false },
	{ "status", ANSWER_STATUS, NULL, false },
	{ "type", ANSWER_TYPE, NULL, false },
	{ "model", ANSWER_MODEL, NULL, false },
	{ "modelVersion", ANSWER_MODEL, NULL, false },
	{ "service_tier", ANSWER_TIER, NULL, false },
	{ "content", 0, block, false },
	{ "stop_reason", ANSWER_STOP, NULL, false },
	{ "usage", 0, any_usage, false },
	{ "usage_info", 0, openai_usage, false },
	{ "message", 0, any_inner, false },
	{ "delta", 0, any_inner, false },
	{ "response", 0, any_inner, false },
	{ "metadata", 0, any_inner, false }, /* Nova's streams */
	{ "meta", 0, cohere_usage, false },
	{ "candidates", 0, usage_gemini_candidate, false },
	{ "usageMetadata", 0, usage_gemini_usage, false },
	{ "images", ANSWER_IMAGE, images, false }, /* Nova Canvas, Stability */
	{ "amazon-bedrock-invocationMetrics", 0, bedrock_metrics, false },
	/* Llama; Titan, as a stream and whole */
	{ "prompt_token_count", SLOT_INPUT, NULL, false },
	{ "generation_token_count", SLOT_OUTPUT, NULL, false },
	{ "inputTextTokenCount", SLOT_INPUT, NULL, false },
	{ "totalOutputTextTokenCount", SLOT_OUTPUT, NULL, false },
	{ "results", 0, titan_result, false },
	{ "prompt_eval_count", SLOT_INPUT, NULL, false },
	{ "eval_count", SLOT_OUTPUT, NULL, false },
	{ "error", ANSWER_ERROR, error_keys, false },
	END,
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
		[DIALECT_DEEPGRAM] = deepgram_answer,
		[DIALECT_OLLAMA] = ollama_answer,
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

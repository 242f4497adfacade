/* SPDX-License-Identifier: Apache-2.0 */
/* Where each dialect keeps its counts: docs/facts/wire.md, "Token classes". */
#include "base/cleanup.h"
#include "base/decimal.h"
#include "meter/usage_slots.h"

#define END                          \
	{                            \
		NULL, 0, NULL, false \
	}

/* OpenAI's shape with all additions: docs/facts/wire.md, "OpenAI-compatible providers". */
static const struct json_node openai_input[] = {
	{ "cached_tokens", SLOT_CACHE_READ, NULL, false },
	{ "cache_write_tokens", SLOT_WRITE_5M, NULL, false },
	{ "audio_tokens", SLOT_AUDIO_IN, NULL, false },
	END,
};
static const struct json_node openai_output[] = {
	{ "reasoning_tokens", SLOT_REASONING, NULL, false },
	{ "audio_tokens", SLOT_AUDIO_OUT, NULL, false },
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
	{ "reasoning_tokens", SLOT_REASONING, NULL, false },
	{ "num_search_queries", SLOT_SEARCHES, NULL, false },
	{ "cost", ANSWER_COST_USD, perplexity_cost, false },
	{ "cost_in_usd_ticks", ANSWER_COST_TICKS, NULL, false },
	END,
};
static const struct json_node groq_extra[] = {
	{ "usage", 0, openai_usage, false },
	END,
};
static const struct json_node item[] = {
	{ "type", ANSWER_ITEM, NULL, false },
	END,
};
static const struct json_node openai_response[] = {
	{ "model", ANSWER_MODEL, NULL, false }, { "service_tier", ANSWER_TIER, NULL, false },
	{ "usage", 0, openai_usage, false },    { "output", 0, item, false },
	{ "error", ANSWER_ERROR, NULL, false }, END,
};
static const struct json_node openai_answer[] = {
	{ "type", ANSWER_TYPE, NULL, false },
	{ "model", ANSWER_MODEL, NULL, false },
	{ "service_tier", ANSWER_TIER, NULL, false },
	{ "usage", 0, openai_usage, false },
	{ "x_groq", 0, groq_extra, false },
	{ "response", 0, openai_response, false },
	{ "output", 0, item, false },
	{ "error", ANSWER_ERROR, NULL, false },
	END,
};

/* 5.1 */
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
	END,
};
static const struct json_node anthropic_message[] = {
	{ "model", ANSWER_MODEL, NULL, false },
	{ "usage", 0, anthropic_usage, false },
	END,
};
static const struct json_node anthropic_answer[] = {
	{ "type", ANSWER_TYPE, NULL, false },   { "model", ANSWER_MODEL, NULL, false },
	{ "usage", 0, anthropic_usage, false }, { "message", 0, anthropic_message, false },
	{ "error", ANSWER_ERROR, NULL, false }, END,
};

/* 5.4 */
static const struct json_node gemini_in[] = {
	{ "modality", ANSWER_MODALITY_IN, NULL, false },
	{ "tokenCount", ANSWER_COUNT_IN, NULL, false },
	END,
};
static const struct json_node gemini_out[] = {
	{ "modality", ANSWER_MODALITY_OUT, NULL, false },
	{ "tokenCount", ANSWER_COUNT_OUT, NULL, false },
	END,
};
static const struct json_node gemini_usage[] = {
	{ "promptTokenCount", SLOT_INPUT, NULL, false },
	{ "cachedContentTokenCount", SLOT_CACHE_READ, NULL, false },
	{ "candidatesTokenCount", SLOT_OUTPUT, NULL, false },
	{ "responseTokenCount", SLOT_OUTPUT, NULL, false },
	{ "thoughtsTokenCount", SLOT_REASONING, NULL, false },
	{ "toolUsePromptTokenCount", SLOT_TOOL_PROMPT, NULL, false },
	{ "totalTokenCount", SLOT_TOTAL, NULL, false },
	{ "promptTokensDetails", 0, gemini_in, false },
	{ "candidatesTokensDetails", 0, gemini_out, false },
	{ "serviceTier", ANSWER_TIER, NULL, false },
	END,
};
static const struct json_node gemini_interaction[] = {
	{ "total_input_tokens", SLOT_INPUT, NULL, false },
	{ "total_cached_tokens", SLOT_CACHE_READ, NULL, false },
	{ "total_output_tokens", SLOT_OUTPUT, NULL, false },
	{ "total_thought_tokens", SLOT_REASONING, NULL, false },
	{ "total_tool_use_tokens", SLOT_TOOL_PROMPT, NULL, false },
	END,
};
static const struct json_node gemini_answer[] = {
	{ "modelVersion", ANSWER_MODEL, NULL, false }, { "model", ANSWER_MODEL, NULL, false },
	{ "usageMetadata", 0, gemini_usage, false },   { "usage", 0, gemini_interaction, false },
	{ "error", ANSWER_ERROR, NULL, false },        END,
};

/* 5.8: billed_units is the bill, `tokens` beside it is what was processed. */
static const struct json_node cohere_units[] = {
	{ "input_tokens", SLOT_INPUT, NULL, false },
	{ "output_tokens", SLOT_OUTPUT, NULL, false },
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

/* 5.6 */
static const struct json_node bedrock_tools[] = {
	{ "webSearchRequests", SLOT_SEARCHES, NULL, false },
	END,
};
static const struct json_node bedrock_usage[] = {
	{ "inputTokens", SLOT_INPUT, NULL, false },
	{ "outputTokens", SLOT_OUTPUT, NULL, false },
	{ "cacheReadInputTokens", SLOT_CACHE_READ, NULL, false },
	{ "cacheWriteInputTokens", SLOT_WRITE_5M, NULL, false },
	{ "serverToolUsage", 0, bedrock_tools, false },
	END,
};
static const struct json_node bedrock_answer[] = {
	{ "usage", 0, bedrock_usage, false },
	END,
};

static const struct json_node stream_options[] = {
	{ "include_usage", REQUEST_INCLUDE_USAGE, NULL, false },
	END,
};
static const struct json_node message[] = {
	{ "role", REQUEST_ROLE, NULL, false },
	END,
};
static const struct json_node request[] = {
	{ "model", REQUEST_MODEL, NULL, false },
	{ "stream", REQUEST_STREAM, NULL, false },
	{ "stream_options", 0, stream_options, false },
	{ "messages", 0, message, false },
	{ "input", 0, message, false },
	{ "contents", 0, message, false },
	{ "tools", REQUEST_TOOL, NULL, true },
	{ "functions", REQUEST_TOOL, NULL, true },
	END,
};

const struct json_node *request_keys(void)
{
	return request;
}

/* What the numbers of a dialect include. */
struct shape {
	const struct json_node *keys;
	bool input_has_cache;      /* read, written and audio are inside input */
	bool reasoning_is_outside; /* of output, always */
};

static const struct shape shapes[] = {
	[DIALECT_NONE] = { NULL, false, false },
	[DIALECT_ANTHROPIC] = { anthropic_answer, false, false },
	[DIALECT_OPENAI] = { openai_answer, true, false },
	[DIALECT_GEMINI] = { gemini_answer, true, true },
	[DIALECT_COHERE] = { cohere_answer, false, false },
	[DIALECT_BEDROCK] = { bedrock_answer, false, false },
};

const struct json_node *usage_keys(enum dialect dialect)
{
	return shapes[dialect].keys;
}

void usage_slots_usage_set(struct usage_slots_usage *slots, enum slot slot, const char *text)
{
	uint64_t value;

	if (!decimal_count(text, &value) || value > USAGE_PLAUSIBLE) {
		slots->is_implausible = true;
		return;
	}
	slots->slots[slot] = value;
	slots->has |= 1u << slot;
}

static uint64_t less(uint64_t from, uint64_t part)
{
	return from > part ? from - part : 0;
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/*
 * xAI's chat counts reasoning beside completion_tokens, everybody else inside: the total says
 * which it was, so that a gateway in between changes nothing.
 */
static bool reasoning_is_outside(const struct usage_slots_usage *slots, const struct shape *shape)
{
	const uint64_t *s = slots->slots;

	if (shape->reasoning_is_outside)
		return true;
	return (slots->has >> SLOT_TOTAL & 1) && s[SLOT_REASONING] &&
	       s[SLOT_TOTAL] == s[SLOT_INPUT] + s[SLOT_OUTPUT] + s[SLOT_REASONING];
}

static void settle_input(const uint64_t *s, uint32_t has, const struct shape *shape,
			 struct usage *usage)
{
	uint64_t rest = s[SLOT_INPUT];

	usage->cache_read = s[SLOT_CACHE_READ];
	usage->cache_write_1h = s[SLOT_WRITE_1H];
	usage->cache_write_5m = s[SLOT_WRITE_5M];
	/* Without the split by time, all was written for the default time. */
	if (!(has & (1u << SLOT_WRITE_5M | 1u << SLOT_WRITE_1H)))
		usage->cache_write_5m = s[SLOT_WRITE];
	usage->audio_input = s[SLOT_AUDIO_IN];
	if (shape->input_has_cache) {
		/* Parts are cut to what is there: the classes add up to the provider's total. */
		usage->cache_read = least(usage->cache_read, rest);
		rest -= usage->cache_read;
		usage->cache_write_5m = least(usage->cache_write_5m, rest);
		rest -= usage->cache_write_5m;
		usage->audio_input = least(usage->audio_input, rest);
		rest -= usage->audio_input;
	}
	usage->input = rest + s[SLOT_TOOL_PROMPT];
	if (!(has >> SLOT_INPUT & 1) && (has >> SLOT_CACHE_MISS & 1))
		usage->input = s[SLOT_CACHE_MISS];
}

bool usage_slots_usage_settle(const struct usage_slots_usage *slots, enum dialect dialect,
			      struct usage *ret)
{
	const uint64_t told = 1u << SLOT_INPUT | 1u << SLOT_OUTPUT | 1u << SLOT_CACHE_READ |
			      1u << SLOT_CACHE_MISS | 1u << SLOT_WRITE | 1u << SLOT_WRITE_5M |
			      1u << SLOT_WRITE_1H | 1u << SLOT_REASONING;
	const struct shape *shape = &shapes[dialect];
	const uint64_t *s = slots->slots;
	struct usage usage = { 0 };

	if (slots->is_implausible || !(slots->has & told))
		return false;
	settle_input(s, slots->has, shape, &usage);
	usage.output = s[SLOT_OUTPUT];
	usage.reasoning = s[SLOT_REASONING];
	if (reasoning_is_outside(slots, shape))
		usage.output += usage.reasoning;
	usage.reasoning = least(usage.reasoning, usage.output);
	usage.audio_output = least(s[SLOT_AUDIO_OUT], less(usage.output, usage.reasoning));
	usage.output -= usage.audio_output;
	usage.web_searches = s[SLOT_SEARCHES];
	*ret = usage;
	return true;
}

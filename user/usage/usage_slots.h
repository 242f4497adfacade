/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Usage as a provider writes it, before its classes are made disjoint. What is wanted of an answer
 * is a tree of keys a dialect, in usage_keys.c; each number goes to a slot.
 */
#ifndef USAGE_USAGE_SLOTS_H
#define USAGE_USAGE_SLOTS_H

#include "base/json.h"
#include "base/protobuf.h"
#include "provider/provider.h"
#include "usage/usage.h"

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
	SLOT_IMAGE_IN,
	SLOT_IMAGE_OUT,
	SLOT_VIDEO_OUT,
	SLOT_READ_AUDIO, /* the part of the cache read that is audio, as is SLOT_AUDIO_IN's */
	SLOT_READ_IMAGE,
	SLOT_CITATIONS, /* Perplexity: tokens of cited text */
	SLOT_FILE_SEARCHES,
	SLOT_SESSIONS, /* containers of a code interpreter */
	SLOT_IMAGES,
	SLOT_PAGES,
	SLOT_QUERIES, /* Cohere's search units */
	SLOT_CHARACTERS,
	SLOT_MILLIS, /* of audio or video */
	SLOTS,
	/* Not numbers of tokens. */
	ANSWER_MODEL = SLOTS,
	ANSWER_TIER,
	ANSWER_SPEED,      /* Anthropic: "fast" */
	ANSWER_GEO,        /* Anthropic: inference_geo */
	ANSWER_COST_USD,   /* OpenRouter, Perplexity */
	ANSWER_COST_TICKS, /* xAI: 10^10 a dollar */
	ANSWER_COST_PAID,  /* USD; 0 says that someone else paid, and nothing of the cost */
	ANSWER_ERROR,
	ANSWER_TYPE,       /* of an event */
	ANSWER_ITEM,       /* type of an output item: web_search_call */
	ANSWER_BLOCK,      /* type of a block of Anthropic's content */
	ANSWER_STOP,       /* Anthropic: stop_reason */
	ANSWER_ERROR_CODE, /* Azure: what a 400 is billed by */
	ANSWER_STATUS,     /* of a job */
	ANSWER_BACKGROUND, /* the answer is of a job */
	ANSWER_EMBEDDED,   /* tokens of one of several texts */
	ANSWER_ID,
	ANSWER_LINE,        /* one answer of many in one document */
	ANSWER_OUTPUT_FILE, /* of a batch: its results, by the id that whoever downloads them names */
	ANSWER_CONTEXT,     /* search_context_size */
	ANSWER_SIZE,        /* of images and videos, as they were made */
	ANSWER_QUALITY,
	ANSWER_OUTPUT, /* one item of what a model put out ... */
	ANSWER_ACTION, /* ... and what it does, if it is a search */
	ANSWER_ITEM_STATUS,
	ANSWER_IS_BYOK,       /* OpenRouter: the upstream sends a bill of its own ... */
	ANSWER_UPSTREAM_COST, /* ... of so many USD */
	ANSWER_SECONDS,       /* a duration as written, with its decimals */
	ANSWER_START,         /* of what the duration is of, after the beginning of all */
	ANSWER_CHANNELS,  /* Deepgram: so many times as long, since each is transcribed by itself */
	ANSWER_IMAGE,     /* one image of an images answer */
	ANSWER_GROUNDING, /* Gemini: one web search query of an answer that was grounded */
	ANSWER_GROUNDED,  /* Gemini: what a search found */
	ANSWER_MAPPED,    /* Gemini: what its maps found */
	ANSWER_TRAFFIC,   /* Vertex: trafficType */
	ANSWER_TOOL_MODEL, /* of the image tool that a Responses answer echoes */
	ANSWER_TOOL_TYPE,
	ANSWER_TOOL_USAGE, /* of the image tool, with slots as an iteration's */
	ANSWER_BREAKDOWN,  /* one model's part of the usage, with slots as an iteration's */
	ANSWER_RESULT,     /* a code, which is 0 if all went well */
	/* Counts by modality: the object's begin and end, and what is in it. */
	ANSWER_DETAIL_PROMPT,
	ANSWER_DETAIL_CACHE,
	ANSWER_DETAIL_OUTPUT,
	ANSWER_DETAIL_WRITTEN, /* Bedrock: by ttl */
	ANSWER_MODALITY,
	ANSWER_MODALITY_COUNT,
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
	bool is_implausible : 1;
};
_Static_assert(SLOTS <= 32, "has is too small");

/* The keys wanted in answers of a dialect, whether one body or one event of a stream. */
const struct json_node *usage_keys(enum dialect dialect);
/*
 * DIALECT_ANY: the dialect that the presence of a key says, or DIALECT_NONE. prompt_tokens is OpenAI's
 * whatever stands beside it, since gateways add the names of others.
 */
enum dialect usage_dialect_of(const char *key);
/* Keys wanted in any request: REQUEST_... */
const struct json_node *request_keys(void);
enum request_id {
	REQUEST_MODEL = 1,
	REQUEST_STREAM,
	REQUEST_INCLUDE_USAGE,
	REQUEST_ROLE,
	REQUEST_TOOL,
	REQUEST_SEARCH,  /* an object: the model is to search */
	REQUEST_CONTEXT, /* search_context_size */
	REQUEST_BACKGROUND,
	REQUEST_DEFERRED,
	REQUEST_GENERATE,
	REQUEST_CONTAINER, /* of a code interpreter: a name was paid for when it was made */
	REQUEST_SIZE,      /* of images and videos */
	REQUEST_QUALITY,
	REQUEST_COUNT,     /* n: images wanted */
	REQUEST_SECONDS,   /* of a video */
	REQUEST_IMAGE,     /* a URL, or the first bytes of a data: one */
	REQUEST_DETAIL,    /* of an image */
	REQUEST_PART,      /* of a message: a picture or something else */
	REQUEST_CUSTOM_ID, /* one request of a batch */
	REQUEST_SHOWN,     /* an image that is embedded */
	REQUEST_UNREAD,    /* what is no text, and of which no estimate knows the tokens */
};

/* The same of gRPC's messages; NULL: nothing is wanted of them. */
const struct protobuf_node *usage_protobuf(enum protobuf_messages which);
const struct protobuf_node *request_protobuf(enum protobuf_messages which);

/* A number as written goes to a slot. */
void usage_slots_usage_set(struct usage_slots_usage *slots, enum slot slot, const char *text);
/*
 * What a later event of a stream says, over what the ones before said: the last word wins, but a zero is
 * no word. Of a prompt's classes a zero counts where the same event has tokens for another class that were
 * not told before: they moved, from written to read for instance. Gateways end streams with zeros that
 * mean nothing.
 */
void usage_slots_usage_merge(struct usage_slots_usage *to, const struct usage_slots_usage *event);
/* False: nothing usable was told. */
bool usage_slots_usage_settle(const struct usage_slots_usage *slots, enum dialect dialect,
			      struct usage *ret);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* What was read of an answer: plain data without pointers, which the reader may hand to whoever charges. */
#ifndef USAGE_ANSWER_READING_H
#define USAGE_ANSWER_READING_H

#include "usage/charge.h"
#include "usage/estimate.h"
#include "usage/usage_slots.h"

#define TIER_LEN      24
#define EXTRAS        4 /* models other than the call's own: Anthropic's iterations[], an image tool */
#define ANSWER_ID_LEN CHARGE_JOB_LEN

/* Tokens billed at another model's price beside the call's own. */
struct extra {
	char model[CHARGE_MODEL_LEN];
	struct usage usage;
};

/* Flags are bits, which have no invalid value. */
struct answer_reading {
	enum dialect dialect; /* DIALECT_ANY: not yet known from its keys */
	enum answer_form form;
	bool is_done : 1;  /* the stream's terminator came */
	bool is_final : 1; /* the usage read so far is final */
	bool has_error : 1;
	bool has_gap : 1;
	bool has_blocks : 1;       /* of content, in one JSON of Anthropic's */
	bool is_refused : 1;       /* Anthropic: the model declined */
	bool is_filtered : 1;      /* the error is a content filter's */
	bool is_foreground : 1;    /* a stored answer that says that it is of no job */
	bool searches_preview : 1; /* by OpenAI's tool of old */
	bool searches_maps : 1;    /* one of the searches was in Gemini's maps */
	bool is_provisioned : 1;   /* capacity that is paid by the hour */
	bool has_cost : 1;
	bool is_byok : 1;        /* cost_nanos is the gateway's fee, ... */
	bool has_upstream : 1;   /* ... to which the upstream's adds */
	bool is_eventstream : 1; /* Amazon's framing instead of SSE's */
	bool is_grpc : 1;
	bool has_parts : 1; /* extras are parts of the usage, not beside it */
	uint64_t cost_nanos, upstream_nanos;
	uint64_t content_events;
	uint64_t speech_bytes;          /* in base64 */
	uint64_t content_bytes;         /* of text in them, where it is not counted */
	struct text_count text;         /* counted in them; set by answer_update() */
	struct usage_slots_usage slots; /* of the documents that have ended */
	struct usage_slots_usage told;  /* and of the one in progress; set by answer_update() */
	char model[CHARGE_MODEL_LEN];
	char tool_model[CHARGE_MODEL_LEN];
	char tier[TIER_LEN];
	char speed[TIER_LEN];
	char geo[TIER_LEN];
	char context[TIER_LEN];                 /* how much its search read */
	char size[TIER_LEN], quality[TIER_LEN]; /* of what was made */
	char status[TIER_LEN];                  /* of a job */
	char id[ANSWER_ID_LEN];
	char output_file[ANSWER_ID_LEN]; /* of a batch */
	struct extra extras[EXTRAS];
	uint32_t extras_count;
};

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads the body of an answer in any form: one JSON document, a stream of events, an array that arrives in
 * parts. In a stream, only events that can contain usage, a model or an error are parsed; those with content
 * are counted.
 */
#ifndef USAGE_ANSWER_H
#define USAGE_ANSWER_H

#include "base/json.h"
#include "http/eventstream.h"
#include "http/http.h"
#include "http/sse.h"
#include "usage/charge.h"
#include "usage/estimate.h"
#include "usage/grpc_reader.h"
#include "usage/text_meter.h"
#include "usage/usage_slots.h"

#define TIER_LEN      24
#define EXTRAS        4 /* models other than the call's own: Anthropic's iterations[], an image tool */
#define ANSWER_ID_LEN CHARGE_JOB_LEN

/* Tokens billed at another model's price beside the call's own. */
struct extra {
	char model[CHARGE_MODEL_LEN];
	struct usage usage;
};

/* One object of a list of counts: {"modality": "AUDIO", "tokenCount": 284}, in either order. */
struct detail {
	char name[TIER_LEN];
	char count[TIER_LEN];
};

struct answer {
	enum dialect dialect; /* DIALECT_ANY: not yet known from its keys */
	enum answer_form form;
	bool expects_usage; /* its stream contains usage by default, or was asked for it */
	bool is_done;       /* the stream's terminator came */
	bool is_final;      /* the usage read so far is final */
	bool has_error;
	bool has_gap;
	bool is_lines; /* a document a line, and their counts add up: results of a batch */
	bool has_content;
	bool has_blocks;       /* of content, in one JSON of Anthropic's */
	bool is_refused;       /* Anthropic: the model declined */
	bool is_filtered;      /* the error is a content filter's */
	bool is_foreground;    /* a stored answer that says that it is of no job */
	bool searches_preview; /* by OpenAI's tool of old */
	bool searches_maps;    /* one of the searches was in Gemini's maps */
	bool is_provisioned;   /* capacity that is paid by the hour */
	bool has_cost;
	bool is_byok,
		has_upstream; /* cost_nanos is the gateway's fee, to which the upstream's adds */
	uint64_t cost_nanos, upstream_nanos;
	uint64_t content_events;
	uint64_t speech_bytes;          /* in base64 */
	uint64_t content_bytes;         /* of text in them, where it is not counted */
	struct usage_slots_usage slots; /* of the documents that have ended */
	char model[CHARGE_MODEL_LEN];
	char tier[TIER_LEN];
	char speed[TIER_LEN];
	char geo[TIER_LEN];
	char context[TIER_LEN];                 /* how much its search read */
	char size[TIER_LEN], quality[TIER_LEN]; /* of what was made */
	char status[TIER_LEN];                  /* of a job */
	char id[ANSWER_ID_LEN];
	char output_file[ANSWER_ID_LEN]; /* of a batch */
	struct extra extras[EXTRAS];
	size_t extras_count;
	struct text_meter text;

	/* Reading. */
	enum dialect keys; /* whose tree is read by */
	struct json_scan scan;
	struct json_sink sink;
	struct sse sse;
	struct eventstream eventstream;
	struct grpc_reader *grpc; /* of a gRPC answer, else NULL */
	uint64_t events;
	bool is_started;
	bool is_stopped;              /* the scan met what is no JSON */
	bool has_iterations;          /* in this document */
	uint64_t start_millis;        /* in this document, of what its duration is of */
	bool has_parts;               /* extras are parts of the usage, not beside it */
	bool skips;                   /* the rest of a long event is of no interest */
	bool is_eventstream;          /* Amazon's framing instead of SSE's */
	bool is_messages;             /* a WebSocket's instead */
	struct usage_slots_usage now; /* read from the current document */
	char iteration_type[TIER_LEN];
	char iteration_model[CHARGE_MODEL_LEN];
	char tool_model[CHARGE_MODEL_LEN];
	struct usage_slots_usage iteration;
	struct detail detail;
	/* Of the document in progress: items by type, and what was found. */
	uint64_t searches, file_searches, sessions, images, groundings;
	bool is_grounded, is_mapped;
	uint64_t channels;         /* of audio, in the duration that was given */
	char event_type[TIER_LEN]; /* its "type" */
	char item_type[TIER_LEN];  /* of the item in hand */
	bool item_is_free;         /* it reads what a search has found, and is none; or it failed */
	char long_type[SSE_NAME_LEN]; /* of an event that comes in pieces */
	struct text_meter before;     /* the message in progress */
	uint32_t chunk_bits;          /* of base64, not yet a byte */
	uint8_t chunk, chunk_n;
};

/* Does not own the struct; must not be moved after. */
void answer_init(struct answer *answer, enum dialect dialect, enum http_content content,
		 bool expects_usage);
void answer_done(struct answer *answer);
void answer_feed(struct answer *answer, const uint8_t *bytes, size_t len);
/*
 * The answer is gRPC's, of messages of which `wanted` is read (NULL: nothing is): it is fed to answer->grpc. is_stream: it
 * may have any number of them.
 */
void answer_use_grpc(struct answer *answer, enum http_encoding encoding,
		     const struct protobuf_node *wanted, bool is_stream);
/* A piece of a message, of HTTP_CONTENT_MESSAGES, which is an event. */
void answer_feed_message(struct answer *answer, const struct http_piece *piece);
/* All usage read so far, including the current document. */
void answer_told(const struct answer *answer, struct usage_slots_usage *ret);
/* Bytes are missing here. */
void answer_gap(struct answer *answer);
/* No more will come; is_whole: because the message ended. */
void answer_end(struct answer *answer, bool is_whole);

#endif

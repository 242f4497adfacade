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
#include "usage/answer_reading.h"
#include "usage/grpc_reader.h"
#include "usage/text_meter.h"

/* One object of a list of counts: {"modality": "AUDIO", "tokenCount": 284}, in either order. */
struct detail {
	char name[TIER_LEN];
	char count[TIER_LEN];
};

struct answer {
	struct answer_reading *reading; /* what was read of it */
	bool expects_usage; /* its stream contains usage by default, or was asked for it */
	bool is_lines;      /* a document a line, and their counts add up: results of a batch */
	bool has_content;
	struct text_meter text;
	enum dialect keys; /* whose tree is read by */
	struct json_scan scan;
	struct json_sink sink;
	struct sse sse;
	struct eventstream eventstream;
	struct grpc_reader *grpc; /* of a gRPC answer, else NULL */
	uint64_t events;
	bool is_started;
	bool is_stopped;       /* the scan met what is no JSON */
	bool goes_on;          /* this event of Anthropic's says that the model has not stopped */
	bool has_early_count;  /* such an event had a count of output */
	bool has_iterations;   /* in this document */
	uint64_t start_millis; /* in this document, of what its duration is of */
	bool skips;            /* the rest of a long event is of no interest */
	bool is_messages;      /* a WebSocket's instead */
	struct usage_slots_usage now; /* read from the current document */
	char iteration_type[TIER_LEN];
	char iteration_model[CHARGE_MODEL_LEN];
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

/* Owns neither struct; the answer must not be moved after. What was read before is forgotten. */
void answer_init(struct answer *answer, struct answer_reading *reading, enum dialect dialect,
		 enum http_content content, bool expects_usage);
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
/* Brings its reading up to date: text, and usage with that of the current document. */
void answer_update(struct answer *answer);
/* Bytes are missing here. */
void answer_gap(struct answer *answer);
/* No more will come; is_whole: because the message ended. */
void answer_end(struct answer *answer, bool is_whole);

#endif

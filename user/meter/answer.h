/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads the body of an answer, whatever its form: one JSON, a stream of events, an array that
 * arrives bit by bit. Of a stream, only the events that can tell usage, model or an error are
 * parsed; those of content are counted.
 */
#ifndef METER_ANSWER_H
#define METER_ANSWER_H

#include "base/json.h"
#include "http/http.h"
#include "http/sse.h"
#include "meter/charge.h"
#include "meter/estimate.h"
#include "meter/text_meter.h"
#include "meter/usage_slots.h"

#define TIER_LEN 24
#define EXTRAS   4 /* models other than the call's own in Anthropic's iterations[] */

/* Tokens billed at another model's price beside the call's own. */
struct extra {
	char model[CHARGE_MODEL_LEN];
	struct usage usage;
};

struct answer {
	enum dialect dialect;
	enum answer_form form;
	bool expects_usage; /* its stream tells usage without being asked, or was asked */
	bool is_done;       /* the stream's terminator came */
	bool is_final;      /* the usage told is the last word */
	bool has_error;
	bool has_gap;
	bool has_content;
	bool has_cost;
	uint64_t cost_nanos;
	uint64_t content_events;
	uint64_t content_bytes; /* of text in them, where it is not counted */
	struct usage_slots_usage slots;
	char model[CHARGE_MODEL_LEN];
	char tier[TIER_LEN];
	char speed[TIER_LEN];
	char geo[TIER_LEN];
	struct extra extras[EXTRAS];
	size_t extras_count;
	struct text_meter text;

	/* Reading. */
	struct json_scan scan;
	struct json_sink sink;
	struct sse sse;
	uint64_t events;
	bool is_started;
	bool is_stopped;     /* the scan met what is no JSON */
	bool has_iterations; /* in this document */
	char iteration_type[TIER_LEN];
	char iteration_model[CHARGE_MODEL_LEN];
	struct usage_slots_usage iteration;
	bool is_audio_in, is_audio_out;
	uint64_t searches; /* web_search_call items of this document */
};

/* Does not own the struct; must not be moved after. */
void answer_init(struct answer *answer, enum dialect dialect, enum http_content content,
		 bool expects_usage);
void answer_done(struct answer *answer);
void answer_feed(struct answer *answer, const uint8_t *bytes, size_t len);
/* Bytes are missing here. */
void answer_gap(struct answer *answer);
/* No more will come; is_whole: because the message ended. */
void answer_end(struct answer *answer, bool is_whole);

#endif

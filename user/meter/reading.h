/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What was read of one call, so far or to its end: plain data without pointers, from which alone its charge follows. It
 * comes from where tenants' bytes are parsed, so to whoever charges each field is a claim; reading_check() says whether it can be
 * true at all.
 */
#ifndef METER_READING_H
#define METER_READING_H

#include "http/http.h"
#include "price/price.h"
#include "usage/answer_reading.h"
#include "usage/charge.h"

struct calibration; /* what measured calls taught the estimator; see estimate.h */

/* Flags are bits, which have no invalid value. */
struct reading {
	uint32_t provider, endpoint; /* api_number(), endpoint_number() */
	uint32_t speaker; /* who answers: the provider, or whoever the path says is behind it */
	char host[CHARGE_HOST_LEN];
	char path[CHARGE_PATH_LEN];
	char model[CHARGE_MODEL_LEN]; /* the request's */
	char organisation[HTTP_ACCOUNT_LEN], project[HTTP_ACCOUNT_LEN];
	char client[CHARGE_CLIENT_LEN];
	char api_key[FINGERPRINT_LEN]; /* of the key that the request shows */
	uint64_t tenant; /* whose measured calls correct its estimates: not read, and 0 until whoever charges sets it */
	uint64_t start_ns, first_token_ns, end_ns;

	/* The request. */
	struct text_count text;
	uint64_t text_dropped; /* strings of base64 in it */
	uint64_t messages;
	uint64_t characters;               /* of what is to be spoken */
	uint64_t file_bytes;               /* of a form */
	uint64_t images_shown;             /* to a model that embeds them */
	uint64_t picture_tokens, pictures; /* by URL: what their formula gives, and how many */
	uint64_t images_wanted, seconds_wanted;
	uint64_t request_bytes;
	char size[TIER_LEN], quality[TIER_LEN], context[TIER_LEN];
	bool is_background : 1; /* a job is asked for */
	bool is_deferred : 1;   /* xAI's, whose id no answer repeats */
	bool is_prewarm : 1;    /* the model is not to say anything */
	bool is_turn : 1; /* of a WebSocket: what came before it is in its counts and not in its bytes */
	bool is_grpc : 1;
	bool searches : 1;      /* a chat that has its model search the web */
	bool model_is_path : 1; /* the path's model is not the request's to change */
	bool has_container : 1; /* a code interpreter's that was paid for before */
	bool has_tools : 1;
	bool wants_stream : 1;
	bool request_is_cut : 1; /* bytes lost, or no JSON */
	bool request_is_whole : 1;

	/* The answer. */
	bool has_head : 1;
	bool answer_ended : 1, answer_is_whole : 1;
	bool is_over : 1;   /* nothing more will come */
	bool is_unseen : 1; /* the server says that it did not look at the request */
	int status;
	uint64_t ids[HTTP_IDS]; /* of the answer, in header fields that the request did not have itself */
	struct usage_slots_usage header; /* counts in header fields */
	uint64_t answer_bytes;
	uint64_t answer_plain_bytes; /* decoded */
	uint64_t unread_bytes; /* of it came to this host and were not read; they are billed as well */
	struct answer_reading answer;
};

/* The connection ended with it, and its answer, or the wait for one, was cut short: more of it may have come. */
bool reading_is_cut(const struct reading *reading);

/*
 * What the call cost. Before it is over this is what is known so far: usage already received, and an estimate of the
 * rest.
 */
void reading_charge(const struct reading *reading, const struct prices *prices,
		    const struct calibration *calibration, struct charge *ret);

/* The ids of its answer as far as it has come (struct charge). */
void reading_ids(const struct reading *reading, uint64_t ret[CHARGE_IDS]);

/*
 * Hands a measured call to the calibration: what its usage said, and what the estimator would have, by
 * the text of its request and by sizes. Once, when the call is done; nothing happens for a call without
 * usage or whose request was not seen whole.
 */
void reading_teach(const struct reading *reading, struct calibration *calibration);

/* What is known of a call otherwise than by reading it. */
struct reading_bounds {
	uint64_t bytes[2]; /* by enum http_side: plaintext of its connection up to now */
	uint64_t now_ns;   /* of its connection's newest event */
};
/* Whether it can be true: rows that exist, texts that end, enums, counts that no sum overflows, bytes within the bounds. */
bool reading_check(const struct reading *reading, const struct reading_bounds *bounds);

#endif

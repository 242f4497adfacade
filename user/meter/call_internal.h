/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by call.c (reads), call_settle.c (counts) and call_charge.c (prices); included by them only. */
#ifndef METER_CALL_INTERNAL_H
#define METER_CALL_INTERNAL_H

#include "base/json.h"
#include "usage/answer.h"
#include "meter/call.h"
#include "usage/form.h"
#include "usage/grpc_reader.h"
#include "usage/picture.h"
#include "provider/provider.h"

struct call {
	const struct api_provider *provider;
	const struct api_provider
		*speaker; /* who answers: the provider, or whoever the path says is behind it */
	const struct endpoint *endpoint;
	uint64_t tenant; /* whose measured calls correct its estimates */
	char host[CHARGE_HOST_LEN];
	char path[CHARGE_PATH_LEN];
	char model[CHARGE_MODEL_LEN]; /* the request's */
	char organisation[HTTP_ACCOUNT_LEN], project[HTTP_ACCOUNT_LEN];
	char client[CHARGE_CLIENT_LEN];
	uint64_t start_ns, first_token_ns, end_ns;

	struct json_scan scan; /* of the request */
	struct json_sink sink;
	struct text_meter text;
	struct form form; /* instead of scan: a multipart request */
	bool is_form;
	struct grpc_reader *grpc; /* instead of scan: of a gRPC request; else NULL */
	uint64_t messages;
	uint64_t characters;               /* of what is to be spoken */
	bool counts_spoken;                /* the string in progress is that */
	uint64_t images_shown;             /* to a model that embeds them */
	uint64_t picture_tokens, pictures; /* by URL: what their formula gives, and how many */
	struct picture picture;            /* the one in progress */
	uint64_t images_wanted, seconds_wanted, batch_requests;
	bool is_background, is_deferred; /* a job is asked for; xAI's, whose id no answer repeats */
	bool is_prewarm;                 /* the model is not to say anything */
	bool is_turn; /* of a WebSocket: what came before it is in its counts and not in its bytes */
	bool searches;      /* a chat that has its model search the web */
	bool model_is_path; /* the path's model is not the request's to change */
	bool has_container; /* a code interpreter's that was paid for before */
	char size[TIER_LEN], quality[TIER_LEN], context[TIER_LEN];
	bool has_tools;
	bool wants_stream, includes_usage;
	bool request_is_cut; /* bytes lost, or no JSON */
	bool request_ended, request_is_whole;
	uint64_t request_bytes;

	bool has_head; /* of the answer */
	bool answer_ended, answer_is_whole;
	bool is_over;   /* call_end() */
	bool is_unseen; /* the server says that it did not look at the request */
	int status;
	struct usage_slots_usage header; /* counts in header fields */
	uint64_t answer_bytes;
	uint64_t answer_plain_bytes; /* decoded */
	uint64_t unread_bytes;       /* call_add_unread() */
	struct answer answer;
};

/* The layer below call_charge.c: sets usage, its expected error and the source of a charge. */
void call_settle(const struct call *call, const struct calibration *calibration, struct charge *ret);
/* gen_ai.operation.name: what the path says, and where it serves all kinds of models, what the model's name does. */
const char *call_operation(const struct call *call);
/* A job that has not ended, of which a bill is to come. */
bool call_is_unfinished(const struct call *call);
/* How the numbers of the answer are to be read. */
enum dialect call_dialect(const struct call *call);
/* The text of the request was seen whole. */
bool call_request_is_read(const struct call *call);
/* The name that teaches and is taught. */
const char *call_calibrated_model(const struct call *call);
/* Tokens of the request by its text, uncorrected. */
uint64_t call_input_estimate(const struct call *call);
struct sizes call_sizes(const struct call *call);

#endif

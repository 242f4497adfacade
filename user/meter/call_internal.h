/* SPDX-License-Identifier: Apache-2.0 */
/* What call.c, which reads, and call_charge.c, which reckons, share; nobody else includes it. */
#ifndef METER_CALL_INTERNAL_H
#define METER_CALL_INTERNAL_H

#include "base/json.h"
#include "meter/answer.h"
#include "meter/call.h"
#include "meter/provider.h"

struct call {
	const struct api_provider *provider;
	const struct endpoint *endpoint;
	char host[CHARGE_HOST_LEN];
	char path[CHARGE_PATH_LEN];
	char model[CHARGE_MODEL_LEN]; /* the request's */
	uint64_t start_ns, first_token_ns, end_ns;

	struct json_scan scan; /* of the request */
	struct json_sink sink;
	struct text_meter text;
	uint64_t messages;
	bool has_tools;
	bool wants_stream, includes_usage;
	bool request_is_cut; /* bytes lost, or no JSON */
	bool request_ended, request_is_whole;
	uint64_t request_bytes;

	bool has_head; /* of the answer */
	bool answer_ended, answer_is_whole;
	bool is_over; /* call_end() */
	int status;
	uint64_t answer_bytes;
	uint64_t answer_plain_bytes; /* decoded */
	struct answer answer;
};

#endif

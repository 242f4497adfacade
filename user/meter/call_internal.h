/* SPDX-License-Identifier: Apache-2.0 */
/* The state of a call in progress, for call.c alone. */
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
	const struct api_provider *provider, *speaker;
	const struct endpoint *endpoint;
	struct reading reading; /* what was read of it; brought up to date by call_read() */

	struct json_scan scan; /* of the request */
	struct json_sink sink;
	struct text_meter text;
	struct form form; /* instead of scan: a multipart request */
	bool is_form;
	struct grpc_reader *grpc; /* instead of scan: of a gRPC request; else NULL */
	bool counts_spoken;       /* the string in progress is to be spoken */
	struct picture picture;   /* the one in progress */
	bool includes_usage;
	bool request_ended;
	bool names_itself; /* by an id in the request, which a server may repeat in its answer */
	struct answer answer;
};

#endif

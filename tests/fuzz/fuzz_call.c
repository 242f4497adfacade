/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as the two bodies of a call: no crash, no growth, a charge that makes sense, and the
 * same one whatever the cuts. Four bytes of choice, then the request, a NUL, the answer.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "meter/call.h"
#include "usage/usage_slots.h"

static struct prices *prices;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	return prices_new(&prices) || prices_load_builtin(prices, NULL);
}

static const struct {
	const char *host, *path;
} targets[] = {
	{ "api.anthropic.com", "/v1/messages" },
	{ "api.openai.com", "/v1/chat/completions" },
	{ "api.openai.com", "/v1/responses" },
	{ "generativelanguage.googleapis.com",
	  "/v1beta/models/gemini-2.5-pro:streamGenerateContent" },
	{ "api.cohere.com", "/v2/chat" },
	{ "bedrock-runtime.us-east-1.amazonaws.com", "/model/x/converse" },
	{ "openrouter.ai", "/api/v1/chat/completions" },
	{ "x.openai.azure.com", "/openai/deployments/d/embeddings" },
};

static void feed(struct call *call, enum http_side side, const uint8_t *bytes, size_t len,
		 size_t step, size_t lost_at)
{
	for (size_t at = 0; at < len;) {
		size_t n = step < len - at ? step : len - at;
		uint8_t *copy = malloc(n);

		memcpy(copy, bytes + at, n);
		call_feed(call,
			  &(struct http_piece){ .type = HTTP_BODY,
						.side = side,
						.bytes = copy,
						.len = n,
						.lost_bytes = at == lost_at && at ? 9 : 0 },
			  2);
		free(copy);
		at += n;
	}
	call_feed(call,
		  &(struct http_piece){
			  .type = HTTP_END, .side = side, .wire_bytes = len, .is_whole = true },
		  3);
}

static void run(const uint8_t *choice, const uint8_t *data, size_t size, size_t step,
		struct charge *ret)
{
	static const int statuses[] = { 200, 200, 200, 400, 408, 429, 500, 0 };
	struct http_head head = { .side = HTTP_REQUEST, .method = "POST" };
	struct http_head answer = { .side = HTTP_RESPONSE,
				    .status = statuses[choice[1] % 8],
				    .content = choice[2] % 6 };
	const uint8_t *end = memchr(data, '\0', size);
	size_t request = end ? (size_t)(end - data) : size / 2;
	size_t skip = request + (end != NULL);
	struct call *call;

	snprintf(head.host, sizeof(head.host), "%s", targets[choice[0] % 8].host);
	snprintf(head.path, sizeof(head.path), "%s", targets[choice[0] % 8].path);
	call = call_new(&head, NULL, 1);
	feed(call, HTTP_REQUEST, data, request, step, size);
	call_feed(call,
		  &(struct http_piece){ .type = HTTP_HEAD, .side = HTTP_RESPONSE, .head = &answer },
		  2);
	feed(call, HTTP_RESPONSE, data + skip, size - skip, step, choice[3] & 128 ? step * 2 : 0);
	call_end(call, 4);
	reading_charge(call_read(call), prices, NULL, ret);
	call_free(call);
	if (ret->cost_nanos < 0 || ret->budget_nanos < 0 ||
	    ret->usage.reasoning > ret->usage.output || ret->usage.input > 20 * USAGE_PLAUSIBLE ||
	    ret->usage.output > 20 * USAGE_PLAUSIBLE)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct charge whole, cut;

	if (size < 6)
		return 0;
	run(data, data + 4, size - 4, (data[3] & 128) ? 1 + (data[3] & 63) : size, &whole);
	if (data[3] & 128)
		return 0;
	run(data, data + 4, size - 4, 1 + data[3] % 64, &cut);
	if (memcmp(&whole.usage, &cut.usage, sizeof(cut.usage)) ||
	    whole.cost_nanos != cut.cost_nanos || whole.source != cut.source ||
	    strcmp(whole.model, cut.model))
		abort();
	return 0;
}

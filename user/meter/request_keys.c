/* SPDX-License-Identifier: Apache-2.0 */
/* What is wanted of a request, in any dialect. */
#include "meter/usage_keys.h"

static const struct json_node stream_options[] = {
	{ "include_usage", REQUEST_INCLUDE_USAGE, NULL, false },
	END,
};
static const struct json_node picture[] = {
	{ "url", REQUEST_IMAGE, NULL, false },
	{ "detail", REQUEST_DETAIL, NULL, false },
	END,
};
static const struct json_node part[] = {
	{ "image_url", REQUEST_IMAGE, picture, false },
	{ "detail", REQUEST_DETAIL, NULL, false },
	END,
};
static const struct json_node message[] = {
	{ "role", REQUEST_ROLE, NULL, false },
	{ "content", REQUEST_PART, part, false },
	END,
};
static const struct json_node search[] = {
	{ "search_context_size", REQUEST_CONTEXT, NULL, false },
	END,
};
static const struct json_node tool[] = {
	{ "search_context_size", REQUEST_CONTEXT, NULL, false },
	{ "container", REQUEST_CONTAINER, NULL, false },
	END,
};
static const struct json_node params[] = {
	{ "model", REQUEST_MODEL, NULL, false },
	{ "messages", 0, message, false },
	END,
};
static const struct json_node batch_request[] = {
	{ "custom_id", REQUEST_CUSTOM_ID, NULL, false },
	{ "params", 0, params, false },
	END,
};
/* Google's predict: images and videos. */
static const struct json_node parameters[] = {
	{ "sampleCount", REQUEST_COUNT, NULL, false },
	{ "durationSeconds", REQUEST_SECONDS, NULL, false },
	END,
};
static const struct json_node request[] = {
	{ "parameters", 0, parameters, false },
	{ "model", REQUEST_MODEL, NULL, false },
	{ "model_id", REQUEST_MODEL, NULL, false },
	{ "modelId", REQUEST_MODEL, NULL, false },
	{ "stream", REQUEST_STREAM, NULL, false },
	{ "stream_options", 0, stream_options, false },
	{ "background", REQUEST_BACKGROUND, NULL, false },
	{ "web_search_options", REQUEST_SEARCH, search, false },
	{ "messages", 0, message, false },
	{ "input", 0, message, false },
	{ "contents", 0, message, false },
	{ "requests", 0, batch_request, false },
	{ "size", REQUEST_SIZE, NULL, false },
	{ "quality", REQUEST_QUALITY, NULL, false },
	{ "n", REQUEST_COUNT, NULL, false },
	{ "seconds", REQUEST_SECONDS, NULL, false },
	{ "tools", REQUEST_TOOL, tool, true },
	{ "functions", REQUEST_TOOL, NULL, true },
	END,
};

const struct json_node *request_keys(void)
{
	return request;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* What is wanted of a request, in any dialect. */
#include "usage/usage_keys.h"

static const struct json_node stream_options[] = {
	{ "include_usage", .id = REQUEST_INCLUDE_USAGE },
	{ 0 },
};
static const struct json_node picture[] = {
	{ "url", .id = REQUEST_IMAGE },
	{ "detail", .id = REQUEST_DETAIL },
	{ 0 },
};
static const struct json_node part[] = {
	{ "image_url", .id = REQUEST_IMAGE, .in = picture },
	{ "detail", .id = REQUEST_DETAIL },
	{ 0 },
};
static const struct json_node message[] = {
	{ "role", .id = REQUEST_ROLE },
	{ "content", .id = REQUEST_PART, .in = part },
	{ 0 },
};
static const struct json_node search[] = {
	{ "search_context_size", .id = REQUEST_CONTEXT },
	{ 0 },
};
static const struct json_node tool[] = {
	{ "search_context_size", .id = REQUEST_CONTEXT },
	{ "container", .id = REQUEST_CONTAINER },
	{ 0 },
};
static const struct json_node params[] = {
	{ "model", .id = REQUEST_MODEL },
	{ "messages", .in = message },
	{ 0 },
};
static const struct json_node batch_request[] = {
	{ "custom_id", .id = REQUEST_CUSTOM_ID },
	{ "params", .in = params },
	{ 0 },
};
/* Google's predict: images and videos. */
static const struct json_node parameters[] = {
	{ "sampleCount", .id = REQUEST_COUNT },
	{ "durationSeconds", .id = REQUEST_SECONDS },
	{ 0 },
};
/* Amazon's: a video that is made later, and a reranker. */
static const struct json_node video[] = {
	{ "durationSeconds", .id = REQUEST_SECONDS },
	{ 0 },
};
static const struct json_node model_input[] = {
	{ "videoGenerationConfig", .in = video },
	{ 0 },
};
static const struct json_node reranker[] = {
	{ "modelArn", .id = REQUEST_MODEL },
	{ 0 },
};
static const struct json_node reranker_outer[] = {
	{ "modelConfiguration", .in = reranker },
	{ 0 },
};
static const struct json_node reranking[] = {
	{ "bedrockRerankingConfiguration", .in = reranker_outer },
	{ 0 },
};
static const struct json_node request[] = {
	{ "modelInput", .in = model_input },
	{ "rerankingConfiguration", .in = reranking },
	{ "request", .in = params }, /* Perplexity's jobs */
	{ "generate", REQUEST_GENERATE, NULL, false },
	{ "parameters", .in = parameters },
	{ "model", .id = REQUEST_MODEL },
	{ "model_id", .id = REQUEST_MODEL },
	{ "modelId", .id = REQUEST_MODEL },
	{ "final_model", .id = REQUEST_MODEL }, /* AssemblyAI's LeMUR */
	{ "inputImage", .id = REQUEST_SHOWN },  /* Titan's embeddings */
	{ "stream", .id = REQUEST_STREAM },
	{ "stream_options", .in = stream_options },
	{ "background", .id = REQUEST_BACKGROUND },
	{ "deferred", .id = REQUEST_DEFERRED },
	{ "web_search_options", .id = REQUEST_SEARCH, .in = search },
	{ "messages", .in = message },
	{ "input", .in = message },
	{ "contents", .in = message },
	{ "requests", .in = batch_request },
	{ "size", .id = REQUEST_SIZE },
	{ "quality", .id = REQUEST_QUALITY },
	{ "n", .id = REQUEST_COUNT },
	{ "num_images", .id = REQUEST_COUNT }, /* fal */
	{ "duration", .id = REQUEST_SECONDS }, /* Runway */
	{ "seconds", .id = REQUEST_SECONDS },
	{ "n_seconds", .id = REQUEST_SECONDS }, /* Azure */
	{ "n_variants", .id = REQUEST_COUNT },
	{ "tools", .id = REQUEST_TOOL, .in = tool, .is_schema = true },
	{ "functions", .id = REQUEST_TOOL, .is_schema = true },
	{ 0 },
};

const struct json_node *request_keys(void)
{
	return request;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where Gemini's and Vertex's messages of protobuf have what counts: the field numbers of google.ai.generativelanguage.v1,
 * v1alpha and v1beta (npm's @google-ai/generativelanguage 3.7.1) and of google.cloud.aiplatform.v1 and v1beta1
 * (@google-cloud/aiplatform 6.11.0). The ids are those of the JSON form (usage_keys_gemini.c, request_keys.c).
 */
#include "base/cleanup.h"
#include "usage/usage_slots.h"

static const char *const modalities[] = { "", "TEXT", "IMAGE", "VIDEO", "AUDIO", "DOCUMENT", NULL };
static const char *const traffic[] = { "", "ON_DEMAND", "PROVISIONED_THROUGHPUT", NULL };

static const struct protobuf_node modality_count[] = {
	{ 1, .id = ANSWER_MODALITY, .words = modalities },
	{ 2, .id = ANSWER_MODALITY_COUNT },
	{ 0 },
};

/* A message that is wanted for being there. */
static const struct protobuf_node nothing[] = { { 0 } };

/* google.ai.generativelanguage */

static const struct protobuf_node gemini_part[] = { { 2, .is_text = true }, { 0 } };
static const struct protobuf_node gemini_content[] = { { 1, .in = gemini_part }, { 0 } };
/* Pictures, files, what a function was called with and answered. */
static const struct protobuf_node gemini_asked_part[] = {
	{ 2, .is_text = true },
	{ 3, .id = REQUEST_UNREAD, .in = nothing },
	{ 4, .id = REQUEST_UNREAD, .in = nothing },
	{ 5, .id = REQUEST_UNREAD, .in = nothing },
	{ 6, .id = REQUEST_UNREAD, .in = nothing },
	{ 9, .id = REQUEST_UNREAD, .in = nothing },
	{ 10, .id = REQUEST_UNREAD, .in = nothing },
	{ 0 },
};
static const struct protobuf_node gemini_asked[] = {
	{ 1, .in = gemini_asked_part },
	{ 2, .id = REQUEST_ROLE },
	{ 0 },
};
static const struct protobuf_node gemini_embed[] = {
	{ 1, .id = REQUEST_MODEL },
	{ 2, .in = gemini_content },
	{ 4, .is_text = true },
	{ 0 },
};
static const struct protobuf_node gemini_request[] = {
	{ 1, .id = REQUEST_MODEL },
	{ 2, .in = gemini_asked },
	{ 5, .id = REQUEST_UNREAD, .in = nothing },
	{ 8, .in = gemini_content },
	{ 9, .id = REQUEST_UNREAD }, /* a cached content's name */
	{ 0 },
};
static const struct protobuf_node gemini_embed_many[] = {
	{ 1, .id = REQUEST_MODEL },
	{ 2, .in = gemini_embed },
	{ 0 },
};
static const struct protobuf_node gemini_usage[] = {
	{ 1, .id = SLOT_INPUT },
	{ 2, .id = SLOT_OUTPUT },
	{ 3, .id = SLOT_TOTAL },
	{ 4, .id = SLOT_CACHE_READ },
	{ 5, .id = ANSWER_DETAIL_PROMPT, .in = modality_count },
	{ 6, .id = ANSWER_DETAIL_CACHE, .in = modality_count },
	{ 7, .id = ANSWER_DETAIL_OUTPUT, .in = modality_count },
	{ 8, .id = SLOT_TOOL_PROMPT },
	{ 10, .id = SLOT_REASONING },
	{ 0 },
};
/* What a grounded answer rests on: the web or maps. */
static const struct protobuf_node gemini_source[] = {
	{ 1, .id = ANSWER_GROUNDED, .in = nothing },
	{ 3, .id = ANSWER_MAPPED, .in = nothing },
	{ 0 },
};
static const struct protobuf_node gemini_grounding[] = {
	{ 2, .in = gemini_source },
	{ 5, .id = ANSWER_GROUNDING },
	{ 0 },
};
static const struct protobuf_node gemini_candidate[] = {
	{ 1, .in = gemini_content },
	{ 9, .in = gemini_grounding },
	{ 0 },
};
static const struct protobuf_node gemini_answer[] = {
	{ 1, .in = gemini_candidate },
	{ 3, .in = gemini_usage },
	{ 4, .id = ANSWER_MODEL },
	{ 0 },
};

/* google.cloud.aiplatform */

static const struct protobuf_node vertex_part[] = { { 1, .is_text = true }, { 0 } };
static const struct protobuf_node vertex_content[] = { { 2, .in = vertex_part }, { 0 } };
static const struct protobuf_node vertex_asked_part[] = {
	{ 1, .is_text = true },
	{ 2, .id = REQUEST_UNREAD, .in = nothing },
	{ 3, .id = REQUEST_UNREAD, .in = nothing },
	{ 5, .id = REQUEST_UNREAD, .in = nothing },
	{ 6, .id = REQUEST_UNREAD, .in = nothing },
	{ 8, .id = REQUEST_UNREAD, .in = nothing },
	{ 9, .id = REQUEST_UNREAD, .in = nothing },
	{ 0 },
};
static const struct protobuf_node vertex_asked[] = {
	{ 1, .id = REQUEST_ROLE },
	{ 2, .in = vertex_asked_part },
	{ 0 },
};
static const struct protobuf_node vertex_request[] = {
	{ 2, .in = vertex_asked },
	{ 5, .id = REQUEST_MODEL },
	{ 6, .id = REQUEST_UNREAD, .in = nothing },
	{ 8, .in = vertex_content },
	{ 9, .id = REQUEST_UNREAD },
	{ 0 },
};
static const struct protobuf_node vertex_embed[] = {
	{ 1, .id = REQUEST_MODEL },
	{ 2, .in = vertex_content },
	{ 0 },
};
static const struct protobuf_node vertex_usage[] = {
	{ 1, .id = SLOT_INPUT },
	{ 2, .id = SLOT_OUTPUT },
	{ 3, .id = SLOT_TOTAL },
	{ 5, .id = SLOT_CACHE_READ },
	{ 8, .id = ANSWER_TRAFFIC, .words = traffic },
	{ 9, .id = ANSWER_DETAIL_PROMPT, .in = modality_count },
	{ 10, .id = ANSWER_DETAIL_CACHE, .in = modality_count },
	{ 11, .id = ANSWER_DETAIL_OUTPUT, .in = modality_count },
	{ 13, .id = SLOT_TOOL_PROMPT },
	{ 14, .id = SLOT_REASONING },
	{ 0 },
};
static const struct protobuf_node vertex_source[] = {
	{ 1, .id = ANSWER_GROUNDED, .in = nothing },
	{ 3, .id = ANSWER_MAPPED, .in = nothing },
	{ 0 },
};
static const struct protobuf_node vertex_grounding[] = {
	{ 1, .id = ANSWER_GROUNDING },
	{ 5, .in = vertex_source },
	{ 0 },
};
static const struct protobuf_node vertex_candidate[] = {
	{ 2, .in = vertex_content },
	{ 7, .in = vertex_grounding },
	{ 0 },
};
static const struct protobuf_node vertex_answer[] = {
	{ 2, .in = vertex_candidate },
	{ 4, .in = vertex_usage },
	{ 11, .id = ANSWER_MODEL },
	{ 0 },
};
static const struct protobuf_node vertex_embedded[] = {
	{ 2, .in = vertex_usage },
	{ 0 },
};

/*
 * Predict, of google.protobuf.Value: predictions[].embeddings.statistics.token_count is the only number at its depth.
 * A Value has its number in 2, its string in 3, its struct in 5; a Struct its fields in 1, and of each the value in 2.
 */
static const struct protobuf_node value_number[] = { { 2, .id = ANSWER_EMBEDDED }, { 0 } };
static const struct protobuf_node count_field[] = { { 2, .in = value_number }, { 0 } };
static const struct protobuf_node count_struct[] = { { 1, .in = count_field }, { 0 } };
static const struct protobuf_node statistics_value[] = { { 5, .in = count_struct }, { 0 } };
static const struct protobuf_node statistics_field[] = { { 2, .in = statistics_value }, { 0 } };
static const struct protobuf_node statistics_struct[] = { { 1, .in = statistics_field }, { 0 } };
static const struct protobuf_node embeddings_value[] = { { 5, .in = statistics_struct }, { 0 } };
static const struct protobuf_node embeddings_field[] = { { 2, .in = embeddings_value }, { 0 } };
static const struct protobuf_node embeddings_struct[] = { { 1, .in = embeddings_field }, { 0 } };
static const struct protobuf_node prediction[] = { { 5, .in = embeddings_struct }, { 0 } };
static const struct protobuf_node predict_answer[] = { { 1, .in = prediction }, { 0 } };

static const struct protobuf_node said_string[] = { { 3, .is_text = true }, { 0 } };
static const struct protobuf_node said_field[] = { { 2, .in = said_string }, { 0 } };
static const struct protobuf_node said_struct[] = { { 1, .in = said_field }, { 0 } };
static const struct protobuf_node instance[] = { { 5, .in = said_struct }, { 0 } };
static const struct protobuf_node predict_request[] = {
	{ 1, .id = REQUEST_MODEL },
	{ 2, .in = instance },
	{ 0 },
};

static const struct {
	const struct protobuf_node *request, *answer;
} messages[] = {
	[PROTOBUF_GEMINI] = { gemini_request, gemini_answer },
	[PROTOBUF_GEMINI_EMBED] = { gemini_embed, NULL },
	[PROTOBUF_GEMINI_EMBED_MANY] = { gemini_embed_many, NULL },
	[PROTOBUF_VERTEX] = { vertex_request, vertex_answer },
	[PROTOBUF_VERTEX_EMBED] = { vertex_embed, vertex_embedded },
	[PROTOBUF_VERTEX_PREDICT] = { predict_request, predict_answer },
};

const struct protobuf_node *request_protobuf(enum protobuf_messages which)
{
	return which < ARRAY_SIZE(messages) ? messages[which].request : NULL;
}

const struct protobuf_node *usage_protobuf(enum protobuf_messages which)
{
	return which < ARRAY_SIZE(messages) ? messages[which].answer : NULL;
}

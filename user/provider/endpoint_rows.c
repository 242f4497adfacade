/* SPDX-License-Identifier: Apache-2.0 */
/* The paths that are billed. */
#include <stddef.h>

#include "provider/provider.h"

/*
 * What a provider or gateway serves below its own base path:
 * docs/facts/wire.md, "Anthropic" and "OpenAI".
 */
const struct endpoint endpoint_rows[] = {
	{ .tail = "/v1/messages", .operation = "chat", .dialect = DIALECT_ANTHROPIC },
	{ .tail = "/v1/complete", .operation = "text_completion", .dialect = DIALECT_ANTHROPIC },
	{ .tail = "/v1/messages/batches",
	  .operation = "batch",
	  .dialect = DIALECT_ANTHROPIC,
	  .tier = "batch" },
	{ .tail = "/chat/completions", .operation = "chat", .dialect = DIALECT_OPENAI },
	{ .tail = "/responses", .operation = "chat", .dialect = DIALECT_OPENAI },
	{ .tail = "/responses/compact", .operation = "chat", .dialect = DIALECT_OPENAI },
	{ .tail = "/completions", .operation = "text_completion", .dialect = DIALECT_OPENAI },
	{ .tail = "/embeddings", .operation = "embeddings", .dialect = DIALECT_OPENAI },
	{ .tail = "/images/generations", .operation = "image", .dialect = DIALECT_OPENAI },
	{ .tail = "/images/edits", .operation = "image", .dialect = DIALECT_OPENAI },
	{ .tail = "/images/variations",
	  .operation = "image",
	  .dialect = DIALECT_OPENAI,
	  .model = "dall-e-2" },
	{ .tail = "/audio/transcriptions", .operation = "transcription", .dialect = DIALECT_OPENAI },
	{ .tail = "/audio/translations", .operation = "transcription", .dialect = DIALECT_OPENAI },
	{ .tail = "/audio/speech", .operation = "speech", .dialect = DIALECT_OPENAI },
	{ .tail = "/v1/videos", .operation = "video", .dialect = DIALECT_OPENAI },
	{ .tail = "/v1/videos/*/remix", .operation = "video", .dialect = DIALECT_OPENAI },
	{ .tail = "/v1/videos/edits", .operation = "video", .dialect = DIALECT_OPENAI },
	{ .tail = "/v1/videos/extensions", .operation = "video", .dialect = DIALECT_OPENAI },
	/* Paid when it is made; a call that names it pays nothing for it. */
	{ .tail = "/v1/containers",
	  .operation = "container",
	  .dialect = DIALECT_OPENAI,
	  .model = "openai/container",
	  .unit = UNIT_SESSION },
	{ .tail = "/v1/vector_stores/*/search",
	  .operation = "search",
	  .dialect = DIALECT_OPENAI,
	  .model = "openai/file_search",
	  .unit = UNIT_FILE_SEARCH },
	{ .tail = "/rerank", .operation = "rerank", .dialect = DIALECT_OPENAI },
	{ .tail = "/ocr", .operation = "ocr", .dialect = DIALECT_OPENAI },
	/* Voyage's other embedders (docs.voyageai.com/reference, 2026-11). */
	{ .tail = "/multimodalembeddings", .operation = "embeddings", .dialect = DIALECT_OPENAI },
	{ .tail = "/contextualizedembeddings", .operation = "embeddings", .dialect = DIALECT_OPENAI },
	/* Assistants: a run's usage is in its own last event, or in the run that is asked after. */
	{ .tail = "/threads/runs", .operation = "chat", .dialect = DIALECT_OPENAI, .starts_job = true },
	{ .tail = "/threads/*/runs",
	  .operation = "chat",
	  .dialect = DIALECT_OPENAI,
	  .starts_job = true },
	{ .tail = "/threads/*/runs/*/submit_tool_outputs",
	  .operation = "chat",
	  .dialect = DIALECT_OPENAI,
	  .starts_job = true },
	{ .tail = "/threads/*/runs/*",
	  .operation = "chat",
	  .dialect = DIALECT_OPENAI,
	  .job = JOB_POLL },
	/* xAI's (docs.x.ai, "Deferred chat completions"). */
	{ .tail = "/chat/deferred-completion/*",
	  .operation = "chat",
	  .dialect = DIALECT_OPENAI,
	  .job = JOB_POLL },
	{ .tail = "/v1/text/chatcompletion_v2", .operation = "chat", .dialect = DIALECT_OPENAI },
	/* Ollama's own. */
	{ .tail = "/api/chat", .operation = "chat", .dialect = DIALECT_OLLAMA },
	{ .tail = "/api/generate", .operation = "text_completion", .dialect = DIALECT_OLLAMA },
	{ .tail = "/api/embed", .operation = "embeddings", .dialect = DIALECT_OLLAMA },
	/* Databricks, SageMaker. */
	{ .tail = "/invocations", .operation = "chat", .dialect = DIALECT_ANY },
	{ .tail = "/invocations-response-stream", .operation = "chat", .dialect = DIALECT_ANY },
	/* WebSockets: docs/facts/wire.md, "WebSocket traffic". */
	{ .tail = "/responses",
	  .operation = "chat",
	  .dialect = DIALECT_OPENAI,
	  .session = SESSION_RESPONSES },
	{ .tail = "/realtime",
	  .operation = "chat",
	  .dialect = DIALECT_OPENAI,
	  .session = SESSION_REALTIME },
	{ .tail = "/realtime" SESSION_TRANSCRIPTION,
	  .operation = "transcription",
	  .dialect = DIALECT_OPENAI,
	  .session = SESSION_REALTIME },
	/* Jobs that were started earlier: the answer contains their usage. */
	{ .tail = "/v1/responses/*", .operation = "chat", .dialect = DIALECT_OPENAI, .job = JOB_POLL },
	{ .tail = "/openai/responses/*",
	  .operation = "chat",
	  .dialect = DIALECT_OPENAI,
	  .job = JOB_POLL },
	{ .tail = "/v1/messages/batches/*/results",
	  .operation = "chat",
	  .dialect = DIALECT_ANTHROPIC,
	  .tier = "batch",
	  .job = JOB_RESULTS },
	{ .tail = "/v1/batches/*",
	  .operation = "chat",
	  .dialect = DIALECT_OPENAI,
	  .tier = "batch",
	  .job = JOB_POLL },
	{ .tail = "/openai/batches/*",
	  .operation = "chat",
	  .dialect = DIALECT_OPENAI,
	  .tier = "batch",
	  .job = JOB_POLL },
	/* Its output; any other file has no such lines, and is no bill. */
	{ .tail = "/files/*/content",
	  .operation = "chat",
	  .dialect = DIALECT_OPENAI,
	  .tier = "batch",
	  .job = JOB_RESULTS },
	{ .tail = NULL },
};

/* docs/facts/wire.md, "Gemini and Vertex AI" */
const struct endpoint endpoint_google[] = {
	{ .tail = "/count-tokens:rawPredict" },
	{ .tail = ":generateContent", .operation = "generate_content", .dialect = DIALECT_GEMINI },
	{ .tail = ":streamGenerateContent",
	  .operation = "generate_content",
	  .dialect = DIALECT_GEMINI },
	{ .tail = ":batchGenerateContent", .operation = "batch", .tier = "batch" },
	{ .tail = ":asyncBatchEmbedContent", .operation = "batch", .tier = "batch" },
	{ .tail = "/batches/*",
	  .operation = "generate_content",
	  .dialect = DIALECT_GEMINI,
	  .tier = "batch",
	  .job = JOB_RESULTS },
	{ .tail = "/files/*:download",
	  .operation = "generate_content",
	  .dialect = DIALECT_GEMINI,
	  .tier = "batch",
	  .job = JOB_RESULTS },
	{ .tail = ":embedContent", .operation = "embeddings", .dialect = DIALECT_GEMINI },
	{ .tail = ":batchEmbedContents", .operation = "embeddings", .dialect = DIALECT_GEMINI },
	{ .tail = ":rawPredict", .operation = "chat", .dialect = DIALECT_ANY },
	{ .tail = ":streamRawPredict", .operation = "chat", .dialect = DIALECT_ANY },
	{ .tail = ":predict", .operation = "image", .dialect = DIALECT_GEMINI },
	{ .tail = ":predictLongRunning", .operation = "veo", .dialect = DIALECT_GEMINI },
	{ .tail = "BidiGenerateContent",
	  .operation = "generate_content",
	  .dialect = DIALECT_GEMINI,
	  .session = SESSION_LIVE },
	{ .tail = "BidiGenerateContentConstrained",
	  .operation = "generate_content",
	  .dialect = DIALECT_GEMINI,
	  .session = SESSION_LIVE },
	{ .tail = "/interactions",
	  .operation = "generate_content",
	  .dialect = DIALECT_GEMINI,
	  .starts_job = true },
	{ .tail = "/interactions/*",
	  .operation = "generate_content",
	  .dialect = DIALECT_GEMINI,
	  .job = JOB_POLL },
	/* gRPC: the path is the method's name, and the model is in the message. */
	{ .tail = ".GenerativeService/GenerateContent",
	  .operation = "generate_content",
	  .dialect = DIALECT_GEMINI,
	  .protobuf = PROTOBUF_GEMINI },
	{ .tail = ".GenerativeService/StreamGenerateContent",
	  .operation = "generate_content",
	  .dialect = DIALECT_GEMINI,
	  .protobuf = PROTOBUF_GEMINI,
	  .is_stream = true },
	{ .tail = ".GenerativeService/EmbedContent",
	  .operation = "embeddings",
	  .dialect = DIALECT_GEMINI,
	  .protobuf = PROTOBUF_GEMINI_EMBED },
	{ .tail = ".GenerativeService/BatchEmbedContents",
	  .operation = "embeddings",
	  .dialect = DIALECT_GEMINI,
	  .protobuf = PROTOBUF_GEMINI_EMBED_MANY },
	{ .tail = ".PredictionService/GenerateContent",
	  .operation = "generate_content",
	  .dialect = DIALECT_GEMINI,
	  .protobuf = PROTOBUF_VERTEX },
	{ .tail = ".PredictionService/StreamGenerateContent",
	  .operation = "generate_content",
	  .dialect = DIALECT_GEMINI,
	  .protobuf = PROTOBUF_VERTEX,
	  .is_stream = true },
	{ .tail = ".PredictionService/EmbedContent",
	  .operation = "embeddings",
	  .dialect = DIALECT_GEMINI,
	  .protobuf = PROTOBUF_VERTEX_EMBED },
	{ .tail = ".PredictionService/Predict",
	  .operation = "embeddings",
	  .dialect = DIALECT_GEMINI,
	  .protobuf = PROTOBUF_VERTEX_PREDICT },
	{ .tail = NULL },
};

/* What is made where no model is named (platform.openai.com/docs/api-reference/images, 2026-11). */
const struct endpoint endpoint_openai[] = {
	{ .tail = "/images/generations",
	  .operation = "image",
	  .dialect = DIALECT_OPENAI,
	  .model = "dall-e-2" },
	{ .tail = "/images/edits",
	  .operation = "image",
	  .dialect = DIALECT_OPENAI,
	  .model = "dall-e-2" },
	{ .tail = NULL },
};

/* assemblyai.com/docs/api-reference, 2026-11: a transcript is asked after until it is completed. */
const struct endpoint endpoint_assemblyai[] = {
	{ .tail = "/v3/ws",
	  .operation = "transcription_live",
	  .dialect = DIALECT_OPENAI,
	  .session = SESSION_WHOLE,
	  .model = "universal-streaming" },
	{ .tail = "/v2/transcript",
	  .operation = "transcription",
	  .dialect = DIALECT_OPENAI,
	  .model = "best" },
	{ .tail = "/v2/transcript/*",
	  .operation = "transcription",
	  .dialect = DIALECT_OPENAI,
	  .model = "best",
	  .job = JOB_POLL },
	/* LeMUR, by the tokens of the model behind it */
	{ .tail = "/lemur/v3/generate/*", .operation = "chat", .dialect = DIALECT_OPENAI },
	{ .tail = NULL },
};

/* docs.perplexity.ai/api-reference, 2026-11: jobs, and searches by the request. */
const struct endpoint endpoint_perplexity[] = {
	{ .tail = "/v1/sonar", .operation = "chat", .dialect = DIALECT_OPENAI },
	{ .tail = "/v1/async/sonar",
	  .operation = "chat",
	  .dialect = DIALECT_OPENAI,
	  .starts_job = true },
	{ .tail = "/async/chat/completions",
	  .operation = "chat",
	  .dialect = DIALECT_OPENAI,
	  .starts_job = true },
	{ .tail = "/v1/async/sonar/*",
	  .operation = "chat",
	  .dialect = DIALECT_OPENAI,
	  .job = JOB_POLL },
	{ .tail = "/async/chat/completions/*",
	  .operation = "chat",
	  .dialect = DIALECT_OPENAI,
	  .job = JOB_POLL },
	{ .tail = "/search",
	  .operation = "search",
	  .dialect = DIALECT_OPENAI,
	  .model = "perplexity/search",
	  .unit = UNIT_QUERY },
	{ .tail = NULL },
};

/*
 * docs/facts/wire.md, "AWS Bedrock". Invoke answers in the model's own dialect.
 */
const struct endpoint endpoint_bedrock[] = {
	{ .tail = "/converse", .operation = "chat", .dialect = DIALECT_BEDROCK },
	{ .tail = "/converse-stream", .operation = "chat", .dialect = DIALECT_BEDROCK },
	{ .tail = "/invoke", .operation = "chat", .dialect = DIALECT_ANY },
	{ .tail = "/invoke-with-response-stream", .operation = "chat", .dialect = DIALECT_ANY },
	{ .tail = "/invoke-with-bidirectional-stream", .operation = "chat" },
	{ .tail = "/async-invoke", .operation = "chat" },
	/* Of the host bedrock-agent-runtime, whose agents hide what they use: their sizes are what there is. */
	{ .tail = "^/rerank", .operation = "rerank", .dialect = DIALECT_BEDROCK, .unit = UNIT_QUERY },
	{ .tail = "^/retrieveAndGenerate", .operation = "chat" },
	{ .tail = "^/retrieveAndGenerateStream", .operation = "chat" },
	{ .tail = "^/agents/*/agentAliases/*/sessions/*/text", .operation = "chat" },
	{ .tail = NULL },
};

/* docs/facts/wire.md, "Cohere" */
const struct endpoint endpoint_cohere[] = {
	{ .tail = "/v2/chat", .operation = "chat", .dialect = DIALECT_COHERE },
	{ .tail = "/v1/chat", .operation = "chat", .dialect = DIALECT_COHERE },
	{ .tail = "/v1/generate", .operation = "text_completion", .dialect = DIALECT_COHERE },
	{ .tail = "/v1/embed", .operation = "embeddings", .dialect = DIALECT_COHERE },
	{ .tail = "/v2/embed", .operation = "embeddings", .dialect = DIALECT_COHERE },
	{ .tail = "/v1/rerank", .operation = "rerank", .dialect = DIALECT_COHERE },
	{ .tail = "/v2/rerank", .operation = "rerank", .dialect = DIALECT_COHERE },
	{ .tail = NULL },
};

const struct endpoint endpoint_mistral[] = {
	{ .tail = "/v1/conversations", .operation = "chat", .dialect = DIALECT_OPENAI },
	{ .tail = "/v1/conversations/*", .operation = "chat", .dialect = DIALECT_OPENAI },
	{ .tail = "/v1/conversations/*/restart", .operation = "chat", .dialect = DIALECT_OPENAI },
	{ .tail = "/v1/agents/completions", .operation = "chat", .dialect = DIALECT_OPENAI },
	{ .tail = NULL },
};

const struct endpoint endpoint_replicate[] = {
	{ .tail = "/predictions", .operation = "prediction", .dialect = DIALECT_ANY },
	{ .tail = "/v1/predictions/*",
	  .operation = "prediction",
	  .dialect = DIALECT_ANY,
	  .job = JOB_POLL },
	{ .tail = NULL },
};

/* elevenlabs.io/docs/api-reference, 2026-11 */
const struct endpoint endpoint_elevenlabs[] = {
	{ .tail = "/v1/text-to-speech/*/stream-input",
	  .operation = "speech",
	  .dialect = DIALECT_OPENAI,
	  .session = SESSION_WHOLE },
	{ .tail = "/v1/text-to-speech/*", .operation = "speech", .dialect = DIALECT_OPENAI },
	{ .tail = "/v1/text-to-speech/*/stream", .operation = "speech", .dialect = DIALECT_OPENAI },
	{ .tail = "/v1/text-to-speech/*/with-timestamps",
	  .operation = "speech",
	  .dialect = DIALECT_OPENAI },
	{ .tail = "/v1/text-to-speech/*/stream/with-timestamps",
	  .operation = "speech",
	  .dialect = DIALECT_OPENAI },
	{ .tail = "/v1/speech-to-text", .operation = "transcription", .dialect = DIALECT_OPENAI },
	{ .tail = NULL },
};

/* developers.deepgram.com/reference, 2026-11 */
const struct endpoint endpoint_deepgram[] = {
	{ .tail = "/v1/listen", .operation = "transcription", .dialect = DIALECT_DEEPGRAM },
	{ .tail = "/v1/speak", .operation = "speech", .dialect = DIALECT_OPENAI },
	{ .tail = "/v1/listen",
	  .operation = "transcription_live",
	  .dialect = DIALECT_DEEPGRAM,
	  .session = SESSION_WHOLE },
	{ .tail = NULL },
};

/* docs.fal.ai/model-apis, 2026-11: the path is the model; what is queued has its bill here as well. */
const struct endpoint endpoint_fal[] = {
	{ .tail = "/requests/*", .operation = NULL },
	{ .tail = "^/*/*", .operation = "image", .dialect = DIALECT_OPENAI, .path_is_model = true },
	{ .tail = "^/*/*/*", .operation = "image", .dialect = DIALECT_OPENAI, .path_is_model = true },
	{ .tail = "^/*/*/*/*", .operation = "image", .dialect = DIALECT_OPENAI, .path_is_model = true },
	{ .tail = "^/*/*/*/*/*",
	  .operation = "image",
	  .dialect = DIALECT_OPENAI,
	  .path_is_model = true },
	{ .tail = NULL },
};

/* Alibaba's own shape beside OpenAI's, and IBM's. */
const struct endpoint endpoint_dashscope[] = {
	{ .tail = "/generation", .operation = "chat", .dialect = DIALECT_ANY },
	{ .tail = "/text-embedding", .operation = "embeddings", .dialect = DIALECT_OPENAI },
	{ .tail = NULL },
};
const struct endpoint endpoint_watsonx[] = {
	/* ... and of a deployment, whose answer names the model. */
	{ .tail = "/ml/v1/deployments/*/text/chat", .operation = "chat", .dialect = DIALECT_OPENAI },
	{ .tail = "/ml/v1/deployments/*/text/chat_stream",
	  .operation = "chat",
	  .dialect = DIALECT_OPENAI },
	{ .tail = "/ml/v1/deployments/*/text/generation",
	  .operation = "text_completion",
	  .dialect = DIALECT_ANY },
	{ .tail = "/ml/v1/deployments/*/text/generation_stream",
	  .operation = "text_completion",
	  .dialect = DIALECT_ANY },
	{ .tail = "/ml/v1/text/chat", .operation = "chat", .dialect = DIALECT_OPENAI },
	{ .tail = "/ml/v1/text/chat_stream", .operation = "chat", .dialect = DIALECT_OPENAI },
	{ .tail = "/ml/v1/text/generation", .operation = "text_completion", .dialect = DIALECT_ANY },
	{ .tail = "/ml/v1/text/generation_stream",
	  .operation = "text_completion",
	  .dialect = DIALECT_ANY },
	{ .tail = "/ml/v1/text/embeddings", .operation = "embeddings", .dialect = DIALECT_ANY },
	{ .tail = NULL },
};
const struct endpoint endpoint_snowflake[] = {
	{ .tail = "/cortex/inference:complete", .operation = "chat", .dialect = DIALECT_OPENAI },
	{ .tail = NULL },
};
/* developers.cloudflare.com/ai-gateway, 2026-11: its own models, and requests that name their provider in the body. */
const struct endpoint endpoint_cloudflare[] = {
	{ .tail = "/ai/run/@cf/*/*", .operation = "chat", .dialect = DIALECT_ANY },
	{ .tail = "/workers-ai/@cf/*/*", .operation = "chat", .dialect = DIALECT_ANY },
	{ .tail = "^/v1/*/*", .operation = "chat", .dialect = DIALECT_ANY },
	{ .tail = "^/v1/*/*/openai",
	  .operation = "chat",
	  .dialect = DIALECT_OPENAI,
	  .session = SESSION_REALTIME },
	{ .tail = "^/v1/*/*/google",
	  .operation = "generate_content",
	  .dialect = DIALECT_GEMINI,
	  .session = SESSION_LIVE },
	{ .tail = NULL },
};

/* SPDX-License-Identifier: Apache-2.0 */
/* A row of the provider table, for the modules of this folder; see api.h. */
#ifndef PROVIDER_PROVIDER_H
#define PROVIDER_PROVIDER_H

#include "provider/api.h"

/* How an answer's body is read; the trees of keys are in usage_keys*.c. */
enum dialect {
	DIALECT_NONE, /* billed, but not read: sizes only */
	DIALECT_ANTHROPIC,
	DIALECT_OPENAI, /* chat, completions, embeddings, Responses, images, speech */
	DIALECT_GEMINI,
	DIALECT_COHERE,
	DIALECT_BEDROCK, /* Converse */
	DIALECT_DEEPGRAM,
	DIALECT_OLLAMA, /* its own; its OpenAI paths speak OpenAI's */
	DIALECT_AI_SDK, /* of Vercel's SDK to its gateway */
	DIALECT_ANY, /* one of the above, known from the answer's keys: Bedrock's invoke, rawPredict */
};

/* What a GET returns: the result of a job that another call has started. */
enum job {
	JOB_NONE,
	JOB_POLL,    /* the answer is of a job, done or not; its id is the path's last segment */
	JOB_RESULTS, /* lines of JSON, an answer each */
};

/* The messages of a gRPC method: usage_protobuf.c. */
enum protobuf_messages {
	PROTOBUF_NONE,
	PROTOBUF_GEMINI, /* google.ai.generativelanguage */
	PROTOBUF_GEMINI_EMBED,
	PROTOBUF_GEMINI_EMBED_MANY,
	PROTOBUF_VERTEX, /* google.cloud.aiplatform */
	PROTOBUF_VERTEX_EMBED,
	PROTOBUF_VERTEX_PREDICT,
};

enum unit { UNIT_NONE, UNIT_SESSION, UNIT_FILE_SEARCH, UNIT_IMAGE, UNIT_QUERY };

/* What a Realtime session's own model heard is billed beside its turns; this is behind the path of such a call. */
#define SESSION_TRANSCRIPTION "/transcription"

/* How a WebSocket's messages make calls: session.c. */
enum session_kind {
	SESSION_NONE,
	SESSION_RESPONSES, /* a message asks, events answer */
	SESSION_REALTIME,  /* the server begins a response by itself */
	SESSION_LIVE,      /* Gemini: one turn after another */
	SESSION_WHOLE, /* all of it is one call: speech that is written down, or text that is spoken */
};

/*
 * A billed path; `tail` ends the path, and begins at a segment or a method (":generateContent"). A star in it
 * is one segment, whatever it is; a ^ before it says that it is all of the path. Case does not matter, since
 * Azure's servers take any.
 */
struct endpoint {
	const char *tail;
	const char *operation; /* gen_ai.operation.name; NULL: free, no call */
	enum dialect dialect;
	const char *tier;                /* price tier that the path implies, or NULL */
	enum job job;                    /* not JOB_NONE: of GET; else of POST */
	enum session_kind session;       /* not SESSION_NONE: of a WebSocket instead */
	enum protobuf_messages protobuf; /* where it is a method of gRPC */
	bool is_stream;                  /* of gRPC: it answers with any number of messages */
	bool starts_job; /* the answer's id can be asked after by another path, which is the same bill */
	bool is_deferred;   /* it answers with an id alone, and that is asked after for the bill */
	const char *model;  /* where the path names the only one, or NULL */
	bool path_is_model; /* the whole path but its first slash is the model's name */
	enum unit unit;     /* what a call that succeeds is one of, and nothing else is billed */
};

#define PREFIXES 4
#define HOSTS    32

struct api_provider {
	const char *name;                 /* gen_ai.provider.name */
	const char *alias;                /* what operators may call it, or NULL */
	const char *hosts[HOSTS];         /* NULL ends, also below */
	const struct endpoint *endpoints; /* before the common ones; or NULL */
	const char *prefixes[PREFIXES];   /* of keys in the price file, in order */
	const char *family;               /* litellm_provider; whose flagship stands in */
	bool is_own;        /* the operator's own server: free, but for prices of the operator's */
	bool tells_no_cost; /* its own answers have no figure in dollars: one that is there is another's */
	bool is_gateway;         /* its paths may be those of whoever is behind it */
	bool is_subscription;    /* tokens have no price of their own */
	bool always_tells_usage; /* in chat streams, without being asked */
	bool event_is_token;     /* a content event of its chat stream is one token */
};

/* The rows, and the endpoints that any provider may have; a NULL tail ends a list of these. */
extern const struct api_provider provider_rows[];
extern const size_t provider_rows_count;
extern const struct endpoint endpoint_rows[];
extern const struct endpoint endpoint_google[], endpoint_bedrock[], endpoint_cohere[],
	endpoint_mistral[], endpoint_replicate[], endpoint_elevenlabs[], endpoint_deepgram[],
	endpoint_fal[], endpoint_dashscope[], endpoint_watsonx[], endpoint_snowflake[],
	endpoint_cloudflare[], endpoint_openai[], endpoint_assemblyai[], endpoint_stability[],
	endpoint_perplexity[], endpoint_runwayml[], endpoint_bfl[], endpoint_xai[],
	endpoint_vercel[], endpoint_minimax[], endpoint_fireworks[], endpoint_deepinfra[],
	endpoint_nvidia[], endpoint_azure[], endpoint_chat[];

/* The endpoint of a request to `path`, or NULL: free or unknown. `provider` may be NULL. */
const struct endpoint *endpoint_find(const struct api_provider *provider, const char *method,
				     const char *path);
/* That of a WebSocket, or NULL. */
const struct endpoint *endpoint_find_session(const struct api_provider *provider, const char *path);
/* The place of a provider in provider_rows[]. */
size_t api_number(const struct api_provider *provider);
/* An endpoint as a number, and back; is_number: there is such a one. */
size_t endpoint_number(const struct endpoint *endpoint);
bool endpoint_is_number(size_t number);
const struct endpoint *endpoint_at(size_t number);
/* The model that a path names (Gemini, Vertex, Bedrock, Azure's deployment), or "". */
void path_model(const char *path, char *ret, size_t size);
const struct api_provider *provider_by_name(const char *name);
/* A host of the table here, and none of the operator's own. */
bool provider_has_host(const char *host);
/* By the name that gateways have for it, of `len`: "grok", "google-ai-studio", or NULL. */
const struct api_provider *provider_by_gateway_name(const char *name, size_t len);
/* Who answers behind a gateway, as the path says it, or NULL. */
const struct api_provider *provider_behind(const struct api_provider *gateway, const char *path);

#endif

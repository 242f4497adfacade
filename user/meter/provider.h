/* SPDX-License-Identifier: Apache-2.0 */
/* A row of the provider table, for the modules of this folder; see api.h. */
#ifndef METER_PROVIDER_H
#define METER_PROVIDER_H

#include "meter/api.h"

/* How an answer's body is read; the trees of keys are in usage.c. */
enum dialect {
	DIALECT_NONE, /* billed, but not read: sizes only */
	DIALECT_ANTHROPIC,
	DIALECT_OPENAI, /* chat, completions, embeddings, Responses, images, speech */
	DIALECT_GEMINI,
	DIALECT_COHERE,
	DIALECT_BEDROCK, /* Converse */
};

/* A billed path; `tail` ends the path, and begins at a segment or a method (":generateContent"). */
struct endpoint {
	const char *tail;
	const char *operation; /* gen_ai.operation.name; NULL: free, no call */
	enum dialect dialect;
	const char *tier; /* price tier that the path implies, or NULL */
};

/* Statuses of 400 and more that are billed although no usage came; 0 ends. */
#define BILLED_STATUSES 3
#define PREFIXES        4
#define HOSTS           8

struct api_provider {
	const char *name;                 /* gen_ai.provider.name */
	const char *alias;                /* what operators may call it, or NULL */
	const char *hosts[HOSTS];         /* NULL ends, also below */
	const struct endpoint *endpoints; /* before the common ones; or NULL */
	const char *prefixes[PREFIXES];   /* of keys in the price file, in order */
	const char *family;               /* litellm_provider for the dearest price */
	int billed_statuses[BILLED_STATUSES];
	bool is_subscription;    /* tokens have no price of their own */
	bool always_tells_usage; /* in chat streams, without being asked */
	bool event_is_token;     /* a content event of its chat stream is one token */
};

/* The endpoint of a POST to `path`, or NULL: free or unknown. `provider` may be NULL. */
const struct endpoint *endpoint_find(const struct api_provider *provider, const char *path);
/* The model that a path names (Gemini, Vertex, Bedrock, Azure's deployment), or "". */
void path_model(const char *path, char *ret, size_t size);
const struct api_provider *provider_by_name(const char *name);
bool provider_bills_status(const struct api_provider *provider, int status);

#endif

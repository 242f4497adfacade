/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What HTTP says, whatever its version: the pieces of one exchange, in order. Every body byte that
 * is handed on has been freed of transfer and content encoding; sizes of both forms are kept.
 */
#ifndef HTTP_HTTP_H
#define HTTP_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/fingerprint.h"

enum http_side { HTTP_REQUEST, HTTP_RESPONSE };

enum http_encoding {
	HTTP_IDENTITY,
	HTTP_GZIP,
	HTTP_DEFLATE,
	HTTP_BR,
	HTTP_ZSTD,
	HTTP_ENCODING_UNKNOWN, /* named, but not one of these, or a chain of more than two */
};

enum http_content {
	HTTP_CONTENT_NONE, /* no content-type */
	HTTP_CONTENT_JSON, /* application/json and +json */
	HTTP_CONTENT_NDJSON,
	HTTP_CONTENT_SSE,         /* text/event-stream */
	HTTP_CONTENT_EVENTSTREAM, /* application/vnd.amazon.eventstream */
	HTTP_CONTENT_MULTIPART,   /* multipart/form-data */
	HTTP_CONTENT_GRPC,        /* application/grpc, of protobuf */
	HTTP_CONTENT_MESSAGES, /* those of a WebSocket: its pieces tell where each begins and ends */
	HTTP_CONTENT_OTHER,
};

#define HTTP_METHOD_LEN  16
#define HTTP_HOST_LEN    256
#define HTTP_PATH_LEN    512 /* query string cut off; longer paths are cut and flagged */
#define HTTP_COST_LEN    32
#define HTTP_TIER_LEN    24
#define HTTP_ACCOUNT_LEN 64
#define HTTP_MODEL_LEN   128
#define HTTP_CLIENT_LEN  48

/* Counts that Bedrock tells in header fields of an answer. */
enum http_tokens {
	HTTP_TOKENS_IN,
	HTTP_TOKENS_OUT,
	HTTP_TOKENS_READ,
	HTTP_TOKENS_WRITTEN,
	HTTP_TOKENS
};

/* permessage-deflate as a WebSocket's answer agreed to it, RFC 7692. */
struct http_deflate {
	bool is_on;
	bool resets[2]; /* this side, by enum http_side, begins each message with an empty window */
};

/*
 * An id of an answer as a number that stands for it (FNV-1a), 0 if it is too short to be of one answer alone: there are
 * servers that count from 1, and Ollama draws one of 999.
 */
#define HTTP_IDS        2
#define HTTP_ID_LEN_MIN 20
uint64_t http_answer_id(const char *id, size_t len);

/* The start of one message: only what metering needs. A string that was not there is empty. */
struct http_head {
	enum http_side side;
	int status; /* of a response; 1xx never comes up, but 101 */
	enum http_encoding encoding,
		inner_encoding;               /* the one applied last, and the one before it */
	enum http_encoding transfer_encoding; /* applied after both; chunks are none */
	enum http_content content;
	uint32_t content_length; /* 0: not known, or empty; HTTP/1 frames by it, and here it is not looked at */
	bool path_is_cut;
	bool is_upgrade;   /* 101 or CONNECT: what follows is not HTTP */
	bool is_websocket; /* asked for; of an answer of HTTP/1: agreed to */
	struct http_deflate deflate;
	bool has_anthropic_version; /* request header: the dialect on any host */
	char method[HTTP_METHOD_LEN];
	char host[HTTP_HOST_LEN]; /* Host or :authority, lower case, without port */
	char path[HTTP_PATH_LEN];
	char model[HTTP_MODEL_LEN];        /* `model` or `deployment` of the query */
	char provider_cost[HTTP_COST_LEN]; /* x-litellm-response-cost, a decimal in USD */
	bool is_cache_hit; /* the gateway's own cache answered, as its header field says (head.c) */
	/* Whose bill it is: openai-organization and -project, anthropic-organization-id, x-goog-user-project */
	char organisation[HTTP_ACCOUNT_LEN], project[HTTP_ACCOUNT_LEN];
	char client[HTTP_CLIENT_LEN]; /* of User-Agent what user_agent_product() gives */
	char tier[HTTP_TIER_LEN];     /* x-amzn-bedrock-service-tier */
	char api_key[FINGERPRINT_LEN]; /* of the key that a request shows; "": none, or they are not wanted */
	/*
	 * What its sender calls it (x-request-id, request-id, x-amzn-requestid), and what a gateway says that the
	 * provider did (the same with llm_provider- before it), by http_answer_id().
	 */
	uint64_t ids[HTTP_IDS];
	enum http_encoding grpc_encoding; /* of messages that say that they are compressed */
	uint8_t grpc_status; /* grpc-status of an answer or its trailers, and 1; 0: it was not there */
	uint8_t has_tokens; /* a bit for each that was there and is a number */
	uint32_t tokens[HTTP_TOKENS];
};

enum http_piece_type {
	HTTP_HEAD, /* .head is set */
	HTTP_BODY, /* .bytes and .len, decoded; or .lost_bytes alone */
	HTTP_END,  /* the message is whole (.is_whole) or was cut; of an answer that never
			   began (HTTP/2 reset) it comes without a head */
};

/*
 * One step of an exchange. Pointers hold until the next call on the connection. Behind the head of an
 * answer that agrees to a WebSocket both sides have bodies, which are its frames, until each has its end: of
 * HTTP/1 the request's second one.
 */
struct http_piece {
	enum http_piece_type type;
	enum http_side side;
	uint64_t exchange; /* counts the requests of a connection from 1; an answer bears its request's */
	const struct http_head *head;
	const uint8_t *bytes;
	size_t len;
	uint64_t lost_bytes; /* body bytes missing before these (not captured, or not decodable) */
	uint64_t wire_bytes; /* HTTP_END: body bytes of the message as sent, encoded, lost ones included */
	bool is_whole; /* HTTP_END: the message ended by its own framing */
	bool is_refused; /* HTTP_END: of an answer that never began, since the server did not look at the request */
	uint8_t grpc_status; /* HTTP_END: as in the head, of the trailers */
	bool is_first,
		is_last; /* HTTP_BODY of HTTP_CONTENT_MESSAGES: of one message, the first and last piece */
};

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP(S) requests on the loop, by libcurl's multi interface. Nothing here blocks: names are
 * resolved in curl's own threads, and a request that is given up does not wait for its thread.
 * HTTP/1.1 only; no redirects, no cookies, no .netrc, no proxy of the environment. Nothing of a
 * body, a header or a URL is logged, and no error text holds any of them. With `mail`, a message to a relay (RFC 5321).
 *
 *	struct fetch_request request = {
 *		.url = "https://10.0.0.1:6443/api/v1/pods?watch=1", .bearer_file = "/var/run/.../token",
 *		.tls.ca_file = "/var/run/.../ca.crt", .piece = on_piece, .done = on_done, .arg = me,
 *		.max_bytes = 1 << 20, .silence_s = 300,
 *	};
 *	err = fetch_start(fetcher, &request, &me->fetch);
 *
 * A request ends in one call of `done`, or in fetch_cancel(); after either the pointer is void.
 */
#ifndef BASE_FETCH_H
#define BASE_FETCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct loop;
struct fetcher; /* the requests of one loop, which share connections that are kept alive */
struct fetch;   /* a request under way */

#define FETCH_MAX                64    /* under way at once, about 100 KiB each; beyond: -ENOBUFS */
#define FETCH_IDLE               8     /* connections that are kept alive */
#define FETCH_HEAD_MAX           65536 /* bytes of an answer's head */
#define FETCH_BYTES_DEFAULT      1048576 /* of an answer's body, if max_bytes is 0 */
#define FETCH_TIMEOUT_MS_DEFAULT 30000

/* 0 or -errno. The loop must outlive it. */
int fetcher_new(struct fetcher **ret, struct loop *loop);
/* Ends every request without calling `done`. Not from a callback. */
struct fetcher *fetcher_free(struct fetcher *fetcher);

struct fetch_tls {
	const char *ca_file;              /* NULL: the system's authorities */
	const char *cert_file, *key_file; /* PEM; NULL: no client certificate */
	bool is_insecure;                 /* neither chain nor name of the peer are looked at */
};

/* How it ended. Strings and bytes live until `done` returns. */
struct fetch_answer {
	/*
	 * 0: an answer came, whole, with whatever status. -ETIMEDOUT; -EHOSTUNREACH: the name has no
	 * address; -ECONNREFUSED; -EKEYREJECTED: the peer's certificate; -EMSGSIZE: longer than
	 * max_bytes; -ECANCELED: `piece` said so; -ECONNRESET: the peer hung up in the middle; or -EIO.
	 */
	int err;
	const char *error; /* a sentence for err, "" if it is 0 */
	int status;        /* 0: no head came */
	const char *body;  /* NUL after it; what `piece` took is not in it */
	size_t len;
	uint32_t retry_after_s; /* the header of that name; 0: none */
};

/*
 * To smtp://, where TLS is begun if the relay offers it, or to smtps://. Without a password and without a ca_file nobody
 * asks who answers at smtp://, as between relays; with either one, TLS and the peer's certificate are required.
 */
struct fetch_mail {
	const char *from;          /* "aigress@example.com" */
	const char *const *to;     /* ends with NULL */
	const char *user;          /* NULL: nobody signs in */
	const char *password_file; /* read at each request */
};

struct fetch_request {
	const char *method;         /* NULL: GET, or POST if there is a body */
	const char *url;            /* http:// or https://; for mail smtp:// or smtps:// */
	const char *unix_socket;    /* connect to this path instead; NULL: none */
	const char *proxy;          /* URL of one; NULL: none, whatever the environment says */
	const char *const *headers; /* "Name: value", ends with NULL; may be NULL */
	const char *bearer_file;    /* its text is sent as a bearer token; read at each request */
	const char *header_file;    /* lines "Name: value" that are secret; likewise */
	const struct fetch_mail *
		mail; /* NULL: HTTP. The headers are the message's; the body is its text, in UTF-8 with CRLF */
	const void *body; /* copied; NULL: none */
	size_t body_len;
	struct fetch_tls tls;
	size_t max_bytes; /* of the answer's body in memory; a stream has no other limit */
	/* In all; 0 is the default for a request, none for a stream (with `piece`). */
	uint32_t timeout_ms;
	uint32_t silence_s; /* ends it when nothing came for so long; 0: never */
	/*
	 * Bytes of a 2xx answer's body as they come, decoded from chunks; they are then not kept. False ends the
	 * request with -ECANCELED. It may cancel (also its own request) and start others. An answer of
	 * another status goes to `done` as ever.
	 */
	bool (*piece)(void *arg, const char *bytes, size_t len);
	void (*done)(void *arg, const struct fetch_answer *answer);
	void *arg;
};

/*
 * Starts; everything of the request but arg is copied. 0 or -errno: -EINVAL (a URL or a header that
 * curl or HTTP does not take), -ENOBUFS, or what reading a secret's file gave. Never calls `done`
 * itself. ret may be NULL.
 */
int fetch_start(struct fetcher *fetcher, const struct fetch_request *request, struct fetch **ret);
/* Forgets a request; `done` is not called. Returns NULL; NULL is nothing. */
struct fetch *fetch_cancel(struct fetch *fetch);

#endif

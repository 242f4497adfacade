/* SPDX-License-Identifier: Apache-2.0 */
/*
 * curl allows no change to its handles from inside one of its callbacks. So `piece` runs with
 * is_inside set, and what it starts or cancels is carried out when curl has returned (tidy()).
 */
#include "base/fetch.h"

#include <curl/curl.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/queue.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fetch_in.h"
#include "base/loop.h"
#include "base/secret.h"

enum state { WAITS, RUNS, CANCELLED };

struct fetch {
	LIST_ENTRY(fetch) link;
	struct fetcher *fetcher;
	enum state state;
	CURL *easy;
	bool is_raw;			/* only the connection (fetch_connect()) */
	struct curl_slist *headers;
	bool (*piece)(void *arg, const char *bytes, size_t len);
	void (*done)(void *arg, const struct fetch_answer *answer);
	void *arg;
	char *body;
	size_t len, size, max_bytes, head_bytes;
	int err;			/* why a callback of ours made curl stop */
	char error[CURL_ERROR_SIZE];
};

struct fetcher {
	struct loop *loop;
	CURLM *multi;
	struct loop_source *timer;
	LIST_HEAD(, fetch) fetches;
	size_t n;
	bool is_inside, is_untidy;
};

static void wipe(struct curl_slist *headers)
{
	for (struct curl_slist *at = headers; at; at = at->next)
		explicit_bzero(at->data, strlen(at->data));
	curl_slist_free_all(headers);
}

static struct fetch *fetch_free(struct fetch *fetch)
{
	if (!fetch)
		return NULL;
	if (fetch->easy)
		curl_multi_remove_handle(fetch->fetcher->multi, fetch->easy);
	curl_easy_cleanup(fetch->easy);
	wipe(fetch->headers);
	free(fetch->body);
	LIST_REMOVE(fetch, link);
	fetch->fetcher->n--;
	free(fetch);
	return NULL;
}

static void fetch_freep(struct fetch **fetch)
{
	fetch_free(*fetch);
}

/* What happens inside curl. */

static bool is_success(struct fetch *fetch)
{
	long status = 0;

	curl_easy_getinfo(fetch->easy, CURLINFO_RESPONSE_CODE, &status);
	return status >= 200 && status < 300;
}

static int keep(struct fetch *fetch, const char *bytes, size_t len)
{
	size_t size = fetch->size ? fetch->size : 4096;
	char *body;

	if (len > fetch->max_bytes - fetch->len)
		return -EMSGSIZE;
	while (size < fetch->len + len + 1)
		size *= 2;
	if (size != fetch->size) {
		body = realloc(fetch->body, size);
		if (!body)
			return -ENOMEM;
		fetch->body = body;
		fetch->size = size;
	}
	memcpy(fetch->body + fetch->len, bytes, len);
	fetch->len += len;
	fetch->body[fetch->len] = '\0';
	return 0;
}

/* Any other number than the one that was given ends the transfer. */
static size_t on_body(char *bytes, size_t one, size_t len, void *arg)
{
	struct fetch *fetch = arg;
	bool goes_on;

	if (fetch->state == CANCELLED)
		return 0;
	if (!fetch->piece || !is_success(fetch)) {
		fetch->err = keep(fetch, bytes, len);
		return fetch->err ? 0 : len;
	}
	goes_on = fetch->piece(fetch->arg, bytes, len);
	if (!goes_on)
		fetch->err = -ECANCELED;
	return goes_on && fetch->state != CANCELLED ? len : 0;
}

static size_t on_head(char *bytes, size_t one, size_t len, void *arg)
{
	struct fetch *fetch = arg;

	fetch->head_bytes += len;
	if (fetch->head_bytes <= FETCH_HEAD_MAX)
		return len;
	fetch->err = -EMSGSIZE;
	return 0;
}

/* How it ended. */

static int errno_of(CURLcode code)
{
	switch (code) {
	case CURLE_OK:
		return 0;
	case CURLE_OPERATION_TIMEDOUT:
		return -ETIMEDOUT;
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_RESOLVE_PROXY:
		return -EHOSTUNREACH;
	case CURLE_COULDNT_CONNECT:
		return -ECONNREFUSED;
	case CURLE_PEER_FAILED_VERIFICATION:
		return -EKEYREJECTED;
	case CURLE_PARTIAL_FILE:
	case CURLE_GOT_NOTHING:
	case CURLE_RECV_ERROR:
	case CURLE_SEND_ERROR:
		return -ECONNRESET;
	case CURLE_OUT_OF_MEMORY:
		return -ENOMEM;
	case CURLE_FILESIZE_EXCEEDED:
		return -EMSGSIZE;
	default:
		return -EIO;
	}
}

static const char *error_of(const struct fetch *fetch, int err, CURLcode code)
{
	if (!err)
		return "";
	if (err == -EMSGSIZE)
		return "the answer is longer than it may be";
	if (fetch->err)
		return strerror(-fetch->err);
	return *fetch->error ? fetch->error : curl_easy_strerror(code);
}

static void finish(struct fetch *fetch, CURLcode code)
{
	struct fetch_answer answer = { .body = fetch->body ? fetch->body : "", .len = fetch->len };
	curl_off_t retry = 0;
	long status = 0;

	answer.err = fetch->err ? fetch->err : errno_of(code);
	answer.error = error_of(fetch, answer.err, code);
	curl_easy_getinfo(fetch->easy, CURLINFO_RESPONSE_CODE, &status);
	answer.status = (int)status;
	if (!curl_easy_getinfo(fetch->easy, CURLINFO_RETRY_AFTER, &retry) && retry > 0)
		answer.retry_after_s = retry < 86400 ? (uint32_t)retry : 86400;
	if (fetch->is_raw && !answer.err) {
		/* The connection lives as long as curl has the handle. */
		fetch->done(fetch->arg, &answer);
		return;
	}
	/* Out of curl's hands first, so that `done` may cancel and start as it likes. */
	curl_multi_remove_handle(fetch->fetcher->multi, fetch->easy);
	fetch->state = CANCELLED;
	fetch->done(fetch->arg, &answer);
	fetch_free(fetch);
}

static void begin(struct fetch *fetch)
{
	if (curl_multi_add_handle(fetch->fetcher->multi, fetch->easy)) {
		fetch->err = -ENOMEM;
		finish(fetch, CURLE_OUT_OF_MEMORY);
		return;
	}
	fetch->state = RUNS;
}

static struct fetch *first_untidy(struct fetcher *fetcher)
{
	struct fetch *fetch;

	LIST_FOREACH(fetch, &fetcher->fetches, link)
		if (fetch->state != RUNS)
			return fetch;
	return NULL;
}

static void tidy(struct fetcher *fetcher)
{
	struct fetch *fetch;

	fetcher->is_untidy = false;
	while ((fetch = first_untidy(fetcher))) {
		if (fetch->state == CANCELLED)
			fetch_free(fetch);
		else
			begin(fetch);
	}
}

/* Each `done` may change the list, and curl's queue of messages: one at a time. */
static void finish_all(struct fetcher *fetcher)
{
	struct CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(fetcher->multi, &left))) {
		CURLcode code = message->data.result;
		struct fetch *fetch = NULL;

		if (message->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&fetch);
		if (fetch->state == CANCELLED)
			fetch_free(fetch);
		else
			finish(fetch, code);
	}
}

static void act(struct fetcher *fetcher, curl_socket_t fd)
{
	int running;

	fetcher->is_inside = true;
	curl_multi_socket_action(fetcher->multi, fd, 0, &running);
	fetcher->is_inside = false;
	finish_all(fetcher);
	if (fetcher->is_untidy)
		tidy(fetcher);
}

/* The loop's side. */

struct watch {
	struct fetcher *fetcher;
	curl_socket_t fd;
	struct loop_source *source;
};

static void on_ready(void *arg)
{
	struct watch *watch = arg;

	act(watch->fetcher, watch->fd);
}

static void on_time(void *arg)
{
	act(arg, CURL_SOCKET_TIMEOUT);
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *socket_arg)
{
	struct fetcher *fetcher = arg;
	struct watch *watch = socket_arg;
	unsigned int flags = (what & CURL_POLL_IN ? LOOP_READ : 0) |
			     (what & CURL_POLL_OUT ? LOOP_WRITE : 0);

	if (what == CURL_POLL_REMOVE) {
		if (watch)
			loop_remove(watch->source);
		free(watch);
		return 0;
	}
	if (!watch) {
		watch = malloc(sizeof(*watch));
		if (!watch)
			return -1;
		*watch = (struct watch){ .fetcher = fetcher, .fd = fd };
		if (loop_add_fd(fetcher->loop, fd, on_ready, watch, &watch->source) < 0) {
			free(watch);
			return -1;
		}
		curl_multi_assign(fetcher->multi, fd, watch);
	}
	return loop_watch(watch->source, flags) < 0 ? -1 : 0;
}

static int on_timeout(CURLM *multi, long ms, void *arg)
{
	struct fetcher *fetcher = arg;

	/* 0 would stop the timer. */
	return loop_arm(fetcher->timer, ms < 0 ? 0 : ms ? (uint64_t)ms * NS_PER_MS : 1) < 0 ? -1 : 0;
}

int fetcher_new(struct fetcher **ret, struct loop *loop)
{
	struct fetcher *fetcher;
	int err;

	if (curl_global_init(CURL_GLOBAL_DEFAULT))
		return -ENOMEM;
	/* OpenSSL writes to a peer that hung up; curl would change the handler at every step. */
	signal(SIGPIPE, SIG_IGN);
	fetcher = calloc(1, sizeof(*fetcher));
	if (!fetcher) {
		curl_global_cleanup();
		return -ENOMEM;
	}
	LIST_INIT(&fetcher->fetches);
	fetcher->loop = loop;
	fetcher->multi = curl_multi_init();
	err = fetcher->multi ? 0 : -ENOMEM;
	if (!err)
		err = loop_add_timer(loop, 3600 * NS_PER_S, on_time, fetcher, &fetcher->timer);
	if (!err)
		err = loop_arm(fetcher->timer, 0);
	if (err) {
		fetcher_free(fetcher);
		return err;
	}
	curl_multi_setopt(fetcher->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
	curl_multi_setopt(fetcher->multi, CURLMOPT_SOCKETDATA, fetcher);
	curl_multi_setopt(fetcher->multi, CURLMOPT_TIMERFUNCTION, on_timeout);
	curl_multi_setopt(fetcher->multi, CURLMOPT_TIMERDATA, fetcher);
	curl_multi_setopt(fetcher->multi, CURLMOPT_MAXCONNECTS, (long)FETCH_IDLE);
	*ret = fetcher;
	return 0;
}

struct fetcher *fetcher_free(struct fetcher *fetcher)
{
	if (!fetcher)
		return NULL;
	while (LIST_FIRST(&fetcher->fetches))
		fetch_free(LIST_FIRST(&fetcher->fetches));
	if (fetcher->multi)
		curl_multi_cleanup(fetcher->multi);
	loop_remove(fetcher->timer);
	free(fetcher);
	curl_global_cleanup();
	return NULL;
}

/* The request. */

/* A line end would smuggle a header in; curl itself takes anything. */
static int add_header(struct fetch *fetch, const char *header)
{
	const char *colon = strchr(header, ':');
	struct curl_slist *longer;

	if (!colon || colon == header || strpbrk(header, "\r\n") ||
	    strcspn(header, " \t") < (size_t)(colon - header))
		return -EINVAL;
	longer = curl_slist_append(fetch->headers, header);
	if (!longer)
		return -ENOMEM;
	fetch->headers = longer;
	return 0;
}

static int add_bearer(struct fetch *fetch, const char *path)
{
	_cleanup_secret_ char *token = NULL, *header = NULL;
	int err = secret_read(path, &token);

	if (err)
		return err;
	if (asprintf(&header, "Authorization: Bearer %s", token) < 0) {
		header = NULL;
		return -ENOMEM;
	}
	return add_header(fetch, header);
}

static int add_header_file(struct fetch *fetch, const char *path)
{
	_cleanup_secret_ char *text = NULL;
	char *line, *rest;
	int err = secret_read(path, &text);
	size_t len = err ? 0 : strlen(text);

	for (line = text ? strtok_r(text, "\r\n", &rest) : NULL; line && !err;
	     line = strtok_r(NULL, "\r\n", &rest))
		err = add_header(fetch, line);
	/* strtok_r() left NULs, at which wiping would stop */
	if (text)
		explicit_bzero(text, len);
	return err;
}

static int add_headers(struct fetch *fetch, const struct fetch_request *request)
{
	/* A body is sent at once, and as what it is said to be. */
	int err = add_header(fetch, "Expect:");

	for (size_t i = 0; !err && request->headers && request->headers[i]; i++)
		err = add_header(fetch, request->headers[i]);
	if (!err && request->bearer_file)
		err = add_bearer(fetch, request->bearer_file);
	if (!err && request->header_file)
		err = add_header_file(fetch, request->header_file);
	return err;
}

/* The last error of several options; they are independent of each other. */
#define SET(fetch, option, value)                                                      \
	do {                                                                           \
		CURLcode code_ = curl_easy_setopt((fetch)->easy, option, value);       \
		if (code_)                                                             \
			code = code_;                                                  \
	} while (0)

static CURLcode set_tls(struct fetch *fetch, const struct fetch_tls *tls)
{
	CURLcode code = CURLE_OK;

	SET(fetch, CURLOPT_SSL_VERIFYPEER, tls->is_insecure ? 0L : 1L);
	SET(fetch, CURLOPT_SSL_VERIFYHOST, tls->is_insecure ? 0L : 2L);
	SET(fetch, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	if (tls->ca_file) {
		SET(fetch, CURLOPT_CAINFO, tls->ca_file);
		SET(fetch, CURLOPT_CAPATH, NULL);
	}
	if (tls->cert_file)
		SET(fetch, CURLOPT_SSLCERT, tls->cert_file);
	if (tls->key_file)
		SET(fetch, CURLOPT_SSLKEY, tls->key_file);
	return code;
}

static CURLcode set_limits(struct fetch *fetch, const struct fetch_request *request)
{
	long timeout_ms = request->timeout_ms ? request->timeout_ms :
			  request->piece ? 0 : FETCH_TIMEOUT_MS_DEFAULT;
	CURLcode code = CURLE_OK;

	SET(fetch, CURLOPT_TIMEOUT_MS, timeout_ms);
	SET(fetch, CURLOPT_CONNECTTIMEOUT_MS,
	    timeout_ms && timeout_ms < FETCH_TIMEOUT_MS_DEFAULT ? timeout_ms :
								  (long)FETCH_TIMEOUT_MS_DEFAULT);
	if (request->silence_s) {
		SET(fetch, CURLOPT_LOW_SPEED_LIMIT, 1L);
		SET(fetch, CURLOPT_LOW_SPEED_TIME, (long)request->silence_s);
	}
	/* What is announced as too long is not begun. */
	if (!request->piece)
		SET(fetch, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)fetch->max_bytes);
	SET(fetch, CURLOPT_TCP_KEEPALIVE, 1L);
	return code;
}

static CURLcode set_request(struct fetch *fetch, const struct fetch_request *request)
{
	CURLcode code = CURLE_OK;

	SET(fetch, CURLOPT_URL, request->url);
	SET(fetch, CURLOPT_PROTOCOLS_STR, "http,https");
	SET(fetch, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	SET(fetch, CURLOPT_FOLLOWLOCATION, 0L);
	SET(fetch, CURLOPT_PROXY, request->proxy ? request->proxy : "");
	SET(fetch, CURLOPT_USERAGENT, "aigress");
	SET(fetch, CURLOPT_HTTPHEADER, fetch->headers);
	if (request->unix_socket)
		SET(fetch, CURLOPT_UNIX_SOCKET_PATH, request->unix_socket);
	if (request->body) {
		SET(fetch, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_len);
		SET(fetch, CURLOPT_COPYPOSTFIELDS, request->body);
	}
	if (request->method)
		SET(fetch, CURLOPT_CUSTOMREQUEST, request->method);
	return code;
}

static CURLcode set_callbacks(struct fetch *fetch)
{
	CURLcode code = CURLE_OK;

	SET(fetch, CURLOPT_PRIVATE, (void *)fetch);
	SET(fetch, CURLOPT_WRITEFUNCTION, on_body);
	SET(fetch, CURLOPT_WRITEDATA, (void *)fetch);
	SET(fetch, CURLOPT_HEADERFUNCTION, on_head);
	SET(fetch, CURLOPT_HEADERDATA, (void *)fetch);
	SET(fetch, CURLOPT_ERRORBUFFER, fetch->error);
	SET(fetch, CURLOPT_NOSIGNAL, 1L);
	/* Else giving up a name that is being looked up waits for its thread. */
	SET(fetch, CURLOPT_QUICK_EXIT, 1L);
	return code;
}

/* Only TCP and TLS; whose protocol follows has no name in ALPN. */
static CURLcode set_raw(struct fetch *fetch)
{
	CURLcode code = CURLE_OK;

	SET(fetch, CURLOPT_CONNECT_ONLY, 1L);
	SET(fetch, CURLOPT_SSL_ENABLE_ALPN, 0L);
	SET(fetch, CURLOPT_FRESH_CONNECT, 1L);
	return code;
}

static int errno_of_set(CURLcode code)
{
	return !code ? 0 : code == CURLE_OUT_OF_MEMORY ? -ENOMEM : -EINVAL;
}

/* curl would find out only when it connects, and take "example" for http://example. */
static bool is_url(const char *url)
{
	CURLU *parts = curl_url();
	bool is_good = parts && !curl_url_set(parts, CURLUPART_URL, url, 0) &&
		       (!strncasecmp(url, "http://", 7) || !strncasecmp(url, "https://", 8));

	curl_url_cleanup(parts);
	return is_good;
}

static int start(struct fetcher *fetcher, const struct fetch_request *request, bool is_raw,
		 struct fetch **ret)
{
	_cleanup_(fetch_freep) struct fetch *fetch = NULL;
	int err;

	if (!request->url || !request->done || !is_url(request->url))
		return -EINVAL;
	if (fetcher->n >= FETCH_MAX)
		return -ENOBUFS;
	fetch = calloc(1, sizeof(*fetch));
	if (!fetch)
		return -ENOMEM;
	*fetch = (struct fetch){ .fetcher = fetcher, .state = WAITS, .is_raw = is_raw, .piece = request->piece,
				 .done = request->done, .arg = request->arg,
				 .max_bytes = request->max_bytes ? request->max_bytes :
								   FETCH_BYTES_DEFAULT };
	LIST_INSERT_HEAD(&fetcher->fetches, fetch, link);
	fetcher->n++;
	fetch->easy = curl_easy_init();
	err = fetch->easy ? add_headers(fetch, request) : -ENOMEM;
	if (!err)
		err = errno_of_set(set_callbacks(fetch));
	if (!err)
		err = errno_of_set(set_request(fetch, request));
	if (!err)
		err = errno_of_set(set_tls(fetch, &request->tls));
	if (!err)
		err = errno_of_set(set_limits(fetch, request));
	if (!err && is_raw)
		err = errno_of_set(set_raw(fetch));
	if (err)
		return err;
	if (fetcher->is_inside) {
		fetcher->is_untidy = true;
	} else {
		if (curl_multi_add_handle(fetcher->multi, fetch->easy))
			return -ENOMEM;
		fetch->state = RUNS;
	}
	if (ret)
		*ret = fetch;
	take(fetch);
	return 0;
}

int fetch_start(struct fetcher *fetcher, const struct fetch_request *request, struct fetch **ret)
{
	return start(fetcher, request, false, ret);
}

int fetch_connect(struct fetcher *fetcher, const struct fetch_request *request, struct fetch **ret)
{
	return start(fetcher, request, true, ret);
}

int fetch_socket(const struct fetch *fetch)
{
	curl_socket_t fd = CURL_SOCKET_BAD;

	curl_easy_getinfo(fetch->easy, CURLINFO_ACTIVESOCKET, &fd);
	return fd;
}

ssize_t fetch_send(struct fetch *fetch, const void *bytes, size_t len)
{
	size_t n = 0;
	CURLcode code = curl_easy_send(fetch->easy, bytes, len, &n);

	return code == CURLE_AGAIN ? -EAGAIN : code ? -EPIPE : (ssize_t)n;
}

ssize_t fetch_recv(struct fetch *fetch, void *bytes, size_t size)
{
	size_t n = 0;
	CURLcode code = curl_easy_recv(fetch->easy, bytes, size, &n);

	return code == CURLE_AGAIN ? -EAGAIN : code ? -ECONNRESET : (ssize_t)n;
}

struct loop *fetcher_loop(const struct fetcher *fetcher)
{
	return fetcher->loop;
}

struct fetch *fetch_cancel(struct fetch *fetch)
{
	if (!fetch)
		return NULL;
	if (fetch->fetcher->is_inside || fetch->state == CANCELLED) {
		fetch->state = CANCELLED;
		fetch->fetcher->is_untidy = true;
		return NULL;
	}
	return fetch_free(fetch);
}

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
#include "base/fetch_easy.h"
#include "base/fetch_internal.h"
#include "base/loop.h"

enum state { WAITS, RUNS, CANCELLED };

struct fetch {
	LIST_ENTRY(fetch) link;
	struct fetcher *fetcher;
	enum state state;
	struct fetch_easy easy;
	bool is_raw; /* only the connection (fetch_connect()) */
	bool (*piece)(void *arg, const char *bytes, size_t len);
	void (*done)(void *arg, const struct fetch_answer *answer);
	void *arg;
	char *body;
	size_t len, size, max_bytes, head_bytes;
	int err; /* why a callback of ours made curl stop */
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

static struct fetch *fetch_free(struct fetch *fetch)
{
	if (!fetch)
		return NULL;
	if (fetch->easy.curl)
		curl_multi_remove_handle(fetch->fetcher->multi, fetch->easy.curl);
	fetch_easy_done(&fetch->easy);
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

	curl_easy_getinfo(fetch->easy.curl, CURLINFO_RESPONSE_CODE, &status);
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
	curl_easy_getinfo(fetch->easy.curl, CURLINFO_RESPONSE_CODE, &status);
	answer.status = (int)status;
	if (!curl_easy_getinfo(fetch->easy.curl, CURLINFO_RETRY_AFTER, &retry) && retry > 0)
		answer.retry_after_s = retry < 86400 ? (uint32_t)retry : 86400;
	if (fetch->is_raw && !answer.err) {
		/* The connection lives as long as curl has the handle. */
		fetch->done(fetch->arg, &answer);
		return;
	}
	/* Out of curl's hands first, so that `done` may cancel and start as it likes. */
	curl_multi_remove_handle(fetch->fetcher->multi, fetch->easy.curl);
	fetch->state = CANCELLED;
	fetch->done(fetch->arg, &answer);
	fetch_free(fetch);
}

static void begin(struct fetch *fetch)
{
	if (curl_multi_add_handle(fetch->fetcher->multi, fetch->easy.curl)) {
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
	return loop_arm(fetcher->timer, ms < 0 ? 0 :
					ms     ? (uint64_t)ms * NS_PER_MS :
						 1) < 0 ?
		       -1 :
		       0;
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

/* The requests. */

static int set_callbacks(struct fetch *fetch)
{
	CURL *easy = fetch->easy.curl;

	/* Each takes a pointer as it is, and fails only where curl was built without it. */
	return curl_easy_setopt(easy, CURLOPT_PRIVATE, (void *)fetch) ||
			       curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body) ||
			       curl_easy_setopt(easy, CURLOPT_WRITEDATA, (void *)fetch) ||
			       curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_head) ||
			       curl_easy_setopt(easy, CURLOPT_HEADERDATA, (void *)fetch) ||
			       curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, fetch->error) ?
		       -EINVAL :
		       0;
}

static int start(struct fetcher *fetcher, const struct fetch_request *request, bool is_raw,
		 struct fetch **ret)
{
	_cleanup_(fetch_freep) struct fetch *fetch = NULL;
	int err;

	if (!request->done)
		return -EINVAL;
	if (fetcher->n >= FETCH_MAX)
		return -ENOBUFS;
	fetch = calloc(1, sizeof(*fetch));
	if (!fetch)
		return -ENOMEM;
	*fetch = (struct fetch){ .fetcher = fetcher,
				 .state = WAITS,
				 .is_raw = is_raw,
				 .piece = request->piece,
				 .done = request->done,
				 .arg = request->arg,
				 .max_bytes = request->max_bytes ? request->max_bytes :
								   FETCH_BYTES_DEFAULT };
	LIST_INSERT_HEAD(&fetcher->fetches, fetch, link);
	fetcher->n++;
	err = fetch_easy_init(&fetch->easy, request, is_raw);
	if (!err)
		err = set_callbacks(fetch);
	if (err)
		return err;
	if (fetcher->is_inside) {
		fetcher->is_untidy = true;
	} else {
		if (curl_multi_add_handle(fetcher->multi, fetch->easy.curl))
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

	curl_easy_getinfo(fetch->easy.curl, CURLINFO_ACTIVESOCKET, &fd);
	return fd;
}

ssize_t fetch_send(struct fetch *fetch, const void *bytes, size_t len)
{
	size_t n = 0;
	CURLcode code = curl_easy_send(fetch->easy.curl, bytes, len, &n);

	return code == CURLE_AGAIN ? -EAGAIN : code ? -EPIPE : (ssize_t)n;
}

ssize_t fetch_recv(struct fetch *fetch, void *bytes, size_t size)
{
	size_t n = 0;
	CURLcode code = curl_easy_recv(fetch->easy.curl, bytes, size, &n);

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

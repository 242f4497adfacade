/* SPDX-License-Identifier: Apache-2.0 */
#include "web/serve.h"

#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/loop.h"
#include "web/access.h"
#include "web/assets.h"

#define BLOCK 16384 /* bytes that a scrape writes in one turn of the loop */

struct peer {
	LIST_ENTRY(peer) link;
	int fd;
	bool is_answered; /* its request is read */
	bool is_ended;
	uint64_t since_ns;
	struct in6_addr from;          /* whom it comes from; IPv4 mapped */
	struct aside_request *request; /* for an answer that takes long; NULL: none */
};

struct serve {
	struct loop *loop;
	const struct serve_config *config;
	struct serve_content content;
	struct MHD_Daemon *http;
	struct aside *aside;
	struct loop_source *ready, *timer;
	LIST_HEAD(, peer) peers;
	bool has_closed; /* a connection, since libmicrohttpd last ran */
};

/* Of the page alone; what it loads is its own. */
#define PAGE_POLICY                                                                 \
	"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; " \
	"connect-src 'self'; base-uri 'none'; form-action 'none'; "                 \
	"frame-ancestors 'none'"
#define DATA_POLICY "default-src 'none'; frame-ancestors 'none'"

static const char *const common_headers[][2] = {
	{ "Connection", "close" },
	{ "Cache-Control", "no-store" },
	{ "X-Content-Type-Options", "nosniff" },
	{ "Referrer-Policy", "no-referrer" },
	{ "Cross-Origin-Resource-Policy", "same-origin" },
};

/* Sends and forgets the response. */
static enum MHD_Result answer(struct MHD_Connection *connection, unsigned status, const char *type,
			      const char *policy, struct MHD_Response *response)
{
	enum MHD_Result result = MHD_YES;

	if (!response)
		return MHD_NO;
	for (size_t i = 0; i < ARRAY_SIZE(common_headers); i++)
		result &= MHD_add_response_header(response, common_headers[i][0],
						  common_headers[i][1]);
	result &= MHD_add_response_header(response, "Content-Type", type);
	result &= MHD_add_response_header(response, "Content-Security-Policy", policy);
	if (status == MHD_HTTP_UNAUTHORIZED)
		result &= MHD_add_response_header(response, "WWW-Authenticate", "Bearer");
	if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
		result &= MHD_add_response_header(response, "Allow", "GET, HEAD");
	if (result == MHD_YES)
		result = MHD_queue_response(connection, status, response);
	MHD_destroy_response(response);
	return result;
}

static enum MHD_Result say(struct MHD_Connection *connection, unsigned status, const char *text)
{
	return answer(
		connection, status, "text/plain; charset=utf-8", DATA_POLICY,
		MHD_create_response_from_buffer(strlen(text), (void *)text, MHD_RESPMEM_MUST_COPY));
}

/* Routes. */

static ssize_t on_scrape_read(void *arg, uint64_t at, char *buf, size_t max)
{
	ssize_t n = scrape_read(arg, buf, max);

	return n > 0 ? n : n ? MHD_CONTENT_READER_END_WITH_ERROR : MHD_CONTENT_READER_END_OF_STREAM;
}

static void on_scrape_end(void *arg)
{
	scrape_free(arg);
}

static enum MHD_Result show_metrics(struct serve *serve, struct MHD_Connection *connection)
{
	const char *accept = MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Accept");
	bool is_open = accept && strstr(accept, "application/openmetrics-text");
	struct scrape *scrape = serve->content.scrape(serve->content.arg,
						      is_open ? EXPOSITION_OPEN : EXPOSITION_TEXT);
	struct MHD_Response *response;

	if (!scrape)
		return MHD_NO;
	response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK, on_scrape_read,
						     scrape, on_scrape_end);
	if (!response)
		scrape_free(scrape);
	return answer(connection, MHD_HTTP_OK,
		      is_open ? "application/openmetrics-text; version=1.0.0; charset=utf-8" :
				"text/plain; version=0.0.4; charset=utf-8",
		      DATA_POLICY, response);
}

/* Takes the text; NULL: no memory. */
static enum MHD_Result show_json(struct MHD_Connection *connection, char *json)
{
	if (!json)
		return MHD_NO;
	return answer(connection, MHD_HTTP_OK, "application/json", DATA_POLICY,
		      MHD_create_response_from_buffer(strlen(json), json, MHD_RESPMEM_MUST_FREE));
}

static enum MHD_Result show_status(struct serve *serve, struct MHD_Connection *connection)
{
	return show_json(connection, serve->content.status(serve->content.arg));
}

static struct peer *peer_of(struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

	return info ? info->socket_context : NULL;
}

/* The answer of a work that was asked for before. */
static enum MHD_Result show_answer(struct MHD_Connection *connection, struct peer *peer)
{
	char *json = aside_answer(peer->request);

	return json ? show_json(connection, json) :
		      say(connection, MHD_HTTP_NOT_FOUND, "the ledger knows nothing of it\n");
}

/* Takes the work; whoever asked is shown its answer when there is one. */
static enum MHD_Result wait_for(struct serve *serve, struct MHD_Connection *connection,
				struct peer *peer, struct aside_work *work)
{
	if (work)
		peer->request = aside_ask(serve->aside, connection, work);
	return work && peer->request ?
		       MHD_YES :
		       say(connection, MHD_HTTP_SERVICE_UNAVAILABLE, "too many ask at once\n");
}

/* These two are called again when there is an answer, or none. */
static enum MHD_Result show_timeline(struct serve *serve, struct MHD_Connection *connection)
{
	struct peer *peer = peer_of(connection);

	if (peer && peer->request)
		return show_answer(connection, peer);
	return wait_for(serve, connection, peer,
			peer ? serve->content.timeline(serve->content.arg) : NULL);
}

static enum MHD_Result show_caller(struct serve *serve, struct MHD_Connection *connection)
{
	const char *who = MHD_lookup_connection_value(connection, MHD_GET_ARGUMENT_KIND, "who");
	struct peer *peer = peer_of(connection);

	if (peer && peer->request)
		return show_answer(connection, peer);
	return wait_for(serve, connection, peer,
			peer ? serve->content.caller(serve->content.arg, who ? who : "") : NULL);
}

static enum MHD_Result show_probe(struct serve *serve, struct MHD_Connection *connection,
				  bool (*is_well)(void *arg, char *buf, size_t size))
{
	char why[512] = "ok";

	if (is_well(serve->content.arg, why, sizeof(why)))
		return say(connection, MHD_HTTP_OK, "ok\n");
	strncat(why, "\n", sizeof(why) - strlen(why) - 1);
	return say(connection, MHD_HTTP_SERVICE_UNAVAILABLE, why);
}

static enum MHD_Result show_healthz(struct serve *serve, struct MHD_Connection *connection)
{
	return show_probe(serve, connection, serve->content.healthy);
}

static enum MHD_Result show_readyz(struct serve *serve, struct MHD_Connection *connection)
{
	return show_probe(serve, connection, serve->content.ready);
}

static const struct {
	const char *path;
	enum serve_need need;
	enum MHD_Result (*show)(struct serve *serve, struct MHD_Connection *connection);
} routes[] = {
	{ "/metrics", SERVE_METRICS, show_metrics },
	{ "/api/status.json", SERVE_DATA, show_status },
	{ "/api/timeline.json", SERVE_DATA, show_timeline },
	{ "/api/caller.json", SERVE_DATA, show_caller },
	{ "/healthz", SERVE_OPEN, show_healthz },
	{ "/readyz", SERVE_OPEN, show_readyz },
};

/* The page's own files hold nothing of the host: it asks for its data with the token. */
static enum MHD_Result show_page(struct MHD_Connection *connection, const struct web_file *file)
{
	return answer(connection, MHD_HTTP_OK, file->type, PAGE_POLICY,
		      MHD_create_response_from_buffer((size_t)(file->end - file->start),
						      (void *)file->start, MHD_RESPMEM_PERSISTENT));
}

static enum MHD_Result refuse(struct MHD_Connection *connection, enum serve_verdict verdict)
{
	if (verdict == SERVE_NO_TOKEN)
		return say(connection, MHD_HTTP_UNAUTHORIZED, "a token is needed\n");
	if (verdict == SERVE_BAD_HOST)
		return say(connection, MHD_HTTP_MISDIRECTED_REQUEST,
			   "without a token this is reached by its address or as localhost\n");
	return say(connection, MHD_HTTP_FORBIDDEN,
		   "no token is configured: only /metrics is public\n");
}

static enum MHD_Result on_request(void *arg, struct MHD_Connection *connection, const char *url,
				  const char *method, const char *version, const char *upload,
				  size_t *upload_size, void **state)
{
	struct serve *serve = arg;
	const struct web_file *file = web_find(url);
	enum serve_verdict verdict;
	struct peer *peer = peer_of(connection);

	if (peer)
		peer->is_answered = true;
	/* Before any body: a request that has one is answered at once, and the connection ends. */
	if (strcmp(method, "GET") && strcmp(method, "HEAD"))
		return say(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "GET and HEAD only\n");
	if (file)
		return show_page(connection, file);
	for (size_t i = 0; i < ARRAY_SIZE(routes); i++) {
		if (strcmp(url, routes[i].path))
			continue;
		verdict = serve_judge(
			serve->config, routes[i].need,
			MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Host"),
			MHD_lookup_connection_value(connection, MHD_HEADER_KIND, "Authorization"));
		return verdict == SERVE_OK ? routes[i].show(serve, connection) :
					     refuse(connection, verdict);
	}
	return say(connection, MHD_HTTP_NOT_FOUND, "there is nothing here\n");
}

/* The loop. */

static struct in6_addr address_of(const struct sockaddr *address)
{
	const struct sockaddr_in *in = (const struct sockaddr_in *)address;
	struct in6_addr from = { .s6_addr = { [10] = 0xff, 0xff } };

	if (address && address->sa_family == AF_INET6)
		return ((const struct sockaddr_in6 *)address)->sin6_addr;
	if (address && address->sa_family == AF_INET)
		memcpy(&from.s6_addr[12], &in->sin_addr, sizeof(in->sin_addr));
	return from;
}

static size_t count_from(const struct serve *serve, const struct in6_addr *from)
{
	const struct peer *peer;
	size_t n = 0;

	LIST_FOREACH(peer, &serve->peers, link)
		n += !peer->is_ended && (!from || IN6_ARE_ADDR_EQUAL(&peer->from, from));
	return n;
}

/*
 * Whoever comes is served, also if others hold all connections and send nothing: of those from the address that
 * has most, the oldest ends, one that has not asked yet before one that is being answered.
 */
static void make_room(struct serve *serve, const struct peer *newest)
{
	struct peer *peer, *victim = NULL;
	size_t most = 0;

	if (count_from(serve, NULL) <= SERVE_CONNECTIONS)
		return;
	LIST_FOREACH(peer, &serve->peers, link) {
		size_t n = count_from(serve, &peer->from);

		if (peer == newest || peer->is_ended)
			continue;
		/* The list begins with the newest. */
		if (!victim || n > most ||
		    (n == most && (victim->is_answered || !peer->is_answered))) {
			victim = peer;
			most = n;
		}
	}
	if (!victim)
		return;
	victim->is_ended = true;
	shutdown(victim->fd, SHUT_RDWR);
	serve->has_closed = true;
}

static void on_connection(void *arg, struct MHD_Connection *connection, void **context,
			  enum MHD_ConnectionNotificationCode code)
{
	struct serve *serve = arg;
	struct peer *peer = *context;
	const union MHD_ConnectionInfo *info;

	if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
		if (peer) {
			LIST_REMOVE(peer, link);
			aside_forget(peer->request);
		}
		free(peer);
		serve->has_closed = true;
		return;
	}
	info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	*context = peer = info ? calloc(1, sizeof(*peer)) : NULL;
	if (!peer)
		return;
	peer->fd = info->connect_fd;
	peer->since_ns = clock_mono_ns();
	info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	peer->from = address_of(info ? info->client_addr : NULL);
	LIST_INSERT_HEAD(&serve->peers, peer, link);
	make_room(serve, peer);
}

/* libmicrohttpd ends idle connections; one that drips a byte now and then is ended here. */
static void end_old_peers(struct serve *serve)
{
	uint64_t now_ns = clock_mono_ns();
	struct peer *peer;

	LIST_FOREACH(peer, &serve->peers, link)
		if (now_ns - peer->since_ns > SERVE_LIFE_S * NS_PER_S)
			shutdown(peer->fd, SHUT_RDWR);
}

static void run(void *arg)
{
	struct serve *serve = arg;
	MHD_UNSIGNED_LONG_LONG wait_ms;
	uint64_t wait_ns = 0;

	serve->has_closed = false;
	MHD_run(serve->http);
	if (!LIST_EMPTY(&serve->peers))
		wait_ns = NS_PER_S;
	if (MHD_get_timeout(serve->http, &wait_ms) == MHD_YES &&
	    (!wait_ns || wait_ms * NS_PER_MS < wait_ns))
		wait_ns = wait_ms * NS_PER_MS + 1; /* 0 would stop the timer */
	/* At its limit it does not listen, and begins again in the first run after one has gone. */
	(void)loop_arm(serve->timer, serve->has_closed ? 1 : wait_ns);
}

static void on_timer(void *arg)
{
	end_old_peers(arg);
	run(arg);
}

static int listen_at(const struct sockaddr_storage *address)
{
	socklen_t len = address->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6) :
							 sizeof(struct sockaddr_in);
	_cleanup_close_ int fd = socket(address->ss_family,
					SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int on = 1;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    bind(fd, (const struct sockaddr *)address, len) < 0 || listen(fd, SOMAXCONN) < 0)
		return -errno;
	return take_fd(fd);
}

static int start_http(struct serve *serve)
{
	_cleanup_close_ int fd = listen_at(&serve->config->listen);
	const union MHD_DaemonInfo *info;
	int err;

	if (fd < 0)
		return fd;
	serve->http = MHD_start_daemon(
		MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, on_request, serve,
		MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT,
		(unsigned)(SERVE_CONNECTIONS + SERVE_RESERVE), MHD_OPTION_CONNECTION_MEMORY_LIMIT,
		(size_t)SERVE_CONNECTION_BYTES, MHD_OPTION_CONNECTION_TIMEOUT,
		(unsigned)SERVE_IDLE_S, MHD_OPTION_NOTIFY_CONNECTION, on_connection, serve,
		MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_END);
	if (!serve->http)
		return -EIO;
	take_fd(fd); /* libmicrohttpd's from now on */
	info = MHD_get_daemon_info(serve->http, MHD_DAEMON_INFO_EPOLL_FD);
	if (!info)
		return -EIO;
	err = loop_add_timer(serve->loop, NS_PER_S, on_timer, serve, &serve->timer);
	return err ? err : loop_add_fd(serve->loop, info->epoll_fd, run, serve, &serve->ready);
}

int serve_new(struct serve **ret, struct loop *loop, const struct serve_config *config,
	      const struct serve_content *content, char **ret_error)
{
	struct serve *serve = calloc(1, sizeof(*serve));
	int err;

	*ret_error = NULL;
	if (!serve)
		return -ENOMEM;
	*serve = (struct serve){ .loop = loop, .config = config, .content = *content };
	LIST_INIT(&serve->peers);
	err = serve_check_token(config, ret_error);
	if (!err)
		err = start_http(serve);
	if (!err)
		err = aside_new(&serve->aside, loop, run, serve);
	if (err) {
		serve_free(serve);
		return err;
	}
	*ret = serve;
	return 0;
}

struct serve *serve_free(struct serve *serve)
{
	if (!serve)
		return NULL;
	loop_remove(serve->ready);
	loop_remove(serve->timer);
	aside_free(serve->aside);
	if (serve->http)
		MHD_stop_daemon(serve->http);
	free(serve);
	return NULL;
}

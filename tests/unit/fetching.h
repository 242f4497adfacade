/* SPDX-License-Identifier: Apache-2.0 */
/* A server's answers and who asks for them; for the tests of base/fetch.h. */
#ifndef UNIT_FETCHING_H
#define UNIT_FETCHING_H

#include "unit.h"

#include "base/clock.h"
#include "base/fetch.h"
#include "base/loop.h"
#include "base/secret.h"
#include "peer.h"

static char dir[UNIT_FOLDER_LEN];

struct world {
	struct peer peer;
	struct loop *loop;
	struct fetcher *fetcher;
	struct loop_source *late;
	bool is_late;
	/* what came back */
	int n_done, err, status;
	char body[4096], error[256];
	size_t len;
	uint32_t retry_after_s;
	/* of a stream */
	char pieces[4096];
	size_t n_pieces, stop_after;
	struct fetch *own, *other;
	bool cancels, starts;
	char url[128], second_url[128];
};

/* The fake server: what it does is the path that it is asked for. */

static inline void answer(struct peer *peer, const char *path, const char *head, const char *body)
{
	char text[8192];

	if (!strcmp(path, "/slow")) {
		peer_hang(peer);
	} else if (!strcmp(path, "/drop")) {
		peer_say(peer, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
	} else if (!strcmp(path, "/huge")) {
		peer_say(peer, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
		while (peer_say(peer, "0123456789012345678901234567890123456789"))
			;
	} else if (!strcmp(path, "/announced")) {
		peer_say(peer, "HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n");
		peer_hang(peer);
	} else if (!strcmp(path, "/heads")) {
		peer_say(peer, "HTTP/1.1 200 OK\r\n");
		while (peer_say(peer, "X-A: 0123456789012345678901234567890123456789\r\n"))
			;
	} else if (!strcmp(path, "/busy")) {
		peer_say(peer, "HTTP/1.1 429 Slow Down\r\nRetry-After: 7\r\n"
			       "Content-Length: 4\r\n\r\nbusy");
	} else if (!strcmp(path, "/moved")) {
		peer_say(peer,
			 "HTTP/1.1 302 Found\r\nLocation: /other\r\nContent-Length: 0\r\n\r\n");
	} else if (!strcmp(path, "/garbage")) {
		peer_say(peer, "\1\2\3 I am no web server\r\n\r\n");
	} else if (!strcmp(path, "/watch")) {
		peer_say(peer, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
			       "4\r\none\n\r\n");
		peer_say(peer, "4\r\ntwo\n\r\n");
		peer_hang(peer);
	} else {
		/* tells what it was told */
		snprintf(text, sizeof(text), "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s%s%s",
			 strlen(head) + strlen(body) + 1, head, "|", body);
		peer_say(peer, text);
	}
}

static inline bool read_request(struct peer *peer, char *head, size_t size, char **ret_body)
{
	size_t len = 0, body_len = 0;
	char *end = NULL, *length;

	while (len + 1 < size && (!end || len < (size_t)(end - head) + body_len)) {
		ssize_t n = peer_read(peer, head + len, size - len - 1);

		if (n <= 0)
			return false;
		head[len += (size_t)n] = '\0';
		end = end ? end : strstr(head, "\r\n\r\n");
		if (!end || body_len)
			continue;
		length = strcasestr(head, "content-length: ");
		body_len = 4 + (length ? (size_t)atoi(length + 16) : 0);
	}
	*end = '\0';
	*ret_body = end + 4;
	return true;
}

static inline void serve(struct peer *peer)
{
	char head[2048], path[64], *body;

	while (read_request(peer, head, sizeof(head), &body)) {
		if (sscanf(head, "%*s %63s", path) != 1)
			return;
		answer(peer, path, head, body);
		if (strcmp(path, "/keep"))
			return;
	}
}

/* The client. */

static inline void on_done(void *arg, const struct fetch_answer *answer)
{
	struct world *world = arg;

	world->n_done++;
	world->err = answer->err;
	world->status = answer->status;
	world->len = answer->len;
	world->retry_after_s = answer->retry_after_s;
	snprintf(world->body, sizeof(world->body), "%s", answer->body);
	snprintf(world->error, sizeof(world->error), "%s", answer->error);
	loop_stop(world->loop);
}

static inline void on_late(void *arg)
{
	struct world *world = arg;

	world->is_late = true;
	loop_stop(world->loop);
}

static inline struct fetch_request request_to(struct world *world, const char *path)
{
	snprintf(world->url, sizeof(world->url), "%s://localhost:%d%s",
		 world->peer.tls ? "https" : "http", world->peer.port, path);
	return (struct fetch_request){
		.url = world->url, .timeout_ms = 20000, .done = on_done, .arg = world
	};
}

static inline void run(struct world *world)
{
	assert_int_equal(loop_arm(world->late, 60 * NS_PER_S), 0);
	assert_int_equal(loop_run(world->loop), 0);
	assert_false(world->is_late);
}

static inline void ask(struct world *world, const struct fetch_request *request)
{
	int before = world->n_done;

	assert_int_equal(fetch_start(world->fetcher, request, NULL), 0);
	run(world);
	assert_int_equal(world->n_done, before + 1);
}

static inline void bring_up(struct world *world, const char *ca_file)
{
	*world = (struct world){ .peer.serve = serve };
	if (ca_file)
		peer_tls(&world->peer, ca_file);
	peer_start(&world->peer, NULL, 0);
	assert_int_equal(loop_new(&world->loop), 0);
	assert_int_equal(loop_add_timer(world->loop, NS_PER_S, on_late, world, &world->late), 0);
	assert_int_equal(fetcher_new(&world->fetcher, world->loop), 0);
}

static inline void take_down(struct world *world)
{
	fetcher_free(world->fetcher);
	loop_free(world->loop);
	peer_stop(&world->peer);
}

static inline int make_dir(void **state)
{
	return unit_folder(dir);
}

static inline int remove_dir(void **state)
{
	return unit_remove(dir);
}

#endif

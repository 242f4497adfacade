/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/fetch.h"
#include "base/loop.h"
#include "base/secret.h"
#include "peer.h"

static char dir[] = "/tmp/aigress-fetch-XXXXXX";

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

static void answer(struct peer *peer, const char *path, const char *head, const char *body)
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
		peer_say(peer, "HTTP/1.1 302 Found\r\nLocation: /other\r\nContent-Length: 0\r\n\r\n");
	} else if (!strcmp(path, "/garbage")) {
		peer_say(peer, "\1\2\3 I am no web server\r\n\r\n");
	} else if (!strcmp(path, "/watch")) {
		peer_say(peer, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
			       "4\r\none\n\r\n");
		peer_say(peer, "4\r\ntwo\n\r\n");
		peer_hang(peer);
	} else {
		/* tells what it was told */
		snprintf(text, sizeof(text),
			 "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s%s%s",
			 strlen(head) + strlen(body) + 1, head, "|", body);
		peer_say(peer, text);
	}
}

static bool read_request(struct peer *peer, char *head, size_t size, char **ret_body)
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

static void serve(struct peer *peer)
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

static void on_done(void *arg, const struct fetch_answer *answer)
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

static void on_late(void *arg)
{
	struct world *world = arg;

	world->is_late = true;
	loop_stop(world->loop);
}

static struct fetch_request request_to(struct world *world, const char *path)
{
	snprintf(world->url, sizeof(world->url), "%s://localhost:%d%s",
		 world->peer.tls ? "https" : "http", world->peer.port, path);
	return (struct fetch_request){ .url = world->url, .timeout_ms = 20000, .done = on_done,
				       .arg = world };
}

static bool on_piece(void *arg, const char *bytes, size_t len)
{
	struct world *world = arg;
	struct fetch_request second;

	memcpy(world->pieces + world->n_pieces, bytes, len);
	world->n_pieces += len;
	if (world->n_pieces < world->stop_after)
		return true;
	if (world->starts) {
		second = request_to(world, "/second");
		assert_int_equal(fetch_start(world->fetcher, &second, NULL), 0);
	}
	if (!world->cancels)
		return false;
	world->own = fetch_cancel(world->own);
	world->other = fetch_cancel(world->other);
	if (!world->starts)
		loop_stop(world->loop);
	return true;
}

static void run(struct world *world)
{
	assert_int_equal(loop_arm(world->late, 60 * NS_PER_S), 0);
	assert_int_equal(loop_run(world->loop), 0);
	assert_false(world->is_late);
}

static void ask(struct world *world, const struct fetch_request *request)
{
	int before = world->n_done;

	assert_int_equal(fetch_start(world->fetcher, request, NULL), 0);
	run(world);
	assert_int_equal(world->n_done, before + 1);
}

static void bring_up(struct world *world, const char *ca_file)
{
	*world = (struct world){ .peer.serve = serve };
	if (ca_file)
		peer_tls(&world->peer, ca_file);
	peer_start(&world->peer, NULL, 0);
	assert_int_equal(loop_new(&world->loop), 0);
	assert_int_equal(loop_add_timer(world->loop, NS_PER_S, on_late, world, &world->late), 0);
	assert_int_equal(fetcher_new(&world->fetcher, world->loop), 0);
}

static void take_down(struct world *world)
{
	fetcher_free(world->fetcher);
	loop_free(world->loop);
	peer_stop(&world->peer);
}

static const char *file(const char *name, const char *text)
{
	static char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	return path;
}

static void request_and_answer_arrive_whole(void **state)
{
	const char *const headers[] = { "Content-Type: application/json", NULL };
	struct world world;
	struct fetch_request request;

	bring_up(&world, NULL);
	request = request_to(&world, "/keep");
	request.headers = headers;
	request.body = "{\"a\": 1}";
	request.body_len = 8;
	request.bearer_file = file("token", "s3cret\n");
	ask(&world, &request);
	assert_int_equal(world.err, 0);
	assert_int_equal(world.status, 200);
	assert_string_equal(world.error, "");
	assert_ptr_equal(strstr(world.body, "POST /keep HTTP/1.1\r\n"), world.body);
	assert_non_null(strstr(world.body, "\r\nContent-Type: application/json"));
	assert_non_null(strstr(world.body, "\r\nAuthorization: Bearer s3cret"));
	assert_non_null(strstr(world.body, "\r\nUser-Agent: aigress\r\n"));
	assert_non_null(strstr(world.body, "|{\"a\": 1}"));
	/* a token is read anew, and the connection kept */
	file("token", "changed");
	ask(&world, &request);
	assert_non_null(strstr(world.body, "Bearer changed"));
	assert_int_equal(world.peer.n_accepted, 1);
	take_down(&world);
}

static void secret_headers_come_from_a_file(void **state)
{
	struct world world;
	struct fetch_request request;

	bring_up(&world, NULL);
	request = request_to(&world, "/");
	request.header_file = file("headers", "X-Key: one\nX-Other: two\n");
	ask(&world, &request);
	assert_non_null(strstr(world.body, "\r\nX-Key: one\r\nX-Other: two"));
	take_down(&world);
}

static void what_cannot_be_sent_is_refused(void **state)
{
	const char *const smuggled[] = { "X: a\r\nY: b", NULL }, *const odd[] = { "X Y: a", NULL };
	struct world world;
	struct fetch_request request;

	bring_up(&world, NULL);
	request = request_to(&world, "/");
	request.url = "ftp://localhost/";
	assert_int_equal(fetch_start(world.fetcher, &request, NULL), -EINVAL);
	request.url = "localhost/";
	assert_int_equal(fetch_start(world.fetcher, &request, NULL), -EINVAL);
	request = request_to(&world, "/");
	request.headers = smuggled;
	assert_int_equal(fetch_start(world.fetcher, &request, NULL), -EINVAL);
	request.headers = odd;
	assert_int_equal(fetch_start(world.fetcher, &request, NULL), -EINVAL);
	request.headers = NULL;
	request.bearer_file = "/nonexistent/token";
	assert_int_equal(fetch_start(world.fetcher, &request, NULL), -ENOENT);
	request.bearer_file = file("token", "two\nlines");
	assert_int_equal(fetch_start(world.fetcher, &request, NULL), -EINVAL);
	request.bearer_file = file("token", "\n");
	assert_int_equal(fetch_start(world.fetcher, &request, NULL), -ENODATA);
	take_down(&world);
}

static void failures_have_a_number_and_a_sentence(void **state)
{
	static const struct {
		const char *path;
		int err;
	} cases[] = {
		{ "/slow", -ETIMEDOUT },      { "/drop", -ECONNRESET },  { "/huge", -EMSGSIZE },
		{ "/announced", -EMSGSIZE },  { "/heads", -EMSGSIZE },   { "/garbage", -EIO },
	};
	struct fetch_request request;
	struct world world;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		bring_up(&world, NULL);
		request = request_to(&world, cases[i].path);
		request.max_bytes = 1000;
		if (cases[i].err == -ETIMEDOUT)
			request.timeout_ms = 200;
		ask(&world, &request);
		if (world.err != cases[i].err)
			print_error("%s: %s\n", cases[i].path, world.error);
		assert_int_equal(world.err, cases[i].err);
		assert_string_not_equal(world.error, "");
		assert_true(world.len <= 1000);
		take_down(&world);
	}
}

static void nobody_there(void **state)
{
	struct fetch_request request;
	struct world world;

	bring_up(&world, NULL);
	request = request_to(&world, "/");
	request.url = "http://127.0.0.1:1/";
	ask(&world, &request);
	assert_int_equal(world.err, -ECONNREFUSED);
	assert_int_equal(world.status, 0);
	take_down(&world);
}

static void status_and_retry_after_are_told(void **state)
{
	struct fetch_request request;
	struct world world;

	bring_up(&world, NULL);
	request = request_to(&world, "/busy");
	ask(&world, &request);
	assert_int_equal(world.err, 0);
	assert_int_equal(world.status, 429);
	assert_int_equal(world.retry_after_s, 7);
	assert_string_equal(world.body, "busy");
	request = request_to(&world, "/moved");
	ask(&world, &request);
	assert_int_equal(world.status, 302);
	take_down(&world);
}

static void the_environments_proxy_is_not_used(void **state)
{
	struct fetch_request request;
	struct world world;

	setenv("http_proxy", "http://127.0.0.1:1", 1);
	bring_up(&world, NULL);
	request = request_to(&world, "/");
	ask(&world, &request);
	assert_int_equal(world.status, 200);
	unsetenv("http_proxy");
	take_down(&world);
}

static void a_unix_socket_is_spoken_to(void **state)
{
	struct fetch_request request;
	struct world world;
	char path[128];
	struct peer peer = { .serve = serve };

	snprintf(path, sizeof(path), "%s/socket", dir);
	peer_start(&peer, path, 0);
	bring_up(&world, NULL);
	request = request_to(&world, "/");
	request.url = "http://unix/hello";
	request.unix_socket = path;
	ask(&world, &request);
	assert_int_equal(world.status, 200);
	assert_non_null(strstr(world.body, "GET /hello HTTP/1.1"));
	assert_int_equal(world.peer.n_accepted, 0);
	take_down(&world);
	peer_stop(&peer);
}

static void a_stream_comes_in_pieces(void **state)
{
	struct fetch_request request;
	struct world world;

	bring_up(&world, NULL);
	request = request_to(&world, "/watch");
	request.piece = on_piece;
	request.timeout_ms = 0;
	world.stop_after = 8;
	ask(&world, &request);
	assert_int_equal(world.err, -ECANCELED);
	assert_int_equal(world.len, 0);
	assert_memory_equal(world.pieces, "one\ntwo\n", 8);
	take_down(&world);
}

static void a_stream_that_falls_silent_ends(void **state)
{
	struct fetch_request request;
	struct world world;

	bring_up(&world, NULL);
	request = request_to(&world, "/watch");
	request.piece = on_piece;
	request.timeout_ms = 0;
	request.silence_s = 1;
	world.stop_after = sizeof(world.pieces);
	ask(&world, &request);
	assert_int_equal(world.err, -ETIMEDOUT);
	assert_int_equal(world.n_pieces, 8);
	take_down(&world);
}

static void an_error_instead_of_a_stream_has_its_body(void **state)
{
	struct fetch_request request;
	struct world world;

	bring_up(&world, NULL);
	request = request_to(&world, "/busy");
	request.piece = on_piece;
	ask(&world, &request);
	assert_int_equal(world.status, 429);
	assert_string_equal(world.body, "busy");
	assert_int_equal(world.n_pieces, 0);
	take_down(&world);
}

static void cancel_inside_a_piece(void **state)
{
	struct fetch_request request;
	struct world world;

	bring_up(&world, NULL);
	request = request_to(&world, "/watch");
	request.piece = on_piece;
	world.stop_after = 1;
	world.cancels = true;
	assert_int_equal(fetch_start(world.fetcher, &request, &world.own), 0);
	request = request_to(&world, "/slow");
	assert_int_equal(fetch_start(world.fetcher, &request, &world.other), 0);
	run(&world);
	assert_int_equal(world.n_done, 0);
	assert_null(world.own);
	take_down(&world);
}

static void start_inside_a_piece(void **state)
{
	struct fetch_request request;
	struct world world;

	bring_up(&world, NULL);
	request = request_to(&world, "/watch");
	request.piece = on_piece;
	world.stop_after = 8;
	world.cancels = world.starts = true;
	assert_int_equal(fetch_start(world.fetcher, &request, &world.own), 0);
	run(&world);
	assert_int_equal(world.n_done, 1);
	assert_int_equal(world.status, 200);
	assert_non_null(strstr(world.body, "GET /second "));
	take_down(&world);
}

static void freed_with_requests_under_way(void **state)
{
	struct fetch_request request;
	struct world world;

	bring_up(&world, NULL);
	for (int i = 0; i < FETCH_MAX; i++) {
		request = request_to(&world, "/slow");
		assert_int_equal(fetch_start(world.fetcher, &request, NULL), 0);
	}
	assert_int_equal(fetch_start(world.fetcher, &request, NULL), -ENOBUFS);
	take_down(&world);
	assert_int_equal(world.n_done, 0);
}

static void tls_is_checked_against_the_given_authority(void **state)
{
	struct fetch_request request;
	struct world world;
	char ca[128];

	snprintf(ca, sizeof(ca), "%s/ca.pem", dir);
	bring_up(&world, ca);
	request = request_to(&world, "/");
	request.tls.ca_file = ca;
	ask(&world, &request);
	assert_int_equal(world.err, 0);
	assert_int_equal(world.status, 200);
	/* the system's authorities do not know it */
	request.tls.ca_file = NULL;
	ask(&world, &request);
	assert_int_equal(world.err, -EKEYREJECTED);
	/* it is not who it should be */
	snprintf(world.second_url, sizeof(world.second_url), "https://127.0.0.1:%d/", world.peer.port);
	request.url = world.second_url;
	request.tls.ca_file = ca;
	ask(&world, &request);
	assert_int_equal(world.err, -EKEYREJECTED);
	request.tls.is_insecure = true;
	ask(&world, &request);
	assert_int_equal(world.status, 200);
	take_down(&world);
}

static int make_dir(void **state)
{
	return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
	static const char *const names[] = { "token", "headers", "socket", "ca.pem" };
	char path[256];

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		unlink(path);
	}
	return rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(request_and_answer_arrive_whole),
		cmocka_unit_test(secret_headers_come_from_a_file),
		cmocka_unit_test(what_cannot_be_sent_is_refused),
		cmocka_unit_test(failures_have_a_number_and_a_sentence),
		cmocka_unit_test(nobody_there),
		cmocka_unit_test(status_and_retry_after_are_told),
		cmocka_unit_test(the_environments_proxy_is_not_used),
		cmocka_unit_test(a_unix_socket_is_spoken_to),
		cmocka_unit_test(a_stream_comes_in_pieces),
		cmocka_unit_test(a_stream_that_falls_silent_ends),
		cmocka_unit_test(an_error_instead_of_a_stream_has_its_body),
		cmocka_unit_test(cancel_inside_a_piece),
		cmocka_unit_test(start_inside_a_piece),
		cmocka_unit_test(freed_with_requests_under_way),
		cmocka_unit_test(tls_is_checked_against_the_given_authority),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}

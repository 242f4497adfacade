/* SPDX-License-Identifier: Apache-2.0 */
#include "fetching.h"

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
	request.bearer_file = "/proc/self/nothing/token";
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
		{ "/slow", -ETIMEDOUT },     { "/drop", -ECONNRESET }, { "/huge", -EMSGSIZE },
		{ "/announced", -EMSGSIZE }, { "/heads", -EMSGSIZE },  { "/garbage", -EIO },
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
	snprintf(world.second_url, sizeof(world.second_url), "https://127.0.0.1:%d/",
		 world.peer.port);
	request.url = world.second_url;
	request.tls.ca_file = ca;
	ask(&world, &request);
	assert_int_equal(world.err, -EKEYREJECTED);
	request.tls.is_insecure = true;
	ask(&world, &request);
	assert_int_equal(world.status, 200);
	take_down(&world);
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
		cmocka_unit_test(freed_with_requests_under_way),
		cmocka_unit_test(tls_is_checked_against_the_given_authority),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}

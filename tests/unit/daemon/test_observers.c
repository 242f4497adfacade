/* SPDX-License-Identifier: Apache-2.0 */
/* What a running daemon shows: observers.c, web/serve.c, web/status.c and the families of a scrape. */
#include "world.h"

#include <signal.h>
#include <sys/socket.h>

#include "base/text.h"
#include "daemon/observers.h"
#include "daemon/timers.h"
#include "web/serve.h"
#include "web/status.h"

#define BODY (1 << 20)

static char body[BODY], head_text[4096];

static int port; /* one that was free when the test began: others may run beside it */

static int setup_port(void **state)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t len = sizeof(address);

	if (bind(fd, (struct sockaddr *)&address, len) ||
	    getsockname(fd, (struct sockaddr *)&address, &len))
		return -1;
	close(fd);
	port = ntohs(address.sin_port);
	return setup(state);
}

static char *serve_config(const char *more)
{
	static char text[2048];

	snprintf(text, sizeof(text),
		 "node: n1\nserve: { listen: 127.0.0.1:%d }\n"
		 "%s",
		 port, more);
	return text;
}

static int connect_to(int to)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_port = htons((uint16_t)to),
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (!connect(fd, (struct sockaddr *)&address, sizeof(address)))
		return fd;
	close(fd);
	return -1;
}

/* The answer goes on while it is read: the loop turns between two reads. */
static void receive(int fd, char *text, size_t size)
{
	size_t len = 0;

	for (int idle = 0; idle < 100 && len + 1 < size;) {
		ssize_t n;

		assert_true(loop_pass(world.daemon.loop, 1));
		n = recv(fd, text + len, size - 1 - len, MSG_DONTWAIT);
		if (!n)
			break;
		idle = n < 0 ? idle + 1 : 0;
		len += n > 0 ? (size_t)n : 0;
	}
	text[len] = '\0';
}

/* The status of an answer, 0: no connection. Its head and body are in head_text and body. */
static int request(const char *method, const char *path, const char *headers)
{
	int fd = connect_to(port), status = 0;
	char text[512], *end;

	if (fd < 0)
		return 0;
	snprintf(text, sizeof(text), "%s %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n%s\r\n", method, path,
		 port, headers);
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
	receive(fd, body, sizeof(body));
	close(fd);
	sscanf(body, "HTTP/1.1 %d", &status);
	end = strstr(body, "\r\n\r\n");
	assert_non_null(end);
	snprintf(head_text, sizeof(head_text), "%.*s", (int)(end - body), body);
	memmove(body, end + 4, strlen(end + 4) + 1);
	return status;
}

static int get(const char *path)
{
	return request("GET", path, "");
}

/* The value of a sample that begins so; -1: there is none. */
static double sample(const char *begins)
{
	const char *at = strstr(body, begins);

	at = at ? strchr(at, ' ') : NULL;
	return at ? atof(at) : -1;
}

static void nothing_is_kept_where_nothing_is_served(void **state)
{
	starts();
	assert_null(world.daemon.observers);
	calls();
	passes(NS_PER_S);
	assert_int_equal(connect_to(port), -1);
}

static void probes_are_answered(void **state)
{
	configure(serve_config("resolve: false\n"));
	starts();
	assert_int_equal(get("/healthz"), 200);
	assert_string_equal(body, "ok\n");
	assert_int_equal(get("/readyz"), 200);
	assert_int_equal(get("/nothing"), 404);
	assert_int_equal(request("POST", "/metrics", "Content-Length: 0\r\n"), 405);
	assert_non_null(strstr(head_text, "Allow: GET, HEAD"));
	assert_int_equal(request("HEAD", "/healthz", ""), 200);
	assert_string_equal(body, "");
}

static void metrics_count_calls(void **state)
{
	configure(serve_config(BUDGETS REFUSE("a", "0.001 USD")));
	starts();
	appears("/agents");
	calls();
	passes(NS_PER_S);
	assert_int_equal(get("/metrics"), 200);
	assert_non_null(strstr(head_text, "text/plain; version=0.0.4"));
	assert_int_equal(sample("aigress_gates{node=\"n1\",action=\"refuse\""), 1);
	passes(10 * NS_PER_S); /* a cell shows 0 first */
	assert_int_equal(get("/metrics"), 200);
	assert_true(sample("aigress_spend_usd_total{") > 0.0019);
	assert_true(sample("aigress_budget_limit_usd{") > 0.0009);
	assert_non_null(strstr(body, "action=\"refuse\""));
	assert_int_equal(request("GET", "/metrics",
				 "Accept: application/openmetrics-text; version=1.0.0\r\n"),
			 200);
	assert_non_null(strstr(head_text, "application/openmetrics-text"));
	assert_non_null(strstr(body, "\n# EOF\n"));
}

static json_t *status(void)
{
	json_t *object;

	assert_int_equal(get("/api/status.json"), 200);
	object = json_loads(body, 0, NULL);
	assert_non_null(object);
	return object;
}

static const json_t *at(const json_t *object, const char *list, const char *key)
{
	return json_object_get(json_array_get(json_object_get(object, list), 0), key);
}

static void the_status_page_has_its_data(void **state)
{
	json_t *object;

	configure(serve_config(BUDGETS REFUSE("a", "0.001 USD")));
	starts();
	appears("/agents");
	calls();
	flows(500000);
	passes(2 * NS_PER_S);
	kernel.counters[CTL_RING_FULL_EVENTS] = 7;
	object = status();
	assert_string_equal(json_string_value(json_object_get(object, "version")), "test");
	assert_string_equal(json_string_value(json_object_get(object, "trouble")), "");
	assert_string_equal(json_string_value(at(object, "budgets", "budget")), "a");
	assert_string_equal(json_string_value(at(object, "budgets", "reached")), "refuse");
	assert_string_equal(json_string_value(at(object, "gates", "action")), "refuse");
	assert_string_equal(json_string_value(at(object, "actions", "result")), "done");
	assert_string_equal(json_string_value(at(object, "spenders", "day")), "0.002000");
	assert_int_equal(
		json_integer_value(at(json_object_get(object, "coverage"), "processes", "pid")),
		TGID);
	assert_int_equal(json_integer_value(json_object_get(json_object_get(object, "losses"),
							    "ring_full_events")),
			 7);
	json_decref(object);
	/* One answer serves all who ask within a second. */
	calls();
	object = status();
	assert_string_equal(json_string_value(at(object, "spenders", "day")), "0.002000");
	json_decref(object);
	passes(NS_PER_S);
	object = status();
	assert_string_equal(json_string_value(at(object, "spenders", "day")), "0.004000");
	json_decref(object);
}

/* The page shows the fullest; the rest is a number. */
static void many_counters_are_shown_by_how_full_they_are(void **state)
{
	char path[64], text[256];
	json_t *object;

	snprintf(text, sizeof(text), "%s%s", BUDGETS,
		 "- { name: a, per: cgroup, limit: 1 USD, steps: [ { do: note } ] }\n");
	configure(serve_config(text));
	starts();
	for (int i = 0; i < 60; i++) {
		world.cgroup = CGROUP + (uint64_t)i;
		snprintf(path, sizeof(path), "/agents/%d", i);
		appears(path);
		calls();
		if (i == 42)
			calls();
		passes(NS_PER_MS);
	}
	object = status();
	assert_int_equal(json_array_size(json_object_get(object, "budgets")), STATUS_BUDGETS);
	assert_int_equal(json_integer_value(json_object_get(object, "more_budgets")), 10);
	assert_string_equal(json_string_value(at(object, "budgets", "counter")),
			    "cgroup=/agents/42");
	json_decref(object);
	assert_int_equal(get("/metrics"), 200);
	assert_non_null(strstr(body, "counter=\"cgroup=/agents/59\""));
}

/* What the ledger has of the last day is there from the start. */
static void a_restart_shows_the_last_day(void **state)
{
	json_t *object;

	configure(serve_config(BUDGETS REFUSE("a", "0.001 USD")));
	starts();
	appears("/agents");
	calls();
	passes(NS_PER_S);
	starts_again();
	object = status();
	assert_string_equal(json_string_value(at(object, "actions", "action")), "refuse");
	assert_string_equal(json_string_value(at(object, "spenders", "day")), "0.002000");
	json_decref(object);
}

static void the_page_and_its_files_are_served(void **state)
{
	configure(serve_config("resolve: false\n"));
	starts();
	assert_int_equal(get("/"), 200);
	assert_non_null(strstr(head_text, "script-src 'self'"));
	assert_int_equal(get("/status.js"), 200);
	assert_non_null(strstr(head_text, "text/javascript"));
}

static void another_hosts_name_is_refused(void **state)
{
	int fd;

	configure(serve_config("resolve: false\n"));
	starts();
	fd = connect_to(port);
	assert_true(fd >= 0);
	assert_true(send(fd, "GET /metrics HTTP/1.1\r\nHost: evil.example\r\n\r\n", 46, 0) > 0);
	receive(fd, body, sizeof(body));
	close(fd);
	assert_non_null(strstr(body, "HTTP/1.1 421"));
}

static void a_token_is_asked_for(void **state)
{
	char path[64], text[256];

	snprintf(path, sizeof(path), "%s/token", world.dir);
	unit_write(path, "0123456789abcdef\n", 17);
	snprintf(text, sizeof(text),
		 "resolve: false\nserve: { listen: 127.0.0.1:%d, token-file: %s }\n", port, path);
	configure(text);
	starts();
	assert_int_equal(get("/metrics"), 401);
	assert_non_null(strstr(head_text, "WWW-Authenticate: Bearer"));
	assert_int_equal(request("GET", "/metrics", "Authorization: Bearer 0123456789abcdef\r\n"),
			 200);
	assert_int_equal(get("/healthz"), 200);
}

/* Who drips a byte now and then is cut off, however it goes on. */
static void a_slow_peer_has_half_a_minute(void **state)
{
	char byte;
	int fd;

	configure(serve_config("resolve: false\n"));
	starts();
	fd = connect_to(port);
	passes(NS_PER_S);
	for (int i = 0; i < 9; i++) {
		(void)send(fd, "G", 1, MSG_NOSIGNAL);
		passes(4 * NS_PER_S);
	}
	assert_true(recv(fd, &byte, 1, MSG_DONTWAIT) == 0 || errno == ECONNRESET);
	close(fd);
}

static void a_taken_port_is_tried_again(void **state)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_port = htons((uint16_t)port),
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int taken = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

	setsockopt(taken, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	assert_int_equal(bind(taken, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(taken, 1), 0);
	configure(serve_config("resolve: false\n"));
	starts(); /* logged, and it goes on */
	passes(6 * NS_PER_S);
	close(taken);
	passes(6 * NS_PER_S);
	assert_int_equal(get("/healthz"), 200);
}

/* Another `serve:` counts on where the same counters go on. */
static void it_moves_with_the_rules(void **state)
{
	starts();
	configure(serve_config("resolve: false\n"));
	loop_signal(world.daemon.loop, SIGHUP);
	assert_int_equal(get("/healthz"), 200);
	calls();
	passes(NS_PER_MS);
	configure(serve_config("resolve: false\nkeep: 10d\n"));
	loop_signal(world.daemon.loop, SIGHUP);
	assert_int_equal(get("/metrics"), 200);
	passes(10 * NS_PER_S);
	assert_int_equal(get("/metrics"), 200);
	assert_true(sample("aigress_spend_usd_total{") > 0.0019);
	configure("resolve: false\n");
	loop_signal(world.daemon.loop, SIGHUP);
	assert_null(world.daemon.observers);
	assert_int_equal(connect_to(port), -1);
}

/* As when the loop does not come to it: the ring is no source any more. */
static void leave_the_ring_alone(void)
{
	struct loop_source *source;

	LIST_FOREACH(source, &world.daemon.loop->sources, link)
		if (source->fd == kernel.tap.fd)
			break;
	assert_non_null(source);
	loop_remove(source);
}

static void events_that_wait_are_no_health(void **state)
{
	uint64_t one = 1;

	configure(serve_config("resolve: false\n"));
	starts();
	leave_the_ring_alone();
	assert_int_equal(get("/healthz"), 200);
	assert_int_equal(write(kernel.tap.fd, &one, sizeof(one)), sizeof(one));
	assert_int_equal(get("/healthz"), 200);
	passes(11 * NS_PER_S);
	assert_int_equal(get("/healthz"), 503);
	assert_non_null(strstr(body, "events have waited in the ring for 11 s"));
	assert_int_equal(get("/readyz"), 503);
	observers_drained(world.daemon.observers);
	assert_int_equal(get("/healthz"), 200);
}

static void a_ledger_that_fails_is_not_ready(void **state)
{
	configure(serve_config("resolve: false\n"));
	starts();
	observers_committed(world.daemon.observers, -ENOSPC);
	assert_int_equal(get("/readyz"), 503);
	assert_non_null(strstr(body, "the ledger cannot be written: No space left on device"));
	assert_int_equal(get("/healthz"), 200);
	observers_committed(world.daemon.observers, 0);
	assert_int_equal(get("/readyz"), 200);
}

static void rows_of_the_long_gone_expire(void **state)
{
	configure(serve_config("resolve: false\n"));
	starts();
	calls();
	passes(MINUTE);
	passes(25 * 60 * MINUTE);
	assert_int_equal(get("/metrics"), 200);
	assert_true(sample("aigress_spend_usd_total{") < 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup_port, teardown)
	const struct CMUnitTest tests[] = {
		TEST(nothing_is_kept_where_nothing_is_served),
		TEST(probes_are_answered),
		TEST(metrics_count_calls),
		TEST(the_status_page_has_its_data),
		TEST(many_counters_are_shown_by_how_full_they_are),
		TEST(a_restart_shows_the_last_day),
		TEST(the_page_and_its_files_are_served),
		TEST(another_hosts_name_is_refused),
		TEST(a_token_is_asked_for),
		TEST(a_slow_peer_has_half_a_minute),
		TEST(a_taken_port_is_tried_again),
		TEST(it_moves_with_the_rules),
		TEST(events_that_wait_are_no_health),
		TEST(a_ledger_that_fails_is_not_ready),
		TEST(rows_of_the_long_gone_expire),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

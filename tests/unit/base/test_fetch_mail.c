/* SPDX-License-Identifier: Apache-2.0 */
/* Mails to a relay (RFC 5321), which is a thread of the test. */
#include "fetching.h"

static char password_file[UNIT_FOLDER_LEN + 16], ca_file[UNIT_FOLDER_LEN + 16];

/* What a relay does with each verb, and what it was told. */
struct relay {
	const char *offers;        /* lines behind the greeting */
	const char *verb, *answer; /* refuses this verb so */
	char told[4096];
};

static bool read_line(struct peer *peer, char *line, size_t size)
{
	size_t len = 0;

	while (len + 1 < size && peer_read(peer, line + len, 1) == 1)
		if (line[len++] == '\n') {
			line[len] = '\0';
			return true;
		}
	return false;
}

static void keep(struct relay *relay, const char *line)
{
	size_t len = strlen(relay->told);

	snprintf(relay->told + len, sizeof(relay->told) - len, "%s", line);
}

static void take_mail(struct peer *peer, struct relay *relay)
{
	char line[1024];

	while (read_line(peer, line, sizeof(line)) && strcmp(line, ".\r\n"))
		keep(relay, line);
	peer_say(peer, "250 taken\r\n");
}

static void serve_mail(struct peer *peer)
{
	struct relay *relay = peer->arg;
	char line[1024];

	peer_say(peer, "220 relay\r\n");
	while (read_line(peer, line, sizeof(line))) {
		keep(relay, line);
		if (relay->verb && !strncmp(line, relay->verb, strlen(relay->verb))) {
			peer_say(peer, relay->answer);
		} else if (!strncmp(line, "EHLO", 4)) {
			peer_say(peer, "250-relay\r\n");
			peer_say(peer, relay->offers);
			peer_say(peer, "250 8BITMIME\r\n");
		} else if (!strncmp(line, "AUTH", 4)) {
			peer_say(peer, "334 \r\n");
			if (!read_line(peer, line, sizeof(line)))
				return;
			keep(relay, line);
			peer_say(peer, "235 welcome\r\n");
		} else if (!strncmp(line, "DATA", 4)) {
			peer_say(peer, "354 go\r\n");
			take_mail(peer, relay);
		} else if (!strncmp(line, "QUIT", 4)) {
			peer_say(peer, "221 bye\r\n");
			return;
		} else {
			peer_say(peer, "250 ok\r\n");
		}
	}
}

static const char *const to[] = { "ops@example.com", "boss@example.com", NULL };
static const char *const headers[] = { "Subject: hello", "To: ops@example.com", NULL };

/* A mail to a relay of this kind; it is over when this returns. */
static void mail(struct world *world, struct relay *relay, bool is_tls, bool signs_in,
		 bool is_checked, const char *text)
{
	const struct fetch_mail how = { .from = "aigress@example.com",
					.to = to,
					.user = signs_in ? "me" : NULL,
					.password_file = signs_in ? password_file : NULL };
	struct fetch_request request;

	*world = (struct world){ .peer.serve = serve_mail, .peer.arg = relay };
	if (is_tls)
		peer_tls(&world->peer, ca_file);
	peer_start(&world->peer, NULL, 0);
	assert_int_equal(loop_new(&world->loop), 0);
	assert_int_equal(loop_add_timer(world->loop, NS_PER_S, on_late, world, &world->late), 0);
	assert_int_equal(fetcher_new(&world->fetcher, world->loop), 0);
	snprintf(world->url, sizeof(world->url), "%s://localhost:%d", is_tls ? "smtps" : "smtp",
		 world->peer.port);
	request = (struct fetch_request){ .url = world->url,
					  .mail = &how,
					  .headers = headers,
					  .body = text,
					  .body_len = strlen(text),
					  .tls.ca_file = is_checked ? ca_file : NULL,
					  .timeout_ms = 20000,
					  .done = on_done,
					  .arg = world };
	ask(world, &request);
	take_down(world);
}

static int prepare(void **state)
{
	if (make_dir(state))
		return -1;
	snprintf(password_file, sizeof(password_file), "%s/password", dir);
	snprintf(ca_file, sizeof(ca_file), "%s/ca.pem", dir);
	unit_write(password_file, "secret\n", 7);
	return 0;
}

static void a_mail_is_taken_as_it_is(void **state)
{
	struct relay relay = { .offers = "" };
	struct world world;

	mail(&world, &relay, false, false, false, "hi \xc3\xa4\r\n.\r\n..dots\r\nend\r\n");
	assert_int_equal(world.err, 0);
	assert_int_equal(world.status, 250);
	assert_non_null(strstr(relay.told, "MAIL FROM:<aigress@example.com>"));
	assert_non_null(strstr(relay.told, "RCPT TO:<ops@example.com>"));
	assert_non_null(strstr(relay.told, "RCPT TO:<boss@example.com>"));
	assert_non_null(strstr(relay.told, "\r\nSubject: hello\r\n"));
	assert_non_null(strstr(relay.told, "text/plain; charset=utf-8"));
	assert_non_null(strstr(relay.told, "hi =C3=A4\r\n"));
	/* a dot alone would end the mail, so it is doubled or coded */
	assert_non_null(strstr(relay.told, "\r\nend"));
	assert_null(strstr(relay.told, "Expect"));
	assert_null(strstr(relay.told, "AUTH"));
}

static void a_password_goes_through_tls_alone(void **state)
{
	struct relay open = { .offers = "250-AUTH PLAIN\r\n" };
	struct relay safe = { .offers = "250-AUTH PLAIN\r\n" };
	struct world world;

	mail(&world, &open, false, true, false, "hi\r\n");
	assert_int_not_equal(world.err, 0);
	assert_null(strstr(open.told, "AUTH"));
	mail(&world, &safe, true, true, true, "hi\r\n");
	assert_int_equal(world.err, 0);
	/* NUL, me, NUL, secret */
	assert_non_null(strstr(safe.told, "AUTH PLAIN\r\nAG1lAHNlY3JldA==\r\n"));
	assert_non_null(strstr(safe.told, "hi\r\n"));
}

/* smtps:// is checked always; smtp:// is not, if there is nothing to keep. */
static void a_relay_that_nobody_vouches_for_gets_no_mail(void **state)
{
	struct relay relay = { .offers = "" };
	struct world world;

	mail(&world, &relay, true, false, false, "hi\r\n");
	assert_int_equal(world.err, -EKEYREJECTED);
	assert_string_equal(relay.told, "");
}

static void what_a_relay_refuses_is_an_error(void **state)
{
	static const char *const refusals[][2] = {
		{ "MAIL", "550 not you\r\n" },
		{ "RCPT", "550 nobody\r\n" },
		{ "DATA", "451 later\r\n" },
	};
	struct world world;

	for (size_t i = 0; i < ARRAY_SIZE(refusals); i++) {
		struct relay relay = { .offers = "",
				       .verb = refusals[i][0],
				       .answer = refusals[i][1] };

		mail(&world, &relay, false, false, false, "hi\r\n");
		assert_int_not_equal(world.err, 0);
		assert_int_equal(world.status, atoi(refusals[i][1]));
		assert_string_not_equal(world.error, "");
	}
}

static void a_password_that_is_refused_is_an_error(void **state)
{
	struct relay relay = { .offers = "250-AUTH PLAIN\r\n",
			       .verb = "AUTH",
			       .answer = "535 no\r\n" };
	struct world world;

	mail(&world, &relay, true, true, true, "hi\r\n");
	assert_int_not_equal(world.err, 0);
	assert_null(strstr(world.error, "secret"));
}

static void what_is_no_mail_is_refused_at_once(void **state)
{
	static const char *const nobody[] = { NULL };
	const struct fetch_mail good = { .from = "a@b", .to = to };
	const struct fetch_mail lonely = { .from = "a@b", .to = nobody };
	const struct fetch_mail keyless = {
		.from = "a@b", .to = to, .user = "me", .password_file = "/proc/self/nothing"
	};
	struct fetch_request request = { .done = on_done,
					 .url = "smtp://localhost",
					 .mail = &lonely };
	struct world world;

	bring_up(&world, NULL);
	assert_int_equal(fetch_start(world.fetcher, &request, NULL), -EINVAL);
	request.mail = &keyless;
	assert_int_equal(fetch_start(world.fetcher, &request, NULL), -ENOENT);
	request.mail = &good;
	request.url = "http://localhost";
	assert_int_equal(fetch_start(world.fetcher, &request, NULL), -EINVAL);
	request.mail = NULL;
	request.url = "smtp://localhost";
	assert_int_equal(fetch_start(world.fetcher, &request, NULL), -EINVAL);
	take_down(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_mail_is_taken_as_it_is),
		cmocka_unit_test(a_password_goes_through_tls_alone),
		cmocka_unit_test(a_relay_that_nobody_vouches_for_gets_no_mail),
		cmocka_unit_test(what_a_relay_refuses_is_an_error),
		cmocka_unit_test(a_password_that_is_refused_is_an_error),
		cmocka_unit_test(what_is_no_mail_is_refused_at_once),
	};

	return cmocka_run_group_tests(tests, prepare, remove_dir);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <malloc.h>

#include "http/conn.h"

static size_t feed(struct conn *conn, enum http_side side, uint64_t offset, const char *bytes,
		   size_t len)
{
	struct http_piece piece;
	size_t pieces = 0;

	conn_feed(conn, side, offset, (const uint8_t *)bytes, len);
	while (conn_next(conn, &piece))
		pieces++;
	return pieces;
}

static void expect_first(enum http_side side, const char *bytes, size_t len,
			 enum conn_protocol protocol)
{
	for (size_t cut = 0; cut < len; cut++) {
		struct conn *conn = conn_new(true);

		feed(conn, side, 0, bytes, cut);
		feed(conn, side, cut, bytes + cut, len - cut);
		assert_int_equal(conn_protocol(conn), protocol);
		conn_free(conn);
	}
}

static void the_first_bytes_tell_the_protocol(void **state)
{
	expect_first(HTTP_REQUEST, "POST /v1/messages HTTP/1.1\r\n", 28, CONN_HTTP1);
	expect_first(HTTP_REQUEST, "\r\n\n\r\nPOST /v1/messages HTTP/1.1\r\n", 33, CONN_HTTP1);
	expect_first(HTTP_REQUEST, "\r\nPRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 26, CONN_HTTP2);
	expect_first(HTTP_RESPONSE, "\r\nHTTP/1.1 200 OK\r\n", 19, CONN_OTHER);
	expect_first(HTTP_REQUEST, "PROPFIND / HTTP/1.1\r\n", 21, CONN_HTTP1);
	expect_first(HTTP_RESPONSE, "HTTP/1.1 408 Request Timeout\r\n", 30, CONN_HTTP1);
	expect_first(HTTP_REQUEST, "HTTP/1.1 200 OK\r\n", 17, CONN_SERVER);
	expect_first(HTTP_RESPONSE, "POST /v1/messages HTTP/1.1\r\n", 28, CONN_SERVER);
	expect_first(HTTP_RESPONSE, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 24, CONN_SERVER);
	expect_first(HTTP_REQUEST, "\x16\x03\x01\x02\x00", 5, CONN_OTHER);
	expect_first(HTTP_REQUEST, "ehlo there", 10, CONN_OTHER);
	expect_first(HTTP_REQUEST, "AVERYLONGWORDINCAPITALS", 23, CONN_OTHER);
	expect_first(HTTP_RESPONSE, "220 smtp", 8, CONN_OTHER);
	expect_first(HTTP_RESPONSE, "\0\0\x06\x01\0\0\0\0\0", 9, CONN_OTHER);
}

static void frames_in_the_middle_are_set_aside(void **state)
{
	struct conn *conn = conn_new(false);

	feed(conn, HTTP_RESPONSE, 0, "\0\0\3\0\1\0\0\0\5abc\0\0\0\0\1\0\0\0\5", 21);
	assert_int_equal(conn_protocol(conn), CONN_OTHER);
	conn_free(conn);
}

static void a_server_met_in_the_middle_is_known(void **state)
{
	struct conn *conn = conn_new(false);

	feed(conn, HTTP_REQUEST, 0, "tail of an answer", 17);
	assert_int_equal(conn_protocol(conn), CONN_UNKNOWN);
	feed(conn, HTTP_RESPONSE, 0, "POST /v1/messages HTTP/1.1\r\n\r\n", 30);
	assert_int_equal(conn_protocol(conn), CONN_SERVER);
	conn_free(conn);
}

/* A connection whose very start was lost is as one met in the middle. */
static void a_lost_start_waits(void **state)
{
	struct conn *conn = conn_new(true);
	struct conn_stats stats;

	assert_int_equal(feed(conn, HTTP_REQUEST, 100, "some body", 9), 0);
	assert_int_equal(conn_protocol(conn), CONN_UNKNOWN);
	assert_int_equal(feed(conn, HTTP_REQUEST, 109, "GET / HTTP/1.1\r\n\r\n", 18), 2);
	assert_int_equal(conn_protocol(conn), CONN_HTTP1);
	conn_stats(conn, &stats);
	assert_int_equal(stats.gaps, 1);
	assert_int_equal(stats.gap_bytes, 100);
	conn_free(conn);
}

static void bytes_fed_before_are_ignored(void **state)
{
	static const char request[] = "POST / HTTP/1.1\r\nContent-Length: 4\r\n\r\nabcd";
	struct conn *conn = conn_new(true);
	struct conn_stats stats;
	struct http_piece piece;

	assert_int_equal(feed(conn, HTTP_REQUEST, 0, request, 40), 2);
	assert_int_equal(feed(conn, HTTP_REQUEST, 0, request, 40), 0);
	conn_feed(conn, HTTP_REQUEST, 10, (const uint8_t *)request + 10, 32);
	assert_true(conn_next(conn, &piece));
	assert_int_equal(piece.len, 2);
	assert_memory_equal(piece.bytes, "cd", 2);
	assert_true(conn_next(conn, &piece));
	assert_int_equal(piece.type, HTTP_END);
	assert_true(piece.is_whole);
	assert_false(conn_next(conn, &piece));
	conn_stats(conn, &stats);
	assert_int_equal(stats.gaps, 0);
	conn_free(conn);
}

/* Both sides are held until one of them says what this is; requests come first. */
static void what_was_held_is_read_in_order(void **state)
{
	struct conn *conn = conn_new(true);
	struct http_piece piece;

	assert_int_equal(feed(conn, HTTP_RESPONSE, 0, "HTT", 3), 0);
	assert_int_equal(feed(conn, HTTP_REQUEST, 0, "GET", 3), 0);
	assert_int_equal(conn_protocol(conn), CONN_UNKNOWN);
	conn_feed(conn, HTTP_REQUEST, 3, (const uint8_t *)" / HTTP/1.1\r\n\r\n", 15);
	assert_true(conn_next(conn, &piece));
	assert_int_equal(piece.type, HTTP_HEAD);
	assert_string_equal(piece.head->method, "GET");
	assert_true(conn_next(conn, &piece));
	assert_false(conn_next(conn, &piece));
	conn_feed(conn, HTTP_RESPONSE, 3, (const uint8_t *)"P/1.1 204 No\r\n\r\n", 16);
	assert_true(conn_next(conn, &piece));
	assert_int_equal(piece.head->status, 204);
	assert_int_equal(piece.exchange, 1);
	conn_free(conn);
}

static void a_body_in_one_piece_is_not_copied(void **state)
{
	static const char request[] = "POST / HTTP/1.1\r\nContent-Length: 4\r\n\r\nabcd";
	struct conn *conn = conn_new(true);
	struct http_piece piece;

	conn_feed(conn, HTTP_REQUEST, 0, (const uint8_t *)request, strlen(request));
	assert_true(conn_next(conn, &piece));
	assert_true(conn_next(conn, &piece));
	assert_ptr_equal(piece.bytes, (const uint8_t *)request + strlen(request) - 4);
	conn_free(conn);
}

static void what_was_lost_at_the_tail_is_known(void **state)
{
	struct conn *conn = conn_new(true);
	struct http_piece piece;

	feed(conn, HTTP_REQUEST, 0, "POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\nabc", 41);
	conn_end(conn, (uint64_t[]){ 43, 0 });
	assert_true(conn_next(conn, &piece));
	assert_int_equal(piece.lost_bytes, 2);
	assert_true(conn_next(conn, &piece));
	assert_int_equal(piece.type, HTTP_END);
	assert_int_equal(piece.wire_bytes, 5);
	assert_false(piece.is_whole);
	assert_false(conn_next(conn, &piece));
	conn_free(conn);
}

static const char exchange[] = "POST / HTTP/1.1\r\nContent-Length: 4\r\n\r\nabcd";
static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

static void expect_unread(const struct conn *conn, uint64_t out, uint64_t in)
{
	struct conn_stats stats;

	conn_stats(conn, &stats);
	assert_int_equal(stats.unread_bytes[HTTP_REQUEST], out);
	assert_int_equal(stats.unread_bytes[HTTP_RESPONSE], in);
}

/* What no message has is said to be unread, to the byte: it is charged by its size. */
static void what_is_passed_over_is_counted(void **state)
{
	struct conn *conn = conn_new(true);
	size_t out = strlen(exchange), in = strlen(answer);
	uint64_t at[2] = { out, in };

	feed(conn, HTTP_REQUEST, 0, exchange, out);
	feed(conn, HTTP_RESPONSE, 0, answer, in);
	expect_unread(conn, 0, 0);
	/* Two exchanges that nobody caught, between messages. */
	at[HTTP_REQUEST] += 2 * out;
	at[HTTP_RESPONSE] += 2 * in;
	feed(conn, HTTP_REQUEST, at[HTTP_REQUEST], exchange, out);
	feed(conn, HTTP_RESPONSE, at[HTTP_RESPONSE], answer, in);
	expect_unread(conn, 2 * out, 2 * in);
	/* Bytes inside a body of known length are the message's own. */
	at[HTTP_REQUEST] += out;
	at[HTTP_RESPONSE] += in;
	feed(conn, HTTP_REQUEST, at[HTTP_REQUEST], exchange, out - 4);
	feed(conn, HTTP_REQUEST, at[HTTP_REQUEST] + out - 1, "d", 1);
	expect_unread(conn, 2 * out, 2 * in);
	/* At the end: the rest of a head, and what follows it. */
	feed(conn, HTTP_RESPONSE, at[HTTP_RESPONSE], answer, 10);
	conn_end(conn, (uint64_t[]){ at[HTTP_REQUEST] + out, at[HTTP_RESPONSE] + in });
	expect_unread(conn, 2 * out, 2 * in + in - 10);
	conn_free(conn);
}

static void what_follows_an_upgrade_is_unread(void **state)
{
	static const char request[] = "GET /chat HTTP/1.1\r\nUpgrade: other\r\n"
				      "Connection: Upgrade\r\n\r\n";
	static const char switching[] = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: other\r\n"
					"Connection: Upgrade\r\n\r\n";
	struct conn *conn = conn_new(true);
	struct conn_stats stats;

	feed(conn, HTTP_REQUEST, 0, request, strlen(request));
	feed(conn, HTTP_RESPONSE, 0, switching, strlen(switching));
	feed(conn, HTTP_REQUEST, strlen(request), "\x81\x85zzzzhello", 11);
	feed(conn, HTTP_RESPONSE, strlen(switching), "\x81\x05hello", 7);
	expect_unread(conn, 11, 7);
	feed(conn, HTTP_RESPONSE, strlen(switching) + 107, "\x81\x05hello", 7); /* 100 were lost */
	conn_end(conn, (uint64_t[]){ strlen(request) + 1011, strlen(switching) + 114 });
	expect_unread(conn, 1011, 114);
	conn_stats(conn, &stats);
	assert_true(stats.is_upgraded);
	conn_free(conn);
}

static void what_is_never_understood_is_unread(void **state)
{
	struct conn *conn = conn_new(false);

	/* Frames met in the middle: their table of headers is unknown. */
	feed(conn, HTTP_RESPONSE, 0, "\0\0\3\0\1\0\0\0\5abc\0\0\0\0\1\0\0\0\5", 21);
	feed(conn, HTTP_REQUEST, 0, "\0\0\3\0\1\0\0\0\7abc", 12);
	conn_end(conn, (uint64_t[]){ 500, 600 });
	expect_unread(conn, 500, 600);
	conn_free(conn);

	/* HTTP/2 whose request is torn inside its head. */
	conn = conn_new(true);
	feed(conn, HTTP_REQUEST, 0, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\x20\1\5\0\0\0\1\x82", 34);
	expect_unread(conn, 0, 0);
	feed(conn, HTTP_REQUEST, 134, "1234567890", 10);
	feed(conn, HTTP_RESPONSE, 0, "1234567890", 10);
	expect_unread(conn, 110, 10);
	conn_free(conn);
}

/* Ten thousand idle connections must fit in 40 MB. */
static void an_idle_connection_is_small(void **state)
{
	static const char small[] = "POST / HTTP/1.1\r\nContent-Length: 1\r\n\r\na";
	static const char zipped[] =
		"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 1\r\n\r\n\x1f";
	size_t before = mallinfo2().uordblks, after;
	struct conn *conns[100];

	for (size_t i = 0; i < ARRAY_SIZE(conns); i++) {
		conns[i] = conn_new(true);
		assert_int_equal(feed(conns[i], HTTP_REQUEST, 0, small, strlen(small)), 3);
		feed(conns[i], HTTP_RESPONSE, 0, zipped, sizeof(zipped) - 1);
	}
	after = mallinfo2().uordblks;
	/* under a sanitizer, whose allocator tells nothing, both are 0 */
	assert_true((after - before) / ARRAY_SIZE(conns) < 4096);
	for (size_t i = 0; i < ARRAY_SIZE(conns); i++)
		conn_free(conns[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_bytes_tell_the_protocol),
		cmocka_unit_test(frames_in_the_middle_are_set_aside),
		cmocka_unit_test(a_server_met_in_the_middle_is_known),
		cmocka_unit_test(a_lost_start_waits),
		cmocka_unit_test(bytes_fed_before_are_ignored),
		cmocka_unit_test(what_was_held_is_read_in_order),
		cmocka_unit_test(a_body_in_one_piece_is_not_copied),
		cmocka_unit_test(what_was_lost_at_the_tail_is_known),
		cmocka_unit_test(what_is_passed_over_is_counted),
		cmocka_unit_test(what_follows_an_upgrade_is_unread),
		cmocka_unit_test(what_is_never_understood_is_unread),
		cmocka_unit_test(an_idle_connection_is_small),
	};

	return cmocka_run_group_tests_name("conn", tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP/1 through struct conn, as the pipeline uses it. */
#include "script.h"

/* A line of a conversation: what one side wrote, or a gap of so many bytes. */
struct step {
	enum http_side side;
	const char *bytes;
	size_t lost;
};
#define OUT(text)                     \
	{                             \
		HTTP_REQUEST, text, 0 \
	}
#define IN(text)                       \
	{                              \
		HTTP_RESPONSE, text, 0 \
	}
#define LOST_OUT(n)                   \
	{                             \
		HTTP_REQUEST, NULL, n \
	}
#define LOST_IN(n)                     \
	{                              \
		HTTP_RESPONSE, NULL, n \
	}
#define END_STEP           \
	{                  \
		0, NULL, 0 \
	}

static void feed(struct conn *conn, const struct step *step, uint64_t offsets[2], size_t from,
		 size_t to, struct script *script)
{
	size_t n = to - from;
	_cleanup_free_ uint8_t *copy = malloc(n ? n : 1);

	memcpy(copy, step->bytes + from, n);
	conn_feed(conn, step->side, offsets[step->side], copy, n);
	pull(conn, script);
	offsets[step->side] += n;
}

/* Steps are cut at the n-th byte of the whole conversation; piece: each piece this long. */
static enum conn_protocol talk(const struct step *steps, bool from_start, size_t cut, size_t piece,
			       struct script *script)
{
	struct conn *conn = conn_new(from_start);
	uint64_t offsets[2] = { 0, 0 };
	size_t at = 0;
	enum conn_protocol protocol;

	memset(script, 0, sizeof(*script));
	for (; steps->bytes || steps->lost; steps++) {
		size_t len = steps->bytes ? strlen(steps->bytes) : 0;

		if (!steps->bytes) {
			offsets[steps->side] += steps->lost;
			continue;
		}
		for (size_t from = 0, to; from < len; from = to) {
			to = from + piece < len ? from + piece : len;
			if (cut > at + from && cut < at + to)
				to = cut - at;
			feed(conn, steps, offsets, from, to, script);
		}
		at += len;
	}
	conn_end(conn, offsets);
	pull(conn, script);
	protocol = conn_protocol(conn);
	conn_free(conn);
	assert_int_equal(script->got[0], script->wire[0]);
	assert_int_equal(script->got[1], script->wire[1]);
	return protocol;
}

static void expect_as(const struct step *steps, const char *expected, enum conn_protocol protocol)
{
	struct script script;
	size_t len = 0;

	for (const struct step *s = steps; s->bytes || s->lost; s++)
		len += s->bytes ? strlen(s->bytes) : 0;
	for (size_t cut = 0; cut < len; cut++) {
		assert_int_equal(talk(steps, true, cut, SIZE_MAX / 2, &script), protocol);
		assert_string_equal(script.text, expected);
	}
	talk(steps, true, 0, 1, &script);
	assert_string_equal(script.text, expected);
}

static void expect(const struct step *steps, const char *expected)
{
	expect_as(steps, expected, CONN_HTTP1);
}

/* Where pieces begin matters: only as given. */
static void expect_uncut(const struct step *steps, bool from_start, const char *expected)
{
	struct script script;

	talk(steps, from_start, 0, SIZE_MAX / 2, &script);
	assert_string_equal(script.text, expected);
}

static void a_request_and_its_answer(void **state)
{
	expect(
		(struct step[]){
			OUT("POST /v1/messages?beta=true HTTP/1.1\r\nHost: API.anthropic.com:443\r\n"
			    "anthropic-version: 2023-06-01\r\nContent-Length: 4\r\n\r\n{\"a\""),
			IN("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 3\r\n"
			   "x-litellm-response-cost: 0.0012\r\n\r\nabc"),
			END_STEP },
		">1 POST api.anthropic.com /v1/messages av\n>1 \"{\"a\"\"\n>1 end 4\n"
		"<1 200 $0.0012\n<1 \"abc\"\n<1 end 3\n");
}

static void keep_alive_and_pipelining_pair_in_order(void **state)
{
	expect(
		(struct step[]){
			OUT("GET /a HTTP/1.1\r\nHost: h\r\n\r\nPOST /b HTTP/1.1\r\nContent-Length: 2\r\n\r\nxy"),
			IN("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
			   "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nb"),
			OUT("GET /c HTTP/1.1\r\n\r\n"),
			IN("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nc\r\n0\r\n\r\n"),
			END_STEP },
		">1 GET h /a\n>1 end 0\n>2 POST  /b\n>2 \"xy\"\n>2 end 2\n"
		"<1 404\n<1 end 0\n<2 200\n<2 \"b\"\n<2 end 1\n"
		">3 GET  /c\n>3 end 0\n<3 200\n<3 \"c\"\n<3 end 1\n");
}

static void chunks_trailers_and_extensions(void **state)
{
	expect(
		(struct step[]){
			OUT("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
			    "3;ext=\"v\"\r\nabc\r\nA\r\n0123456789\r\n0\r\nX-T: 1\r\nHost: evil\r\n\r\n"),
			IN("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
			END_STEP },
		">1 POST  /\n>1 \"abc0123456789\"\n>1 end 13\n<1 200\n<1 end 0\n");
}

static void interim_answers_are_skipped(void **state)
{
	expect(
		(struct step[]){
			OUT("POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"),
			IN("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"),
			OUT("ab"), IN("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nc"), END_STEP },
		">1 POST  /\n>1 \"ab\"\n>1 end 2\n<1 200\n<1 \"c\"\n<1 end 1\n");
}

static void answers_without_body(void **state)
{
	expect(
		(struct step[]){
			OUT("HEAD / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\n"
			    "GET / HTTP/1.1\r\n\r\n"),
			IN("HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n"
			   "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n"
			   "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx"),
			END_STEP },
		">1 HEAD  /\n>1 end 0\n>2 GET  /\n>2 end 0\n>3 GET  /\n>3 end 0\n>4 GET  /\n"
		">4 end 0\n<1 200\n<1 end 0\n<2 204\n<2 end 0\n<3 304\n<3 end 0\n"
		"<4 200\n<4 \"x\"\n<4 end 1\n");
}

static void an_answer_may_end_with_the_connection(void **state)
{
	expect((struct step[]){ OUT("GET / HTTP/1.0\r\n\r\n"), IN("HTTP/1.0 200 OK\r\n\r\nabc"),
				END_STEP },
	       ">1 GET  /\n>1 end 0\n<1 200\n<1 \"abc\"\n<1 end 3\n");
}

static void an_early_close_cuts_both(void **state)
{
	expect((struct step[]){ OUT("POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\nabc"),
				IN("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab"),
				LOST_OUT(2), END_STEP },
	       ">1 POST  /\n>1 \"abc\"\n<1 200\n<1 \"ab\"\n>1 \"[2]\"\n>1 end 5 cut\n<1 end 2 cut\n");
}

static void an_answer_may_come_before_the_request_ends(void **state)
{
	expect((struct step[]){ OUT("POST / HTTP/1.1\r\nContent-Length: 6\r\n\r\nabc"),
				IN("HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno"),
				OUT("def"), END_STEP },
	       ">1 POST  /\n>1 \"abc\"\n<1 413\n<1 \"no\"\n<1 end 2\n>1 \"def\"\n>1 end 6\n");
}

static void an_upgrade_ends_http(void **state)
{
	expect_as((struct step[]){ OUT("GET /chat HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\n"
				       "Upgrade: other\r\n\r\n"),
				   IN("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n"
				      "Upgrade: other\r\n\r\n\x81\x02hi"),
				   OUT("GET / HTTP/1.1\r\n\r\n"), END_STEP },
		  ">1 GET h /chat\n>1 end 0\n<1 101 upgrade\n<1 end 0\n", CONN_OTHER);
}

/* Both sides go on with frames, whatever these look like. */
static void a_websocket_is_two_bodies_without_end(void **state)
{
	expect((struct step[]){ OUT("GET /v1/realtime HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\n"
				    "Upgrade: websocket\r\n\r\n"),
				IN("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n"
				   "Upgrade: websocket\r\n\r\n\x81\x02hi"),
				OUT("GET / HTTP/1.1\r\n\r\n"), END_STEP },
	       ">1 GET h /v1/realtime\n>1 end 0\n<1 101 upgrade\n<1 \"\x81\x02hi\"\n"
	       ">1 \"GET / HTTP/1.1\r\n\r\n\"\n>1 end 18\n<1 end 4\n");
}

static void an_upgrade_that_is_not_taken_changes_nothing(void **state)
{
	expect((struct step[]){ OUT("POST / HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n"
				    "Content-Length: 1\r\n\r\nx"),
				IN("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\ny"),
				OUT("GET /n HTTP/1.1\r\n\r\n"), END_STEP },
	       ">1 POST  /\n>1 \"x\"\n>1 end 1\n<1 200\n<1 \"y\"\n<1 end 1\n>2 GET  /n\n>2 end 0\n");
}

static void connect_tunnels_once_it_is_accepted(void **state)
{
	expect_as(
		(struct step[]){
			OUT("CONNECT api.openai.com:443 HTTP/1.1\r\nHost: x\r\n\r\n"),
			IN("HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 2\r\n\r\nno"),
			OUT("CONNECT api.openai.com:443 HTTP/1.1\r\n\r\n"),
			IN("HTTP/1.1 200 OK\r\n\r\n\x16\x03\x01"), OUT("\x16\x03\x01"), END_STEP },
		">1 CONNECT api.openai.com  upgrade\n>1 end 0\n<1 407\n<1 \"no\"\n<1 end 2\n"
		">2 CONNECT api.openai.com  upgrade\n>2 end 0\n<2 200 upgrade\n<2 end 0\n",
		CONN_OTHER);
}

static void targets_in_their_other_forms(void **state)
{
	expect(
		(struct step[]){
			OUT("POST http://u@API.x.com:80/v1/a?q HTTP/1.1\r\nHost: other\r\n\r\n"
			    "OPTIONS * HTTP/1.1\r\nHost: [::1]:8080\r\n\r\nGET HTTPS://y?z HTTP/1.1\r\n\r\n"),
			END_STEP },
		">1 POST api.x.com /v1/a\n>1 end 0\n>2 OPTIONS [::1] *\n>2 end 0\n"
		">3 GET y \n>3 end 0\n");
}

static void line_ends_before_a_request_are_passed_over(void **state)
{
	expect((struct step[]){ OUT("\r\n\r\n\nPOST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nxy"
				    "\r\n\r\nGET /b HTTP/1.1\r\nHost: h\r\n\r\n\r\n"
				    "GET /c HTTP/1.1\r\nHost: h\r\n\r\n"),
				END_STEP },
	       ">1 POST h /a\n>1 \"xy\"\n>1 end 2\n>2 GET h /b\n>2 end 0\n>3 GET h /c\n>3 end 0\n");
}

static void a_path_is_read_in_every_way_to_write_it(void **state)
{
	expect((struct step[]){ OUT("GET //a/./b//c HTTP/1.1\r\nHost: h\r\n\r\n"
				    "GET /x/../a/b/y/z/../../c HTTP/1.1\r\nHost: h\r\n\r\n"
				    "GET /../..//%61/%62/%63 HTTP/1.1\r\nHost: h\r\n\r\n"
				    "GET /a%2Fb/%2e%2E/c%3a%zz/ HTTP/1.1\r\nHost: h\r\n\r\n"
				    "GET /a/.. HTTP/1.1\r\nHost: h\r\n\r\n"
				    "GET /a/... HTTP/1.1\r\nHost: h\r\n\r\n"),
				END_STEP },
	       ">1 GET h /a/b/c\n>1 end 0\n>2 GET h /a/b/c\n>2 end 0\n>3 GET h /a/b/c\n>3 end 0\n"
	       ">4 GET h /c%3a%zz/\n>4 end 0\n>5 GET h /\n>5 end 0\n>6 GET h /a/...\n>6 end 0\n");
}

static void a_long_way_to_write_a_short_path(void **state)
{
	static char request[8192] = "GET ";
	struct step steps[] = { OUT(request), END_STEP };
	struct script script;

	for (int i = 0; i < 3000; i++)
		strcat(request, "/.");
	strcat(request, "/a HTTP/1.1\r\nHost: h\r\n\r\n");
	talk(steps, true, 100, SIZE_MAX / 2, &script);
	assert_string_equal(script.text, ">1 GET h /a\n>1 end 0\n");
}

/* Its beginning was not seen to be that, but the client speaks first, and says a request. */
static void a_connection_that_may_be_older_begins_with_a_request(void **state)
{
	static const struct step steps[] = {
		OUT("\r\nPOST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nxy"),
		IN("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab"),
		OUT("GET /b HTTP/1.1\r\nHost: h\r\n\r\n"), IN("HTTP/1.1 204 X\r\n\r\n"), END_STEP
	};
	static const char text[] = ">1 POST h /a\n>1 \"xy\"\n>1 end 2\n<1 200\n<1 \"ab\"\n<1 end 2\n"
				   ">2 GET h /b\n>2 end 0\n<2 204\n<2 end 0\n";
	struct script script;

	for (size_t cut = 0; cut < 60; cut++) {
		talk(steps, false, cut, SIZE_MAX / 2, &script);
		assert_string_equal(script.text, text);
	}
	talk(steps, false, 0, 1, &script);
	assert_string_equal(script.text, text);
}

static void long_paths_and_values_are_cut(void **state)
{
	char request[4096] = "GET /";
	struct step steps[] = { OUT(request), END_STEP };
	struct script script;

	memset(request + 5, 'p', 1000);
	strcpy(request + 1005, "?q HTTP/1.1\r\nx-");
	memset(request + strlen(request), 'n', 500);
	strcat(request, ": v\r\nContent-Type: ");
	memset(request + strlen(request), 't', 1000);
	strcat(request, "\r\nHost: h\r\n\r\n");
	for (size_t cut = 0; cut < strlen(request); cut += 7) {
		talk(steps, true, cut, SIZE_MAX / 2, &script);
		assert_memory_equal(script.text, ">1 GET h /ppp", 13);
		assert_non_null(strstr(script.text, "p cut\n>1 end 0\n"));
	}
}

static void a_gap_in_a_counted_body_is_only_lost_bytes(void **state)
{
	expect((struct step[]){ OUT("POST / HTTP/1.1\r\nContent-Length: 10\r\n\r\nabc"), LOST_OUT(4),
				OUT("hij"), IN("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n"),
				LOST_IN(3), OUT("GET /n HTTP/1.1\r\n\r\n"),
				IN("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx"), END_STEP },
	       ">1 POST  /\n>1 \"abc[4]hij\"\n>1 end 10\n<1 200\n>2 GET  /n\n>2 end 0\n"
	       "<1 \"[3]\"\n<1 end 3\n<2 200\n<2 \"x\"\n<2 end 1\n");
}

static void a_gap_beyond_the_body_waits_for_a_start(void **state)
{
	expect_uncut(
		(struct step[]){ OUT("POST /a HTTP/1.1\r\nContent-Length: 4\r\n\r\nab"),
				 LOST_OUT(50), OUT("not a start"),
				 OUT("POST /c HTTP/1.1\r\nContent-Length: 1\r\n\r\nc"), END_STEP },
		true, ">1 POST  /a\n>1 \"ab[2]\"\n>1 end 4\n>2 POST  /c\n>2 \"c\"\n>2 end 1\n");
}

static void a_gap_in_chunks_ends_at_the_next_start(void **state)
{
	expect_uncut(
		(struct step[]){ OUT("GET /a HTTP/1.1\r\n\r\n"),
				 IN("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab"),
				 LOST_IN(7), IN("zzzz"), OUT("GET /b HTTP/1.1\r\n\r\n"),
				 IN("HTTP/1.1 201 OK\r\nContent-Length: 1\r\n\r\nx"), END_STEP },
		true,
		">1 GET  /a\n>1 end 0\n<1 200\n<1 \"ab[7][4]\"\n>2 GET  /b\n>2 end 0\n"
		"<1 end 13 cut\n<2 201\n<2 \"x\"\n<2 end 1\n");
}

static void blanks_behind_a_chunks_size_are_stepped_over(void **state)
{
	expect((struct step[]){ OUT("GET /c HTTP/1.1\r\n\r\n"),
				IN("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5 \r\nhello\r\n"
				   "10  \t\r\n, and some more.\r\n1\r\n!\r\n0 \r\n\r\n"),
				END_STEP },
	       ">1 GET  /c\n>1 end 0\n<1 200\n<1 \"hello, and some more.!\"\n<1 end 22\n");
}

/* As streams are written: a chunk an event, a record a chunk. The usage is in the last ones. */
static void a_gap_in_chunks_ends_at_the_next_chunk(void **state)
{
	expect_uncut(
		(struct step[]){
			OUT("GET /a HTTP/1.1\r\n\r\n"),
			IN("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n"),
			LOST_IN(8), IN("de\r\n"), IN("a\r\n0123456789\r\n"), IN("5\r\nusa"),
			IN("ge\r\n0\r\n\r\n"), OUT("GET /b HTTP/1.1\r\n\r\n"),
			IN("HTTP/1.1 204 OK\r\n\r\n"), END_STEP },
		true,
		">1 GET  /a\n>1 end 0\n<1 200\n<1 \"one[8][4]0123456789usage\"\n<1 end 30 cut\n"
		">2 GET  /b\n>2 end 0\n<2 204\n<2 end 0\n");
	expect_uncut(
		(struct step[]){
			OUT("POST /a HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n"),
			LOST_OUT(8), OUT("3\r\ntwo\r\n"), LOST_OUT(1), OUT("3\r\nabcde"),
			OUT("0\r\n\r\n"), END_STEP },
		true, ">1 POST  /a\n>1 \"one[8]two[1][8]\"\n>1 end 23 cut\n");
}

static void a_gap_in_chunks_ends_with_the_last_chunk(void **state)
{
	expect_uncut(
		(struct step[]){ OUT("GET /a HTTP/1.1\r\n\r\n"),
				 IN("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab"),
				 LOST_IN(7), IN("z\r\n0\r\n\r\n"), END_STEP },
		true, ">1 GET  /a\n>1 end 0\n<1 200\n<1 \"ab[7][8]\"\n<1 end 17 cut\n");
}

static void a_lost_answer_head_does_not_shift_the_pairing(void **state)
{
	expect_uncut(
		(struct step[]){ OUT("GET /a HTTP/1.1\r\n\r\n"), LOST_IN(40),
				 OUT("GET /b HTTP/1.1\r\n\r\n"),
				 IN("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nb"), END_STEP },
		true, ">1 GET  /a\n>1 end 0\n>2 GET  /b\n>2 end 0\n<2 200\n<2 \"b\"\n<2 end 1\n");
}

static void a_lost_request_does_not_shift_the_pairing(void **state)
{
	expect_uncut(
		(struct step[]){ OUT("GET /a HTTP/1.1\r\n\r\n"),
				 IN("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), LOST_OUT(40),
				 IN("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
				 OUT("GET /c HTTP/1.1\r\n\r\n"),
				 IN("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), END_STEP },
		true,
		">1 GET  /a\n>1 end 0\n<1 200\n<1 end 0\n<2 200\n<2 end 0\n"
		">3 GET  /c\n>3 end 0\n<3 200\n<3 end 0\n");
}

static void a_connection_met_in_the_middle_waits(void **state)
{
	expect_uncut((struct step[]){ IN("rest of a body"), OUT("more of one"),
				      OUT("POST /a HTTP/1.1\r\n\r\n"),
				      IN("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx"), END_STEP },
		     false, ">1 POST  /a\n>1 end 0\n<1 200\n<1 \"x\"\n<1 end 1\n");
}

static void nonsense_is_left_until_the_next_start(void **state)
{
	expect_uncut(
		(struct step[]){
			OUT("GET /a HTTP/1.1\r\n\r\n"),
			IN("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\nnot hex\r\n"),
			OUT("GET /b HTTP/1.1\r\n\r\n"), IN("HTTP/1.1 204 OK\r\n\r\n"), END_STEP },
		true,
		">1 GET  /a\n>1 end 0\n<1 200\n<1 \"x[9]\"\n>2 GET  /b\n>2 end 0\n"
		"<1 end 10 cut\n<2 204\n<2 end 0\n");
}

static void an_endless_head_is_given_up(void **state)
{
	struct conn *conn = conn_new(true);
	struct conn_stats stats;
	struct http_piece piece;
	uint64_t offset = 16;

	conn_feed(conn, HTTP_REQUEST, 0, (const uint8_t *)"GET / HTTP/1.1\r\n", 16);
	while (conn_next(conn, &piece))
		fail();
	for (int i = 0; i < 20000; i++, offset += 16) {
		conn_feed(conn, HTTP_REQUEST, offset, (const uint8_t *)"x-y: 0123456789\n", 16);
		while (conn_next(conn, &piece))
			fail();
	}
	conn_stats(conn, &stats);
	assert_int_equal(stats.resyncs, 1);
	conn_free(conn);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_request_and_its_answer),
		cmocka_unit_test(keep_alive_and_pipelining_pair_in_order),
		cmocka_unit_test(chunks_trailers_and_extensions),
		cmocka_unit_test(interim_answers_are_skipped),
		cmocka_unit_test(answers_without_body),
		cmocka_unit_test(an_answer_may_end_with_the_connection),
		cmocka_unit_test(an_early_close_cuts_both),
		cmocka_unit_test(an_answer_may_come_before_the_request_ends),
		cmocka_unit_test(an_upgrade_ends_http),
		cmocka_unit_test(a_websocket_is_two_bodies_without_end),
		cmocka_unit_test(an_upgrade_that_is_not_taken_changes_nothing),
		cmocka_unit_test(connect_tunnels_once_it_is_accepted),
		cmocka_unit_test(targets_in_their_other_forms),
		cmocka_unit_test(line_ends_before_a_request_are_passed_over),
		cmocka_unit_test(a_path_is_read_in_every_way_to_write_it),
		cmocka_unit_test(a_long_way_to_write_a_short_path),
		cmocka_unit_test(a_connection_that_may_be_older_begins_with_a_request),
		cmocka_unit_test(long_paths_and_values_are_cut),
		cmocka_unit_test(a_gap_in_a_counted_body_is_only_lost_bytes),
		cmocka_unit_test(a_gap_beyond_the_body_waits_for_a_start),
		cmocka_unit_test(a_gap_in_chunks_ends_at_the_next_start),
		cmocka_unit_test(blanks_behind_a_chunks_size_are_stepped_over),
		cmocka_unit_test(a_gap_in_chunks_ends_at_the_next_chunk),
		cmocka_unit_test(a_gap_in_chunks_ends_with_the_last_chunk),
		cmocka_unit_test(a_lost_answer_head_does_not_shift_the_pairing),
		cmocka_unit_test(a_lost_request_does_not_shift_the_pairing),
		cmocka_unit_test(a_connection_met_in_the_middle_waits),
		cmocka_unit_test(nonsense_is_left_until_the_next_start),
		cmocka_unit_test(an_endless_head_is_given_up),
	};

	return cmocka_run_group_tests_name("http1", tests, NULL, NULL);
}

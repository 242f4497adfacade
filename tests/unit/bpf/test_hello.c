/* SPDX-License-Identifier: Apache-2.0 */
/*
 * include/hello.h over hellos of real clients (tests/fuzz/corpus/hello: curl 7.88, OpenSSL 3.0 s_client,
 * Python 3, Node, wget, Java 17, recorded on loopback) and over built ones: post-quantum sizes,
 * GREASE, ECH, several records.
 */
#include "unit.h"

static int hello_load(const void *from, uint32_t at, void *to, uint32_t n);
#include "hello.h"

struct bytes {
	uint32_t len;
	uint8_t data[32768];
};

static int hello_load(const void *from, uint32_t at, void *to, uint32_t n)
{
	const struct bytes *b = from;

	assert_true(n > 0 && at + n <= b->len);
	memcpy(to, b->data + at, n);
	return 0;
}

static void put(struct bytes *b, const void *data, uint32_t n)
{
	assert_true(b->len + n <= sizeof(b->data));
	memcpy(b->data + b->len, data, n);
	b->len += n;
}

static void put_number(struct bytes *b, uint32_t bytes, uint32_t value)
{
	while (bytes--) {
		uint8_t byte = value >> (8 * bytes);

		put(b, &byte, 1);
	}
}

static void put_extension(struct bytes *b, uint16_t type, uint32_t len)
{
	static const uint8_t zeroes[16384];

	put_number(b, 2, type);
	put_number(b, 2, len);
	put(b, zeroes, len);
}

static void put_sni(struct bytes *b, const char *name)
{
	uint32_t len = strlen(name);

	put_number(b, 2, 0);
	put_number(b, 2, len + 5);
	put_number(b, 2, len + 3);
	put_number(b, 1, 0);
	put_number(b, 2, len);
	put(b, name, len);
}

/* A handshake message around extensions, in records of at most record_max bytes. */
static void wrap(struct bytes *ret, const struct bytes *extensions, uint32_t session,
		 uint32_t record_max)
{
	static struct bytes m;
	uint8_t filler[64] = { 0x5a };

	m.len = ret->len = 0;
	put_number(&m, 1, 1);
	put_number(&m, 3, 2 + 32 + 1 + session + 2 + 4 + 2 + 2 + extensions->len);
	put_number(&m, 2, 0x0303);
	put(&m, filler, 32);
	put_number(&m, 1, session);
	put(&m, filler, session);
	put_number(&m, 2, 4);
	put_number(&m, 4, 0x0a0a1301);
	put_number(&m, 2, 0x0100);
	put_number(&m, 2, extensions->len);
	put(&m, extensions->data, extensions->len);
	for (uint32_t at = 0, n; at < m.len; at += n) {
		n = m.len - at < record_max ? m.len - at : record_max;
		put_number(ret, 3, 0x160301);
		put_number(ret, 2, n);
		put(ret, m.data + at, n);
	}
}

static enum hello_result feed_whole(struct hello *h, const struct bytes *b)
{
	memset(h, 0, sizeof(*h));
	return hello_feed(h, b, 0, b->len);
}

static enum hello_result feed_split(struct hello *h, const struct bytes *b, uint32_t at)
{
	enum hello_result result;

	memset(h, 0, sizeof(*h));
	result = hello_feed(h, b, 0, at);
	return result == HELLO_MORE ? hello_feed(h, b, at, b->len) : result;
}

static enum hello_result feed_bytes(struct hello *h, const struct bytes *b)
{
	enum hello_result result = HELLO_MORE;

	memset(h, 0, sizeof(*h));
	for (uint32_t at = 0; at < b->len && result == HELLO_MORE; at++)
		result = hello_feed(h, b, at, at + 1);
	return result;
}

static void expect(const struct hello *h, enum hello_result result, enum hello_result wanted,
		   const char *name)
{
	assert_int_equal(result, wanted);
	if (wanted == HELLO_NAME) {
		assert_int_equal(h->name_len, strlen(name));
		assert_memory_equal(h->name, name, h->name_len);
	}
}

/* The same answer however the bytes are cut; and no answer before the name is there. */
static void expect_all_ways(const struct bytes *b, enum hello_result wanted, const char *name)
{
	struct hello h;

	expect(&h, feed_whole(&h, b), wanted, name);
	expect(&h, feed_bytes(&h, b), wanted, name);
	for (uint32_t at = 1; at < b->len; at++)
		expect(&h, feed_split(&h, b, at), wanted, name);
}

static void load_file(struct bytes *b, const char *name)
{
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "tests/fuzz/corpus/hello/%s.bin", name);
	f = fopen(path, "r");
	if (!f)
		fail_msg("%s is missing (run from the source folder)", path);
	b->len = fread(b->data, 1, sizeof(b->data), f);
	fclose(f);
}

static void reads_what_real_clients_send(void **state)
{
	static const struct {
		const char *file, *name;
	} cases[] = {
		{ "curl", "api.anthropic.com" },    { "curl_tls12", "api.anthropic.com" },
		{ "curl_proxy", "api.openai.com" }, { "openssl", "api.anthropic.com" },
		{ "python", "api.anthropic.com" },  { "node", "api.anthropic.com" },
		{ "java", "api.anthropic.com" },    { "wget", "localhost" },
	};
	static struct bytes b;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		load_file(&b, cases[i].file);
		expect_all_ways(&b, HELLO_NAME, cases[i].name);
	}
	load_file(&b, "openssl_no_name");
	expect_all_ways(&b, HELLO_NONE, NULL);
}

static void finds_the_name_in_any_place(void **state)
{
	static struct bytes e, b;

	for (int place = 0; place < 20; place++) {
		e.len = 0;
		for (int i = 0; i < 20; i++) {
			if (i == place)
				put_sni(&e, "Api.OpenAI.com");
			put_extension(&e, i % 3 ? 0x0a0a + 0x1010 * i : 43 + i, i * 7 % 40);
		}
		wrap(&b, &e, place % 2 ? 32 : 0, 16384);
		expect_all_ways(&b, HELLO_NAME, "api.openai.com");
	}
}

static void follows_large_hellos_and_many_records(void **state)
{
	static const uint32_t record_max[] = { 16384, 1500, 700, 128 };
	static struct bytes e, b;
	struct hello h;

	e.len = 0;
	put_extension(&e, 51, 1258); /* X25519MLKEM768 and X25519 key shares */
	put_extension(&e, 0x2a2a, 1);
	put_sni(&e, "api.openai.com");
	put_extension(&e, 16, 14);
	for (size_t i = 0; i < sizeof(record_max) / sizeof(record_max[0]); i++) {
		wrap(&b, &e, 32, record_max[i]);
		expect_all_ways(&b, HELLO_NAME, "api.openai.com");
	}
	wrap(&b, &e, 32, 1);
	expect(&h, feed_bytes(&h, &b), HELLO_NAME, "api.openai.com");
	assert_int_equal(feed_whole(&h, &b), HELLO_BAD); /* more records than are followed */

	e.len = 0;
	put_extension(&e, 41, 16000); /* a ticket as large as a record */
	put_sni(&e, "api.openai.com");
	wrap(&b, &e, 32, 16384);
	expect(&h, feed_whole(&h, &b), HELLO_NAME, "api.openai.com");
}

static void sees_ech_in_the_same_bytes(void **state)
{
	static struct bytes e, b;
	struct hello h;

	e.len = 0;
	put_sni(&e, "cloudflare-ech.com");
	put_extension(&e, HELLO_EXT_ECH, 250);
	wrap(&b, &e, 32, 16384);
	expect_all_ways(&b, HELLO_NAME, "cloudflare-ech.com");
	feed_whole(&h, &b);
	assert_true(h.is_ech);
	load_file(&b, "curl");
	feed_whole(&h, &b);
	assert_false(h.is_ech);
}

static void takes_a_name_of_255_bytes_and_none_longer(void **state)
{
	static struct bytes e, b;
	char name[260];
	struct hello h;

	memset(name, 'a', sizeof(name));
	name[255] = 0;
	e.len = 0;
	put_sni(&e, name);
	wrap(&b, &e, 0, 16384);
	expect_all_ways(&b, HELLO_NAME, name);
	name[255] = 'a';
	name[256] = 0;
	e.len = 0;
	put_sni(&e, name);
	wrap(&b, &e, 0, 16384);
	assert_int_equal(feed_whole(&h, &b), HELLO_BAD);
}

static void waits_while_a_hello_is_cut_short(void **state)
{
	static struct bytes b;
	struct hello h;
	uint32_t whole;
	bool was_named = false;

	load_file(&b, "openssl");
	whole = b.len;
	for (b.len = 1; b.len <= whole; b.len++) {
		enum hello_result result = feed_whole(&h, &b);

		assert_true(result == HELLO_MORE || result == HELLO_NAME);
		assert_false(was_named && result == HELLO_MORE);
		was_named = result == HELLO_NAME;
	}
	assert_true(was_named);
}

static void turns_away_what_is_no_hello(void **state)
{
	static struct bytes b, e;
	struct hello h;

	b.len = 0;
	put(&b, "GET / HTTP/1.1\r\n", 16);
	assert_int_equal(feed_whole(&h, &b), HELLO_BAD);
	assert_false(hello_is_tls(b.data[0]));
	load_file(&b, "curl");
	b.data[5] = 2; /* a ServerHello */
	assert_int_equal(feed_whole(&h, &b), HELLO_NONE);

	e.len = 0;
	for (int i = 0; i < 2 * HELLO_EXTENSIONS; i++)
		put_extension(&e, 1000 + i, 0);
	put_sni(&e, "api.openai.com");
	wrap(&b, &e, 0, 16384);
	expect_all_ways(&b, HELLO_BAD, NULL);

	e.len = 0;
	put_sni(&e, "api.openai.com");
	wrap(&b, &e, 0, 16384);
	b.data[b.len - 14 - 1]++; /* the name says it is longer than its extension */
	expect_all_ways(&b, HELLO_BAD, NULL);
}

/* Nothing but the four answers, and hello_load() above asserts that nothing is read outside. */
static void survives_mutations(void **state)
{
	static const char *const files[] = { "curl", "java", "node", "openssl_no_name" };
	static struct bytes b;
	struct hello h;
	uint32_t random = 12345;

	for (int round = 0; round < 20000; round++) {
		if (round % 50 == 0)
			load_file(&b, files[round / 50 % 4]);
		random = random * 1664525 + 1013904223;
		b.data[random % b.len] = random >> 24;
		if (feed_split(&h, &b, 1 + (random >> 8) % (b.len - 1)) == HELLO_NAME)
			assert_in_range(h.name_len, 1, HELLO_NAME_MAX);
	}
}

static void reads_a_connect_request(void **state)
{
	static const struct {
		const char *text, *name;
	} cases[] = {
		{ "CONNECT API.openai.com:443 HTTP/1.1\r\nHost: x\r\n\r\n", "api.openai.com" },
		{ "CONNECT a:1 HTTP/1.1\r\n\r\n", "a" },
		{ "CONNECT api.openai.com HTTP/1.1\r\n\r\n", NULL },
		{ "CONNECT :443 HTTP/1.1\r\n\r\n", NULL },
		{ "CONNECTION api.openai.com:443", NULL },
		{ "POST / HTTP/1.1\r\n", NULL },
		{ "CONNECT a:1", NULL },
		{ "C", NULL },
	};
	static struct bytes b;
	struct hello h;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		enum hello_result wanted = cases[i].name ? HELLO_NAME : HELLO_NONE;

		b.len = 0;
		put(&b, cases[i].text, strlen(cases[i].text));
		memset(&h, 0, sizeof(h));
		expect(&h, hello_connect(&h, &b, 0, b.len), wanted, cases[i].name);
	}
	load_file(&b, "curl_proxy_request");
	memset(&h, 0, sizeof(h));
	expect(&h, hello_connect(&h, &b, 0, b.len), HELLO_NAME, "api.openai.com");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_what_real_clients_send),
		cmocka_unit_test(finds_the_name_in_any_place),
		cmocka_unit_test(follows_large_hellos_and_many_records),
		cmocka_unit_test(sees_ech_in_the_same_bytes),
		cmocka_unit_test(takes_a_name_of_255_bytes_and_none_longer),
		cmocka_unit_test(waits_while_a_hello_is_cut_short),
		cmocka_unit_test(turns_away_what_is_no_hello),
		cmocka_unit_test(survives_mutations),
		cmocka_unit_test(reads_a_connect_request),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

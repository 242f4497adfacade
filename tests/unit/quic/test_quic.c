/* SPDX-License-Identifier: Apache-2.0 */
/*
 * First datagrams of real clients (tests/fuzz/corpus/quic, each with its size before it: Debian's
 * ngtcp2 client with GnuTLS; Chromium 156, whose post-quantum hello takes two), and the keys of RFC
 * 9001 A.1 and RFC 9369 A.1.
 */
#include "unit.h"

#include "quic/greeting.h"
#include "quic/initial.h"

#define DATAGRAMS_MAX 4

struct datagrams {
	size_t n;
	size_t len[DATAGRAMS_MAX];
	uint8_t bytes[DATAGRAMS_MAX][4096];
};

static void load(struct datagrams *ret, const char *name)
{
	char path[128];
	uint8_t size[2];
	FILE *file;

	snprintf(path, sizeof(path), "tests/fuzz/corpus/quic/%s", name);
	file = fopen(path, "r");
	if (!file)
		fail_msg("%s is missing (run from the source folder)", path);
	ret->n = 0;
	while (ret->n < DATAGRAMS_MAX && fread(size, 1, 2, file) == 2) {
		ret->len[ret->n] = (size_t)(size[0] | size[1] << 8);
		assert_int_equal(fread(ret->bytes[ret->n], 1, ret->len[ret->n], file),
				 ret->len[ret->n]);
		ret->n++;
	}
	fclose(file);
}

static void reads_a_hello_in_one_datagram(void **state)
{
	static struct datagrams d;
	struct greeting *greeting = greeting_new();

	load(&d, "ngtcp2");
	assert_string_equal(greeting_name(greeting), "");
	assert_int_equal(greeting_feed(greeting, d.bytes[0], d.len[0]), GREETING_NAME);
	assert_string_equal(greeting_name(greeting), "api.anthropic.com");
	greeting_free(greeting);
}

/* In either order, and with repetitions. */
static void reads_a_hello_in_two_datagrams(void **state)
{
	static struct datagrams d;

	load(&d, "chromium");
	assert_int_equal(d.n, 2);
	for (int first = 0; first < 2; first++) {
		struct greeting *greeting = greeting_new();
		enum greeting_result result = GREETING_MORE;

		for (int i = 0; i < 4 && result == GREETING_MORE; i++)
			result = greeting_feed(greeting, d.bytes[(first + i / 2) % 2],
					       d.len[(first + i / 2) % 2]);
		assert_int_equal(result, GREETING_NAME);
		assert_string_equal(greeting_name(greeting), "api.openai.com");
		greeting_free(greeting);
	}
}

/* UDP's offload hands several over as one. */
static void reads_datagrams_that_are_joined(void **state)
{
	static struct datagrams d;
	static uint8_t joined[8192];
	struct greeting *greeting = greeting_new();

	load(&d, "chromium");
	memcpy(joined, d.bytes[0], d.len[0]);
	memcpy(joined + d.len[0], d.bytes[1], d.len[1]);
	assert_int_equal(greeting_feed(greeting, joined, d.len[0] + d.len[1]), GREETING_NAME);
	assert_string_equal(greeting_name(greeting), "api.openai.com");
	greeting_free(greeting);
}

static void gives_no_name_to_what_was_tampered_with(void **state)
{
	static struct datagrams d;

	load(&d, "ngtcp2");
	for (size_t at = 0; at < d.len[0]; at += 37) {
		struct greeting *greeting = greeting_new();

		d.bytes[0][at] ^= 0x10;
		assert_int_not_equal(greeting_feed(greeting, d.bytes[0], d.len[0]), GREETING_NAME);
		d.bytes[0][at] ^= 0x10;
		greeting_free(greeting);
	}
	for (size_t len = 0; len < d.len[0]; len++) {
		struct greeting *greeting = greeting_new();

		assert_int_equal(greeting_feed(greeting, d.bytes[0], len), GREETING_MORE);
		greeting_free(greeting);
	}
}

static void check_keys(uint32_t version, const char *key, const char *iv, const char *hp)
{
	struct initial_packet packet = { .version = version, .id_len = 8 };
	struct initial_keys keys;
	char text[33];

	memcpy(packet.id, "\x83\x94\xc8\xf0\x3e\x51\x57\x08", 8);
	assert_int_equal(initial_derive(&keys, &packet), 0);
	for (int i = 0; i < 16; i++)
		sprintf(text + 2 * i, "%02x", keys.key[i]);
	assert_string_equal(text, key);
	for (int i = 0; i < 12; i++)
		sprintf(text + 2 * i, "%02x", keys.iv[i]);
	assert_string_equal(text, iv);
	for (int i = 0; i < 16; i++)
		sprintf(text + 2 * i, "%02x", keys.hp[i]);
	assert_string_equal(text, hp);
}

static void derives_the_keys_of_the_standards(void **state)
{
	struct initial_packet packet = { .version = 0x709a50c4 };
	struct initial_keys keys;

	check_keys(1, "1f369613dd76d5467730efcbe3b1a22d", "fa044b2f42a3fd3b46fb255c",
		   "9f50449e04a0e810283a1e9933adedd2");
	check_keys(0x6b3343cf, "8b1a0bc121284290a29e0971b5cd045d", "91f73e2351d8fa91660e909f",
		   "45b95e15235d6f45a6b19cbcb0294ba9");
	assert_true(initial_derive(&keys, &packet) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_a_hello_in_one_datagram),
		cmocka_unit_test(reads_a_hello_in_two_datagrams),
		cmocka_unit_test(reads_datagrams_that_are_joined),
		cmocka_unit_test(gives_no_name_to_what_was_tampered_with),
		cmocka_unit_test(derives_the_keys_of_the_standards),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

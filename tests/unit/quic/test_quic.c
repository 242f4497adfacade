/* SPDX-License-Identifier: Apache-2.0 */
/*
 * First datagrams of real clients (tests/fuzz/corpus/quic, each with its size before it: Debian's
 * ngtcp2 client with GnuTLS; Chromium 156, whose post-quantum hello takes two), and the keys of RFC
 * 9001 A.1 and RFC 9369 A.1.
 */
#include "unit.h"

#include <openssl/evp.h>

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

/* ---- packets that are made here ---- */

struct packet {
	uint8_t bytes[4096];
	size_t len;
};

/* An Initial of version 1 with these frames, protected as RFC 9001 5.3 and 5.4 say. */
static struct packet sealed(const char *id, const struct packet *frames)
{
	struct initial_packet made = { .version = 1, .id_len = (uint8_t)strlen(id) };
	EVP_CIPHER_CTX *gcm = EVP_CIPHER_CTX_new(), *ecb = EVP_CIPHER_CTX_new();
	size_t payload = frames->len < 20 ? 20 : frames->len, rest = 1 + payload + 16, number;
	uint8_t nonce[12], mask[32], plain[4096] = { 0 }; /* padding is zeros */
	struct packet packet = { .bytes = { 0xc0, 0, 0, 0, 1, made.id_len }, .len = 6 };
	struct initial_keys keys;
	int n;

	memcpy(made.id, id, made.id_len);
	assert_int_equal(initial_derive(&keys, &made), 0);
	memcpy(packet.bytes + packet.len, id, made.id_len);
	packet.len += made.id_len;
	packet.len += 2; /* no source id, no token */
	packet.bytes[packet.len++] = (uint8_t)(0x40 | rest >> 8);
	packet.bytes[packet.len++] = (uint8_t)rest;
	number = packet.len++; /* packet number 0 */
	memcpy(nonce, keys.iv, sizeof(nonce));
	memcpy(plain, frames->bytes, frames->len);
	assert_int_equal(EVP_EncryptInit_ex(gcm, EVP_aes_128_gcm(), NULL, keys.key, nonce), 1);
	assert_int_equal(EVP_EncryptUpdate(gcm, NULL, &n, packet.bytes, (int)packet.len), 1);
	assert_int_equal(EVP_EncryptUpdate(gcm, packet.bytes + packet.len, &n, plain, (int)payload),
			 1);
	packet.len += payload;
	assert_int_equal(EVP_EncryptFinal_ex(gcm, mask, &n), 1);
	assert_int_equal(
		EVP_CIPHER_CTX_ctrl(gcm, EVP_CTRL_AEAD_GET_TAG, 16, packet.bytes + packet.len), 1);
	packet.len += 16;
	assert_int_equal(EVP_EncryptInit_ex(ecb, EVP_aes_128_ecb(), NULL, keys.hp, NULL), 1);
	assert_int_equal(EVP_EncryptUpdate(ecb, mask, &n, packet.bytes + number + 4, 16), 1);
	packet.bytes[0] ^= mask[0] & 0x0f;
	packet.bytes[number] ^= mask[1];
	EVP_CIPHER_CTX_free(gcm);
	EVP_CIPHER_CTX_free(ecb);
	return packet;
}

/* The frames of ngtcp2's first datagram. */
static struct packet hello_frames(void)
{
	static struct datagrams d;
	struct packet frames = { .len = 0 };
	struct initial_packet packet;
	struct initial_keys keys;

	load(&d, "ngtcp2");
	assert_true(initial_read(d.bytes[0], d.len[0], &packet));
	assert_int_equal(initial_derive(&keys, &packet), 0);
	assert_int_equal(initial_open(&keys, &packet, d.bytes[0], frames.bytes, &frames.len), 0);
	return frames;
}

static void add(struct packet *to, const void *bytes, size_t len)
{
	assert_true(to->len + len <= sizeof(to->bytes));
	memcpy(to->bytes + to->len, bytes, len);
	to->len += len;
}

/* What a greeting says of a packet with these frames before a hello's. */
static enum greeting_result result_behind(const void *first, size_t len)
{
	struct greeting *greeting = greeting_new();
	struct packet frames = { .len = 0 }, hello = hello_frames(), packet;
	enum greeting_result result;

	add(&frames, first, len);
	add(&frames, hello.bytes, hello.len);
	packet = sealed("the id's", &frames);
	result = greeting_feed(greeting, packet.bytes, packet.len);
	assert_string_equal(greeting_name(greeting),
			    result == GREETING_NAME ? "api.anthropic.com" : "");
	greeting_free(greeting);
	return result;
}

#define BEHIND(bytes) result_behind(bytes, sizeof(bytes) - 1)

static void other_frames_of_an_initial_are_stepped_over(void **state)
{
	assert_int_equal(BEHIND(""), GREETING_NAME);
	assert_int_equal(BEHIND("\0\0\1\0"), GREETING_NAME);
	/* ACK: largest, delay, one more range, the first; then a gap and its range */
	assert_int_equal(BEHIND("\2\x40\x99\5\1\2\0\1"), GREETING_NAME);
	/* with three counts of ECN */
	assert_int_equal(BEHIND("\3\7\5\0\2\1\2\3"), GREETING_NAME);
	/* CRYPTO beyond all that is read */
	assert_int_equal(BEHIND("\6\x80\0\x20\0\3abc"), GREETING_NAME);
	/* and across that line */
	assert_int_equal(BEHIND("\6\x5f\xfe\4abcd"), GREETING_NAME);
}

static void what_no_initial_holds_ends_the_reading(void **state)
{
	/* CONNECTION_CLOSE; an ACK of more ranges than there are bytes; CRYPTO longer than the packet */
	assert_int_equal(BEHIND("\x1c\0\0\0"), GREETING_MORE);
	assert_int_equal(BEHIND("\2\7\5\xbf\xff\xff\xff"), GREETING_MORE);
	assert_int_equal(BEHIND("\6\0\x7f\xff"), GREETING_MORE);
}

static void a_handshake_that_is_no_hello_has_no_name(void **state)
{
	const struct packet frames = { .bytes = "\6\0\5\2\0\0\1x", .len = 8 };
	struct packet packet = sealed("the id's", &frames);
	struct greeting *greeting = greeting_new();

	assert_int_equal(greeting_feed(greeting, packet.bytes, packet.len), GREETING_NONE);
	packet = hello_frames();
	packet = sealed("the id's", &packet);
	assert_int_equal(greeting_feed(greeting, packet.bytes, packet.len), GREETING_NONE);
	greeting_free(greeting);
}

/* After a Retry the keys are those of another id; after an answer a new id keeps the old keys. */
static void keys_follow_the_id(void **state)
{
	struct packet hello = hello_frames(), ping = { .bytes = { 1 }, .len = 1 };
	struct packet first = sealed("first-id", &ping), second = sealed("other-id", &hello);
	struct greeting *greeting = greeting_new();

	assert_int_equal(greeting_feed(greeting, first.bytes, first.len), GREETING_MORE);
	assert_int_equal(greeting_feed(greeting, second.bytes, second.len), GREETING_NAME);
	assert_string_equal(greeting_name(greeting), "api.anthropic.com");
	/* it is known: more says nothing */
	assert_int_equal(greeting_feed(greeting, first.bytes, first.len), GREETING_NAME);
	greeting_free(greeting);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_a_hello_in_one_datagram),
		cmocka_unit_test(reads_a_hello_in_two_datagrams),
		cmocka_unit_test(reads_datagrams_that_are_joined),
		cmocka_unit_test(gives_no_name_to_what_was_tampered_with),
		cmocka_unit_test(derives_the_keys_of_the_standards),
		cmocka_unit_test(other_frames_of_an_initial_are_stepped_over),
		cmocka_unit_test(what_no_initial_holds_ends_the_reading),
		cmocka_unit_test(a_handshake_that_is_no_hello_has_no_name),
		cmocka_unit_test(keys_follow_the_id),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "quic/initial.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>

#define VERSION_1  0x00000001u /* RFC 9000 */
#define VERSION_2  0x6b3343cfu /* RFC 9369 */
#define TAG_LEN    16
#define SAMPLE_LEN 16
#define SECRET_LEN 32

/* What a version changes: the salt, the labels' prefix, and the number of the Initial type. */
static const struct version {
	uint32_t number;
	uint8_t initial, retry;
	uint8_t salt[20]; /* RFC 9001 5.2, RFC 9369 3.3.1 */
	const char *prefix;
} versions[] = {
	{ VERSION_1,
	  0,
	  3,
	  { 0x38, 0x76, 0x2c, 0xf7, 0xf5, 0x59, 0x34, 0xb3, 0x4d, 0x17,
	    0x9a, 0xe6, 0xa4, 0xc8, 0x0c, 0xad, 0xcc, 0xbb, 0x7f, 0x0a },
	  "quic" },
	{ VERSION_2,
	  1,
	  0,
	  { 0x0d, 0xed, 0xe3, 0xde, 0xf7, 0x00, 0xa6, 0xdb, 0x81, 0x93,
	    0x81, 0xbe, 0x6e, 0x26, 0x9d, 0xcb, 0xf9, 0xbd, 0x2e, 0xd9 },
	  "quicv2" },
};

static const struct version *version_find(uint32_t number)
{
	for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++)
		if (versions[i].number == number)
			return &versions[i];
	return NULL;
}

bool initial_integer(const uint8_t *bytes, size_t len, size_t *at, uint64_t *ret)
{
	size_t n;
	uint64_t value;

	if (*at >= len)
		return false;
	n = (size_t)1 << (bytes[*at] >> 6);
	if (n > len - *at)
		return false;
	value = bytes[*at] & 0x3f;
	for (size_t i = 1; i < n; i++)
		value = value << 8 | bytes[*at + i];
	*at += n;
	*ret = value;
	return true;
}

/* A connection id with its length before it. */
static bool read_id(const uint8_t *bytes, size_t len, size_t *at, const uint8_t **ret,
		    uint8_t *ret_len)
{
	uint8_t n;

	if (*at >= len)
		return false;
	n = bytes[(*at)++];
	if (n > INITIAL_ID_MAX || n > len - *at)
		return false;
	*ret = bytes + *at;
	*ret_len = n;
	*at += n;
	return true;
}

bool initial_read(const uint8_t *bytes, size_t len, struct initial_packet *ret)
{
	const struct version *version;
	const uint8_t *id, *source;
	uint8_t id_len, source_len, type;
	uint64_t token, rest;
	size_t at = 5;

	if (len < 7 || (bytes[0] & 0xc0) != 0xc0)
		return false;
	*ret = (struct initial_packet){ .version = (uint32_t)bytes[1] << 24 | bytes[2] << 16 |
						   bytes[3] << 8 | bytes[4] };
	version = version_find(ret->version);
	type = bytes[0] >> 4 & 3;
	if (!version || type == version->retry || !read_id(bytes, len, &at, &id, &id_len) ||
	    !read_id(bytes, len, &at, &source, &source_len))
		return false;
	ret->is_initial = type == version->initial;
	if (ret->is_initial) {
		if (!initial_integer(bytes, len, &at, &token) || token > len - at)
			return false;
		at += token;
	}
	if (!initial_integer(bytes, len, &at, &rest) || rest > len - at)
		return false;
	memcpy(ret->id, id, id_len);
	ret->id_len = id_len;
	ret->number_at = at;
	ret->len = at + rest;
	return true;
}

static int hkdf(int mode, const uint8_t *secret, size_t secret_len, const uint8_t *salt,
		size_t salt_len, const uint8_t *info, size_t info_len, uint8_t *ret, size_t ret_len)
{
	EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
	EVP_KDF_CTX *context = kdf ? EVP_KDF_CTX_new(kdf) : NULL;
	OSSL_PARAM params[6] = {
		OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode),
		OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, (char *)"SHA256", 0),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)secret, secret_len),
	};
	size_t n = 3;
	int err = -ENOMEM;

	if (salt)
		params[n++] = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, (void *)salt,
								salt_len);
	if (info)
		params[n++] = OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, (void *)info,
								info_len);
	params[n] = OSSL_PARAM_construct_end();
	if (context)
		err = EVP_KDF_derive(context, ret, ret_len, params) == 1 ? 0 : -EIO;
	EVP_KDF_CTX_free(context);
	EVP_KDF_free(kdf);
	return err;
}

/* HKDF-Expand-Label with an empty context, RFC 8446 7.1. */
static int expand(const uint8_t secret[SECRET_LEN], const char *prefix, const char *label,
		  uint8_t *ret, size_t ret_len)
{
	char name[32];
	uint8_t info[64];
	size_t n = (size_t)snprintf(name, sizeof(name), "tls13 %s%s", prefix, label);

	info[0] = (uint8_t)(ret_len >> 8);
	info[1] = (uint8_t)ret_len;
	info[2] = (uint8_t)n;
	memcpy(info + 3, name, n);
	info[3 + n] = 0;
	return hkdf(EVP_KDF_HKDF_MODE_EXPAND_ONLY, secret, SECRET_LEN, NULL, 0, info, n + 4, ret,
		    ret_len);
}

int initial_derive(struct initial_keys *keys, const struct initial_packet *packet)
{
	const struct version *version = version_find(packet->version);
	uint8_t initial[SECRET_LEN], client[SECRET_LEN];
	int err;

	if (!version)
		return -EPROTONOSUPPORT;
	*keys = (struct initial_keys){ .version = packet->version, .id_len = packet->id_len };
	memcpy(keys->id, packet->id, packet->id_len);
	err = hkdf(EVP_KDF_HKDF_MODE_EXTRACT_ONLY, packet->id, packet->id_len, version->salt,
		   sizeof(version->salt), NULL, 0, initial, sizeof(initial));
	if (!err)
		err = expand(initial, "", "client in", client, sizeof(client));
	if (!err)
		err = expand(client, version->prefix, " key", keys->key, sizeof(keys->key));
	if (!err)
		err = expand(client, version->prefix, " iv", keys->iv, sizeof(keys->iv));
	if (!err)
		err = expand(client, version->prefix, " hp", keys->hp, sizeof(keys->hp));
	keys->is_set = !err;
	return err;
}

/* RFC 9001 5.4.3 */
static int mask_make(const uint8_t hp[16], const uint8_t sample[SAMPLE_LEN], uint8_t ret[32])
{
	EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
	int n, err = -EIO;

	if (!context)
		return -ENOMEM;
	if (EVP_EncryptInit_ex(context, EVP_aes_128_ecb(), NULL, hp, NULL) == 1 &&
	    EVP_EncryptUpdate(context, ret, &n, sample, SAMPLE_LEN) == 1)
		err = 0;
	EVP_CIPHER_CTX_free(context);
	return err;
}

static int decrypt(const struct initial_keys *keys, const uint8_t nonce[12], const uint8_t *head,
		   size_t head_len, const uint8_t *sealed, size_t sealed_len, uint8_t *plain)
{
	EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
	int n, err = -EBADMSG;

	if (!context)
		return -ENOMEM;
	if (EVP_DecryptInit_ex(context, EVP_aes_128_gcm(), NULL, keys->key, nonce) == 1 &&
	    EVP_DecryptUpdate(context, NULL, &n, head, (int)head_len) == 1 &&
	    EVP_DecryptUpdate(context, plain, &n, sealed, (int)(sealed_len - TAG_LEN)) == 1 &&
	    EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_SET_TAG, TAG_LEN,
				(void *)(sealed + sealed_len - TAG_LEN)) == 1 &&
	    EVP_DecryptFinal_ex(context, plain + n, &n) == 1)
		err = 0;
	EVP_CIPHER_CTX_free(context);
	return err;
}

#define HEAD_MAX 4096 /* a token may be long; more of a header is not opened */

int initial_open(const struct initial_keys *keys, const struct initial_packet *packet,
		 const uint8_t *bytes, uint8_t *plain, size_t *ret_len)
{
	uint8_t mask[32], nonce[12], head[HEAD_MAX];
	size_t at = packet->number_at, number_len, sealed_len;
	int err;

	if (packet->len < at + 4 + SAMPLE_LEN || at + 4 > sizeof(head))
		return -EBADMSG;
	err = mask_make(keys->hp, bytes + at + 4, mask);
	if (err)
		return err;
	memcpy(head, bytes, at + 4);
	head[0] ^= mask[0] & 0x0f;
	number_len = (head[0] & 3) + 1u;
	memcpy(nonce, keys->iv, sizeof(nonce));
	for (size_t i = 0; i < number_len; i++) {
		head[at + i] ^= mask[1 + i];
		nonce[sizeof(nonce) - number_len + i] ^= head[at + i];
	}
	sealed_len = packet->len - at - number_len;
	if (sealed_len < TAG_LEN)
		return -EBADMSG;
	err = decrypt(keys, nonce, head, at + number_len, bytes + at + number_len, sealed_len,
		      plain);
	if (!err)
		*ret_len = sealed_len - TAG_LEN;
	return err;
}

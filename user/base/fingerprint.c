/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fingerprint.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/secret.h"
#include "base/text.h"

#define KEY_FILE  "fingerprint.key"
#define KEY_BYTES 32
#define KEY_MIN   32 /* characters of a file that somebody else made */
#define PATH_LEN  4096

static uint8_t key[EVP_MAX_MD_SIZE]; /* the SHA-256 of the file's text, so that any length will do */
static unsigned key_len;             /* 0: off */

/* Whole or not at all: a daemon that is killed meanwhile finds none and makes another. */
static int make(const char *path)
{
	char temporary[PATH_LEN + 8], text[2 * KEY_BYTES + 1];
	_cleanup_close_ int fd = -1;
	uint8_t bytes[KEY_BYTES];
	ssize_t n = getrandom(bytes, sizeof(bytes), 0);
	int err = 0;

	if (n != sizeof(bytes))
		return n < 0 ? -errno : -EIO;
	text_hex(bytes, sizeof(bytes), text);
	explicit_bzero(bytes, sizeof(bytes));
	snprintf(temporary, sizeof(temporary), "%s.new", path);
	(void)unlink(temporary);
	fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		err = -errno;
	else if (write(fd, text, sizeof(text) - 1) != sizeof(text) - 1)
		err = -EIO;
	else if (fsync(fd) < 0 || rename(temporary, path) < 0)
		err = -errno;
	explicit_bzero(text, sizeof(text));
	return err;
}

int fingerprint_use(const char *dir, const char *file)
{
	_cleanup_secret_ char *text = NULL;
	char path[PATH_LEN];
	int err;

	snprintf(path, sizeof(path), "%s/" KEY_FILE, dir);
	err = secret_read(file ?: path, &text);
	if (err == -ENOENT && !file) {
		err = make(path);
		if (!err)
			err = secret_read(path, &text);
	}
	if (err)
		return err;
	if (strlen(text) < KEY_MIN)
		return -EKEYREJECTED;
	return EVP_Digest(text, strlen(text), key, &key_len, EVP_sha256(), NULL) ? 0 : -EIO;
}

bool fingerprint_is_on(void)
{
	return key_len;
}

void fingerprint_of(const char *secret, size_t len, char ret[FINGERPRINT_LEN])
{
	uint8_t mac[EVP_MAX_MD_SIZE];
	unsigned mac_len = 0;

	*ret = '\0';
	if (key_len &&
	    HMAC(EVP_sha256(), key, (int)key_len, (const uint8_t *)secret, len, mac, &mac_len))
		text_hex(mac, FINGERPRINT_LEN / 2, ret);
}

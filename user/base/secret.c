/* SPDX-License-Identifier: Apache-2.0 */
#include "base/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>

#include "base/cleanup.h"

/* Not stdio, whose buffer would keep a copy. */
static int read_all(int fd, char *bytes, size_t size, size_t *ret_len)
{
	size_t len = 0;

	while (len < size) {
		ssize_t n = read(fd, bytes + len, size - len);

		if (n < 0)
			return -errno;
		if (!n)
			break;
		len += (size_t)n;
	}
	*ret_len = len;
	return 0;
}

static bool is_text(const char *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)bytes[i];

		if ((c < ' ' && c != '\n' && c != '\r' && c != '\t') || c == 0x7f)
			return false;
	}
	return true;
}

int secret_read(const char *path, char **ret)
{
	/* Not blocking: a path may name a FIFO. */
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	_cleanup_secret_ char *secret = NULL;
	size_t len = 0;
	int err;

	if (fd < 0)
		return -errno;
	secret = calloc(1, SECRET_MAX + 2);
	if (!secret)
		return -ENOMEM;
	err = read_all(fd, secret, SECRET_MAX + 1, &len);
	if (err)
		return err;
	if (len > SECRET_MAX)
		return -EFBIG;
	if (!is_text(secret, len))
		return -EINVAL;
	while (len && (secret[len - 1] == '\n' || secret[len - 1] == '\r'))
		secret[--len] = '\0';
	if (!len)
		return -ENODATA;
	*ret = take(secret);
	return 0;
}

char *secret_free(char *secret)
{
	if (secret)
		explicit_bzero(secret, strlen(secret));
	free(secret);
	return NULL;
}

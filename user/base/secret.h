/* SPDX-License-Identifier: Apache-2.0 */
/* Secrets in files: read when they are needed, since they are rotated, and wiped after. */
#ifndef BASE_SECRET_H
#define BASE_SECRET_H

#define SECRET_MAX 16384 /* bytes of a file; longer is -EFBIG */

/*
 * The file's text without the line ends after it; a NUL or another control character inside, but for
 * tabs and line ends, is -EINVAL, an empty file -ENODATA. 0 or -errno. ret is to be given to secret_free().
 */
int secret_read(const char *path, char **ret);
/* Wipes, then frees; NULL is nothing. Returns NULL. */
char *secret_free(char *secret);

static inline void secret_freep(char **secret)
{
	secret_free(*secret);
}
#define _cleanup_secret_ __attribute__((cleanup(secret_freep)))

#endif

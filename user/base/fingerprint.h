/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tells secrets apart without keeping them: the first 64 bits of HMAC-SHA256 (RFC 2104) with a key of this host's own, or of a
 * fleet's. Without that key nobody can try guesses against it. Off until a key is given.
 */
#ifndef BASE_FINGERPRINT_H
#define BASE_FINGERPRINT_H

#include <stdbool.h>
#include <stddef.h>

#define FINGERPRINT_LEN 17 /* 16 hexadecimal digits */

/*
 * Takes the key: the text of `file`, or if that is NULL DIR/fingerprint.key, which is made once, of 32 random bytes in
 * hexadecimal digits, for its owner alone. 0; -EKEYREJECTED: fewer than 32 characters; or another -errno.
 */
int fingerprint_use(const char *dir, const char *file);
bool fingerprint_is_on(void);
/* "" while it is off. */
void fingerprint_of(const char *secret, size_t len, char ret[FINGERPRINT_LEN]);

#endif

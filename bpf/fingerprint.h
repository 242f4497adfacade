/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* How a record is recognised on its way from the TLS library to a socket (pair.h). */
#ifndef FINGERPRINT_H
#define FINGERPRINT_H

#include "maps.h"

/* Records are looked for until this time; 0: none was noted recently. */
extern __u64 pair_until_ns;

#define PAIR_WAIT_NS 1000000000ULL

/* Offset of the fingerprint in a record: after the header of 5 bytes and TLS 1.2's explicit nonce of 8. */
#define PAIR_AT  13
#define PAIR_LEN 21
/* Shorter records are not noted: the fingerprint must be ciphertext, not the end of the tag. */
#define PAIR_RECORD_MIN 24

/* The fingerprint of a record that begins at `head`, PAIR_LEN bytes; 0: it has none. */
static __always_inline __u64 pair_key(const __u8 *head)
{
	__u64 key;

	if (head[0] != 23 || head[1] != 3 || ((__u32)head[3] << 8 | head[4]) < PAIR_RECORD_MIN)
		return 0;
	__builtin_memcpy(&key, head + PAIR_AT, sizeof(key));
	return key;
}

#endif

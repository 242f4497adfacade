/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* TLS records as an AEAD sees them: RFC 8446 5.2, RFC 5246 6.2.3.3. */
#ifndef TLS_RECORD_H
#define TLS_RECORD_H

#include "kernel.h"

#define RECORD_DATA     23 /* application_data */
#define RECORD_AD_TLS13 5  /* type, version, length of the ciphertext */
#define RECORD_AD_TLS12 13 /* sequence number, type, version, length of the plaintext */
#define RECORD_LEN_MAX  (16384 + 256)
#define RECORD_TAG      16

enum record_kind { RECORD_OTHER, RECORD_TLS12, RECORD_TLS13 };

/* Classifies a record by its additional data. `wire_len`: its length with the tag. */
static __always_inline enum record_kind record_kind(__u64 ad, __u64 ad_len, __u64 wire_len)
{
	__u8 bytes[RECORD_AD_TLS12] = {};

	if (wire_len < RECORD_TAG || wire_len > RECORD_LEN_MAX)
		return RECORD_OTHER;
	if (ad_len == RECORD_AD_TLS13) {
		if (bpf_probe_read_user(bytes, RECORD_AD_TLS13, (const void *)ad) ||
		    bytes[0] != RECORD_DATA || bytes[1] != 3 || bytes[2] != 3 ||
		    (bytes[3] << 8 | bytes[4]) != wire_len)
			return RECORD_OTHER;
		return RECORD_TLS13;
	}
	if (ad_len == RECORD_AD_TLS12) {
		if (bpf_probe_read_user(bytes, RECORD_AD_TLS12, (const void *)ad) ||
		    bytes[8] != RECORD_DATA || bytes[9] != 3 || bytes[10] != 3 ||
		    (bytes[11] << 8 | bytes[12]) + RECORD_TAG != wire_len)
			return RECORD_OTHER;
		return RECORD_TLS12;
	}
	return RECORD_OTHER;
}

/*
 * Removes type and padding from the content of a TLS 1.3 record: the last byte that is not zero is its type,
 * and the zeros after it are padding, of which at most RECORD_PADDING are looked at. False: it is not
 * application data.
 */
#define RECORD_PADDING 16
static __always_inline bool record_content(__u64 buf, __u64 *bytes)
{
	__u8 type = 0;

	for (int i = 0; i < RECORD_PADDING && !type && *bytes; i++) {
		*bytes -= 1;
		if (bpf_probe_read_user(&type, 1, (const void *)(buf + *bytes)))
			return false;
	}
	return type == RECORD_DATA;
}

#endif

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What rustls keeps in memory: the same in 0.23.11 to 0.23.46 (docs/facts/clients.md, "rustls"). */
#ifndef RUSTLS_H
#define RUSTLS_H

#include "fingerprint.h"
#include "tls_record.h"

/* enum ContentType and ProtocolVersion of rustls (src/enums.rs), by their order there */
#define RUSTLS_APPLICATION_DATA 3
#define RUSTLS_TLS12            4 /* the version that records of TLS 1.3 have on the wire, too */

#define RUSTLS_FRAGMENT_MAX 16384
#define RUSTLS_CHUNKS       24 /* of one record: hyper writes up to 16 buffers at once */

struct rustls_chunk {
	__u64 ptr, len;
};

/* OutboundPlainMessage: its payload is one chunk, or a part of several. */
struct rustls_plain {
	__u64 chunks; /* 0: single */
	union {
		struct rustls_chunk single;
		struct {
			__u64 n, start;
		};
	};
	__u64 end;
	__u8 type, type_value;
	__u16 version, version_value;
	__u16 reserved;
};

/* InboundOpaqueMessage; and InboundPlainMessage, in a Result somewhere behind what tells whether it is one. */
struct rustls_message {
	__u64 ptr, len;
	__u8 type, type_value;
	__u16 reserved[3];
};

#define RUSTLS_RESULT_WORDS 8

/* The plaintext of a record: where the result says that it stands in the message's buffer. 0: it is no data. */
static __always_inline __u64 rustls_plaintext(const struct frame *call)
{
	__u64 words[RUSTLS_RESULT_WORDS];

	if (bpf_probe_read_user(words, sizeof(words), (const void *)call->count))
		return 0;
	for (int i = 0; i + 2 < RUSTLS_RESULT_WORDS; i++)
		if (words[i] == call->buf && words[i + 1] < call->len)
			return (__u8)words[i + 2] == RUSTLS_APPLICATION_DATA ? words[i + 1] : 0;
	return 0;
}

/*
 * The record that was made: in a Vec behind one word, of which pointer, length and capacity have no fixed order, but
 * the pointer is the greatest. Its header is there, and not filled in yet.
 */
static __always_inline void rustls_note_sealed(const struct ctl_conn_key *key, __u64 result)
{
	__u64 words[4], at;

	if (bpf_probe_read_user(words, sizeof(words), (const void *)result))
		return;
	at = words[1] > words[2] ? words[1] : words[2];
	at = words[3] > at ? words[3] : at;
	pair_note_sealed(key, at + PAIR_AT);
}

/* A call of the encrypter or decrypter returns. */
static __always_inline void rustls_leave(const struct frame *call)
{
	struct ctl_conn_key key = { .ssl = call->ssl, .tgid = current_tgid() };
	__u64 bytes;

	if (call->dir == EV_OUT) {
		rustls_note_sealed(&key, call->buf);
		return;
	}
	bytes = rustls_plaintext(call);
	if (bytes)
		take_bytes(call, bytes);
}

#endif

/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * How a record is recognised on its way from the TLS library to a socket (pair.h). The probes of the libraries
 * claim it for its connection: by its ciphertext where a function of the library has it in its hands, else by
 * the length of the plaintext that was written.
 */
#ifndef FINGERPRINT_H
#define FINGERPRINT_H

#include "conns.h"

/* Records are looked for until this time; 0: none was noted recently. */
extern __u64 pair_until_ns;

#define PAIR_WAIT_NS 1000000000ULL

/* Offset of the fingerprint in a record: after the header of 5 bytes and TLS 1.2's explicit nonce of 8. */
#define PAIR_HEAD  5
#define PAIR_NONCE 8
#define PAIR_AT    (PAIR_HEAD + PAIR_NONCE)
#define PAIR_LEN   (PAIR_AT + 8)
/* Shorter records are not noted: the fingerprint must be ciphertext, not the end of the tag. */
#define PAIR_RECORD_MIN 24

/*
 * How many records of a connection are noted, until a socket was seen to carry it, so that a connection takes a
 * bounded part of the tables. A tenant that forges ciphertext in its own processes can only pair its own
 * sockets: what was claimed twice is useless for both.
 */
#define PAIR_NOTES 16

/* What a record adds to its plaintext: a tag of 16 (RFC 8446 5.2, RFC 7905, RFC 5288). */
#define PAIR_ADDS_TLS13  17 /* and its content type */
#define PAIR_ADDS_CHACHA 16 /* TLS 1.2 */
#define PAIR_ADDS_GCM    24 /* TLS 1.2: and an explicit nonce */

static __always_inline __u32 pair_record_len(const __u8 *head)
{
	return (__u32)head[3] << 8 | head[4];
}

static __always_inline bool pair_is_data(const __u8 *head)
{
	return head[0] == 23 && head[1] == 3 && pair_record_len(head) >= PAIR_RECORD_MIN;
}

/* The fingerprint of a record that begins at `head`, PAIR_LEN bytes; 0: it has none. */
static __always_inline __u64 pair_key(const __u8 *head)
{
	__u64 key;

	if (!pair_is_data(head))
		return 0;
	__builtin_memcpy(&key, head + PAIR_AT, sizeof(key));
	return key;
}

/* Key of `written`. What is longer than a record leaves in several, of which the first is full. */
static __always_inline __u64 pair_len_key(__u32 tgid, __u64 len)
{
	return (__u64)tgid << 32 | (len > EV_PIECE_MAX ? EV_PIECE_MAX : len);
}

/* Whether a socket is still looked for. */
static __always_inline bool pair_is_wanted(const struct ctl_conn *conn)
{
	return !conn->is_paired && conn->noted < PAIR_NOTES && conn->state != CTL_IGNORE;
}

static __always_inline void pair_expect(__u64 now)
{
	pair_until_ns = now + PAIR_WAIT_NS;
}

/*
 * Claims what has this key. Two connections that claim the same within PAIR_WAIT_NS have it both in vain; a
 * claim that is older was never seen to leave and makes room for the next one.
 */
static __always_inline void pair_claim(void *map, __u64 print, const struct ctl_conn_key *key,
				       const struct ctl_conn *conn)
{
	struct claim claim = {
		.connection = conn->id,
		.ssl = key->ssl,
		.time_ns = bpf_ktime_get_ns(),
		.cgroup = bpf_get_current_cgroup_id(),
		.tgid = key->tgid,
	}, *known;

	pair_expect(claim.time_ns);
	bpf_map_update_elem(&noters, &key->tgid, &claim.time_ns, BPF_ANY);
	if (!bpf_map_update_elem(map, &print, &claim, BPF_NOEXIST))
		return;
	known = bpf_map_lookup_elem(map, &print);
	if (!known)
		return;
	if (claim.time_ns - known->time_ns > PAIR_WAIT_NS)
		bpf_map_delete_elem(map, &print);
	else if (known->connection != conn->id)
		known->connection = 0;
}

/* The connection of this object, if a socket is still looked for. */
static __always_inline struct ctl_conn *pair_conn(const struct ctl_conn_key *key)
{
	struct ctl_conn *conn = bpf_map_lookup_elem(&conns, key);

	return conn && pair_is_wanted(conn) ? conn : NULL;
}

/* A record as it will leave, in the hands of the library's own function: `len` bytes at `record`. */
static __always_inline void pair_note_record(const struct ctl_conn_key *key, __u64 record, __s64 len)
{
	struct ctl_conn *conn = len >= PAIR_LEN ? pair_conn(key) : NULL;
	__u8 head[24];
	__u64 print;

	if (!conn || bpf_probe_read_user(head, PAIR_LEN, (const void *)record))
		return;
	print = pair_key(head);
	if (!print)
		return;
	conn->noted++;
	pair_claim(&fingerprints, print, key, conn);
}

/* The ciphertext of a record without what lies before it: eight bytes at `at`. */
static __always_inline void pair_note_sealed(const struct ctl_conn_key *key, __u64 at)
{
	struct ctl_conn *conn = pair_conn(key);
	__u64 print;

	if (!conn || bpf_probe_read_user(&print, sizeof(print), (const void *)at) || !print)
		return;
	conn->noted++;
	pair_claim(&fingerprints, print, key, conn);
}

/* A write that has returned; its record may leave later. */
static __always_inline void pair_note_written(const struct ctl_conn_key *key, __u64 bytes)
{
	struct ctl_conn *conn = pair_conn(key);

	if (!conn || bytes < PAIR_RECORD_MIN)
		return;
	conn->noted++;
	pair_claim(&written, pair_len_key(key->tgid, bytes), key, conn);
}

#endif

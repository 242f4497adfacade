/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The server's name out of the first bytes that a client sends: a TLS ClientHello (RFC 8446 4.1.2,
 * RFC 6066 3), or a CONNECT request to a proxy (RFC 9110 9.3.6).
 *
 * The hello is read as a stream: what is not wanted is skipped by arithmetic, so a hello in any
 * number of packets and records needs no copy of itself, only struct hello, and its size is no
 * limit (post-quantum key shares and session tickets make 1.5 to 20 kB of it).
 *
 * Compiled for the kernel and natively (tests, fuzzer). Whoever includes this defines
 *
 *	hello_load(from, at, to, n)	copies n bytes at offset `at`; 0, or negative
 *
 * before. Loops have constant bounds and fields live in memory behind a pointer: a verifier that
 * knows no bpf_loop (before 5.17) must see the paths of one step meet before the next.
 */
#ifndef HELLO_H
#define HELLO_H

#include <linux/types.h>

#ifndef __always_inline
#define __always_inline inline __attribute__((always_inline))
#endif

#define HELLO_NAME_MAX   255 /* what an RFC 1035 name can take, and a little more */
#define HELLO_EXTENSIONS 32  /* browsers send up to 20 */
/*
 * Steps in one call: a step is a record header or a field, with the skipped bytes before it. A
 * whole hello takes 6 and one an extension, so 20 more records in one packet are followed.
 */
#define HELLO_STEPS 64
#define HELLO_MAX   65536 /* bytes; more is not a hello (RFC 8446 allows 2^24) */

enum hello_result {
	HELLO_MORE = 0, /* so far so good: feed what follows */
	HELLO_NAME = 1, /* name and name_len are set, lower case */
	HELLO_NONE = 2, /* a whole hello without a name, or not a hello at all */
	HELLO_BAD = 3,  /* began like a hello and is not sound, or beyond a limit here */
};

enum hello_phase {
	HELLO_HEAD, /* handshake type and length; then version and random are skipped */
	HELLO_SESSION,
	HELLO_SUITES,
	HELLO_COMPRESSION,
	HELLO_EXTENSIONS_LEN,
	HELLO_EXTENSION,
	HELLO_SNI, /* inside server_name: list length, entry's type and length */
	HELLO_SNI_NAME,
};

#define HELLO_EXT_SNI 0
#define HELLO_EXT_ECH 0xfe0d /* encrypted_client_hello, RFC 9849 */

/* Begins as zeroes. */
struct hello {
	__u32 left_record;     /* bytes of the current record not yet read */
	__u32 left_body;       /* the same of the handshake message */
	__u32 left_extensions; /* the same of the extensions, the current one counted as read */
	__u32 skip;            /* bytes before the next field */
	__u32 name_skip;       /* what the server_name extension holds after its first name */
	__u16 name_len;
	__u8 phase;       /* enum hello_phase */
	__u8 have;        /* bytes of the current field in field[], or in name[] */
	__u8 record_have; /* bytes of the current record's header in record[] */
	__u8 extensions;  /* how many so far */
	__u8 is_ech;      /* encrypted_client_hello was seen before the end of the last feed */
	__u8 has_name;
	__u8 field[16]; /* 5 used: the verifier adds have's and the length's largest values */
	__u8 record[16];
	char name[512]; /* 255 used, for the same reason */
};

/* Does a stream's first byte begin a TLS handshake record? (20..23 are the types; 22 is it.) */
static __always_inline int hello_is_tls(__u8 first)
{
	return first == 22;
}

static __always_inline __u32 hello_u16(const __u8 *p)
{
	return (__u32)p[0] << 8 | p[1];
}

/* A whole record header is in record[]: type 22, version 3.x, 1..16384 bytes (RFC 8446 5.1). */
static __always_inline enum hello_result hello_record(struct hello *h)
{
	__u32 len = hello_u16(h->record + 3);

	h->record_have = 0;
	if (h->record[0] != 22 || h->record[1] != 3 || len == 0 || len > 16384)
		return HELLO_BAD;
	h->left_record = len;
	return HELLO_MORE;
}

/* Bytes of the field that the phase reads. */
static __always_inline __u32 hello_need(const struct hello *h)
{
	switch (h->phase) {
	case HELLO_SESSION:
	case HELLO_COMPRESSION:
		return 1;
	case HELLO_SUITES:
	case HELLO_EXTENSIONS_LEN:
		return 2;
	case HELLO_SNI:
		return 5;
	case HELLO_SNI_NAME:
		return h->name_len;
	default:
		return 4;
	}
}

/* A whole field is in field[] or name[]: what to skip, and what comes then. */
static __always_inline enum hello_result hello_field(struct hello *h)
{
	const __u8 *f = h->field;
	__u32 len;

	switch (h->phase) {
	case HELLO_HEAD:
		len = (__u32)f[1] << 16 | hello_u16(f + 2);
		if (f[0] != 1) /* a server's side of a handshake */
			return HELLO_NONE;
		if (len > HELLO_MAX)
			return HELLO_BAD;
		h->left_body = len;
		h->skip = 34;
		h->phase = HELLO_SESSION;
		return HELLO_MORE;
	case HELLO_SESSION:
		h->skip = f[0];
		h->phase = HELLO_SUITES;
		return HELLO_MORE;
	case HELLO_SUITES:
		h->skip = hello_u16(f);
		h->phase = HELLO_COMPRESSION;
		return HELLO_MORE;
	case HELLO_COMPRESSION:
		h->skip = f[0];
		h->phase = HELLO_EXTENSIONS_LEN;
		return HELLO_MORE;
	case HELLO_EXTENSIONS_LEN:
		h->left_extensions = hello_u16(f);
		h->phase = HELLO_EXTENSION;
		return HELLO_MORE;
	case HELLO_EXTENSION:
		len = hello_u16(f + 2);
		if (h->left_extensions < len + 4 || ++h->extensions > HELLO_EXTENSIONS)
			return HELLO_BAD;
		h->left_extensions -= len + 4;
		if (hello_u16(f) == HELLO_EXT_ECH)
			h->is_ech = 1;
		if (hello_u16(f) == HELLO_EXT_SNI && len >= 5 && !h->has_name) {
			h->name_skip = len - 5;
			h->phase = HELLO_SNI;
		} else {
			h->skip = len;
		}
		return HELLO_MORE;
	case HELLO_SNI:
		len = hello_u16(f + 3);
		if (f[2] != 0 || len == 0 || len > HELLO_NAME_MAX || len > h->name_skip)
			return HELLO_BAD; /* host_name is the only type there is */
		h->name_skip -= len;
		h->name_len = len;
		h->phase = HELLO_SNI_NAME;
		return HELLO_MORE;
	case HELLO_SNI_NAME:
		h->has_name = 1;
		h->skip = h->name_skip;
		h->phase = HELLO_EXTENSION;
		return HELLO_MORE;
	}
	return HELLO_BAD;
}

/*
 * Without a branch in the loop: the verifier walks one path, and clang cannot lay the loop out so
 * that it falls through into its own head, which 6.1 takes for a loop without an end.
 */
static __always_inline void hello_lower(struct hello *h)
{
	for (__u32 i = 0; i < HELLO_NAME_MAX; i++) {
		__u32 c = (__u8)h->name[i];

		/* bit 31 of both differences is set from 'A' to 'Z' */
		c |= ((('A' - 1 - c) & (c - 'Z' - 1)) >> 31) << 5;
		h->name[i] = c;
	}
}

/*
 * Copies 1 to `max` bytes; any other n is refused. Tested without the barrier, clang would write
 * "n == 0" for "n < 1", and the verifier of 6.1 learns no least value from an inequality.
 */
static __always_inline int hello_copy(const void *from, __u32 at, void *to, __u32 n, const __u32 max)
{
	__u32 last = n - 1;

	asm volatile("" : "+r"(last));
	if (last >= max)
		return -1;
	return hello_load(from, at, to, last + 1);
}

/*
 * One step over the bytes at *at, `avail` of them. HELLO_NONE here also means: the message is at
 * its end.
 */
static __always_inline enum hello_result hello_step(struct hello *h, const void *from, __u32 *at,
						    __u32 avail)
{
	__u32 n, have, need;

	if (h->left_record == 0) {
		have = h->record_have & 7;
		n = 5 - have;
		if (n > avail)
			n = avail;
		if (have > 4 || hello_copy(from, *at, h->record + have, n, 5))
			return HELLO_BAD;
		*at += n;
		h->record_have = have + n;
		return have + n == 5 ? hello_record(h) : HELLO_MORE;
	}
	if (avail > h->left_record)
		avail = h->left_record;
	if (h->skip) {
		n = h->skip < avail ? h->skip : avail;
		if (n > h->left_body)
			return HELLO_BAD;
		*at += n;
		avail -= n;
		h->skip -= n;
		h->left_record -= n;
		h->left_body -= n;
	}
	if (h->phase != HELLO_HEAD && h->left_body == 0)
		return h->skip ? HELLO_BAD : HELLO_NONE;
	if (h->phase == HELLO_EXTENSION && !h->skip && !h->have && h->left_extensions == 0)
		return HELLO_NONE;
	if (avail == 0)
		return HELLO_MORE;

	need = hello_need(h);
	have = h->have;
	if (have >= need)
		return HELLO_BAD;
	n = need - have;
	if (n > avail)
		n = avail;
	if (h->phase != HELLO_HEAD) {
		if (n > h->left_body)
			return HELLO_BAD;
		h->left_body -= n;
	}
	if (h->phase == HELLO_SNI_NAME) {
		if (hello_copy(from, *at, h->name + have, n, HELLO_NAME_MAX))
			return HELLO_BAD;
	} else {
		have &= 7;
		if (hello_copy(from, *at, h->field + have, n, 5))
			return HELLO_BAD;
	}
	*at += n;
	h->left_record -= n;
	h->have = have + n;
	if (have + n < need)
		return HELLO_MORE;
	h->have = 0;
	return hello_field(h);
}

/*
 * Feeds the stream's next bytes, from[at..end). Once the name is known the rest of these bytes is
 * still walked, for is_ech, but no more are waited for.
 */
static __always_inline enum hello_result hello_feed(struct hello *h, const void *from, __u32 at,
						    __u32 end)
{
	enum hello_result result = HELLO_MORE;

	for (__u32 i = 0; i < HELLO_STEPS; i++) {
		if (at >= end || result != HELLO_MORE)
			break;
		result = hello_step(h, from, &at, end - at);
	}
	if (result == HELLO_MORE && at < end)
		result = HELLO_BAD;
	else if (result == HELLO_MORE && h->phase != HELLO_HEAD && h->left_body == 0)
		result = HELLO_NONE;
	if (h->has_name)
		result = HELLO_NAME;
	if (result == HELLO_NAME)
		hello_lower(h);
	return result;
}

/*
 * "CONNECT name:port HTTP/1.1" in from[at..end), in one packet as clients send it. HELLO_NAME, or
 * HELLO_NONE when it is something else. Only name and name_len of h are written.
 */
static __always_inline enum hello_result hello_connect(struct hello *h, const void *from, __u32 at,
						       __u32 end)
{
	static const char verb[8] = "CONNECT ";
	__u32 n;

	if (end < at + 12 || hello_load(from, at, h->name, 8))
		return HELLO_NONE;
	for (__u32 i = 0; i < 8; i++) {
		if (h->name[i] != verb[i])
			return HELLO_NONE;
	}
	n = end - at - 8;
	if (n > HELLO_NAME_MAX)
		n = HELLO_NAME_MAX;
	if (hello_copy(from, at + 8, h->name, n, HELLO_NAME_MAX))
		return HELLO_NONE;
	asm volatile("" : "+r"(n)); /* what the verifier learned, it learned of another register */
	if (n > HELLO_NAME_MAX)
		return HELLO_NONE;
	h->name[n] = ':'; /* a sentinel: a test of i against n is a state more each turn */
	h->name_len = 0;
	for (__u32 i = 1; i <= HELLO_NAME_MAX; i++) {
		if (h->name[i] == ':') {
			h->name_len = i;
			break;
		}
	}
	/* read back from memory: as a constant of 255 values it would be walked on with 255 times */
	asm volatile("" ::: "memory");
	if (!h->name_len || h->name_len >= n || h->name[0] == ':')
		return HELLO_NONE;
	hello_lower(h);
	return HELLO_NAME;
}

#endif

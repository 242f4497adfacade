/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TLS code without symbols, found by what every build of it leaves behind: file names and reasons at error
 * sites (BoringSSL, AWS-LC), names of functions in error calls (OpenSSL 3), the runtime's function table (Go),
 * places in the source that a panic tells (rustls).
 * No offset and no byte pattern of any version is known here. An address is given only with two proofs that do
 * not rest on each other: what the function holds, and where it starts; else the reason is kept. A breakpoint
 * at a wrong address would corrupt the program (docs/facts/clients.md, "Where a function starts").
 */
#ifndef FIND_ANCHOR_ANCHOR_H
#define FIND_ANCHOR_ANCHOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "find/anchor/cache.h"
#include "find/anchor/code.h"

enum anchor_stack {
	ANCHOR_BORINGSSL,
	ANCHOR_AWSLC,
	ANCHOR_OPENSSL,
	ANCHOR_GO,
	ANCHOR_RUSTLS,
	ANCHOR_STACKS
};
/* "boringssl", "aws-lc", "openssl-3", "go", "rustls-ring" */
const char *anchor_stack_name(enum anchor_stack stack);

enum anchor_function_id {
	ANCHOR_SSL_WRITE, /* BoringSSL */
	ANCHOR_SSL_READ,
	ANCHOR_SET_HOST,            /* SSL_set_tlsext_host_name */
	ANCHOR_AEAD_INIT,           /* AWS-LC: EVP_AEAD_CTX_init; 0 where it calls the next one */
	ANCHOR_AEAD_INIT_DIRECTION, /* EVP_AEAD_CTX_init_with_direction */
	ANCHOR_AEAD_SEAL,           /* EVP_AEAD_CTX_seal */
	ANCHOR_AEAD_OPEN,           /* EVP_AEAD_CTX_open */
	ANCHOR_WRITE_INTERNAL,      /* OpenSSL: ssl_write_internal */
	ANCHOR_READ_INTERNAL,
	ANCHOR_CTRL,     /* ssl3_ctrl, which takes what SSL_ctrl takes */
	ANCHOR_GO_WRITE, /* crypto/tls.(*Conn).Write */
	ANCHOR_GO_READ,
	ANCHOR_GO_CLOSE,        /* 0 where it is not there */
	ANCHOR_GO_RECORD,       /* (*Conn).write, which takes records; 0 where it was inlined */
	ANCHOR_RUSTLS_OUTGOING, /* RecordLayer::encrypt_outgoing */
	ANCHOR_FUNCTIONS
};
const char *anchor_function_name(enum anchor_function_id id);

#define ANCHOR_RETURNS_MAX 32 /* of (*Conn).Read; 7 from Go 1.19 to 1.27 */

struct anchor_function {
	uint64_t addr; /* virtual; 0: not found */
	uint64_t end;  /* 0: unknown */
	uint64_t last; /* of the places in it by which it was known */
	enum code_proof proof;
	unsigned int n_marks;   /* places in it by which it was known */
	unsigned int n_callers; /* direct calls that were found before the search had enough */
	uint64_t probe; /* Go: behind the check of the stack, which runs once a call; else addr */
};

/* encrypt() of a MessageEncrypter, or decrypt() of a MessageDecrypter */
struct anchor_cipher {
	struct anchor_function function;
	bool is_encrypter;
};
#define ANCHOR_CIPHERS_MAX 12 /* rustls has 6 */

struct anchor_finding {
	bool is_present; /* the stack's marks are in the file */
	bool is_proven;
	const char *why; /* where it is not: a static phrase */
};

struct anchors {
	struct anchor_finding stacks[ANCHOR_STACKS];
	struct anchor_function functions[ANCHOR_FUNCTIONS];
	uint64_t go_returns[ANCHOR_RETURNS_MAX]; /* of (*Conn).Read */
	size_t n_go_returns;
	struct anchor_cipher ciphers[ANCHOR_CIPHERS_MAX]; /* of rustls */
	size_t n_ciphers;
	bool has_write_flags; /* OpenSSL >= 3.3: `written` is the fifth argument of ssl_write_internal */
};

/* Where an earlier search of this file has found its places, and where this one has. */
struct anchor_memory {
	int fd;                    /* of a record (cache.h), to be read; -1: none */
	struct cache_record found; /* size 0: nothing that is new */
};

/*
 * Searches a whole file, unless it is remembered where to look (memory NULL: not asked for). Takes about 0.3 ms for each
 * megabyte of code, one thread and 2 MB of memory. It has no state but its arguments, so it may run in any thread.
 * Returns 0, also if nothing was found; -ENOEXEC or -EBADMSG as image_open() does; -EFBIG or -E2BIG if the file is beyond
 * the limits of the search; -ENOMEM; -errno of reading.
 */
int anchors_find(int fd, struct anchor_memory *memory, struct anchors *ret);

/* Whether a stack in there is proven. */
bool anchors_any(const struct anchors *anchors);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* Between the search of a file and the stacks that are searched for; not for others. */
#ifndef FIND_ANCHOR_STACKS_H
#define FIND_ANCHOR_STACKS_H

#include "find/anchor/anchor.h"
#include "find/anchor/code.h"
#include "find/anchor/image.h"
#include "find/anchor/scan.h"

/* The strings that are searched for among the constants, in one pass. */
enum mark {
	MARK_SSL_LIB,        /* BoringSSL: .../ssl/ssl_lib.cc */
	MARK_AEAD,           /* AWS-LC: .../fipsmodule/cipher/aead.c */
	MARK_WRITE_INTERNAL, /* OpenSSL 3: __func__ */
	MARK_READ_INTERNAL,
	MARK_CTRL,
	MARK_OPENSSL_VERSION,
	MARK_RUSTLS_LAYER, /* rustls: .../src/record_layer.rs */
	MARK_RUSTLS_RING,  /* .../src/crypto/ring/tls12.rs, tls13.rs */
	MARK_GO_1_20,      /* pclntab from 1.20 on */
	MARK_GO_1_18,
	MARKS
};

/* The paths end otherwise than with a NUL. */
#define RUSTLS_LAYER_PATH "/src/record_layer.rs"
#define RUSTLS_RING_PATH  "/crypto/ring/tls1"

/* A place in a source file that Rust code may name when it panics. */
#define LOCATIONS_MAX 128
struct location {
	uint64_t at; /* of the Location */
	enum mark mark;
	uint32_t line, column;
};

#define GO_HEAD 8

struct search {
	const struct image *image;
	struct scan_needle needles[MARKS];
	char go_heads[2][GO_HEAD]; /* what Go's function tables begin with on this machine */
	struct code *code;
	struct anchors *anchors;
	struct scan_hit hits[SCAN_HITS_MAX];
	size_t n_hits;
	struct location locations[LOCATIONS_MAX];
	size_t n_locations;
	struct scan_ref *refs; /* to the strings of hits and to locations, in order of address */
	size_t n_refs;
	bool has_write_flags_call; /* a caller of ssl_write_internal hands it flags of 0 */
};

/* The start of the C string whose end was found, for names that follow a path of unknown length. 0 or -errno. */
int search_string_start(const struct image *image, uint64_t inside, uint64_t *ret);

/* An error site: what OPENSSL_PUT_ERROR was given. */
struct error_site {
	uint64_t at;
	uint32_t reason;
	uint32_t line; /* 0: comes from elsewhere (-Oz) */
};
#define ERROR_SITES_MAX 256
/*
 * The error sites that name a file (a mark) and belong to `library`, or whose library is not a constant. How
 * many, or -errno.
 */
int search_error_sites(struct search *search, enum mark mark, uint32_t library,
		       struct error_site ret[ERROR_SITES_MAX]);

/* Proves where the function of these marks starts, and fills it in. 0; -ENOENT: no proof; -errno. */
int search_place(struct search *search, const uint64_t *marks, size_t n,
		 struct anchor_function *ret);

/* Each looks for its stack: fills functions and finding. 0, also when there is nothing; -errno. */
int boringssl_find(struct search *search);
int awslc_find(struct search *search);
int openssl_find(struct search *search);
int golang_find(struct search *search);
int rustls_find(struct search *search);
/* Between the search for strings and that for references. 0 or -errno. */
int rustls_locations(struct search *search);
/* After the callers of all were looked for. */
void boringssl_prove(struct search *search);
void awslc_prove(struct search *search);
void openssl_prove(struct search *search);

#endif

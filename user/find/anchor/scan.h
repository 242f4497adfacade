/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Searches of a whole file, each in one pass: for strings among the constants, for instructions that refer to
 * them, for calls of a function. Vectors of 16 bytes rule out most places; about 5 GB/s on one core.
 */
#ifndef FIND_ANCHOR_SCAN_H
#define FIND_ANCHOR_SCAN_H

#include "find/anchor/image.h"

#define SCAN_NEEDLES_MAX 16
#define SCAN_NEEDLE_MAX  48 /* bytes of one; below IMAGE_OVERLAP */
#define SCAN_HITS_MAX    64 /* of all strings; a binary names ssl_lib.cc once or twice */
#define SCAN_REFS_MAX    2048
#define SCAN_TARGETS_MAX 256
#define SCAN_BACK_MAX \
	4096 /* bytes that code which names an address may be read back for its first half */

/* Bytes to look for. */
struct scan_needle {
	const char *bytes;
	size_t len; /* 4 to SCAN_NEEDLE_MAX */
};

struct scan_hit {
	uint64_t addr; /* of the first byte */
	size_t needle;
};

/*
 * Each place of each needle in segments of a kind, in order of the file; added to what ret holds already.
 * 0; -E2BIG: more than SCAN_HITS_MAX; -errno as image_walk.
 */
int scan_strings(const struct image *image, enum image_kind kind, const struct scan_needle *needles,
		 size_t n, struct scan_hit ret[SCAN_HITS_MAX], size_t *ret_n);

struct scan_ref {
	uint64_t at;     /* of the instruction */
	uint64_t target; /* the address that it names */
};

/*
 * Each place in the code that may be an instruction that names one of the targets (machine.h). On x86-64 only what
 * it decodes to, from before, tells whether it is. 0; -E2BIG: more than SCAN_REFS_MAX, or targets than SCAN_TARGETS_MAX; -errno.
 */
int scan_refs(const struct image *image, const uint64_t *targets, size_t n, struct scan_ref *ret,
	      size_t *ret_n);

/* Is this one of those, in this file? */
bool scan_is_ref(const struct image *image, const struct scan_ref *ref);

#define SCAN_CALLERS_MAX 64
struct scan_callers {
	struct scan_ref at[SCAN_CALLERS_MAX];
	size_t n;
};
/* What seems to be a function. */
struct scan_called {
	uint64_t addr, last; /* where it starts, what else of it is known: up to here; 0: nothing */
	unsigned int n_callers;
	unsigned int n_within; /* calls of what lies behind its start: another function does */
};
/*
 * How many places in the code may be a direct call of each function or lead into it, and which call: the first
 * SCAN_CALLERS_MAX. Near the functions first, and everywhere only if one has no caller there; with callers NULL that
 * ends as soon as each has one. So n_callers is a proof and no count. 0 or -errno.
 */
int scan_calls(const struct image *image, struct scan_called *called, size_t n,
	       struct scan_callers *callers);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program file as the search for stripped TLS code reads it: whole segments in bounded pieces, with
 * pread, so that a file that is cut short under the reader is an error and not a SIGBUS. Only program
 * headers are used: section headers may be gone, and need not be true. Knows no TLS.
 */
#ifndef FIND_ANCHOR_IMAGE_H
#define FIND_ANCHOR_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "find/anchor/machine.h"

#define IMAGE_SEGMENTS_MAX 64
/* Limits of the search: Codex has 263 MB of code and 47 MB of constants; CUDA's libraries have only constants. */
#define IMAGE_CODE_MAX      (512ULL << 20)
#define IMAGE_CONSTANTS_MAX (128ULL << 20)
#define IMAGE_PIECE         (256u << 10) /* bytes that are read at once: they stay in a core's cache */
#define IMAGE_OVERLAP       64u          /* bytes of the next piece that a piece ends with */

struct image_segment {
	uint64_t offset, vaddr, filesz;
	bool is_exec, is_write;
};

struct image {
	int fd; /* stays the caller's */
	uint64_t size;
	uint64_t entry;
	const struct machine *machine;
	bool is_relocated; /* ET_DYN; else code may name addresses as 32-bit constants */
	struct image_segment segments[IMAGE_SEGMENTS_MAX];
	size_t n_segments;
	uint64_t code_bytes, data_bytes;         /* of all segments that are executed, written */
	uint64_t eh_frame_hdr, eh_frame_hdr_len; /* virtual; 0: none */
	uint64_t dynamic, dynamic_len;           /* virtual; 0: none */
};

/*
 * Reads the program headers. 0; -ENOEXEC: no 64-bit little-endian program or library of a machine that is known; -EBADMSG: it
 * says that it is one and is not sound; -errno of pread.
 */
int image_open(struct image *ret, int fd);

/* Exactly `size` bytes at a virtual address that the file holds. 0; -ENOENT: it does not; -errno. */
int image_read(const struct image *image, uint64_t addr, void *buf, size_t size);
/* Up to `size` bytes at a virtual address. How many, 0: none; or -errno. */
ssize_t image_read_some(const struct image *image, uint64_t addr, void *buf, size_t size);
/* The same for up to `size` bytes that end before the address. */
ssize_t image_read_before(const struct image *image, uint64_t addr, void *buf, size_t size);
/* Whether the address lies in a segment that is executed, and where that begins. */
bool image_is_code(const struct image *image, uint64_t addr);
uint64_t image_code_begin(const struct image *image, uint64_t addr);
/* Offset in the file of a virtual address in code. 0 or -ENOENT. */
int image_offset(const struct image *image, uint64_t addr, uint64_t *ret);

/*
 * Hands every segment of a kind, as far as it lies in [from, to), over in pieces of IMAGE_PIECE bytes, each
 * followed by up to IMAGE_OVERLAP bytes of what comes behind it (`size` does not count them, `more` does), so
 * that a find at the seam is seen whole and once. fn returns false to end it. 0; -EFBIG,
 * before a byte is read: more than is looked through; -errno.
 */
enum image_kind { IMAGE_CODE, IMAGE_CONSTANTS, IMAGE_DATA };
typedef bool (*image_fn)(void *arg, uint64_t addr, const uint8_t *bytes, size_t size, size_t more);
int image_walk(const struct image *image, enum image_kind kind, uint64_t from, uint64_t to,
	       image_fn fn, void *arg);

/*
 * The function that .eh_frame says covers `addr`, as compilers' and linkers' tables are written (version 1,
 * sorted, 32-bit offsets from the table). 0; -ENOENT: no table, or it does not cover the address.
 */
int image_function(const struct image *image, uint64_t addr, uint64_t *ret_start, uint64_t *ret_end);

#endif

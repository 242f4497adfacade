/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Machine code around a place that is known to be an instruction: where its function starts, with proof, and
 * what constants it hands to the call that follows. What an instruction is says machine.h.
 */
#ifndef FIND_ANCHOR_CODE_H
#define FIND_ANCHOR_CODE_H

#include "find/anchor/image.h"

#define CODE_BACK_MAX \
	3072 /* bytes between a function's start and what is known in it; SSL_write: 300 */
#define CODE_MARKS_MAX 16

struct code;
struct code *code_new(const struct image *image);
struct code *code_free(struct code *code);

/* How a start is known. */
enum code_proof {
	CODE_UNPROVEN,
	CODE_TABLE, /* an entry of .eh_frame covers everything that is known of the function */
	CODE_PADDING, /* aligned, behind padding or the end of another, a prologue, and decoded to every mark */
	CODE_FRAME, /* the same where functions are not aligned: the nearest frame-pointer prologue */
};
const char *code_proof_name(enum code_proof proof);

struct code_start {
	uint64_t addr;
	uint64_t end; /* 0: unknown */
	enum code_proof proof;
};

/*
 * Where the function starts that holds all of `marks`, addresses of instructions. 0; -ENOENT: not proven;
 * -errno of reading.
 */
int code_start(struct code *code, const uint64_t *marks, size_t n, struct code_start *ret);

/* What a call is handed, as far as constants say. */
enum code_arg { CODE_ARG1, CODE_ARG2, CODE_ARG3, CODE_ARG4, CODE_ARG5 };
struct code_site {
	struct machine_value args[MACHINE_ARGS];
	int named;        /* enum code_arg that the instruction at `at` fills; -1: none of them */
	uint64_t begin;   /* of the straight code, unless that is farther back than was looked */
	bool is_returned; /* it ends in a return: no call follows */
};
/*
 * Reads the straight code around `at`, from at most 64 bytes before it to the next call or jump. 0; -ENOENT:
 * there is no instruction at `at`; -errno.
 */
int code_site(struct code *code, uint64_t at, struct code_site *ret);

/* The same for the call at `at`: what it is handed. `named` says nothing. */
int code_call(struct code *code, uint64_t at, struct code_site *ret);

/*
 * The same as code_site() where a compiler for size has moved the instruction, and what stood beside it, into a piece
 * of its own (`moved`, is_returned) that is called at `at`.
 */
int code_moved(struct code *code, uint64_t at, const struct code_site *moved, struct code_site *ret);

/*
 * Return instructions of [start, end), by straight decoding that must come out at `end` exactly or end in
 * padding. How many were noted in ret (room for `max`); -EOPNOTSUPP: more, or it does not decode; -errno.
 */
int code_returns(struct code *code, uint64_t start, uint64_t end, uint64_t *ret, size_t max);

/* The same for the addresses that instructions of [start, end) load; where nothing is relocated, for all constants. */
int code_addresses(struct code *code, uint64_t start, uint64_t end, uint64_t *ret, size_t max);

#endif

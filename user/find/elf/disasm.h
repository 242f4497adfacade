/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers three questions about the machine code of one function (x86-64 only): to which functions it passes
 * its arguments, at which address they can be read most cheaply, and where it returns. Knows nothing of TLS.
 */
#ifndef FIND_ELF_DISASM_H
#define FIND_ELF_DISASM_H

#include <stdbool.h>
#include <stdint.h>

#include "find/elf/elf.h"

#define CODE_WINDOW    4096 /* bytes of a function that are looked at */
#define CODE_STEPS_MAX 512  /* instructions followed for one answer */
#define CODE_FORKS_MAX 32   /* conditional branches whose other side is tried too */
#define CODE_WALK_MAX  16   /* instructions between an entry and a probe */

/*
 * What the five first argument registers hold when a call is made, as far as it was followed:
 * 'a'..'e' the function's own argument 1..5, 'C' argument 3 widened from an int, '0' zero,
 * 's' an address on the stack, '?' anything else.
 */
#define CODE_ARGS 5

/*
 * The target of the first direct call (or tail jump) of the function at `addr` whose argument
 * registers read as `shape`, where '.' matches anything ("abCs." is SSL_write handing on its
 * buffer with a counter on its stack). 0: no such call was reached within the limits.
 */
uint64_t disasm_callee(const struct elf *elf, uint64_t addr, const char *shape);

struct disasm_spot {
	uint64_t addr;   /* virtual, of the instruction to probe */
	bool is_stepped; /* the kernel will single-step it */
};
/*
 * The first instruction that the kernel emulates and that is reached from the entry in a straight
 * line with all argument registers, and for a return probe the stack pointer, as at the entry; the
 * entry itself if there is none. `size`: of the function, 0 if unknown.
 * 0, or -EBADMSG when the entry does not decode as code.
 */
int disasm_spot(const struct elf *elf, uint64_t addr, uint64_t size, bool for_return,
		struct disasm_spot *ret);

#define CODE_EXITS_MAX 48 /* of one function; SSL_write of OpenSSL 3 has 3, of BoringSSL 8 */

/* Every way out of a function. */
struct disasm_exits {
	uint64_t returns[CODE_EXITS_MAX]; /* virtual, of its return instructions */
	size_t n_returns;
	uint64_t tails[CODE_EXITS_MAX]; /* functions to which it jumps and which return in its place */
	size_t n_tails;
};
/*
 * Decodes the whole of [addr, addr + size). 0; -EOPNOTSUPP: not every way out is known, because of an
 * indirect jump, a jump between two decoded instructions, more than CODE_EXITS_MAX, a size that is 0 or
 * above CODE_WINDOW, or what does not decode.
 */
int disasm_exits(const struct elf *elf, uint64_t addr, uint64_t size, struct disasm_exits *ret);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the search asks of a processor's instructions: one struct for each architecture (x86.c, arm64.c), and nothing
 * else in this folder knows an encoding. Everything takes bytes that a tenant wrote; a decoder keeps no state but
 * what it is handed.
 */
#ifndef FIND_ANCHOR_MACHINE_H
#define FIND_ANCHOR_MACHINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The registers of the first arguments of a C function, in their order, come first among those that are followed. */
#define MACHINE_ARGS      5
#define MACHINE_REGISTERS 32
#define MACHINE_PUSHED    8
#define MACHINE_GO_CHECK  48 /* bytes that go_check() is handed */

/* What a register is known to hold. */
struct machine_value {
	uint64_t value;
	bool is_known;
};

/* What is known along straight code. All zero: nothing. */
struct machine_state {
	struct machine_value registers[MACHINE_REGISTERS];
	struct machine_value pushed[MACHINE_PUSHED]; /* constants, where code pushes and pops them */
	size_t n_pushed;
	uint64_t until; /* of refs(): up to where it is followed */
};

enum insn_kind {
	INSN_PLAIN,
	INSN_CALL,
	INSN_JUMP,
	INSN_BRANCH, /* a conditional jump */
	INSN_RETURN,
	INSN_TRAP,   /* code does not go on behind it */
	INSN_PADDING /* is between functions and in none */
};

struct insn {
	uint64_t addr;
	unsigned int size;
	enum insn_kind kind;
	bool has_target; /* a jump or branch that says where it leads */
	uint64_t target;
	bool leaves; /* it gives up the function's frame: a jump behind it leads to another function */
	bool names_address; /* it forms the address `named` */
	bool names_constant; /* `named` is a number, and an address only where nothing is relocated */
	uint64_t named;
	int fills; /* with a state: the argument register that it writes, from 0; -1: none of them */
};

/* What stands right before a place, from what says least about a function's start to what says most. */
enum machine_before {
	BEFORE_NOTHING,
	BEFORE_SHORT_JUMP,
	BEFORE_RETURN,
	BEFORE_END, /* what does not come back: a jump, a trap, a call of an abort() */
	BEFORE_PADDING,
	BEFORE_NO_FUNCTION /* padding that is in no function */
};

typedef void (*machine_named_fn)(void *arg, uint64_t at, uint64_t target);

/* What is looked for in whole files. */
struct machine_targets {
	const uint64_t *at; /* ascending */
	size_t n;
	bool is_relocated; /* else code may name addresses as constants */
};

struct machine {
	const char *name;  /* as uname(2) says it */
	uint16_t elf;      /* e_machine */
	uint32_t relative; /* the relocation that is the load address and an addend */
	unsigned int unit; /* instructions begin at its multiples */
	unsigned int alignment; /* functions begin at its multiples, unless they were compiled for size */
	enum machine_before end; /* the least that must stand before an aligned start */
	uint8_t go_unit;         /* as Go's function table has it */
	const char *go_entry;    /* the function at which Go programs begin */

	/* A decoder's memory; NULL is one where there is none to free. False: no memory. */
	bool (*decoder_new)(void **ret);
	void (*decoder_free)(void *decoder);
	/* The instruction at `bytes`. state NULL: not followed. False: it is none, or `left` is too short. */
	bool (*decode)(void *decoder, const uint8_t *bytes, size_t left, uint64_t addr,
		       struct machine_state *state, struct insn *ret);

	/* Compilers begin functions like this; and like this if they keep a frame pointer. */
	bool (*is_prologue)(const uint8_t *p, size_t left);
	bool (*is_frame)(const uint8_t *p, size_t left);
	/* `before` bytes can be read before p. */
	enum machine_before (*before)(const uint8_t *p, size_t before);
	/* All of it is what lies between functions. */
	bool (*is_padding)(const uint8_t *p, size_t size);
	/* Bytes of the check of a goroutine's stack with which functions of Go begin; 0: p does not begin so. */
	size_t (*go_check)(const uint8_t *p);

	/*
	 * Hands over each place in [bytes, bytes + size) that may name one of the targets, and may be others, too.
	 * `more` bytes can be read. Pieces come in order; the state is that of the piece before, or zero. What names
	 * an address may lie up to `refs_back` bytes before the place.
	 */
	unsigned int refs_back;
	void (*refs)(const struct machine_targets *targets, struct machine_state *state,
		     uint64_t addr, const uint8_t *bytes, size_t size, size_t more,
		     machine_named_fn fn, void *arg);
	/* Hands over each place that may be a direct call. */
	void (*calls)(uint64_t addr, const uint8_t *bytes, size_t size, size_t more,
		      machine_named_fn fn, void *arg);
};

extern const struct machine machine_x86, machine_arm64;

/* By a file's e_machine; NULL: not known. */
const struct machine *machine_of(uint16_t elf);
/* Programs of this machine run here. */
bool machine_is_here(const struct machine *machine);

#endif

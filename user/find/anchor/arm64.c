/* SPDX-License-Identifier: Apache-2.0 */
/*
 * arm64. Every instruction is a word of 4 bytes (Arm Architecture Reference Manual, "A64 Base Instruction
 * Descriptions"). An address takes two of them, the page and the place in it, which compilers move apart and share, so
 * registers are followed along the code as it lies, through branches, too: what that takes for an address that is
 * none must fit a target in all of its bits to be noted, and proves nothing alone.
 */
#include <elf.h>
#include <string.h>

#include "base/cleanup.h"
#include "find/anchor/lanes.h"
#include "find/anchor/machine.h"

#define WORD 4
#define ZR   31 /* as a source or target: zero; in sums: the stack pointer */
#define FP   29
#define LR   30

#define REFS_BACK 4096 /* bytes from an adrp to what is added to it */

static uint32_t word_at(const uint8_t *p)
{
	uint32_t word;

	memcpy(&word, p, sizeof(word));
	return word;
}

/* `bits` bits of the word from `low` on, as a signed number. */
static int64_t signed_bits(uint32_t word, unsigned int low, unsigned int bits)
{
	return (int64_t)((uint64_t)word << (64 - low - bits)) >> (64 - bits);
}

static unsigned int rd(uint32_t word)
{
	return word & 31;
}

static unsigned int rn(uint32_t word)
{
	return word >> 5 & 31;
}

static unsigned int rm(uint32_t word)
{
	return word >> 16 & 31;
}

#define NOP 0xd503201fu

static bool is_return(uint32_t word) /* ret xN, retaa, retab */
{
	return (word & 0xfffffc1f) == 0xd65f0000 || (word & 0xfffffbff) == 0xd65f0bff;
}

static bool is_call(uint32_t word) /* bl */
{
	return (word & 0xfc000000) == 0x94000000;
}

static bool is_jump(uint32_t word) /* b */
{
	return (word & 0xfc000000) == 0x14000000;
}

static bool is_page(uint32_t word) /* adrp */
{
	return (word & 0x9f000000) == 0x90000000;
}

static bool is_trap(uint32_t word) /* brk, hlt */
{
	return (word & 0xffe0001f) == 0xd4200000 || (word & 0xffe0001f) == 0xd4400000;
}

static enum insn_kind kind_of(uint32_t word)
{
	if (is_return(word))
		return INSN_RETURN;
	if (is_call(word) || (word & 0xfefff800) == 0xd63f0800 || /* blraa and its kin */
	    (word & 0xfffffc1f) == 0xd63f0000)                    /* blr */
		return INSN_CALL;
	if (is_jump(word) || (word & 0xfefff800) == 0xd61f0800 || (word & 0xfffffc1f) == 0xd61f0000)
		return INSN_JUMP;
	if ((word & 0xff000010) == 0x54000000 || /* b.cond */
	    (word & 0x7c000000) == 0x34000000)   /* cbz, cbnz, tbz, tbnz */
		return INSN_BRANCH;
	if (is_trap(word))
		return INSN_TRAP;
	return word < 0x10000 ? INSN_PADDING : INSN_PLAIN; /* udf */
}

static bool target_of(uint32_t word, uint64_t addr, uint64_t *ret)
{
	int64_t words;

	if (is_jump(word) || is_call(word))
		words = signed_bits(word, 0, 26);
	else if ((word & 0xff000010) == 0x54000000 || (word & 0x7e000000) == 0x34000000)
		words = signed_bits(word, 5, 19);
	else if ((word & 0x7e000000) == 0x36000000)
		words = signed_bits(word, 5, 14);
	else
		return false;
	*ret = addr + (uint64_t)(words * WORD);
	return true;
}

/* Of loads and stores: does it load into general registers? */
static bool is_load(uint32_t word)
{
	if (word >> 26 & 1) /* floating point */
		return false;
	switch (word >> 27 & 7) {
	case 1: /* 0b001: exclusive; 0b101: pairs */
	case 5:
		return word >> 22 & 1;
	case 3: /* a literal; 0b011 has nothing else that loads */
		return true;
	default:
		/* ldr in all its forms; atomic operations give back what was there */
		return (word >> 22 & 3) || (word & 0x3b200c00) == 0x38200000;
	}
}

/* Of loads and stores: does it change the register that holds the address? */
static bool moves_base(uint32_t word)
{
	return (word & 0x3a800000) == 0x28800000 || (word & 0x3b200400) == 0x38000400;
}

/* Forgets what the instruction overwrites, as far as its place in the table of instructions tells. */
static void forget_written(struct machine_state *state, uint32_t word)
{
	switch (word >> 25 & 15) {
	case 8: /* calculations with constants */
	case 9:
		state->registers[rd(word)].is_known = false;
		return;
	case 5: /* and with registers, but for those that compare and set the flags */
	case 13:
		if ((word & 0x1fe00000) != 0x1a400000)
			state->registers[rd(word)].is_known = false;
		return;
	case 4:
	case 6:
	case 12:
	case 14:
		if (moves_base(word))
			state->registers[rn(word)].is_known = false;
		if (!is_load(word))
			return;
		state->registers[rd(word)].is_known = false;
		if ((word & 0x3a000000) == 0x28000000) /* ldp */
			state->registers[word >> 10 & 31].is_known = false;
		return;
	case 10: /* branches and the system's; what a call may overwrite (AAPCS64) */
	case 11:
		if (kind_of(word) == INSN_CALL)
			memset(state->registers, 0, 19 * sizeof(state->registers[0]));
		else if ((word & 0xfff00000) == 0xd5300000) /* mrs */
			state->registers[rd(word)].is_known = false;
		return;
	default: /* floating point: what moves or converts to a general register */
		if ((word & 0x7f20fc00) == 0x1e200000 || (word & 0xbfe0ec00) == 0x0e002c00)
			state->registers[rd(word)].is_known = false;
	}
}

/* adr, adrp, add of a constant to what is known: the address that it forms. */
static bool address_of(const struct machine_state *state, uint32_t word, uint64_t addr,
		       uint64_t *ret)
{
	const struct machine_value *base = &state->registers[rn(word)];
	int64_t distance;
	uint64_t sum;

	if ((word & 0x1f000000) == 0x10000000) {
		distance = signed_bits(word, 5, 19) * 4 | (word >> 29 & 3);
		*ret = word >> 31 ? (addr & ~0xfffULL) + ((uint64_t)distance << 12) :
				    addr + (uint64_t)distance;
		return true;
	}
	if ((word & 0xff800000) != 0x91000000 || rn(word) == ZR || !base->is_known)
		return false;
	sum = word >> 10 & 0xfff;
	*ret = base->value + (word >> 22 & 1 ? sum << 12 : sum);
	return true;
}

/* movz, movn, movk, and a copy of a register: what comes to stand in it. False: something else. */
static bool moved(const struct machine_state *state, uint32_t word, struct machine_value *ret)
{
	unsigned int shift = (word >> 21 & 3) * 16;
	uint64_t part = (uint64_t)(word >> 5 & 0xffff) << shift;

	switch (word & 0x7f800000) {
	case 0x52800000:
		*ret = (struct machine_value){ part, true };
		break;
	case 0x12800000:
		*ret = (struct machine_value){ ~part, true };
		break;
	case 0x72800000:
		*ret = state->registers[rd(word)];
		ret->value = (ret->value & ~(0xffffULL << shift)) | part;
		break;
	default:
		if ((word & 0x7fe0ffe0) != 0x2a0003e0) /* orr rd, zr, rm */
			return false;
		*ret = rm(word) == ZR ? (struct machine_value){ 0, true } :
					state->registers[rm(word)];
	}
	if (!(word >> 31))
		ret->value = (uint32_t)ret->value;
	return true;
}

/* Follows one instruction. True: it forms an address; a page alone is half of one. */
static bool follow(struct machine_state *state, uint32_t word, uint64_t addr, uint64_t *ret)
{
	struct machine_value value = {};
	bool forms_address = address_of(state, word, addr, ret);

	if (forms_address)
		value = (struct machine_value){ *ret, true };
	else if (!moved(state, word, &value)) {
		forget_written(state, word);
		return false;
	}
	if (rd(word) != ZR)
		state->registers[rd(word)] = value;
	return forms_address && !is_page(word);
}

static bool decoder_new(void **ret)
{
	*ret = NULL;
	return true;
}

static void decoder_free(void *decoder)
{
}

/* The argument register that is written by what forms an address or a constant. */
static int filled_by(uint32_t word)
{
	return (word >> 25 & 14) == 8 && rd(word) < MACHINE_ARGS ? (int)rd(word) : -1;
}

/* ldp or ldr x30 of what stands at [sp], #n; add sp, sp, #n; autiasp, autibsp */
static bool leaves(uint32_t word)
{
	return (word & 0xffc003e0) == 0xa8c003e0 || (word & 0xffe00fff) == (0xf84007e0 | LR) ||
	       (word & 0xff8003ff) == 0x910003ff || word == 0xd50323bf || word == 0xd50323ff;
}

static bool decode(void *decoder, const uint8_t *bytes, size_t left, uint64_t addr,
		   struct machine_state *state, struct insn *ret)
{
	uint32_t word;

	if (left < WORD || addr % WORD)
		return false;
	word = word_at(bytes);
	*ret = (struct insn){ .addr = addr,
			      .size = WORD,
			      .kind = kind_of(word),
			      .leaves = leaves(word),
			      .fills = filled_by(word) };
	if (ret->kind == INSN_JUMP || ret->kind == INSN_BRANCH)
		ret->has_target = target_of(word, addr, &ret->target);
	if (state)
		ret->names_address = follow(state, word, addr, &ret->named);
	return true;
}

#define BTI_C 0xd503245fu

/*
 * What makes a frame: stp or str of anything to [sp, #-n]!; sub sp, sp, #n; paciasp, pacibsp; behind bti c, too. With
 * anything else a function may begin that leaves by a jump without a sign of it (leaves()).
 */
static bool is_prologue(const uint8_t *p, size_t left)
{
	uint32_t word = left < WORD ? 0 : word_at(p);

	if (word == BTI_C && left >= 2 * WORD)
		word = word_at(p + WORD);
	return (word & 0xffc003e0) == 0xa98003e0 || (word & 0xffc003e0) == 0x6d8003e0 ||
	       (word & 0xffe00fe0) == 0xf8000fe0 || (word & 0xff8003ff) == 0xd10003ff ||
	       word == 0xd503233f || word == 0xd503237f;
}

static bool is_frame(const uint8_t *p, size_t left)
{
	return left >= WORD && (word_at(p) & 0xffc07fff) == (0xa98003e0 | LR << 10 | FP);
}

static enum machine_before what_is_before(const uint8_t *p, size_t before)
{
	uint32_t word;

	if (before < WORD)
		return BEFORE_NOTHING;
	word = word_at(p - WORD);
	switch (kind_of(word)) {
	case INSN_PADDING:
		return BEFORE_NO_FUNCTION;
	case INSN_RETURN:
		return BEFORE_RETURN;
	case INSN_JUMP:
	case INSN_CALL:
	case INSN_TRAP:
		return BEFORE_END;
	default:
		return word == NOP ? BEFORE_PADDING : BEFORE_NOTHING;
	}
}

static bool is_padding(const uint8_t *p, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (p[i])
			return false;
	return true;
}

/*
 * cmd/internal/obj/arm64: ldr x16, [x28, #16]; then sp, or sp less the frame, in x17 or as it is; cmp with x16; b.ls
 */
static size_t go_check(const uint8_t *p)
{
	if (word_at(p) != 0xf9400b90)
		return 0;
	for (size_t i = 2; i < 9; i++) {
		uint32_t compare = word_at(p + (i - 1) * WORD), branch = word_at(p + i * WORD);

		if ((compare == 0xeb3063ff || compare == 0xeb10023f) &&
		    (branch & 0xff00001f) == 0x54000009)
			return (i + 1) * WORD;
	}
	return 0;
}

/* Might a target be named by sums with this page? Compilers reach at most that far from one (section anchors). */
#define REACH (64u << 10)

static bool is_near(const struct machine_targets *targets, uint64_t page)
{
	size_t low = 0, high = targets->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (targets->at[middle] < page)
			low = middle + 1;
		else
			high = middle;
	}
	return low < targets->n && targets->at[low] - page < REACH;
}

/* The first adr or adrp in the words of [at, end); or `end`. */
static size_t next_page(const uint8_t *bytes, size_t at, size_t end)
{
	typedef uint32_t words __attribute__((vector_size(LANES)));
	const words mask = (words){} + 0x1f000000, code = (words){} + 0x10000000;

	for (; at + LANES <= end; at += LANES)
		if (any((lanes)(((words)load(bytes + at) & mask) == code)))
			break;
	while (at < end && (word_at(bytes + at) & 0x1f000000) != 0x10000000)
		at += WORD;
	return at;
}

/* Registers are followed only behind what forms a page near a target: elsewhere nothing of interest is known of them. */
static void refs(const struct machine_targets *targets, struct machine_state *state, uint64_t addr,
		 const uint8_t *bytes, size_t size, size_t more, machine_named_fn fn, void *arg)
{
	size_t at = -addr % WORD, end = at;

	/* the last word may end behind the piece */
	if (size > at && more >= at + WORD)
		end = at + (size - at + WORD - 1) / WORD * WORD;
	if (end > more)
		end -= WORD;
	while (at < end) {
		uint64_t named, here;
		uint32_t word;

		if (addr + at >= state->until)
			at = next_page(bytes, at, end);
		if (at == end)
			return;
		here = addr + at;
		word = word_at(bytes + at);
		if (is_page(word) && address_of(state, word, here, &named) && is_near(targets, named))
			state->until = here + REFS_BACK;
		if (here >= state->until && is_page(word))
			memset(state->registers, 0, sizeof(state->registers));
		else if (follow(state, word, here, &named))
			fn(arg, here, named);
		at += WORD;
	}
}

static void calls(uint64_t addr, const uint8_t *bytes, size_t size, size_t more,
		  machine_named_fn fn, void *arg)
{
	for (size_t at = -addr % WORD; at < size && at + WORD <= more; at += WORD) {
		uint32_t word = word_at(bytes + at);
		uint64_t target;

		if (is_call(word) && target_of(word, addr + at, &target))
			fn(arg, addr + at, target);
	}
}

const struct machine machine_arm64 = {
	.name = "aarch64",
	.elf = EM_AARCH64,
	.relative = R_AARCH64_RELATIVE,
	.unit = WORD,
	.alignment = WORD,
	.end = BEFORE_RETURN,
	.go_unit = WORD,
	.go_entry = "_rt0_arm64_linux",
	.decoder_new = decoder_new,
	.decoder_free = decoder_free,
	.decode = decode,
	.is_prologue = is_prologue,
	.is_frame = is_frame,
	.before = what_is_before,
	.is_padding = is_padding,
	.go_check = go_check,
	.refs_back = REFS_BACK,
	.refs = refs,
	.calls = calls,
};

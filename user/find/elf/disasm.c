/* SPDX-License-Identifier: Apache-2.0 */
#include "find/elf/disasm.h"

#include <capstone/capstone.h>
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"

/* Registers by their number in the machine's encoding. */
enum { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8, R9, R10, R11, R12, R13, R14, R15, REGS };
static const int arguments[CODE_ARGS] = { RDI, RSI, RDX, RCX, R8 };

static const uint8_t endbr64[4] = { 0xf3, 0x0f, 0x1e, 0xfa };

struct reader {
	csh handle;
	cs_insn *insn;
	uint64_t base; /* address of code[0] */
	size_t size;
	uint8_t code[CODE_WINDOW];
};

static void reader_done(struct reader *r)
{
	if (r->insn)
		cs_free(r->insn, 1);
	if (r->handle)
		cs_close(&r->handle);
}

static int reader_init(struct reader *r, const struct elf *elf, uint64_t addr)
{
	ssize_t n = elf_code(elf, addr, r->code, sizeof(r->code));

	if (n <= 0)
		return n ? (int)n : -EBADMSG;
	r->base = addr;
	r->size = (size_t)n;
	if (cs_open(CS_ARCH_X86, CS_MODE_64, &r->handle))
		return -ENOMEM;
	cs_option(r->handle, CS_OPT_DETAIL, CS_OPT_ON);
	r->insn = cs_malloc(r->handle);
	return r->insn ? 0 : -ENOMEM;
}

/* Decodes the instruction at addr into r->insn. */
static bool decode(struct reader *r, uint64_t addr)
{
	const uint8_t *code = r->code + (addr - r->base);
	size_t left;

	if (addr < r->base || addr - r->base >= r->size)
		return false;
	left = r->size - (size_t)(addr - r->base);
	return cs_disasm_iter(r->handle, &code, &left, &addr, r->insn);
}

static bool is_endbr(const struct reader *r, uint64_t addr)
{
	uint64_t at = addr - r->base;

	return at + sizeof(endbr64) <= r->size && !memcmp(r->code + at, endbr64, sizeof(endbr64));
}

static int number_of(unsigned int reg)
{
	static const x86_reg names[REGS][5] = {
		[RAX] = { X86_REG_RAX, X86_REG_EAX, X86_REG_AX, X86_REG_AL, X86_REG_AH },
		[RCX] = { X86_REG_RCX, X86_REG_ECX, X86_REG_CX, X86_REG_CL, X86_REG_CH },
		[RDX] = { X86_REG_RDX, X86_REG_EDX, X86_REG_DX, X86_REG_DL, X86_REG_DH },
		[RBX] = { X86_REG_RBX, X86_REG_EBX, X86_REG_BX, X86_REG_BL, X86_REG_BH },
		[RSP] = { X86_REG_RSP, X86_REG_ESP, X86_REG_SP, X86_REG_SPL },
		[RBP] = { X86_REG_RBP, X86_REG_EBP, X86_REG_BP, X86_REG_BPL },
		[RSI] = { X86_REG_RSI, X86_REG_ESI, X86_REG_SI, X86_REG_SIL },
		[RDI] = { X86_REG_RDI, X86_REG_EDI, X86_REG_DI, X86_REG_DIL },
		[R8] = { X86_REG_R8, X86_REG_R8D, X86_REG_R8W, X86_REG_R8B },
		[R9] = { X86_REG_R9, X86_REG_R9D, X86_REG_R9W, X86_REG_R9B },
		[R10] = { X86_REG_R10, X86_REG_R10D, X86_REG_R10W, X86_REG_R10B },
		[R11] = { X86_REG_R11, X86_REG_R11D, X86_REG_R11W, X86_REG_R11B },
		[R12] = { X86_REG_R12, X86_REG_R12D, X86_REG_R12W, X86_REG_R12B },
		[R13] = { X86_REG_R13, X86_REG_R13D, X86_REG_R13W, X86_REG_R13B },
		[R14] = { X86_REG_R14, X86_REG_R14D, X86_REG_R14W, X86_REG_R14B },
		[R15] = { X86_REG_R15, X86_REG_R15D, X86_REG_R15W, X86_REG_R15B },
	};

	if (reg == X86_REG_INVALID)
		return -1;
	for (int i = 0; i < REGS; i++)
		for (size_t j = 0; j < ARRAY_SIZE(names[i]); j++)
			if (names[i][j] == reg)
				return i;
	return -1;
}

/* A bit for each general register that the instruction writes, in part or whole. */
static unsigned int written(struct reader *r)
{
	uint8_t n_read = 0, n_write = 0;
	cs_regs reads, writes;
	unsigned int mask = 0;

	if (cs_regs_access(r->handle, r->insn, reads, &n_read, writes, &n_write))
		return ~0u;
	for (int i = 0; i < n_write; i++) {
		int number = number_of(writes[i]);

		if (number >= 0)
			mask |= 1u << number;
	}
	return mask;
}

enum flow { FLOW_NEXT, FLOW_CALL, FLOW_JUMP, FLOW_BRANCH, FLOW_END };

/* What comes after r->insn, and for a direct call, jump or branch to where. */
static enum flow flow_of(const struct reader *r, uint64_t *ret_target)
{
	const cs_x86 *x86 = &r->insn->detail->x86;
	bool direct = x86->op_count == 1 && x86->operands[0].type == X86_OP_IMM;

	if (direct)
		*ret_target = (uint64_t)x86->operands[0].imm;
	if (r->insn->id == X86_INS_CALL)
		return direct ? FLOW_CALL : FLOW_END;
	if (r->insn->id == X86_INS_JMP)
		return direct ? FLOW_JUMP : FLOW_END;
	if (cs_insn_group(r->handle, r->insn, X86_GRP_JUMP))
		return direct ? FLOW_BRANCH : FLOW_END;
	if (cs_insn_group(r->handle, r->insn, X86_GRP_RET) ||
	    cs_insn_group(r->handle, r->insn, X86_GRP_INT) || r->insn->id == X86_INS_UD2 ||
	    r->insn->id == X86_INS_HLT)
		return FLOW_END;
	return FLOW_NEXT;
}

/* One path through the function: where it is and what its registers hold, in the header's letters. */
struct path {
	uint64_t addr;
	char holds[REGS];
};

static char value_moved(const cs_x86 *x86, const char *holds, bool widens)
{
	const cs_x86_op *to = &x86->operands[0], *from = &x86->operands[1];
	int source;
	char value;

	if (from->type == X86_OP_IMM)
		return from->imm ? '?' : '0';
	if (from->type != X86_OP_REG)
		return '?';
	source = number_of(from->reg);
	value = source < 0 ? '?' : holds[source];
	if (value == '0' || (to->size == 8 && from->size == 8))
		return value;
	/* mov r32,r32 and movsxd: an int becomes a size_t; of a pointer it would keep half */
	return value == 'c' && from->size == 4 && (widens || to->size == 4) ? 'C' : '?';
}

static void step(struct reader *r, struct path *path)
{
	const cs_x86 *x86 = &r->insn->detail->x86;
	const cs_x86_op *op = x86->operands;
	int to = x86->op_count && op[0].type == X86_OP_REG ? number_of(op[0].reg) : -1;
	char value = '?';
	unsigned int mask = written(r) & ~(1u << RSP);

	if (to >= 0 && op[0].size >= 4) {
		if (r->insn->id == X86_INS_MOV && x86->op_count == 2)
			value = value_moved(x86, path->holds, false);
		else if (r->insn->id == X86_INS_MOVSXD && x86->op_count == 2)
			value = value_moved(x86, path->holds, true);
		else if (r->insn->id == X86_INS_XOR && op[1].type == X86_OP_REG &&
			 op[1].reg == op[0].reg)
			value = '0';
		else if (r->insn->id == X86_INS_LEA && op[1].type == X86_OP_MEM &&
			 op[1].mem.index == X86_REG_INVALID && number_of(op[1].mem.base) >= 0 &&
			 path->holds[number_of(op[1].mem.base)] == 's')
			value = 's';
	}
	for (int i = 0; i < REGS; i++)
		if (mask >> i & 1)
			path->holds[i] = i == to ? value : '?';
}

static bool has_shape(const struct path *path, const char *shape)
{
	for (int i = 0; i < CODE_ARGS; i++)
		if (shape[i] != '.' && shape[i] != path->holds[arguments[i]])
			return false;
	return true;
}

/* Follows one path to its first direct call; branches not taken are put aside in forks. */
static uint64_t follow(struct reader *r, struct path *path, const char *shape, size_t *steps,
		       struct path *forks, size_t *n_forks, size_t *n_forked)
{
	while ((*steps)++ < CODE_STEPS_MAX) {
		uint64_t target = 0;

		if (is_endbr(r, path->addr)) {
			path->addr += sizeof(endbr64);
			continue;
		}
		if (!decode(r, path->addr))
			return 0;
		switch (flow_of(r, &target)) {
		case FLOW_CALL:
			return has_shape(path, shape) ? target : 0;
		case FLOW_JUMP:
			if (has_shape(path, shape) && target - r->base >= r->size)
				return target;
			path->addr = target;
			continue;
		case FLOW_BRANCH:
			if (*n_forked < CODE_FORKS_MAX) {
				forks[*n_forks] = *path;
				forks[(*n_forks)++].addr = target;
				(*n_forked)++;
			}
			break;
		case FLOW_NEXT:
			step(r, path);
			break;
		case FLOW_END:
			return 0;
		}
		path->addr += r->insn->size;
	}
	return 0;
}

uint64_t disasm_callee(const struct elf *elf, uint64_t addr, const char *shape)
{
	_cleanup_(reader_done) struct reader r = {};
	struct path forks[CODE_FORKS_MAX + 1];
	size_t n_forks = 1, n_forked = 0, steps = 0;

	if (elf->is_arm64 || reader_init(&r, elf, addr))
		return 0;
	memset(forks[0].holds, '?', REGS);
	for (int i = 0; i < CODE_ARGS; i++)
		forks[0].holds[arguments[i]] = (char)('a' + i);
	forks[0].holds[RSP] = 's';
	forks[0].addr = addr;
	while (n_forks) {
		struct path path = forks[--n_forks];
		uint64_t target = follow(&r, &path, shape, &steps, forks, &n_forks, &n_forked);
		uint64_t offset;

		if (target && !elf_offset(elf, target, &offset))
			return target;
	}
	return 0;
}

/*
 * Linux arch/x86/kernel/uprobes.c, branch_setup_xol_ops and push_setup_xol_ops: nop, call, jmp and
 * jcc with a relative target, push of a register; no prefix but REX.B of the push. Longer nops are
 * left out: newer kernels emulate them, 6.18 makes a nop5 a call that writes below the stack
 * pointer (docs/facts/kernel.md, "Probes on 5-byte nops").
 */
static bool is_emulated(const cs_insn *insn)
{
	const uint8_t *b = insn->bytes;

	if (insn->size == 1)
		return b[0] == 0x90 || (b[0] >= 0x50 && b[0] <= 0x57);
	if (insn->size == 2 && b[0] == 0x41)
		return b[1] >= 0x50 && b[1] <= 0x57;
	if (insn->size == 2)
		return b[0] == 0xeb || (b[0] >= 0x70 && b[0] <= 0x7f);
	if (insn->size == 5)
		return b[0] == 0xe8 || b[0] == 0xe9;
	return insn->size == 6 && b[0] == 0x0f && b[1] >= 0x80 && b[1] <= 0x8f;
}

/* Whether code of this function jumps into (entry, spot]: then a hit there is not always an entry. */
static bool is_jumped_into(struct reader *r, uint64_t spot, uint64_t size)
{
	uint64_t end = r->base + (size && size < r->size ? size : r->size);

	for (uint64_t addr = r->base; addr < end;) {
		uint64_t target = 0;
		enum flow flow;

		if (is_endbr(r, addr)) {
			addr += sizeof(endbr64);
			continue;
		}
		if (!decode(r, addr))
			return false;
		flow = flow_of(r, &target);
		if ((flow == FLOW_JUMP || flow == FLOW_BRANCH) && target > r->base && target <= spot)
			return true;
		addr += r->insn->size;
	}
	return false;
}

int disasm_spot(const struct elf *elf, uint64_t addr, uint64_t size, bool for_return,
		struct disasm_spot *ret)
{
	const unsigned int kept = 1u << RDI | 1u << RSI | 1u << RDX | 1u << RCX | 1u << R8 |
				  (for_return ? 1u << RSP : 0);
	_cleanup_(reader_done) struct reader r = {};
	uint64_t at = addr;
	int err;

	*ret = (struct disasm_spot){ .addr = addr, .is_stepped = true };
	if (elf->is_arm64)
		return 0;
	err = reader_init(&r, elf, addr);
	if (err)
		return err;
	for (int i = 0; i < CODE_WALK_MAX && (!size || at - addr < size); i++) {
		uint64_t target;

		if (is_endbr(&r, at)) {
			at += sizeof(endbr64);
			continue;
		}
		if (!decode(&r, at))
			return at == addr ? -EBADMSG : 0;
		if (is_emulated(r.insn)) {
			if (at == addr || !is_jumped_into(&r, at, size))
				*ret = (struct disasm_spot){ .addr = at };
			return 0;
		}
		if (flow_of(&r, &target) != FLOW_NEXT || written(&r) & kept)
			return 0;
		at += r.insn->size;
	}
	return 0;
}

/* The function as far as it is decoded: where instructions start, and where jumps lead. */
struct sweep {
	uint64_t size;
	bool is_start[CODE_WINDOW], is_target[CODE_WINDOW];
	struct disasm_exits exits;
};

static bool note_jump(struct sweep *sweep, const struct reader *r, uint64_t target)
{
	struct disasm_exits *exits = &sweep->exits;

	if (target - r->base < sweep->size) {
		sweep->is_target[target - r->base] = true;
		return true;
	}
	for (size_t i = 0; i < exits->n_tails; i++)
		if (exits->tails[i] == target)
			return true;
	if (exits->n_tails == CODE_EXITS_MAX)
		return false;
	exits->tails[exits->n_tails++] = target;
	return true;
}

/* What the instruction in r->insn means for the ways out. False: they cannot be known. */
static bool note_exit(struct sweep *sweep, const struct reader *r)
{
	const cs_insn *insn = r->insn;
	const cs_x86 *x86 = &insn->detail->x86;

	if (cs_insn_group(r->handle, insn, X86_GRP_RET)) {
		/* a far return, or one that takes arguments off, is no C function's */
		if (insn->id != X86_INS_RET || x86->op_count ||
		    sweep->exits.n_returns == CODE_EXITS_MAX)
			return false;
		sweep->exits.returns[sweep->exits.n_returns++] = insn->address;
		return true;
	}
	if (cs_insn_group(r->handle, insn, X86_GRP_JUMP) || insn->id == X86_INS_JMP ||
	    insn->id == X86_INS_LJMP)
		return x86->op_count == 1 && x86->operands[0].type == X86_OP_IMM &&
		       note_jump(sweep, r, (uint64_t)x86->operands[0].imm);
	return !cs_insn_group(r->handle, insn, X86_GRP_IRET);
}

static bool sweep_all(struct sweep *sweep, struct reader *r)
{
	uint64_t at = 0;

	while (at < sweep->size) {
		sweep->is_start[at] = true;
		if (is_endbr(r, r->base + at)) {
			at += sizeof(endbr64);
			continue;
		}
		if (!decode(r, r->base + at) || !note_exit(sweep, r))
			return false;
		at += r->insn->size;
	}
	if (at != sweep->size)
		return false;
	/* a jump that leads between two of them, or a probe there, and the code is not what it seems */
	for (at = 0; at < sweep->size; at++)
		if (sweep->is_target[at] && !sweep->is_start[at])
			return false;
	return sweep->exits.n_returns || sweep->exits.n_tails;
}

int disasm_exits(const struct elf *elf, uint64_t addr, uint64_t size, struct disasm_exits *ret)
{
	_cleanup_(reader_done) struct reader r = {};
	_cleanup_free_ struct sweep *sweep = NULL;
	int err;

	if (elf->is_arm64 || !size || size > CODE_WINDOW)
		return -EOPNOTSUPP;
	err = reader_init(&r, elf, addr);
	if (err)
		return err;
	sweep = calloc(1, sizeof(*sweep));
	if (!sweep)
		return -ENOMEM;
	sweep->size = size;
	if (size > r.size || !sweep_all(sweep, &r))
		return -EOPNOTSUPP;
	*ret = sweep->exits;
	return 0;
}

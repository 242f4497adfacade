/* SPDX-License-Identifier: Apache-2.0 */
/* x86-64. Instructions have any length, so capstone decodes them; what is searched in whole files is told by its bytes. */
#include <capstone/capstone.h>
#include <elf.h>
#include <string.h>

#include "base/cleanup.h"
#include "find/anchor/lanes.h"
#include "find/anchor/machine.h"

struct decoder {
	csh plain, detailed;
	cs_insn *insn, *insn_detailed;
};

static void decoder_free(void *arg)
{
	struct decoder *decoder = arg;

	if (!decoder)
		return;
	if (decoder->insn)
		cs_free(decoder->insn, 1);
	if (decoder->insn_detailed)
		cs_free(decoder->insn_detailed, 1);
	if (decoder->plain)
		cs_close(&decoder->plain);
	if (decoder->detailed)
		cs_close(&decoder->detailed);
	free(decoder);
}

static bool decoder_new(void **ret)
{
	struct decoder *decoder = calloc(1, sizeof(*decoder));

	if (!decoder)
		return false;
	if (!cs_open(CS_ARCH_X86, CS_MODE_64, &decoder->plain) &&
	    !cs_open(CS_ARCH_X86, CS_MODE_64, &decoder->detailed)) {
		cs_option(decoder->detailed, CS_OPT_DETAIL, CS_OPT_ON);
		decoder->insn = cs_malloc(decoder->plain);
		decoder->insn_detailed = cs_malloc(decoder->detailed);
	}
	if (!decoder->insn || !decoder->insn_detailed) {
		decoder_free(decoder);
		return false;
	}
	*ret = decoder;
	return true;
}

/* Where a jump leads that says so itself; false: no such jump. */
static bool jump_target(const cs_insn *insn, uint64_t *ret)
{
	const uint8_t *b = insn->bytes;
	int32_t far;

	if (insn->size == 2 &&
	    (b[0] == 0xeb || (b[0] >= 0x70 && b[0] <= 0x7f) || (b[0] >= 0xe0 && b[0] <= 0xe3))) {
		*ret = insn->address + 2 + (uint64_t)(int64_t)(int8_t)b[1];
		return true;
	}
	if (insn->size == 5 && b[0] == 0xe9)
		memcpy(&far, b + 1, sizeof(far));
	else if (insn->size == 6 && b[0] == 0x0f && (b[1] & 0xf0) == 0x80)
		memcpy(&far, b + 2, sizeof(far));
	else
		return false;
	*ret = insn->address + insn->size + (uint64_t)(int64_t)far;
	return true;
}

static bool is_lea(const uint8_t *p)
{
	return (p[0] & 0xfb) == 0x48 && p[1] == 0x8d && (p[2] & 0xc7) == 0x05;
}

static uint64_t lea_target(const uint8_t *p, uint64_t at)
{
	int32_t distance;

	memcpy(&distance, p + 3, sizeof(distance));
	return at + 7 + (uint64_t)(int64_t)distance;
}

/* lea reg, [rip + x] of 64 bits; mov r32, imm32 */
static void name_target(const cs_insn *insn, struct insn *ret)
{
	const uint8_t *b = insn->bytes;
	size_t at = insn->size == 6 && b[0] == 0x41 ? 1 : 0;
	uint32_t value;

	if (insn->size == 7 && is_lea(b)) {
		ret->names_address = true;
		ret->named = lea_target(b, insn->address);
	} else if (insn->size == at + 5 && (b[at] & 0xf8) == 0xb8) {
		memcpy(&value, b + at + 1, sizeof(value));
		ret->names_constant = true;
		ret->named = value;
	}
}

static enum insn_kind kind_of(const cs_insn *insn, bool has_target)
{
	switch (insn->id) {
	case X86_INS_CALL:
		return INSN_CALL;
	case X86_INS_JMP:
		return INSN_JUMP;
	case X86_INS_RET:
		return INSN_RETURN;
	case X86_INS_RETF:
	case X86_INS_RETFQ:
	case X86_INS_UD2:
	case X86_INS_HLT:
		return INSN_TRAP;
	case X86_INS_INT3:
		return INSN_PADDING;
	}
	return has_target ? INSN_BRANCH : INSN_PLAIN;
}

static int argument_of(unsigned int reg)
{
	static const x86_reg names[MACHINE_ARGS][2] = {
		{ X86_REG_RDI, X86_REG_EDI }, { X86_REG_RSI, X86_REG_ESI },
		{ X86_REG_RDX, X86_REG_EDX }, { X86_REG_RCX, X86_REG_ECX },
		{ X86_REG_R8, X86_REG_R8D },
	};

	for (int i = 0; i < MACHINE_ARGS; i++)
		if (names[i][0] == reg || names[i][1] == reg)
			return i;
	return -1;
}

/* -Oz code writes constants with push imm8; pop reg. */
static void push(struct machine_state *state, const cs_x86 *x86)
{
	bool is_constant = x86->op_count == 1 && x86->operands[0].type == X86_OP_IMM;

	if (state->n_pushed == MACHINE_PUSHED) {
		memmove(state->pushed, state->pushed + 1,
			sizeof(state->pushed) - sizeof(state->pushed[0]));
		state->n_pushed--;
	}
	state->pushed[state->n_pushed++] = (struct machine_value){
		.value = is_constant ? (uint32_t)x86->operands[0].imm : 0,
		.is_known = is_constant,
	};
}

/* What an instruction that writes an argument register leaves in it. */
static void follow(struct machine_state *state, const cs_insn *insn, struct insn *ret)
{
	const cs_x86 *x86 = &insn->detail->x86;
	const cs_x86_op *op = x86->operands;
	struct machine_value value = {};

	ret->fills = x86->op_count && op[0].type == X86_OP_REG ? argument_of(op[0].reg) : -1;
	if (insn->id == X86_INS_PUSH) {
		push(state, x86);
		return;
	}
	if (insn->id == X86_INS_POP && state->n_pushed)
		value = state->pushed[--state->n_pushed];
	else if (insn->id == X86_INS_CMP || insn->id == X86_INS_TEST)
		return;
	else if ((insn->id == X86_INS_MOV || insn->id == X86_INS_MOVABS) && x86->op_count == 2 &&
		 op[1].type == X86_OP_IMM)
		value = (struct machine_value){ (uint32_t)op[1].imm, true };
	else if (insn->id == X86_INS_XOR && x86->op_count == 2 && op[1].type == X86_OP_REG &&
		 op[1].reg == op[0].reg)
		value = (struct machine_value){ 0, true };
	if (ret->fills >= 0)
		state->registers[ret->fills] = value;
}

static bool decode(void *arg, const uint8_t *bytes, size_t left, uint64_t addr,
		   struct machine_state *state, struct insn *ret)
{
	struct decoder *decoder = arg;
	csh handle = state ? decoder->detailed : decoder->plain;
	cs_insn *insn = state ? decoder->insn_detailed : decoder->insn;

	if (!cs_disasm_iter(handle, &bytes, &left, &addr, insn))
		return false;
	*ret = (struct insn){ .addr = insn->address, .size = insn->size, .fills = -1 };
	ret->has_target = jump_target(insn, &ret->target);
	ret->kind = kind_of(insn, ret->has_target);
	if (ret->kind == INSN_PLAIN) {
		name_target(insn, ret);
		if (state)
			follow(state, insn, ret);
	}
	return true;
}

/* push, sub rsp, endbr64, mov [rsp+x], rbx */
static bool is_prologue(const uint8_t *p, size_t left)
{
	static const struct {
		uint8_t bytes[4], len;
	} known[] = {
		{ { 0x55 }, 1 },
		{ { 0x53 }, 1 },
		{ { 0x50 }, 1 },
		{ { 0x41, 0x54 }, 2 },
		{ { 0x41, 0x55 }, 2 },
		{ { 0x41, 0x56 }, 2 },
		{ { 0x41, 0x57 }, 2 },
		{ { 0x48, 0x83, 0xec }, 3 },
		{ { 0x48, 0x81, 0xec }, 3 },
		{ { 0xf3, 0x0f, 0x1e, 0xfa }, 4 },
		{ { 0x48, 0x89, 0x5c, 0x24 }, 4 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (left >= known[i].len && !memcmp(p, known[i].bytes, known[i].len))
			return true;
	return false;
}

/* push rbp; mov rbp, rsp */
static bool is_frame(const uint8_t *p, size_t left)
{
	static const uint8_t prologue[4] = { 0x55, 0x48, 0x89, 0xe5 };

	return left >= sizeof(prologue) && !memcmp(p, prologue, sizeof(prologue));
}

/* The multi-byte nops of the processors' manuals, with which assemblers align. */
static bool ends_with_nop(const uint8_t *end, size_t before)
{
	static const struct {
		uint8_t bytes[10], len;
	} nops[] = {
		{ { 0x66, 0x2e, 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0 }, 10 },
		{ { 0x66, 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0 }, 9 },
		{ { 0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0 }, 8 },
		{ { 0x0f, 0x1f, 0x80, 0, 0, 0, 0 }, 7 },
		{ { 0x66, 0x0f, 0x1f, 0x44, 0, 0 }, 6 },
		{ { 0x0f, 0x1f, 0x44, 0, 0 }, 5 },
		{ { 0x0f, 0x1f, 0x40, 0 }, 4 },
		{ { 0x0f, 0x1f, 0 }, 3 },
		{ { 0x66, 0x90 }, 2 },
		{ { 0x90 }, 1 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(nops); i++)
		if (before >= nops[i].len && !memcmp(end - nops[i].len, nops[i].bytes, nops[i].len))
			return true;
	return false;
}

static enum machine_before what_is_before(const uint8_t *p, size_t before)
{
	if (before < 16)
		return BEFORE_NOTHING;
	if (p[-1] == 0xcc)
		return BEFORE_NO_FUNCTION;
	if (ends_with_nop(p, before))
		return BEFORE_PADDING;
	/* ud2, jmp rel32, call rel32 of what does not return */
	if ((p[-2] == 0x0f && p[-1] == 0x0b) || p[-5] == 0xe9 || p[-5] == 0xe8)
		return BEFORE_END;
	if (p[-1] == 0xc3)
		return BEFORE_RETURN;
	return p[-2] == 0xeb ? BEFORE_SHORT_JUMP : BEFORE_NOTHING;
}

static bool is_padding(const uint8_t *p, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (p[i] != 0xcc)
			return false;
	return true;
}

/* cmd/internal/obj/x86: [lea r12, [rsp - n];] cmp rsp or r12, [r14 + 16]; jbe */
static size_t go_check(const uint8_t *p)
{
	size_t n = 0;

	if (p[0] == 0x4c && p[1] == 0x8d && p[2] == 0x64 && p[3] == 0x24)
		n = 5;
	else if (p[0] == 0x4c && p[1] == 0x8d && p[2] == 0xa4 && p[3] == 0x24)
		n = 8;
	if (p[n] != (n ? 0x4d : 0x49) || p[n + 1] != 0x3b || p[n + 2] != 0x66 || p[n + 3] != 0x10)
		return 0;
	n += 4;
	if (p[n] == 0x76)
		return n + 2;
	return p[n] == 0x0f && p[n + 1] == 0x86 ? n + 6 : 0;
}

/* Bytes 1 and 2 of the targets that may stand in a mov r32, imm32. */
struct constants {
	struct {
		lanes second, third;
	} at[256];
	size_t n;
};

static void add_constant(struct constants *constants, uint64_t target)
{
	lanes second = splat((uint8_t)(target >> 8)), third = splat((uint8_t)(target >> 16));

	if (target > UINT32_MAX || constants->n == ARRAY_SIZE(constants->at))
		return;
	for (size_t i = 0; i < constants->n; i++)
		if (constants->at[i].second[0] == second[0] && constants->at[i].third[0] == third[0])
			return;
	constants->at[constants->n].second = second;
	constants->at[constants->n++].third = third;
}

static uint32_t constant_of(const uint8_t *p)
{
	uint32_t value;

	memcpy(&value, p + 1, sizeof(value));
	return value;
}

static void refs(const struct machine_targets *targets, struct machine_state *state, uint64_t addr,
		 const uint8_t *bytes, size_t size, size_t more, machine_named_fn fn, void *arg)
{
	const lanes rex_mask = splat(0xfb), rex = splat(0x48), lea = splat(0x8d);
	const lanes rip_mask = splat(0xc7), rip = splat(0x05);
	const lanes mov_mask = splat(0xf8), mov = splat(0xb8);
	struct constants constants;
	size_t at = 0;

	constants.n = 0;
	for (size_t i = 0; i < targets->n && !targets->is_relocated; i++)
		add_constant(&constants, targets->at[i]);
	for (; at + LANES + 8 <= more && at < size; at += LANES) {
		lanes a = load(bytes + at), b = load(bytes + at + 1), c = load(bytes + at + 2);
		lanes hit = (lanes)((a & rex_mask) == rex) & (lanes)(b == lea) &
			    (lanes)((c & rip_mask) == rip);
		lanes constant = {}, d;

		if (constants.n) {
			d = load(bytes + at + 3);
			for (size_t i = 0; i < constants.n; i++)
				constant |= (lanes)(c == constants.at[i].second) &
					    (lanes)(d == constants.at[i].third);
			constant &= (lanes)((a & mov_mask) == mov);
		}
		while (any(hit)) {
			size_t k = at + take_lane(&hit);

			if (k < size)
				fn(arg, addr + k, lea_target(bytes + k, addr + k));
		}
		while (any(constant)) {
			size_t k = at + take_lane(&constant);

			if (k < size)
				fn(arg, addr + k, constant_of(bytes + k));
		}
	}
	for (; at < size && at + 7 <= more; at++) {
		if (is_lea(bytes + at))
			fn(arg, addr + at, lea_target(bytes + at, addr + at));
		if (constants.n && (bytes[at] & 0xf8) == 0xb8)
			fn(arg, addr + at, constant_of(bytes + at));
	}
}

static void call(uint64_t at, const uint8_t *p, machine_named_fn fn, void *arg)
{
	int32_t distance;

	memcpy(&distance, p + 1, sizeof(distance));
	fn(arg, at, at + 5 + (uint64_t)(int64_t)distance);
}

static void calls(uint64_t addr, const uint8_t *bytes, size_t size, size_t more,
		  machine_named_fn fn, void *arg)
{
	const lanes opcode = splat(0xe8);
	size_t at = 0;

	for (; at + LANES + 8 <= more && at < size; at += LANES) {
		lanes hit = (lanes)(load(bytes + at) == opcode);

		while (any(hit)) {
			size_t k = at + take_lane(&hit);

			if (k < size)
				call(addr + k, bytes + k, fn, arg);
		}
	}
	for (; at < size && at + 5 <= more; at++)
		if (bytes[at] == 0xe8)
			call(addr + at, bytes + at, fn, arg);
}

const struct machine machine_x86 = {
	.name = "x86_64",
	.elf = EM_X86_64,
	.relative = R_X86_64_RELATIVE,
	.unit = 1,
	.alignment = 16,
	.end = BEFORE_END,
	.go_unit = 1,
	.go_entry = "_rt0_amd64_linux",
	.decoder_new = decoder_new,
	.decoder_free = decoder_free,
	.decode = decode,
	.is_prologue = is_prologue,
	.is_frame = is_frame,
	.before = what_is_before,
	.is_padding = is_padding,
	.go_check = go_check,
	.refs = refs,
	.calls = calls,
};

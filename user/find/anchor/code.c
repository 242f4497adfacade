/* SPDX-License-Identifier: Apache-2.0 */
#include "find/anchor/code_internal.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"

#define SITE_BACK    64
#define CALL_BACK    128
#define SITE_FORWARD 64

struct code *code_free(struct code *code)
{
	if (!code)
		return NULL;
	if (code->insn)
		cs_free(code->insn, 1);
	if (code->insn_detailed)
		cs_free(code->insn_detailed, 1);
	if (code->plain)
		cs_close(&code->plain);
	if (code->detailed)
		cs_close(&code->detailed);
	free(code);
	return NULL;
}

struct code *code_new(const struct image *image)
{
	struct code *code = calloc(1, sizeof(*code));

	if (!code)
		return NULL;
	code->image = image;
	if (cs_open(CS_ARCH_X86, CS_MODE_64, &code->plain) ||
	    cs_open(CS_ARCH_X86, CS_MODE_64, &code->detailed))
		return code_free(code);
	cs_option(code->detailed, CS_OPT_DETAIL, CS_OPT_ON);
	code->insn = cs_malloc(code->plain);
	code->insn_detailed = cs_malloc(code->detailed);
	return code->insn && code->insn_detailed ? code : code_free(code);
}

const char *code_proof_name(enum code_proof proof)
{
	static const char *const names[] = {
		[CODE_UNPROVEN] = "not proven",
		[CODE_TABLE] = "unwind table",
		[CODE_PADDING] = "padding and prologue",
		[CODE_FRAME] = "frame-pointer prologue",
	};

	return names[proof];
}

/* Compilers begin functions with these (push, sub rsp, endbr64, mov [rsp+x], rbx). */
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

/* What stands right before a function: the end of another one. An aligned `ret` alone proves nothing. */
enum before { BEFORE_NOTHING, BEFORE_END, BEFORE_PADDING };

static enum before what_is_before(const uint8_t *p, size_t before)
{
	if (before < 16)
		return BEFORE_NOTHING;
	if (p[-1] == 0xcc || ends_with_nop(p, before))
		return BEFORE_PADDING;
	/* ud2, jmp rel32, call rel32 of what does not return */
	if ((p[-2] == 0x0f && p[-1] == 0x0b) || p[-5] == 0xe9 || p[-5] == 0xe8)
		return BEFORE_END;
	return BEFORE_NOTHING;
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

/* Code does not go on behind these. */
static bool is_end(const cs_insn *insn)
{
	return insn->id == X86_INS_RET || insn->id == X86_INS_JMP || insn->id == X86_INS_UD2 ||
	       insn->id == X86_INS_HLT;
}

/* What is decoded: buf[0] is at `base`. */
struct range {
	uint64_t base;
	size_t size;
};

/* Might another function start here? Then a jump to it may be a call in the last place. */
static bool may_be_start(const struct code *code, const struct range *range, uint64_t addr)
{
	const uint8_t *p = code->buf + (addr - range->base);
	size_t before = (size_t)(addr - range->base);

	return is_prologue(p, range->size - before) &&
	       (what_is_before(p, before) != BEFORE_NOTHING || p[-1] == 0xc3);
}

/*
 * Whether straight decoding from `from` meets each mark as an instruction of the same function. Behind a
 * return, a jump or padding it is the same function only if something before it jumps there or further;
 * otherwise the marks are a neighbour's, and `from` is a start, but of another.
 */
static bool decodes_through(struct code *code, const struct range *range, uint64_t from,
			    const uint64_t *marks, size_t n)
{
	const uint8_t *bytes = code->buf + (from - range->base);
	size_t left = range->size - (size_t)(from - range->base), n_met = 0;
	uint64_t addr = from, last = marks[n - 1], reached = from, target;

	while (addr <= last) {
		const uint8_t *here = code->buf + (addr - range->base);

		if (addr > reached && !(addr & 15) &&
		    what_is_before(here, (size_t)(addr - range->base)) == BEFORE_PADDING)
			return false;
		if (!cs_disasm_iter(code->plain, &bytes, &left, &addr, code->insn) ||
		    code->insn->id == X86_INS_INT3)
			return false;
		while (n_met < n && marks[n_met] == code->insn->address)
			n_met++;
		if (jump_target(code->insn, &target) && target > reached &&
		    target - range->base < range->size && !may_be_start(code, range, target))
			reached = target;
		if (is_end(code->insn) && reached < addr)
			return n_met == n;
	}
	return n_met == n;
}

static int by_padding(struct code *code, uint64_t base, size_t size, const uint64_t *marks,
		      size_t n, struct code_start *ret)
{
	for (uint64_t at = marks[0] & ~15ULL; at >= base + 16; at -= 16) {
		const uint8_t *p = code->buf + (at - base);
		enum before before = what_is_before(p, (size_t)(at - base));

		if (before == BEFORE_NOTHING || !is_prologue(p, size - (size_t)(at - base)))
			continue;
		if (decodes_through(code, &(struct range){ base, size }, at, marks, n)) {
			*ret = (struct code_start){ .addr = at, .proof = CODE_PADDING };
			return 0;
		}
		if (p[-1] == 0xcc)
			break;
	}
	return -ENOENT;
}

/* Without alignment (-Oz): push rbp; mov rbp, rsp behind the end of another function, the nearest or none. */
static int by_frame(struct code *code, uint64_t base, size_t size, const uint64_t *marks, size_t n,
		    struct code_start *ret)
{
	static const uint8_t prologue[4] = { 0x55, 0x48, 0x89, 0xe5 };

	for (uint64_t at = marks[0]; at >= base + 16; at--) {
		const uint8_t *p = code->buf + (at - base);

		if (memcmp(p, prologue, sizeof(prologue)))
			continue;
		if (p[-1] != 0xc3 && p[-2] != 0xeb && what_is_before(p, 16) == BEFORE_NOTHING)
			continue;
		if (!decodes_through(code, &(struct range){ base, size }, at, marks, n))
			return -ENOENT;
		*ret = (struct code_start){ .addr = at, .proof = CODE_FRAME };
		return 0;
	}
	return -ENOENT;
}

static int by_address(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

int code_start(struct code *code, const uint64_t *marks, size_t n, struct code_start *ret)
{
	uint64_t sorted[CODE_MARKS_MAX], base;
	struct code_start start = { .proof = CODE_TABLE };
	ssize_t size;
	int err;

	if (!n || n > CODE_MARKS_MAX)
		return -ENOENT;
	memcpy(sorted, marks, n * sizeof(*marks));
	qsort(sorted, n, sizeof(*sorted), by_address);
	err = image_function(code->image, sorted[0], &start.addr, &start.end);
	if (!err && sorted[n - 1] < start.end) {
		*ret = start;
		return 0;
	}
	if (err && err != -ENOENT)
		return err;
	if (sorted[n - 1] - sorted[0] > CODE_BACK_MAX - SITE_FORWARD ||
	    !image_is_code(code->image, sorted[0]))
		return -ENOENT;
	base = image_code_begin(code->image, sorted[0]);
	if (sorted[0] - base > CODE_BACK_MAX)
		base = sorted[0] - CODE_BACK_MAX;
	size = image_read_some(code->image, base, code->buf, sizeof(code->buf));
	if (size < 0)
		return (int)size;
	if ((uint64_t)size < sorted[n - 1] + 16 - base)
		return -ENOENT;
	err = by_padding(code, base, (size_t)size, sorted, n, ret);
	return err ? by_frame(code, base, (size_t)size, sorted, n, ret) : 0;
}

static int argument_of(unsigned int reg)
{
	static const x86_reg names[CODE_ARG_REGS][2] = {
		[CODE_RDI] = { X86_REG_RDI, X86_REG_EDI },
		[CODE_RSI] = { X86_REG_RSI, X86_REG_ESI },
		[CODE_RDX] = { X86_REG_RDX, X86_REG_EDX },
		[CODE_RCX] = { X86_REG_RCX, X86_REG_ECX },
		[CODE_R8] = { X86_REG_R8, X86_REG_R8D },
	};

	for (int i = 0; i < CODE_ARG_REGS; i++)
		if (names[i][0] == reg || names[i][1] == reg)
			return i;
	return -1;
}

/* Pushed constants of -Oz code, which writes push imm8; pop reg. */
struct pushed {
	uint32_t values[8];
	bool is_known[8];
	size_t n;
};

static void push(struct pushed *pushed, const cs_x86 *x86)
{
	bool is_constant = x86->op_count == 1 && x86->operands[0].type == X86_OP_IMM;

	if (pushed->n == ARRAY_SIZE(pushed->values)) {
		memmove(pushed->values, pushed->values + 1,
			sizeof(pushed->values) - sizeof(pushed->values[0]));
		memmove(pushed->is_known, pushed->is_known + 1,
			sizeof(pushed->is_known) - sizeof(pushed->is_known[0]));
		pushed->n--;
	}
	pushed->values[pushed->n] = is_constant ? (uint32_t)x86->operands[0].imm : 0;
	pushed->is_known[pushed->n++] = is_constant;
}

static void set(struct code_site *site, int arg, bool is_known, uint32_t value)
{
	site->constants[arg] = value;
	site->is_known[arg] = is_known;
}

/* What an instruction that writes an argument register leaves in it. */
static void step(struct code_site *site, struct pushed *pushed, const cs_insn *insn)
{
	const cs_x86 *x86 = &insn->detail->x86;
	const cs_x86_op *op = x86->operands;
	int to = x86->op_count && op[0].type == X86_OP_REG ? argument_of(op[0].reg) : -1;

	if (insn->id == X86_INS_PUSH) {
		push(pushed, x86);
		return;
	}
	if (insn->id == X86_INS_POP && pushed->n) {
		pushed->n--;
		if (to >= 0)
			set(site, to, pushed->is_known[pushed->n], pushed->values[pushed->n]);
		return;
	}
	if (to < 0 || insn->id == X86_INS_CMP || insn->id == X86_INS_TEST)
		return;
	if ((insn->id == X86_INS_MOV || insn->id == X86_INS_MOVABS) && x86->op_count == 2 &&
	    op[1].type == X86_OP_IMM)
		set(site, to, true, (uint32_t)op[1].imm);
	else if (insn->id == X86_INS_XOR && x86->op_count == 2 && op[1].type == X86_OP_REG &&
		 op[1].reg == op[0].reg)
		set(site, to, true, 0);
	else
		set(site, to, false, 0);
}

static bool ends_straight_code(const struct code *code, const cs_insn *insn)
{
	return insn->id == X86_INS_CALL || insn->id == X86_INS_JMP ||
	       cs_insn_group(code->detailed, insn, X86_GRP_RET);
}

/* Reads from `from` on; false: no instruction begins at `at`. */
static bool read_site(struct code *code, uint64_t base, size_t size, uint64_t from, uint64_t at,
		      struct code_site *ret)
{
	const uint8_t *bytes = code->buf + (from - base);
	size_t left = size - (size_t)(from - base);
	struct pushed pushed = {};
	uint64_t addr = from;
	bool is_met = false;

	*ret = (struct code_site){ .named = -1 };
	while (cs_disasm_iter(code->detailed, &bytes, &left, &addr, code->insn_detailed)) {
		const cs_insn *insn = code->insn_detailed;

		if (insn->address > at && !is_met)
			return false;
		if (ends_straight_code(code, insn)) {
			if (is_met || insn->address == at)
				return true;
			*ret = (struct code_site){ .named = -1 };
			pushed.n = 0;
			continue;
		}
		step(ret, &pushed, insn);
		if (insn->address == at) {
			const cs_x86_op *op = insn->detail->x86.operands;

			is_met = true;
			ret->named = op[0].type == X86_OP_REG ? argument_of(op[0].reg) : -1;
		}
	}
	return is_met;
}

/* Whether decoding from `from` comes to an instruction at `at`. */
static bool leads_to(struct code *code, uint64_t base, size_t size, uint64_t from, uint64_t at)
{
	const uint8_t *bytes = code->buf + (from - base);
	size_t left = size - (size_t)(from - base);
	uint64_t addr = from;

	while (addr < at && cs_disasm_iter(code->plain, &bytes, &left, &addr, code->insn))
		;
	return addr == at;
}

static int site_from(struct code *code, uint64_t at, size_t back, struct code_site *ret)
{
	uint64_t base = image_code_begin(code->image, at);
	ssize_t size;

	if (at - base > back)
		base = at - back;
	size = image_read_some(code->image, base, code->buf, back + SITE_FORWARD);
	if (size < 0)
		return (int)size;
	/* x86 code falls into step within a few instructions, so the farthest beginning that fits is right */
	for (uint64_t from = base; from <= at && from - base < (uint64_t)size; from++)
		if (leads_to(code, base, (size_t)size, from, at) &&
		    read_site(code, base, (size_t)size, from, at, ret))
			return 0;
	return -ENOENT;
}

int code_site(struct code *code, uint64_t at, struct code_site *ret)
{
	return site_from(code, at, SITE_BACK, ret);
}

int code_call(struct code *code, uint64_t at, struct code_site *ret)
{
	return site_from(code, at, CALL_BACK, ret);
}

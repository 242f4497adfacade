/* SPDX-License-Identifier: Apache-2.0 */
/* Whole functions, whose start and end are known, from one instruction to the next. */
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "find/anchor/code_internal.h"

#define FUNCTION_MAX (64u << 10)

/* Hands each instruction of [start, end) over; fn returns false to end it with -EOPNOTSUPP. 0 or -errno as code_returns(). */
static int walk(struct code *code, uint64_t start, uint64_t end,
		bool (*fn)(void *arg, const cs_insn *insn), void *arg)
{
	_cleanup_free_ uint8_t *buf = NULL;
	const uint8_t *bytes;
	uint64_t addr = start;
	size_t left;
	int err;

	if (end <= start || end - start > FUNCTION_MAX)
		return -EOPNOTSUPP;
	left = (size_t)(end - start);
	buf = malloc(left);
	if (!buf)
		return -ENOMEM;
	err = image_read(code->image, start, buf, left);
	if (err)
		return err;
	bytes = buf;
	while (left && *bytes != 0xcc &&
	       cs_disasm_iter(code->plain, &bytes, &left, &addr, code->insn))
		if (!fn(arg, code->insn))
			return -EOPNOTSUPP;
	/* what is left is padding to the next function, or it was not code */
	for (size_t i = 0; i < left; i++)
		if (bytes[i] != 0xcc)
			return -EOPNOTSUPP;
	return 0;
}

struct noted {
	uint64_t *at;
	size_t n, max;
};

static bool note(struct noted *noted, uint64_t value)
{
	if (noted->n == noted->max)
		return false;
	noted->at[noted->n++] = value;
	return true;
}

static bool note_return(void *arg, const cs_insn *insn)
{
	return insn->id != X86_INS_RET || note(arg, insn->address);
}

int code_returns(struct code *code, uint64_t start, uint64_t end, uint64_t *ret, size_t max)
{
	struct noted noted = { .at = ret, .max = max };
	int err = walk(code, start, end, note_return, &noted);

	return err ? err : (int)noted.n;
}

/* lea reg, [rip + x] of 64 bits; and mov r32, imm32, which is an address where nothing is relocated. */
static bool note_address(void *arg, const cs_insn *insn)
{
	const uint8_t *b = insn->bytes;
	int32_t distance;

	if (insn->size == 7 && (b[0] & 0xfb) == 0x48 && b[1] == 0x8d && (b[2] & 0xc7) == 0x05) {
		memcpy(&distance, b + 3, sizeof(distance));
		return note(arg, insn->address + 7 + (uint64_t)(int64_t)distance);
	}
	return true;
}

static bool note_constant(void *arg, const cs_insn *insn)
{
	const uint8_t *b = insn->bytes;
	size_t at = insn->size == 6 && b[0] == 0x41 ? 1 : 0;
	uint32_t value;

	if (insn->size != at + 5 || (b[at] & 0xf8) != 0xb8)
		return note_address(arg, insn);
	memcpy(&value, b + at + 1, sizeof(value));
	return note(arg, value);
}

int code_addresses(struct code *code, uint64_t start, uint64_t end, uint64_t *ret, size_t max)
{
	struct noted noted = { .at = ret, .max = max };
	int err = walk(code, start, end, code->image->is_relocated ? note_address : note_constant,
		       &noted);

	return err ? err : (int)noted.n;
}

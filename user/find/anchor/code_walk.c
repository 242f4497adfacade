/* SPDX-License-Identifier: Apache-2.0 */
/* Whole functions, whose start and end are known, from one instruction to the next. */
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "find/anchor/code_internal.h"

#define FUNCTION_MAX (64u << 10)

/* Hands each instruction of [start, end) over; fn returns false to end it with -EOPNOTSUPP. 0 or -errno as code_returns(). */
static int walk(struct code *code, uint64_t start, uint64_t end,
		bool (*fn)(void *arg, const struct insn *insn), void *arg)
{
	const struct machine *machine = code->machine;
	struct machine_state state = {};
	_cleanup_free_ uint8_t *buf = NULL;
	size_t size, at = 0;
	struct insn insn;
	int err;

	if (end <= start || end - start > FUNCTION_MAX)
		return -EOPNOTSUPP;
	size = (size_t)(end - start);
	buf = malloc(size);
	if (!buf)
		return -ENOMEM;
	err = image_read(code->image, start, buf, size);
	if (err)
		return err;
	while (machine->decode(code->decoder, buf + at, size - at, start + at, &state, &insn) &&
	       insn.kind != INSN_PADDING) {
		if (!fn(arg, &insn))
			return -EOPNOTSUPP;
		at += insn.size;
	}
	/* what is left is padding to the next function, or it was not code */
	return machine->is_padding(buf + at, size - at) ? 0 : -EOPNOTSUPP;
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

static bool note_return(void *arg, const struct insn *insn)
{
	return insn->kind != INSN_RETURN || note(arg, insn->addr);
}

int code_returns(struct code *code, uint64_t start, uint64_t end, uint64_t *ret, size_t max)
{
	struct noted noted = { .at = ret, .max = max };
	int err = walk(code, start, end, note_return, &noted);

	return err ? err : (int)noted.n;
}

static bool note_address(void *arg, const struct insn *insn)
{
	return !insn->names_address || note(arg, insn->named);
}

static bool note_constant(void *arg, const struct insn *insn)
{
	return !(insn->names_address || insn->names_constant) || note(arg, insn->named);
}

int code_addresses(struct code *code, uint64_t start, uint64_t end, uint64_t *ret, size_t max)
{
	struct noted noted = { .at = ret, .max = max };
	int err = walk(code, start, end, code->image->is_relocated ? note_address : note_constant,
		       &noted);

	return err ? err : (int)noted.n;
}

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
	code->machine->decoder_free(code->decoder);
	free(code);
	return NULL;
}

struct code *code_new(const struct image *image)
{
	struct code *code = calloc(1, sizeof(*code));

	if (!code)
		return NULL;
	code->image = image;
	code->machine = image->machine;
	if (code->machine->decoder_new(&code->decoder))
		return code;
	free(code);
	return NULL;
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

/* Code does not go on behind these. */
static bool is_end(const struct insn *insn)
{
	return insn->kind == INSN_RETURN || insn->kind == INSN_JUMP || insn->kind == INSN_TRAP;
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

	return code->machine->is_prologue(p, range->size - before) &&
	       code->machine->before(p, before) >= BEFORE_RETURN;
}

/*
 * Whether straight decoding from `from` meets each mark as an instruction of the same function. Behind a
 * return, a jump or padding it is the same function only if something before it jumps there or further;
 * otherwise the marks are a neighbour's, and `from` is a start, but of another.
 */
static bool decodes_through(struct code *code, const struct range *range, uint64_t from,
			    const uint64_t *marks, size_t n)
{
	const struct machine *machine = code->machine;
	uint64_t last = marks[n - 1], reached = from;
	bool has_left = false;
	struct insn insn;
	size_t n_met = 0;

	for (uint64_t addr = from; addr <= last; addr += insn.size) {
		size_t at = (size_t)(addr - range->base);

		if (addr > reached && !(addr % machine->alignment) &&
		    machine->before(code->buf + at, at) >= BEFORE_PADDING)
			return false;
		if (!machine->decode(code->decoder, code->buf + at, range->size - at, addr, NULL,
				     &insn) ||
		    insn.kind == INSN_PADDING)
			return false;
		while (n_met < n && marks[n_met] == addr)
			n_met++;
		if (insn.has_target && !has_left && insn.target > reached &&
		    insn.target - range->base < range->size &&
		    !may_be_start(code, range, insn.target))
			reached = insn.target;
		if (is_end(&insn) && reached < addr + insn.size)
			return n_met == n;
		has_left = insn.leaves;
	}
	return n_met == n;
}

static int by_padding(struct code *code, uint64_t base, size_t size, const uint64_t *marks,
		      size_t n, struct code_start *ret)
{
	const struct machine *machine = code->machine;

	for (uint64_t at = marks[0] - marks[0] % machine->alignment; at >= base + 16;
	     at -= machine->alignment) {
		const uint8_t *p = code->buf + (at - base);
		enum machine_before before = machine->before(p, (size_t)(at - base));

		if (before < machine->end || !machine->is_prologue(p, size - (size_t)(at - base)))
			continue;
		if (decodes_through(code, &(struct range){ base, size }, at, marks, n)) {
			*ret = (struct code_start){ .addr = at, .proof = CODE_PADDING };
			return 0;
		}
		if (before == BEFORE_NO_FUNCTION)
			break;
	}
	return -ENOENT;
}

/* Without alignment (-Oz): the prologue of a frame behind the end of another function, the nearest or none. */
static int by_frame(struct code *code, uint64_t base, size_t size, const uint64_t *marks, size_t n,
		    struct code_start *ret)
{
	const struct machine *machine = code->machine;

	for (uint64_t at = marks[0] - marks[0] % machine->unit; at >= base + 16;
	     at -= machine->unit) {
		const uint8_t *p = code->buf + (at - base);

		if (!machine->is_frame(p, size - (size_t)(at - base)) ||
		    machine->before(p, (size_t)(at - base)) == BEFORE_NOTHING)
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

static bool ends_straight_code(const struct insn *insn)
{
	return insn->kind == INSN_CALL || is_end(insn);
}

/* What is decoded to know what an instruction is beside. */
struct reading {
	struct range range;
	uint64_t from, at;
	const struct code_site *moved; /* what the call at `at` does, if it is of a piece that was moved */
};

/* Reads from `from` on; false: no instruction begins at `at`. */
static bool read_site(struct code *code, const struct reading *reading, struct code_site *ret)
{
	const struct machine *machine = code->machine;
	const struct range *range = &reading->range;
	struct machine_state state = {}, before;
	bool is_met = false;
	struct insn insn;

	*ret = (struct code_site){ .named = -1, .begin = reading->from };
	for (uint64_t addr = reading->from;; addr += insn.size) {
		size_t at = (size_t)(addr - range->base);

		before = state;
		if (!machine->decode(code->decoder, code->buf + at, range->size - at, addr, &state,
				     &insn))
			return is_met;
		if (addr > reading->at && !is_met)
			return false;
		if (addr == reading->at && reading->moved) {
			state = before;
			for (int i = 0; i < MACHINE_ARGS; i++)
				if (reading->moved->args[i].is_known)
					state.registers[i] = reading->moved->args[i];
			insn.fills = reading->moved->named;
		} else if (ends_straight_code(&insn)) {
			ret->is_returned = insn.kind == INSN_RETURN;
			if (is_met || addr == reading->at)
				return true;
			state = (struct machine_state){};
			ret->begin = addr + insn.size;
			continue;
		}
		memcpy(ret->args, state.registers, sizeof(ret->args));
		if (addr == reading->at) {
			is_met = true;
			ret->named = insn.fills;
		}
	}
}

/* Whether decoding from `from` comes to an instruction at `at`. */
static bool leads_to(struct code *code, uint64_t base, size_t size, uint64_t from, uint64_t at)
{
	struct insn insn;

	while (from < at && code->machine->decode(code->decoder, code->buf + (from - base),
						  size - (size_t)(from - base), from, NULL, &insn))
		from += insn.size;
	return from == at;
}

static int site_from(struct code *code, uint64_t at, size_t back, const struct code_site *moved,
		     struct code_site *ret)
{
	uint64_t base = image_code_begin(code->image, at);
	ssize_t size;

	if (at - base > back)
		base = at - back;
	size = image_read_some(code->image, base, code->buf, back + SITE_FORWARD);
	if (size < 0)
		return (int)size;
	/* code of any length falls into step within a few instructions, so the farthest beginning that fits is right */
	for (uint64_t from = base; from <= at && from - base < (uint64_t)size; from++) {
		struct reading reading = { { base, (size_t)size }, from, at, moved };

		if (leads_to(code, base, (size_t)size, from, at) && read_site(code, &reading, ret))
			return 0;
	}
	return -ENOENT;
}

int code_site(struct code *code, uint64_t at, struct code_site *ret)
{
	return site_from(code, at, SITE_BACK, NULL, ret);
}

int code_moved(struct code *code, uint64_t at, const struct code_site *moved, struct code_site *ret)
{
	return site_from(code, at, SITE_BACK, moved, ret);
}

int code_call(struct code *code, uint64_t at, struct code_site *ret)
{
	return site_from(code, at, CALL_BACK, NULL, ret);
}

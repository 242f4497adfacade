/* SPDX-License-Identifier: Apache-2.0 */
#include "find/anchor/relocs.h"

#include <elf.h>
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"

#define DYNAMIC_MAX 512
#define RELA_MAX    (8u << 20) /* entries; Codex has 0.7 million, Chromium 1.5 */
#define RELA_PIECE  8192

int relocs_open(struct relocs *ret, const struct image *image)
{
	_cleanup_free_ Elf64_Dyn *entries = calloc(DYNAMIC_MAX, sizeof(*entries));
	size_t size = DYNAMIC_MAX * sizeof(*entries);
	uint64_t bytes = 0;
	ssize_t n;

	*ret = (struct relocs){ .image = image };
	if (!entries)
		return -ENOMEM;
	if (!image->dynamic)
		return 0;
	if (size > image->dynamic_len)
		size = image->dynamic_len;
	n = image_read_some(image, image->dynamic, entries, size);
	if (n < 0)
		return (int)n;
	for (size_t i = 0; i < (size_t)n / sizeof(*entries) && entries[i].d_tag != DT_NULL; i++) {
		if (entries[i].d_tag == DT_RELA)
			ret->rela = entries[i].d_un.d_ptr;
		else if (entries[i].d_tag == DT_RELASZ)
			bytes = entries[i].d_un.d_val;
	}
	if (ret->rela && bytes / sizeof(Elf64_Rela) <= RELA_MAX)
		ret->n_rela = bytes / sizeof(Elf64_Rela);
	return 0;
}

/* Its addend and the load address, and nothing else. */
static bool is_relative(const struct relocs *relocs, const Elf64_Rela *rela)
{
	return ELF64_R_TYPE(rela->r_info) == relocs->image->machine->relative;
}

int relocs_pointer(const struct relocs *relocs, uint64_t place, uint64_t *ret)
{
	uint64_t low = 0, high = relocs->n_rela;
	int err = image_read(relocs->image, place, ret, sizeof(*ret));

	if (err)
		return err;
	while (!*ret && low < high) {
		uint64_t middle = low + (high - low) / 2;
		Elf64_Rela rela;

		err = image_read(relocs->image, relocs->rela + middle * sizeof(rela), &rela,
				 sizeof(rela));
		if (err)
			return err;
		if (is_relative(relocs, &rela) && rela.r_offset == place)
			*ret = (uint64_t)rela.r_addend;
		else if (is_relative(relocs, &rela) && rela.r_offset < place)
			low = middle + 1;
		else
			high = middle;
	}
	return 0;
}

struct wanted {
	const struct relocs_range *ranges;
	size_t n_ranges;
	uint64_t low, high; /* of all of them */
	struct relocs_place *places;
	size_t n, max;
	bool is_full;
};

static void note(struct wanted *wanted, uint64_t at, uint64_t pointer)
{
	bool is_wanted = false;

	if (pointer < wanted->low || pointer >= wanted->high)
		return;
	for (size_t i = 0; i < wanted->n_ranges; i++)
		is_wanted |= pointer >= wanted->ranges[i].from && pointer < wanted->ranges[i].to;
	if (!is_wanted)
		return;
	if (wanted->n == wanted->max) {
		wanted->is_full = true;
		return;
	}
	wanted->places[wanted->n++] = (struct relocs_place){ at, pointer };
}

static int in_table(const struct relocs *relocs, struct wanted *wanted)
{
	_cleanup_free_ Elf64_Rela *rela = calloc(RELA_PIECE, sizeof(*rela));

	if (!rela)
		return -ENOMEM;
	for (uint64_t i = 0; i < relocs->n_rela && !wanted->is_full; i += RELA_PIECE) {
		uint64_t left = relocs->n_rela - i;
		size_t n = left < RELA_PIECE ? (size_t)left : RELA_PIECE;
		int err = image_read(relocs->image, relocs->rela + i * sizeof(*rela), rela,
				     n * sizeof(*rela));

		if (err)
			return err;
		for (size_t k = 0; k < n; k++)
			if (is_relative(relocs, &rela[k]))
				note(wanted, rela[k].r_offset, (uint64_t)rela[k].r_addend);
	}
	return 0;
}

static bool in_data(void *arg, uint64_t addr, const uint8_t *bytes, size_t size, size_t more)
{
	struct wanted *wanted = arg;

	for (size_t at = -addr & 7; at < size && at + 8 <= more; at += 8) {
		uint64_t word;

		memcpy(&word, bytes + at, sizeof(word));
		note(wanted, addr + at, word);
	}
	return !wanted->is_full;
}

int relocs_places(const struct relocs *relocs, const struct relocs_range *ranges, size_t n_ranges,
		  struct relocs_place *ret, size_t max)
{
	struct wanted wanted = {
		.ranges = ranges, .n_ranges = n_ranges, .low = UINT64_MAX, .places = ret, .max = max
	};
	int err;

	if (n_ranges > RELOCS_RANGES_MAX)
		return -E2BIG;
	for (size_t i = 0; i < n_ranges; i++) {
		wanted.low = ranges[i].from < wanted.low ? ranges[i].from : wanted.low;
		wanted.high = ranges[i].to > wanted.high ? ranges[i].to : wanted.high;
	}
	err = in_table(relocs, &wanted);
	if (!err && !wanted.n)
		err = image_walk(relocs->image, IMAGE_DATA, 0, UINT64_MAX, in_data, &wanted);
	/* what needs no relocation is not written */
	if (!err && !wanted.n && !relocs->image->is_relocated)
		err = image_walk(relocs->image, IMAGE_CONSTANTS, 0, UINT64_MAX, in_data, &wanted);
	if (err)
		return err;
	return wanted.is_full ? -E2BIG : (int)wanted.n;
}

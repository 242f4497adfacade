/* SPDX-License-Identifier: Apache-2.0 */
#include "find/elf/site_add.h"

#include <errno.h>

#include "find/elf/disasm.h"

int sites_add_at(const struct elf *elf, struct sites *sites, enum tap_role role, uint64_t addr)
{
	uint64_t offset;

	if (sites->n == SITES_MAX)
		return -EOPNOTSUPP;
	if (elf_offset(elf, addr, &offset) < 0)
		return -EBADMSG;
	sites->at[sites->n++] = (struct tap_site){ .role = role, .offset = offset };
	return 0;
}

/* These have arguments on the stack, or a return: the stack must be as it was at the entry. */
static bool must_keep_stack(enum tap_role role)
{
	return role <= TAP_AEAD_OPEN;
}

static int add_returns(const struct elf *elf, struct sites *sites, uint64_t addr, uint64_t size)
{
	struct disasm_exits exits;
	int err = disasm_exits(elf, addr, size, &exits);

	/* who is jumped to returns in its place, from where no probe would be */
	if (!err && exits.n_tails)
		err = -EOPNOTSUPP;
	for (size_t i = 0; !err && i < exits.n_returns; i++)
		err = sites_add_at(elf, sites, TAP_RETURN, exits.returns[i]);
	if (!err)
		sites->n_stepped += exits.n_returns;
	return err;
}

int sites_add_function(const struct elf *elf, struct sites *sites, enum tap_role role,
		       uint64_t addr, uint64_t size, bool by_instruction)
{
	struct disasm_spot spot;
	int err = disasm_spot(elf, addr, size, must_keep_stack(role), &spot);

	if (!err && by_instruction && role <= TAP_AEAD_OPEN)
		err = add_returns(elf, sites, addr, size);
	if (err)
		return err;
	sites->n_stepped += spot.is_stepped;
	return sites_add_at(elf, sites, role, spot.addr);
}

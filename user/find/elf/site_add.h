/* SPDX-License-Identifier: Apache-2.0 */
/* Adds probes to the list for one file; for those who find functions. */
#ifndef FIND_ELF_SITE_ADD_H
#define FIND_ELF_SITE_ADD_H

#include "find/elf/site.h"

/* At this very instruction, which is known to be one. 0; -EBADMSG: not in the code; -EOPNOTSUPP: no room. */
int sites_add_at(const struct elf *elf, struct sites *sites, enum tap_role role, uint64_t addr);

/*
 * Where the function that starts at `addr` (size: 0 if unknown) is probed for this role: the cheapest address
 * that sees its arguments (disasm_spot). With by_instruction a role that has a return gets all its return
 * instructions, too. 0; -EBADMSG; -EOPNOTSUPP: its returns are not known, or no room; -errno.
 */
int sites_add_function(const struct elf *elf, struct sites *sites, enum tap_role role,
		       uint64_t addr, uint64_t size, bool by_instruction);

#endif

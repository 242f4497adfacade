/* SPDX-License-Identifier: Apache-2.0 */
/* From functions that were found by anchors to probes. */
#ifndef FIND_ANCHOR_SITES_H
#define FIND_ANCHOR_SITES_H

#include "find/anchor/anchor.h"
#include "find/elf/site.h"

/*
 * The probes for every stack that is proven. 0; -ENOENT: none is; -EOPNOTSUPP: by_instruction, and where its
 * functions return is not known (site.h); -EBADMSG; -errno.
 */
int anchors_sites(const struct anchors *anchors, int fd, bool by_instruction, struct sites *ret);

#endif

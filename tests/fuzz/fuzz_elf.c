/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as an ELF file, through the search for functions and the disassembly behind it. */
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "find/elf/site.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int fd = -1;
	struct sites sites;

	if (fd < 0)
		fd = memfd_create("elf", MFD_CLOEXEC);
	if (ftruncate(fd, 0) < 0 || pwrite(fd, data, size, 0) != (ssize_t)size)
		return 0;
	if (sites_find(fd, false, &sites))
		return 0;
	if (!sites.n || sites.n > SITES_MAX || sites.n_stepped > sites.n || !sites.flavour)
		abort();
	for (size_t i = 0; i < sites.n; i++)
		if (sites.at[i].offset >= size || sites.at[i].role >= TAP_ROLES)
			abort();
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a program file, through the search for TLS code without symbols. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "find/anchor/sites.h"
#include "find/stack.h"

static void check_sites(const struct anchors *anchors, int fd, bool by_instruction, size_t size)
{
	struct sites sites;

	if (anchors_sites(anchors, fd, by_instruction, &sites))
		return;
	if (!sites.n || sites.n > SITES_MAX || sites.n_stepped > sites.n || !sites.flavour[0])
		abort();
	for (size_t i = 0; i < sites.n; i++)
		if (sites.at[i].offset >= size || sites.at[i].role >= TAP_ROLES)
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int fd = -1;
	struct anchors anchors;
	char text[128];

	if (fd < 0)
		fd = memfd_create("program", MFD_CLOEXEC);
	if (ftruncate(fd, 0) < 0 || pwrite(fd, data, size, 0) != (ssize_t)size)
		return 0;
	if (anchors_find(fd, NULL, &anchors))
		return 0;
	stack_describe(&anchors, text, sizeof(text));
	if (strlen(text) >= sizeof(text))
		abort();
	check_sites(&anchors, fd, false, size);
	check_sites(&anchors, fd, true, size);
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/memory.h"

#include <link.h>
#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cleanup.h"

/* A segment that holds nothing of its own: what is touched again comes back from the page cache. */
static int page_out(struct dl_phdr_info *info, size_t size, void *arg)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);

	for (size_t i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
		uintptr_t start = (info->dlpi_addr + segment->p_vaddr) & -page;
		uintptr_t end = info->dlpi_addr + segment->p_vaddr + segment->p_memsz;

		if (segment->p_type == PT_LOAD && !(segment->p_flags & PF_W))
			(void)madvise((void *)start, end - start, MADV_PAGEOUT);
	}
	return 0;
}

void memory_trim(void)
{
	malloc_trim(0);
	(void)dl_iterate_phdr(page_out, NULL);
}

void memory_keep_from_dumps(void)
{
	_cleanup_fclose_ FILE *maps = fopen("/proc/self/maps", "re");
	unsigned long start, end;
	char line[512];

	while (maps && fgets(line, sizeof(line), maps))
		if ((strstr(line, "bpf-map") || strstr(line, "[heap]")) &&
		    sscanf(line, "%lx-%lx", &start, &end) == 2)
			(void)madvise((void *)start, end - start, MADV_DONTDUMP);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Where a symbol of a file is, as nm tells it. */
#ifndef UNIT_FIND_NM_H
#define UNIT_FIND_NM_H

#include "unit.h"

#include <stdint.h>

/* Its virtual address, without its version; 0: it is not there. `flags` are nm's. */
static inline uint64_t nm_address(const char *path, const char *symbol, const char *flags)
{
	unsigned long long addr = 0;
	char command[512], line[512];
	FILE *nm;

	snprintf(command, sizeof(command), "nm %s %s 2>/dev/null | sed 's/@.*//'", flags, path);
	nm = popen(command, "r");
	assert_non_null(nm);
	while (fgets(line, sizeof(line), nm)) {
		unsigned long long at;
		char name[256];

		if (sscanf(line, "%llx %*c %255s", &at, name) == 2 && !strcmp(name, symbol))
			addr = at;
	}
	pclose(nm);
	return addr;
}

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* A byte of seed, what the client writes, "====", what the server answers. */
#include "talk.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	const uint8_t *middle, *sides[2];
	size_t lens[2];

	if (len < 2 || len > 65536)
		return 0;
	middle = memmem(bytes + 1, len - 1, "====", 4);
	sides[0] = bytes + 1;
	lens[0] = middle ? (size_t)(middle - sides[0]) : len - 1;
	sides[1] = middle ? middle + 4 : bytes + len;
	lens[1] = bytes + len - sides[1];
	talk_both_ways(sides, lens, bytes[0]);
	return 0;
}

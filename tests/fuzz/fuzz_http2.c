/* SPDX-License-Identifier: Apache-2.0 */
/* A byte of seed, two of the length of what the client writes after its preface, that, the answers. */
#include "talk.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
	static uint8_t client[65536 + sizeof(preface)];
	const uint8_t *sides[2] = { client, NULL };
	size_t lens[2], n;

	if (len < 3 || len > 65536)
		return 0;
	n = (bytes[1] << 8 | bytes[2]) % (len - 2);
	memcpy(client, preface, sizeof(preface) - 1);
	memcpy(client + sizeof(preface) - 1, bytes + 3, n);
	lens[0] = sizeof(preface) - 1 + n;
	sides[1] = bytes + 3 + n;
	lens[1] = len - 3 - n;
	talk_both_ways(sides, lens, bytes[0]);
	return 0;
}

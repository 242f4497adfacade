/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A byte: was it seen from its start. Then steps: a byte of flags (side, gap, repeat), a byte of
 * length (255: up to the next 0xff), bytes.
 */
#include "talk.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	static struct talk talk;
	static const uint64_t jumps[] = { 1, 7, 300, 20000, 1ull << 40, 1ull << 62, 3, 5 };
	uint64_t offsets[2] = { 0, 0 };
	struct conn_stats stats;
	const uint8_t *end = bytes + len;

	if (!len || len > 65536)
		return 0;
	memset(&talk, 0, sizeof(talk));
	talk.conn = conn_new(*bytes++ & 1);
	while (end - bytes >= 2) {
		uint8_t flags = *bytes++;
		size_t n = *bytes++;
		enum http_side side = flags & 1;
		const uint8_t *stop;

		if (n == 255) {
			stop = memchr(bytes, 0xff, end - bytes);
			n = (stop ? stop : end) - bytes;
		}
		n = n < (size_t)(end - bytes) ? n : (size_t)(end - bytes);
		if (flags & 2)
			offsets[side] += jumps[flags >> 5];
		talk_feed(&talk, side, offsets[side], bytes, n);
		offsets[side] += n;
		if (flags & 4)
			talk_feed(&talk, side, offsets[side] - n, bytes, n);
		bytes += n;
	}
	offsets[0] += len & 1;
	talk_end(&talk, offsets, &stats);
	return 0;
}

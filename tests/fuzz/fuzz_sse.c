/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The first byte seeds the cuts; a stream in pieces must give the events of the whole one, and, where a few bytes
 * are already too many to be held, their data.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cut.h"
#include "http/sse.h"

static uint64_t mix(uint64_t hash, const void *bytes, size_t len)
{
	const uint8_t *at = bytes;

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ at[i]) * 0x100000001b3u;
	return (hash ^ len) * 0x100000001b3u;
}

/* Pieces are mixed byte by byte, so that it does not matter where one ends. */
static uint64_t take(uint64_t hash, const struct sse_event *event, bool is_long)
{
	if (!is_long)
		return mix(mix(hash, event->name, strlen(event->name)), event->data, event->len);
	for (size_t i = 0; i < event->len; i++)
		hash = mix(hash, &event->data[i], 1);
	return event->is_last ? mix(hash, "end", 3) : hash;
}

static uint64_t run(const uint8_t *bytes, size_t len, unsigned seed, bool is_cut, bool is_long)
{
	struct sse sse = { .event_max = is_long && is_cut ? 24 : 0 };
	struct sse_event event;
	uint64_t hash = 0xcbf29ce484222325u;
	size_t at = 0;

	while (at < len) {
		size_t n = is_cut ? cut_next(&seed, len - at) : len - at;
		uint8_t *copy = malloc(n);

		memcpy(copy, bytes + at, n);
		sse_feed(&sse, copy, n);
		while (sse_next(&sse, &event)) {
			hash = take(hash, &event, is_long);
		}
		free(copy);
		at += n;
	}
	if (sse_end(&sse, &event))
		hash = take(hash, &event, is_long);
	sse_done(&sse);
	return hash;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	if (!len)
		return 0;
	for (int is_long = 0; is_long < 2; is_long++)
		if (run(bytes + 1, len - 1, 0, false, is_long) !=
		    run(bytes + 1, len - 1, bytes[0], true, is_long))
			abort();
	return 0;
}

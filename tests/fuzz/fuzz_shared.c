/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a server of shared budgets may answer: the first byte seeds the cuts, and an answer in pieces
 * must be understood as the whole one. Each list is taken as the parts of a counter.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cut.h"
#include "shared/shared_internal.h"

struct seen {
	struct shared_entry entry;
	uint64_t hash;
};

static uint64_t mix(uint64_t hash, const void *bytes, size_t len)
{
	const uint8_t *at = bytes;

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ at[i]) * 0x100000001b3u;
	return (hash ^ len) * 0x100000001b3u;
}

static bool on_reply(void *arg, const struct shared_reply *reply)
{
	struct seen *seen = arg;
	char text[SHARED_VALUE_MAX];
	struct shared_part part, again;
	unsigned bad = 0;
	int64_t now_us = 1000 * seen->entry.slot_us;
	int64_t seq;
	uint64_t sum;

	seen->hash = mix(seen->hash, &reply->kind, sizeof(reply->kind));
	seen->hash = mix(seen->hash, reply->text, reply->len);
	seen->hash = mix(seen->hash, &reply->number, sizeof(reply->number));
	for (size_t i = 0; i < reply->n; i++) {
		seen->hash = mix(seen->hash, reply->items[i].text, reply->items[i].len);
		if (!shared_part_read(reply->items[i].text, reply->items[i].len, &part))
			continue;
		/* What is written is read back the same. */
		if (!shared_part_read(text, shared_part_write(&part, text), &again) ||
		    again.n != part.n || again.seq != part.seq ||
		    memcmp(again.slots, part.slots, part.n * sizeof(part.slots[0])))
			abort();
	}
	if (reply->kind != SHARED_LIST)
		return true;
	seq = shared_entry_parts(&seen->entry, reply, "me", now_us, &bad);
	sum = shared_entry_remote(&seen->entry, now_us);
	if (sum > INT64_MAX || seen->entry.remote.n > POLICY_SLOTS)
		abort();
	seen->hash = mix(seen->hash, &seq, sizeof(seq));
	seen->hash = mix(seen->hash, &sum, sizeof(sum));
	return true;
}

static uint64_t run(const uint8_t *bytes, size_t len, unsigned seed, bool is_cut)
{
	struct seen seen = { .entry.slot_us = 1000000, .hash = 0xcbf29ce484222325u };
	struct shared_reader *reader = shared_reader_new();
	bool is_good = reader;
	size_t at = 0;

	if (seed & 1)
		seen.entry.slot_us = 0;
	seen.entry.window_start_us = 5;
	while (is_good && at < len) {
		size_t n = is_cut ? cut_next(&seed, len - at) : len - at;

		is_good = shared_reader_feed(reader, (const char *)bytes + at, n, on_reply, &seen);
		at += n;
	}
	shared_reader_free(reader);
	return mix(seen.hash, &is_good, sizeof(is_good));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	/* Only the last bit of the seed says which window. */
	if (!len)
		return 0;
	if (run(bytes + 1, len - 1, bytes[0], false) != run(bytes + 1, len - 1, bytes[0], true))
		abort();
	return 0;
}

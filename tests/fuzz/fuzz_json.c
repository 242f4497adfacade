/* SPDX-License-Identifier: Apache-2.0 */
/* The scanner never crashes, and tells the same whatever the cuts are. The first byte is the step. */
#include <stdlib.h>
#include <string.h>

#include "base/json.h"

/* A sum over all that was told: spans are summed byte by byte, as they may be cut anywhere. */
struct sum {
	uint64_t value, before;
};

static void add(struct sum *sum, const void *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		sum->value = (sum->value ^ ((const uint8_t *)bytes)[i]) * 0x100000001b3;
}

static void take_value(void *arg, int id, enum json_kind kind, const char *key, const char *text,
		       bool is_cut)
{
	if (strlen(key) >= JSON_KEY_LEN || strlen(text) >= JSON_VALUE_LEN)
		abort();
	add(arg, &id, sizeof(id));
	add(arg, &kind, sizeof(kind));
	add(arg, key, strlen(key));
	add(arg, text, strlen(text));
}

static void take_text(void *arg, enum json_text what, const uint8_t *bytes, size_t len)
{
	struct sum *sum = arg;

	if (what == JSON_TEXT_BEGIN)
		sum->before = sum->value;
	else if (what == JSON_TEXT_SPAN)
		add(sum, bytes, len);
	else if (what == JSON_TEXT_DROP)
		sum->value = sum->before;
}

static const struct json_node inner[] = {
	{ "a", .id = 2 },
	{ "*", .id = 3 },
	{ 0 },
};
static const struct json_node root[] = {
	{ "model", .id = 1 },
	{ "usage", .id = 4, .in = inner },
	{ "tools", .in = inner, .is_schema = true },
	{ "*", .id = 5 },
	{ 0 },
};
static const char *const mute[] = { "id", NULL };

static uint64_t run(const uint8_t *data, size_t size, size_t step)
{
	struct sum sum = { 0 };
	struct json_sink sink = { .value = take_value, .text = take_text, .mute = mute, .arg = &sum };
	enum json_status status = JSON_MORE;
	struct json_scan scan;

	json_init(&scan, root, &sink);
	for (size_t at = 0; at < size && status != JSON_BAD; at += step) {
		size_t n = step < size - at ? step : size - at;
		uint8_t *copy = malloc(n);

		memcpy(copy, data + at, n);
		status = json_feed(&scan, copy, n);
		free(copy);
	}
	return sum.value ^ (status == JSON_BAD);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 2)
		return 0;
	if (run(data + 1, size - 1, size) != run(data + 1, size - 1, 1 + data[0]))
		abort();
	return 0;
}

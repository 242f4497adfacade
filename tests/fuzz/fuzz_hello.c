/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes are fed at once and cut in two at a place that they choose themselves: both must say
 * the same, unless the whole is refused for having more records than one packet is followed for.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct bytes {
	const uint8_t *data;
	size_t len;
};

static int hello_load(const void *from, uint32_t at, void *to, uint32_t n)
{
	const struct bytes *b = from;

	if (n == 0 || at > b->len || n > b->len - at)
		abort();
	memcpy(to, b->data + at, n);
	return 0;
}

#include "hello.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes b = { data, size };
	struct hello whole = { 0 }, cut = { 0 }, connect = { 0 };
	enum hello_result a, c;
	size_t at;

	if (size < 2 || size > 60000)
		return 0;
	at = 1 + (data[size / 2] * 256u + data[size - 1]) % (size - 1);
	a = hello_feed(&whole, &b, 0, size);
	c = hello_feed(&cut, &b, 0, at);
	if (c == HELLO_MORE)
		c = hello_feed(&cut, &b, at, size);
	if (a != c && a != HELLO_BAD)
		abort();
	if (a == HELLO_NAME &&
	    (whole.name_len < 1 || whole.name_len > HELLO_NAME_MAX ||
	     whole.name_len != cut.name_len || memcmp(whole.name, cut.name, whole.name_len)))
		abort();
	if (hello_connect(&connect, &b, 0, size) == HELLO_NAME && connect.name_len < 1)
		abort();
	return 0;
}

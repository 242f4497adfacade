/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A client's first datagrams: a list of (size: 2 bytes, datagram). What comes out is a name or none.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "quic/greeting.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct greeting *greeting = greeting_new();

	while (greeting && size >= 2) {
		size_t len = (size_t)(data[0] | data[1] << 8);

		data += 2;
		size -= 2;
		len = len < size ? len : size;
		if (greeting_feed(greeting, data, len) == GREETING_NAME &&
		    (!*greeting_name(greeting) || strlen(greeting_name(greeting)) > 255))
			abort();
		data += len;
		size -= len;
	}
	greeting_free(greeting);
	return 0;
}

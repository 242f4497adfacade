/* SPDX-License-Identifier: Apache-2.0 */
#include "reader/message.h"

#include <stddef.h>
#include <string.h>

/* What of a connection can be counted at all, as bytes or events. */
#define COUNT_MAX (1ULL << 40)

size_t message_size(uint32_t kind)
{
	static const size_t sizes[MESSAGE_KINDS] = {
		[MESSAGE_NAMED] = HTTP_HOST_LEN,
		[MESSAGE_PASSED] = sizeof(struct message_request),
		[MESSAGE_BEGAN] = sizeof(struct message_begin),
		[MESSAGE_SO_FAR] = sizeof(struct reading),
		[MESSAGE_OVER] = sizeof(struct reading),
		[MESSAGE_STANDING] = sizeof(struct message_standing),
	};

	return kind < MESSAGE_KINDS && sizes[kind] ? offsetof(struct message, host) + sizes[kind] :
						     0;
}

static bool ends(const char *text, size_t size)
{
	return memchr(text, '\0', size);
}

static bool can_stand(const struct message_standing *standing, const struct reading_bounds *bounds)
{
	const uint64_t counts[] = { standing->gaps, standing->gap_bytes, standing->resyncs,
				    standing->bad_encodings, standing->calls_dropped };

	for (size_t i = 0; i < sizeof(counts) / sizeof(*counts); i++)
		if (counts[i] > COUNT_MAX)
			return false;
	return (unsigned)standing->protocol <= CONN_OTHER &&
	       standing->unread_bytes[HTTP_REQUEST] <= bounds->bytes[HTTP_REQUEST] &&
	       standing->unread_bytes[HTTP_RESPONSE] <= bounds->bytes[HTTP_RESPONSE];
}

bool message_check(const struct message *message, const struct reading_bounds *bounds)
{
	switch (message->kind) {
	case MESSAGE_NAMED:
		return ends(message->host, sizeof(message->host));
	case MESSAGE_PASSED:
		return ends(message->request.host, sizeof(message->request.host));
	case MESSAGE_BEGAN:
		return ends(message->begin.path, sizeof(message->begin.path)) &&
		       reading_check(&message->begin.reading, bounds);
	case MESSAGE_SO_FAR:
	case MESSAGE_OVER:
		return reading_check(&message->reading, bounds);
	case MESSAGE_STANDING:
		return can_stand(&message->standing, bounds);
	default:
		return false;
	}
}

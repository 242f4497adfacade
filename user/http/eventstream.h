/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Splits application/vnd.amazon.eventstream (Amazon Event Stream Specification): messages of a length, the
 * length of their headers, a CRC of these two, headers, a payload and a CRC of all before. Payloads are
 * handed on in the pieces they come in, none is held; what a message said counts once its CRC was right,
 * which its last piece tells.
 *
 * As with sse.h, feeding and pulling alternate: after eventstream_feed(), call eventstream_next() until it
 * returns false. The fed bytes must stay valid until then.
 */
#ifndef HTTP_EVENTSTREAM_H
#define HTTP_EVENTSTREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EVENTSTREAM_PRELUDE  12
#define EVENTSTREAM_NAME_LEN 48
/* The specification's bounds: 128 KiB of headers, 24 MiB of payload. */
#define EVENTSTREAM_HEADERS_MAX (128u << 10)
#define EVENTSTREAM_MESSAGE_MAX ((24u << 20) + EVENTSTREAM_HEADERS_MAX + 16)

struct eventstream_piece {
	const char *type;  /* :event-type, or :exception-type */
	bool is_exception; /* :message-type is exception or error */
	bool is_first, is_last;
	bool is_sound; /* is_last: the CRC was right */
	/* is_first and is_last: the bytes are the whole payload. */
	const uint8_t *bytes;
	size_t len;
};

/* All zero is a splitter at the start of a stream; the fields are the module's own. */
struct eventstream {
	const uint8_t *bytes;
	size_t len;
	uint8_t prelude[EVENTSTREAM_PRELUDE]; /* of the next message, or the last bytes of a search for one */
	uint8_t crc_bytes[4];
	uint32_t n; /* bytes of the part in progress */
	uint32_t headers_len, payload_len, crc;
	uint8_t part;
	bool is_searching; /* bytes were lost: until a prelude whose CRC is right */
	bool is_begun;     /* a piece of the message was given */
	/* Of the header in progress. */
	uint8_t header_part, header_name, header_type;
	uint16_t header_len, header_n;
	char name[EVENTSTREAM_NAME_LEN], value[EVENTSTREAM_NAME_LEN];
	char type[EVENTSTREAM_NAME_LEN];
	bool is_exception;
	uint64_t bad; /* messages with a wrong CRC or an impossible length */
};

void eventstream_feed(struct eventstream *stream, const uint8_t *bytes, size_t len);
/* The next piece, valid until the next call; false when more must be fed. */
bool eventstream_next(struct eventstream *stream, struct eventstream_piece *ret);
/* Bytes were lost here: the message in progress is dropped, the next one is looked for. */
void eventstream_gap(struct eventstream *stream);

#endif

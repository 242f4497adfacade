/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The body of one message: takes its bytes as they were sent, gives them decoded, in pieces. What
 * cannot be decoded (corrupt, cut by a gap, a bomb, an unknown encoding) comes out as lost bytes,
 * counted as sent. Without an encoding nothing is copied.
 */
#ifndef HTTP_BODY_H
#define HTTP_BODY_H

#include "http/http.h"

/*
 * Output of one step. A decoder with gzip's state and this is 72 KiB, and exists from the first
 * byte of an encoded body to its end.
 */
#define BODY_CHUNK 32768
/* Decoders at once in the process: 512 x 72 KiB = 36 MiB with gzip, the encoding that is seen. */
#define BODY_DECODERS_MAX 512
/* A bomb: more than this decoded, or more than the ratio once past the floor. gzip ends at 1032. */
#define BODY_DECODED_MAX (256u << 20)
#define BODY_RATIO_MAX 200
#define BODY_RATIO_FLOOR (1u << 20)
/* zstd: RFC 9659 wants 8 MiB windows and allows no larger; brotli: CDNs use up to 4 MiB. */
#define BODY_ZSTD_WINDOW_LOG 23
#define BODY_BROTLI_BYTES (5u << 20)

struct decoder;

/* All zero is a body that has ended; the fields are the module's own but for the counts. */
struct body {
	struct decoder *decoder;
	const uint8_t *bytes;	/* fed, not handed on */
	size_t len;
	uint64_t lost_bytes;	/* not handed on yet */
	uint64_t wire_bytes;	/* of this message, lost ones included */
	uint64_t bad_encodings;	/* bodies given up, over all messages */
	enum http_encoding encoding;
	bool is_broken;		/* the rest cannot be decoded */
};

void body_begin(struct body *body, enum http_encoding encoding);
/* Bytes as sent; they must stay valid until body_next() gave false. */
void body_feed(struct body *body, const uint8_t *bytes, size_t len);
/* n bytes were not captured. */
void body_gap(struct body *body, uint64_t n);
/* Sets bytes, len and lost_bytes of a body piece; false: nothing more for now. */
bool body_next(struct body *body, struct http_piece *ret);
/* Frees what decoding needed. */
void body_end(struct body *body);

#endif

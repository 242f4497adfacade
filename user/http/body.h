/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The body of one message: takes its bytes as they were sent, gives them decoded, in pieces. What
 * cannot be decoded (corrupt, cut by a gap, a bomb, an unknown encoding) comes out as lost bytes,
 * counted as sent. Without an encoding nothing is copied.
 */
#ifndef HTTP_BODY_H
#define HTTP_BODY_H

#include "http/http.h"

struct decoder;

/* What is encoded twice: the output of one decoder is the input of the other. */
struct body_inner {
	struct decoder *decoder;
	const uint8_t *bytes; /* of the outer one's, not taken */
	size_t len;
	uint64_t given; /* bytes so far */
	enum http_encoding encoding;
};

/* All zero is a body that has ended; the fields are the module's own but for the counts. */
struct body {
	struct decoder *decoder;
	const uint8_t *bytes; /* fed, not handed on */
	size_t len;
	struct body_inner inner;
	uint64_t lost_bytes;    /* not handed on yet */
	uint64_t wire_bytes;    /* of this message, lost ones included */
	uint64_t bad_encodings; /* bodies given up, over all messages */
	enum http_encoding encoding;
	bool is_broken; /* the rest cannot be decoded */
};

/* Encoded once; who knows of an encoding below it sets inner.encoding. */
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

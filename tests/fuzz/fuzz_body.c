/* SPDX-License-Identifier: Apache-2.0 */
/* A byte of two encodings, one of seed, the body: whole and in pieces it must say the same. */
#include "talk.h"

#include "http/body.h"
#include "http/decoder.h"

static uint64_t run(uint8_t encodings, const uint8_t *bytes, size_t len, unsigned seed, bool is_cut,
		    uint64_t *ret_bad)
{
	enum http_encoding encoding = encodings % (HTTP_ENCODING_UNKNOWN + 1);
	enum http_encoding inner = encodings / 16 % (HTTP_ENCODING_UNKNOWN + 1);
	struct body body = { 0 };
	struct http_piece piece;
	uint64_t hash = 1, given = 0, lost = 0;

	body_begin(&body, encoding);
	body.inner.encoding = encoding == HTTP_IDENTITY ? HTTP_IDENTITY : inner;
	for (size_t at = 0, n; at < len; at += n) {
		n = len - at;
		if (is_cut) {
			seed = seed * 1103515245 + 12345;
			n = 1 + (seed >> 16) % 30;
			n = n < len - at ? n : len - at;
		}
		uint8_t *copy = malloc(n);

		memcpy(copy, bytes + at, n);
		body_feed(&body, copy, n);
		while (body_next(&body, &piece)) {
			MUST(piece.len <= DECODER_CHUNK || encoding == HTTP_IDENTITY);
			hash = talk_mix(hash, piece.bytes, piece.len);
			given += piece.len;
			lost += piece.lost_bytes;
		}
		free(copy);
	}
	MUST(lost <= len && body.wire_bytes == len);
	MUST(given <= DECODED_RATIO_FLOOR + DECODER_CHUNK + (uint64_t)len * DECODED_RATIO_MAX);
	*ret_bad = body.bad_encodings;
	body_end(&body);
	return hash;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	uint64_t a, b, bad_whole, bad_cut;

	if (len < 2)
		return 0;
	a = run(bytes[0], bytes + 2, len - 2, 0, false, &bad_whole);
	b = run(bytes[0], bytes + 2, len - 2, bytes[1], true, &bad_cut);
	MUST(bad_whole || bad_cut || a == b);
	return 0;
}

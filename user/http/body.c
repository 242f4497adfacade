/* SPDX-License-Identifier: Apache-2.0 */
#include "http/body.h"

#include "http/decoder.h"

void body_begin(struct body *body, enum http_encoding encoding)
{
	body_end(body);
	body->encoding = encoding;
	body->inner.encoding = HTTP_IDENTITY;
	body->inner.given = 0;
	body->wire_bytes = 0;
	body->lost_bytes = 0;
	body->is_broken = false;
}

void body_end(struct body *body)
{
	if (!body)
		return;
	body->decoder = decoder_free(body->decoder);
	body->inner.decoder = decoder_free(body->inner.decoder);
	body->bytes = body->inner.bytes = NULL;
	body->len = body->inner.len = 0;
}

/* The rest of the body is lost, from the bytes that wait on. */
static void body_break(struct body *body)
{
	body->is_broken = true;
	body->lost_bytes += body->len;
	body_end(body);
}

void body_feed(struct body *body, const uint8_t *bytes, size_t len)
{
	body->wire_bytes += len;
	if (body->is_broken) {
		body->lost_bytes += len;
		return;
	}
	body->bytes = bytes;
	body->len = len;
	if (body->encoding == HTTP_IDENTITY || body->decoder || !len)
		return;
	body->decoder = decoder_new(body->encoding);
	if (body->decoder && body->inner.encoding != HTTP_IDENTITY)
		body->inner.decoder = decoder_new(body->inner.encoding);
	if (!body->decoder || (body->inner.encoding != HTTP_IDENTITY && !body->inner.decoder)) {
		body->bad_encodings++;
		body_break(body);
	}
}

void body_gap(struct body *body, uint64_t n)
{
	body->wire_bytes += n;
	body->lost_bytes += n;
	if (n && body->encoding != HTTP_IDENTITY && !body->is_broken)
		body_break(body);
}

enum decoded { DECODED_NOTHING, DECODED_SOME, DECODED_BROKEN };

/* Takes from the bytes until there is output, of `*ret` bytes. */
static enum decoded decode(struct decoder *decoder, const uint8_t **bytes, size_t *len, size_t *ret)
{
	while (*len || decoder_is_full(decoder)) {
		size_t before = *len;

		if (decoder_is_ended(decoder)) {
			*len = 0;
			break;
		}
		if (!decoder_step(decoder, bytes, len, ret))
			return DECODED_BROKEN;
		if (*ret)
			return DECODED_SOME;
		if (*len == before && !decoder_is_ended(decoder) && !decoder_is_between(decoder))
			break;
	}
	return DECODED_NOTHING;
}

/* Each decoder looks out for bombs by itself; two could be one together. */
static bool is_bomb(struct body *body, size_t n)
{
	body->inner.given += n;
	return body->inner.given > DECODED_RATIO_FLOOR &&
	       body->inner.given / DECODED_RATIO_MAX > body->wire_bytes;
}

static enum decoded decode_inner(struct body *body, size_t *ret)
{
	struct body_inner *inner = &body->inner;
	enum decoded done;
	size_t n = 0;

	for (;;) {
		done = decode(inner->decoder, &inner->bytes, &inner->len, ret);
		if (done == DECODED_SOME && is_bomb(body, *ret))
			return DECODED_BROKEN;
		if (done != DECODED_NOTHING)
			return done;
		done = decode(body->decoder, &body->bytes, &body->len, &n);
		if (done != DECODED_SOME)
			return done;
		inner->bytes = decoder_out(body->decoder);
		inner->len = n;
	}
}

static bool decoded_next(struct body *body, struct http_piece *ret)
{
	struct decoder *last = body->inner.decoder ? body->inner.decoder : body->decoder;
	size_t n = 0, before = body->len;
	enum decoded done = body->inner.decoder ?
				    decode_inner(body, &n) :
				    decode(body->decoder, &body->bytes, &body->len, &n);

	if (done == DECODED_BROKEN) {
		/* what the failed step took is lost with the rest */
		body->len = before;
		body->bad_encodings++;
		body_break(body);
	}
	if (done != DECODED_SOME)
		return false;
	ret->bytes = decoder_out(last);
	ret->len = n;
	return true;
}

bool body_next(struct body *body, struct http_piece *ret)
{
	ret->bytes = NULL;
	ret->len = 0;
	ret->lost_bytes = 0;
	if (body->decoder && decoded_next(body, ret))
		return true;
	if (!body->decoder && body->len) {
		ret->lost_bytes = body->lost_bytes;
		body->lost_bytes = 0;
		ret->bytes = body->bytes;
		ret->len = body->len;
		body->len = 0;
		return true;
	}
	if (!body->lost_bytes)
		return false;
	ret->lost_bytes = body->lost_bytes;
	body->lost_bytes = 0;
	return true;
}

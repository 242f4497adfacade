/* SPDX-License-Identifier: Apache-2.0 */
#include "http/body.h"

#include "http/decoder.h"

void body_begin(struct body *body, enum http_encoding encoding)
{
	body_end(body);
	body->encoding = encoding;
	body->wire_bytes = 0;
	body->lost_bytes = 0;
	body->is_broken = false;
}

void body_end(struct body *body)
{
	if (!body)
		return;
	body->decoder = decoder_free(body->decoder);
	body->bytes = NULL;
	body->len = 0;
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
	if (!body->decoder) {
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

static bool decoded_next(struct body *body, struct http_piece *ret)
{
	struct decoder *decoder = body->decoder;

	while (body->len || decoder_is_full(decoder)) {
		size_t n = 0, before = body->len;

		if (decoder_is_ended(decoder)) {
			body->len = 0;
			return false;
		}
		if (!decoder_step(decoder, &body->bytes, &body->len, &n)) {
			/* what the failed step took is lost with the rest */
			body->len = before;
			body->bad_encodings++;
			body_break(body);
			return false;
		}
		if (n) {
			ret->bytes = decoder_out(decoder);
			ret->len = n;
			return true;
		}
		if (body->len == before && !decoder_is_ended(decoder) && !decoder_is_between(decoder))
			break;
	}
	return false;
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

/* SPDX-License-Identifier: Apache-2.0 */
#include "http/body.h"

#include <brotli/decode.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

struct decoder {
	z_stream z;
	BrotliDecoderState *br;
	ZSTD_DStream *zstd;
	enum http_encoding encoding;
	uint64_t in, out_bytes;	/* so far */
	size_t br_bytes;	/* allocated by brotli */
	uint8_t start[2];	/* deflate: zlib's header, or raw */
	uint8_t n_start;
	bool has_z;
	bool is_between;	/* gzip: a member ended, another may follow */
	bool is_ended;		/* what follows is padding */
	bool is_full;		/* the last step filled its output: more may wait inside */
	uint8_t out[BODY_CHUNK];
};

static unsigned decoders_live;

/* Each block remembers its size, so that the sum can be bounded. */
static void *br_alloc(void *opaque, size_t size)
{
	struct decoder *decoder = opaque;
	size_t *block;

	if (size > BODY_BROTLI_BYTES - decoder->br_bytes)
		return NULL;
	block = malloc(size + 16);
	if (!block)
		return NULL;
	decoder->br_bytes += size;
	*block = size;
	return (uint8_t *)block + 16;
}

static void br_free(void *opaque, void *address)
{
	struct decoder *decoder = opaque;
	size_t *block;

	if (!address)
		return;
	block = (size_t *)((uint8_t *)address - 16);
	decoder->br_bytes -= *block;
	free(block);
}

static struct decoder *decoder_free(struct decoder *decoder)
{
	if (!decoder)
		return NULL;
	if (decoder->has_z)
		inflateEnd(&decoder->z);
	if (decoder->br)
		BrotliDecoderDestroyInstance(decoder->br);
	ZSTD_freeDStream(decoder->zstd);
	free(decoder);
	decoders_live--;
	return NULL;
}

static bool zlib_start(struct decoder *decoder, int window_bits)
{
	decoder->has_z = inflateInit2(&decoder->z, window_bits) == Z_OK;
	return decoder->has_z;
}

static struct decoder *decoder_new(enum http_encoding encoding)
{
	struct decoder *decoder;
	bool ok = false;

	if (decoders_live >= BODY_DECODERS_MAX)
		return NULL;
	decoder = malloc(sizeof(*decoder));
	if (!decoder)
		return NULL;
	memset(decoder, 0, offsetof(struct decoder, out));
	decoder->encoding = encoding;
	decoders_live++;
	switch (encoding) {
	case HTTP_GZIP:
		ok = zlib_start(decoder, 16 + MAX_WBITS);
		break;
	case HTTP_DEFLATE:
		ok = true;
		break;
	case HTTP_BR:
		decoder->br = BrotliDecoderCreateInstance(br_alloc, br_free, decoder);
		ok = decoder->br;
		break;
	case HTTP_ZSTD:
		decoder->zstd = ZSTD_createDStream();
		ok = decoder->zstd && !ZSTD_isError(ZSTD_DCtx_setParameter(
			decoder->zstd, ZSTD_d_windowLogMax, BODY_ZSTD_WINDOW_LOG));
		break;
	default:
		break;
	}
	return ok ? decoder : decoder_free(decoder);
}

/* Each step takes from the bytes, writes from out[0] on, and gives false for what is corrupt. */

static bool zlib_step(struct decoder *decoder, const uint8_t **bytes, size_t *len, size_t *ret)
{
	z_stream *z = &decoder->z;
	uInt given = *len < 1u << 30 ? *len : 1u << 30;
	int err;

	if (decoder->is_between && *len) {
		decoder->is_between = false;
		if (**bytes != 0x1f) {
			decoder->is_ended = true;
			return true;
		}
		inflateReset(z);
	}
	z->next_in = (Bytef *)*bytes;
	z->avail_in = given;
	z->next_out = decoder->out + *ret;
	z->avail_out = BODY_CHUNK - *ret;
	err = inflate(z, Z_SYNC_FLUSH);
	*bytes += given - z->avail_in;
	*len -= given - z->avail_in;
	*ret = BODY_CHUNK - z->avail_out;
	if (err == Z_STREAM_END && decoder->encoding == HTTP_GZIP)
		decoder->is_between = true;
	else if (err == Z_STREAM_END)
		decoder->is_ended = true;
	return err == Z_OK || err == Z_STREAM_END || err == Z_BUF_ERROR;
}

/*
 * "deflate" is zlib's format (RFC 9110 8.4.1.2), but some send it raw. A zlib header is method 8
 * and divisible by 31 (RFC 1950 2.2), which raw deflate's first bytes practically never are.
 */
static bool deflate_step(struct decoder *decoder, const uint8_t **bytes, size_t *len, size_t *ret)
{
	const uint8_t *start = decoder->start;
	size_t n = 2;

	while (!decoder->has_z) {
		if (!*len)
			return true;
		decoder->start[decoder->n_start++] = *(*bytes)++;
		--*len;
		if (decoder->n_start < 2)
			continue;
		if (!zlib_start(decoder, (start[0] & 15) == 8 && (start[0] << 8 | start[1]) % 31 == 0 ?
			MAX_WBITS : -MAX_WBITS))
			return false;
		if (!zlib_step(decoder, &start, &n, ret))
			return false;
	}
	return decoder->is_ended || zlib_step(decoder, bytes, len, ret);
}

static bool br_step(struct decoder *decoder, const uint8_t **bytes, size_t *len, size_t *ret)
{
	uint8_t *out = decoder->out;
	size_t room = BODY_CHUNK;
	BrotliDecoderResult result =
		BrotliDecoderDecompressStream(decoder->br, len, bytes, &room, &out, NULL);

	*ret = BODY_CHUNK - room;
	decoder->is_ended = result == BROTLI_DECODER_RESULT_SUCCESS;
	return result != BROTLI_DECODER_RESULT_ERROR;
}

static bool zstd_step(struct decoder *decoder, const uint8_t **bytes, size_t *len, size_t *ret)
{
	ZSTD_inBuffer in = { *bytes, *len, 0 };
	ZSTD_outBuffer out = { decoder->out, BODY_CHUNK, 0 };
	size_t result = ZSTD_decompressStream(decoder->zstd, &out, &in);

	*bytes += in.pos;
	*len -= in.pos;
	*ret = out.pos;
	return !ZSTD_isError(result);
}

static bool decoder_step(struct decoder *decoder, const uint8_t **bytes, size_t *len, size_t *ret)
{
	size_t before = *len;
	bool ok = false;

	*ret = 0;
	switch (decoder->encoding) {
	case HTTP_GZIP:
		ok = zlib_step(decoder, bytes, len, ret);
		break;
	case HTTP_DEFLATE:
		ok = deflate_step(decoder, bytes, len, ret);
		break;
	case HTTP_BR:
		ok = br_step(decoder, bytes, len, ret);
		break;
	case HTTP_ZSTD:
		ok = zstd_step(decoder, bytes, len, ret);
		break;
	default:
		break;
	}
	decoder->in += before - *len;
	decoder->out_bytes += *ret;
	decoder->is_full = *ret == BODY_CHUNK;
	if (decoder->out_bytes > BODY_DECODED_MAX)
		return false;
	if (decoder->out_bytes > BODY_RATIO_FLOOR &&
	    decoder->out_bytes / BODY_RATIO_MAX > decoder->in)
		return false;
	return ok;
}

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

	while (body->len || decoder->is_full) {
		size_t n = 0, before = body->len;

		if (decoder->is_ended) {
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
			ret->bytes = decoder->out;
			ret->len = n;
			return true;
		}
		if (body->len == before && !decoder->is_ended && !decoder->is_between)
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

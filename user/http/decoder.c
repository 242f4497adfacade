/* SPDX-License-Identifier: Apache-2.0 */
#include "http/decoder.h"

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
	uint64_t in, out_bytes; /* so far */
	size_t bytes_held;      /* of what all may hold */
	size_t zstd_bytes;      /* of these, zstd's */
	uint8_t start[2];       /* deflate: zlib's header, or raw */
	uint8_t n_start;
	bool has_z;
	bool is_messages; /* see decoder_new_messages() */
	bool is_between;  /* gzip: a member ended, another may follow */
	bool is_ended;    /* what follows is padding */
	bool is_full;     /* the last step filled its output: more may wait inside */
	uint8_t out[DECODER_CHUNK];
};

/* Of all decoders: the library's memory and ours. */
static size_t bytes_held;

/* Takes from what all may hold. False: there is not so much left. */
static bool hold(struct decoder *decoder, size_t bytes)
{
	if (bytes > DECODERS_BYTES_MAX - bytes_held)
		return false;
	bytes_held += bytes;
	decoder->bytes_held += bytes;
	return true;
}

static void let_go(struct decoder *decoder, size_t bytes)
{
	bytes_held -= bytes;
	decoder->bytes_held -= bytes;
}

/* For zlib and brotli. Each block remembers its size, so that the sum can be bounded. */
static void *block_new(void *opaque, size_t size)
{
	struct decoder *decoder = opaque;
	size_t *block;

	if (size > DECODER_BYTES_MAX || size > DECODER_BYTES_MAX - decoder->bytes_held ||
	    !hold(decoder, size))
		return NULL;
	block = malloc(size + 16);
	if (!block) {
		let_go(decoder, size);
		return NULL;
	}
	*block = size;
	return (uint8_t *)block + 16;
}

static void block_free(void *opaque, void *address)
{
	size_t *block;

	if (!address)
		return;
	block = (size_t *)((uint8_t *)address - 16);
	let_go(opaque, *block);
	free(block);
}

static void *zlib_block_new(void *opaque, uInt items, uInt size)
{
	return block_new(opaque, (size_t)items * size);
}

/*
 * zstd takes no allocator in its stable interface, but tells what it holds. It allocates a frame's
 * window when the frame begins, so that what is held too much is one window, and until this step ends.
 */
static bool zstd_hold(struct decoder *decoder)
{
	size_t now = ZSTD_sizeof_DStream(decoder->zstd);

	if (now > decoder->zstd_bytes && !hold(decoder, now - decoder->zstd_bytes))
		return false;
	if (now < decoder->zstd_bytes)
		let_go(decoder, decoder->zstd_bytes - now);
	decoder->zstd_bytes = now;
	return true;
}

struct decoder *decoder_free(struct decoder *decoder)
{
	if (!decoder)
		return NULL;
	if (decoder->has_z)
		inflateEnd(&decoder->z);
	if (decoder->br)
		BrotliDecoderDestroyInstance(decoder->br);
	ZSTD_freeDStream(decoder->zstd);
	let_go(decoder, decoder->bytes_held);
	free(decoder);
	return NULL;
}

static bool zlib_start(struct decoder *decoder, int window_bits)
{
	decoder->z.zalloc = zlib_block_new;
	decoder->z.zfree = block_free;
	decoder->z.opaque = decoder;
	decoder->has_z = inflateInit2(&decoder->z, window_bits) == Z_OK;
	return decoder->has_z;
}

/* NULL: no memory, or none left of what all may hold. */
static struct decoder *decoder_make(enum http_encoding encoding)
{
	struct decoder *decoder = malloc(sizeof(*decoder));

	if (!decoder)
		return NULL;
	memset(decoder, 0, offsetof(struct decoder, out));
	decoder->encoding = encoding;
	return hold(decoder, sizeof(*decoder)) ? decoder : decoder_free(decoder);
}

struct decoder *decoder_new_messages(void)
{
	struct decoder *decoder = decoder_make(HTTP_DEFLATE);

	if (!decoder)
		return NULL;
	decoder->is_messages = true;
	return zlib_start(decoder, -MAX_WBITS) ? decoder : decoder_free(decoder);
}

void decoder_next_message(struct decoder *decoder, bool resets)
{
	decoder->in = decoder->out_bytes = 0;
	if (resets)
		inflateReset(&decoder->z);
}

struct decoder *decoder_new(enum http_encoding encoding)
{
	struct decoder *decoder = decoder_make(encoding);
	bool ok = false;

	if (!decoder)
		return NULL;
	switch (encoding) {
	case HTTP_GZIP:
		ok = zlib_start(decoder, 16 + MAX_WBITS);
		break;
	case HTTP_DEFLATE:
		ok = true;
		break;
	case HTTP_BR:
		decoder->br = BrotliDecoderCreateInstance(block_new, block_free, decoder);
		ok = decoder->br;
		break;
	case HTTP_ZSTD:
		decoder->zstd = ZSTD_createDStream();
		ok = decoder->zstd &&
		     !ZSTD_isError(ZSTD_DCtx_setParameter(decoder->zstd, ZSTD_d_windowLogMax,
							  DECODER_ZSTD_WINDOW_LOG)) &&
		     zstd_hold(decoder);
		break;
	default:
		break;
	}
	return ok ? decoder : decoder_free(decoder);
}

/* A sender may end a deflate stream inside a message (RFC 7692 7.2.3.4); the window stays. */
static bool window_keep(z_stream *z)
{
	uint8_t window[1 << MAX_WBITS];
	uInt len = 0;

	return inflateGetDictionary(z, window, &len) == Z_OK && inflateReset(z) == Z_OK &&
	       inflateSetDictionary(z, window, len) == Z_OK;
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
	z->avail_out = DECODER_CHUNK - *ret;
	err = inflate(z, Z_SYNC_FLUSH);
	*bytes += given - z->avail_in;
	*len -= given - z->avail_in;
	*ret = DECODER_CHUNK - z->avail_out;
	if (err == Z_STREAM_END && decoder->is_messages)
		return window_keep(z);
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
		if (!zlib_start(decoder,
				(start[0] & 15) == 8 && (start[0] << 8 | start[1]) % 31 == 0 ?
					MAX_WBITS :
					-MAX_WBITS))
			return false;
		if (!zlib_step(decoder, &start, &n, ret))
			return false;
	}
	return decoder->is_ended || zlib_step(decoder, bytes, len, ret);
}

static bool br_step(struct decoder *decoder, const uint8_t **bytes, size_t *len, size_t *ret)
{
	uint8_t *out = decoder->out;
	size_t room = DECODER_CHUNK;
	BrotliDecoderResult result = BrotliDecoderDecompressStream(decoder->br, len, bytes, &room,
								   &out, NULL);

	*ret = DECODER_CHUNK - room;
	decoder->is_ended = result == BROTLI_DECODER_RESULT_SUCCESS;
	return result != BROTLI_DECODER_RESULT_ERROR;
}

static bool zstd_step(struct decoder *decoder, const uint8_t **bytes, size_t *len, size_t *ret)
{
	ZSTD_inBuffer in = { *bytes, *len, 0 };
	ZSTD_outBuffer out = { decoder->out, DECODER_CHUNK, 0 };
	size_t result = ZSTD_decompressStream(decoder->zstd, &out, &in);

	*bytes += in.pos;
	*len -= in.pos;
	*ret = out.pos;
	return !ZSTD_isError(result) && zstd_hold(decoder);
}

bool decoder_step(struct decoder *decoder, const uint8_t **bytes, size_t *len, size_t *ret)
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
	decoder->is_full = *ret == DECODER_CHUNK;
	if (decoder->out_bytes > DECODED_MAX)
		return false;
	if (decoder->out_bytes > DECODED_RATIO_FLOOR &&
	    decoder->out_bytes / DECODED_RATIO_MAX > decoder->in)
		return false;
	return ok;
}

const uint8_t *decoder_out(const struct decoder *decoder)
{
	return decoder->out;
}

bool decoder_is_full(const struct decoder *decoder)
{
	return decoder->is_full;
}

bool decoder_is_ended(const struct decoder *decoder)
{
	return decoder->is_ended;
}

bool decoder_is_between(const struct decoder *decoder)
{
	return decoder->is_between;
}

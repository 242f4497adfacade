/* SPDX-License-Identifier: Apache-2.0 */
/* Undoes one content encoding, in steps of bounded size; knows no HTTP message. */
#ifndef HTTP_DECODER_H
#define HTTP_DECODER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "http/http.h"

/* Output of one step. With gzip's state a decoder is 72 KiB, from the first encoded byte to the last. */
#define DECODER_CHUNK 32768
/*
 * What all decoders of the process hold at most, and one: 1,800 with gzip, the encoding that is seen, or
 * 15 whose peers ask for zstd's largest window. One that gets no more is given up, as if its bytes
 * were corrupt.
 */
#define DECODERS_BYTES_MAX      (128u << 20)
#define DECODER_BYTES_MAX       (5u << 20) /* brotli, zlib; CDNs use windows of up to 4 MiB */
#define DECODER_ZSTD_WINDOW_LOG 23         /* RFC 9659 wants 8 MiB windows and allows no larger */
/* A bomb: more than this decoded, or more than the ratio once past the floor. gzip ends at 1032. */
#define DECODED_MAX         (256u << 20)
#define DECODED_RATIO_MAX   200
#define DECODED_RATIO_FLOOR (1u << 20)

struct decoder;

/* NULL: no memory, or no such encoding. */
struct decoder *decoder_new(enum http_encoding encoding);
/*
 * Of a WebSocket's compressed messages, RFC 7692 7.2.2: raw deflate, one message after another. A bomb is told
 * by each message.
 */
struct decoder *decoder_new_messages(void);
/* A message's bytes, and the four that its sender leaves out, were given; resets: the next refers to nothing of it. */
void decoder_next_message(struct decoder *decoder, bool resets);
struct decoder *decoder_free(struct decoder *decoder);

/* Takes from the bytes and writes *ret of them to decoder_out(). False: corrupt, a bomb, or too dear. */
bool decoder_step(struct decoder *decoder, const uint8_t **bytes, size_t *len, size_t *ret);
const uint8_t *decoder_out(const struct decoder *decoder);
/* The last step filled its output: more may wait inside. */
bool decoder_is_full(const struct decoder *decoder);
/* A member of gzip has ended, another may follow. */
bool decoder_is_between(const struct decoder *decoder);
/* What follows is padding. */
bool decoder_is_ended(const struct decoder *decoder);

#endif

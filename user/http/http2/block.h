/* SPDX-License-Identifier: Apache-2.0 */
/* The header blocks of one direction of an HTTP/2 connection: HPACK (RFC 7541), by nghttp2. */
#ifndef HTTP_HTTP2_BLOCK_H
#define HTTP_HTTP2_BLOCK_H

#include "http/http2/frame.h"
#include "http/http.h"

/* A header table that is announced larger is not kept; browsers announce 64 KiB, others 4. */
#define BLOCK_TABLE_MAX 65536

struct nghttp2_hd_inflater;

struct block {
	struct nghttp2_hd_inflater *inflater;
	struct http_head head; /* what the block said so far */
	uint32_t stream;
	uint32_t table_size; /* announced by the other side, in force when this one says so */
	bool has_table_size;
	bool is_open; /* CONTINUATION must follow */
	bool ends_stream;
	bool is_promise; /* of a PUSH_PROMISE */
};

/* false: no memory. */
bool block_init(struct block *block);
void block_done(struct block *block);

/* A frame of HEADERS or PUSH_PROMISE starts a block. */
void block_begin(struct block *block, enum http_side side, const struct frame *frame);
/* Fragments of it. False: corrupt, no later block can be trusted. */
bool block_feed(struct block *block, const uint8_t *bytes, size_t len, bool is_last);

/* The other side allows a table of this size; it counts once this side acknowledges: RFC 7541 4.2. */
void block_announce(struct block *block, uint32_t table_size);
void block_acknowledge(struct block *block);

#endif

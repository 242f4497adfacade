/* SPDX-License-Identifier: Apache-2.0 */
#include "http/http2/block.h"

#include <nghttp2/nghttp2.h>
#include <string.h>

#include "http/head.h"

bool block_init(struct block *block)
{
	memset(block, 0, sizeof(*block));
	return !nghttp2_hd_inflate_new(&block->inflater);
}

void block_done(struct block *block)
{
	if (block->inflater)
		nghttp2_hd_inflate_del(block->inflater);
	block->inflater = NULL;
}

void block_begin(struct block *block, enum http_side side, const struct frame *frame)
{
	memset(&block->head, 0, sizeof(block->head));
	block->head.side = side;
	block->is_open = true;
	block->is_promise = frame->type == FRAME_PUSH_PROMISE;
	block->stream = frame->stream;
	block->ends_stream = !block->is_promise && frame->flags & FRAME_END_STREAM;
}

static void field_take(struct http_head *head, const nghttp2_nv *nv)
{
	const char *name = (const char *)nv->name, *value = (const char *)nv->value;

	if (nv->namelen == 7 && !memcmp(name, ":method", 7)) {
		head_set_method(head, value, nv->valuelen);
	} else if (nv->namelen == 5 && !memcmp(name, ":path", 5)) {
		head_set_target(head, value, nv->valuelen);
	} else if (nv->namelen == 7 && !memcmp(name, ":status", 7)) {
		head->status = 0;
		for (size_t i = 0; i < nv->valuelen && i < 3; i++)
			head->status = head->status * 10 + (value[i] & 15);
	} else {
		head_set(head, head_field(name, nv->namelen), value, nv->valuelen);
	}
}

bool block_feed(struct block *block, const uint8_t *bytes, size_t len, bool is_last)
{
	for (;;) {
		nghttp2_nv nv;
		int flags = 0;
		ssize_t n = nghttp2_hd_inflate_hd2(block->inflater, &nv, &flags, bytes, len,
						   is_last);

		if (n < 0)
			return false;
		bytes += n;
		len -= n;
		if (flags & NGHTTP2_HD_INFLATE_EMIT)
			field_take(&block->head, &nv);
		if (flags & NGHTTP2_HD_INFLATE_FINAL) {
			nghttp2_hd_inflate_end_headers(block->inflater);
			block->is_open = false;
			return true;
		}
		if (!(flags & NGHTTP2_HD_INFLATE_EMIT) && !len)
			return !is_last;
	}
}

void block_announce(struct block *block, uint32_t table_size)
{
	block->table_size = table_size < BLOCK_TABLE_MAX ? table_size : BLOCK_TABLE_MAX;
	block->has_table_size = true;
}

void block_acknowledge(struct block *block)
{
	if (!block->has_table_size)
		return;
	block->has_table_size = false;
	(void)nghttp2_hd_inflate_change_table_size(block->inflater, block->table_size);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "http/grpc.h"

#include <string.h>

#include "base/cleanup.h"

void grpc_init(struct grpc *grpc, enum http_encoding encoding)
{
	memset(grpc, 0, sizeof(*grpc));
	grpc->encoding = encoding;
}

void grpc_done(struct grpc *grpc)
{
	body_end(&grpc->body);
}

void grpc_feed(struct grpc *grpc, const uint8_t *bytes, size_t len)
{
	grpc->bytes = bytes;
	grpc->len = len;
}

static void message_begin(struct grpc *grpc)
{
	const uint8_t *prefix = grpc->prefix;
	enum http_encoding encoding = HTTP_IDENTITY;

	if (prefix[0] > 1) {
		/* No gRPC of today. */
		grpc->is_broken = true;
		grpc->n_prefix = 0;
		return;
	}
	if (prefix[0])
		encoding = grpc->encoding == HTTP_IDENTITY ? HTTP_ENCODING_UNKNOWN : grpc->encoding;
	grpc->left = (uint32_t)prefix[1] << 24 | (uint32_t)prefix[2] << 16 |
		     (uint32_t)prefix[3] << 8 | prefix[4];
	grpc->is_begun = grpc->is_holed = false;
	body_begin(&grpc->body, encoding);
}

static void prefix_take(struct grpc *grpc)
{
	size_t n = (size_t)(GRPC_PREFIX - grpc->n_prefix);

	n = n < grpc->len ? n : grpc->len;
	if (n) /* at an end there are no bytes at all */
		memcpy(grpc->prefix + grpc->n_prefix, grpc->bytes, n);
	grpc->n_prefix += (uint8_t)n;
	grpc->bytes += n;
	grpc->len -= n;
	if (grpc->n_prefix == GRPC_PREFIX)
		message_begin(grpc);
}

/* The next bytes of the message, decompressed. Of one that lacks something the rest is of no use. */
static bool body_give(struct grpc *grpc, struct grpc_piece *ret)
{
	struct http_piece piece;

	while (body_next(&grpc->body, &piece)) {
		grpc->is_holed |= piece.lost_bytes;
		if (grpc->is_holed || !piece.len)
			continue;
		ret->bytes = piece.bytes;
		ret->len = piece.len;
		return true;
	}
	return false;
}

bool grpc_next(struct grpc *grpc, struct grpc_piece *ret)
{
	size_t n;

	memset(ret, 0, sizeof(*ret));
	if (grpc->is_broken && !grpc->n_prefix)
		grpc->len = 0;
	else if (grpc->n_prefix < GRPC_PREFIX)
		prefix_take(grpc);
	if (grpc->n_prefix < GRPC_PREFIX)
		return false;
	ret->is_first = !grpc->is_begun;
	while (!body_give(grpc, ret)) {
		if (!grpc->left) {
			ret->is_last = true;
			ret->is_sound = !grpc->is_holed;
			grpc_done(grpc);
			grpc->n_prefix = 0;
			return true;
		}
		if (!grpc->len)
			return false;
		n = grpc->left < grpc->len ? grpc->left : grpc->len;
		body_feed(&grpc->body, grpc->bytes, n);
		grpc->bytes += n;
		grpc->len -= n;
		grpc->left -= (uint32_t)n;
	}
	grpc->is_begun = true;
	return true;
}

void grpc_gap(struct grpc *grpc, uint64_t n)
{
	uint64_t inside = 0;

	if (grpc->n_prefix == GRPC_PREFIX)
		inside = n < grpc->left ? n : grpc->left;
	grpc->left -= (uint32_t)inside;
	grpc->is_holed |= inside;
	if (n == inside)
		return;
	grpc->is_broken = true;
	if (grpc->n_prefix < GRPC_PREFIX)
		grpc->n_prefix = 0;
}

bool grpc_is_open(const struct grpc *grpc)
{
	return grpc->n_prefix;
}

int grpc_http_status(unsigned status)
{
	static const int statuses[] = { 200, 499, 500, 400, 504, 404, 409, 403, 429,
					400, 409, 400, 501, 500, 503, 500, 401 };

	return status < ARRAY_SIZE(statuses) ? statuses[status] : 500;
}

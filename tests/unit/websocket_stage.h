/* SPDX-License-Identifier: Apache-2.0 */
/* A stage on which peers speak by WebSocket. */
#ifndef UNIT_WEBSOCKET_STAGE_H
#define UNIT_WEBSOCKET_STAGE_H

#include "websocket_frames.h"
#include "stage.h"

static inline void opens_websocket(struct stage *stage, const char *host, const char *target,
				   const char *extensions)
{
	_cleanup_free_ char *asks = NULL, *agrees = NULL;

	assert_true(asprintf(&asks,
			     "GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\n"
			     "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
			     "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n%s\r\n",
			     target, host,
			     *extensions ? "Sec-WebSocket-Extensions: permessage-deflate; "
					   "client_max_window_bits\r\n" :
					   "") > 0);
	assert_true(asprintf(&agrees,
			     "HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\n"
			     "Connection: Upgrade\r\nContent-Length: 0\r\n%s\r\n",
			     extensions) > 0);
	opens(stage, host, CTL_AI);
	sends(stage, EV_OUT, asks, 0);
	sends(stage, EV_IN, agrees, 0);
}

static inline void says_bytes(struct stage *stage, enum ev_dir dir, const struct bytes *frames,
			      size_t cut)
{
	for (size_t at = 0; at < frames->len;) {
		size_t n = cut < frames->len - at ? cut : frames->len - at;

		sends_bytes(stage, dir, (const char *)frames->at + at, n);
		at += n;
	}
}

static inline void says_cut(struct stage *stage, enum ev_dir dir, const char *message, size_t cut)
{
	_cleanup_bytes_ struct bytes frames = { 0 };

	text_add(&frames, dir == EV_OUT, message);
	says_bytes(stage, dir, &frames, cut);
}

static inline void says(struct stage *stage, enum ev_dir dir, const char *message)
{
	says_cut(stage, dir, message, EV_PIECE_MAX);
}

#endif

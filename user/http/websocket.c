/* SPDX-License-Identifier: Apache-2.0 */
#include "http/websocket.h"

#include <string.h>

#include "http/decoder.h"

/* RFC 6455 5.2 */
#define FIN        0x80
#define COMPRESSED 0x40 /* RSV1: RFC 7692 6 */
#define RESERVED   0x30
#define OPCODE     0x0f
#define CONTROL    0x08
#define MASKED     0x80
#define LENGTH     0x7f
enum opcode { CONTINUATION, TEXT, BINARY };
#define OPCODE_PONG 10
#define CONTROL_MAX 125

void websocket_init(struct websocket *websocket, enum http_side side,
		    const struct http_deflate *deflate)
{
	memset(websocket, 0, offsetof(struct websocket, plain));
	websocket->deflates = deflate->is_on;
	websocket->resets = deflate->resets[side];
}

void websocket_done(struct websocket *websocket)
{
	websocket->decoder = decoder_free(websocket->decoder);
}

void websocket_feed(struct websocket *websocket, const uint8_t *bytes, size_t len)
{
	websocket->bytes = bytes;
	websocket->len = len;
}

static size_t min(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* Bytes of a frame's head, by its second one: itself, a longer length, a mask. */
static size_t head_size(uint8_t second)
{
	uint8_t len = second & LENGTH;

	return 2 + (len == 126 ? 2 : len == 127 ? 8 : 0) + (second & MASKED ? 4 : 0);
}

/* Of a head that is whole. */
static uint64_t payload_size(const uint8_t *head)
{
	uint64_t len = head[1] & LENGTH;
	size_t n = len == 126 ? 2 : len == 127 ? 8 : 0;

	if (!n)
		return len;
	len = 0;
	for (size_t i = 0; i < n; i++)
		len = len << 8 | head[2 + i];
	return len;
}

/* What no frame of a peer that follows the RFC has; the connection would be failed. */
static bool head_is_bad(const struct websocket *websocket, const uint8_t *head)
{
	uint8_t opcode = head[0] & OPCODE;

	if (head[0] & RESERVED || opcode > OPCODE_PONG || (opcode > BINARY && opcode < CONTROL))
		return true;
	if (opcode & CONTROL)
		return !(head[0] & FIN) || head[0] & COMPRESSED || (head[1] & LENGTH) > CONTROL_MAX;
	if (head[0] & COMPRESSED && (!websocket->deflates || opcode == CONTINUATION))
		return true;
	return payload_size(head) >> 63;
}

/* The message in progress cannot be known any further. */
static void message_lose(struct websocket *websocket)
{
	websocket->tells_loss |= websocket->is_open && !websocket->is_passed;
	/* what is missing may be referred to for as long as the window is kept */
	if (websocket->is_open && websocket->is_packed && !websocket->resets)
		websocket->is_broken = true;
	if (websocket->decoder && (websocket->is_broken || websocket->is_packed))
		websocket->decoder = decoder_free(websocket->decoder);
	websocket->is_passed = websocket->is_open;
	websocket->n_packed = 0;
	websocket->is_ending = false;
}

/* Where the next frame begins is not known. */
static void frames_lose(struct websocket *websocket)
{
	/* messages that nobody saw may have been compressed, and be referred to */
	websocket->is_broken |= websocket->deflates && !websocket->resets;
	message_lose(websocket);
	websocket->resyncs += !websocket->is_searching;
	websocket->is_open = false;
	websocket->is_searching = true;
	websocket->left = 0;
	websocket->n_head = 0;
}

void websocket_gap(struct websocket *websocket, uint64_t n)
{
	uint64_t inside = min(n, websocket->left);

	if (websocket->is_searching)
		return;
	websocket->left -= inside;
	websocket->mask_at = (websocket->mask_at + inside) & 3;
	if (inside && !websocket->is_control)
		message_lose(websocket);
	if (n > inside)
		frames_lose(websocket);
	else if (!websocket->left && websocket->is_final && !websocket->is_control)
		websocket->is_open = false;
}

/* The fed bytes begin with a frame, and frames fill them, but for the last one's end. */
static bool frames_begin(const struct websocket *websocket)
{
	const uint8_t *at = websocket->bytes, *end = at + websocket->len;
	size_t frames = 0;

	while (end - at >= 2 && (size_t)(end - at) >= head_size(at[1])) {
		uint64_t size = payload_size(at);

		/* a message in the middle has its start in what is missing */
		if (head_is_bad(websocket, at) || (!frames && !(at[0] & OPCODE)))
			return false;
		at += head_size(at[1]);
		if (size >= (uint64_t)(end - at))
			return size == (uint64_t)(end - at) || frames;
		at += size;
		frames++;
	}
	return false;
}

static void search(struct websocket *websocket)
{
	if (frames_begin(websocket))
		websocket->is_searching = false;
	else
		websocket->len = 0;
}

static void message_begin(struct websocket *websocket, bool is_packed)
{
	websocket->is_open = true;
	websocket->is_begun = websocket->is_ending = websocket->is_tailed = false;
	websocket->is_packed = is_packed;
	websocket->is_passed = websocket->tells_loss = is_packed && websocket->is_broken;
	if (!is_packed || websocket->is_broken || websocket->decoder)
		return;
	websocket->decoder = decoder_new_messages();
	if (websocket->decoder)
		return;
	websocket->bad_encodings++;
	message_lose(websocket);
}

static void frame_begin(struct websocket *websocket)
{
	uint8_t opcode = websocket->head[0] & OPCODE;
	size_t size = head_size(websocket->head[1]);

	websocket->n_head = 0;
	websocket->is_control = opcode & CONTROL;
	websocket->left = payload_size(websocket->head);
	websocket->mask_at = 0;
	memset(websocket->mask, 0, sizeof(websocket->mask));
	if (websocket->head[1] & MASKED)
		memcpy(websocket->mask, websocket->head + size - 4, 4);
	if (head_is_bad(websocket, websocket->head) ||
	    (!websocket->is_control && websocket->is_open != (opcode == CONTINUATION))) {
		frames_lose(websocket);
		websocket->len = 0;
		return;
	}
	if (websocket->is_control)
		return;
	websocket->is_final = websocket->head[0] & FIN;
	if (opcode != CONTINUATION)
		message_begin(websocket, websocket->head[0] & COMPRESSED);
	if (websocket->left || !websocket->is_final)
		return;
	websocket->is_ending = !websocket->is_passed;
	websocket->is_open = !websocket->is_passed;
}

static void head_read(struct websocket *websocket)
{
	while (websocket->len) {
		websocket->head[websocket->n_head++] = *websocket->bytes++;
		websocket->len--;
		if (websocket->n_head < 2 || websocket->n_head < head_size(websocket->head[1]))
			continue;
		frame_begin(websocket);
		return;
	}
}

/* The next bytes of a data frame, unmasked: plain, or for the decoder. */
static void payload_read(struct websocket *websocket, struct websocket_piece *ret)
{
	size_t n = min(min(websocket->len, websocket->left), WEBSOCKET_STEP);

	for (size_t i = 0; i < n; i++)
		websocket->plain[i] = websocket->bytes[i] ^
				      websocket->mask[(websocket->mask_at + i) & 3];
	websocket->mask_at = (websocket->mask_at + n) & 3;
	websocket->bytes += n;
	websocket->len -= n;
	websocket->left -= n;
	websocket->is_ending = !websocket->left && websocket->is_final;
	if (websocket->is_packed) {
		websocket->packed = websocket->plain;
		websocket->n_packed = n;
	} else {
		ret->bytes = websocket->plain;
		ret->len = n;
	}
}

/* What a frame holds that is of no interest: control, or of a message that is lost. */
static void payload_pass(struct websocket *websocket)
{
	size_t n = min(websocket->len, websocket->left);

	websocket->bytes += n;
	websocket->len -= n;
	websocket->left -= n;
	if (!websocket->is_control && !websocket->left && websocket->is_final)
		websocket->is_open = false;
}

/* Out of the decoder. False: it needs more, or the message is lost. */
static bool unpack(struct websocket *websocket, struct websocket_piece *ret)
{
	static const uint8_t left_out[] = { 0x00, 0x00, 0xff, 0xff };

	for (;;) {
		size_t n = 0, before = websocket->n_packed;

		if (!websocket->n_packed && !decoder_is_full(websocket->decoder)) {
			if (!websocket->is_ending || websocket->is_tailed)
				return false;
			websocket->is_tailed = true;
			websocket->packed = left_out;
			websocket->n_packed = sizeof(left_out);
			continue;
		}
		if (!decoder_step(websocket->decoder, &websocket->packed, &websocket->n_packed, &n)) {
			websocket->bad_encodings++;
			message_lose(websocket);
			if (!websocket->left && websocket->is_final)
				websocket->is_open = false;
			return false;
		}
		if (n) {
			ret->bytes = decoder_out(websocket->decoder);
			ret->len = n;
			return true;
		}
		if (websocket->n_packed == before)
			websocket->n_packed = 0; /* nothing more comes of these */
	}
}

static void message_end(struct websocket *websocket, struct websocket_piece *ret)
{
	websocket->is_open = websocket->is_ending = false;
	if (websocket->is_packed)
		decoder_next_message(websocket->decoder, websocket->resets);
	ret->is_last = true;
}

static void piece_begin(struct websocket *websocket, struct websocket_piece *ret)
{
	ret->is_first = !websocket->is_begun;
	websocket->is_begun = true;
}

bool websocket_next(struct websocket *websocket, struct websocket_piece *ret)
{
	bool is_given;

	for (;;) {
		memset(ret, 0, sizeof(*ret));
		if (websocket->tells_loss) {
			websocket->tells_loss = false;
			ret->is_lost = ret->is_last = true;
			piece_begin(websocket, ret);
			return true;
		}
		is_given = websocket->is_open && websocket->is_packed && !websocket->is_passed &&
			   unpack(websocket, ret);
		if (websocket->tells_loss)
			continue;
		if (!is_given && websocket->is_open && websocket->is_ending &&
		    !websocket->is_passed) {
			message_end(websocket, ret);
			is_given = true;
		}
		if (is_given) {
			piece_begin(websocket, ret);
			return true;
		}
		if (!websocket->len)
			return false;
		if (websocket->is_searching) {
			search(websocket);
		} else if (!websocket->left) {
			head_read(websocket);
		} else if (websocket->is_control || websocket->is_passed) {
			payload_pass(websocket);
		} else {
			payload_read(websocket, ret);
			if (!ret->len)
				continue;
			if (websocket->is_ending)
				message_end(websocket, ret);
			piece_begin(websocket, ret);
			return true;
		}
	}
}

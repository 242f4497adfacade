/* SPDX-License-Identifier: Apache-2.0 */
#include "base/protobuf.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum wire { WIRE_VARINT, WIRE_I64, WIRE_LEN, WIRE_I32 = 5 };
enum state { TAG, VARINT, LENGTH, FIXED, BYTES, BAD };

void protobuf_init(struct protobuf_scan *scan, const struct protobuf_node *root,
		   const struct json_sink *sink)
{
	memset(scan, 0, offsetof(struct protobuf_scan, value));
	scan->sink = sink;
	scan->levels[0].list = root;
	scan->levels[0].end = UINT64_MAX;
}

static void tell(struct protobuf_scan *scan, int id, enum json_kind kind, const char *text,
		 bool is_cut)
{
	if (id)
		scan->sink->value(scan->sink->arg, id, kind, "", text, is_cut);
}

static void tell_text(struct protobuf_scan *scan, enum json_text what, const uint8_t *bytes,
		      size_t len)
{
	if (scan->sink->text)
		scan->sink->text(scan->sink->arg, what, bytes, len);
}

static void tell_number(struct protobuf_scan *scan, uint64_t number)
{
	const struct protobuf_node *node = scan->node;
	char digits[24];

	/* Of another wire type than the field has: whoever sent it means another field. */
	if (!node || node->in || node->is_text)
		return;
	for (uint64_t i = 0; node->words && node->words[i]; i++)
		if (i == number) {
			tell(scan, node->id, JSON_IS_STRING, node->words[i], false);
			return;
		}
	if (node->words)
		return;
	/* An int32 below 0 has ten bytes and would be a very large count. */
	if (number > INT64_MAX)
		number = 0;
	snprintf(digits, sizeof(digits), "%" PRIu64, number);
	tell(scan, node->id, JSON_IS_NUMBER, digits, false);
}

/* A double that counts something; what is no whole number, or beyond what a double has exactly, is none. */
static void tell_double(struct protobuf_scan *scan, uint64_t bits)
{
	double value;

	memcpy(&value, &bits, sizeof(value));
	if (value >= 0 && value < 9007199254740992.0 && value == (double)(uint64_t)value)
		tell_number(scan, (uint64_t)value);
}

static void find_node(struct protobuf_scan *scan, uint64_t field)
{
	const struct protobuf_node *node = scan->levels[scan->depth].list;

	while (node && node->field && node->field != field)
		node++;
	scan->node = node && node->field ? node : NULL;
}

static void number_begin(struct protobuf_scan *scan, enum state state)
{
	scan->state = (uint8_t)state;
	scan->number = 0;
	scan->shift = 0;
}

/* Messages that end here; one may end with the one that it is in. */
static void levels_end(struct protobuf_scan *scan)
{
	while (scan->depth && scan->offset == scan->levels[scan->depth].end) {
		tell(scan, scan->levels[scan->depth].id, JSON_IS_END, "", false);
		scan->depth--;
	}
}

static void field_end(struct protobuf_scan *scan)
{
	number_begin(scan, TAG);
	levels_end(scan);
}

static void bytes_end(struct protobuf_scan *scan)
{
	const struct protobuf_node *node = scan->node;

	if (node && node->is_text) {
		tell_text(scan, JSON_TEXT_END, NULL, 0);
	} else if (node) {
		scan->value[scan->value_len] = '\0';
		tell(scan, node->id, JSON_IS_STRING, scan->value, scan->is_cut);
	}
	field_end(scan);
}

/* A field of so many bytes: a message in which something is wanted, text, a string, or of no interest. */
static void bytes_begin(struct protobuf_scan *scan)
{
	const struct protobuf_node *node = scan->node;

	if (node && node->in && scan->depth + 1 < PROTOBUF_DEPTH) {
		tell(scan, node->id, JSON_IS_BEGIN, "", false);
		scan->depth++;
		scan->levels[scan->depth].list = node->in;
		scan->levels[scan->depth].id = node->id;
		scan->levels[scan->depth].end = scan->offset + scan->number;
		field_end(scan);
		return;
	}
	if (node && node->in)
		scan->node = NULL;
	scan->state = BYTES;
	scan->left = scan->number;
	scan->value_len = 0;
	scan->is_cut = false;
	if (scan->node && scan->node->is_text)
		tell_text(scan, JSON_TEXT_BEGIN, NULL, 0);
	if (!scan->left)
		bytes_end(scan);
}

static void tag_end(struct protobuf_scan *scan)
{
	uint64_t tag = scan->number;

	/* Field numbers have 29 bits. */
	if (!(tag >> 3) || tag > UINT32_MAX) {
		scan->state = BAD;
		return;
	}
	find_node(scan, tag >> 3);
	scan->wire = tag & 7;
	switch (scan->wire) {
	case WIRE_VARINT:
		number_begin(scan, VARINT);
		break;
	case WIRE_LEN:
		number_begin(scan, LENGTH);
		break;
	case WIRE_I64:
	case WIRE_I32:
		number_begin(scan, FIXED);
		scan->left = scan->wire == WIRE_I64 ? 8 : 4;
		break;
	default:
		scan->state = BAD;
	}
}

/* A number is complete. */
static void number_end(struct protobuf_scan *scan)
{
	switch (scan->state) {
	case TAG:
		tag_end(scan);
		break;
	case VARINT:
		tell_number(scan, scan->number);
		field_end(scan);
		break;
	case LENGTH:
		if (scan->number > PROTOBUF_FIELD_MAX ||
		    scan->number > scan->levels[scan->depth].end - scan->offset)
			scan->state = BAD;
		else
			bytes_begin(scan);
		break;
	case FIXED:
		if (scan->wire == WIRE_I64)
			tell_double(scan, scan->number);
		field_end(scan);
		break;
	}
}

static void number_take(struct protobuf_scan *scan, uint8_t byte)
{
	bool is_last;

	scan->offset++;
	if (scan->state == FIXED) {
		scan->number |= (uint64_t)byte << scan->shift;
		scan->shift += 8;
		is_last = !--scan->left;
	} else {
		/* Ten bytes of seven bits; of the last one bit counts. */
		if (scan->shift == 63 && byte > 1) {
			scan->state = BAD;
			return;
		}
		scan->number |= (uint64_t)(byte & 0x7f) << scan->shift;
		scan->shift += 7;
		is_last = !(byte & 0x80);
	}
	if (is_last)
		number_end(scan);
	/* A field may not reach beyond the message that it is in. */
	if (scan->state != BAD && scan->offset >= scan->levels[scan->depth].end)
		scan->state = BAD;
}

static size_t bytes_take(struct protobuf_scan *scan, const uint8_t *bytes, size_t len)
{
	const struct protobuf_node *node = scan->node;
	size_t n = len < scan->left ? len : (size_t)scan->left, kept;

	if (node && node->is_text) {
		tell_text(scan, JSON_TEXT_SPAN, bytes, n);
	} else if (node && node->id) {
		kept = PROTOBUF_VALUE_LEN - 1 - scan->value_len;
		kept = n < kept ? n : kept;
		memcpy(scan->value + scan->value_len, bytes, kept);
		scan->value_len += kept;
		scan->is_cut |= kept < n;
	}
	scan->offset += n;
	scan->left -= n;
	if (!scan->left)
		bytes_end(scan);
	return n;
}

enum protobuf_status protobuf_feed(struct protobuf_scan *scan, const uint8_t *bytes, size_t len)
{
	while (len && scan->state != BAD) {
		size_t n = 1;

		if (scan->state == BYTES)
			n = bytes_take(scan, bytes, len);
		else
			number_take(scan, *bytes);
		bytes += n;
		len -= n;
	}
	return scan->state == BAD ? PROTOBUF_BAD : PROTOBUF_MORE;
}

bool protobuf_end(const struct protobuf_scan *scan)
{
	return scan->state == TAG && !scan->shift && !scan->depth;
}

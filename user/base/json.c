/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json_internal.h"

#include <string.h>

void json_init(struct json_scan *scan, const struct json_node *root, const struct json_sink *sink)
{
	memset(scan, 0, offsetof(struct json_scan, key));
	scan->outermost.in = root;
	scan->sink = sink;
	scan->node = &scan->outermost;
}

uint64_t json_offset(const struct json_scan *scan)
{
	return scan->offset;
}

static bool in_object(const struct json_scan *scan)
{
	uint32_t at = scan->depth - 1;

	return scan->depth && (scan->is_object[at / 64] >> (at % 64) & 1);
}

static void tell(struct json_scan *scan, const struct json_node *node, enum json_kind kind)
{
	if (!node || !node->id)
		return;
	scan->value[scan->value_len] = '\0';
	scan->key[scan->key_len < JSON_KEY_LEN ? scan->key_len : 0] = '\0';
	scan->sink->value(scan->sink->arg, node->id, kind, scan->key, scan->value, scan->is_cut);
}

static const struct json_node *container(const struct json_scan *scan)
{
	return scan->depth && scan->depth <= JSON_PATH ? scan->of[scan->depth - 1] : NULL;
}

static const struct json_node *wanted_here(const struct json_scan *scan)
{
	const struct json_node *node = container(scan);

	return node ? node->in : NULL;
}

/* Finds the node of the key just read among those wanted at this depth. */
static void find_node(struct json_scan *scan)
{
	const struct json_node *node = wanted_here(scan);
	const char *const *mute = scan->sink->mute;
	bool fits = scan->key_len < JSON_KEY_LEN;

	scan->key[fits ? scan->key_len : 0] = '\0';
	scan->node = NULL;
	for (; node && node->key; node++)
		if ((fits && !strcmp(node->key, scan->key)) || !strcmp(node->key, "*")) {
			scan->node = node;
			break;
		}
	scan->is_mute = false;
	if (!scan->sink->text || scan->schema_depth)
		return;
	for (; mute && *mute; mute++)
		if (fits && !strcmp(*mute, scan->key)) {
			scan->is_mute = true;
			break;
		}
}

static enum json_status open_level(struct json_scan *scan, bool is_object)
{
	uint32_t at = scan->depth;
	uint64_t bit = 1ULL << (at % 64);

	if (at == JSON_DEPTH)
		return json_bad(scan);
	if (at < JSON_PATH)
		scan->of[at] = scan->node;
	scan->is_object[at / 64] = (scan->is_object[at / 64] & ~bit) | (is_object ? bit : 0);
	scan->depth++;
	if (scan->node && scan->node->is_schema && !scan->schema_depth)
		scan->schema_depth = scan->depth;
	scan->state = is_object ? STATE_KEY : STATE_VALUE;
	if (is_object) {
		scan->value_len = 0;
		tell(scan, scan->node, JSON_IS_BEGIN);
	}
	return JSON_MORE;
}

/* A value has ended: what comes next belongs to what is open around it. */
static enum json_status end_value(struct json_scan *scan)
{
	scan->state = scan->depth ? STATE_AFTER : STATE_VALUE;
	if (!scan->depth)
		scan->node = &scan->outermost;
	else if (!in_object(scan))
		scan->node = container(scan);
	return scan->depth ? JSON_MORE : JSON_DONE;
}

static enum json_status close_level(struct json_scan *scan, bool is_object)
{
	const struct json_node *node = container(scan);

	if (!scan->depth || in_object(scan) != is_object)
		return json_bad(scan);
	if (scan->schema_depth == scan->depth)
		scan->schema_depth = 0;
	scan->depth--;
	scan->is_mute = false;
	if (is_object) {
		scan->value_len = scan->key_len = 0;
		tell(scan, node, JSON_IS_END);
	}
	return end_value(scan);
}

static void begin_string(struct json_scan *scan, enum json_string what)
{
	scan->string = what;
	scan->string_len = 0;
	scan->surrogate = 0;
	scan->is_cut = false;
	scan->is_base64 = true;
	scan->is_data = true;
	scan->state = STATE_STRING;
	if (what == STRING_KEY) {
		scan->key_len = 0;
		scan->is_text = scan->schema_depth && scan->sink->text;
		scan->is_kept = scan->sink->text || wanted_here(scan);
	} else {
		scan->value_len = 0;
		scan->is_text = scan->sink->text && !scan->is_mute;
		scan->is_kept = scan->node && scan->node->id;
	}
	if (scan->is_text)
		json_text(scan, JSON_TEXT_BEGIN, NULL, 0);
}

static void end_string(struct json_scan *scan)
{
	if (scan->is_text)
		json_text(scan, JSON_TEXT_END, NULL, 0);
	if (scan->string == STRING_KEY) {
		scan->node = NULL;
		if (scan->is_kept)
			find_node(scan);
		scan->state = STATE_COLON;
		return;
	}
	tell(scan, scan->node, JSON_IS_STRING);
	(void)end_value(scan);
}

/* The alphabet of numbers and literals. */
static const bool is_word[256] = {
	['0' ... '9'] = true, ['a' ... 'z'] = true, ['A' ... 'Z'] = true,
	['-'] = true,         ['+'] = true,         ['.'] = true,
};

static void end_word(struct json_scan *scan)
{
	enum json_kind kind = JSON_IS_NUMBER;

	if (scan->value[0] == 't')
		kind = JSON_IS_TRUE;
	else if (scan->value[0] == 'f')
		kind = JSON_IS_FALSE;
	else if (scan->value[0] == 'n' || scan->value[0] == 'N' ||
		 scan->value[scan->value[0] == '-'] == 'I')
		kind = JSON_IS_NULL;
	tell(scan, scan->node, kind);
	(void)end_value(scan);
}

static size_t take_word(struct json_scan *scan, const uint8_t *bytes, size_t len)
{
	size_t i = 0, room = JSON_VALUE_LEN - 1 - scan->value_len, kept;

	while (i < len && is_word[bytes[i]])
		i++;
	kept = i < room ? i : room;
	scan->is_cut |= kept < i;
	memcpy(scan->value + scan->value_len, bytes, kept);
	scan->value_len += kept;
	if (i < len)
		end_word(scan);
	return i;
}

/*
 * Behind a number of an array that nobody wants, the next ones: ", 0.0123" again and again. A vector
 * is thousands of them. Those that lie whole in the bytes.
 */
static size_t skip_numbers(const uint8_t *bytes, size_t len)
{
	size_t done = 0, i = 0;

	while (i < len && bytes[i] == ',') {
		i += 1 + (i + 1 < len && bytes[i + 1] == ' ');
		if (i >= len || !((bytes[i] >= '0' && bytes[i] <= '9') || bytes[i] == '-'))
			break;
		while (i < len && is_word[bytes[i]])
			i++;
		if (i < len)
			done = i;
	}
	return done;
}

static enum json_status take_value(struct json_scan *scan, uint8_t c)
{
	switch (c) {
	case '"':
		begin_string(scan, STRING_VALUE);
		return JSON_MORE;
	case '{':
		return open_level(scan, true);
	case '[':
		return open_level(scan, false);
	case ']':
		return close_level(scan, false);
	}
	/* Python's json writes NaN and Infinity, and no client of an AI API chokes on them. */
	if (!((c >= '0' && c <= '9') || c == '-' || c == 't' || c == 'f' || c == 'n' || c == 'N' ||
	      c == 'I'))
		return json_bad(scan);
	scan->value[0] = c;
	scan->value_len = 1;
	scan->is_cut = false;
	scan->state = STATE_WORD;
	return JSON_MORE;
}

/* One byte between strings and words. */
static enum json_status take_mark(struct json_scan *scan, uint8_t c)
{
	static const uint8_t mark[] = { 0xef, 0xbb,
					0xbf }; /* of byte order, which RFC 8259 8.1 lets pass */

	if (c == ' ' || c == '\n' || c == '\r' || c == '\t')
		return JSON_MORE;
	if (scan->offset < sizeof(mark) && c == mark[scan->offset])
		return JSON_MORE;
	switch (scan->state) {
	case STATE_VALUE:
		return take_value(scan, c);
	case STATE_KEY:
		if (c == '}')
			return close_level(scan, true);
		if (c != '"')
			return json_bad(scan);
		begin_string(scan, STRING_KEY);
		return JSON_MORE;
	case STATE_COLON:
		scan->state = STATE_VALUE;
		return c == ':' ? JSON_MORE : json_bad(scan);
	case STATE_AFTER:
		if (c == '}' || c == ']')
			return close_level(scan, c == '}');
		scan->state = in_object(scan) ? STATE_KEY : STATE_VALUE;
		return c == ',' ? JSON_MORE : json_bad(scan);
	}
	return json_bad(scan);
}

enum json_status json_feed(struct json_scan *scan, const uint8_t *bytes, size_t len)
{
	const uint64_t start = scan->offset;
	enum json_status status = JSON_MORE, step;
	size_t i = 0;

	while (i < len) {
		scan->offset = start + i;
		step = JSON_MORE;
		switch (scan->state) {
		case STATE_STRING:
			i += json_take_string(scan, bytes + i, len - i);
			if (scan->state == STATE_QUOTE)
				end_string(scan);
			break;
		case STATE_WORD:
			i += take_word(scan, bytes + i, len - i);
			break;
		case STATE_ESCAPE:
			step = json_take_escape(scan, bytes[i++]);
			break;
		case STATE_HEX:
			step = json_take_hex(scan, bytes[i++]);
			break;
		case STATE_AFTER:
			if (!in_object(scan) && !(scan->node && scan->node->id))
				i += skip_numbers(bytes + i, len - i);
			/* fall through */
		default:
			step = take_mark(scan, bytes[i++]);
		}
		if (step == JSON_BAD)
			return JSON_BAD;
		status = step == JSON_DONE ? JSON_DONE : status;
	}
	scan->offset = start + len;
	if (scan->state == STATE_BAD)
		return JSON_BAD;
	return scan->depth || scan->state != STATE_VALUE ? JSON_MORE : status;
}

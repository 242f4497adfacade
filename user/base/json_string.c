/* SPDX-License-Identifier: Apache-2.0 */
/* The content of strings: escapes undone, kept or told as text, base64 told apart. */
#include <string.h>

#include "base/json_internal.h"
#include "base/text.h"

static bool is_base64_alphabet(const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		uint8_t c = bytes[i];

		if (!((c | 32) >= 'a' && (c | 32) <= 'z') && !(c >= '0' && c <= '9') && c != '+' &&
		    c != '/' && c != '=' && c != '_' && c != '-')
			return false;
	}
	return true;
}

static void drop_text(struct json_scan *scan)
{
	scan->is_text = false;
	json_text(scan, JSON_TEXT_DROP, NULL, 0);
}

/* A data: URL is base64 behind a header that is not of the alphabet. */
static bool is_data_url(struct json_scan *scan, const uint8_t *bytes, size_t len)
{
	static const char header[] = "data:";
	uint32_t at = scan->string_len;

	for (size_t i = 0; scan->is_data && i < len && at < sizeof(header) - 1; i++, at++)
		scan->is_data = bytes[i] == (uint8_t)header[at];
	return scan->is_data && at == sizeof(header) - 1;
}

static void text_span(struct json_scan *scan, const uint8_t *bytes, size_t len)
{
	uint32_t before = scan->string_len;

	if (before < 5 && is_data_url(scan, bytes, len)) {
		drop_text(scan);
		return;
	}
	if (scan->is_base64 && before < JSON_BASE64_MIN) {
		size_t look = len < JSON_BASE64_MIN - before ? len : JSON_BASE64_MIN - before;

		scan->is_base64 = is_base64_alphabet(bytes, look);
		if (scan->is_base64 && before + look == JSON_BASE64_MIN) {
			drop_text(scan);
			return;
		}
	}
	json_text(scan, JSON_TEXT_SPAN, bytes, len);
}

/* Unescaped bytes of the string in progress. */
static void take_span(struct json_scan *scan, const uint8_t *bytes, size_t len)
{
	if (scan->is_text)
		text_span(scan, bytes, len);
	/* Beyond the base64 look its length is of no interest. */
	if (scan->string_len < JSON_BASE64_MIN)
		scan->string_len += len < JSON_BASE64_MIN ? len : JSON_BASE64_MIN;
	if (!scan->is_kept)
		return;
	if (scan->string == STRING_KEY) {
		if (scan->key_len + len >= JSON_KEY_LEN) {
			scan->key_len = JSON_KEY_LEN;
			return;
		}
		memcpy(scan->key + scan->key_len, bytes, len);
		scan->key_len += len;
	} else {
		size_t room = JSON_VALUE_LEN - 1 - scan->value_len;

		scan->is_cut |= len > room;
		len = len < room ? len : room;
		memcpy(scan->value + scan->value_len, bytes, len);
		scan->value_len += len;
	}
}

static void take_rune(struct json_scan *scan, uint32_t rune)
{
	uint8_t utf8[4];
	size_t len;

	if (rune < 0x80) {
		utf8[0] = rune;
		len = 1;
	} else if (rune < 0x800) {
		utf8[0] = 0xc0 | rune >> 6;
		utf8[1] = 0x80 | (rune & 63);
		len = 2;
	} else if (rune < 0x10000) {
		utf8[0] = 0xe0 | rune >> 12;
		utf8[1] = 0x80 | (rune >> 6 & 63);
		utf8[2] = 0x80 | (rune & 63);
		len = 3;
	} else {
		utf8[0] = 0xf0 | rune >> 18;
		utf8[1] = 0x80 | (rune >> 12 & 63);
		utf8[2] = 0x80 | (rune >> 6 & 63);
		utf8[3] = 0x80 | (rune & 63);
		len = 4;
	}
	take_span(scan, utf8, len);
}

/* \uXXXX is whole (RFC 8259 section 7): surrogates in pairs; a lone one is U+FFFD, as is NUL. */
static void take_hex(struct json_scan *scan)
{
	uint32_t unit = scan->hex;
	uint16_t high = scan->surrogate;

	scan->surrogate = 0;
	if (unit >= 0xdc00 && unit <= 0xdfff && high)
		unit = 0x10000 + ((uint32_t)(high - 0xd800) << 10) + (unit - 0xdc00);
	else if (high)
		take_rune(scan, 0xfffd);
	if (unit >= 0xd800 && unit <= 0xdbff) {
		scan->surrogate = unit;
		return;
	}
	take_rune(scan, unit == 0 || (unit >= 0xdc00 && unit <= 0xdfff) ? 0xfffd : unit);
}

enum json_status json_take_escape(struct json_scan *scan, uint8_t c)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const char *at = c ? strchr(from, c) : NULL;

	if (c == 'u') {
		scan->hex = scan->hex_digits = 0;
		scan->state = STATE_HEX;
		return JSON_MORE;
	}
	if (!at)
		return json_bad(scan);
	if (scan->surrogate) {
		scan->surrogate = 0;
		take_rune(scan, 0xfffd);
	}
	take_span(scan, (const uint8_t *)&to[at - from], 1);
	scan->state = STATE_STRING;
	return JSON_MORE;
}

enum json_status json_take_hex(struct json_scan *scan, uint8_t c)
{
	int digit = text_hex_digit(c);

	if (digit < 0)
		return json_bad(scan);
	scan->hex = scan->hex << 4 | (uint32_t)digit;
	if (++scan->hex_digits == 4) {
		scan->state = STATE_STRING;
		take_hex(scan);
	}
	return JSON_MORE;
}

/* Length of the span before the next quote or backslash: eight bytes at a time. */
static size_t plain_length(const uint8_t *bytes, size_t len)
{
	const uint64_t ones = 0x0101010101010101, highs = 0x8080808080808080;
	size_t i = 0;

	for (; i + 8 <= len; i += 8) {
		uint64_t word, quote, slash;

		memcpy(&word, bytes + i, 8);
		quote = word ^ ones * '"';
		slash = word ^ ones * '\\';
		if ((((quote - ones) & ~quote) | ((slash - ones) & ~slash)) & highs)
			break;
	}
	while (i < len && bytes[i] != '"' && bytes[i] != '\\')
		i++;
	return i;
}

size_t json_take_string(struct json_scan *scan, const uint8_t *bytes, size_t len)
{
	size_t plain = plain_length(bytes, len);

	if (scan->surrogate && (plain || (plain < len && bytes[plain] == '"'))) {
		scan->surrogate = 0;
		take_rune(scan, 0xfffd);
	}
	if (plain)
		take_span(scan, bytes, plain);
	if (plain == len)
		return len;
	scan->state = bytes[plain] == '"' ? STATE_QUOTE : STATE_ESCAPE;
	return plain + 1;
}

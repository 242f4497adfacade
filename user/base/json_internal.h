/* SPDX-License-Identifier: Apache-2.0 */
/* What json.c and json_string.c share; for no other module. */
#ifndef BASE_JSON_INTERNAL_H
#define BASE_JSON_INTERNAL_H

#include "base/json.h"

enum state {
	STATE_VALUE, /* a value must come (or the end of an empty array) */
	STATE_KEY,   /* a key, or the end of the object */
	STATE_COLON,
	STATE_AFTER, /* a comma or the end of what is open */
	STATE_STRING,
	STATE_QUOTE,  /* at the end of a string, until it is told */
	STATE_ESCAPE, /* after a backslash */
	STATE_HEX,    /* inside \uXXXX */
	STATE_WORD,   /* number or literal */
	STATE_BAD,
};

enum json_string { STRING_KEY, STRING_VALUE };

static inline void json_text(struct json_scan *scan, enum json_text what, const uint8_t *bytes,
			     size_t len)
{
	scan->sink->text(scan->sink->arg, what, bytes, len);
}

static inline enum json_status json_bad(struct json_scan *scan)
{
	scan->state = STATE_BAD;
	return JSON_BAD;
}

/* The content of a string, unescaped. Bytes taken; STATE_QUOTE when its end was among them. */
size_t json_take_string(struct json_scan *scan, const uint8_t *bytes, size_t len);
/* The byte behind a backslash. */
enum json_status json_take_escape(struct json_scan *scan, uint8_t c);
/* One digit of \uXXXX. */
enum json_status json_take_hex(struct json_scan *scan, uint8_t c);

#endif

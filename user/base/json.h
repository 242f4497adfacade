/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads JSON as it passes, in any cuts, and keeps none of it: strings, nesting and the place in a
 * tree of wanted keys are all the state there is. It is no validator: numbers and literals are
 * taken by their alphabet. Bytes that cannot be JSON, or nest deeper than JSON_DEPTH, set the rest
 * aside.
 *
 * Why not a JSON library: bodies run to megabytes and must not be held, and prices need the digits
 * that were written, not a double (docs/facts/wire.md, "Bodies are large and streamed").
 */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define JSON_DEPTH     128 /* tool schemas nest, in the wild below 30 */
#define JSON_PATH      12  /* objects and arrays deep in which something can be wanted */
#define JSON_KEY_LEN   96  /* with its NUL; longer keys match nothing (longest model: 76) */
#define JSON_VALUE_LEN 256 /* of a wanted scalar, with its NUL; longer ones are cut */

enum json_kind {
	JSON_IS_STRING, /* unescaped */
	JSON_IS_NUMBER, /* as written */
	JSON_IS_TRUE,
	JSON_IS_FALSE,
	JSON_IS_NULL,
	JSON_IS_BEGIN, /* of an object */
	JSON_IS_END,   /* of an object */
};

/*
 * A wanted key. Arrays are transparent: the elements of an array have the place of the array. A
 * list ends with a NULL key; "*" matches any key and stands last. Lists are static data and may be
 * shared, so usage found at three places is described once.
 */
struct json_node {
	const char *key;
	int id;                     /* tell the value, or an object's begin and end */
	const struct json_node *in; /* keys of the object below, or NULL */
	bool is_schema;             /* keys below are text too, and no key is mute */
};
/* The end of a list. */
#define JSON_NODES_END               \
	{                            \
		NULL, 0, NULL, false \
	}

/* What happens to text: the content of strings, in spans, unescaped. */
enum json_text {
	JSON_TEXT_BEGIN,
	JSON_TEXT_SPAN,
	JSON_TEXT_END,
	JSON_TEXT_DROP, /* instead of END: it was base64, forget the spans since BEGIN */
};
#define JSON_BASE64_MIN 512 /* so many bytes of its alphabet alone are taken for base64 */

struct json_sink {
	/* `text` has a NUL; both hold for the call. is_cut: JSON_VALUE_LEN was not enough. */
	void (*value)(void *arg, int id, enum json_kind kind, const char *key, const char *text,
		      bool is_cut);
	/* May be NULL. */
	void (*text)(void *arg, enum json_text what, const uint8_t *bytes, size_t len);
	const char *const *mute; /* keys whose strings are no text; NULL ends; or NULL */
	void *arg;
};

enum json_status {
	JSON_MORE,
	JSON_DONE, /* a value is whole; what follows is read as another one (NDJSON) */
	JSON_BAD,  /* not JSON: the rest is ignored */
};

/* Set up by json_init() and not moved after; the members are the scanner's own. */
struct json_scan {
	struct json_node outermost;
	const struct json_sink *sink;
	const struct json_node *of[JSON_PATH]; /* what each open object or array is, or NULL */
	const struct json_node *node;          /* what the next value is, or NULL */
	uint64_t is_object[JSON_DEPTH / 64];
	uint64_t offset; /* bytes taken so far */
	uint32_t depth;
	uint32_t schema_depth; /* 0: not inside a schema */
	uint32_t string_len;   /* unescaped, of the string in progress */
	uint32_t hex;          /* of \u */
	uint16_t surrogate;
	uint16_t value_len;
	uint8_t key_len;
	uint8_t state;
	uint8_t string; /* what the string in progress is */
	uint8_t hex_digits;
	bool is_mute;
	bool is_base64;
	bool is_data;
	bool is_cut;
	bool is_text;
	bool is_kept;
	char key[JSON_KEY_LEN];
	char value[JSON_VALUE_LEN];
};

/* Starts anew; `root` are the keys wanted in the outermost object. Both must outlive the scan. */
void json_init(struct json_scan *scan, const struct json_node *root, const struct json_sink *sink);
/* Takes the next bytes. Values are told from within. */
enum json_status json_feed(struct json_scan *scan, const uint8_t *bytes, size_t len);
/* Bytes taken before the one in hand: the place of an error, or of a value within value(). */
uint64_t json_offset(const struct json_scan *scan);

#endif

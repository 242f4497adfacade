/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads one protobuf message as it passes, in any cuts, and keeps none of it, as json.h does for JSON: what is wanted is
 * a tree of fields by number, and values are told to the same sink, numbers in decimal. It is no validator: of a
 * field that is not in the tree only the wire type counts. Groups, which proto3 has not, are bad.
 * (protobuf.dev/programming-guides/encoding)
 */
#ifndef BASE_PROTOBUF_H
#define BASE_PROTOBUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/json.h"

#define PROTOBUF_DEPTH     12 /* messages in each other in which something can be wanted */
#define PROTOBUF_VALUE_LEN JSON_VALUE_LEN
#define PROTOBUF_FIELD_MAX INT32_MAX /* bytes of one field: a message has 2 GiB at most */

/* A wanted field. Lists are static data and may be shared; `field` 0 ends one. */
struct protobuf_node {
	uint32_t field;
	int id; /* tell the value, or a message's begin and end; 0: neither */
	const struct protobuf_node *in; /* fields of the message in it, or NULL */
	const char *const *words;       /* of an enum: told as a string by its number; NULL ends */
	bool is_text;                   /* a string that goes to the sink's text() */
};

enum protobuf_status {
	PROTOBUF_MORE,
	PROTOBUF_BAD, /* no protobuf: the rest is ignored */
};

/* Set up by protobuf_init() and not moved after; the members are the scanner's own. */
struct protobuf_scan {
	const struct json_sink *sink;
	struct {
		const struct protobuf_node *list; /* what is wanted in it, or NULL */
		int id;                           /* whose end is told */
		uint64_t end;                     /* where it ends; UINT64_MAX: not known */
	} levels[PROTOBUF_DEPTH];
	const struct protobuf_node *node; /* what the field in hand is, or NULL */
	uint64_t offset;                  /* bytes taken so far */
	uint64_t number;                  /* in progress */
	uint64_t left;                    /* of the field's bytes */
	uint32_t depth;
	uint16_t value_len;
	uint8_t shift, wire, state;
	bool is_cut;
	char value[PROTOBUF_VALUE_LEN];
};

/* Starts a message; `root` are the fields wanted in it, or NULL. Both must outlive the scan. */
void protobuf_init(struct protobuf_scan *scan, const struct protobuf_node *root,
		   const struct json_sink *sink);
/* Takes the next bytes. Values are told from within. */
enum protobuf_status protobuf_feed(struct protobuf_scan *scan, const uint8_t *bytes, size_t len);
/* No more will come. True: the message ended where a message may. */
bool protobuf_end(const struct protobuf_scan *scan);

#endif

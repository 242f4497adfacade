/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is said to a Valkey or Redis server, in RESP2 by hiredis' formatter and reader. No socket and
 * no clock in here. For shared.c and its tests.
 */
#ifndef SHARED_WIRE_H
#define SHARED_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "budget/policy.h"

#define SHARED_NODES     1024 /* that one counter may have; more is an error of the server */
#define SHARED_VALUE_MAX 4096 /* bytes of one text of an answer; a value of 64 slots has 2.7 kB */
#define SHARED_REPLY_MAX (1u << 20) /* bytes of an answer that is not whole yet */

/*
 * What one node has spent of one counter: "SEQ SLOT:SUM SLOT:SUM ...". A calendar window is one slot,
 * its start. SEQ is the ledger's last call that the sums hold.
 */
struct shared_part {
	int64_t seq;
	size_t n;
	struct {
		int64_t slot;
		uint64_t sum;
	} slots[POLICY_SLOTS];
};
/* Into SHARED_VALUE_MAX bytes. Returns the length. */
size_t shared_part_write(const struct shared_part *part, char *text);
/* Any text may come; false: it is none. */
bool shared_part_read(const char *text, size_t len, struct shared_part *ret);

/*
 * sync KEY, NODE SEQ VALUE TTL_MS: puts VALUE as the node's part unless a part of a later SEQ is
 * there, and returns all parts, as HGETALL does. So whatever is sent
 * twice, or late, counts once.
 */
extern const char shared_sync_script[];
/* beat KEY, NODE TTL_MS: the node lives, by the server's clock; returns how many do. */
extern const char shared_beat_script[];

struct shared_reader;
enum shared_kind { SHARED_TEXT, SHARED_NUMBER, SHARED_LIST, SHARED_NOTHING, SHARED_ERROR };
struct shared_reply {
	enum shared_kind kind;
	const char *text; /* of a text or an error */
	size_t len;
	int64_t number;
	size_t n; /* of a list */
	const struct shared_reply_item {
		const char *text;
		size_t len;
	} * items;
};

struct shared_reader *shared_reader_new(void);
struct shared_reader *shared_reader_free(struct shared_reader *reader);
/*
 * Takes bytes and calls fn for each whole answer; texts live until it returns. False: the bytes are
 * no RESP, or more than the limits above allow; the reader is then of no more use. fn returning
 * false ends it likewise.
 */
bool shared_reader_feed(struct shared_reader *reader, const char *bytes, size_t len,
			bool (*fn)(void *arg, const struct shared_reply *reply), void *arg);

#endif

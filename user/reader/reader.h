/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads the plaintext of connections: the only room that feeds tenants' bytes to the parsers of HTTP, JSON and the rest. It is
 * told of connections and their bytes, and answers with messages (message.h). It knows no process, cgroup, price, budget or
 * kernel, and is asked nothing: whoever uses it keeps what its messages said.
 */
#ifndef READER_READER_H
#define READER_READER_H

#include "reader/message.h"

struct reader;

/*
 * say() gets each message, from within the functions below; it must not call them, and the message is gone when it returns.
 * NULL: no memory.
 */
struct reader *reader_new(void (*say)(void *arg, const struct message *message), void *arg);
struct reader *reader_free(struct reader *reader); /* without a word */

/* How often MESSAGE_SO_FAR comes of a call, in event time. */
void reader_report(struct reader *reader, uint64_t period_ns);

/* A connection of which nothing was read; from_start: from its first byte on it will be. 0 or -ENOMEM. */
int reader_begin(struct reader *reader, uint64_t connection, bool from_start);
/*
 * Where it goes, if it has no name by now. path: it was inherited from another process, whose last call was to this path ("": not
 * known), so an answer whose request was not read is taken to be of one like the last; NULL: it was not.
 */
void reader_name(struct reader *reader, uint64_t connection, const char *host, const char *path);
/* Plaintext of it, from `offset` of its direction on. */
void reader_feed(struct reader *reader, uint64_t connection, enum http_side side, uint64_t offset,
		 const uint8_t *bytes, size_t len, uint64_t time_ns);
/* It is over, and with it its calls; totals: the kernel's counts of its bytes; NULL: not known, or of no interest. */
void reader_end(struct reader *reader, uint64_t connection, const uint64_t totals[2],
		uint64_t time_ns);

#endif

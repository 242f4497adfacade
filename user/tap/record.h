/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files of events: "AIGEV002", the wall clock minus the monotonic one in ns (__u64), then each event
 * as its size (__u32) and its bytes, in the byte order of the machine. For tests and fuzzing only:
 * such a file holds plaintext, so the daemon never writes one unless asked to by `run --record`.
 */
#ifndef TAP_RECORD_H
#define TAP_RECORD_H

#include "tap/tap.h"

struct record;

/* Creates the file (mode 0600, never over an existing one). 0 or -errno. */
int record_create(struct record **ret, const char *path);
int record_write(struct record *record, const struct ev_head *event, size_t size);
/* Opens for reading. 0, -errno, or -EINVAL: not such a file. */
int record_open(struct record **ret, const char *path);
/* 1: *ret_event is valid until the next call; 0: the end; -EINVAL: the file is cut or not sound. */
int record_read(struct record *record, const struct ev_head **ret_event, size_t *ret_size);
/* What to add to an event's time to have nanoseconds since the epoch. */
uint64_t record_epoch_ns(const struct record *record);
struct record *record_free(struct record *record);

#endif

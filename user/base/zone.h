/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Time zones for calendar windows: reads TZif (RFC 8536) itself. The C library knows one zone a
 * process, named by $TZ; changing that under way would race with every thread that prints a time.
 */
#ifndef BASE_ZONE_H
#define BASE_ZONE_H

#include <stddef.h>
#include <stdint.h>

struct zone;

/*
 * The zone of an IANA name ("Europe/Berlin"), NULL for the host's (/etc/localtime, UTC if there is
 * none). 0; -ENOENT: no such zone; -EINVAL: not a name or not a zone file; -ENOMEM.
 */
int zone_load(struct zone **ret, const char *name);
struct zone *zone_free(struct zone *zone);
/* The same from the bytes of a TZif file. */
int zone_parse(struct zone **ret, const uint8_t *bytes, size_t size);

/* Seconds east of UTC at a time (seconds since the epoch), and the stretch [start, end) for which
 * that holds; INT64_MIN and INT64_MAX where it has no end. */
int32_t zone_offset(const struct zone *zone, int64_t utc_s, int64_t *ret_start_s,
		    int64_t *ret_end_s);

enum zone_unit { ZONE_HOUR, ZONE_DAY, ZONE_WEEK, ZONE_MONTH };

/*
 * The calendar unit [start, end) around a time, both in UTC seconds. A day of 23 or 25 hours is one
 * day; a day whose midnight does not exist starts at the jump. An hour ends at the next full hour of
 * the local clock or at a jump of it. A week starts on start_day, 1 (Monday) to 7, a month on its
 * day of that number, 1 to 31, or on its last day if it has fewer; 0 is 1. Others have no start day.
 */
void zone_window(const struct zone *zone, enum zone_unit unit, unsigned start_day, int64_t utc_s,
		 int64_t *ret_start_s, int64_t *ret_end_s);

#endif

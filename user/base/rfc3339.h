/* SPDX-License-Identifier: Apache-2.0 */
/* Dates and times as RFC 3339, section 5.6, writes them. */
#ifndef BASE_RFC3339_H
#define BASE_RFC3339_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

/*
 * "2026-11-23", a day that exists, into the fields of ret that say it; the others are left alone. Returns what
 * follows it, or NULL: it does not begin with such a day.
 */
const char *rfc3339_date(const char *text, struct tm *ret);
/*
 * What follows a date: "T19:00:00.123+01:00"; seconds may be missing, a blank may stand for the T. With `day` as
 * rfc3339_date() has left it, ret_us is microseconds since the epoch. False: not such a time, one without its offset,
 * or something follows it.
 */
bool rfc3339_time(const char *text, const struct tm *day, int64_t *ret_us);

#endif

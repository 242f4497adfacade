/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names that anybody may have made, as text that is safe to show: valid UTF-8 in which nothing
 * moves a cursor, changes a title or turns the reading direction.
 */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A name of `max` bytes needs four for each: "\xNN". */
#define TEXT_LEN(max) ((max)*4 + 1)

/*
 * Control characters (C0, DEL, C1), directional marks, line separators and bytes that are no UTF-8
 * become "\xNN"; a backslash stays. Cut at a character where the buffer ends. Returns buf.
 */
char *text_plain(const char *text, char *buf, size_t size);
/* Is it so already? */
bool text_is_plain(const char *text);
/* A JSON string of any bytes, as text_plain() has them. NULL: no memory. */
json_t *text_json(const char *text);

/*
 * A word for a POSIX shell, in single quotes: what a tenant named can be pasted without running. What has no room, with
 * its quotes, is "" as a whole: half of a name is another one. Returns buf.
 */
char *text_shell(const char *text, char *buf, size_t size);

/* A pattern of fnmatch(3) that fits this text alone: "*" is "\*". "" where it has no room as a whole. Returns buf. */
char *text_glob(const char *text, char *buf, size_t size);

/* 2026-11-23T19:00:12.345Z, of microseconds since 1970. Returns buf. */
#define TEXT_TIME_LEN 48
char *text_time(int64_t us, char buf[TEXT_TIME_LEN]);

/* A length of time as an operator writes it, in the largest unit that leaves no rest: "2h", "90m", "45s". Returns buf. */
#define TEXT_DURATION_LEN 24
char *text_duration(uint64_t seconds, char buf[TEXT_DURATION_LEN]);

/* Two hexadecimal digits for each byte, and the end: ret has 2 * n + 1 characters. */
void text_hex(const uint8_t *bytes, size_t n, char *ret);
/* What a hexadecimal digit stands for; -1: c is none. */
static inline int text_hex_digit(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Takes the dot off the end of a host's name, where it says that the name is absolute (RFC 1034 3.1). */
void text_trim_root(char *host);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names that anybody may have made, as text that is safe to show: valid UTF-8 in which nothing
 * moves a cursor, changes a title or turns the reading direction.
 */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stddef.h>

/* A name of `max` bytes needs four for each: "\xNN". */
#define TEXT_LEN(max) ((max) * 4 + 1)

/*
 * Control characters (C0, DEL, C1), directional marks, line separators and bytes that are no UTF-8
 * become "\xNN"; a backslash stays. Cut at a character where the buffer ends. Returns buf.
 */
char *text_plain(const char *text, char *buf, size_t size);

#endif

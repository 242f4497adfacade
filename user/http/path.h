/* SPDX-License-Identifier: Apache-2.0 */
/* One path in all the ways to write it: what a server takes for the same must be read as the same. */
#ifndef HTTP_PATH_H
#define HTTP_PATH_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Writes a path, without query, as RFC 3986 6.2.2 has it: letters, digits and -._~ that were encoded are plain, and "."
 * and ".." are gone, with empty segments. What else is encoded stays so. False: it did not fit, and is cut.
 */
bool path_clean(char *to, size_t room, const char *from, size_t len);
/* The value of a byte that is encoded as %XX in from[0..len); -1: it is none. */
int path_encoded(const char *from, size_t len);

#endif

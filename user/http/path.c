/* SPDX-License-Identifier: Apache-2.0 */
#include "http/path.h"

#include <ctype.h>
#include <string.h>

#include "base/text.h"

int path_encoded(const char *from, size_t len)
{
	int high, low;

	if (len < 3 || from[0] != '%')
		return -1;
	high = text_hex_digit((uint8_t)from[1]);
	low = text_hex_digit((uint8_t)from[2]);
	return high < 0 || low < 0 ? -1 : high << 4 | low;
}

static bool is_unreserved(int c)
{
	return c > 0 && c < 128 && (isalnum(c) || strchr("-._~", c));
}

/* Where the last segment of to[0..n) begins, behind its slash. */
static size_t segment_start(const char *to, size_t n)
{
	while (n && to[n - 1] != '/')
		n--;
	return n;
}

/* A segment has ended: what it means to the path, RFC 3986 5.2.4. */
static size_t segment_end(const char *to, size_t n)
{
	size_t start = segment_start(to, n), len = n - start;

	if (!start)
		return n; /* no path: "*" */
	if (len == 1 && to[start] == '.')
		return start;
	if (len == 2 && to[start] == '.' && to[start + 1] == '.')
		return start > 1 ? segment_start(to, start - 1) : start;
	return n;
}

bool path_clean(char *to, size_t room, const char *from, size_t len)
{
	bool is_cut = false;
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		int c = path_encoded(from + i, len - i);

		if (is_unreserved(c))
			i += 2;
		else
			c = (unsigned char)from[i];
		if (c == '/') {
			n = segment_end(to, n);
			if (n && to[n - 1] == '/')
				continue;
		}
		if (n + 1 >= room)
			is_cut = true;
		else
			to[n++] = (char)c;
	}
	n = segment_end(to, n);
	to[n] = '\0';
	return !is_cut;
}

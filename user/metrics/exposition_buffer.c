/* SPDX-License-Identifier: Apache-2.0 */
/* The text of an exposition, which grows as rows are appended. */
#include "metrics/exposition_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void exposition_bytes(struct exposition *out, const char *bytes, size_t len)
{
	if (out->len + len > out->room) {
		size_t room = out->room ? out->room * 2 : 16384;
		char *text;

		while (room < out->len + len)
			room *= 2;
		text = realloc(out->text, room);
		if (!text) {
			out->failed = true;
			return;
		}
		out->text = text;
		out->room = room;
	}
	memcpy(out->text + out->len, bytes, len);
	out->len += len;
}

void exposition_string(struct exposition *out, const char *text)
{
	exposition_bytes(out, text, strlen(text));
}

void exposition_printf(struct exposition *out, const char *format, ...)
{
	char text[1024]; /* names, help and numbers of this program's own */
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	if (n > 0)
		exposition_bytes(out, text, (size_t)n < sizeof(text) ? (size_t)n : sizeof(text) - 1);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/csv.h"

#include <string.h>

#include "cmd/show.h"

#define CELL_LEN 1024

void csv_cell(FILE *out, const char *text, bool is_first)
{
	char shown[CELL_LEN];

	show_text(text, shown, sizeof(shown));
	if (!is_first)
		fputc(',', out);
	/* Spreadsheets run what begins so: CWE-1236. A number below 0 they do not. */
	if (*shown && strchr("=+-@", *shown) &&
	    (*shown != '-' || shown[1 + strspn(shown + 1, "0123456789.")]))
		memmove(shown + 1, shown, strnlen(shown, sizeof(shown) - 2) + 1), *shown = '\'';
	shown[sizeof(shown) - 1] = '\0';
	if (!strpbrk(shown, ",\"")) {
		fputs(shown, out);
		return;
	}
	fputc('"', out);
	for (const char *c = shown; *c; c++) {
		if (*c == '"')
			fputc('"', out);
		fputc(*c, out);
	}
	fputc('"', out);
}

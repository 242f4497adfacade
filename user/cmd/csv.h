/* SPDX-License-Identifier: Apache-2.0 */
/* Cells of a CSV, RFC 4180. */
#ifndef CMD_CSV_H
#define CMD_CSV_H

#include <stdbool.h>
#include <stdio.h>

/* One cell, and before it a comma if it is not the row's first. The row's end, "\r\n", is the caller's. */
void csv_cell(FILE *out, const char *text, bool is_first);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Paths and model names are what a client sent, and go into the ledger, logs and pages: what looks like a key or
 * an id is taken out, and of a text that somebody sent as a model its beginning is left.
 */
#ifndef METER_REDACT_H
#define METER_REDACT_H

#include <stddef.h>

#define REDACT_MODEL_MAX 128 /* the longest real one has 76 characters: docs/facts/wire.md */

/*
 * Writes "*" for each segment of a path that begins like a key of a known service or holds a run of letters and
 * digits as ids and keys have it: 16 or more with three digits, 10 or more with small and capital letters and
 * digits, or 9 digits in a row. Bytes that no path has as they are (RFC 3986 3.3) become "?". Cut to size.
 */
void redact_path(const char *path, char *ret, size_t size);
/*
 * In place: ends at the first byte that no model's name has, with "?" for the rest, and after REDACT_MODEL_MAX.
 * What begins like a key is "*".
 */
void redact_model(char *model);

#endif

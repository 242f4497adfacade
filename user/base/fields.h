/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A setter a field, for JSON objects that are built up: each key stands beside its value, unlike in the
 * format of json_pack(). Without memory a field is left out; a NULL object takes nothing.
 */
#ifndef BASE_FIELDS_H
#define BASE_FIELDS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* Takes the reference to `value`; NULL: the field is left out. */
void field_set(json_t *object, const char *key, json_t *value);
/* Any bytes, as text_json() has them. */
void field_text(json_t *object, const char *key, const char *text);
/* At most INT64_MAX. */
void field_number(json_t *object, const char *key, uint64_t n);
void field_bool(json_t *object, const char *key, bool is_true);
/* USD, as money_format() has them. */
void field_money(json_t *object, const char *key, int64_t nanos);

/* All of it in one line of ASCII, keys in their order; takes the reference. To be freed; NULL: object is, or no memory. */
char *fields_line(json_t *object);

#endif

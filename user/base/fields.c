/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fields.h"

#include "base/money.h"
#include "base/text.h"

void field_set(json_t *object, const char *key, json_t *value)
{
	(void)json_object_set_new(object, key, value);
}

void field_text(json_t *object, const char *key, const char *text)
{
	field_set(object, key, text_json(text));
}

void field_number(json_t *object, const char *key, uint64_t n)
{
	field_set(object, key, json_integer(n > INT64_MAX ? INT64_MAX : (json_int_t)n));
}

void field_bool(json_t *object, const char *key, bool is_true)
{
	field_set(object, key, json_boolean(is_true));
}

void field_money(json_t *object, const char *key, int64_t nanos)
{
	char text[MONEY_LEN];

	field_set(object, key, json_string(money_format(nanos, text)));
}

char *fields_line(json_t *object)
{
	char *text = object ? json_dumps(object,
					 JSON_COMPACT | JSON_PRESERVE_ORDER | JSON_ENSURE_ASCII) :
			      NULL;

	json_decref(object);
	return text;
}

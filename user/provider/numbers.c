/* SPDX-License-Identifier: Apache-2.0 */
/* Rows as numbers, which can be told to another process. */
#include "provider/provider.h"

#define LIST_MAX 1024

size_t api_number(const struct api_provider *provider)
{
	return (size_t)(provider - provider_rows);
}

/* A provider's own, or behind all of these the common ones; NULL: there is no such list. */
static const struct endpoint *list_at(size_t i)
{
	if (i == provider_rows_count)
		return endpoint_rows;
	return i < provider_rows_count ? provider_rows[i].endpoints : NULL;
}

size_t endpoint_number(const struct endpoint *endpoint)
{
	for (size_t i = 0; i <= provider_rows_count; i++) {
		const struct endpoint *list = list_at(i);

		for (size_t n = 0; list && list[n].tail; n++)
			if (&list[n] == endpoint)
				return i * LIST_MAX + n;
	}
	return SIZE_MAX; /* every list is some provider's */
}

const struct endpoint *endpoint_at(size_t number)
{
	return list_at(number / LIST_MAX) + number % LIST_MAX;
}

bool endpoint_is_number(size_t number)
{
	const struct endpoint *list = list_at(number / LIST_MAX);

	for (size_t n = 0; list && list[n].tail; n++)
		if (n == number % LIST_MAX)
			return list[n].operation;
	return false;
}

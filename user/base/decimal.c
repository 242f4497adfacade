/* SPDX-License-Identifier: Apache-2.0 */
#include "base/decimal.h"

#include <stddef.h>

/* As decimal_read(); is_exact: nothing was rounded away. */
static bool read_scaled(const char *text, int scale, uint64_t *ret, bool *ret_is_exact)
{
	unsigned __int128 value = 0;
	bool has_digit = false, has_point = false, is_exact = true;
	int exponent = 0;

	for (; (*text >= '0' && *text <= '9') || (*text == '.' && !has_point); text++) {
		if (*text == '.') {
			has_point = true;
			continue;
		}
		has_digit = true;
		scale -= has_point;
		/* 37 digits fit; further ones behind the point are below any half. */
		if (value < (unsigned __int128)1 << 120) {
			value = value * 10 + (*text - '0');
		} else {
			is_exact &= *text == '0';
			scale++;
		}
	}
	if (!has_digit)
		return false;
	if (*text == 'e' || *text == 'E') {
		bool is_negative = text[1] == '-';

		text += 1 + (text[1] == '-' || text[1] == '+');
		if (*text < '0' || *text > '9')
			return false;
		for (; *text >= '0' && *text <= '9'; text++)
			exponent = exponent < 1000 ? exponent * 10 + (*text - '0') : exponent;
		scale += is_negative ? -exponent : exponent;
	}
	if (*text)
		return false;
	for (; scale > 0 && value; scale--) {
		if (value > UINT64_MAX)
			return false;
		value *= 10;
	}
	if (scale < 0) {
		for (; scale < -1 && value; scale++) {
			is_exact &= value % 10 == 0;
			value /= 10;
		}
		is_exact &= value % 10 == 0;
		value = (value + 5) / 10;
	}
	if (value > UINT64_MAX)
		return false;
	*ret = value;
	*ret_is_exact = is_exact;
	return true;
}

bool decimal_read(const char *text, int scale, uint64_t *ret)
{
	bool is_exact;

	return read_scaled(text, scale, ret, &is_exact);
}

bool decimal_count(const char *text, uint64_t *ret)
{
	uint64_t value;
	bool is_exact;

	if (!read_scaled(text, 0, &value, &is_exact) || !is_exact || value > 1ULL << 53)
		return false;
	*ret = value;
	return true;
}

const char *decimal_prefix(const char *text, unsigned places, int64_t *ret)
{
	const char *at = text;
	int64_t value = 0;

	if (*at < '0' || *at > '9')
		return NULL;
	for (; *at >= '0' && *at <= '9'; at++)
		if (__builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, *at - '0', &value))
			return NULL;
	if (*at == '.') {
		at++;
		if (*at < '0' || *at > '9')
			return NULL;
		for (; *at >= '0' && *at <= '9'; at++) {
			if (!places)
				return NULL;
			places--;
			if (__builtin_mul_overflow(value, 10, &value) ||
			    __builtin_add_overflow(value, *at - '0', &value))
				return NULL;
		}
	}
	while (places--)
		if (__builtin_mul_overflow(value, 10, &value))
			return NULL;
	*ret = value;
	return at;
}

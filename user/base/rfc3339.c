/* SPDX-License-Identifier: Apache-2.0 */
#include "base/rfc3339.h"

#include <ctype.h>
#include <stddef.h>

#include "base/clock.h"

/* Exactly n digits, in [low, high]; moves the text on. */
static bool read_digits(const char **text, int n, int low, int high, int *ret)
{
	int value = 0;

	for (int i = 0; i < n; i++, (*text)++) {
		if (!isdigit((unsigned char)**text))
			return false;
		value = value * 10 + (**text - '0');
	}
	*ret = value;
	return value >= low && value <= high;
}

static bool skip(const char **text, char c)
{
	if (**text != c)
		return false;
	(*text)++;
	return true;
}

const char *rfc3339_date(const char *text, struct tm *ret)
{
	struct tm tm = { 0 }, again;
	int year, month;

	if (!read_digits(&text, 4, 1970, 9999, &year) || !skip(&text, '-') ||
	    !read_digits(&text, 2, 1, 12, &month) || !skip(&text, '-') ||
	    !read_digits(&text, 2, 1, 31, &tm.tm_mday))
		return NULL;
	tm.tm_year = year - 1900;
	tm.tm_mon = month - 1;
	again = tm;
	if (timegm(&again) < 0 || again.tm_mday != tm.tm_mday) /* February 30 */
		return NULL;
	ret->tm_year = tm.tm_year;
	ret->tm_mon = tm.tm_mon;
	ret->tm_mday = tm.tm_mday;
	return text;
}

bool rfc3339_time(const char *text, const struct tm *day, int64_t *ret_us)
{
	struct tm tm = { .tm_year = day->tm_year, .tm_mon = day->tm_mon, .tm_mday = day->tm_mday };
	int64_t us = 0, unit = US_PER_S / 10;
	int hours, minutes, sign;

	if ((*text != 'T' && *text != 't' && *text != ' ') || !*++text)
		return false;
	if (!read_digits(&text, 2, 0, 23, &tm.tm_hour) || !skip(&text, ':') ||
	    !read_digits(&text, 2, 0, 59, &tm.tm_min))
		return false;
	if (skip(&text, ':') && !read_digits(&text, 2, 0, 60, &tm.tm_sec))
		return false;
	if (skip(&text, '.'))
		for (; isdigit((unsigned char)*text); text++, unit /= 10)
			us += (*text - '0') * unit;
	us += (int64_t)timegm(&tm) * US_PER_S;
	if (*text == 'Z' || *text == 'z') {
		*ret_us = us;
		return !text[1];
	}
	sign = *text == '+' ? -1 : *text == '-' ? 1 : 0;
	text++;
	if (!sign || !read_digits(&text, 2, 0, 23, &hours) || !skip(&text, ':') ||
	    !read_digits(&text, 2, 0, 59, &minutes) || *text)
		return false;
	*ret_us = us + sign * (hours * 3600LL + minutes * 60) * US_PER_S;
	return true;
}

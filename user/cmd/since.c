/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "cmd/show.h"

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

static bool read_date(const char **text, struct tm *tm)
{
	int year, month;
	struct tm again;

	if (!read_digits(text, 4, 1970, 9999, &year) || !skip(text, '-') ||
	    !read_digits(text, 2, 1, 12, &month) || !skip(text, '-') ||
	    !read_digits(text, 2, 1, 31, &tm->tm_mday))
		return false;
	tm->tm_year = year - 1900;
	tm->tm_mon = month - 1;
	again = *tm;
	return timegm(&again) >= 0 && again.tm_mday == tm->tm_mday; /* not February 30 */
}

/* "T19:00[:00[.123]]" and "Z" or "+01:00" (RFC 3339, section 5.6). */
static int read_time(const char *text, struct tm *tm, int64_t *ret_us)
{
	int64_t us = 0, unit = US_PER_S / 10;
	int hours, minutes, sign;

	if ((*text != 'T' && *text != 't' && *text != ' ') || !*++text)
		return -EINVAL;
	if (!read_digits(&text, 2, 0, 23, &tm->tm_hour) || !skip(&text, ':') ||
	    !read_digits(&text, 2, 0, 59, &tm->tm_min))
		return -EINVAL;
	if (skip(&text, ':') && !read_digits(&text, 2, 0, 60, &tm->tm_sec))
		return -EINVAL;
	if (skip(&text, '.'))
		for (; isdigit((unsigned char)*text); text++, unit /= 10)
			us += (*text - '0') * unit;
	us += (int64_t)timegm(tm) * US_PER_S;
	if (*text == 'Z' || *text == 'z') {
		*ret_us = us;
		return text[1] ? -EINVAL : 0;
	}
	sign = *text == '+' ? -1 : *text == '-' ? 1 : 0;
	text++;
	if (!sign || !read_digits(&text, 2, 0, 23, &hours) || !skip(&text, ':') ||
	    !read_digits(&text, 2, 0, 59, &minutes) || *text)
		return -EINVAL;
	*ret_us = us + sign * (hours * 3600LL + minutes * 60) * US_PER_S;
	return 0;
}

/* Midnight of the host's zone at the start of the day. */
static int64_t midnight(struct tm tm)
{
	tm.tm_hour = tm.tm_min = tm.tm_sec = 0;
	tm.tm_isdst = -1;
	return (int64_t)mktime(&tm) * US_PER_S;
}

static int read_ago(const char *text, int64_t now_us, int64_t *ret_us)
{
	static const struct {
		char unit;
		int64_t seconds;
	} units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 }, { 'w', 7 * 86400 } };
	char *end;
	long n;

	errno = 0;
	n = strtol(text, &end, 10);
	if (errno || end == text || !end[0] || end[1] || n < 0 || n > 1000000000)
		return -EINVAL;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (*end == units[i].unit) {
			*ret_us = now_us - n * units[i].seconds * US_PER_S;
			return 0;
		}
	return -EINVAL;
}

int show_parse_since(const char *text, int64_t now_us, int64_t *ret_us)
{
	const char *rest = text;
	struct tm tm = { 0 };

	if (!strcmp(text, "all")) {
		*ret_us = 0;
		return 0;
	}
	if (!strcmp(text, "today")) {
		time_t now = now_us / US_PER_S;

		localtime_r(&now, &tm);
		*ret_us = midnight(tm);
		return 0;
	}
	if (!isdigit((unsigned char)*text))
		return -EINVAL;
	if (!read_date(&rest, &tm))
		return read_ago(text, now_us, ret_us);
	if (!*rest) {
		*ret_us = midnight(tm);
		return 0;
	}
	return read_time(rest, &tm, ret_us);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <argp.h>
#include <ctype.h>
#include <errno.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
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

/* The start of that day in the zone; noon is on it wherever its midnight is. */
static int64_t midnight(const struct zone *zone, struct tm tm)
{
	int64_t start_s, end_s, noon_s;

	tm.tm_hour = 12;
	tm.tm_min = tm.tm_sec = 0;
	noon_s = timegm(&tm);
	noon_s -= zone_offset(zone, noon_s, &start_s, &end_s);
	zone_window(zone, ZONE_DAY, 0, noon_s, &start_s, &end_s);
	return start_s * US_PER_S;
}

/* "today", "last-month": where that begins. */
static int read_word(const char *text, const struct zone *zone, int64_t now_us, int64_t *ret_us)
{
	static const struct {
		const char *word;
		enum zone_unit unit;
		bool is_last;
	} words[] = {
		{ "today", ZONE_DAY, false },        { "yesterday", ZONE_DAY, true },
		{ "this-week", ZONE_WEEK, false },   { "last-week", ZONE_WEEK, true },
		{ "this-month", ZONE_MONTH, false }, { "last-month", ZONE_MONTH, true },
	};
	int64_t start_s, end_s;

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		if (strcmp(text, words[i].word))
			continue;
		zone_window(zone, words[i].unit, 0, now_us / US_PER_S, &start_s, &end_s);
		if (words[i].is_last)
			zone_window(zone, words[i].unit, 0, start_s - 1, &start_s, &end_s);
		*ret_us = start_s * US_PER_S;
		return 0;
	}
	return -EINVAL;
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

int show_parse_time(const char *text, const struct zone *zone, int64_t now_us, int64_t *ret_us)
{
	const char *rest = text;
	struct tm tm = { 0 };

	if (!strcmp(text, "all")) {
		*ret_us = 0;
		return 0;
	}
	if (!strcmp(text, "now")) {
		*ret_us = now_us;
		return 0;
	}
	if (!isdigit((unsigned char)*text))
		return read_word(text, zone, now_us, ret_us);
	if (!read_date(&rest, &tm))
		return read_ago(text, now_us, ret_us);
	if (!*rest) {
		*ret_us = midnight(zone, tm);
		return 0;
	}
	return read_time(rest, &tm, ret_us);
}

void show_argp_time(struct argp_state *state, const char *name, const char *text, int64_t now_us,
		    int64_t *ret_us)
{
	struct zone *zone = show_zone(NULL);
	int err = zone ? show_parse_time(text, zone, now_us, ret_us) : -ENOMEM;

	zone_free(zone);
	if (err < 0)
		argp_error(state, "--%s: that is not a time; give " SHOW_TIME_FORMS, name);
}

struct zone *show_zone(struct ledger *ledger)
{
	_cleanup_free_ char *text = ledger ? ledger_get(ledger, "config") : NULL;
	json_t *config = text ? json_loads(text, 0, NULL) : NULL;
	const char *name = json_string_value(json_object_get(config, "zone"));
	struct zone *zone = NULL;

	/* one that only the daemon's host knows: better the own host's than none */
	if (!name || !*name || zone_load(&zone, name) < 0)
		(void)zone_load(&zone, NULL);
	json_decref(config);
	return zone;
}

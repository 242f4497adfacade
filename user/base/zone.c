/* SPDX-License-Identifier: Apache-2.0 */
#include "base/zone.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"

#define ZONE_FILE_BYTES (256u << 10) /* the largest of tzdata 2024 has 3.5 kB */
#define ZONE_CHANGES    16384u
#define DAY_S           86400LL
#define OFFSET_MAX_S    (26 * 3600) /* RFC 8536 3.2: offsets lie within -25 h and 26 h */
#define TIME_MAX_S      (1LL << 40) /* 34,000 years: nothing below overflows */

/* A day of the year in a POSIX TZ rule. */
struct rule_day {
	enum { RULE_MONTH, RULE_JULIAN, RULE_DAY } form; /* Mm.w.d, Jn, n */
	int month, week, day;
	int32_t time_s; /* on the local clock, -167 to 167 h (RFC 8536 3.3.1) */
};

struct rule {
	int32_t standard, summer;
	bool has_summer;
	struct rule_day to_summer, to_standard;
};

struct zone {
	size_t n;
	int64_t *at;     /* when the offset changes, ascending */
	int32_t *offset; /* from then on */
	int32_t first;   /* before the first change */
	bool has_rule;   /* after the last change */
	struct rule rule;
};

struct zone *zone_free(struct zone *zone)
{
	if (!zone)
		return NULL;
	free(zone->at);
	free(zone->offset);
	free(zone);
	return NULL;
}

static void zone_freep(struct zone **zone)
{
	zone_free(*zone);
}

/* ---- the calendar (proleptic Gregorian; H. Hinnant, "chrono-compatible low-level date
 * algorithms") ---- */

static int64_t floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

static int64_t days_of(int64_t year, int month, int day)
{
	int64_t y = year - (month <= 2), era = floor_div(y, 400), yoe = y - era * 400;
	int64_t doy = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

	return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

static void civil_of(int64_t days, int64_t *ret_year, int *ret_month)
{
	int64_t z = days + 719468, era = floor_div(z, 146097), doe = z - era * 146097;
	int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
	int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;

	*ret_month = (int)(mp < 10 ? mp + 3 : mp - 9);
	*ret_year = yoe + era * 400 + (*ret_month <= 2);
}

static bool is_leap(int64_t year)
{
	return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

/* ---- the POSIX rule in the footer ---- */

static bool rule_name(const char **p)
{
	const char *start = *p;

	if (**p == '<') {
		while (**p && **p != '>')
			++*p;
		return *(*p)++ == '>';
	}
	while ((**p >= 'a' && **p <= 'z') || (**p >= 'A' && **p <= 'Z'))
		++*p;
	return *p - start >= 3;
}

static bool rule_number(const char **p, int max, int *ret)
{
	int value = 0;

	if (**p < '0' || **p > '9')
		return false;
	for (; **p >= '0' && **p <= '9'; ++*p) {
		value = value * 10 + (**p - '0');
		if (value > max)
			return false;
	}
	*ret = value;
	return true;
}

/* [+-]hh[:mm[:ss]] */
static bool rule_time(const char **p, int max_hours, int32_t *ret)
{
	int sign = **p == '-' ? -1 : 1, hours, minutes = 0, seconds = 0;

	if (**p == '-' || **p == '+')
		++*p;
	if (!rule_number(p, max_hours, &hours))
		return false;
	if (**p == ':' && (++*p, !rule_number(p, 59, &minutes)))
		return false;
	if (**p == ':' && (++*p, !rule_number(p, 59, &seconds)))
		return false;
	*ret = sign * (hours * 3600 + minutes * 60 + seconds);
	return true;
}

static bool rule_day(const char **p, struct rule_day *ret)
{
	ret->time_s = 2 * 3600;
	if (*(*p)++ != ',')
		return false;
	if (**p == 'M') {
		ret->form = RULE_MONTH;
		++*p;
		if (!rule_number(p, 12, &ret->month) || *(*p)++ != '.' ||
		    !rule_number(p, 5, &ret->week) || *(*p)++ != '.' ||
		    !rule_number(p, 6, &ret->day) || !ret->month || !ret->week)
			return false;
	} else {
		ret->form = **p == 'J' ? RULE_JULIAN : RULE_DAY;
		*p += **p == 'J';
		if (!rule_number(p, 365, &ret->day) || (ret->form == RULE_JULIAN && !ret->day))
			return false;
	}
	return **p != '/' || (++*p, rule_time(p, 167, &ret->time_s));
}

static bool rule_parse(const char *p, struct rule *ret)
{
	int32_t west;

	if (!rule_name(&p) || !rule_time(&p, 24, &west))
		return false;
	ret->standard = -west;
	ret->has_summer = *p != '\0';
	if (!ret->has_summer)
		return true;
	if (!rule_name(&p))
		return false;
	ret->summer = ret->standard + 3600;
	if (*p && *p != ',') {
		if (!rule_time(&p, 24, &west))
			return false;
		ret->summer = -west;
	}
	return rule_day(&p, &ret->to_summer) && rule_day(&p, &ret->to_standard) && !*p;
}

/* When that day's time comes in a year, in seconds of the local clock. */
static int64_t rule_local_s(const struct rule_day *when, int64_t year)
{
	int64_t day = days_of(year, 1, 1), weekday, last;

	if (when->form == RULE_DAY) {
		day += when->day;
	} else if (when->form == RULE_JULIAN) {
		day += when->day - 1 + (is_leap(year) && when->day >= 60);
	} else {
		day = days_of(year, when->month, 1);
		last = when->month == 12 ? days_of(year + 1, 1, 1) :
					   days_of(year, when->month + 1, 1);
		weekday = ((day + 4) % 7 + 7) % 7; /* 1970-01-01 was a Thursday */
		day += (when->day - weekday + 7) % 7 + (when->week - 1) * 7;
		if (day >= last)
			day -= 7;
	}
	return day * DAY_S + when->time_s;
}

static int32_t rule_offset(const struct rule *rule, int64_t utc_s, int64_t *start, int64_t *end)
{
	int64_t best = INT64_MIN, next = INT64_MAX, year;
	int32_t offset = rule->standard;
	int month;

	if (rule->has_summer) {
		civil_of(floor_div(utc_s, DAY_S), &year, &month);
		for (int64_t y = year - 1; y <= year + 1; y++) {
			int64_t at[2] = { rule_local_s(&rule->to_summer, y) - rule->standard,
					  rule_local_s(&rule->to_standard, y) - rule->summer };

			for (int i = 0; i < 2; i++) {
				if (at[i] <= utc_s && at[i] >= best) {
					best = at[i];
					offset = i ? rule->standard : rule->summer;
				} else if (at[i] > utc_s && at[i] < next) {
					next = at[i];
				}
			}
		}
	}
	*start = best;
	*end = next;
	return offset;
}

/* ---- the file ---- */

static int64_t big_endian(const uint8_t *p, size_t size)
{
	uint64_t value = p[0] & 0x80 ? UINT64_MAX : 0;

	for (size_t i = 0; i < size; i++)
		value = value << 8 | p[i];
	return (int64_t)value;
}

struct tzif_block {
	const uint8_t *data;
	uint32_t n_utc, n_standard, n_leap, n_times, n_types, n_chars;
	size_t size;
};

static bool tzif_block(const uint8_t *bytes, size_t size, size_t time_size, struct tzif_block *ret)
{
	if (size < 44 || memcmp(bytes, "TZif", 4))
		return false;
	ret->n_utc = (uint32_t)big_endian(bytes + 20, 4);
	ret->n_standard = (uint32_t)big_endian(bytes + 24, 4);
	ret->n_leap = (uint32_t)big_endian(bytes + 28, 4);
	ret->n_times = (uint32_t)big_endian(bytes + 32, 4);
	ret->n_types = (uint32_t)big_endian(bytes + 36, 4);
	ret->n_chars = (uint32_t)big_endian(bytes + 40, 4);
	if (ret->n_times > ZONE_CHANGES || !ret->n_types || ret->n_types > 256 ||
	    ret->n_chars > 4096 || ret->n_leap > 4096 || ret->n_utc > 256 || ret->n_standard > 256)
		return false;
	ret->data = bytes + 44;
	ret->size = ret->n_times * (time_size + 1) + ret->n_types * 6 + ret->n_chars +
		    ret->n_leap * (time_size + 4) + ret->n_standard + ret->n_utc;
	return ret->size <= size - 44;
}

static int read_changes(struct zone *zone, const struct tzif_block *block)
{
	const uint8_t *types = block->data + block->n_times * 8;
	const uint8_t *infos = types + block->n_times;
	int32_t before;

	zone->first = before = (int32_t)big_endian(infos, 4);
	for (uint32_t i = 0; i < block->n_types; i++) {
		int64_t offset = big_endian(infos + i * 6, 4);

		if (offset < -OFFSET_MAX_S || offset > OFFSET_MAX_S)
			return -EINVAL;
	}
	zone->at = calloc(block->n_times + 1, sizeof(*zone->at));
	zone->offset = calloc(block->n_times + 1, sizeof(*zone->offset));
	if (!zone->at || !zone->offset)
		return -ENOMEM;
	for (uint32_t i = 0; i < block->n_times; i++) {
		int64_t at = big_endian(block->data + i * 8, 8);
		int32_t offset;

		if (types[i] >= block->n_types)
			return -EINVAL;
		offset = (int32_t)big_endian(infos + types[i] * 6, 4);
		/* A change of the name alone would cut an hour in two. */
		if (offset == before)
			continue;
		if (at > TIME_MAX_S || (zone->n && at <= zone->at[zone->n - 1]))
			return -EINVAL;
		zone->at[zone->n] = at;
		zone->offset[zone->n++] = before = offset;
	}
	return 0;
}

int zone_parse(struct zone **ret, const uint8_t *bytes, size_t size)
{
	_cleanup_(zone_freep) struct zone *zone = NULL;
	struct tzif_block block;
	const uint8_t *footer, *end;
	size_t skip;
	char text[128];
	int err;

	if (!tzif_block(bytes, size, 4, &block))
		return -EINVAL;
	/* Version 1 has 32-bit times only; every zic since 2005 writes 2 or later. */
	if (bytes[4] < '2')
		return -EINVAL;
	skip = 44 + block.size;
	if (!tzif_block(bytes + skip, size - skip, 8, &block))
		return -EINVAL;
	zone = calloc(1, sizeof(*zone));
	if (!zone)
		return -ENOMEM;
	err = read_changes(zone, &block);
	if (err)
		return err;
	footer = block.data + block.size;
	if (footer < bytes + size && *footer++ == '\n') {
		end = memchr(footer, '\n', (size_t)(bytes + size - footer));
		if (end && end > footer && (size_t)(end - footer) < sizeof(text)) {
			snprintf(text, sizeof(text), "%.*s", (int)(end - footer),
				 (const char *)footer);
			zone->has_rule = rule_parse(text, &zone->rule);
		}
	}
	*ret = take(zone);
	return 0;
}

static bool is_zone_name(const char *name)
{
	size_t len = strlen(name);

	return len && len < 128 && name[0] != '/' && !strstr(name, "..") &&
	       strspn(name,
		      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/_+-.") == len;
}

static int zone_utc(struct zone **ret)
{
	*ret = calloc(1, sizeof(**ret));
	return *ret ? 0 : -ENOMEM;
}

int zone_load(struct zone **ret, const char *name)
{
	_cleanup_free_ uint8_t *bytes = NULL;
	_cleanup_fclose_ FILE *file = NULL;
	char path[192];
	size_t size;

	/* Known without tzdata, which small images lack. */
	if (name && (!strcmp(name, "UTC") || !strcmp(name, "Etc/UTC")))
		return zone_utc(ret);
	if (name && !is_zone_name(name))
		return -EINVAL;
	if (name)
		snprintf(path, sizeof(path), "/usr/share/zoneinfo/%s", name);
	else
		snprintf(path, sizeof(path), "/etc/localtime");
	file = fopen(path, "re");
	if (!file && !name && errno == ENOENT)
		return zone_utc(ret);
	if (!file)
		return -errno;
	bytes = malloc(ZONE_FILE_BYTES);
	if (!bytes)
		return -ENOMEM;
	size = fread(bytes, 1, ZONE_FILE_BYTES, file);
	return zone_parse(ret, bytes, size);
}

/* ---- questions ---- */

int32_t zone_offset(const struct zone *zone, int64_t utc_s, int64_t *ret_start_s, int64_t *ret_end_s)
{
	size_t low = 0, high = zone->n;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (zone->at[middle] <= utc_s)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == zone->n && zone->has_rule) {
		int32_t offset = rule_offset(&zone->rule, utc_s, ret_start_s, ret_end_s);

		if (zone->n && *ret_start_s < zone->at[zone->n - 1])
			*ret_start_s = zone->at[zone->n - 1];
		return offset;
	}
	*ret_start_s = low ? zone->at[low - 1] : INT64_MIN;
	*ret_end_s = low < zone->n ? zone->at[low] : INT64_MAX;
	return low ? zone->offset[low - 1] : zone->first;
}

/* The first moment at which the local clock shows local_s or later. */
static int64_t first_at(const struct zone *zone, int64_t local_s)
{
	int64_t utc_s = local_s - OFFSET_MAX_S, start, end;

	for (;;) {
		int64_t candidate = local_s - zone_offset(zone, utc_s, &start, &end);

		if (candidate < utc_s)
			candidate = utc_s;
		if (candidate < end)
			return candidate;
		utc_s = end;
	}
}

/* On which day the month starts that begins in the calendar's month, 0 to 13 of that year. */
static int64_t month_day(int64_t year, int month, unsigned start_day)
{
	int64_t first, next;

	year += month == 13 ? 1 : month == 0 ? -1 : 0;
	month = month == 13 ? 1 : month == 0 ? 12 : month;
	first = days_of(year, month, 1);
	next = month == 12 ? days_of(year + 1, 1, 1) : days_of(year, month + 1, 1);
	return first + start_day <= next ? first + start_day - 1 : next - 1;
}

/* The first day of the unit that `day` lies in, and of the next. */
static int64_t unit_day(enum zone_unit unit, unsigned start_day, int64_t day, int64_t *ret_next)
{
	int64_t year, first;
	int month;

	if (!start_day)
		start_day = 1;
	switch (unit) {
	case ZONE_MONTH:
		civil_of(day, &year, &month);
		if (day < month_day(year, month, start_day))
			month--;
		*ret_next = month_day(year, month + 1, start_day);
		return month_day(year, month, start_day);
	case ZONE_WEEK:
		/* day 0, 1970-01-01, was a Thursday */
		first = day - ((day + 4 - (int64_t)start_day) % 7 + 7) % 7;
		*ret_next = first + 7;
		return first;
	default:
		*ret_next = day + 1;
		return day;
	}
}

void zone_window(const struct zone *zone, enum zone_unit unit, unsigned start_day, int64_t utc_s,
		 int64_t *ret_start_s, int64_t *ret_end_s)
{
	int64_t from, to, local, day, next;

	if (utc_s > TIME_MAX_S)
		utc_s = TIME_MAX_S;
	if (utc_s < -TIME_MAX_S)
		utc_s = -TIME_MAX_S;
	local = utc_s + zone_offset(zone, utc_s, &from, &to);
	if (unit == ZONE_HOUR) {
		int64_t start = utc_s - (local - floor_div(local, 3600) * 3600);

		*ret_start_s = start < from ? from : start;
		*ret_end_s = start + 3600 > to ? to : start + 3600;
		return;
	}
	day = unit_day(unit, start_day, floor_div(local, DAY_S), &next);
	*ret_start_s = first_at(zone, day * DAY_S);
	*ret_end_s = first_at(zone, next * DAY_S);
	/* The clock was set back over a midnight that had been: that unit has already begun. */
	while (*ret_end_s <= utc_s) {
		*ret_start_s = *ret_end_s;
		unit_day(unit, start_day, next, &next);
		*ret_end_s = first_at(zone, next * DAY_S);
	}
}

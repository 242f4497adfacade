/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <errno.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/rfc3339.h"
#include "cmd/cmd.h"
#include "cmd/show.h"

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
	const char *rest;
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
	rest = rfc3339_date(text, &tm);
	if (!rest)
		return read_ago(text, now_us, ret_us);
	if (!*rest) {
		*ret_us = midnight(zone, tm);
		return 0;
	}
	return rfc3339_time(rest, &tm, ret_us) ? 0 : -EINVAL;
}

int show_window(const char *command, const struct zone *zone, struct show_window *window)
{
	const char *wrong = NULL;

	if (window->since &&
	    show_parse_time(window->since, zone, window->now_us, &window->since_us) < 0)
		wrong = "since";
	else if (window->until &&
		 show_parse_time(window->until, zone, window->now_us, &window->until_us) < 0)
		wrong = "until";
	if (wrong)
		fprintf(stderr, "aigress %s: --%s: that is not a time; give " SHOW_TIME_FORMS "\n",
			command, wrong);
	else if (window->until_us <= window->since_us)
		fprintf(stderr, "aigress %s: --until is not after --since\n", command);
	else
		return CMD_OK;
	return CMD_USAGE;
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

/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <time.h>

#include "base/zone.h"

/* Both hemispheres, half and quarter hours, changes at midnight, of 30 minutes, negative summer
 * time. */
static const char *const names[] = { "UTC",
				     "Europe/Berlin",
				     "Europe/Dublin",
				     "America/New_York",
				     "America/St_Johns",
				     "America/Sao_Paulo",
				     "America/Havana",
				     "Australia/Lord_Howe",
				     "Asia/Kathmandu",
				     "Asia/Tehran",
				     "Africa/Cairo",
				     "Africa/Casablanca",
				     "Pacific/Apia",
				     "Pacific/Chatham",
				     "Asia/Beirut",
				     "America/Nuuk",
				     "Antarctica/Troll",
				     "Asia/Gaza" };
#define N_NAMES (sizeof(names) / sizeof(*names))

static uint64_t seed = 1;

static uint64_t draw(uint64_t below)
{
	seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (seed >> 16) % below;
}

static void use(const char *name)
{
	setenv("TZ", name, 1);
	tzset();
}

static void offsets_are_those_of_the_c_library(void **state)
{
	for (size_t i = 0; i < N_NAMES; i++) {
		struct zone *zone;

		use(names[i]);
		assert_int_equal(zone_load(&zone, names[i]), 0);
		for (int n = 0; n < 20000; n++) {
			time_t at = (time_t)draw(9000000000ULL) - 1000000000; /* 1938 to 2223 */
			int64_t start, end;
			struct tm tm;

			localtime_r(&at, &tm);
			assert_int_equal(zone_offset(zone, at, &start, &end), tm.tm_gmtoff);
			assert_true(start <= at && at < end);
			if (end == INT64_MAX)
				continue;
			at = end - 1;
			localtime_r(&at, &tm);
			long last = tm.tm_gmtoff;
			at = end;
			localtime_r(&at, &tm);
			assert_int_not_equal(last, tm.tm_gmtoff);
		}
		zone_free(zone);
	}
}

/* What calendar unit the C library thinks a moment lies in. */
static int64_t unit_of(enum zone_unit unit, time_t at)
{
	struct tm tm, date = { 0 };
	int64_t days;

	localtime_r(&at, &tm);
	date.tm_year = tm.tm_year;
	date.tm_mon = tm.tm_mon;
	date.tm_mday = tm.tm_mday;
	days = timegm(&date) / 86400 + 1000000 * 7;
	switch (unit) {
	case ZONE_HOUR:
		return (at + tm.tm_gmtoff) / 3600 * 1000000 + tm.tm_gmtoff;
	case ZONE_DAY:
		return days;
	case ZONE_WEEK:
		return (days + 3) / 7;
	default:
		return tm.tm_year * 12 + tm.tm_mon;
	}
}

static void windows_are_whole_units_without_gap_or_overlap(void **state)
{
	for (size_t i = 0; i < N_NAMES; i++) {
		struct zone *zone;

		use(names[i]);
		assert_int_equal(zone_load(&zone, names[i]), 0);
		for (enum zone_unit unit = ZONE_HOUR; unit <= ZONE_MONTH; unit++) {
			for (int n = 0; n < 3000; n++) {
				time_t at = 1600000000 + (time_t)draw(700000000); /* 2020 to 2042 */
				int64_t start, end, next_start, next_end;

				zone_window(zone, unit, 0, at, &start, &end);
				assert_true(start <= at && at < end);
				assert_int_equal(unit_of(unit, at), unit_of(unit, start));
				assert_int_equal(unit_of(unit, at), unit_of(unit, end - 1));
				assert_int_not_equal(unit_of(unit, at), unit_of(unit, end));
				assert_int_not_equal(unit_of(unit, at), unit_of(unit, start - 1));
				zone_window(zone, unit, 0, end, &next_start, &next_end);
				assert_int_equal(next_start, end);
			}
		}
		zone_free(zone);
	}
}

static void days_of_change_have_23_and_25_hours(void **state)
{
	struct zone *zone;
	int64_t start, end;

	assert_int_equal(zone_load(&zone, "Europe/Berlin"), 0);
	zone_window(zone, ZONE_DAY, 0, 1774742400, &start, &end); /* 2026-03-29 */
	assert_int_equal(end - start, 23 * 3600);
	zone_window(zone, ZONE_DAY, 0, 1792886400, &start, &end); /* 2026-10-25 */
	assert_int_equal(end - start, 25 * 3600);
	zone_free(zone);
}

/* St. John's set the clock back at 00:01 until 2011: a midnight that came twice begins one day. */
static void a_midnight_that_comes_twice_begins_one_day(void **state)
{
	struct zone *zone;
	int64_t start, end, again_start, again_end;

	assert_int_equal(zone_load(&zone, "America/St_Johns"), 0);
	/* 2010-11-07T02:31Z is 00:01 in summer time, then 23:01 of the day before. */
	zone_window(zone, ZONE_DAY, 0, 1289097060 - 30, &start, &end);
	assert_int_equal(start, 1289097060 - 60);
	zone_window(zone, ZONE_DAY, 0, 1289097060 + 1800, &again_start, &again_end);
	assert_int_equal(again_start, start);
	assert_int_equal(again_end, end);
	assert_int_equal(end - start, 25 * 3600);
	zone_free(zone);
}

static void names_cannot_leave_the_folder(void **state)
{
	struct zone *zone = NULL;

	assert_int_equal(zone_load(&zone, "../../../etc/localtime"), -EINVAL);
	assert_int_equal(zone_load(&zone, "/etc/localtime"), -EINVAL);
	assert_int_equal(zone_load(&zone, ""), -EINVAL);
	assert_int_equal(zone_load(&zone, "Europe/Atlantis"), -ENOENT);
	assert_int_equal(zone_load(&zone, "zone.tab"), -EINVAL);
	assert_null(zone);
	assert_int_equal(zone_load(&zone, NULL), 0);
	zone_free(zone);
}

static void broken_files_do_no_harm(void **state)
{
	static uint8_t bytes[8192], broken[8192];
	FILE *file = fopen("/usr/share/zoneinfo/Europe/Berlin", "r");
	int64_t start, end;
	size_t size;

	assert_non_null(file);
	size = fread(bytes, 1, sizeof(bytes), file);
	fclose(file);
	for (int n = 0; n < 40000; n++) {
		struct zone *zone = NULL;
		size_t len = n % 2 ? size : draw(size);

		memcpy(broken, bytes, size);
		for (uint64_t flips = draw(8); flips; flips--)
			broken[draw(draw(2) ? 64 : size)] = (uint8_t)draw(256);
		if (zone_parse(&zone, broken, len) < 0)
			continue;
		for (int i = 0; i < 4; i++) {
			zone_window(zone, (enum zone_unit)i, (unsigned)draw(32),
				    (int64_t)draw(1ULL << 47) - (1LL << 46), &start, &end);
			assert_true(start < end);
		}
		zone_window(zone, ZONE_DAY, 0, INT64_MAX, &start, &end);
		zone_window(zone, ZONE_MONTH, 0, INT64_MIN, &start, &end);
		zone_free(zone);
	}
}

/* By lists of days: a month that starts on the 31st starts on the last day of those that are shorter. */
static void weeks_and_months_start_on_the_day_that_is_asked_for(void **state)
{
	static const struct {
		enum zone_unit unit;
		unsigned day;
		const char *at, *start, *end;
	} cases[] = {
		{ ZONE_MONTH, 15, "2026-03-14", "2026-02-15", "2026-03-15" },
		{ ZONE_MONTH, 15, "2026-03-15", "2026-03-15", "2026-04-15" },
		{ ZONE_MONTH, 15, "2026-01-02", "2025-12-15", "2026-01-15" },
		{ ZONE_MONTH, 15, "2026-12-31", "2026-12-15", "2027-01-15" },
		{ ZONE_MONTH, 31, "2026-02-27", "2026-01-31", "2026-02-28" },
		{ ZONE_MONTH, 31, "2026-02-28", "2026-02-28", "2026-03-31" },
		{ ZONE_MONTH, 31, "2026-04-30", "2026-04-30", "2026-05-31" },
		{ ZONE_MONTH, 29, "2028-02-29", "2028-02-29", "2028-03-29" },
		{ ZONE_MONTH, 1, "2026-03-31", "2026-03-01", "2026-04-01" },
		{ ZONE_WEEK, 1, "2026-11-22", "2026-11-16", "2026-11-23" }, /* a Sunday */
		{ ZONE_WEEK, 7, "2026-11-22", "2026-11-22", "2026-11-29" },
		{ ZONE_WEEK, 7, "2026-11-21", "2026-11-15", "2026-11-22" },
		{ ZONE_WEEK, 3, "2026-11-24", "2026-11-18", "2026-11-25" },
		{ ZONE_WEEK, 3, "1969-12-30", "1969-12-24", "1969-12-31" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct zone *zone;
		int64_t start, end;
		time_t times[3];
		const char *texts[] = { cases[i].at, cases[i].start, cases[i].end };

		use("Europe/Berlin");
		for (size_t j = 0; j < 3; j++) {
			struct tm tm = { .tm_isdst = -1 };

			assert_non_null(strptime(texts[j], "%Y-%m-%d", &tm));
			times[j] = mktime(&tm);
		}
		assert_int_equal(zone_load(&zone, "Europe/Berlin"), 0);
		for (int hour = 0; hour < 23; hour++) {
			zone_window(zone, cases[i].unit, cases[i].day, times[0] + hour * 3600,
				    &start, &end);
			assert_int_equal(start, times[1]);
			assert_int_equal(end, times[2]);
		}
		zone_free(zone);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(offsets_are_those_of_the_c_library),
		cmocka_unit_test(windows_are_whole_units_without_gap_or_overlap),
		cmocka_unit_test(days_of_change_have_23_and_25_hours),
		cmocka_unit_test(weeks_and_months_start_on_the_day_that_is_asked_for),
		cmocka_unit_test(a_midnight_that_comes_twice_begins_one_day),
		cmocka_unit_test(names_cannot_leave_the_folder),
		cmocka_unit_test(broken_files_do_no_harm),
	};

	return cmocka_run_group_tests_name("zone", tests, NULL, NULL);
}

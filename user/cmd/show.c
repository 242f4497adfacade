/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/show.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "cmd/cmd.h"

/* Bytes of the UTF-8 character at `at`, and the character; 0: not one (RFC 3629, section 4). */
static size_t read_utf8(const unsigned char *at, uint32_t *ret)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t len = *at < 0x80 ? 1 : *at >> 5 == 6 ? 2 : *at >> 4 == 14 ? 3 : *at >> 3 == 30 ? 4 : 0;
	uint32_t c;

	if (len <= 1) {
		*ret = *at;
		return len;
	}
	c = *at & (0x7f >> len);
	for (size_t i = 1; i < len; i++) {
		if ((at[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (at[i] & 0x3f);
	}
	if (c < least[len] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
		return 0;
	*ret = c;
	return len;
}

static bool is_plain(uint32_t c)
{
	if (c < 0x20 || (c >= 0x7f && c < 0xa0))
		return false;
	/* Marks of direction, separators of lines, isolates, the byte order mark: Unicode UAX #9. */
	return !(c == 0x61c || (c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) ||
		 (c >= 0x2060 && c <= 0x206f) || c == 0xfeff);
}

char *show_text(const char *text, char *buf, size_t size)
{
	const unsigned char *at = (const unsigned char *)text;
	size_t used = 0;

	while (*at) {
		uint32_t c;
		size_t len = read_utf8(at, &c);

		if (len && is_plain(c)) {
			if (used + len >= size)
				break;
			memcpy(buf + used, at, len);
			used += len;
			at += len;
			continue;
		}
		for (size_t i = 0; i < (len ? len : 1); i++, at++) {
			if (used + 4 >= size)
				goto full;
			used += (size_t)sprintf(buf + used, "\\x%02x", *at);
		}
	}
full:
	buf[used] = '\0';
	return buf;
}

size_t show_width(const char *text)
{
	size_t n = 0;

	for (; *text; text++)
		n += ((unsigned char)*text & 0xc0) != 0x80;
	return n;
}

char *show_count(uint64_t n, char buf[SHOW_LEN])
{
	char digits[24];
	int len = snprintf(digits, sizeof(digits), "%" PRIu64, n);
	char *to = buf;

	for (int i = 0; i < len; i++) {
		if (i && (len - i) % 3 == 0)
			*to++ = ',';
		*to++ = digits[i];
	}
	*to = '\0';
	return buf;
}

char *show_usd(int64_t nanos, char buf[SHOW_LEN])
{
	uint64_t amount = nanos < 0 ? 0 - (uint64_t)nanos : (uint64_t)nanos;
	uint64_t micros = amount / 1000 + (amount % 1000 >= 500);

	snprintf(buf, SHOW_LEN, "%s%" PRIu64 ".%06" PRIu64, nanos < 0 ? "-" : "", micros / 1000000,
		 micros % 1000000);
	return buf;
}

char *show_time(int64_t us, char buf[SHOW_LEN])
{
	int64_t part = us % US_PER_S;
	time_t seconds;
	struct tm tm;
	size_t len;

	if (part < 0)
		part += US_PER_S;
	seconds = (us - part) / US_PER_S;
	if (!gmtime_r(&seconds, &tm)) {
		snprintf(buf, SHOW_LEN, "?");
		return buf;
	}
	len = strftime(buf, SHOW_LEN, "%Y-%m-%dT%H:%M:%S", &tm);
	if (part)
		snprintf(buf + len, SHOW_LEN - len, ".%03dZ", (int)(part / 1000));
	else
		snprintf(buf + len, SHOW_LEN - len, "Z");
	return buf;
}

char *show_duration(uint64_t us, char buf[SHOW_LEN])
{
	uint64_t seconds = us / 1000000;

	if (us < 1000000)
		snprintf(buf, SHOW_LEN, "%" PRIu64 " ms", us / 1000);
	else if (seconds < 60)
		snprintf(buf, SHOW_LEN, "%" PRIu64 ".%" PRIu64 " s", seconds, us % 1000000 / 100000);
	else if (seconds < 3600)
		snprintf(buf, SHOW_LEN, "%" PRIu64 " min %" PRIu64 " s", seconds / 60, seconds % 60);
	else
		snprintf(buf, SHOW_LEN, "%" PRIu64 " h %" PRIu64 " min", seconds / 3600, seconds % 3600 / 60);
	return buf;
}

char *show_bytes(uint64_t n, char buf[SHOW_LEN])
{
	static const char *const units[] = { "kB", "MB", "GB", "TB", "PB", "EB" };
	size_t i = 0;
	uint64_t unit = 1000;

	if (n < 1000) {
		snprintf(buf, SHOW_LEN, "%" PRIu64 " B", n);
		return buf;
	}
	for (; n / unit >= 1000 && i + 1 < ARRAY_SIZE(units); i++)
		unit *= 1000;
	snprintf(buf, SHOW_LEN, "%" PRIu64 ".%" PRIu64 " %s", n / unit, n % unit / (unit / 10), units[i]);
	return buf;
}

char *show_cost(const struct ledger_row *row, char buf[SHOW_LEN])
{
	if (!row->unpriced_calls || row->unpriced_calls + row->free_calls < row->calls)
		return show_usd(row->cost_nanos, buf);
	snprintf(buf, SHOW_LEN, "?");
	return buf;
}

json_t *show_json(const char *text)
{
	json_t *json = json_string(text);
	_cleanup_free_ char *buf = NULL;
	size_t size = SHOW_TEXT_LEN(strlen(text));

	if (json)
		return json;
	buf = malloc(size);
	return buf ? json_string(show_text(text, buf, size)) : NULL;
}

int show_open(const char *command, const char *dir, struct ledger **ret)
{
	_cleanup_free_ char *error = NULL;
	int r = ledger_open(ret, dir, false, &error);

	if (r == 0)
		return CMD_OK;
	if (r == -ENOENT)
		fprintf(stderr, "aigress %s: there is no ledger in %s; start `aigress run --state %s`, or name "
			"the directory that it writes with --state\n", command, dir, dir);
	else if (r == -EACCES || r == -EPERM)
		fprintf(stderr, "aigress %s: the ledger in %s may not be read by this user; try sudo\n",
			command, dir);
	else
		fprintf(stderr, "aigress %s: %s\n", command, error ? error : strerror(-r));
	return CMD_FAILED;
}

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

char *show_text(const char *text, char *buf, size_t size)
{
	return text_plain(text, buf, size);
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

/* The byte at which the n-th character begins, or the end. */
static size_t byte_of(const char *text, size_t n)
{
	size_t at = 0;

	for (; text[at]; at++)
		if (((unsigned char)text[at] & 0xc0) != 0x80 && !n--)
			break;
	return at;
}

char *show_short(const char *name, size_t width, char *buf, size_t size)
{
	char plain[SHOW_TEXT_LEN(512)];
	size_t len, head;

	show_text(name, plain, sizeof(plain));
	len = show_width(plain);
	head = width > 2 ? (width - 2) / 3 : 0;
	if (len <= width || width <= 2)
		snprintf(buf, size, "%s", plain);
	else
		snprintf(buf, size, "%.*s..%s", (int)byte_of(plain, head), plain,
			 plain + byte_of(plain, len - (width - 2 - head)));
	return buf;
}

uint64_t show_rounded(uint64_t n)
{
	uint64_t unit = 1;

	while (n / unit >= 100)
		unit *= 10;
	/* Near 2^64 a half more would wrap. */
	return n / unit * unit +
	       (unit > 1 && n % unit >= unit / 2 && n < UINT64_MAX - unit ? unit : 0);
}

char *show_usd(int64_t nanos, char buf[SHOW_LEN])
{
	uint64_t amount = nanos < 0 ? 0 - (uint64_t)nanos : (uint64_t)nanos;
	uint64_t micros = amount / 1000 + (amount % 1000 >= 500);

	snprintf(buf, SHOW_LEN, "%s%" PRIu64 ".%06" PRIu64, nanos < 0 ? "-" : "", micros / 1000000,
		 micros % 1000000);
	return buf;
}

char *show_about(int64_t nanos, char buf[SHOW_LEN])
{
	uint64_t amount = nanos < 0 ? 0 - (uint64_t)nanos : (uint64_t)nanos, unit = 1;
	int places = 9;

	while (amount / unit >= 1000)
		unit *= 10;
	amount = amount / unit * unit + (unit > 1 && amount % unit >= unit / 2 ? unit : 0);
	for (unit = 1; places && amount / unit % 10 == 0; places--)
		unit *= 10;
	snprintf(buf, SHOW_LEN, "%s%" PRIu64, nanos < 0 && amount ? "-" : "", amount / 1000000000);
	if (places)
		snprintf(buf + strlen(buf), SHOW_LEN - strlen(buf), ".%0*" PRIu64, places,
			 amount % 1000000000 / unit);
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
		snprintf(buf, SHOW_LEN, "%" PRIu64 " h %" PRIu64 " min", seconds / 3600,
			 seconds % 3600 / 60);
	return buf;
}

char *show_short_duration(uint64_t us, char buf[SHOW_LEN])
{
	char *second;

	if (us / 1000000 >= 48 * 3600) {
		snprintf(buf, SHOW_LEN, "%" PRIu64 " d", us / 1000000 / 86400);
		return buf;
	}
	second = strchr(strchr(show_duration(us, buf), ' ') + 1, ' ');
	if (second)
		*second = '\0';
	return buf;
}

/* How many bytes of a line's first `len` fit into `width` columns, up to a blank if there is one behind `least`. */
static size_t fitting(const char *line, size_t len, size_t width, size_t least)
{
	size_t bytes = 0, blank = 0;

	for (size_t columns = 0; bytes < len; bytes++) {
		columns += ((unsigned char)line[bytes] & 0xc0) != 0x80;
		if (columns > width)
			break;
		if (line[bytes] == ' ' && bytes > least)
			blank = bytes;
	}
	if (bytes == len)
		return len;
	return line[bytes] == ' ' || !blank ? bytes : blank;
}

unsigned show_fold(const char *text, size_t width, size_t indent, FILE *out)
{
	unsigned n = 0;

	if (width && indent > width / 2)
		indent = width / 2;
	while (*text) {
		size_t len = strcspn(text, "\n"), before = 0;
		const char *end = text + len;

		do {
			size_t fits = width ? fitting(text, (size_t)(end - text), width - before,
						      before ? 0 : strspn(text, " ")) :
					      len;

			fprintf(out, "%*s%.*s\n", (int)before, "", (int)fits, text);
			n++;
			text += fits;
			text += strspn(text, " ") < (size_t)(end - text) ? strspn(text, " ") :
									   (size_t)(end - text);
			before = indent;
		} while (text < end);
		text = *end ? end + 1 : end;
	}
	return n;
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
	snprintf(buf, SHOW_LEN, "%" PRIu64 ".%" PRIu64 " %s", n / unit, n % unit / (unit / 10),
		 units[i]);
	return buf;
}

bool show_is_unpriced(const struct ledger_row *row)
{
	return row->unpriced_calls && row->unpriced_calls + row->free_calls >= row->calls;
}

char *show_cost(const struct ledger_row *row, char buf[SHOW_LEN])
{
	if (!show_is_unpriced(row))
		return show_usd(row->cost_nanos, buf);
	snprintf(buf, SHOW_LEN, "?");
	return buf;
}

int show_open(const char *command, const char *dir, struct ledger **ret)
{
	_cleanup_free_ char *error = NULL;
	int r = ledger_open(ret, dir, false, &error);

	if (r == 0)
		return CMD_OK;
	if (r == -ENOENT)
		fprintf(stderr,
			"aigress %s: there is no ledger in %s; start `aigress run --state %s`, or name "
			"the directory that it writes with --state\n",
			command, dir, dir);
	else
		fprintf(stderr, "aigress %s: %s\n", command, error ? error : strerror(-r));
	return CMD_FAILED;
}

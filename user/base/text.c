/* SPDX-License-Identifier: Apache-2.0 */
#include "base/text.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/clock.h"

/* Bytes of the UTF-8 character at `at`, and the character; 0: not one (RFC 3629, section 4). */
static size_t read_utf8(const unsigned char *at, uint32_t *ret)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t len = *at < 0x80     ? 1 :
		     *at >> 5 == 6  ? 2 :
		     *at >> 4 == 14 ? 3 :
		     *at >> 3 == 30 ? 4 :
				      0;
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

char *text_plain(const char *text, char *buf, size_t size)
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

bool text_is_plain(const char *text)
{
	const unsigned char *at = (const unsigned char *)text;
	size_t len;
	uint32_t c;

	for (; *at; at += len) {
		len = read_utf8(at, &c);
		if (!len || !is_plain(c))
			return false;
	}
	return true;
}

json_t *text_json(const char *text)
{
	_cleanup_free_ char *buf = NULL;
	size_t size = TEXT_LEN(strlen(text));

	if (text_is_plain(text))
		return json_string(text);
	buf = malloc(size);
	return buf ? json_string(text_plain(text, buf, size)) : NULL;
}

char *text_shell(const char *text, char *buf, size_t size)
{
	size_t len = 0;

	if (size < 3) {
		*buf = '\0';
		return buf;
	}
	buf[len++] = '\'';
	for (; *text && len + 6 < size; text++) {
		if (*text == '\'')
			len += (size_t)sprintf(buf + len, "'\\''");
		else
			buf[len++] = *text;
	}
	if (*text)
		len = 1;
	buf[len++] = '\'';
	buf[len] = '\0';
	return buf;
}

char *text_glob(const char *text, char *buf, size_t size)
{
	size_t len = 0;

	for (; *text && len + 2 < size; text++) {
		if (strchr("*?[\\", *text))
			buf[len++] = '\\';
		buf[len++] = *text;
	}
	buf[*text ? 0 : len] = '\0';
	return buf;
}

char *text_time(int64_t us, char buf[TEXT_TIME_LEN])
{
	int64_t part = us % US_PER_S;
	time_t seconds;
	struct tm tm;
	size_t len;

	if (part < 0)
		part += US_PER_S;
	seconds = (us - part) / US_PER_S;
	if (!gmtime_r(&seconds, &tm)) {
		snprintf(buf, TEXT_TIME_LEN, "?");
		return buf;
	}
	len = strftime(buf, TEXT_TIME_LEN, "%Y-%m-%dT%H:%M:%S", &tm);
	if (part)
		snprintf(buf + len, TEXT_TIME_LEN - len, ".%03dZ", (int)(part / 1000));
	else
		snprintf(buf + len, TEXT_TIME_LEN - len, "Z");
	return buf;
}

void text_trim_root(char *host)
{
	size_t len = strlen(host);

	if (len > 1 && host[len - 1] == '.')
		host[len - 1] = '\0';
}

char *text_duration(uint64_t seconds, char buf[TEXT_DURATION_LEN])
{
	static const struct {
		unsigned seconds;
		char unit;
	} units[] = { { 86400, 'd' }, { 3600, 'h' }, { 60, 'm' }, { 1, 's' } };
	size_t i = 0;

	while (units[i].seconds > 1 && (!seconds || seconds % units[i].seconds))
		i++;
	snprintf(buf, TEXT_DURATION_LEN, "%llu%c", (unsigned long long)seconds / units[i].seconds,
		 units[i].unit);
	return buf;
}

void text_hex(const uint8_t *bytes, size_t n, char *ret)
{
	for (size_t i = 0; i < n; i++)
		snprintf(ret + 2 * i, 3, "%02x", bytes[i]);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "http/user_agent.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"

static bool is_part(char c)
{
	return c && !(c & 0x80) && (isalnum((unsigned char)c) || strchr("-._+@/", c));
}

/* "2.1.332", "v20" */
static bool is_version(const char *text, size_t len)
{
	size_t at = len && (*text == 'v' || *text == 'V');

	return at < len && text[at] >= '0' && text[at] <= '9';
}

/* The next word that is outside of comments; comments nest (RFC 9110 5.6.5). False: there is none. */
static bool next_word(const char **at, const char *end, const char **ret, size_t *ret_len)
{
	size_t depth = 0;

	for (; *at < end && (depth || !is_part(**at)); ++*at) {
		if (depth && **at == '\\' && *at + 1 < end)
			++*at;
		else if (**at == '(')
			depth++;
		else if (**at == ')' && depth)
			depth--;
	}
	for (*ret = *at; *at < end && is_part(**at); ++*at)
		;
	*ret_len = (size_t)(*at - *ret);
	/* What has other characters in it ends before the first, and the rest of the word is no product. */
	while (*at < end && **at != ' ' && **at != '\t' && **at != '(')
		++*at;
	return *ret_len;
}

/* How much of a word is product and version; *ret_versioned: there is a version. */
static size_t product_len(const char *word, size_t len, bool *ret_versioned)
{
	*ret_versioned = false;
	for (size_t at = 0, n; at < len && !*ret_versioned; at += n + 1) {
		const char *slash = memchr(word + at, '/', len - at);

		n = slash ? (size_t)(slash - word) - at : len - at;
		*ret_versioned = at && is_version(word + at, n);
		if (*ret_versioned)
			len = at + n;
	}
	while (len && word[len - 1] == '/')
		len--;
	return len;
}

/* Browsers, and programs made of one, claim to be all of these before they say what they are. */
static bool is_claimed_by_all(const char *word, size_t len)
{
	static const char *const names[] = { "Mozilla/", "AppleWebKit/", "Gecko/", "Version/" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (len >= strlen(names[i]) && !strncasecmp(word, names[i], strlen(names[i])))
			return true;
	return false;
}

void user_agent_product(const char *value, size_t len, char *ret, size_t size)
{
	const char *at = value, *end = value + len, *word, *version;
	size_t n, n_version;
	bool is_versioned;

	*ret = '\0';
	do
		if (!next_word(&at, end, &word, &n))
			return;
	while (is_claimed_by_all(word, n));
	n = product_len(word, n, &is_versioned);
	snprintf(ret, size, "%.*s", (int)n, word);
	if (!is_versioned && n && next_word(&at, end, &version, &n_version) &&
	    is_version(version, n_version) && !memchr(version, '/', n_version) && n + 1 < size)
		snprintf(ret + n, size - n, "/%.*s", (int)n_version, version);
}

void user_agent_name(const char *client, char *ret, size_t size)
{
	const char *slash = strrchr(client, '/');
	size_t len = strlen(client);

	if (slash && is_version(slash + 1, strlen(slash + 1)))
		len = (size_t)(slash - client);
	snprintf(ret, size, "%.*s", (int)len, client);
}

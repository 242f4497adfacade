/* SPDX-License-Identifier: Apache-2.0 */
#include "meter/redact.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

#include "base/cleanup.h"

/* How keys of AI services, of clouds and of code hosts begin, and a JSON web token (RFC 7519 3.1). */
static const char *const key_starts[] = { "sk-",   "sk_",    "pk-",  "rk-",  "gsk_",  "xai-",
					  "AIza",  "ya29.",  "hf_",  "r8_",  "pplx-", "nvapi-",
					  "csk-",  "fw_",    "tgp_", "AKIA", "ASIA",  "ABSK",
					  "ghp_",  "gho_",   "ghs_", "key-", "eyJ",   "Bearer",
					  "xoxb-", "github_" };

#define SEGMENT "-._~!$&'()*+,;=:@%"
#define MODEL   "-._:/@+~,=[]"

static bool is_word(char c)
{
	return isalnum((unsigned char)c) && !(c & 0x80);
}

static bool begins_like_key(const char *text, size_t len)
{
	for (size_t i = 0; i < ARRAY_SIZE(key_starts); i++) {
		size_t n = strlen(key_starts[i]);

		if (len > n && !memcmp(text, key_starts[i], n))
			return true;
	}
	return false;
}

/* A run of letters and digits: what models' names have no such of. */
static bool is_random(const char *run, size_t len)
{
	size_t digits = 0, small = 0, capital = 0, row = 0, longest = 0;

	for (size_t i = 0; i < len; i++) {
		bool is_digit = isdigit((unsigned char)run[i]);

		digits += is_digit;
		small += islower((unsigned char)run[i]) != 0;
		capital += isupper((unsigned char)run[i]) != 0;
		row = is_digit ? row + 1 : 0;
		longest = row > longest ? row : longest;
	}
	return longest >= 9 || (len >= 16 && digits >= 3) ||
	       (len >= 10 && digits && small && capital);
}

static bool is_secret(const char *segment, size_t len)
{
	size_t hex = 0;

	if (begins_like_key(segment, len))
		return true;
	for (size_t at = 0; at < len;) {
		size_t n = 0;

		while (at + n < len && is_word(segment[at + n]))
			n++;
		if (is_random(segment + at, n))
			return true;
		at += n + 1;
	}
	/* RFC 9562: 8-4-4-4-12, whatever is around it */
	for (size_t i = 0; i < len; i++) {
		bool is_dash = hex == 8 || hex == 13 || hex == 18 || hex == 23;

		hex = (is_dash ? segment[i] == '-' : isxdigit((unsigned char)segment[i]) != 0) ?
			      hex + 1 :
			      0;
		if (hex == 36)
			return true;
	}
	return false;
}

void redact_path(const char *path, char *ret, size_t size)
{
	size_t used = 0;

	while (*path && used + 1 < size) {
		size_t len = strcspn(path, "/");
		bool hides = is_secret(path, len);

		if (hides)
			ret[used++] = '*';
		for (size_t i = 0; i < len && !hides && used + 1 < size; i++)
			ret[used++] = is_word(path[i]) || strchr(SEGMENT, path[i]) ? path[i] : '?';
		path += len;
		if (*path && used + 1 < size)
			ret[used++] = *path++;
		else if (*path)
			break;
	}
	ret[used] = '\0';
}

void redact_model(char *model)
{
	size_t len = 0;

	if (begins_like_key(model, strlen(model))) {
		strcpy(model, "*");
		return;
	}
	while (model[len] && len < REDACT_MODEL_MAX &&
	       (is_word(model[len]) || strchr(MODEL, model[len])))
		len++;
	if (model[len] && len < REDACT_MODEL_MAX)
		model[len++] = '?';
	model[len] = '\0';
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "notify/template.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "notify/notice.h"

/* A value as it stands between the quotes of a string. */
static void put_escaped(FILE *out, const char *value)
{
	json_t *string = json_string(value);
	_cleanup_free_ char *text = json_dumps(string, JSON_ENCODE_ANY | JSON_ENSURE_ASCII);
	size_t len = text ? strlen(text) : 0;

	if (len > 2)
		fwrite(text + 1, 1, len - 2, out);
	json_decref(string);
}

/* The index of a notice's key; -1: none has that name. */
static int index_of(const char *name, size_t len)
{
	const char *key;

	for (size_t i = 0; (key = notice_key(i)); i++)
		if (strlen(key) == len && !strncmp(key, name, len))
			return (int)i;
	return -1;
}

/* notice NULL: with the same letter for each value. False: *ret_wrong is the place of a name that is none. */
static bool fill(const char *text, const json_t *notice, FILE *out, const char **ret_wrong)
{
	const char *begin;

	for (; (begin = strstr(text, "{{")); text += 2) {
		const char *name = begin + 2 + strspn(begin + 2, " ");
		size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyz_");
		const char *end = name + len + strspn(name + len, " ");
		int i = index_of(name, len);

		*ret_wrong = begin;
		if (i < 0 || strncmp(end, "}}", 2))
			return false;
		fwrite(text, 1, (size_t)(begin - text), out);
		put_escaped(out, notice ? notice_get(notice, notice_key((size_t)i)) : "x");
		text = end;
	}
	fputs(text, out);
	return true;
}

/* What it becomes, or NULL with the place of a wrong name, or without: no memory. */
static char *filled(const char *text, const json_t *notice, const char **ret_wrong)
{
	char *all = NULL;
	size_t size;
	FILE *out = open_memstream(&all, &size);
	const char *wrong = NULL;
	bool is_good = out && fill(text, notice, out, &wrong);

	*ret_wrong = is_good ? NULL : wrong;
	if (out && fclose(out))
		is_good = false;
	if (is_good)
		return all;
	free(all);
	return NULL;
}

char *template_check(const char *text)
{
	const char *wrong = NULL;
	_cleanup_free_ char *all = filled(text, NULL, &wrong);
	json_error_t error;
	json_t *json = all ? json_loads(all, 0, &error) : NULL;
	char *sentence = NULL;
	int n = 0;

	if (wrong)
		n = asprintf(&sentence,
			     "\"%.*s\" is no value; give one of: who, done, spent, rate, until, "
			     "release, title, ... (aigress.yaml(5) lists all)",
			     (int)strcspn(wrong, "}\n") + 2, wrong);
	else if (!all)
		sentence = strdup("no memory");
	else if (!json)
		/* "x" is JSON only within a string, so a value outside of one ends here, too. */
		n = asprintf(&sentence,
			     "is no JSON (a {{value}} stands between quotes): line %d: %s",
			     error.line, error.text);
	json_decref(json);
	return n < 0 ? NULL : sentence;
}

char *template_fill(const char *text, const json_t *notice)
{
	const char *wrong;

	return filled(text, notice, &wrong);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Mail: plain text, as short as it can be read on a telephone. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "notify/body.h"
#include "notify/notice.h"

#define SUBJECT_MAX 120

static void put_one(FILE *out, const json_t *notice)
{
	struct notice_fact fact;

	fprintf(out, "%s\r\n\r\n", notice_get(notice, "title"));
	for (size_t at = 0; notice_fact(notice, &at, &fact);)
		fprintf(out, "%-14s %s\r\n", fact.title, fact.value);
	fprintf(out, "%-14s %s\r\n", "Time", notice_get(notice, "time"));
}

char *body_mail(const struct body_input *input)
{
	const char *link = notice_get(input->notices[0], "link");
	char *text = NULL, line[512];
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	if (input->n + input->more > 1)
		fprintf(out, "%s\r\n\r\n", body_digest_title(input, line, sizeof(line)));
	for (size_t i = 0; i < input->n; i++) {
		put_one(out, input->notices[i]);
		fputs("\r\n", out);
	}
	if (input->more)
		fprintf(out, "+%zu more: aigress explain\r\n", input->more);
	if (*link)
		fprintf(out, "%s\r\n", link);
	if (fclose(out)) {
		free(text);
		return NULL;
	}
	return text;
}

/* Plain ASCII, which needs no coding (RFC 5322, 2.2); a notice's texts have no control characters. */
char *body_mail_subject(const struct body_input *input)
{
	char line[512];
	json_t *title = input->n + input->more > 1 ?
				body_text(body_digest_title(input, line, sizeof(line)), SUBJECT_MAX) :
				body_text(notice_get(input->notices[0], "title"), SUBJECT_MAX);
	const char *text = json_string_value(title);
	char *subject = text ? malloc(strlen(text) + 11) : NULL, *at = subject;

	if (subject)
		at += sprintf(at, "[aigress] ");
	for (; subject && *text; text++) {
		if (!(*text & 0x80))
			*at++ = *text;
		else if ((*text & 0xc0) != 0x80)
			*at++ = '?';
	}
	if (subject)
		*at = '\0';
	json_decref(title);
	return subject;
}

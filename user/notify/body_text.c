/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "notify/body.h"
#include "notify/notice.h"

json_t *body_text(const char *text, size_t max)
{
	static const char ellipsis[] = "\xe2\x80\xa6";
	size_t n = 0;
	const char *at = text, *last = text;
	char *cut;
	json_t *string;

	/* A byte that continues a character is none of its own. */
	for (; *at && n <= max; at++) {
		if ((*at & 0xc0) == 0x80)
			continue;
		last = n < max ? at : last;
		n++;
	}
	if (n <= max)
		return json_string(text);
	cut = malloc((size_t)(last - text) + sizeof(ellipsis));
	if (!cut)
		return NULL;
	sprintf(cut, "%.*s%s", (int)(last - text), text, ellipsis);
	string = json_string(cut);
	free(cut);
	return string;
}

char *body_digest_title(const struct body_input *input, char *buf, size_t size)
{
	snprintf(buf, size, "%zu actions of budgets on %s", input->n + input->more,
		 notice_get(input->notices[0], "node"));
	return buf;
}

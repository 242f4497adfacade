/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a webhook's template: refused with a sentence, or JSON whatever the values are. The input is the
 * template, and behind a NUL the name that a tenant gave itself.
 */
#include <stdlib.h>
#include <string.h>

#include "notify/notice.h"
#include "notify/template.h"

static json_t *notice_of(const char *name)
{
	const struct ledger_action action = { .id = 1,
					      .time_us = 1700000000000000,
					      .budget = "b",
					      .rule = "f:1",
					      .action = "refuse",
					      .subject = name,
					      .target = name,
					      .result = "done",
					      .outcome = ACTION_DONE,
					      .limit_nanos = 1 };
	const struct last_calls calls = { .n = 0 };
	const struct notice_context context = { .node = "n", .identity = "i" };

	return notice_new(&action, &calls, &context);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t len = strnlen((const char *)data, size);
	char *text = strndup((const char *)data, len);
	char *name = len < size ? strndup((const char *)data + len + 1, size - len - 1) : strdup("");
	char *wrong = text ? template_check(text) : NULL, *filled;
	json_t *notice = name ? notice_of(name) : NULL, *json;

	if (text && notice && !wrong) {
		filled = template_fill(text, notice);
		json = filled ? json_loads(filled, 0, NULL) : NULL;
		if (!json)
			abort();
		json_decref(json);
		free(filled);
	}
	json_decref(notice);
	free(wrong);
	free(name);
	free(text);
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OpenAI's organization reports (platform.openai.com/docs/api-reference/usage, 2026-11): tokens by day, model and project
 * of completions and embeddings, and money by line item ("gpt-5.4, input") and project.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/decimal.h"
#include "bill/page.h"

#define BASE  "https://api.openai.com"
#define DAY_S 86400

enum {
	ID_INPUT = PAGE_IDS,
	ID_OUTPUT,
	ID_MODEL,
	ID_BATCH,
	ID_TIER,
	ID_PROJECT,
	ID_VALUE,
	ID_CURRENCY,
	ID_ITEM
};

static const struct json_node amount[] = {
	{ "value", ID_VALUE, NULL, false },
	{ "currency", ID_CURRENCY, NULL, false },
	JSON_NODES_END,
};
static const struct json_node results[] = {
	/* cached and audio tokens are in them */
	{ "input_tokens", ID_INPUT, NULL, false },
	{ "output_tokens", ID_OUTPUT, NULL, false },
	{ "model", ID_MODEL, NULL, false },
	{ "batch", ID_BATCH, NULL, false },
	{ "service_tier", ID_TIER, NULL, false },
	{ "project_id", ID_PROJECT, NULL, false },
	{ "amount", 0, amount, false },
	{ "line_item", ID_ITEM, NULL, false },
	JSON_NODES_END,
};
static const struct json_node bucket[] = {
	{ "start_time", PAGE_BUCKET_START, NULL, false },
	{ "results", PAGE_RESULT, results, false },
	{ "result", PAGE_RESULT, results, false }, /* so called in older answers */
	JSON_NODES_END,
};
static const struct json_node page[] = {
	PAGE_NODES(bucket),
};

/* "gpt-5.4-2026-03-05, cached input": a model's name has no blank; other items are their own name. */
static void set_item(struct bill_key *key, enum json_kind kind, const char *text)
{
	const char *comma = strstr(text, ", ");

	if (kind != JSON_IS_STRING)
		return;
	if (comma && (size_t)(comma - text) == strcspn(text, " ,"))
		snprintf(key->model, sizeof(key->model), "%.*s", (int)(comma - text), text);
	else
		snprintf(key->model, sizeof(key->model), "%.*s", CHARGE_MODEL_LEN - 1, text);
	if (comma && strcasestr(comma, "batch"))
		snprintf(key->tier, sizeof(key->tier), "batch");
}

static void on_value(void *arg, int id, enum json_kind kind, const char *text)
{
	struct page_result *result = arg;
	struct bill_key *key = &result->key;
	uint64_t start;

	switch (id) {
	case PAGE_BUCKET_START:
		if (decimal_count(text, &start))
			result->day_s = (int64_t)(start - start % DAY_S);
		else
			result->is_bad = true;
		break;
	case PAGE_RESULT:
		if (kind == JSON_IS_BEGIN)
			page_result_begin(result);
		else if (kind == JSON_IS_END)
			page_result_end(result);
		break;
	case ID_INPUT:
		page_count(result, &result->input, kind, text);
		break;
	case ID_OUTPUT:
		page_count(result, &result->output, kind, text);
		break;
	case ID_MODEL:
		page_text(key->model, sizeof(key->model), kind, text);
		break;
	case ID_BATCH:
		if (kind == JSON_IS_TRUE)
			snprintf(key->tier, sizeof(key->tier), "batch");
		break;
	case ID_TIER:
		page_text(key->tier, sizeof(key->tier), kind, text);
		break;
	case ID_PROJECT:
		page_text(key->account, sizeof(key->account), kind, text);
		break;
	case ID_ITEM:
		set_item(key, kind, text);
		break;
	case ID_CURRENCY:
		page_currency(result, kind, text);
		break;
	case ID_VALUE:
		page_amount(result, kind, text, 9);
		break;
	}
}

static int read_report(struct bill *bill, const struct bill_api *api, const char *what,
		       const char *groups, char **ret_error)
{
	struct page_result result = { .bill = bill, .provider = "openai", .day_s = INT64_MIN };
	struct page_report report = { .bearer_file = api->key_file,
				      .keys = page,
				      .wait_ms = api->wait_ms,
				      .value = on_value,
				      .arg = &result,
				      .result = &result };
	_cleanup_free_ char *url = NULL;

	if (asprintf(&url,
		     "%s/v1/organization/%s?start_time=%lld&end_time=%lld&bucket_width=1d&limit=31%s",
		     api->base ? api->base : BASE, what, (long long)bill->since_s,
		     (long long)bill->until_s, groups) < 0) {
		url = NULL;
		return -ENOMEM;
	}
	report.url = url;
	return page_read(&report, ret_error);
}

int bill_read_openai(struct bill *bill, const struct bill_api *api, char **ret_error)
{
	static const char *const usages[] = { "usage/completions", "usage/embeddings" };
	int err = 0;

	for (size_t i = 0; !err && i < ARRAY_SIZE(usages); i++)
		err = read_report(bill, api, usages[i],
				  i ? "&group_by=model&group_by=project_id" :
				      "&group_by=model&group_by=project_id&group_by=batch",
				  ret_error);
	if (!err)
		err = read_report(bill, api, "costs", "&group_by=line_item&group_by=project_id",
				  ret_error);
	if (!err) {
		bill->has_tokens = true;
		bill_covers(bill, "openai");
	}
	return err ? err : bill->err;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OpenAI's organization reports (platform.openai.com/docs/api-reference/usage, 2026-11): tokens by day, model and project
 * of completions and embeddings, and money by line item ("gpt-5.4, input") and project.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

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

#define END                          \
	{                            \
		NULL, 0, NULL, false \
	}

static const struct json_node amount[] = {
	{ "value", ID_VALUE, NULL, false },
	{ "currency", ID_CURRENCY, NULL, false },
	END,
};
static const struct json_node result[] = {
	/* cached and audio tokens are in them */
	{ "input_tokens", ID_INPUT, NULL, false },
	{ "output_tokens", ID_OUTPUT, NULL, false },
	{ "model", ID_MODEL, NULL, false },
	{ "batch", ID_BATCH, NULL, false },
	{ "service_tier", ID_TIER, NULL, false },
	{ "project_id", ID_PROJECT, NULL, false },
	{ "amount", 0, amount, false },
	{ "line_item", ID_ITEM, NULL, false },
	END,
};
static const struct json_node bucket[] = {
	{ "start_time", PAGE_BUCKET_START, NULL, false },
	{ "results", PAGE_RESULT, result, false },
	{ "result", PAGE_RESULT, result, false }, /* so called in older answers */
	END,
};
static const struct json_node page[] = {
	{ "data", PAGE_DATA, bucket, false },
	{ "has_more", PAGE_MORE, NULL, false },
	{ "next_page", PAGE_NEXT, NULL, false },
	END,
};

struct reading {
	struct bill *bill;
	struct bill_key key;
	int64_t day_s;
	uint64_t input, output, nanos;
	bool is_negative, is_foreign;
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

static void begin_result(struct reading *reading)
{
	reading->key = (struct bill_key){ .day_s = reading->day_s, .provider = "openai" };
	reading->input = reading->output = reading->nanos = 0;
	reading->is_negative = reading->is_foreign = false;
}

static void end_result(struct reading *reading)
{
	struct bill_cell *cell = reading->is_foreign ? NULL : bill_cell(reading->bill, reading->key);

	if (!cell)
		return;
	cell->billed_input += reading->input;
	cell->billed_output += reading->output;
	cell->billed_nanos += reading->is_negative ? -(__int128)reading->nanos :
						     (__int128)reading->nanos;
}

static void on_value(void *arg, int id, enum json_kind kind, const char *text)
{
	struct reading *reading = arg;
	struct bill_key *key = &reading->key;
	uint64_t start;

	switch (id) {
	case PAGE_BUCKET_START:
		reading->day_s = decimal_count(text, &start) ? (int64_t)(start - start % DAY_S) :
							       INT64_MIN;
		break;
	case PAGE_RESULT:
		if (kind == JSON_IS_BEGIN)
			begin_result(reading);
		else if (kind == JSON_IS_END)
			end_result(reading);
		break;
	case ID_INPUT:
		page_count(&reading->input, text);
		break;
	case ID_OUTPUT:
		page_count(&reading->output, text);
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
		reading->is_foreign = kind == JSON_IS_STRING && strcasecmp(text, "usd");
		break;
	case ID_VALUE:
		reading->is_negative = *text == '-';
		if (!decimal_read(text + reading->is_negative, 9, &reading->nanos))
			reading->nanos = 0;
		break;
	}
}

static int read_report(struct bill *bill, const struct bill_api *api, const char *what,
		       const char *groups, char **ret_error)
{
	struct reading reading = { .bill = bill, .day_s = INT64_MIN };
	struct page_report report = { .bearer_file = api->key_file,
				      .keys = page,
				      .wait_ms = api->wait_ms,
				      .value = on_value,
				      .arg = &reading };
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
	if (!err)
		bill->has_money = bill->has_tokens = true;
	return err ? err : bill->err;
}

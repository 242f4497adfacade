/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Anthropic's Usage & Cost API (platform.claude.com/docs/en/api/admin, 2026-11): tokens by day, model, tier and
 * workspace, and money in cents by the same. It leaves out the cost of the priority tier, which is committed to.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/secret.h"
#include "bill/page.h"

#define BASE       "https://api.anthropic.com"
#define CENT_SCALE 7 /* nano-dollars of a cent */

enum {
	ID_INPUT = PAGE_IDS,
	ID_OUTPUT,
	ID_MODEL,
	ID_TIER,
	ID_WORKSPACE,
	ID_AMOUNT,
	ID_TYPE,
	ID_CURRENCY
};

static const struct json_node creation[] = {
	{ "ephemeral_5m_input_tokens", ID_INPUT, NULL, false },
	{ "ephemeral_1h_input_tokens", ID_INPUT, NULL, false },
	JSON_NODES_END,
};
static const struct json_node results[] = {
	{ "uncached_input_tokens", ID_INPUT, NULL, false },
	{ "cache_read_input_tokens", ID_INPUT, NULL, false },
	{ "cache_creation", 0, creation, false },
	{ "output_tokens", ID_OUTPUT, NULL, false },
	{ "model", ID_MODEL, NULL, false },
	{ "service_tier", ID_TIER, NULL, false },
	{ "workspace_id", ID_WORKSPACE, NULL, false },
	{ "amount", ID_AMOUNT, NULL, false },
	{ "currency", ID_CURRENCY, NULL, false },
	{ "cost_type", ID_TYPE, NULL, false },
	JSON_NODES_END,
};
static const struct json_node bucket[] = {
	{ "starting_at", PAGE_BUCKET_START, NULL, false },
	{ "results", PAGE_RESULT, results, false },
	JSON_NODES_END,
};
static const struct json_node page[] = {
	PAGE_NODES(bucket),
};

struct reading {
	struct page_result result;
	char type[32];
};

static void end_result(struct reading *reading)
{
	struct bill_key *key = &reading->result.key;

	/* What is no tokens has no model. */
	if (!*key->model)
		snprintf(key->model, sizeof(key->model), "%s", reading->type);
	page_result_end(&reading->result);
	reading->type[0] = '\0';
}

static void on_value(void *arg, int id, enum json_kind kind, const char *text)
{
	struct reading *reading = arg;
	struct page_result *result = &reading->result;
	struct bill_key *key = &result->key;

	switch (id) {
	case PAGE_BUCKET_START:
		if (kind != JSON_IS_STRING || !bill_day(text, &result->day_s))
			result->is_bad = true;
		break;
	case PAGE_RESULT:
		if (kind == JSON_IS_BEGIN)
			page_result_begin(result);
		else if (kind == JSON_IS_END)
			end_result(reading);
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
	case ID_TIER:
		page_text(key->tier, sizeof(key->tier), kind, text);
		break;
	case ID_WORKSPACE:
		page_text(key->account, sizeof(key->account), kind, text);
		break;
	case ID_TYPE:
		page_text(reading->type, sizeof(reading->type), kind, text);
		break;
	case ID_CURRENCY:
		page_currency(result, kind, text);
		break;
	case ID_AMOUNT:
		page_amount(result, kind, text, CENT_SCALE);
		break;
	}
}

static int read_report(struct bill *bill, const struct bill_api *api, const char *what,
		       const char *groups, const char *const *headers, char **ret_error)
{
	struct reading reading = {
		.result = { .bill = bill, .provider = "anthropic", .day_s = INT64_MIN }
	};
	struct page_report report = { .headers = headers,
				      .keys = page,
				      .wait_ms = api->wait_ms,
				      .value = on_value,
				      .arg = &reading,
				      .result = &reading.result };
	_cleanup_free_ char *url = NULL;
	char since[32], until[32];
	time_t a = bill->since_s, b = bill->until_s;
	struct tm tm;

	strftime(since, sizeof(since), "%Y-%m-%dT00:00:00Z", gmtime_r(&a, &tm));
	strftime(until, sizeof(until), "%Y-%m-%dT00:00:00Z", gmtime_r(&b, &tm));
	if (asprintf(&url,
		     "%s/v1/organizations/%s?starting_at=%s&ending_at=%s&bucket_width=1d&limit=31%s",
		     api->base ? api->base : BASE, what, since, until, groups) < 0) {
		url = NULL;
		return -ENOMEM;
	}
	report.url = url;
	return page_read(&report, ret_error);
}

int bill_read_anthropic(struct bill *bill, const struct bill_api *api, char **ret_error)
{
	_cleanup_secret_ char *key = NULL, *header = NULL;
	const char *headers[] = { NULL, "anthropic-version: 2023-06-01", NULL };
	int err = secret_read(api->key_file, &key);

	if (err)
		return err;
	if (asprintf(&header, "x-api-key: %s", key) < 0) {
		header = NULL;
		return -ENOMEM;
	}
	headers[0] = header;
	err = read_report(bill, api, "usage_report/messages",
			  "&group_by[]=model&group_by[]=service_tier&group_by[]=workspace_id",
			  headers, ret_error);
	if (!err)
		err = read_report(bill, api, "cost_report",
				  "&group_by[]=workspace_id&group_by[]=description", headers,
				  ret_error);
	if (!err) {
		bill->has_tokens = true;
		bill_covers(bill, "anthropic");
	}
	return err ? err : bill->err;
}

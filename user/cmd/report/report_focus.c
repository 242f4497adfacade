/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A report in the columns of FOCUS 1.2 (focus.finops.org), as CSV: one row an hour, caller and service. What the ledger
 * knows beyond them is in columns x_...; what FOCUS asks for and nobody here knows (regions, SKUs, contracts) is empty.
 */
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cmd/csv.h"
#include "cmd/report/report_internal.h"

static const char columns[] =
	"BilledCost,BillingAccountId,BillingCurrency,BillingPeriodEnd,BillingPeriodStart,ChargeCategory,"
	"ChargeClass,ChargeDescription,ChargeFrequency,ChargePeriodEnd,ChargePeriodStart,ConsumedQuantity,"
	"ConsumedUnit,ContractedCost,EffectiveCost,InvoiceIssuerName,ListCost,PricingCategory,"
	"PricingQuantity,PricingUnit,ProviderName,PublisherName,RegionId,ResourceId,ResourceName,"
	"ServiceCategory,ServiceName,SkuId,SubAccountId,Tags,x_Model,x_ServiceTier,x_InputTokens,"
	"x_CacheReadTokens,x_CacheWriteTokens,x_OutputTokens,x_Calls,x_EstimatedCalls,x_UnpricedCalls,"
	"x_EstimateErrorCost,x_UnconfirmedCalls\r\n";

/* What a row is, whatever else was asked for. */
#define FOCUS_KEYS                                                             \
	(BIT(LEDGER_BY_HOUR) | BIT(LEDGER_BY_PROVIDER) | BIT(LEDGER_BY_HOST) | \
	 BIT(LEDGER_BY_MODEL) | BIT(LEDGER_BY_TIER) | BIT(LEDGER_BY_ACCOUNT))
/* Keys that are tags: who spent. */
#define TAGS                                                                                       \
	(BIT(LEDGER_BY_TEAM) | BIT(LEDGER_BY_NAMESPACE) | BIT(LEDGER_BY_WORKLOAD) |                \
	 BIT(LEDGER_BY_POD) | BIT(LEDGER_BY_CONTAINER) | BIT(LEDGER_BY_CGROUP) |                   \
	 BIT(LEDGER_BY_UNIT) | BIT(LEDGER_BY_USER) | BIT(LEDGER_BY_COMMAND) | BIT(LEDGER_BY_EXE) | \
	 BIT(LEDGER_BY_CLIENT))

uint32_t report_focus_keys(uint32_t keys)
{
	return FOCUS_KEYS | (keys & TAGS);
}

static int begin(struct report_writer *writer)
{
	fputs(columns, writer->out);
	return 0;
}

struct period {
	char begin[32], end[32], month_begin[32], month_end[32];
};

static void put_time(char to[32], time_t time)
{
	struct tm tm;

	strftime(to, 32, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&time, &tm));
}

/* The hour of a row, and the month that it is billed in. */
static void read_period(const char *hour, struct period *ret)
{
	struct tm tm = { 0 };
	time_t begin;

	memset(ret, 0, sizeof(*ret));
	if (!strptime(hour, "%Y-%m-%dT%H:%MZ", &tm))
		return;
	begin = timegm(&tm);
	put_time(ret->begin, begin);
	put_time(ret->end, begin + 3600);
	tm.tm_hour = tm.tm_min = tm.tm_sec = 0;
	tm.tm_mday = 1;
	put_time(ret->month_begin, timegm(&tm));
	tm.tm_mon++;
	put_time(ret->month_end, timegm(&tm));
}

static char *tags_of(const struct report_writer *writer, const struct ledger_row *row)
{
	json_t *tags = json_object();
	char *text;

	for (enum ledger_key key = 0; key < LEDGER_KEYS; key++)
		if ((writer->report->query.keys & TAGS & BIT(key)) && row->keys[key] &&
		    *row->keys[key]) {
			json_t *value = json_string(row->keys[key]);

			/* what is no UTF-8 is left out */
			if (value)
				json_object_set_new(tags, ledger_key_name(key), value);
		}
	text = json_dumps(tags, JSON_COMPACT | JSON_ENSURE_ASCII);
	json_decref(tags);
	return text;
}

static char *count(uint64_t n, char buf[24])
{
	snprintf(buf, 24, "%" PRIu64, n);
	return buf;
}

static void put(struct report_writer *writer, const struct ledger_row *row)
{
	const struct usage *u = &row->tokens;
	const char *const *keys = row->keys;
	char cost[MONEY_LEN], error[MONEY_LEN], n[9][24], *tags = tags_of(writer, row);
	struct period period;

	read_period(keys[LEDGER_BY_HOUR], &period);
	money_format(row->cost_nanos, cost);
	count(usage_tokens(u), n[0]);
	{
		const char *const cells[] = {
			cost,
			keys[LEDGER_BY_ACCOUNT],
			"USD",
			period.month_end,
			period.month_begin,
			"Usage",
			"",
			keys[LEDGER_BY_MODEL],
			"Usage-Based",
			period.end,
			period.begin,
			n[0],
			"Tokens",
			cost,
			cost,
			keys[LEDGER_BY_PROVIDER],
			cost,
			*keys[LEDGER_BY_TIER] ? "Other" : "Standard",
			n[0],
			"Tokens",
			keys[LEDGER_BY_PROVIDER],
			keys[LEDGER_BY_PROVIDER],
			"",
			keys[LEDGER_BY_HOST],
			keys[LEDGER_BY_HOST],
			"AI and Machine Learning",
			keys[LEDGER_BY_PROVIDER],
			"",
			keys[LEDGER_BY_ACCOUNT],
			tags ? tags : "{}",
			keys[LEDGER_BY_MODEL],
			keys[LEDGER_BY_TIER],
			count(u->input + u->audio_input, n[1]),
			count(u->cache_read, n[2]),
			count(u->cache_write_5m + u->cache_write_1h, n[3]),
			count(u->output + u->audio_output, n[4]),
			count(row->calls, n[5]),
			count(row->estimated_calls, n[6]),
			count(row->unpriced_calls, n[7]),
			money_format(row->error_nanos, error),
			count(row->unconfirmed_calls, n[8]),
		};

		for (size_t i = 0; i < sizeof(cells) / sizeof(*cells); i++)
			csv_cell(writer->out, cells[i] ? cells[i] : "", !i);
	}
	fputs("\r\n", writer->out);
	free(tags);
}

const struct report_form report_focus = { .begin = begin, .row = put };

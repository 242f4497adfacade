/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An invoice, or an export in the columns of FOCUS (focus.finops.org, 1.2), as CSV by RFC 4180: which column is which is
 * told by its title.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/decimal.h"
#include "bill/bill.h"

#define COLUMNS_MAX 256
#define CELL_LEN    512 /* what is longer is no name of ours, and cut */

enum column { DAY, PROVIDER, MODEL, TIER, ACCOUNT, COST, CURRENCY, INPUT, OUTPUT, COLUMNS };

/* In the order in which they are preferred: a FOCUS export has several of some. */
static const char *const titles[COLUMNS][8] = {
	[DAY] = { "chargeperiodstart", "day", "date", "usage_date", "usagedate", "start_date",
		  "time", NULL },
	[PROVIDER] = { "providername", "provider", "publishername", "vendor", "servicename", NULL },
	[MODEL] = { "x_model", "model", "skumeter", "line_item", "chargedescription", "description",
		    "sku", NULL },
	[TIER] = { "x_servicetier", "tier", "service_tier", "usage_type", NULL },
	[ACCOUNT] = { "subaccountid", "account", "project_id", "workspace_id", "project",
		      "workspace", NULL },
	[COST] = { "billedcost", "cost_usd", "cost", "amount_usd", "amount", "total",
		   "effectivecost", NULL },
	[CURRENCY] = { "billingcurrency", "currency", NULL },
	[INPUT] = { "x_inputtokens", "input_tokens", NULL },
	[OUTPUT] = { "x_outputtokens", "output_tokens", NULL },
};

struct table {
	FILE *in;
	uint64_t line, row_line; /* where it is read, and where the row in hand begins */
	int n_columns;
	int place[COLUMNS]; /* -1: no such column */
	char cells[COLUMNS][CELL_LEN];
};

/* The next cell into `to` (NULL: past it). ',' or '\n' behind it, EOF at the end, '"' for a quote that is not closed. */
static int read_cell(struct table *table, char *to)
{
	size_t len = 0;
	bool is_quoted = false;
	int c = getc(table->in);

	if (c == '"') {
		is_quoted = true;
		c = getc(table->in);
	}
	for (; c != EOF; c = getc(table->in)) {
		table->line += c == '\n';
		if (is_quoted && c == '"') {
			c = getc(table->in);
			if (c != '"') {
				is_quoted = false;
				ungetc(c, table->in);
				continue;
			}
		} else if (!is_quoted && (c == ',' || c == '\n')) {
			break;
		}
		if (to && len + 1 < CELL_LEN && (is_quoted || c != '\r'))
			to[len++] = (char)c;
	}
	if (to)
		to[len] = '\0';
	return c == EOF && is_quoted ? '"' : c;
}

/* Which column of ours a title is, and how much it is preferred (0 most); false: none. */
static bool is_title(const char *text, int *ret_column, int *ret_rank)
{
	/* A mark of byte order may stand before the first. */
	if (!strncmp(text, "\xef\xbb\xbf", 3))
		text += 3;
	for (int column = 0; column < COLUMNS; column++)
		for (int rank = 0; titles[column][rank]; rank++)
			if (!strcasecmp(titles[column][rank], text)) {
				*ret_column = column;
				*ret_rank = rank;
				return true;
			}
	return false;
}

/* False: the file has no such row. */
static bool read_titles(struct table *table)
{
	int ranks[COLUMNS], after = ',';
	char text[CELL_LEN];

	for (int i = 0; i < COLUMNS; i++)
		table->place[i] = -1;
	for (int i = 0; after == ',' && i < COLUMNS_MAX; i++) {
		int column, rank;

		after = read_cell(table, text);
		table->n_columns = i + 1;
		if (!is_title(text, &column, &rank) ||
		    (table->place[column] >= 0 && ranks[column] < rank))
			continue;
		table->place[column] = i;
		ranks[column] = rank;
	}
	return after == '\n' && table->place[DAY] >= 0 && table->place[COST] >= 0;
}

/* 1: a row, 0: none is left, -EBADMSG. */
static int read_row(struct table *table)
{
	int after = ',', n = 0;

	table->row_line = table->line;
	for (int i = 0; i < COLUMNS; i++)
		table->cells[i][0] = '\0';
	for (int i = 0; after == ',' && i < COLUMNS_MAX; i++) {
		char *to = NULL;

		for (int column = 0; column < COLUMNS; column++)
			if (table->place[column] == i)
				to = table->cells[column];
		after = read_cell(table, to);
		if (after == EOF && ferror(table->in))
			return errno ? -errno : -EIO;
		if (after == EOF && !i && (!to || !*to))
			return 0;
		n = i + 1;
	}
	/* A file that was cut off ends inside of a row. */
	if (after == EOF && n < table->n_columns)
		return -EBADMSG;
	return after == '"' || after == ',' ? -EBADMSG : 1;
}

/* A comma of thousands: three digits follow, and no point came before. "1.234,50" is no amount of ours. */
static bool is_thousands(const char *comma, const char *plain)
{
	return isdigit((unsigned char)comma[1]) && isdigit((unsigned char)comma[2]) &&
	       isdigit((unsigned char)comma[3]) && !isdigit((unsigned char)comma[4]) && *plain &&
	       !strchr(plain, '.');
}

/* "$1,234.50", "-0.25", and accountants' "(0.25)" */
static bool read_money(const char *text, bool *ret_negative, uint64_t *ret_nanos)
{
	char plain[64] = "";
	size_t n = 0, len = strlen(text);
	bool is_in_brackets = len > 2 && *text == '(' && text[len - 1] == ')';

	*ret_negative = is_in_brackets;
	for (const char *end = text + len - is_in_brackets, *at = text + is_in_brackets; at < end;
	     at++) {
		if (*at == '-' && !n && !*ret_negative) {
			*ret_negative = true;
		} else if (*at == ',') {
			if (!is_thousands(at, plain))
				return false;
		} else if (*at != '$' && *at != ' ') {
			if (n + 1 == sizeof(plain))
				return false;
			plain[n++] = *at;
			plain[n] = '\0';
		}
	}
	return n && decimal_read(plain, 9, ret_nanos);
}

/* Nothing is no tokens. */
static bool read_count(const char *text, uint64_t *ret)
{
	*ret = 0;
	return !*text || decimal_count(text, ret);
}

/* False: a day or a figure cannot be read. */
static bool take_row(struct bill *bill, struct table *table, const char *provider)
{
	char(*cells)[CELL_LEN] = table->cells;
	struct bill_key key = { 0 };
	struct bill_cell *cell;
	bool is_negative;
	uint64_t nanos, input, output;

	/* A sum below the rows has no day. */
	if (!*cells[DAY])
		return true;
	if (*cells[CURRENCY] && strcasecmp(cells[CURRENCY], "USD")) {
		bill->n_foreign++;
		return true;
	}
	if (!*cells[COST])
		strcpy(cells[COST], "0");
	if (!bill_day(cells[DAY], &key.day_s) || !read_money(cells[COST], &is_negative, &nanos) ||
	    !read_count(cells[INPUT], &input) || !read_count(cells[OUTPUT], &output))
		return false;
	bill_provider_name(*cells[PROVIDER] ? cells[PROVIDER] :
			   provider         ? provider :
					      "",
			   key.provider);
	bill_covers(bill, key.provider);
	snprintf(key.model, sizeof(key.model), "%.*s", CHARGE_MODEL_LEN - 1, cells[MODEL]);
	snprintf(key.tier, sizeof(key.tier), "%.*s", CHARGE_TIER_LEN - 1, cells[TIER]);
	snprintf(key.account, sizeof(key.account), "%.*s", CHARGE_NAME_LEN * 2 - 1, cells[ACCOUNT]);
	cell = bill_cell(bill, key);
	if (!cell)
		return true;
	cell->billed_nanos += is_negative ? -(__int128)nanos : (__int128)nanos;
	cell->billed_input += input;
	cell->billed_output += output;
	return true;
}

int bill_read_csv(struct bill *bill, const char *path, const char *provider, char **ret_error)
{
	_cleanup_free_ struct table *table = calloc(1, sizeof(*table));
	int more = 0, err = 0, n = 0;

	if (!table)
		return -ENOMEM;
	table->in = fopen(path, "re");
	if (!table->in)
		return -errno;
	table->line = 1;
	if (!read_titles(table)) {
		err = ferror(table->in) ? -errno : -EBADMSG; /* of a folder: EISDIR */
		if (err == -EBADMSG)
			n = asprintf(ret_error,
				     "%s: the first line names no column of days "
				     "(ChargePeriodStart, day, date) and of costs (BilledCost, cost, "
				     "amount)",
				     path);
	}
	while (!err && (more = read_row(table)) > 0)
		if (!take_row(bill, table, provider))
			err = -EBADMSG;
	err = more < 0 ? more : err;
	if (err == -EBADMSG && table->row_line)
		n = asprintf(ret_error,
			     "%s:%llu: a row without a day and figures, or without an end", path,
			     (unsigned long long)table->row_line);
	if (n < 0)
		*ret_error = NULL;
	fclose(table->in);
	if (!err)
		bill->has_tokens |= table->place[INPUT] >= 0;
	return err ? err : bill->err;
}

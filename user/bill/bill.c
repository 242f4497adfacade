/* SPDX-License-Identifier: Apache-2.0 */
#include "bill/bill.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/rfc3339.h"

#define DAY_S 86400

const char *bill_field_name(enum bill_field field)
{
	static const char *const names[] = { "day", "provider", "model", "tier", "account" };

	return (unsigned)field < BILL_FIELDS ? names[field] : NULL;
}

void bill_init(struct bill *bill, uint32_t fields, int64_t since_s, int64_t until_s)
{
	*bill = (struct bill){ .fields = fields | 1u << BILL_PROVIDER,
			       .since_s = since_s,
			       .until_s = until_s };
}

void bill_done(struct bill *bill)
{
	struct bill_cell *cell, *next;

	HASH_ITER(hh, bill->cells, cell, next) {
		HASH_DEL(bill->cells, cell);
		free(cell);
	}
}

/* "-20250514" and "-2024-08-06" tell versions apart that have one price. */
static void cut_date(char *model)
{
	static const char *const forms[] = { "-dddddddd", "-dddd-dd-dd" };
	size_t len = strlen(model);

	for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
		size_t n = strlen(forms[i]), j = 0;

		while (len > n && j < n &&
		       (forms[i][j] == 'd' ? isdigit((unsigned char)model[len - n + j]) :
					     model[len - n + j] == '-'))
			j++;
		if (len > n && j == n) {
			model[len - n] = '\0';
			return;
		}
	}
}

/* "anthropic/claude-sonnet-5", "acme/proj_a": what is behind the last slash, or before it if nothing is. */
static void cut_owner(char *name)
{
	size_t len = strlen(name);
	char *slash;

	if (len > 1 && name[len - 1] == '/')
		name[len - 1] = '\0';
	slash = strrchr(name, '/');
	if (slash && slash[1])
		memmove(name, slash + 1, strlen(slash + 1) + 1);
}

static void set_plain(char *model)
{
	cut_owner(model);
	for (char *c = model; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	cut_date(model);
}

/* What is behind a text's NUL would tell equal keys apart. */
static void pad(char *text, size_t size)
{
	size_t len = strnlen(text, size - 1);

	memset(text + len, 0, size - len);
}

static void reduce(uint32_t fields, struct bill_key *key)
{
	if (!(fields & 1u << BILL_DAY))
		key->day_s = 0;
	if (!(fields & 1u << BILL_PROVIDER))
		key->provider[0] = '\0';
	if (!(fields & 1u << BILL_MODEL))
		key->model[0] = '\0';
	if (!(fields & 1u << BILL_TIER) || !strcmp(key->tier, "standard") ||
	    !strcmp(key->tier, "default"))
		key->tier[0] = '\0';
	if (!(fields & 1u << BILL_ACCOUNT))
		key->account[0] = '\0';
	set_plain(key->model);
	cut_owner(key->account);
	pad(key->provider, sizeof(key->provider));
	pad(key->model, sizeof(key->model));
	pad(key->tier, sizeof(key->tier));
	pad(key->account, sizeof(key->account));
}

struct bill_cell *bill_cell(struct bill *bill, struct bill_key key)
{
	struct bill_key plain;
	struct bill_cell *cell = NULL;

	if (key.day_s < bill->since_s || key.day_s >= bill->until_s)
		return NULL;
	reduce(bill->fields, &key);
	memset(&plain, 0, sizeof(plain));
	plain.day_s = key.day_s;
	memcpy(plain.provider, key.provider, sizeof(plain.provider));
	memcpy(plain.model, key.model, sizeof(plain.model));
	memcpy(plain.tier, key.tier, sizeof(plain.tier));
	memcpy(plain.account, key.account, sizeof(plain.account));
	HASH_FIND(hh, bill->cells, &plain, sizeof(plain), cell);
	if (cell || bill->err)
		return cell;
	if (HASH_COUNT(bill->cells) >= BILL_CELLS_MAX) {
		bill->err = -E2BIG;
		return NULL;
	}
	cell = calloc(1, sizeof(*cell));
	if (!cell) {
		bill->err = -ENOMEM;
		return NULL;
	}
	cell->key = plain;
	HASH_ADD(hh, bill->cells, key, sizeof(cell->key), cell);
	if (!cell->hh.tbl) {
		free(cell);
		bill->err = -ENOMEM;
		return NULL;
	}
	return cell;
}

__int128 bill_seen(const struct bill_cell *cell)
{
	__int128 sum = 0;

	for (int i = 0; i < CHARGE_SOURCES; i++)
		sum += cell->seen_nanos[i];
	return sum;
}

static int compare(struct bill_cell *a, struct bill_cell *b)
{
	__int128 x = a->billed_nanos, y = b->billed_nanos, u = bill_seen(a), v = bill_seen(b);

	if (a->key.day_s != b->key.day_s)
		return a->key.day_s < b->key.day_s ? -1 : 1;
	if (x != y)
		return x > y ? -1 : 1;
	if (u != v)
		return u > v ? -1 : 1;
	return strcmp(a->key.model, b->key.model);
}

void bill_sort(struct bill *bill)
{
	HASH_SORT(bill->cells, compare);
}

void bill_provider_name(const char *name, char ret[CHARGE_NAME_LEN])
{
	static const struct {
		const char *part, *provider;
	} names[] = {
		{ "anthropic", "anthropic" },
		{ "openai", "openai" },
		{ "amazon", "aws.bedrock" },
		{ "aws", "aws.bedrock" },
		{ "microsoft", "azure.ai.openai" },
		{ "azure", "azure.ai.openai" },
		{ "google", "gcp.vertex_ai" },
		{ "mistral", "mistral_ai" },
		{ "xai", "x_ai" },
	};

	/* Azure sells OpenAI's models. */
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (strcasestr(name, names[i].part) && !(i == 1 && strcasestr(name, "azure"))) {
			snprintf(ret, CHARGE_NAME_LEN, "%s", names[i].provider);
			return;
		}
	snprintf(ret, CHARGE_NAME_LEN, "%.63s", name);
}

bool bill_day(const char *text, int64_t *ret_s)
{
	struct tm tm = { 0 };
	const char *rest = rfc3339_date(text, &tm);
	int64_t us;

	if (!rest || (*rest && *rest != 'T' && *rest != 't' && *rest != ' '))
		return false;
	if (*rest && rfc3339_time(rest, &tm, &us))
		*ret_s = us / US_PER_S - us / US_PER_S % DAY_S;
	else if (strpbrk(rest, "+-"))
		return false; /* an offset that is none of ours */
	else
		*ret_s = timegm(&tm);
	return true;
}

static bool is_covered(const struct bill *bill, const char *provider)
{
	for (size_t i = 0; i < bill->n_providers; i++)
		if (!strcmp(bill->providers[i], provider))
			return true;
	return false;
}

void bill_covers(struct bill *bill, const char *provider)
{
	if (bill->n_providers < BILL_PROVIDERS_MAX && !is_covered(bill, provider))
		snprintf(bill->providers[bill->n_providers++], CHARGE_NAME_LEN, "%s", provider);
}

static enum charge_source source_of(const char *name)
{
	for (int i = 0; i < CHARGE_SOURCES; i++)
		if (!strcmp(charge_source_name(i), name))
			return i;
	return CHARGE_SIZE;
}

/* Searches have a line of their own in Anthropic's bills: 10 USD a thousand (platform.claude.com, pricing, 2026-11). */
#define ANTHROPIC_SEARCH_NANOS 10000000

static void see_row(void *arg, const struct ledger_row *row)
{
	struct bill *bill = arg;
	struct bill_key key = { 0 };
	struct bill_cell *cell;
	enum charge_source source = source_of(row->keys[LEDGER_BY_SOURCE]);
	__int128 nanos = row->cost_nanos, searches = 0;

	snprintf(key.provider, sizeof(key.provider), "%s", row->keys[LEDGER_BY_PROVIDER]);
	snprintf(key.model, sizeof(key.model), "%s", row->keys[LEDGER_BY_MODEL]);
	snprintf(key.tier, sizeof(key.tier), "%s", row->keys[LEDGER_BY_TIER]);
	snprintf(key.account, sizeof(key.account), "%s", row->keys[LEDGER_BY_ACCOUNT]);
	if (!bill_day(row->keys[LEDGER_BY_HOUR], &key.day_s))
		return;
	if (bill->n_providers && !is_covered(bill, key.provider))
		return;
	cell = bill_cell(bill, key);
	if (!cell)
		return;
	if (!strcmp(key.provider, "anthropic") && (bill->fields & 1u << BILL_MODEL)) {
		searches = (__int128)row->tokens.web_searches * ANTHROPIC_SEARCH_NANOS;
		searches = searches < nanos ? searches : nanos;
	}
	cell->seen_nanos[source] += nanos - searches;
	cell->seen_input += row->tokens.input + row->tokens.cache_read + row->tokens.cache_write_5m +
			    row->tokens.cache_write_1h + row->tokens.audio_input;
	cell->seen_output += row->tokens.output + row->tokens.audio_output;
	cell->seen_calls += row->calls;
	cell->unpriced_calls += row->unpriced_calls;
	if (!searches)
		return;
	snprintf(key.model, sizeof(key.model), "web_search");
	cell = bill_cell(bill, key);
	if (cell)
		cell->seen_nanos[source] += searches;
}

int bill_read_ledger(struct bill *bill, struct ledger *ledger)
{
	static const uint32_t keys = 1u << LEDGER_BY_HOUR | 1u << LEDGER_BY_PROVIDER |
				     1u << LEDGER_BY_MODEL | 1u << LEDGER_BY_TIER |
				     1u << LEDGER_BY_ACCOUNT | 1u << LEDGER_BY_SOURCE;
	const struct ledger_query query = { .since_us = bill->since_s * US_PER_S,
					    .until_us = LEDGER_NO_END,
					    .keys = keys };
	int err;

	err = ledger_report(ledger, &query, see_row, bill);
	return err ? err : bill->err;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "bill/page.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/decimal.h"
#include "base/fetch.h"
#include "base/loop.h"

#define PAGES_MAX  1000 /* of 31 days */
#define PAGE_BYTES (32u << 20)
#define TRIES      4
#define WAIT_MAX_S 60

void page_text(char *to, size_t size, enum json_kind kind, const char *text)
{
	if (kind == JSON_IS_STRING)
		snprintf(to, size, "%s", text);
}

void page_count(struct page_result *result, uint64_t *to, enum json_kind kind, const char *text)
{
	uint64_t n = 0;

	result->is_bad |= kind != JSON_IS_NULL && !decimal_count(text, &n);
	*to += n;
}

void page_result_begin(struct page_result *result)
{
	result->key = (struct bill_key){ .day_s = result->day_s };
	snprintf(result->key.provider, sizeof(result->key.provider), "%s", result->provider);
	result->input = result->output = result->nanos = 0;
	result->is_negative = result->is_foreign = false;
}

void page_result_end(struct page_result *result)
{
	struct bill_cell *cell = result->is_foreign ? NULL : bill_cell(result->bill, result->key);

	result->bill->n_foreign += result->is_foreign;
	if (!cell)
		return;
	cell->billed_input += result->input;
	cell->billed_output += result->output;
	cell->billed_nanos += result->is_negative ? -(__int128)result->nanos :
						    (__int128)result->nanos;
}

void page_amount(struct page_result *result, enum json_kind kind, const char *text, unsigned places)
{
	result->nanos = 0;
	result->is_negative = *text == '-';
	result->is_bad |= kind != JSON_IS_NULL &&
			  !decimal_read(text + result->is_negative, (int)places, &result->nanos);
}

void page_currency(struct page_result *result, enum json_kind kind, const char *text)
{
	result->is_foreign = kind == JSON_IS_STRING && strcasecmp(text, "USD");
}

struct reading {
	const struct page_report *report;
	struct json_scan scan;
	struct json_sink sink;
	bool has_more, more;
	char next[512];
	/* of the request */
	struct loop *loop;
	int err, status;
	uint32_t retry_after_s;
	char *error;
};

static void on_value(void *arg, int id, enum json_kind kind, const char *key, const char *text,
		     bool is_cut)
{
	struct reading *reading = arg;

	(void)key;
	if (id == PAGE_MORE) {
		reading->has_more = true;
		reading->more = kind == JSON_IS_TRUE;
	} else if (id == PAGE_NEXT) {
		snprintf(reading->next, sizeof(reading->next), "%s",
			 kind == JSON_IS_STRING && !is_cut ? text : "");
	} else {
		reading->report->value(reading->report->arg, id, kind, text);
	}
}

static void on_done(void *arg, const struct fetch_answer *answer)
{
	struct reading *reading = arg;

	reading->err = answer->err;
	reading->status = answer->status;
	reading->retry_after_s = answer->retry_after_s;
	free(reading->error);
	reading->error = answer->err ? strdup(answer->error) : NULL;
	if (!answer->err && answer->status == 200 &&
	    (json_feed(&reading->scan, (const uint8_t *)answer->body, answer->len) != JSON_DONE ||
	     !reading->has_more || reading->report->result->is_bad))
		reading->err = -EBADMSG; /* what lost its shape is no report of nothing */
	loop_stop(reading->loop);
}

static int fetch_once(struct reading *reading, const char *url)
{
	const struct fetch_request request = { .url = url,
					       .headers = reading->report->headers,
					       .bearer_file = reading->report->bearer_file,
					       .max_bytes = PAGE_BYTES,
					       .timeout_ms = 60000,
					       .done = on_done,
					       .arg = reading };
	struct fetcher *fetcher = NULL;
	int err = loop_new(&reading->loop);

	json_init(&reading->scan, reading->report->keys, &reading->sink);
	reading->has_more = reading->more = false;
	reading->next[0] = '\0';
	reading->status = 0;
	if (!err)
		err = fetcher_new(&fetcher, reading->loop);
	if (!err)
		err = fetch_start(fetcher, &request, NULL);
	if (!err)
		err = loop_run(reading->loop);
	fetcher_free(fetcher);
	reading->loop = loop_free(reading->loop);
	return err ? err : reading->err;
}

static void wait_ms(uint64_t ms)
{
	struct timespec left = { .tv_sec = (time_t)(ms / 1000),
				 .tv_nsec = (long)(ms % 1000) * 1000000 };

	while (nanosleep(&left, &left) < 0 && errno == EINTR)
		;
}

static bool is_for_now(const struct reading *reading)
{
	return reading->status == 429 || reading->status >= 500;
}

static int fetch_page(struct reading *reading, const char *url)
{
	uint32_t wait = reading->report->wait_ms ? reading->report->wait_ms : 1000;
	int err = 0;

	for (int i = 0; i < TRIES; i++) {
		uint32_t asked_s = reading->retry_after_s < WAIT_MAX_S ? reading->retry_after_s :
									 WAIT_MAX_S;

		if (i)
			wait_ms(asked_s ? asked_s * 1000ULL : (uint64_t)wait << (i - 1));
		err = fetch_once(reading, url);
		if (err || !is_for_now(reading))
			break;
	}
	return err;
}

/* RFC 3986 2.3: what is not unreserved is escaped. */
static char *with_page(const char *url, const char *page)
{
	char *out = malloc(strlen(url) + 3 * strlen(page) + 8), *at = out;

	if (!out)
		return NULL;
	at += sprintf(at, "%s", url);
	if (*page)
		at += sprintf(at, "&page=");
	for (; *page; page++)
		at += sprintf(
			at, isalnum((unsigned char)*page) || strchr("-._~", *page) ? "%c" : "%%%02X",
			(unsigned char)*page);
	return out;
}

static int refuse(const struct reading *reading, int err, char **ret_error)
{
	char *sentence = NULL;
	int n;

	if (err == -EBADMSG)
		n = asprintf(&sentence, "the answer is no report");
	else if (err)
		n = asprintf(&sentence, "%s", reading->error ? reading->error : strerror(-err));
	else if (reading->status == 401 || reading->status == 403)
		n = asprintf(&sentence,
			     "status %d: the key may not read reports (it takes an admin key)",
			     reading->status);
	else
		n = asprintf(&sentence, "status %d", reading->status);
	*ret_error = n < 0 ? NULL : sentence;
	return err ? err : reading->status == 401 || reading->status == 403 ? -EACCES : -EIO;
}

int page_read(const struct page_report *report, char **ret_error)
{
	struct reading reading = { .report = report, .sink = { .value = on_value } };
	char page[sizeof(reading.next)] = "";
	int err = 0;

	reading.sink.arg = &reading;
	for (int i = 0; !err; i++) {
		_cleanup_free_ char *url = with_page(report->url, page);

		err = url ? fetch_page(&reading, url) : -ENOMEM;
		/* More without a page of its own, or without an end: part of the report would be missing. */
		if (!err && reading.status == 200 && reading.more &&
		    (!*reading.next || !strcmp(page, reading.next) || i + 1 == PAGES_MAX))
			err = -EBADMSG;
		if (err || reading.status != 200) {
			err = refuse(&reading, err, ret_error);
			break;
		}
		if (!reading.more)
			break;
		memcpy(page, reading.next, sizeof(page));
	}
	free(reading.error);
	return err;
}

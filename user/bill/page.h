/* SPDX-License-Identifier: Apache-2.0 */
/* Reports of providers: GET, page after page. For the sources of this room. */
#ifndef BILL_PAGE_H
#define BILL_PAGE_H

#include "base/json.h"
#include "bill/bill.h"

/* Ids of what every page has; a report's own begin at PAGE_IDS. */
enum { PAGE_DATA = 1, PAGE_MORE, PAGE_NEXT, PAGE_BUCKET_START, PAGE_RESULT, PAGE_IDS };

/* A report's keys, around those of its buckets. */
#define PAGE_NODES(bucket)                                                            \
	{ "data", PAGE_DATA, bucket, false }, { "has_more", PAGE_MORE, NULL, false }, \
		{ "next_page", PAGE_NEXT, NULL, false }, JSON_NODES_END

struct page_result;

struct page_report {
	const char *url; /* with its query, without page= */
	const char *const *headers;
	const char *bearer_file;
	const struct json_node *keys; /* "has_more" and "next_page" among them */
	uint32_t wait_ms;
	void (*value)(void *arg, int id, enum json_kind kind, const char *text);
	void *arg;
	const struct page_result *result; /* that `value` fills */
};

/* A string as it is; what is none leaves `to` alone. */
void page_text(char *to, size_t size, enum json_kind kind, const char *text);

/* The result in hand, and where it goes. */
struct page_result {
	struct bill *bill;
	const char *provider;
	int64_t day_s; /* of the bucket */
	struct bill_key key;
	uint64_t input, output, nanos;
	bool is_negative;
	bool is_foreign; /* in another currency than USD */
	bool is_bad;     /* of any result so far: a figure cannot be read, so no sum is right */
};
/* Another begins in the same bucket. */
void page_result_begin(struct page_result *result);
/* It is whole: adds it to its cell. */
void page_result_end(struct page_result *result);
/* Adds to a count of it; null is none. */
void page_count(struct page_result *result, uint64_t *to, enum json_kind kind, const char *text);
/* Its amount, in units of 10^`places` nano-dollars, rounded half up; null is none. */
void page_amount(struct page_result *result, enum json_kind kind, const char *text, unsigned places);
void page_currency(struct page_result *result, enum json_kind kind, const char *text);

/* 0 or -errno with a sentence. Requests that are refused for now (429, 5xx) are made again, three times. */
int page_read(const struct page_report *report, char **ret_error);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/pages.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fields.h"
#include "base/zone.h"
#include "ledger/caller.h"
#include "ledger/ledger.h"
#include "web/timeline.h"

struct page {
	struct aside_work work;
	char *state, *zone, *who; /* who NULL: the timeline */
};

static void free_page(struct aside_work *work)
{
	struct page *page = (struct page *)work;

	free(page->state);
	free(page->zone);
	free(page->who);
	free(page);
}

static void run_page(struct aside_work *work)
{
	struct page *page = (struct page *)work;
	_cleanup_free_ char *sentence = NULL;
	struct ledger *ledger = NULL;
	struct zone *zone = NULL;
	json_t *root = NULL;
	int err = ledger_open(&ledger, page->state, false, &sentence);

	if (!err && zone_load(&zone, page->zone) < 0)
		err = zone_load(&zone, "UTC");
	if (!err)
		root = page->who ? caller_json(ledger, page->who, zone, clock_wall_us(), &err) :
				   timeline_json(ledger, zone, clock_wall_us());
	work->text = fields_line(root);
	zone_free(zone);
	ledger_free(ledger);
}

static struct aside_work *page_new(const char *state, const char *zone, const char *who)
{
	struct page *page = calloc(1, sizeof(*page));

	if (!page)
		return NULL;
	page->work = (struct aside_work){ .run = run_page, .free = free_page };
	page->state = strdup(state);
	page->zone = zone ? strdup(zone) : NULL;
	page->who = who ? strdup(who) : NULL;
	if (page->state && (page->zone || !zone) && (page->who || !who))
		return &page->work;
	free_page(&page->work);
	return NULL;
}

struct aside_work *pages_timeline(const char *state, const char *zone)
{
	return page_new(state, zone, NULL);
}

struct aside_work *pages_caller(const char *state, const char *zone, const char *who)
{
	return page_new(state, zone, who);
}

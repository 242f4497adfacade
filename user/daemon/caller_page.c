/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/caller_page.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/zone.h"
#include "ledger/caller.h"
#include "ledger/ledger.h"

struct page {
	struct aside_work work;
	char *state, *zone, *who;
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
		root = caller_json(ledger, page->who, zone, clock_wall_us(), &err);
	if (root)
		work->text = json_dumps(root,
					JSON_COMPACT | JSON_PRESERVE_ORDER | JSON_ENSURE_ASCII);
	json_decref(root);
	zone_free(zone);
	ledger_free(ledger);
}

struct aside_work *caller_page(const char *state, const char *zone, const char *who)
{
	struct page *page = calloc(1, sizeof(*page));

	if (!page)
		return NULL;
	page->work = (struct aside_work){ .run = run_page, .free = free_page };
	page->state = strdup(state);
	page->zone = zone ? strdup(zone) : NULL;
	page->who = strdup(who);
	if (page->state && page->who && (page->zone || !zone))
		return &page->work;
	free_page(&page->work);
	return NULL;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "budget/counter.h"
#include "ledger/ledger_internal.h"
#include "shared/shared_internal.h"

#define KEY_MAX (3 * COUNTER_KEY_LEN + 512)

/* Colons part the key's fields; what would be one, or no text, is written as %XX. */
static size_t escape(const char *text, char *key, size_t len)
{
	for (; *text && len + 4 < KEY_MAX; text++) {
		unsigned char c = (unsigned char)*text;

		if (c <= ' ' || c == ':' || c == '%' || c >= 0x7f)
			len += (size_t)snprintf(key + len, KEY_MAX - len, "%%%02X", c);
		else
			key[len++] = (char)c;
	}
	key[len] = '\0';
	return len;
}

static void name(const struct shared_table *table, const struct policy_own *own, char *key)
{
	static const char *const windows[] = { [POLICY_HOUR] = "hour",
					       [POLICY_DAY] = "day",
					       [POLICY_WEEK] = "week",
					       [POLICY_MONTH] = "month",
					       [POLICY_ROLLING] = "last" };
	const struct policy_budget *budget = own->budget;
	size_t len = escape(table->prefix, key, 0);

	len += (size_t)snprintf(key + len, KEY_MAX - len, ":");
	len = escape(budget->name, key, len);
	len += (size_t)snprintf(key + len, KEY_MAX - len, ":");
	len = escape(own->key, key, len);
	snprintf(key + len, KEY_MAX - len, ":%s:%s:%lld",
		 policy_in_money(budget) ? "nanousd" : "tokens", windows[budget->window],
		 (long long)(own->slot_us ? budget->window_us : own->window_start_us) / US_PER_S);
}

static struct shared_entry *make(struct shared_table *table, const char *key, const char *budget,
				 const char *counter)
{
	struct shared_entry *entry;
	bool is_in;

	if (HASH_COUNT(table->entries) >= SHARED_COUNTERS)
		return NULL;
	entry = calloc(1, sizeof(*entry) + strlen(key) + 1);
	if (!entry)
		return NULL;
	strcpy(entry->key, key);
	entry->budget = strdup(budget);
	entry->counter = strdup(counter);
	is_in = entry->budget && entry->counter;
	if (is_in) {
		HASH_ADD_STR(table->entries, key, entry);
		is_in = entry->hh.tbl != NULL;
	}
	if (!is_in) {
		free(entry->budget);
		free(entry->counter);
		free(entry);
		return NULL;
	}
	return entry;
}

struct shared_entry *shared_entry_get(struct shared_table *table, const struct policy_own *own,
				      int64_t now_us)
{
	struct shared_entry *entry;
	char key[KEY_MAX];

	name(table, own, key);
	HASH_FIND_STR(table->entries, key, entry);
	if (!entry)
		entry = make(table, key, own->budget->name, own->key);
	if (!entry) {
		table->dropped++;
		return NULL;
	}
	entry->window_start_us = own->window_start_us;
	entry->slot_us = own->slot_us;
	entry->until_us = own->slot_us ? now_us + own->budget->window_us + own->slot_us :
					 own->window_end_us;
	return entry;
}

void shared_entry_own(struct shared_entry *entry, const struct policy_own *own, int64_t seq)
{
	struct shared_part *part = &entry->part;

	entry->own = own->spent;
	part->seq = seq;
	part->n = 0;
	for (size_t i = 0; i < (own->slot_us ? POLICY_SLOTS : 1); i++) {
		if (!own->sums[i])
			continue;
		part->slots[part->n].slot = own->slot_us ? own->newest - (int64_t)i :
							   own->window_start_us;
		part->slots[part->n++].sum = own->sums[i];
	}
}

static int64_t present_slot(const struct shared_entry *entry, int64_t now_us)
{
	return entry->slot_us ? now_us / entry->slot_us : entry->window_start_us;
}

/* A node whose clock is a little ahead is in the next slot already. */
static bool is_inside(const struct shared_entry *entry, int64_t slot, int64_t now_us)
{
	int64_t present = present_slot(entry, now_us);

	return entry->slot_us ? slot > present - POLICY_SLOTS && slot <= present + 1 :
				slot == present;
}

static void add_slot(struct shared_entry *entry, int64_t slot, uint64_t sum)
{
	struct shared_part *remote = &entry->remote;
	size_t i = 0;

	while (i < remote->n && remote->slots[i].slot != slot)
		i++;
	if (i == POLICY_SLOTS)
		i--; /* of the slot too many, the next one, nothing may be lost */
	if (i == remote->n) {
		remote->slots[i].slot = slot;
		remote->slots[i].sum = 0;
		remote->n++;
	}
	if (__builtin_add_overflow(remote->slots[i].sum, sum, &remote->slots[i].sum) ||
	    remote->slots[i].sum > INT64_MAX)
		remote->slots[i].sum = INT64_MAX;
}

int64_t shared_entry_parts(struct shared_entry *entry, const struct shared_reply *reply,
			   const char *node, int64_t now_us, unsigned *ret_bad)
{
	uint64_t before = shared_entry_remote(entry, now_us);
	int64_t own_seq = -1;

	entry->remote.n = 0;
	entry->known = 0;
	for (size_t i = 0; i + 1 < reply->n; i += 2) {
		const struct shared_reply_item *item = &reply->items[i];
		bool is_own = item->len == strlen(node) && !memcmp(item->text, node, item->len);
		struct shared_part part;

		if (!shared_part_read(item[1].text, item[1].len, &part)) {
			++*ret_bad;
			continue;
		}
		if (is_own)
			own_seq = part.seq;
		for (size_t j = 0; !is_own && j < part.n; j++)
			if (is_inside(entry, part.slots[j].slot, now_us))
				add_slot(entry, part.slots[j].slot, part.slots[j].sum);
	}
	entry->is_unsaved |= before != shared_entry_remote(entry, now_us) ||
			     entry->own_known != entry->own_asked;
	entry->own_known = entry->own_asked;
	/* Idle here, and not elsewhere: it has to be looked at for as long. */
	if (entry->slot_us && entry->remote.n &&
	    entry->until_us < now_us + POLICY_SLOTS * entry->slot_us)
		entry->until_us = now_us + POLICY_SLOTS * entry->slot_us;
	return own_seq;
}

uint64_t shared_entry_remote(const struct shared_entry *entry, int64_t now_us)
{
	/* What was only remembered cannot slide: it ends with the window. */
	uint64_t sum = now_us <= entry->until_us ? entry->known : 0;

	for (size_t i = 0; i < entry->remote.n; i++)
		if (is_inside(entry, entry->remote.slots[i].slot, now_us) &&
		    (__builtin_add_overflow(sum, entry->remote.slots[i].sum, &sum) ||
		     sum > INT64_MAX))
			return INT64_MAX;
	return sum;
}

void shared_entry_queue(struct shared_table *table, struct shared_entry *entry)
{
	if (entry->is_queued)
		return;
	entry->is_queued = true;
	TAILQ_INSERT_TAIL(&table->queue, entry, queue);
}

static void drop(struct shared_table *table, struct shared_entry *entry)
{
	if (entry->is_queued)
		TAILQ_REMOVE(&table->queue, entry, queue);
	HASH_DEL(table->entries, entry);
	free(entry->budget);
	free(entry->counter);
	free(entry);
}

void shared_table_sweep(struct shared_table *table, int64_t now_us)
{
	struct shared_entry *entry, *next;

	/* What the last minutes of a window cost may still have to be told. */
	HASH_ITER(hh, table->entries, entry, next)
		if (entry->until_us < now_us && !entry->is_queued && !entry->is_asked)
			drop(table, entry);
}

void shared_table_done(struct shared_table *table)
{
	struct shared_entry *entry, *next;

	HASH_ITER(hh, table->entries, entry, next)
		drop(table, entry);
}

/* ---- the ledger's memory ---- */

static int save_one(sqlite3_stmt *statement, const struct shared_entry *entry)
{
	int result;

	sqlite3_bind_text(statement, 1, entry->key, -1, SQLITE_STATIC);
	sqlite3_bind_text(statement, 2, entry->budget, -1, SQLITE_STATIC);
	sqlite3_bind_text(statement, 3, entry->counter, -1, SQLITE_STATIC);
	sqlite3_bind_int64(statement, 4, entry->slot_us ? -entry->slot_us : entry->window_start_us);
	sqlite3_bind_int64(statement, 5, entry->until_us);
	sqlite3_bind_int64(statement, 6, (int64_t)entry->own_known);
	sqlite3_bind_int64(statement, 7, (int64_t)shared_entry_remote(entry, clock_wall_us()));
	result = sqlite3_step(statement);
	sqlite3_reset(statement);
	return ledger_errno(result);
}

int shared_save(struct ledger *ledger, struct shared_table *table)
{
	_cleanup_statement_ sqlite3_stmt *statement = NULL;
	struct shared_entry *entry, *next;
	int err = 0, n = 0;

	HASH_ITER(hh, table->entries, entry, next)
		n += entry->is_unsaved;
	if (!n)
		return 0;
	err = ledger_prepare(ledger, "INSERT OR REPLACE INTO shared VALUES (?,?,?,?,?,?,?)",
			     &statement);
	if (!err)
		err = ledger_errno(sqlite3_exec(ledger->db, "BEGIN IMMEDIATE", NULL, NULL, NULL));
	if (err)
		return err;
	HASH_ITER(hh, table->entries, entry, next)
		if (!err && entry->is_unsaved)
			err = save_one(statement, entry);
	err = err ?: ledger_errno(sqlite3_exec(ledger->db, "COMMIT", NULL, NULL, NULL));
	if (err && !sqlite3_get_autocommit(ledger->db))
		(void)sqlite3_exec(ledger->db, "ROLLBACK", NULL, NULL, NULL);
	HASH_ITER(hh, table->entries, entry, next)
		entry->is_unsaved &= !!err;
	return err;
}

int shared_load(struct ledger *ledger, struct shared_table *table, int64_t now_us)
{
	_cleanup_statement_ sqlite3_stmt *old = NULL, *read = NULL;
	int err = ledger_prepare(ledger, "DELETE FROM shared WHERE until_us < ?", &old);

	if (!err)
		err = ledger_prepare(ledger,
				     "SELECT key, budget, counter, window_us, until_us, own,"
				     " remote FROM shared",
				     &read);
	if (err)
		return err;
	sqlite3_bind_int64(old, 1, now_us);
	(void)sqlite3_step(old);
	while (sqlite3_step(read) == SQLITE_ROW) {
		struct shared_entry *entry = make(table, (const char *)sqlite3_column_text(read, 0),
						  (const char *)sqlite3_column_text(read, 1),
						  (const char *)sqlite3_column_text(read, 2));
		int64_t window_us = sqlite3_column_int64(read, 3);

		if (!entry)
			break;
		entry->window_start_us = window_us > 0 ? window_us : 0;
		entry->slot_us = window_us < 0 ? -window_us : 0;
		entry->until_us = sqlite3_column_int64(read, 4);
		entry->own_known = (uint64_t)sqlite3_column_int64(read, 5);
		entry->known = (uint64_t)sqlite3_column_int64(read, 6);
	}
	return 0;
}

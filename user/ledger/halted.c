/* SPDX-License-Identifier: Apache-2.0 */
#include "ledger/halted.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "ledger/ledger_internal.h"

#define BOOT_LEN 64

/* Pids and cgroups of another boot are not ours: random(4). */
static const char *boot(char buf[BOOT_LEN])
{
	_cleanup_fclose_ FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");

	if (!file || !fgets(buf, BOOT_LEN, file))
		return strcpy(buf, "unknown");
	buf[strcspn(buf, "\n")] = '\0';
	return buf;
}

static int run(struct ledger *ledger, const char *sql, const struct halted *halted)
{
	_cleanup_statement_ sqlite3_stmt *statement = NULL;
	char id[BOOT_LEN];
	int err = ledger_prepare(ledger, sql, &statement);

	if (err)
		return err;
	sqlite3_bind_text(statement, 1, boot(id), -1, SQLITE_STATIC);
	if (halted) {
		sqlite3_bind_int(statement, 2, (int)halted->kind);
		sqlite3_bind_int64(statement, 3, halted->tgid);
		sqlite3_bind_int64(statement, 4, (int64_t)halted->start_ticks);
		sqlite3_bind_text(statement, 5, halted->path, -1, SQLITE_STATIC);
	}
	return ledger_errno(sqlite3_step(statement));
}

int halted_add(struct ledger *ledger, const struct halted *halted)
{
	return run(ledger,
		   "INSERT OR IGNORE INTO standing (boot, kind, pid, start_ticks, cgroup)"
		   " VALUES (?, ?, ?, ?, ?)",
		   halted);
}

int halted_drop(struct ledger *ledger, const struct halted *halted)
{
	return run(ledger,
		   "DELETE FROM standing WHERE boot = ? AND kind = ? AND pid = ?"
		   " AND start_ticks = ? AND cgroup = ?",
		   halted);
}

/* The whole list first, since fn writes to the table. */
int halted_each(struct ledger *ledger, void (*fn)(void *arg, const struct halted *halted), void *arg)
{
	_cleanup_statement_ sqlite3_stmt *statement = NULL;
	_cleanup_free_ struct halted *list = NULL;
	size_t n = 0, room = 0;
	int err, result;

	if (ledger->is_writable)
		(void)run(ledger, "DELETE FROM standing WHERE boot <> ?", NULL);
	err = ledger_prepare(ledger,
			     "SELECT kind, pid, start_ticks, cgroup FROM standing"
			     " WHERE boot = ?",
			     &statement);
	if (err)
		return err;
	sqlite3_bind_text(statement, 1, boot((char[BOOT_LEN]){ 0 }), -1, SQLITE_TRANSIENT);
	while ((result = sqlite3_step(statement)) == SQLITE_ROW) {
		struct halted *grown;

		if (n == room) {
			room = room ? 2 * room : 16;
			grown = realloc(list, room * sizeof(*list));
			if (!grown)
				return -ENOMEM;
			list = grown;
		}
		memset(&list[n], 0, sizeof(list[n]));
		list[n].kind = (enum halted_kind)sqlite3_column_int(statement, 0);
		list[n].tgid = (uint32_t)sqlite3_column_int64(statement, 1);
		list[n].start_ticks = (uint64_t)sqlite3_column_int64(statement, 2);
		snprintf(list[n].path, sizeof(list[n].path), "%s",
			 (const char *)sqlite3_column_text(statement, 3));
		n++;
	}
	sqlite3_reset(statement);
	for (size_t i = 0; i < n; i++)
		fn(arg, &list[i]);
	return ledger_errno(result);
}

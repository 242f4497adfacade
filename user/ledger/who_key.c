/* SPDX-License-Identifier: Apache-2.0 */
/* The key "who" of a report, in SQL: what a person calls a subject. */
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "ledger/ledger_internal.h"

static void copy(char *to, size_t size, sqlite3_value *value)
{
	snprintf(to, size, "%s", (const char *)sqlite3_value_text(value) ?: "");
}

/* Its words are those of LEDGER_WHO. */
static void on_who(sqlite3_context *context, int n, sqlite3_value **values)
{
	_cleanup_free_ struct who_group *group = calloc(1, sizeof(*group));
	char who[WHO_LABEL_LEN];

	if (!group) {
		sqlite3_result_error_nomem(context);
		return;
	}
	copy(group->namespace, sizeof(group->namespace), values[0]);
	copy(group->pod, sizeof(group->pod), values[1]);
	copy(group->container_name, sizeof(group->container_name), values[2]);
	copy(group->container, sizeof(group->container), values[3]);
	copy(group->unit, sizeof(group->unit), values[4]);
	copy(group->path, sizeof(group->path), values[5]);
	sqlite3_result_text(context, who_label(group, who), -1, SQLITE_TRANSIENT);
}

int who_key_new(struct ledger *ledger)
{
	return ledger_errno(sqlite3_create_function_v2(
		ledger->db, "who", 6, SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_DIRECTONLY,
		ledger, on_who, NULL, NULL, NULL));
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The key "team" of a report: whose a caller is, is told by who asks for the report, so that another mapping sorts what is
 * already in the ledger anew.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "ledger/ledger_internal.h"

struct asked {
	struct who_group group;
	struct who_process process;
};

/* Its words are in the order in which report.c gives them. */
static void read_words(sqlite3_value **values, int n, struct asked *ret)
{
	const struct {
		char *to;
		size_t size;
	} places[] = {
		{ ret->group.namespace, sizeof(ret->group.namespace) },
		{ ret->group.workload, sizeof(ret->group.workload) },
		{ ret->group.pod, sizeof(ret->group.pod) },
		{ ret->group.container_name, sizeof(ret->group.container_name) },
		{ ret->group.path, sizeof(ret->group.path) },
		{ ret->group.unit, sizeof(ret->group.unit) },
		{ ret->process.user, sizeof(ret->process.user) },
		{ ret->process.comm, sizeof(ret->process.comm) },
		{ ret->process.exe, sizeof(ret->process.exe) },
		{ ret->group.labels, sizeof(ret->group.labels) },
		{ ret->group.image, sizeof(ret->group.image) },
	};

	for (int i = 0; i < n && i < (int)ARRAY_SIZE(places); i++)
		snprintf(places[i].to, places[i].size, "%s",
			 (const char *)sqlite3_value_text(values[i]) ?: "");
}

static void on_team(sqlite3_context *context, int n, sqlite3_value **values)
{
	struct ledger *ledger = sqlite3_user_data(context);
	_cleanup_free_ struct asked *asked = calloc(1, sizeof(*asked));
	char team[WHO_NAME_LEN] = "";

	if (!asked) {
		sqlite3_result_error_nomem(context);
		return;
	}
	read_words(values, n, asked);
	ledger->team(ledger->team_arg, &asked->group, &asked->process, team, sizeof(team));
	sqlite3_result_text(context, team, -1, SQLITE_TRANSIENT);
}

int ledger_set_team(struct ledger *ledger,
		    void (*fn)(void *arg, const struct who_group *group,
			       const struct who_process *process, char *ret, size_t size),
		    void *arg)
{
	ledger->team = fn;
	ledger->team_arg = arg;
	return ledger_errno(sqlite3_create_function_v2(
		ledger->db, "team", 11, SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_DIRECTONLY,
		ledger, on_team, NULL, NULL, NULL));
}

/* SPDX-License-Identifier: Apache-2.0 */
/* A ledger in a folder of the test's own, calls made from a seed, and questions to the file itself. */
#ifndef UNIT_LEDGER_MADE_CALLS_H
#define UNIT_LEDGER_MADE_CALLS_H

#include "unit.h"

#include <sqlite3.h>

#include "ledger/ledger.h"

#define HOUR_US 3600000000LL
#define T0      (1700000000LL / 3600 * HOUR_US)

static char dir[64];

static inline int make_dir(void **state)
{
	return unit_folder(dir);
}

static inline int remove_dir(void **state)
{
	return unit_remove(dir);
}

/* Estimates by size are of several calls each, so that rows are fewer than calls. */
static bool is_of_several;

/* The call of a seed: six subjects, twelve services, all sources. */
struct made {
	struct who_group group;
	struct who_process process;
	struct charge charge;
	struct ledger_call call;
};

static inline void make(struct made *made, unsigned seed)
{
	unsigned who = seed % 6, what = seed % 12;

	memset(made, 0, sizeof(*made));
	snprintf(made->group.path, sizeof(made->group.path), "/slice/%u", who);
	snprintf(made->group.namespace, sizeof(made->group.namespace), "ns-%u", who % 2);
	snprintf(made->group.workload, sizeof(made->group.workload), "Deployment/w%u", who % 3);
	snprintf(made->group.pod, sizeof(made->group.pod), "pod-%u", who);
	snprintf(made->group.container_name, sizeof(made->group.container_name), "c%u", who);
	snprintf(made->group.image, sizeof(made->group.image), "r.example/i%u", who % 4);
	snprintf(made->group.unit, sizeof(made->group.unit), "u%u.service", who);
	snprintf(made->process.user, sizeof(made->process.user), "user%u", who);
	snprintf(made->process.comm, sizeof(made->process.comm), "comm%u", who);
	snprintf(made->process.exe, sizeof(made->process.exe), "/bin/exe%u", who);
	made->process.tgid = 1000 + seed % 4;
	made->process.uid = who;
	snprintf(made->charge.host, sizeof(made->charge.host), "api%u.example", what);
	snprintf(made->charge.provider, sizeof(made->charge.provider), "p%u", what % 3);
	snprintf(made->charge.model, sizeof(made->charge.model), "model-%u", what);
	snprintf(made->charge.operation, sizeof(made->charge.operation), "chat");
	if (what % 4)
		snprintf(made->charge.client, sizeof(made->charge.client), "tool-%u/1", what % 4);
	snprintf(made->charge.destination, sizeof(made->charge.destination), "%s",
		 seed % 3 == 0 ? "" :
		 seed % 3 == 1 ? CHARGE_CONFIRMED :
				 CHARGE_UNCONFIRMED);
	if (what % 3 == 2)
		snprintf(made->charge.api_key, sizeof(made->charge.api_key), "%016x", what % 4);
	if (what % 3 == 1)
		snprintf(made->charge.via, sizeof(made->charge.via), "gateway%u", what % 2);
	snprintf(made->charge.path, sizeof(made->charge.path), "/v1/%u", what % 2);
	snprintf(made->charge.price_key, sizeof(made->charge.price_key), "key-%u", what);
	snprintf(made->charge.price_origin, sizeof(made->charge.price_origin), "test");
	made->charge.status = 200;
	made->charge.source = seed % CHARGE_SOURCES;
	made->charge.outcome = seed % 4;
	made->charge.count = is_of_several && made->charge.source == CHARGE_SIZE ? 1 + seed % 5 : 1;
	made->charge.is_priced = seed % 5 != 0;
	made->charge.is_stream = seed % 2;
	made->charge.usage = (struct usage){ .input = seed,
					     .cache_read = seed * 2,
					     .cache_write_5m = seed * 3,
					     .cache_write_1h = seed * 4,
					     .output = seed * 5,
					     .reasoning = seed * 6,
					     .audio_input = seed * 7,
					     .audio_output = seed * 8,
					     .web_searches = seed % 3 };
	made->charge.cost_nanos = seed * 1000 + 1;
	made->charge.budget_nanos = seed * 2000;
	made->charge.request_bytes = seed * 10;
	made->charge.response_bytes = seed * 100;
	made->charge.first_token_ns = seed * 1000;
	made->charge.duration_ns = seed * 5000;
	made->call = (struct ledger_call){ .start_us = T0 + seed * 7000000LL,
					   .charge = &made->charge,
					   .group = &made->group,
					   .process = &made->process };
}

static inline struct ledger *open_writer(void)
{
	struct ledger *ledger = NULL;
	_cleanup_free_ char *error = NULL;

	assert_int_equal(ledger_open(&ledger, dir, true, &error), 0);
	return ledger;
}

static inline void add(struct ledger *ledger, unsigned seed)
{
	struct made made;

	make(&made, seed);
	assert_int_equal(ledger_add(ledger, &made.call, NULL), 0);
}

static inline int64_t ask(const char *sql)
{
	char path[96];
	sqlite3 *db;
	sqlite3_stmt *statement;
	int64_t value;

	snprintf(path, sizeof(path), "%s/" LEDGER_FILE, dir);
	assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
	sqlite3_busy_timeout(db, 1000);
	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
	value = sqlite3_column_int64(statement, 0);
	sqlite3_finalize(statement);
	sqlite3_close(db);
	return value;
}

#define HELD(test) cmocka_unit_test_setup_teardown(test, make_dir, remove_dir)

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* The report's text, apart from its command line, so that a test can ask for it. */
#ifndef CMD_REPORT_REPORT_H
#define CMD_REPORT_REPORT_H

#include <stdio.h>

#include "cmd/metering.h"
#include "ledger/ledger.h"

enum report_format { REPORT_TABLE, REPORT_CSV, REPORT_JSON, REPORT_FOCUS };

struct report {
	struct ledger_query query;
	int64_t now_us;
	enum report_format format;
	size_t most;             /* rows; the others are one; 0: all */
	bool has_share;          /* each row's part of the whole */
	bool compares;           /* with the time before since_us that is as long */
	const struct zone *zone; /* table and JSON say what its day and month will cost; NULL: they do not */
	const struct metering *metering; /* table and JSON say it, with the gaps; NULL: they do not */
};

/* 0 or -errno. */
int report_write(FILE *out, struct ledger *ledger, const struct report *report);

/* "cgroup,model" to bits. NULL: done; else a sentence about what is wrong, to free. */
char *report_parse_keys(const char *text, uint32_t *ret);

#endif

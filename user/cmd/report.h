/* SPDX-License-Identifier: Apache-2.0 */
/* The report's text, apart from its command line, so that a test can ask for it. */
#ifndef CMD_REPORT_H
#define CMD_REPORT_H

#include <stdio.h>

#include "cmd/metering.h"
#include "ledger/ledger.h"

enum report_format { REPORT_TABLE, REPORT_CSV, REPORT_JSON };

struct report {
	int64_t since_us;
	int64_t now_us;
	uint32_t keys; /* bits (1u << enum ledger_key) */
	enum report_format format;
	const struct metering *metering; /* table and JSON say it, with the gaps; NULL: they do not */
};

/* 0 or -errno. */
int report_write(FILE *out, struct ledger *ledger, const struct report *report);

/* "cgroup,model" to bits. NULL: done; else a sentence about what is wrong, to free. */
char *report_parse_keys(const char *text, uint32_t *ret);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* Which processes of this host hold TLS code, and what the daemon makes of it: for `aigress check`. */
#ifndef CMD_CHECK_PROCESSES_H
#define CMD_CHECK_PROCESSES_H

#include <jansson.h>
#include <stdbool.h>

#include "find/find.h"
#include "who/who.h"

/* What is known of one process: what maps TLS, and what the daemon read of it. */
struct check_process {
	unsigned pid;
	char comm[WHO_COMM_LEN];
	json_t *files; /* of find_explain() */
};

struct check_scan {
	struct check_process *rows;
	size_t n, room;
	unsigned pid;
	unsigned daemon; /* the process that keeps the ledger; 0: none */
	json_t *files;
	struct find_explaining how;
};

/* Every process of /proc but aigress itself; scan->how and scan->daemon are set. 0 or -errno, with what was found. */
int check_processes(struct check_scan *scan);
void check_processes_done(struct check_scan *scan);
/* A table on standard output, and what its states mean. */
void check_processes_print(const struct check_scan *scan);
/* [ { pid, command, files } ]; NULL: no memory. */
json_t *check_processes_json(const struct check_scan *scan);
/* Of a process that still runs: what its TLS code is, and what prevents reading it. `arg` is a scan. */
bool check_processes_name(void *arg, json_int_t pid, char *ret, size_t size);

#endif

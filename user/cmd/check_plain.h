/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What may be gateways or model servers on plain HTTP, which are read only if they are named: connections to the ports that
 * such servers have by default, in any network namespace. Nothing that passes on them is looked at, so it is a guess.
 */
#ifndef CMD_CHECK_PLAIN_H
#define CMD_CHECK_PLAIN_H

#include <jansson.h>
#include <stdint.h>
#include <stdio.h>

#define CHECK_PLAIN_MAX 32

struct check_plain {
	char address[48]; /* as a URL has it: IPv6 in brackets */
	uint16_t port;
	const char *server; /* whose port that is; static */
	unsigned connections;
};

/*
 * Finds at most CHECK_PLAIN_MAX, by the processes of `proc` ("/proc"), without the ports of the ledger's fact "config"
 * (may be NULL), which are named. Returns how many; what may not be read is left out.
 */
size_t check_plain_scan(const char *proc, const json_t *config, struct check_plain *ret);
/* Nothing if there are none. */
void check_plain_print(const struct check_plain *found, size_t n, FILE *out);
json_t *check_plain_json(const struct check_plain *found, size_t n);

#endif

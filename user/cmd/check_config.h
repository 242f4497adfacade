/* SPDX-License-Identifier: Apache-2.0 */
/* `aigress check --config FILE`. */
#ifndef CMD_CHECK_CONFIG_H
#define CMD_CHECK_CONFIG_H

/*
 * Reads a file as the daemon would: all errors on stderr, CMD_USAGE; or what it would change and do now, going
 * by the ledger in `state`. An enum cmd_exit.
 */
int check_config(const char *path, const char *state);

#endif

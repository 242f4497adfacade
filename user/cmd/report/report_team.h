/* SPDX-License-Identifier: Apache-2.0 */
/* Whose a caller is, for `report --by team`. */
#ifndef CMD_REPORT_REPORT_TEAM_H
#define CMD_REPORT_REPORT_TEAM_H

#include "config/config.h"
#include "ledger/ledger.h"

/*
 * Tells the ledger what a team is, by the `teams:` of the file that is named or of the daemon's, as far as this user may
 * read it. CMD_OK, or another exit code after saying why. config_done() is the caller's, after the last report.
 */
int report_set_teams(struct ledger *ledger, const char *path, struct config *config);

#endif

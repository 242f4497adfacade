/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/report/report_team.h"

#include <jansson.h>
#include <string.h>

#include "base/cleanup.h"
#include "cmd/cmd.h"

static void on_team(void *arg, const struct who_group *group, const struct who_process *process,
		    char *ret, size_t size)
{
	team_of(arg, group, process, ret, size);
}

int report_set_teams(struct ledger *ledger, const char *path, struct config *config)
{
	_cleanup_free_ char *fact = path ? NULL : ledger_get(ledger, "config"), *sentence = NULL;
	json_t *root = fact ? json_loads(fact, 0, NULL) : NULL;
	const char *daemons = json_string_value(json_object_get(root, "file"));
	int err = config_load(config,
			      path                ? path :
			      daemons && *daemons ? daemons :
						    NULL,
			      &sentence);

	json_decref(root);
	if (err && path) {
		fprintf(stderr, "aigress report: %s\n", sentence ? sentence : strerror(-err));
		return CMD_USAGE;
	}
	if (err) {
		fprintf(stderr,
			"aigress report: teams are by the pods' label \"" TEAM_LABEL
			"\" alone: %s\n",
			sentence ? sentence : strerror(-err));
		(void)config_load(config, NULL, NULL);
	}
	err = ledger_set_team(ledger, on_team, &config->teams);
	if (err)
		fprintf(stderr, "aigress report: %s\n", strerror(-err));
	return err ? CMD_FAILED : CMD_OK;
}

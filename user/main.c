/* SPDX-License-Identifier: Apache-2.0 */
/* The table of subcommands, and nothing else. */
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "cmd/cmd.h"

static const struct {
	const char *name;
	int (*main)(int argc, char **argv);
	const char *what;
} commands[] = {
	{ "run", cmd_run, "watch this host: meter AI calls, keep the ledger, enforce budgets" },
	{ "top", cmd_top, "live view of who spends what" },
	{ "report", cmd_report, "spend from the ledger, as a table, CSV or JSON" },
	{ "explain", cmd_explain, "why this figure, why this action" },
	{ "enforce", cmd_enforce, "what turning enforcement on would do now, and to whom" },
	{ "override", cmd_override, "open, hold or raise a budget for a time" },
	{ "prices", cmd_prices, "which prices there are, why, and what others would change" },
	{ "reconcile", cmd_reconcile, "the ledger against what providers have billed" },
	{ "check", cmd_check, "what this host supports, what is seen and what is not, and why" },
	{ "cleanup", cmd_cleanup, "take away what could be left on this host" },
	{ "replay", cmd_replay, "run a recorded event file through the pipeline" },
};

static void usage(FILE *out)
{
	fprintf(out, "usage: aigress COMMAND [OPTION...]\n\n");
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		fprintf(out, "  %-8s %s\n", commands[i].name, commands[i].what);
	fprintf(out,
		"\n`aigress COMMAND --help` lists a command's options; see aigress(8) for the rest.\n");
}

/* argp calls the program what argv[0] says. */
static int enter(int (*command)(int argc, char **argv), int argc, char **argv)
{
	static char name[64];

	snprintf(name, sizeof(name), "aigress %s", argv[1]);
	argv[1] = name;
	return command(argc - 1, argv + 1);
}

int main(int argc, char **argv)
{
	if (argc < 2) {
		usage(stderr);
		return CMD_USAGE;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "help")) {
		usage(stdout);
		return CMD_OK;
	}
	if (!strcmp(argv[1], "--version")) {
		printf("aigress " CMD_VERSION "\n");
		return CMD_OK;
	}
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (!strcmp(argv[1], commands[i].name))
			return enter(commands[i].main, argc, argv);
	fprintf(stderr, "aigress: there is no command \"%s\"\n\n", argv[1]);
	usage(stderr);
	return CMD_USAGE;
}

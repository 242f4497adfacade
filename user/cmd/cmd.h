/* SPDX-License-Identifier: Apache-2.0 */
/* The subcommands. Each takes its own argv (argv[0] is its name) and gives an exit code. */
#ifndef CMD_CMD_H
#define CMD_CMD_H

/* Stable: the manual lists them. */
enum cmd_exit {
	CMD_OK = 0,
	CMD_FAILED = 1,      /* the work could not be done; stderr says why and what to do */
	CMD_USAGE = 2,       /* the command line or the configuration is wrong */
	CMD_UNSUPPORTED = 3, /* this host cannot do it (kernel, capability) */
};

/* The one line of the file VERSION, as the Makefile passes it. */
#define CMD_TEXT(token)   #token
#define CMD_TEXT_OF(name) CMD_TEXT(name)
#define CMD_VERSION       CMD_TEXT_OF(AIGRESS_VERSION)

int cmd_run(int argc, char **argv);
int cmd_top(int argc, char **argv);
int cmd_report(int argc, char **argv);
int cmd_explain(int argc, char **argv);
int cmd_prices(int argc, char **argv);
int cmd_reconcile(int argc, char **argv);
int cmd_check(int argc, char **argv);
int cmd_enforce(int argc, char **argv);
int cmd_override(int argc, char **argv);
int cmd_cleanup(int argc, char **argv);
int cmd_replay(int argc, char **argv);

#endif

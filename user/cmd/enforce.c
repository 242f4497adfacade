/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Before `enforce: true`: what it would do now, and to whom; and whether a configuration file is right,
 * before a daemon reads it. Both change nothing.
 */
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "cmd/check_config.h"
#include "cmd/cmd.h"
#include "cmd/metering.h"
#include "cmd/options.h"
#include "cmd/preview.h"
#include "cmd/show.h"
#include "config/config.h"
#include "price/price.h"

#define CONFIG_FILE "/etc/aigress/aigress.yaml"

struct options {
	const char *state, *config;
	enum table_format format;
	bool preview;
};

/* What the file names beside itself. Each error is a line; false: there was one. */
static bool check_named(const struct config *config, const char *path, FILE *err)
{
	_cleanup_free_ char *sentence = NULL;
	struct prices *prices = NULL;
	bool is_right = true;
	int failed;

	if (!config->prices || prices_new(&prices) < 0)
		return is_right;
	failed = prices_load(prices, config->prices, "override", &sentence);
	if (failed) {
		is_right = false;
		fprintf(err, "%s:%u: prices: %s%s%s\n", path, config->prices_line,
			sentence ? sentence : config->prices, sentence ? "" : ": ",
			sentence ? "" : strerror(-failed));
	}
	prices_free(prices);
	return is_right;
}

/* CMD_OK: then config_done() is the caller's. */
static int load(struct config *config, const char *path)
{
	_cleanup_free_ char *errors = NULL;

	if (config_load_strictly(config, path, &errors) < 0) {
		fprintf(stderr, "%s\n", errors ? errors : path);
		return CMD_USAGE;
	}
	if (config->warnings)
		fprintf(stderr, "%s\n", config->warnings);
	if (check_named(config, path, stderr))
		return CMD_OK;
	config_done(config);
	return CMD_USAGE;
}

static int preview(struct ledger *ledger, const struct policy_rules *rules,
		   enum table_format format, const char *command)
{
	int err = preview_print(ledger, rules, clock_wall_us(), format, stdout);

	if (!err)
		return CMD_OK;
	fprintf(stderr, "aigress %s: the ledger cannot be read: %s\n", command, strerror(-err));
	return CMD_FAILED;
}

int check_config(const char *path, const char *state)
{
	_cleanup_free_ char *sentence = NULL;
	struct ledger *ledger = NULL;
	struct config config;
	int code = load(&config, path);

	if (code != CMD_OK)
		return code;
	printf("%s is right: %zu budget%s, %s.\n", path, config.rules.n_budgets,
	       config.rules.n_budgets == 1 ? "" : "s",
	       config.rules.enforce ? "enforced" : "rehearsed (enforce: false)");
	/* Without a ledger there is nothing to compare it with. */
	if (!ledger_open(&ledger, state, false, &sentence)) {
		preview_print_changes(ledger, &config.rules, stdout);
		printf("By the calls in the ledger:\n");
		code = preview(ledger, &config.rules, TABLE_TEXT, "check");
	}
	ledger_free(ledger);
	config_done(&config);
	return code;
}

static const struct argp_option rows[] = {
	{ "preview", 'p', NULL, 0, "Say what enforcement would do now, and to whom", 0 },
	{ "config", 'c', "FILE", 0,
	  "The configuration (default: the daemon's, else " CONFIG_FILE ")", 0 },
	{ "format", 'f', "FORMAT", 0, "table or json (default table)", 0 },
	{ 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *options = state->input;

	switch (key) {
	case 'p':
		options->preview = true;
		return 0;
	case 'c':
		options->config = arg;
		return 0;
	case 'f':
		options->format = options_format(state, arg, false);
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

/*
 * The file that the daemon reads, for which no option is needed. "": it has none, and so no budget. To be freed; NULL: it has
 * never said.
 */
static char *daemons_file(struct ledger *ledger)
{
	_cleanup_free_ char *fact = ledger_get(ledger, "config");
	json_t *root = fact ? json_loads(fact, 0, NULL) : NULL;
	const char *file = json_string_value(json_object_get(root, "file"));
	char *ret = file ? strdup(file) : NULL;

	json_decref(root);
	return ret;
}

static int preview_file(struct ledger *ledger, const struct options *options)
{
	_cleanup_free_ char *daemons = options->config ? NULL : daemons_file(ledger);
	struct config config;
	int code;

	if (daemons && !*daemons && access(CONFIG_FILE, F_OK)) {
		fprintf(stderr,
			"aigress enforce: the daemon runs without a configuration, so there is no "
			"budget that could be enforced; name a file with --config\n");
		return CMD_FAILED;
	}
	code = load(&config, options->config     ? options->config :
			     daemons && *daemons ? daemons :
						   CONFIG_FILE);
	if (code != CMD_OK)
		return code;
	config.rules.enforce = true;
	code = preview(ledger, &config.rules, options->format, "enforce");
	config_done(&config);
	return code;
}

int cmd_enforce(int argc, char **argv)
{
	static const struct argp argp = {
		.options = rows,
		.parser = parse,
		.doc = "What `enforce: true` would do now, by the calls in the ledger. Enforcement itself "
		       "is turned on in the configuration."
	};
	struct options options = { 0 };
	struct ledger *ledger = NULL;
	struct metering metering;
	int code;

	options_read(&argp, argc, argv, &options, &options.state);
	if (!options.preview) {
		fprintf(stderr, "aigress enforce: enforcement is turned on by `enforce: true` in the "
				"configuration; --preview says what that would do now\n");
		return CMD_USAGE;
	}
	code = show_open("enforce", options.state, &ledger);
	if (code != CMD_OK)
		return code;
	if (options.format == TABLE_TEXT) {
		metering_read(ledger, options.state, gaps_now(), &metering);
		metering_print(&metering, stdout);
	}
	code = preview_file(ledger, &options);
	ledger_free(ledger);
	return code;
}

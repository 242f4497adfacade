/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Before `enforce: true`: what it would do now, and to whom; and whether a configuration file is right,
 * before a daemon reads it. Both change nothing.
 */
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "cmd/check_config.h"
#include "cmd/cmd.h"
#include "cmd/options.h"
#include "cmd/preview.h"
#include "cmd/show.h"
#include "config/config.h"
#include "price/price.h"

#define CONFIG_FILE "/etc/aigress/aigress.yaml"

struct options {
	const char *state, *config;
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

static int preview(struct ledger *ledger, const struct policy_rules *rules, const char *command)
{
	int err = preview_print(ledger, rules, clock_wall_us(), stdout);

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
	printf("%s is right: %zu budgets, %s.\n", path, config.rules.n_budgets,
	       config.rules.enforce ? "enforced" : "rehearsed (enforce: false)");
	/* Without a ledger there is nothing to compare it with. */
	if (!ledger_open(&ledger, state, false, &sentence)) {
		preview_print_changes(ledger, &config.rules, stdout);
		printf("By the calls in the ledger:\n");
		code = preview(ledger, &config.rules, "check");
	}
	ledger_free(ledger);
	config_done(&config);
	return code;
}

static const struct argp_option rows[] = {
	{ "preview", 'p', NULL, 0, "Say what enforcement would do now, and to whom", 0 },
	{ "config", 'c', "FILE", 0, "The configuration (default " CONFIG_FILE ")", 0 },
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
	}
	return ARGP_ERR_UNKNOWN;
}

int cmd_enforce(int argc, char **argv)
{
	static const struct argp argp = {
		.options = rows,
		.parser = parse,
		.doc = "What `enforce: true` would do now, by the calls in the ledger. Enforcement itself "
		       "is turned on in the configuration."
	};
	struct options options = { .config = CONFIG_FILE };
	struct ledger *ledger = NULL;
	struct config config;
	int code;

	options_read(&argp, argc, argv, &options, &options.state);
	if (!options.preview) {
		fprintf(stderr, "aigress enforce: enforcement is turned on by `enforce: true` in the "
				"configuration; --preview says what that would do now\n");
		return CMD_USAGE;
	}
	code = load(&config, options.config);
	if (code != CMD_OK)
		return code;
	code = show_open("enforce", options.state, &ledger);
	config.rules.enforce = true;
	if (code == CMD_OK)
		code = preview(ledger, &config.rules, "enforce");
	ledger_free(ledger);
	config_done(&config);
	return code;
}

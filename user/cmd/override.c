/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Overrides of an operator: rows in the ledger. Inotify wakes the daemon when this program closes the
 * file, so they apply at once. Where no daemon runs, `open` itself releases what the last one left
 * stopped or frozen, and opens the gates that it left shut (on-daemon-loss: hold).
 */
#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/amount.h"
#include "cmd/cmd.h"
#include "cmd/options.h"
#include "cmd/override_check.h"
#include "cmd/show.h"
#include "enforce/release_halted.h"
#include "ledger/overrides.h"
#include "usage/charge.h"
#include "tap/pin.h"

#define DEFAULT_US (3600 * US_PER_S)

struct options {
	const char *state, *verb, *key, *lasts, *to, *reason;
	bool all, force;
	enum table_format format;
	struct ledger *ledger;
	bool has_daemon;
};

static int wrong(const char *what, const char *value, const char *remedy)
{
	fprintf(stderr, "aigress override: %s \"%s\" %s\n", what, value, remedy);
	return CMD_USAGE;
}

static int read_duration(const char *text, int64_t *ret_us)
{
	static const struct {
		char letter;
		int64_t seconds;
	} units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 } };
	char *end;
	long n;

	errno = 0;
	n = strtol(text, &end, 10);
	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		if (errno || end == text || *end != units[i].letter || end[1] || n < 1 ||
		    n > OVERRIDE_LONGEST_US / US_PER_S / units[i].seconds)
			continue;
		*ret_us = n * units[i].seconds * US_PER_S;
		return 0;
	}
	return -EINVAL;
}

/* "100 USD" or "2M tokens". */
static int read_limit(const char *text, struct override *ret)
{
	struct amount amount;
	const char *end = amount_read(text, &amount);

	if (!end || *end)
		return -EINVAL;
	ret->limit_nanos = amount.nanos;
	ret->limit_tokens = (uint64_t)amount.tokens;
	return 0;
}

static bool has_control(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			return true;
	return false;
}

/* sudo(8) leaves who asked in SUDO_USER. */
static const char *asker(void)
{
	const char *sudo = getenv("SUDO_USER");
	const struct passwd *user = getpwuid(getuid());

	return sudo && *sudo && strlen(sudo) < OVERRIDE_TEXT_LEN ? sudo :
	       user                                              ? user->pw_name :
								   "an unknown user";
}

static int fill(const struct options *options, struct override *ret)
{
	const char *reason = options->reason ? options->reason : "";
	int64_t lasts_us = DEFAULT_US;

	*ret = (struct override){ .made_us = clock_wall_us() };
	for (ret->kind = OVERRIDE_OPEN; ret->kind <= OVERRIDE_RAISE; ret->kind++)
		if (!strcmp(override_kind_name(ret->kind), options->verb))
			break;
	if (strlen(options->key) >= sizeof(ret->key) || has_control(options->key))
		return wrong("the key", options->key, "is too long or holds a control character");
	if (strlen(reason) >= sizeof(ret->reason) || has_control(reason))
		return wrong("the reason", reason, "is too long or holds a control character");
	if (options->lasts && read_duration(options->lasts, &lasts_us) < 0)
		return wrong("--for", options->lasts, "is not a time up to 30d, as 30m, 2h or 1d");
	if ((ret->kind == OVERRIDE_RAISE) != (options->to != NULL))
		return wrong("--to", options->to ? options->to : "",
			     "goes with raise, and raise needs it, as --to \"100 USD\"");
	if (options->to && read_limit(options->to, ret) < 0)
		return wrong("--to", options->to,
			     "is not a limit; give one, as \"100 USD\" or "
			     "\"2M tokens\"");
	snprintf(ret->key, sizeof(ret->key), "%s", options->key);
	snprintf(ret->reason, sizeof(ret->reason), "%s", reason);
	snprintf(ret->made_by, sizeof(ret->made_by), "%s", asker());
	ret->until_us = ret->made_us + lasts_us;
	return CMD_OK;
}

/* ---- without a daemon ---- */

static int open_without_daemon(struct options *options)
{
	size_t n_done = 0, n_failed = 0;
	char pin[PIN_PATH_LEN];
	int err, n_pins;

	/* Gates first: they need nothing else to be right on this host. */
	pin_dir(options->state, pin);
	n_pins = pin_remove(pin);
	if (n_pins < 0)
		fprintf(stderr, "aigress override: the gates in %s cannot be opened: %s\n", pin,
			strerror(-n_pins));
	err = release_halted(options->ledger, "override", &n_done, &n_failed);
	if (err) {
		fprintf(stderr, "aigress override: what is stopped cannot be resumed: %s\n",
			strerror(-err));
		return CMD_FAILED;
	}
	printf("no daemon runs: %s; resumed %zu that were stopped\n",
	       n_pins > 0 ? "the gates that it had left shut are open" :
			    "its gates have ended with it",
	       n_done);
	return n_failed || n_pins < 0 ? CMD_FAILED : CMD_OK;
}

/* ---- verbs ---- */

/* SQLite opens for reading what may not be written (members of the group aigress). */
static const char *write_error(int err)
{
	switch (err) {
	case -ENOSPC:
		return "too many are in force, or the disk is full; see `aigress override list`";
	case -EROFS:
	case -EACCES:
		return "permission denied: only root may give orders; use sudo";
	default:
		return strerror(-err);
	}
}

static void override_scene_freep(struct override_scene **scene)
{
	override_scene_free(*scene);
}
#define _cleanup_scene_ _cleanup_(override_scene_freep)

/* Prints what has an order that was just given in its way, or behind it. */
static void print_rivals(struct options *options, const struct override_scene *scene)
{
	_cleanup_free_ struct override *all = NULL;
	char key[SHOW_TEXT_LEN(OVERRIDE_KEY_LEN)], rank[OVERRIDE_RANK_LEN];
	size_t n = 0;

	if (overrides_read(options->ledger, clock_wall_us(), &all, &n))
		return;
	for (size_t i = 0; i + 1 < n; i++)
		if (*override_rank(scene, all, n, i, rank))
			printf("in force as well: %s %s (%s)\n", override_kind_name(all[i].kind),
			       show_text(all[i].key, key, sizeof(key)), rank);
}

static int give(struct options *options)
{
	_cleanup_scene_ struct override_scene *scene = override_scene_new(options->ledger);
	char until[SHOW_LEN];
	struct override override;
	int err = fill(options, &override);

	if (err)
		return err;
	if (scene && !override_check(scene, &override, options->force, stderr))
		return CMD_USAGE;
	err = override_add(options->ledger, &override);
	if (err) {
		fprintf(stderr, "aigress override: the order cannot be written: %s\n",
			write_error(err));
		return CMD_FAILED;
	}
	printf("%s %s until %s\n", options->verb, options->all ? "everything" : override.key,
	       text_time(override.until_us, until));
	if (scene)
		print_rivals(options, scene);
	if (options->has_daemon)
		return CMD_OK;
	if (override.kind == OVERRIDE_OPEN && options->all)
		return open_without_daemon(options);
	printf("no daemon runs; the next one obeys\n");
	return CMD_OK;
}

static void put_order(struct table *table, const struct override *override, const char *rank)
{
	char until[SHOW_LEN], limit[SHOW_LEN];

	table_cell(table, override_kind_name(override->kind));
	table_cell(table, override->key);
	if (override->limit_nanos)
		table_format(table, "%s USD", show_usd(override->limit_nanos, limit));
	else if (override->limit_tokens)
		table_format(table, "%llu tokens", (unsigned long long) override->limit_tokens);
	else
		table_cell(table, "");
	table_cell(table, text_time(override->until_us, until));
	table_cell(table, override->made_by);
	table_cell(table, override->reason);
	table_cell(table, rank);
}

static int list(struct options *options)
{
	static const struct table_column columns[] = {
		{ "ORDER", false }, { "KEY", false },    { "LIMIT", false }, { "UNTIL", false },
		{ "BY", false },    { "REASON", false }, { "NOTE", false },  { NULL, false },
	};
	_cleanup_scene_ struct override_scene *scene = override_scene_new(options->ledger);
	struct table *table = table_new(columns);
	_cleanup_free_ struct override *all = NULL;
	size_t n = 0;
	int err = table ? overrides_read(options->ledger, clock_wall_us(), &all, &n) : -ENOMEM;

	if (err)
		fprintf(stderr, "aigress override: the ledger cannot be read: %s\n", strerror(-err));
	for (size_t i = 0; i < n; i++) {
		char rank[OVERRIDE_RANK_LEN] = "";

		if (scene)
			override_rank(scene, all, n, i, rank);
		put_order(table, &all[i], rank);
	}
	if (!err && !n && options->format == TABLE_TEXT)
		printf("no override is in force\n");
	else if (!err)
		table_write(table, stdout, options->format);
	table_free(table);
	return err ? CMD_FAILED : CMD_OK;
}

static int clear(struct options *options)
{
	int n = override_clear(options->ledger, options->all ? NULL : options->key, asker(),
			       clock_wall_us());

	if (n < 0) {
		fprintf(stderr, "aigress override: nothing was cleared: %s\n", write_error(n));
		return CMD_FAILED;
	}
	if (!n)
		printf("no override with that key is in force; see `aigress override list`\n");
	else
		printf("cleared %d\n", n);
	return n ? CMD_OK : CMD_FAILED;
}

static const struct argp_option rows[] = {
	{ "all", 'a', NULL, 0, "Everything, instead of a KEY", 0 },
	{ "for", 'f', "TIME", 0, "How long, as 30m, 2h, 1d; 30d at most (default 1h)", 0 },
	{ "to", 't', "LIMIT", 0, "raise: the new limit, as \"100 USD\" or \"2M tokens\"", 0 },
	{ "reason", 'r', "TEXT", 0, "Why; kept in the ledger", 0 },
	{ "format", 'o', "FORMAT", 0, "list: table, csv or json (default table)", 0 },
	{ "force", 'F', NULL, 0, "Even if no budget or counter has that name yet", 0 },
	{ 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *options = state->input;

	switch (key) {
	case 'a':
		options->all = true;
		return 0;
	case 'f':
		options->lasts = arg;
		return 0;
	case 't':
		options->to = arg;
		return 0;
	case 'r':
		options->reason = arg;
		return 0;
	case 'o':
		options->format = options_format(state, arg, true);
		return 0;
	case 'F':
		options->force = true;
		return 0;
	case ARGP_KEY_ARG:
		if (state->arg_num == 0)
			options->verb = arg;
		else if (state->arg_num == 1)
			options->key = arg;
		else
			argp_error(state, "there is one KEY at most, not also \"%s\"", arg);
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static const struct {
	const char *name;
	bool has_key;
	int (*fn)(struct options *options);
} verbs[] = { { "open", true, give },
	      { "hold", true, give },
	      { "raise", true, give },
	      { "clear", true, clear },
	      { "list", false, list } };

int cmd_override(int argc, char **argv)
{
	static const struct argp argp = {
		.options = rows,
		.parser = parse,
		.args_doc = "open|hold|raise|clear KEY\nopen|hold|raise|clear --all\nlist",
		.doc = "Let go, hold or raise budgets for a time, whatever the rules say. KEY is the name of "
		       "a budget or of a counter as `aigress top` shows it, or a pattern: "
		       "\"agents-daily\", \"cgroup=/agents\", \"agents-*\"."
	};
	struct options options = { 0 };
	_cleanup_free_ char *sentence = NULL;
	int code = CMD_USAGE, err;

	options_read(&argp, argc, argv, &options, &options.state);
	for (size_t i = 0; options.verb && i < ARRAY_SIZE(verbs); i++) {
		if (strcmp(verbs[i].name, options.verb))
			continue;
		if (verbs[i].has_key && !options.key == !options.all)
			return wrong("what", options.verb, "is for: give a KEY, or --all");
		if (options.all)
			options.key = "*";
		err = override_open(&options.ledger, options.state, &options.has_daemon, &sentence);
		if (err) {
			fprintf(stderr, "aigress override: %s\n",
				sentence ? sentence : strerror(-err));
			return CMD_FAILED;
		}
		code = verbs[i].fn(&options);
		ledger_free(options.ledger);
		return code;
	}
	return wrong("there is no verb", options.verb ? options.verb : "",
		     "; give open, hold, raise, clear or list");
}

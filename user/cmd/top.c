/* SPDX-License-Identifier: Apache-2.0 */
/* The live view. It reads the ledger and nothing else; without a terminal it prints one frame. */
#include "cmd/top.h"

#include <errno.h>
#include <locale.h>
#include <ncurses.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "cmd/cmd.h"
#include "cmd/metering.h"
#include "cmd/options.h"
#include "cmd/show.h"

#define DAY_US         (86400 * US_PER_S)
#define REFRESH_TENTHS 10 /* halfdelay(3) */

struct options {
	const char *state;
	enum ledger_key key;
	bool once;
};

/* The keys of the keyboard that choose what a line is. */
static const struct {
	char key;
	enum ledger_key by;
} choices[] = {
	{ 'g', LEDGER_BY_CGROUP },    { 'c', LEDGER_BY_COMMAND },  { 'i', LEDGER_BY_CONTAINER },
	{ 'n', LEDGER_BY_NAMESPACE }, { 'w', LEDGER_BY_WORKLOAD }, { 'p', LEDGER_BY_POD },
	{ 'u', LEDGER_BY_UNIT },      { 'o', LEDGER_BY_USER },     { 'h', LEDGER_BY_HOST },
	{ 'm', LEDGER_BY_MODEL },     { 's', LEDGER_BY_SOURCE },
};

/* The frame, before it since when nobody measures, and below it the latest gap of the day. 0 or -errno. */
static int write_frame(struct ledger *ledger, const struct options *options, FILE *out,
		       unsigned width, unsigned height)
{
	struct gaps_time now = gaps_now();
	struct metering metering;
	unsigned above;
	int err;

	metering_read(ledger, options->state, now, &metering);
	metering_print(&metering, out);
	above = metering.life == GAPS_MEASURING ? 0 : METERING_LINES;
	err = top_frame(ledger, options->key, out, width, height > above ? height - above : height);
	if (!err)
		err = metering_print_gaps(ledger, &metering, now.wall_us - DAY_US, now.wall_us, 1,
					  out);
	return err < 0 ? err : 0;
}

static void draw(struct ledger *ledger, const struct options *options)
{
	_cleanup_free_ char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	int row = 0, err;

	if (!out)
		return;
	err = write_frame(ledger, options, out, (unsigned)COLS, (unsigned)LINES - 2);
	fclose(out);
	erase();
	if (err)
		mvprintw(0, 0, "the ledger cannot be read: %s", strerror(-err));
	for (char *line = text; !err && line && *line && row < LINES - 1; row++) {
		char *end = strchr(line, '\n');

		if (end)
			*end = '\0';
		mvaddnstr(row, 0, line, COLS);
		line = end ? end + 1 : NULL;
	}
	attron(A_REVERSE);
	mvprintw(LINES - 1, 0, " q quit | by %s | ", ledger_key_name(options->key));
	for (size_t i = 0; i < ARRAY_SIZE(choices); i++)
		printw("%c %s  ", choices[i].key, ledger_key_name(choices[i].by));
	attroff(A_REVERSE);
	refresh();
}

/* False: ncurses knows no such terminal, and nothing was drawn. */
static bool live(struct ledger *ledger, struct options *options)
{
	SCREEN *screen;
	int pressed = ERR;

	setlocale(LC_ALL, "");
	/* Not initscr(), which ends the process when $TERM is wrong. */
	screen = newterm(NULL, stdout, stdin);
	if (!screen)
		return false;
	curs_set(0);
	noecho();
	halfdelay(REFRESH_TENTHS);
	while (pressed != 'q') {
		for (size_t i = 0; i < ARRAY_SIZE(choices); i++)
			if (pressed == choices[i].key)
				options->key = choices[i].by;
		draw(ledger, options);
		pressed = getch();
	}
	endwin();
	delscreen(screen);
	return true;
}

static const struct argp_option rows[] = {
	{ "by", 'b', "KEY", 0,
	  "What a line is: cgroup, command, container, namespace, workload, pod, unit, user, host, "
	  "model, source (default cgroup)",
	  0 },
	{ "once", '1', NULL, 0, "Print one frame and end", 0 },
	{ 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *options = state->input;

	switch (key) {
	case '1':
		options->once = true;
		return 0;
	case 'b':
		for (size_t i = 0; i < ARRAY_SIZE(choices); i++) {
			if (strcmp(arg, ledger_key_name(choices[i].by)))
				continue;
			options->key = choices[i].by;
			return 0;
		}
		argp_error(state,
			   "\"%s\" is no key (cgroup, command, container, namespace, workload, "
			   "pod, unit, user, host, model, source)",
			   arg);
		return EINVAL;
	}
	return ARGP_ERR_UNKNOWN;
}

int cmd_top(int argc, char **argv)
{
	static const struct argp argp = { .options = rows,
					  .parser = parse,
					  .doc = "Live view of who spends what." };
	struct options options = { .key = LEDGER_BY_CGROUP };
	struct ledger *ledger;
	int code, err = 0;

	options_read(&argp, argc, argv, &options, &options.state);
	code = show_open("top", options.state, &ledger);
	if (code != CMD_OK)
		return code;
	if (options.once || !isatty(STDOUT_FILENO) || !isatty(STDIN_FILENO) ||
	    !live(ledger, &options))
		err = write_frame(ledger, &options, stdout, 0, 0);
	ledger_free(ledger);
	if (!err)
		return CMD_OK;
	fprintf(stderr, "aigress top: the ledger cannot be read: %s\n", strerror(-err));
	return CMD_FAILED;
}

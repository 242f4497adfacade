/* SPDX-License-Identifier: Apache-2.0 */
/* The live view. It reads the ledger and nothing else; without a terminal it prints one frame. */
#include "cmd/top/top.h"

#include <errno.h>
#include <locale.h>
#include <ncurses.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "cmd/explain/caller.h"
#include "cmd/cmd.h"
#include "cmd/metering.h"
#include "cmd/options.h"
#include "cmd/show.h"
#include "cmd/explain/story.h"

#define DAY_US         (86400 * US_PER_S)
#define REFRESH_TENTHS 10 /* halfdelay(3) */

#define FILTER_LEN  64
#define FOLD_INDENT 11 /* of what explanations say of a name: it goes on below it */

struct options {
	const char *state;
	struct top_view view;
	bool once, json;
};

/* The keys of the keyboard that choose what a line is. */
static const struct {
	char key;
	enum ledger_key by;
} choices[] = {
	{ 'a', LEDGER_BY_WHO },       { 'g', LEDGER_BY_CGROUP },    { 'c', LEDGER_BY_COMMAND },
	{ 'i', LEDGER_BY_CONTAINER }, { 'n', LEDGER_BY_NAMESPACE }, { 'w', LEDGER_BY_WORKLOAD },
	{ 'p', LEDGER_BY_POD },       { 'u', LEDGER_BY_UNIT },      { 'o', LEDGER_BY_USER },
	{ 'l', LEDGER_BY_CLIENT },    { 'h', LEDGER_BY_HOST },      { 'm', LEDGER_BY_MODEL },
	{ 's', LEDGER_BY_SOURCE },    { 't', LEDGER_BY_IMAGE },
};

/* Since when nobody measures, and the latest gap of the day. 0 or -errno. */
static int write_metering(struct ledger *ledger, struct options *options, FILE *out)
{
	struct gaps_time now = gaps_now();
	struct metering metering;
	int err;

	metering_read(ledger, options->state, now, &metering);
	metering_print(&metering, out);
	options->view.is_over = metering_is_over(&metering);
	/* Where there is little room: that gap is the one that the lines above tell of. */
	if (options->view.width && metering.life != GAPS_MEASURING)
		return 0;
	err = options->view.width ? metering_print_last_gap(ledger, &metering, now.wall_us - DAY_US,
							    now.wall_us, out) :
				    metering_print_gaps(ledger, &metering, now.wall_us - DAY_US,
							now.wall_us, 1, out);
	return err < 0 ? err : 0;
}

/* The frame; before it what of the day was not metered, where no low screen cuts it off. 0 or -errno. */
static int write_frame(struct ledger *ledger, struct options *options, FILE *out)
{
	struct top_view *view = &options->view;
	unsigned beside, height = view->height;
	_cleanup_free_ char *text = NULL;
	size_t size;
	FILE *head = open_memstream(&text, &size);
	int err;

	if (!head)
		return -ENOMEM;
	err = write_metering(ledger, options, head);
	fclose(head);
	if (err)
		return err;
	/* gaps begin with an empty line, and what says that nobody measures ends with one */
	for (size = strlen(text); view->width && size > 1 && text[size - 2] == '\n'; size--)
		text[size - 1] = '\0';
	beside = show_fold(text + strspn(text, "\n"), view->width, 0, out);
	if (height)
		view->height = height > beside ? height - beside : 1;
	err = top_frame(ledger, view, out);
	view->height = height;
	return err;
}

static int write_json(struct ledger *ledger, struct options *options)
{
	struct metering metering;

	metering_read(ledger, options->state, gaps_now(), &metering);
	return top_json(ledger, &options->view, metering.life == GAPS_MEASURING, stdout);
}

/* A screen of text, line by line; what is below the last line is lost. */
static void draw_text(char *text, size_t first)
{
	int row = 0;

	erase();
	for (char *line = text; line && *line && row < LINES - 1;) {
		char *end = strchr(line, '\n');

		if (end)
			*end = '\0';
		if (first)
			first--;
		else
			mvaddnstr(row++, 0, line, COLS);
		line = end ? end + 1 : NULL;
	}
}

static void draw_foot(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void draw_foot(const char *format, ...)
{
	char text[256];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	attron(A_REVERSE);
	mvaddnstr(LINES - 1, 0, text, COLS);
	attroff(A_REVERSE);
	refresh();
}

static void draw(struct ledger *ledger, struct options *options)
{
	_cleanup_free_ char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	int err;

	if (!out)
		return;
	options->view.width = (unsigned)COLS;
	options->view.height = (unsigned)LINES - 1;
	err = write_frame(ledger, options, out);
	fclose(out);
	draw_text(text, 0);
	if (err)
		mvprintw(0, 0, "the ledger cannot be read: %s", strerror(-err));
	draw_foot(" q quit  ? help  Enter this one  e actions  / filter  1 now 2 h 3 day 4 budgets ");
}

static char *help_text(void)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	fprintf(out,
		"Keys\n\n"
		"  1 2 3 4      sort by what is spent now, in an hour, in 24 hours, in budgets\n"
		"  /            only names with this in them; empty: all\n"
		"  up, down, PgUp, PgDn, Home\n"
		"               move the mark\n"
		"  Enter        explain the marked caller: on what it spends, its last calls,\n"
		"               what was done to it, and how to release it\n"
		"  e            explain the actions of the last 24 hours\n"
		"  q            quit\n\n"
		"USD/H NOW is the mean of 5 minutes. \"?\": nothing of it has a price. IN BUDGETS\n"
		"is what budgets count: what has no price counts at the price of what its\n"
		"program usually calls.\n\n"
		"What a line is\n\n");
	for (size_t i = 0; i < ARRAY_SIZE(choices); i++)
		fprintf(out, "  %c            %s\n", choices[i].key, ledger_key_name(choices[i].by));
	fclose(out);
	return text;
}

/* Of the line that is marked. */
static char *caller_text(struct ledger *ledger, const struct top_view *view)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	if (caller_print(ledger, view->zone, view->cursor_name, out))
		fprintf(out, "Nothing is known of it.\n");
	fclose(out);
	return text;
}

static char *story_text(struct ledger *ledger, bool is_over)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	if (!story_print(ledger, clock_wall_us() - DAY_US, 0, is_over, out))
		fprintf(out, "No action in the last 24 hours.\n");
	fclose(out);
	return text;
}

/* How far a key scrolls from there. */
static size_t scrolled(size_t first, int pressed)
{
	size_t page = LINES > 10 ? (size_t)LINES / 2 : 5;

	switch (pressed) {
	case KEY_DOWN:
		return first + 1;
	case KEY_UP:
		return first ? first - 1 : 0;
	case KEY_NPAGE:
	case ' ':
		return first + page;
	case KEY_PPAGE:
		return first > page ? first - page : 0;
	case KEY_HOME:
		return 0;
	}
	return first;
}

/* Broken at the screen's width; to be freed. */
static char *folded(const char *whole)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	show_fold(whole, (size_t)COLS, FOLD_INDENT, out);
	fclose(out);
	return text;
}

/* Until another key than those that scroll is pressed. Takes the text. */
static void page_through(char *text)
{
	_cleanup_free_ char *whole = text;
	size_t first = 0, next = 0;
	int pressed = ERR;

	while (text && (pressed == ERR || next != first || pressed == KEY_RESIZE ||
			pressed == KEY_HOME || pressed == KEY_UP || pressed == KEY_PPAGE)) {
		_cleanup_free_ char *copy = folded(whole);

		first = next;
		draw_text(copy, first);
		draw_foot(" arrows scroll, any other key goes back ");
		pressed = getch();
		next = scrolled(first, pressed);
	}
}

/* Letter by letter in the last line; Enter takes it, and Escape leaves it as it was. */
static void ask_filter(struct options *options)
{
	static char filter[FILTER_LEN];
	char typed[FILTER_LEN] = "";
	size_t len = 0;
	int pressed = ERR;

	while (pressed != '\n' && pressed != KEY_ENTER && pressed != 27) {
		move(LINES - 1, 0);
		clrtoeol();
		draw_foot(" only names with: %s_ ", typed);
		pressed = getch();
		if ((pressed == KEY_BACKSPACE || pressed == 127 || pressed == 8) && len)
			typed[--len] = '\0';
		else if (pressed >= ' ' && pressed < 127 && len < FILTER_LEN - 1)
			typed[len++] = (char)pressed, typed[len] = '\0';
	}
	if (pressed == 27)
		return;
	memcpy(filter, typed, sizeof(filter));
	options->view.filter = *filter ? filter : NULL;
	options->view.cursor = 0;
}

static void on_key(struct ledger *ledger, struct options *options, int pressed)
{
	struct top_view *view = &options->view;

	for (size_t i = 0; i < ARRAY_SIZE(choices); i++)
		if (pressed == choices[i].key) {
			view->key = choices[i].by;
			view->cursor = 0;
		}
	if (pressed >= '1' && pressed < '1' + TOP_SORTS)
		view->sort = (enum top_sort)(pressed - '1');
	else if (pressed == '/')
		ask_filter(options);
	else if (pressed == '?' || pressed == KEY_F(1))
		page_through(help_text());
	else if (pressed == '\n' && view->key == LEDGER_BY_WHO && *view->cursor_name)
		page_through(caller_text(ledger, view));
	else if (pressed == 'e' || pressed == '\n')
		page_through(story_text(ledger, view->is_over));
	else
		view->cursor = scrolled(view->cursor, pressed);
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
	keypad(stdscr, true);
	halfdelay(REFRESH_TENTHS);
	while (pressed != 'q') {
		on_key(ledger, options, pressed);
		draw(ledger, options);
		pressed = getch();
	}
	endwin();
	delscreen(screen);
	return true;
}

static const struct argp_option rows[] = {
	{ "by", 'b', "KEY", 0,
	  "What a line is: who, cgroup, command, container, namespace, workload, pod, unit, user, "
	  "client, host, model, source, image; who is pod and container, else unit, container or cgroup (default "
	  "who)",
	  0 },
	{ "once", '1', NULL, 0, "Print one frame and end", 0 },
	{ "format", 'f', "FORMAT", 0, "table or json, which is one frame (default table)", 0 },
	{ 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *options = state->input;

	switch (key) {
	case '1':
		options->once = true;
		return 0;
	case 'f':
		options->json = options_format(state, arg, false) == TABLE_JSON;
		return 0;
	case 'b':
		for (size_t i = 0; i < ARRAY_SIZE(choices); i++) {
			if (strcmp(arg, ledger_key_name(choices[i].by)))
				continue;
			options->view.key = choices[i].by;
			return 0;
		}
		argp_error(state,
			   "\"%s\" is no key (who, cgroup, command, container, namespace, workload, "
			   "pod, unit, user, client, host, model, source, image)",
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
	struct options options = { .view.key = LEDGER_BY_WHO };
	char cursor_name[WHO_LABEL_LEN] = "";
	struct ledger *ledger;
	struct zone *zone;
	int code, err = 0;

	options_read(&argp, argc, argv, &options, &options.state);
	code = show_open("top", options.state, &ledger);
	if (code != CMD_OK)
		return code;
	zone = show_zone(ledger);
	options.view.zone = zone;
	options.view.cursor_name = cursor_name;
	options.view.has_cursor = !options.once && !options.json && isatty(STDOUT_FILENO) &&
				  isatty(STDIN_FILENO);
	if (options.json)
		err = write_json(ledger, &options);
	else if (!options.view.has_cursor || !live(ledger, &options))
		err = write_frame(ledger, &options, stdout);
	zone_free(zone);
	ledger_free(ledger);
	if (!err)
		return CMD_OK;
	fprintf(stderr, "aigress top: the ledger cannot be read: %s\n", strerror(-err));
	return CMD_FAILED;
}

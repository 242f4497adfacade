/* SPDX-License-Identifier: Apache-2.0 */
/* The daemon's command line. On a terminal its standard output is the live view. */
#include <errno.h>
#include <linux/sched.h>
#include <linux/sched/types.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "cmd/cmd.h"
#include "cmd/options.h"
#include "cmd/show.h"
#include "cmd/top/top.h"
#include "daemon/fingerprint_start.h"
#include "daemon/daemon.h"
#include "daemon/summary.h"

#define NICE -10 /* ten times a usual process's share, setpriority(2) and sched(7) */
#define SLICE_NS \
	700000 /* the shortest of the kernel's own, on one CPU: fair.c, sysctl_sched_base_slice */

struct options {
	struct daemon_options daemon;
	bool debug;
};

/* The live view of `run`: what `top` shows, drawn over itself. */
struct view {
	struct ledger *ledger; /* a reader of its own */
	struct loop_source *timer;
	char *says; /* the summary's first line: what it does, and by which configuration */
};

static struct winsize window_size(void)
{
	struct winsize window = { .ws_row = 24, .ws_col = 80 };

	(void)ioctl(STDOUT_FILENO, TIOCGWINSZ, &window);
	return window;
}

static void draw(void *arg)
{
	struct view *view = arg;
	struct winsize window = window_size();

	/* console_codes(4): home, then clear what is below */
	printf("\033[H\033[J");
	if (!top_frame(view->ledger,
		       &(struct top_view){ .key = LEDGER_BY_COMMAND,
					   .width = window.ws_col,
					   .height = window.ws_row > 5 ? window.ws_row - 5U : 0 },
		       stdout)) {
		putchar('\n');
		show_fold(view->says ? view->says : "", window.ws_col, 0, stdout);
		show_fold("Ctrl-C ends it; see also `aigress report` and `aigress top`.",
			  window.ws_col, 0, stdout);
	}
	fflush(stdout);
}

static int view_start(struct view *view, struct daemon *daemon)
{
	char *sentence = NULL;
	int err = ledger_open(&view->ledger, daemon->options.state, false, &sentence);

	free(sentence);
	/* What was logged so far is scrolled up and not drawn over. */
	for (unsigned i = 0; !err && i < window_size().ws_row; i++)
		putchar('\n');
	if (!err)
		err = loop_add_timer(daemon->loop, NS_PER_S, draw, view, &view->timer);
	return err;
}

/* Through the log, which may be JSON. Returns its first line, to be freed; NULL: no memory. */
static char *log_summary(const struct daemon *daemon)
{
	_cleanup_free_ char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	summary_write(daemon, out);
	fclose(out);
	for (char *line = text, *end; line && (end = strchr(line, '\n')); line = end + 1) {
		*end = '\0';
		log_info("%s", line);
	}
	return text ? strdup(text) : NULL;
}

static int serve(struct daemon *daemon)
{
	struct view view = { 0 };
	enum daemon_end end = daemon_start(daemon);
	int err = 0;

	if (end == DAEMON_OK) {
		fingerprint_start(daemon);
		view.says = log_summary(daemon);
		fprintf(stderr, "ready\n");
		if (isatty(STDOUT_FILENO) && view_start(&view, daemon) < 0)
			log_warn("the live view cannot be shown, proceeding");
		err = loop_run(daemon->loop);
		if (err)
			log_error("event loop: %s", strerror(-err));
	}
	if (end != DAEMON_OK && geteuid())
		fprintf(stderr,
			"aigress run: it needs root, or the capabilities that SECURITY.md lists: use "
			"sudo\n");
	loop_remove(view.timer);
	ledger_free(view.ledger);
	free(view.says);
	daemon_stop(daemon);
	return err ? CMD_FAILED : (int)end;
}

static const struct argp_option rows[] = {
	{ "config", 'c', "FILE", 0, "Budgets and settings (YAML); none: watch only", 0 },
	{ "record", 'R', "FILE", 0, "Also write the events to FILE: holds plaintext, for tests", 0 },
	{ "quiet", 'q', NULL, 0, "No line a call on standard output", 0 },
	{ "log-json", 'j', NULL, 0, "JSON lines on standard output and in the log", 0 },
	{ "debug", 'd', NULL, 0, "Log more", 0 },
	{ 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *options = state->input;

	switch (key) {
	case 'c':
		options->daemon.config = arg;
		return 0;
	case 'R':
		options->daemon.record = arg;
		return 0;
	case 'q':
		options->daemon.quiet = true;
		return 0;
	case 'j':
		options->daemon.as_json = true;
		return 0;
	case 'd':
		options->debug = true;
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

/*
 * The ring holds what clients write while this process waits for a CPU. On two full cores
 * that was 0.8 s of each second, and half of an upload's bytes found the ring full. Whose slice is shorter than
 * that of what runs need not wait for the next tick after it woke; where it is shorter than a turn of the
 * loop, it does again. Linux 6.12; older kernels take no notice of it.
 */
static void go_first(void)
{
	struct sched_attr attr = { .size = sizeof(attr),
				   .sched_policy = SCHED_NORMAL,
				   .sched_runtime = SLICE_NS };

	if (setpriority(PRIO_PROCESS, 0, NICE) < 0)
		log_debug("priority cannot be raised: %s", strerror(errno));
	attr.sched_nice = getpriority(PRIO_PROCESS, 0);
	if (syscall(SYS_sched_setattr, 0, &attr, 0) < 0)
		log_debug("the scheduler's slice cannot be shortened: %s", strerror(errno));
}

int cmd_run(int argc, char **argv)
{
	static const struct argp argp = { .options = rows,
					  .parser = parse,
					  .doc = "Watch this host: meter AI calls, keep the ledger, "
						 "enforce budgets." };
	struct options options = { 0 };
	struct daemon daemon = { 0 };

	options_read(&argp, argc, argv, &options, &options.daemon.state);
	log_setup(options.debug ? LOG_DEBUG : LOG_INFO,
		  options.daemon.as_json ? LOG_JSON : LOG_TEXT);
	/* What this process reads must not end in a core dump: prctl(2), getrlimit(2). */
	prctl(PR_SET_DUMPABLE, 0);
	setrlimit(RLIMIT_CORE, &(struct rlimit){ 0, 0 });
	go_first();
	/* A terminal shows the live view instead of a line a call. */
	options.daemon.quiet |= isatty(STDOUT_FILENO);
	options.daemon.version = CMD_VERSION;
	daemon.options = options.daemon;
	return serve(&daemon);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Takes away what aigress could have left on this host, before it is uninstalled or after it went in
 * a bad way: what is stopped or frozen is resumed, what is pinned leaves the kernel, and, if asked for, the
 * ledger goes.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "cmd/cmd.h"
#include "cmd/options.h"
#include "enforce/release_halted.h"
#include "config/last_good.h"
#include "daemon/counters_file.h"
#include "ledger/overrides.h"
#include "tap/pin.h"

struct options {
	const char *state;
	bool remove_state, stay;
};

static int fail(const char *what, int err)
{
	fprintf(stderr, "aigress cleanup: %s: %s\n", what, strerror(-err));
	return CMD_FAILED;
}

/* What was stopped or frozen. Without a ledger, or with a broken one, there is nothing to resume. */
static int continue_all(const struct options *options, bool *ret_daemon)
{
	_cleanup_free_ char *sentence = NULL;
	size_t n_done = 0, n_failed = 0;
	struct ledger *ledger;
	int err = override_open(&ledger, options->state, ret_daemon, &sentence);

	if (err == -ENOENT) {
		printf("ledger: none in %s\n", options->state);
		return CMD_OK;
	}
	if (err) {
		fprintf(stderr, "aigress cleanup: %s\n", sentence ? sentence : strerror(-err));
		return CMD_FAILED;
	}
	if (*ret_daemon)
		fprintf(stderr, "aigress cleanup: a daemon runs on %s; end it first\n",
			options->state);
	else
		err = release_halted(ledger, "cleanup", &n_done, &n_failed);
	ledger_free(ledger);
	if (err)
		return fail("what is stopped or frozen cannot be resumed", err);
	if (!*ret_daemon)
		printf("processes and cgroups that stood still: %zu go on\n", n_done);
	return *ret_daemon || n_failed ? CMD_FAILED : CMD_OK;
}

/* What `on-daemon-loss: hold` left in the kernel, of a daemon of any state directory. */
static int unpin_all(void)
{
	int n = pin_remove_all();

	if (n < 0)
		return fail(PIN_ROOT, n);
	printf("pinned in " PIN_ROOT ": %d removed\n", n);
	return CMD_OK;
}

/* A folder of ours and its files, which the daemon makes again. How many there were, or -errno. */
static int remove_folder(int at, const char *name)
{
	_cleanup_close_ int folder = openat(at, name,
					    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *list = folder < 0 ? NULL : fdopendir(dup(folder));
	const struct dirent *entry;
	int n = 0, err = 0;

	if (!list)
		return errno == ENOENT ? 0 : -errno;
	while ((entry = readdir(list))) {
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		if (unlinkat(folder, entry->d_name, 0) < 0)
			err = -errno;
		else
			n++;
	}
	closedir(list);
	if (!err && unlinkat(at, name, AT_REMOVEDIR) < 0)
		err = -errno;
	return err ? err : n;
}

/* A file of the daemon's, or what a write that was cut short has left of it. */
static bool is_ours(const char *name)
{
	static const char *const files[] = { LAST_GOOD_FILE, COUNTERS_FILE };

	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
		size_t len = strlen(files[i]);

		if (!strncmp(name, files[i], len) && (!name[len] || !strcmp(name + len, ".new")))
			return true;
	}
	return !strncmp(name, "ledger.", 7);
}

/* Only files of ours, and the directory only if nothing else is in it (a mount point stays). */
static int remove_state(const char *dir)
{
	_cleanup_close_ int at = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct dirent *entry;
	int err = 0, n_searches;
	size_t n = 0;
	DIR *list;

	if (at < 0 && errno == ENOENT)
		return CMD_OK;
	list = at < 0 ? NULL : fdopendir(dup(at));
	if (!list)
		return fail(dir, -errno);
	while ((entry = readdir(list))) {
		if (!is_ours(entry->d_name))
			continue;
		if (unlinkat(at, entry->d_name, 0) < 0)
			err = -errno;
		else
			n++;
	}
	closedir(list);
	n_searches = remove_folder(at, FIND_SEARCHES);
	if (!err && n_searches < 0)
		err = n_searches;
	if (err)
		return fail(dir, err);
	n += (size_t)n_searches;
	if (rmdir(dir) < 0 && errno != ENOTEMPTY && errno != EBUSY && errno != EROFS)
		return fail(dir, -errno);
	printf("state in %s: %zu files removed\n", dir, n);
	return CMD_OK;
}

/* In a DaemonSet a program that ends is started again. */
static void wait_for_the_end(void)
{
	sigset_t ends;
	int number;

	sigemptyset(&ends);
	sigaddset(&ends, SIGTERM);
	sigaddset(&ends, SIGINT);
	sigprocmask(SIG_BLOCK, &ends, NULL);
	fflush(stdout);
	sigwait(&ends, &number);
}

static const struct argp_option rows[] = {
	{ "remove-state", 'r', NULL, 0, "Also remove the ledger: what was spent is forgotten", 0 },
	{ "stay", 'w', NULL, 0, "Wait for SIGTERM when all is done", 0 },
	{ 0 },
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct options *options = state->input;

	switch (key) {
	case 'r':
		options->remove_state = true;
		return 0;
	case 'w':
		options->stay = true;
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

int cmd_cleanup(int argc, char **argv)
{
	static const struct argp argp = {
		.options = rows,
		.parser = parse,
		.doc = "Take away what aigress could have left on this host; no "
		       "daemon may run."
	};
	struct options options = { 0 };
	bool has_daemon = false;
	int code;

	options_read(&argp, argc, argv, &options, &options.state);
	code = continue_all(&options, &has_daemon);
	/* Gates are opened even where the ledger is broken. */
	if (!has_daemon && unpin_all())
		code = CMD_FAILED;
	if (!has_daemon && options.remove_state && !code)
		code = remove_state(options.state);
	if (!code)
		printf("nothing of aigress is left on this host%s\n",
		       options.remove_state ? "" : " but its ledger");
	if (!code && options.stay)
		wait_for_the_end();
	return code;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/reload.h"

#include <errno.h>
#include <libgen.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/loop.h"

/* Editors write in several steps: a file is read once it has been left alone for this long. */
#define QUIET_NS (200 * NS_PER_MS)

struct reload {
	struct reload_config config;
	int inotify;
	struct stat seen;  /* the file that is in force */
	struct stat waits; /* the one that is read when it has been left alone */
	struct loop_source *hangup, *changes, *quiet;
};

void reload_now(struct reload *reload)
{
	memset(&reload->seen, 0, sizeof(reload->seen));
	(void)stat(reload->config.path, &reload->seen);
	reload->waits = reload->seen;
	reload->config.fn(reload->config.arg);
}

static void on_hangup(void *arg)
{
	reload_now(arg);
}

static bool is_same_file(const struct stat *a, const struct stat *b)
{
	return a->st_ino == b->st_ino && a->st_dev == b->st_dev && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/*
 * Something happened in the directory, which may be the ledger's, too. The file alone is looked at,
 * not the names of what changed: in a ConfigMap's folder it is a link that is swapped.
 */
static void on_change(void *arg)
{
	struct reload *reload = arg;
	struct stat now;
	char buf[4096];

	while (read(reload->inotify, buf, sizeof(buf)) > 0)
		;
	/* Gone for a moment, between two steps of an editor: the file in force stays. */
	if (stat(reload->config.path, &now) < 0 || is_same_file(&now, &reload->waits))
		return;
	reload->waits = now;
	(void)loop_arm(reload->quiet, QUIET_NS);
}

static void on_quiet(void *arg)
{
	struct reload *reload = arg;

	if (!is_same_file(&reload->waits, &reload->seen))
		reload_now(reload);
}

/* The directory: a file that is replaced by a rename is another one, and the watch would be lost. */
static int watch(struct reload *reload)
{
	_cleanup_free_ char *copy = strdup(reload->config.path);

	if (!copy)
		return -ENOMEM;
	reload->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (reload->inotify < 0 || inotify_add_watch(reload->inotify, dirname(copy),
						     IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE) < 0)
		return -errno;
	return 0;
}

int reload_new(struct reload **ret, struct loop *loop, const struct reload_config *config)
{
	struct reload *reload = calloc(1, sizeof(*reload));
	int err;

	if (!reload)
		return -ENOMEM;
	reload->config = *config;
	reload->inotify = -1;
	(void)stat(config->path, &reload->seen);
	reload->waits = reload->seen;
	err = watch(reload);
	if (!err)
		err = loop_add_signal(loop, SIGHUP, on_hangup, reload, &reload->hangup);
	if (!err)
		err = loop_add_fd(loop, reload->inotify, on_change, reload, &reload->changes);
	if (!err)
		err = loop_add_timer(loop, 0, on_quiet, reload, &reload->quiet);
	if (err)
		reload_free(reload);
	else
		*ret = reload;
	return err;
}

struct reload *reload_free(struct reload *reload)
{
	if (!reload)
		return NULL;
	loop_remove(reload->hangup);
	loop_remove(reload->changes);
	loop_remove(reload->quiet);
	if (reload->inotify >= 0)
		close(reload->inotify);
	free(reload);
	return NULL;
}

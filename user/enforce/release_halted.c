/* SPDX-License-Identifier: Apache-2.0 */
#include "enforce/release_halted.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "base/cleanup.h"
#include "enforce/freezer.h"
#include "ledger/halted.h"
#include "who/who.h"

struct releasing {
	struct ledger *ledger;
	const char *command, *root;
	size_t done, failed;
};

static void release_one(void *arg, const struct halted *halted)
{
	struct releasing *job = arg;
	char dir[2 * WHO_PATH_LEN];
	int err;

	snprintf(dir, sizeof(dir), "%s%s", job->root, halted->path);
	if (halted->kind == HALTED_PROCESS)
		err = freezer_signal_process(halted->tgid, halted->start_ticks, SIGCONT);
	else if (halted->kind == HALTED_STOPPED)
		err = freezer_signal(dir, SIGCONT);
	else
		err = freezer_set(dir, false);
	if (err && err != -ESRCH && err != -ENOENT) {
		fprintf(stderr, "aigress %s: process %u, cgroup \"%s\" is still stopped: %s\n",
			job->command, halted->tgid, halted->path, strerror(-err));
		job->failed++;
		return;
	}
	(void)halted_drop(job->ledger, halted);
	job->done += !err;
}

int release_halted(struct ledger *ledger, const char *command, size_t *ret_done, size_t *ret_failed)
{
	char root[WHO_PATH_LEN];
	struct releasing job = { .ledger = ledger, .command = command, .root = root };
	int err = who_cgroup_mount(root, sizeof(root));

	if (!err)
		err = halted_each(ledger, release_one, &job);
	if (err)
		return err;
	*ret_done = job.done;
	*ret_failed = job.failed;
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "enforce/release_halted.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "base/cleanup.h"
#include "enforce/freezer.h"
#include "ledger/halted.h"
#include "who/who.h"

struct letting_go {
	struct ledger *ledger;
	const char *command, *root;
	size_t done, failed;
};

static void let_one_go(void *arg, const struct standing *standing)
{
	struct letting_go *job = arg;
	char dir[2 * WHO_PATH_LEN];
	int err;

	snprintf(dir, sizeof(dir), "%s%s", job->root, standing->path);
	if (standing->kind == STANDING_PROCESS)
		err = freezer_signal_process(standing->tgid, standing->start_ticks, SIGCONT);
	else if (standing->kind == STANDING_STOPPED)
		err = freezer_signal(dir, SIGCONT);
	else
		err = freezer_set(dir, false);
	if (err && err != -ESRCH && err != -ENOENT) {
		fprintf(stderr, "aigress %s: process %u, cgroup \"%s\" stands still: %s\n",
			job->command, standing->tgid, standing->path, strerror(-err));
		job->failed++;
		return;
	}
	(void)standing_drop(job->ledger, standing);
	job->done += !err;
}

int let_go(struct ledger *ledger, const char *command, size_t *ret_done, size_t *ret_failed)
{
	char root[WHO_PATH_LEN];
	struct letting_go job = { .ledger = ledger, .command = command, .root = root };
	int err = who_cgroup_mount(root, sizeof(root));

	if (!err)
		err = standing_each(ledger, let_one_go, &job);
	if (err)
		return err;
	*ret_done = job.done;
	*ret_failed = job.failed;
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Joins mapping events, the table of files and the probes on them. */
#include "find/find.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "find/attach.h"
#include "find/files.h"
#include "find/lanes.h"
#include "find/map_events.h"
#include "find/procs.h"

#define SWEEP_NS (60 * NS_PER_S)
/* Without mapping events only the sweep finds new files; a sweep takes about 10 ms. */
#define SWEEP_BLIND_NS (5 * NS_PER_S)
/* News that are lost come in storms: one look when it is over, not one a record. */
#define RESCAN_NS (1 * NS_PER_S)
/* Until who had to do with a slow disk is looked at again: what was read from it lies in memory then. */
#define AGAIN_NS (100 * NS_PER_MS)
/* How long is worked on what waits before the loop comes round. */
#define STEP_NS (20 * NS_PER_MS)
/*
 * Work that is not urgent takes at most a fifth of a CPU: after work that took longer than this there is a
 * pause of four times as long, in which only greetings are handled.
 */
#define REST_FROM_NS (1 * NS_PER_MS)
#define REST_TIMES   4
/* Looks at a process that greets: its loader may split a mapping meanwhile, which is not found again at once. */
#define LOOKS_MAX 3

struct find {
	struct find_config config;
	struct tap *tap;
	struct attach *attach;
	struct map_events *map_events;
	struct lanes *lanes;
	struct loop_source *sweep, *work, *ended, *review;
	uint64_t rest_until_ns;
	uint64_t map_events_lost, crowded;
	struct noes noes; /* keyed by the file as events name it, which for an overlay is not the real inode */
};

/* After a look that may have come to nothing, and when one that was given up has ended. */
static void on_review(void *arg)
{
	struct find *find = arg;
	uint64_t next_ns;

	if (attach_review(find->attach, &next_ns))
		loop_soon(find->sweep, AGAIN_NS);
	if (next_ns)
		loop_soon(find->review, next_ns);
}

static void settle(struct find *find, const struct lanes_task *task, enum find_reach reach)
{
	log_debug("process %u greets an AI host: %s", task->tgid, find_reach_name(reach));
	if (find->config.settled)
		find->config.settled(find->config.arg, task->tgid, task->socket, reach);
}

static void do_greeted(struct find *find, const struct lanes_task *task)
{
	enum find_reach reach = FIND_WAITING;

	for (int i = 0; i < LOOKS_MAX && reach == FIND_WAITING; i++) {
		find_greeted(find, task->tgid, task->tenant);
		reach = find_reach_of(find, task->tgid);
	}
	if (find->attach && attach_behind(find->attach, task->tgid))
		loop_soon(find->sweep, find->config.guess_ns);
	settle(find, task, reach);
	/* after its hello has left */
	if (find->attach && attach_is_relay(find->attach, task->tgid))
		(void)tap_defer_relay(find->tap, task->tgid);
}

static void do_mapped(struct find *find, const struct lanes_task *task)
{
	if (noes_has(&find->noes, task->dev, task->ino, task->generation))
		return; /* looked into since */
	if (attach_mapped(find->attach, task->tgid, task->addr) == -ENOENT)
		noes_add(&find->noes, task->dev, task->ino, task->generation);
}

static void do_task(struct find *find, const struct lanes_task *task)
{
	uint64_t began = clock_mono_ns(), took;

	switch (task->kind) {
	case LANES_GREETED:
		do_greeted(find, task);
		break;
	case LANES_FORKED:
		attach_forked(find->attach, task->parent, task->tgid);
		break;
	case LANES_GONE:
		attach_gone(find->attach, task->tgid);
		break;
	case LANES_MAPPED:
		do_mapped(find, task);
		break;
	case LANES_SPEAKS:
		attach_speaks(find->attach, task->tgid);
		break;
	}
	on_review(find);
	took = clock_mono_ns() - began;
	lanes_charge(find->lanes, took);
	if (find->config.mode == FIND_ON_SIGHT && task->kind != LANES_GREETED && took > REST_FROM_NS)
		find->rest_until_ns = began + took + REST_TIMES * took;
}

static void on_work(void *arg)
{
	struct find *find = arg;
	uint64_t began = clock_mono_ns(), now = began;
	struct lanes_task task;

	while (now - began < STEP_NS) {
		if (!lanes_take(find->lanes, now < find->rest_until_ns, &task)) {
			if (lanes_count(find->lanes))
				(void)loop_arm(find->work, find->rest_until_ns - now + 1);
			return;
		}
		do_task(find, &task);
		now = clock_mono_ns();
	}
	(void)loop_arm(find->work, 1);
}

static int put(struct find *find, const struct lanes_task *task)
{
	int err = lanes_put(find->lanes, task);

	if (!err)
		loop_soon(find->work, 1);
	return err;
}

static void on_mapped(void *arg, const struct map_events_map *map)
{
	struct find *find = arg;
	struct lanes_task task = { .kind = LANES_MAPPED,
				   .tgid = map->tgid,
				   .addr = map->addr,
				   .dev = map->dev,
				   .ino = map->ino,
				   .generation = map->generation };

	if (noes_has(&find->noes, map->dev, map->ino, map->generation))
		return;
	task.tenant = procs_cgroup(map->tgid);
	/* a lost event of a process that greets is made up for when it greets */
	if (put(find, &task) && find->config.mode == FIND_EVERYONE)
		loop_soon(find->sweep, RESCAN_NS);
}

static void on_forked(void *arg, uint32_t parent, uint32_t child)
{
	struct find *find = arg;
	const struct lanes_task task = {
		.kind = LANES_FORKED, .tgid = child, .parent = parent, .tenant = procs_cgroup(child)
	};

	if (!attach_knows(find->attach, parent) && !attach_knows(find->attach, child))
		return;
	if (put(find, &task))
		loop_soon(find->sweep, RESCAN_NS);
}

static void on_read(void *arg)
{
	struct find *find = arg;

	loop_soon(find->sweep, SWEEP_NS);
}

static void on_lost(void *arg, uint64_t records)
{
	struct find *find = arg;

	find->map_events_lost += records;
	loop_soon(find->sweep, RESCAN_NS);
}

static void on_sweep(void *arg)
{
	struct find *find = arg;
	int err = attach_sweep(find->attach);

	on_review(find);
	/* otherwise with the next events: without events no process has ended and no file was mapped */
	if (!find->map_events)
		(void)loop_arm(find->sweep, SWEEP_BLIND_NS);
	if (err)
		log_debug("find: the mappings of this host cannot be read: %s", strerror(-err));
}

static int listen(struct find *find, struct loop *loop)
{
	const struct map_events_calls calls = {
		.mapped = on_mapped,
		.forked = on_forked,
		.lost = on_lost,
		.read = on_read,
		.arg = find,
	};
	int err;

	find->lanes = lanes_new();
	err = find->lanes ? loop_add_timer(loop, 0, on_work, find, &find->work) : -ENOMEM;
	if (!err)
		err = loop_add_timer(loop, 0, on_sweep, find, &find->sweep);
	if (!err)
		err = loop_add_timer(loop, 0, on_review, find, &find->review);
	if (!err)
		err = loop_add_fd(loop, attach_ended_fd(find->attach), on_review, find,
				  &find->ended);
	if (err)
		return err;
	err = map_events_new(&find->map_events, loop, &calls);
	if (err)
		log_warn("the kernel gives no news of mapped libraries (perf_event_open: %s; it needs "
			 "CAP_PERFMON, and kernel.perf_event_paranoid below 3 or CAP_SYS_ADMIN): "
			 "looking every %llu s instead, first calls may be estimated",
			 strerror(-err), SWEEP_BLIND_NS / NS_PER_S);
	return err ? loop_arm(find->sweep, SWEEP_BLIND_NS) : 0;
}

int find_new(struct find **ret, struct loop *loop, struct tap *tap,
	     const struct find_config *config, char **ret_error)
{
	struct find *find = calloc(1, sizeof(*find));
	int err;

	if (!find)
		return -ENOMEM;
	find->config = *config;
	if (!find->config.guess_ns)
		find->config.guess_ns = FIND_GUESS_NS;
	find->tap = tap;
	err = config->mode == FIND_NEVER ? 0 : attach_new(&find->attach, tap, &find->config);
	if (!err && find->attach)
		err = listen(find, loop);
	if (err) {
		find_free(find);
		if (asprintf(ret_error, "the search for TLS libraries cannot start: %s",
			     strerror(-err)) < 0)
			*ret_error = NULL;
		return err;
	}
	*ret = find;
	return 0;
}

struct find *find_free(struct find *find)
{
	if (!find)
		return NULL;
	map_events_free(find->map_events);
	loop_remove(find->sweep);
	loop_remove(find->work);
	loop_remove(find->ended);
	loop_remove(find->review);
	attach_free(find->attach);
	lanes_free(find->lanes);
	free(find);
	return NULL;
}

int find_scan(struct find *find)
{
	return find->attach ? attach_sweep(find->attach) : 0;
}

void find_put_greeting(struct find *find, uint32_t tgid, uint64_t cgroup, uint64_t socket)
{
	const struct lanes_task task = {
		.kind = LANES_GREETED, .tgid = tgid, .tenant = cgroup, .socket = socket
	};

	if (find->config.mode != FIND_NEVER) {
		if (!put(find, &task))
			return;
		find->crowded++;
	}
	settle(find, &task, find_reach_of(find, tgid));
}

void find_put_end(struct find *find, uint32_t tgid)
{
	struct lanes_task task = { .kind = LANES_GONE, .tgid = tgid };

	if (!find->attach || !attach_knows(find->attach, tgid))
		return;
	task.tenant = procs_cgroup(tgid);
	if (put(find, &task))
		loop_soon(find->sweep, RESCAN_NS);
}

void find_put_speaker(struct find *find, uint32_t tgid)
{
	struct lanes_task task = { .kind = LANES_SPEAKS, .tgid = tgid };

	/* At once: what waits may wait for longer than a guess is held. */
	if (!find->attach || !attach_keep(find->attach, tgid))
		return;
	task.tenant = procs_cgroup(tgid);
	(void)put(find, &task);
}

void find_greeted(struct find *find, uint32_t tgid, uint64_t cgroup)
{
	if (find->attach)
		attach_greeted(find->attach, tgid, cgroup);
}

enum find_reach find_reach_of(const struct find *find, uint32_t tgid)
{
	return find->attach ? attach_reach(find->attach, tgid) : FIND_NO_TLS;
}

void find_gone(struct find *find, uint32_t tgid)
{
	if (find->attach)
		attach_gone(find->attach, tgid);
}

void find_stats(const struct find *find, struct find_stats *ret)
{
	*ret = (struct find_stats){ .map_events_lost = find->map_events_lost,
				    .crowded = find->crowded };
	if (find->attach)
		attach_stats(find->attach, ret);
}

void find_cancel(struct find *find)
{
	if (find->attach)
		attach_cancel(find->attach);
}

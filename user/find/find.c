/* SPDX-License-Identifier: Apache-2.0 */
/* Joins news of mappings, the table of files and the probes on them. */
#include "find/find.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "find/attach.h"
#include "find/files.h"
#include "find/map_events.h"

#define SWEEP_NS (60 * NS_PER_S)
/* Without news of mappings the sweep is what finds them; one takes about 10 ms. */
#define SWEEP_BLIND_NS (5 * NS_PER_S)
/* News that are lost come in storms: one look when it is over, not one a record. */
#define RESCAN_NS (1 * NS_PER_S)

struct find {
	struct attach *attach;
	struct map_events *map_events;
	struct loop_source *sweep;
	uint64_t map_events_lost;
	struct noes noes; /* by what the news say of a file, which for an overlay is another name */
};

static void on_mapped(void *arg, const struct map_events_map *map)
{
	struct find *find = arg;

	if (noes_has(&find->noes, map->dev, map->ino, map->generation))
		return;
	if (attach_mapped(find->attach, map->tgid, map->addr) == -ENOENT)
		noes_add(&find->noes, map->dev, map->ino, map->generation);
}

static void on_forked(void *arg, uint32_t parent, uint32_t child)
{
	struct find *find = arg;

	attach_forked(find->attach, parent, child);
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

	/* else with the next news: without, no process ends and no file is mapped */
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

	err = loop_add_timer(loop, 0, on_sweep, find, &find->sweep);
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
	err = config->mode == FIND_NEVER ? 0 : attach_new(&find->attach, tap, config);
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
	attach_free(find->attach);
	free(find);
	return NULL;
}

int find_scan(struct find *find)
{
	return find->attach ? attach_sweep(find->attach) : 0;
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
	*ret = (struct find_stats){ .map_events_lost = find->map_events_lost };
	if (find->attach)
		attach_stats(find->attach, ret);
}

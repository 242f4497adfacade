/* SPDX-License-Identifier: Apache-2.0 */
#include "find/lanes.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/queue.h>

#include "base/hash.h"

struct node {
	struct lanes_task task;
	STAILQ_ENTRY(node) link;
};

STAILQ_HEAD(nodes, node);

/* Greetings, and the rest. */
enum { URGENT, PLAIN, RANKS };

struct lane {
	uint64_t tenant;
	uint64_t used_ns; /* virtual time: what it cost, no less than others' when it began to wait */
	struct nodes waiting[RANKS];
	size_t n;
	UT_hash_handle hh;
};

struct lanes {
	struct lane *table;
	uint64_t now_ns; /* virtual time of the lane that was served last */
	uint64_t served; /* its tenant */
	size_t n;
};

struct lanes *lanes_new(void)
{
	return calloc(1, sizeof(struct lanes));
}

static void lane_drop(struct lanes *lanes, struct lane *lane)
{
	HASH_DEL(lanes->table, lane);
	free(lane);
}

struct lanes *lanes_free(struct lanes *lanes)
{
	struct lane *lane, *next;
	struct node *node;

	if (!lanes)
		return NULL;
	HASH_ITER(hh, lanes->table, lane, next) {
		for (int rank = 0; rank < RANKS; rank++) {
			while ((node = STAILQ_FIRST(&lane->waiting[rank]))) {
				STAILQ_REMOVE_HEAD(&lane->waiting[rank], link);
				free(node);
			}
		}
		lane_drop(lanes, lane);
	}
	free(lanes);
	return NULL;
}

static struct lane *find(const struct lanes *lanes, uint64_t tenant)
{
	struct lane *lane;

	HASH_FIND(hh, lanes->table, &tenant, sizeof(tenant), lane);
	return lane;
}

/* A lane that waits for nothing and owes no time is dropped, and created again when needed. */
static void drop_idle(struct lanes *lanes)
{
	struct lane *lane, *next;

	HASH_ITER(hh, lanes->table, lane, next)
		if (!lane->n && lane->used_ns <= lanes->now_ns)
			lane_drop(lanes, lane);
}

static struct lane *lane_of(struct lanes *lanes, uint64_t tenant)
{
	struct lane *lane = find(lanes, tenant);

	if (lane)
		return lane;
	if (HASH_COUNT(lanes->table) >= LANES_MAX)
		drop_idle(lanes);
	if (HASH_COUNT(lanes->table) >= LANES_MAX && tenant)
		return lane_of(lanes, 0);
	lane = calloc(1, sizeof(*lane));
	if (!lane)
		return NULL;
	lane->tenant = tenant;
	for (int rank = 0; rank < RANKS; rank++)
		STAILQ_INIT(&lane->waiting[rank]);
	HASH_ADD(hh, lanes->table, tenant, sizeof(lane->tenant), lane);
	if (lane->hh.tbl)
		return lane;
	free(lane);
	return NULL;
}

int lanes_put(struct lanes *lanes, const struct lanes_task *task)
{
	struct lane *lane = lane_of(lanes, task->tenant);
	struct node *node;

	if (!lane)
		return -ENOMEM;
	if (lane->n >= LANES_TASKS_MAX)
		return -ENOSPC;
	node = malloc(sizeof(*node));
	if (!node)
		return -ENOMEM;
	node->task = *task;
	STAILQ_INSERT_TAIL(&lane->waiting[task->kind == LANES_GREETED ? URGENT : PLAIN], node, link);
	if (!lane->n++ && lane->used_ns < lanes->now_ns)
		lane->used_ns = lanes->now_ns; /* idle time is not credited */
	lanes->n++;
	return 0;
}

static struct lane *next_lane(const struct lanes *lanes, int rank)
{
	struct lane *lane, *next, *best = NULL;

	HASH_ITER(hh, lanes->table, lane, next)
		if (!STAILQ_EMPTY(&lane->waiting[rank]) && (!best || lane->used_ns < best->used_ns))
			best = lane;
	return best;
}

bool lanes_take(struct lanes *lanes, bool greetings_only, struct lanes_task *ret)
{
	int rank = URGENT;
	struct lane *lane;
	struct node *node;

	lane = lanes->n ? next_lane(lanes, rank) : NULL;
	if (!lane && lanes->n && !greetings_only)
		lane = next_lane(lanes, rank = PLAIN);
	if (!lane)
		return false;
	node = STAILQ_FIRST(&lane->waiting[rank]);
	STAILQ_REMOVE_HEAD(&lane->waiting[rank], link);
	lane->n--;
	lanes->n--;
	*ret = node->task;
	free(node);
	if (lane->used_ns > lanes->now_ns)
		lanes->now_ns = lane->used_ns;
	lanes->served = lane->tenant;
	return true;
}

void lanes_charge(struct lanes *lanes, uint64_t cpu_ns)
{
	struct lane *lane = find(lanes, lanes->served);

	if (lane)
		lane->used_ns += cpu_ns;
}

size_t lanes_count(const struct lanes *lanes)
{
	return lanes->n;
}

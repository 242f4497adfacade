/* SPDX-License-Identifier: Apache-2.0 */
/* A host's files, a loop, and what the sources of names say to it. */
#ifndef UNIT_NAMES_WORLD_H
#define UNIT_NAMES_WORLD_H

#include "unit.h"
#include "peer.h"

#include "base/clock.h"
#include "base/fetch.h"
#include "base/loop.h"
#include "names/names.h"
#include "names/source.h"
#include "who/who.h"

#define UID "7da9e2a8-1234-4abc-8def-0123456789ab"

#define HASH "0123456789abcdef0123456789abcdef"
#define CID  "d4917225c0ffee00d4917225c0ffee00d4917225c0ffee00d4917225c0ffee00"

struct world {
	char root[64];
	struct loop *loop;
	struct fetcher *fetcher;
	struct loop_source *late;
	struct names_config config;
	struct names *names;
	bool (*is_done)(struct world *world);
	bool is_late;
	/* what was told */
	char named[512], state[64], error[256], namespace[64], wish[64];
	unsigned n_named;
	struct peer peer;
	char url[64];
};

static inline void shell(struct world *world, const char *format, ...)
{
	char command[2048], full[4096];
	va_list args;

	va_start(args, format);
	vsnprintf(command, sizeof(command), format, args);
	va_end(args);
	snprintf(full, sizeof(full), "cd %s && %s", world->root, command);
	assert_int_equal(system(full), 0);
}

static inline void add_pod(struct world *world, const char *namespace, const char *pod,
			   const char *uid)
{
	shell(world, "mkdir -p var/log/pods/%s_%s_%s", namespace, pod, uid);
}

static inline void on_named(void *arg, const struct who_pod *pod,
			    const struct who_container *container)
{
	struct world *world = arg;

	world->n_named++;
	if (pod)
		snprintf(world->named, sizeof(world->named), "%s/%s", pod->namespace, pod->name);
}

static inline void on_source(void *arg, const char *name, const char *error)
{
	struct world *world = arg;

	snprintf(world->state, sizeof(world->state), "%s", name);
	snprintf(world->error, sizeof(world->error), "%s", error ? error : "works");
}

static inline void on_namespace(void *arg, const char *name, const struct who_wish *wish)
{
	struct world *world = arg;

	snprintf(world->namespace, sizeof(world->namespace), "%s", name);
	snprintf(world->wish, sizeof(world->wish), "%s", wish->budget);
}

static inline void on_tick(void *arg)
{
	struct world *world = arg;
	static unsigned ticks;

	world->is_late = ++ticks > 3000;
	if (world->is_late || !world->is_done || world->is_done(world)) {
		ticks = 0;
		loop_stop(world->loop);
	}
}

/* Lets the loop run until it is so: at most half a minute. */
static inline void run_until(struct world *world, bool (*is_done)(struct world *world))
{
	world->is_done = is_done;
	world->is_late = false;
	assert_int_equal(loop_run(world->loop), 0);
	assert_false(world->is_late);
}

static inline int set_up(void **state)
{
	struct world *world = calloc(1, sizeof(*world));

	if (unit_folder(world->root) || loop_new(&world->loop) ||
	    fetcher_new(&world->fetcher, world->loop) ||
	    loop_add_timer(world->loop, 10 * NS_PER_MS, on_tick, world, &world->late))
		return -1;
	world->config.root = world->root;
	*state = world;
	return 0;
}

static inline void start(struct world *world)
{
	const struct names_told told = {
		.named = on_named, .source = on_source, .namespace = on_namespace, .arg = world
	};

	assert_int_equal(
		names_new(&world->names, world->loop, world->fetcher, &world->config, &told), 0);
}

static inline int tear_down(void **state)
{
	struct world *world = *state;
	int err;

	names_free(world->names);
	fetcher_free(world->fetcher);
	if (world->peer.serve)
		peer_stop(&world->peer);
	loop_free(world->loop);
	err = unit_remove(world->root);
	free(world);
	return err;
}

static inline struct who_group ask(struct world *world, const char *uid, const char *cid)
{
	struct who_group group = { 0 };

	snprintf(group.pod_uid, sizeof(group.pod_uid), "%s", uid);
	snprintf(group.container, sizeof(group.container), "%s", cid);
	snprintf(group.container_name, sizeof(group.container_name), "%s", cid);
	(void)names_fill(world->names,
			 &(struct names_fields){ .container = group.container,
						 .pod_uid = &group.pod_uid,
						 .namespace = &group.namespace,
						 .pod = &group.pod,
						 .workload = &group.workload,
						 .container_name = &group.container_name,
						 .image = &group.image,
						 .labels = &group.labels });
	return group;
}

#define assert_named(group, ns, pod_, workload_, container_)             \
	do {                                                             \
		assert_string_equal((group).namespace, ns);              \
		assert_string_equal((group).pod, pod_);                  \
		assert_string_equal((group).workload, workload_);        \
		assert_string_equal((group).container_name, container_); \
	} while (0)

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif

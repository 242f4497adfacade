/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "base/clock.h"
#include "ledger/ledger.h"

#define UID "7da9e2a8-1234-4abc-8def-0123456789ab"
#define CID "d4917225c0ffee00d4917225c0ffee00d4917225c0ffee00d4917225c0ffee00"

static const struct who_pod pod = { .uid = UID,
				    .namespace = "team-a",
				    .name = "agents-x-y",
				    .workload = "Deployment/agents",
				    .labels = "team=search" };
static const struct who_container container = { .id = CID, .pod_uid = UID, .name = "main" };

struct world {
	char dir[32];
	struct ledger *ledger;
	int64_t now_us;
};

static int set_up(void **state)
{
	struct world *world = calloc(1, sizeof(*world));

	if (unit_folder(world->dir) || ledger_open(&world->ledger, world->dir, true, NULL))
		return -1;
	world->now_us = clock_wall_us();
	*state = world;
	return 0;
}

static int tear_down(void **state)
{
	struct world *world = *state;
	int err;

	ledger_free(world->ledger);
	err = unit_remove(world->dir);
	free(world);
	return err;
}

static void add(struct world *world, const struct who_group *group, int64_t start_us, int64_t cost)
{
	struct who_process process = { .tgid = 7, .comm = "python3", .user = "root" };
	struct charge charge = { .host = "api.openai.com",
				 .provider = "openai",
				 .model = "m",
				 .cost_nanos = cost,
				 .is_priced = true,
				 .source = CHARGE_USAGE };
	struct ledger_call call = {
		.start_us = start_us, .charge = &charge, .group = group, .process = &process
	};

	assert_int_equal(ledger_add(world->ledger, &call, NULL), 0);
}

/* As a cgroup tells it, before anybody has named it. */
static struct who_group nameless(void)
{
	struct who_group group = { .path = "/kubepods/pod" UID "/" CID,
				   .container = CID,
				   .container_name = CID,
				   .pod_uid = UID };

	return group;
}

static struct who_group named(void)
{
	struct who_group group = nameless();

	strcpy(group.namespace, pod.namespace);
	strcpy(group.pod, pod.name);
	strcpy(group.workload, pod.workload);
	strcpy(group.labels, pod.labels);
	strcpy(group.container_name, container.name);
	return group;
}

struct total {
	char text[512];
	unsigned rows;
};

static void add_row(void *arg, const struct ledger_row *row)
{
	struct total *total = arg;
	size_t len = strlen(total->text);

	total->rows++;
	snprintf(total->text + len, sizeof(total->text) - len, "%s|%s|%s|%s %lu %ld;",
		 row->keys[LEDGER_BY_NAMESPACE], row->keys[LEDGER_BY_WORKLOAD],
		 row->keys[LEDGER_BY_POD], row->keys[LEDGER_BY_CONTAINER], row->calls,
		 row->cost_nanos);
}

/* By whole hours and by single calls: both must say the same. */
static void check(struct world *world, const char *expected)
{
	const uint32_t keys = 1u << LEDGER_BY_NAMESPACE | 1u << LEDGER_BY_WORKLOAD |
			      1u << LEDGER_BY_POD | 1u << LEDGER_BY_CONTAINER;
	const int64_t since_us[] = { 0, world->now_us - 3 * 3600000000LL - 1 };

	for (size_t i = 0; i < ARRAY_SIZE(since_us); i++) {
		struct total total = { .text = "" };

		assert_int_equal(ledger_report(world->ledger,
					       &(struct ledger_query){ .since_us = since_us[i],
								       .until_us = LEDGER_NO_END,
								       .keys = keys },
					       add_row, &total),
				 0);
		assert_string_equal(total.text, expected);
	}
}

static void add_replayed(void *arg, const struct ledger_call *call)
{
	struct total *total = arg;

	total->rows += !strcmp(call->group->namespace, "team-a") &&
		       !strcmp(call->group->labels, "team=search");
}

static void calls_that_were_first_are_named_after(void **state)
{
	struct world *world = *state;
	struct who_group group = nameless();
	struct total total = { .text = "" };

	add(world, &group, world->now_us, 1);
	assert_int_equal(ledger_commit(world->ledger), 0);
	add(world, &group, world->now_us, 2); /* waits still */
	assert_int_equal(ledger_name_pod(world->ledger, &pod), 1);
	assert_int_equal(ledger_name_container(world->ledger, &container), 1);
	check(world, "team-a|Deployment/agents|agents-x-y|main 2 3;");
	group = named();
	add(world, &group, world->now_us, 4);
	assert_int_equal(ledger_commit(world->ledger), 0);
	check(world, "team-a|Deployment/agents|agents-x-y|main 3 7;");
	assert_int_equal(ledger_replay(world->ledger, 0, add_replayed, &total), 0);
	assert_int_equal(total.rows, 3);
	/* nothing more to do */
	assert_int_equal(ledger_name_pod(world->ledger, &pod), 0);
	assert_int_equal(ledger_name_container(world->ledger, &container), 0);
}

static void row_that_has_the_names_takes_the_calls(void **state)
{
	struct world *world = *state;
	struct who_group group = named();

	add(world, &group, world->now_us, 1);
	group = nameless();
	strcpy(group.container_name, "main");
	add(world, &group, world->now_us, 2);
	add(world, &group, world->now_us - 60 * US_PER_S, 4);
	assert_int_equal(ledger_name_pod(world->ledger, &pod), 1);
	check(world, "team-a|Deployment/agents|agents-x-y|main 3 7;");
	/* the same words again, by whoever has not heard */
	add(world, &group, world->now_us, 8);
	assert_int_equal(ledger_commit(world->ledger), 0);
	assert_int_equal(ledger_name_pod(world->ledger, &pod), 1);
	check(world, "team-a|Deployment/agents|agents-x-y|main 4 15;");
}

static void guess_gives_way_and_labels_stay(void **state)
{
	struct world *world = *state;
	struct who_group group = named();
	struct who_pod other = pod;

	group.labels[0] = '\0';
	strcpy(group.workload, "Controller/agents");
	add(world, &group, world->now_us, 1);
	assert_int_equal(ledger_name_pod(world->ledger, &pod), 1);
	check(world, "team-a|Deployment/agents|agents-x-y|main 1 1;");
	/* what was spent as team=search stays so */
	strcpy(other.labels, "team=other");
	strcpy(other.workload, "Deployment/other");
	assert_int_equal(ledger_name_pod(world->ledger, &other), 0);
	check(world, "team-a|Deployment/agents|agents-x-y|main 1 1;");
}

static void static_pods_are_found_by_their_hash(void **state)
{
	struct world *world = *state;
	struct who_group group = nameless();
	struct who_pod mirror = pod;

	strcpy(mirror.uid, "another-uid");
	strcpy(mirror.hash, UID);
	add(world, &group, world->now_us, 1);
	assert_int_equal(ledger_name_pod(world->ledger, &mirror), 1);
	check(world, "team-a|Deployment/agents|agents-x-y|" CID " 1 1;");
}

static void keep_image(void *arg, const struct ledger_row *row)
{
	char *text = arg;
	size_t len = strlen(text);

	snprintf(text + len, 256 - len, "%s %s %s %lu;", row->keys[LEDGER_BY_TEAM],
		 row->keys[LEDGER_BY_CONTAINER], row->keys[LEDGER_BY_IMAGE], row->calls);
}

static void team_of_image(void *arg, const struct who_group *group,
			  const struct who_process *process, char *ret, size_t size)
{
	snprintf(ret, size, "%s", strcmp(group->image, "r.example/web:1") ? "others" : "web");
}

/* Some sources know its name alone, and the kubelet its image as well, later. */
static void an_image_may_come_after_the_name(void **state)
{
	const struct ledger_query query = { .until_us = LEDGER_NO_END,
					    .keys = 1u << LEDGER_BY_TEAM | 1u << LEDGER_BY_CONTAINER |
						    1u << LEDGER_BY_IMAGE };
	struct who_container whole = container;
	struct who_group group = named();
	struct world *world = *state;
	char text[256] = "";

	add(world, &group, world->now_us, 1);
	assert_int_equal(ledger_name_container(world->ledger, &container), 0);
	strcpy(whole.image, "r.example/web:1");
	assert_int_equal(ledger_name_container(world->ledger, &whole), 1);
	strcpy(group.image, whole.image);
	add(world, &group, world->now_us, 1);
	assert_int_equal(ledger_set_team(world->ledger, team_of_image, NULL), 0);
	assert_int_equal(ledger_report(world->ledger, &query, keep_image, text), 0);
	assert_string_equal(text, "web main r.example/web:1 2;");
	assert_int_equal(ledger_name_container(world->ledger, &whole), 0);
}

static void others_are_left_alone(void **state)
{
	struct world *world = *state;
	struct who_group group = nameless();

	group.pod_uid[0] = 'f';
	group.container[0] = 'e';
	group.container_name[0] = 'e';
	add(world, &group, world->now_us, 1);
	assert_int_equal(ledger_name_pod(world->ledger, &pod), 0);
	assert_int_equal(ledger_name_container(world->ledger, &container), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(calls_that_were_first_are_named_after),
		TEST(row_that_has_the_names_takes_the_calls),
		TEST(guess_gives_way_and_labels_stay),
		TEST(static_pods_are_found_by_their_hash),
		TEST(an_image_may_come_after_the_name),
		TEST(others_are_left_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Lines on standard output, which is a pipe of one page whose reader takes its time. */
#include "unit.h"

#include <limits.h>
#include <jansson.h>

#include "base/clock.h"
#include "notify/stdout.h"

struct world {
	struct stdout_lines *lines;
	int reader, stdout_before;
	char bytes[4 * PIPE_BUF]; /* what the reader has taken */
	size_t len;
};

static int setup(void **state)
{
	struct world *world = calloc(1, sizeof(*world));
	int pair[2];

	if (!world || pipe2(pair, O_CLOEXEC) || fcntl(pair[1], F_SETPIPE_SZ, PIPE_BUF) < 0)
		return -1;
	fflush(stdout);
	world->stdout_before = dup(STDOUT_FILENO);
	world->reader = pair[0];
	fcntl(world->reader, F_SETFL, O_NONBLOCK);
	dup2(pair[1], STDOUT_FILENO);
	close(pair[1]);
	world->lines = stdout_lines_new(false, true);
	*state = world;
	return world->lines ? 0 : -1;
}

static int teardown(void **state)
{
	struct world *world = *state;

	dup2(world->stdout_before, STDOUT_FILENO);
	close(world->stdout_before);
	close(world->reader);
	stdout_lines_free(world->lines);
	free(world);
	return 0;
}

/* The reader takes what is there; how many bytes. */
static size_t take_bytes(struct world *world)
{
	size_t before = world->len;
	ssize_t n;

	while ((n = read(world->reader, world->bytes + world->len,
			 sizeof(world->bytes) - 1 - world->len)) > 0)
		world->len += (size_t)n;
	world->bytes[world->len] = '\0';
	return world->len - before;
}

static struct ledger_action action_of(const char *subject)
{
	return (struct ledger_action){ .id = 3,
				       .time_us = 1790000000LL * US_PER_S,
				       .budget = "agents",
				       .rule = "agents.yaml:12",
				       .action = "refuse",
				       .subject = subject,
				       .target = "cgroup /a",
				       .result = "done",
				       .outcome = ACTION_DONE,
				       .last_calls = "[1,2]" };
}

static void print_call(struct world *world, const char *comm)
{
	struct charge charge = { .host = "api.x",
				 .model = "m",
				 .status = 200,
				 .source = CHARGE_USAGE,
				 .is_priced = true,
				 .cost_nanos = 1500000000,
				 .usage = { .input = 10, .output = 4 } };
	struct who_group group = { .path = "/agents" };
	struct who_process process = { .tgid = 70 };
	struct ledger_call call = { .start_us = 1790000000LL * US_PER_S,
				    .charge = &charge,
				    .group = &group,
				    .process = &process };

	snprintf(process.comm, sizeof(process.comm), "%s", comm);
	stdout_lines_call(world->lines, &call);
}

static void speak(struct world *world, bool quiet, bool as_json)
{
	stdout_lines_free(world->lines);
	world->lines = stdout_lines_new(quiet, as_json);
}

/* The same form as an action's: a reader needs one parser. */
static void test_a_call_is_one_line_of_json(void **state)
{
	const char *event, *who, *command, *cost;
	struct world *world = *state;
	json_int_t input;
	json_t *object;

	print_call(world, "py\x1b[2J\n");
	assert_true(take_bytes(world));
	assert_ptr_equal(strchr(world->bytes, '\n'), world->bytes + world->len - 1);
	object = json_loads(world->bytes, 0, NULL);
	assert_non_null(object);
	assert_int_equal(json_unpack(object, "{s:s, s:s, s:s, s:s, s:{s:I}}", "event", &event,
				     "who", &who, "command", &command, "cost_usd", &cost, "tokens",
				     "input", &input),
			 0);
	assert_string_equal(event, "call");
	assert_string_equal(who, "/agents");
	assert_string_equal(command, "py\\x1b[2J\\x0a");
	assert_string_equal(cost, "1.500000");
	assert_int_equal(input, 10);
	json_decref(object);
}

static void test_an_action_is_one_line_of_json(void **state)
{
	struct world *world = *state;
	struct ledger_action action = action_of("cgroup=/a");
	const char *event, *subject;
	json_t *object;

	stdout_lines_action(world->lines, &action);
	assert_true(take_bytes(world));
	assert_ptr_equal(strchr(world->bytes, '\n'), world->bytes + world->len - 1);
	object = json_loads(world->bytes, 0, NULL);
	assert_non_null(object);
	assert_int_equal(json_unpack(object, "{s:s, s:s}", "event", &event, "subject", &subject), 0);
	assert_string_equal(event, "action");
	assert_string_equal(subject, "cgroup=/a");
	json_decref(object);
	assert_int_equal(stdout_lines_lost(world->lines), 0);
}

/* The pipe takes one line until it is read; each line that comes through is whole. */
static void test_a_slow_reader_loses_whole_lines(void **state)
{
	struct world *world = *state;
	struct ledger_action action = action_of("cgroup=/a");
	int n = 0;

	for (int i = 0; i < 3; i++) {
		stdout_lines_action(world->lines, &action);
		stdout_lines_action(world->lines, &action); /* finds no room */
		assert_true(take_bytes(world));
	}
	assert_int_equal(stdout_lines_lost(world->lines), 3);
	assert_null(strstr(world->bytes, "}{"));
	for (char *line = strtok(world->bytes, "\n"); line; line = strtok(NULL, "\n"), n++) {
		json_t *object = json_loads(line, 0, NULL);

		assert_non_null(object);
		json_decref(object);
	}
	assert_int_equal(n, 3);
}

static void test_a_line_longer_than_a_pipe_takes_at_once_is_lost(void **state)
{
	struct world *world = *state;
	struct ledger_action action;
	char subject[PIPE_BUF + 1];

	memset(subject, 'x', sizeof(subject) - 1);
	subject[sizeof(subject) - 1] = '\0';
	action = action_of(subject);
	stdout_lines_action(world->lines, &action);
	assert_int_equal(take_bytes(world), 0);
	assert_int_equal(stdout_lines_lost(world->lines), 1);
	action = action_of("cgroup=/a");
	stdout_lines_action(world->lines, &action);
	assert_int_equal(world->bytes[take_bytes(world) - 1], '\n');
}

static void test_a_call_is_one_line_without_control_bytes(void **state)
{
	struct world *world = *state;

	speak(world, false, false);
	print_call(world, "py\x1b[2J\n");
	assert_true(take_bytes(world));
	assert_string_equal(
		world->bytes,
		"2026-09-21T14:13:20Z call /agents py\\x1b[2J\\x0a[70] api.x m 200 ok in=10 "
		"cache_read=0 cache_write=0 out=4 1.500000 USD (usage)\n");
	print_call(world, "a");
	print_call(world, "b");
	assert_int_equal(stdout_lines_lost(world->lines), 1);
}

static void test_quiet_prints_actions_alone(void **state)
{
	struct world *world = *state;
	struct ledger_action action = action_of("cgroup=/a");

	speak(world, true, false);
	print_call(world, "a");
	assert_int_equal(take_bytes(world), 0);
	stdout_lines_action(world->lines, &action);
	assert_true(take_bytes(world));
	assert_string_equal(world->bytes,
			    "2026-09-21T14:13:20Z refuse cgroup /a budget agents, cgroup=/a spent "
			    "0.000000 USD: done\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_a_call_is_one_line_of_json, setup, teardown),
		cmocka_unit_test_setup_teardown(test_an_action_is_one_line_of_json, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_slow_reader_loses_whole_lines, setup,
						teardown),
		cmocka_unit_test_setup_teardown(
			test_a_line_longer_than_a_pipe_takes_at_once_is_lost, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_call_is_one_line_without_control_bytes,
						setup, teardown),
		cmocka_unit_test_setup_teardown(test_quiet_prints_actions_alone, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

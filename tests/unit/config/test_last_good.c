/* SPDX-License-Identifier: Apache-2.0 */
/* What is kept of a configuration for a start with a broken one: its rules, at their lines, and no secret. */
#include "unit.h"

#include "config/last_good.h"

static char dir[UNIT_FOLDER_LEN], path[64], kept[64];

static int setup(void **state)
{
	if (unit_folder(dir))
		return -1;
	snprintf(path, sizeof(path), "%s/aigress.yaml", dir);
	snprintf(kept, sizeof(kept), "%s/" LAST_GOOD_FILE, dir);
	return 0;
}

static int teardown(void **state)
{
	return unit_remove(dir);
}

static void configure(const char *text)
{
	unit_write(path, text, strlen(text));
}

static char *what_is_kept(void)
{
	static char text[4096];
	FILE *file = fopen(kept, "r");

	assert_non_null(file);
	text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
	fclose(file);
	return text;
}

static void rules_are_kept_at_their_lines_without_secrets(void **state)
{
	struct config config;
	struct stat st;

	configure("# the password is hunter2\n"
		  "enforce: true\n"
		  "protect: [ { cgroup: \"/caf\xc3\xa9/*\" } ]\n"
		  "webhooks:\n"
		  "  - { name: a, url: 'https://hooks.example/T0/SECRET', format: slack }\n"
		  "otlp: { endpoint: 'https://u:SECRET@otlp.example/' }\n"
		  "budgets:\n"
		  "  # hunter2 again\n"
		  "  - { name: b, limit: 5 USD, window: day, steps: [ { do: kill } ] }\n");
	assert_int_equal(last_good_save(dir, path), 0);
	assert_null(strstr(what_is_kept(), "SECRET"));
	assert_null(strstr(what_is_kept(), "hunter2"));
	assert_int_equal(stat(kept, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(last_good_load(&config, dir), 0);
	assert_true(config.rules.enforce);
	assert_true(config.rules.is_restored);
	assert_string_equal(config.rules.protect[0].cgroup, "/caf\xc3\xa9/*");
	assert_int_equal(config.webhooks.n, 0);
	assert_null(config.otlp.endpoint);
	assert_int_equal(config.rules.n_budgets, 1);
	assert_int_equal(config.rules.budgets[0].steps[0].line, 9);
	config_done(&config);
}

/* An alias as a key's whole value has its node where the anchor is. */
static void anchors_are_kept_with_what_uses_them(void **state)
{
	struct config config;

	configure("x-steps: &steps [ { do: kill } ]\n"
		  "x-kube: &kube\n"
		  "- { namespace: kube-system }\n"
		  "protect: *kube # hunter2\n"
		  "webhooks: []\n"
		  "budgets:\n"
		  "- { name: b, limit: 5 USD, steps: *steps }\n");
	assert_int_equal(last_good_save(dir, path), 0);
	assert_null(strstr(what_is_kept(), "hunter2"));
	assert_int_equal(last_good_load(&config, dir), 0);
	assert_int_equal(config.rules.n_protect, 1);
	assert_string_equal(config.rules.protect[0].namespace, "kube-system");
	assert_int_equal(config.rules.budgets[0].steps[0].action, POLICY_KILL);
	config_done(&config);
}

static void what_cannot_be_cut_leaves_the_one_before(void **state)
{
	struct config config;

	assert_int_equal(last_good_load(&config, dir), -ENOENT);
	configure("enforce: true\n");
	assert_int_equal(last_good_save(dir, path), 0);
	/* One line cannot be cut by its keys. */
	configure("{ enforce: false, node: x }\n");
	assert_int_equal(last_good_save(dir, path), -EINVAL);
	configure("budgets: [\n");
	assert_int_equal(last_good_save(dir, path), -EINVAL);
	assert_int_equal(last_good_load(&config, dir), 0);
	assert_true(config.rules.enforce);
	config_done(&config);
	/* A link in its place is not followed. */
	assert_int_equal(unlink(kept), 0);
	assert_int_equal(symlink("/dev/null", kept), 0);
	configure("enforce: true\n");
	assert_int_equal(last_good_save(dir, path), 0);
	assert_non_null(strstr(what_is_kept(), "enforce"));
	/* Nothing at all is a configuration, too. */
	configure("");
	assert_int_equal(last_good_save(dir, path), 0);
	assert_int_equal(last_good_load(&config, dir), 0);
	config_done(&config);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(anchors_are_kept_with_what_uses_them, setup,
						teardown),
		cmocka_unit_test_setup_teardown(rules_are_kept_at_their_lines_without_secrets,
						setup, teardown),
		cmocka_unit_test_setup_teardown(what_cannot_be_cut_leaves_the_one_before, setup,
						teardown),
	};

	return cmocka_run_group_tests_name("last_good", tests, NULL, NULL);
}

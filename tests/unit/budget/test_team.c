/* SPDX-License-Identifier: Apache-2.0 */
/* Whose a caller is: the first rule that fits, else its pod's annotation or label, else nobody's. */
#include "unit.h"

#include "budget/team.h"

static const char *team(const struct team_rules *rules, const char *namespace, const char *labels)
{
	static char name[WHO_NAME_LEN];
	struct who_group group = { 0 };
	struct who_process process = { .comm = "python3" };

	snprintf(group.namespace, sizeof(group.namespace), "%s", namespace);
	snprintf(group.labels, sizeof(group.labels), "%s", labels);
	snprintf(name, sizeof(name), "what was there before");
	team_of(rules, &group, &process, name, sizeof(name));
	return name;
}

static void a_rule_comes_before_a_label(void **state)
{
	struct team_rule list[] = {
		{ .match = { .namespace = "search-*" }, .team = "search" },
		{ .match = { .namespace = "search-beta", .command = "python*" }, .team = "never" },
		{ .match = { .namespace = "tools", .command = "node" }, .team = "web" },
	};
	const struct team_rules rules = { .rules = list, .n = 3 };

	assert_string_equal(team(&rules, "search-beta", "team=other"), "search");
	assert_string_equal(team(&rules, "tools", "app=x,team=tools-people,tier=a"), "tools-people");
	assert_string_equal(team(&rules, "tools", "app=x,teams=y"), "");
	assert_string_equal(team(&rules, "", ""), "");
}

static void a_label_may_have_another_name(void **state)
{
	const struct team_rules rules = { .label = "example.com/team" };

	assert_string_equal(team(&rules, "a", "team=x,example.com/team=billing"), "billing");
	assert_string_equal(team(&rules, "a", "team=x,example.com/team="), "");
}

static void an_annotation_comes_before_a_label(void **state)
{
	struct team_rule list[] = { { .match = { .namespace = "search" }, .team = "search" } };
	const struct team_rules rules = { .rules = list, .n = 1 };

	assert_string_equal(team(&rules, "a", "team=x,aigress.dev/team=billing"), "billing");
	assert_string_equal(team(&rules, "search", "team=x,aigress.dev/team=billing"), "search");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_rule_comes_before_a_label),
		cmocka_unit_test(a_label_may_have_another_name),
		cmocka_unit_test(an_annotation_comes_before_a_label),
	};

	return cmocka_run_group_tests_name("team", tests, NULL, NULL);
}

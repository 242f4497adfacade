/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "kube/annotations.h"

static const struct {
	const char *budget, *mode;
	int64_t nanos;
	uint64_t tokens;
	enum policy_window window;
	bool is_rehearsed, is_off;
} good[] = {
	{ "20 USD/day", "", 20000000000, 0, POLICY_DAY, false, false },
	{ "0.5 USD/hour", "enforce", 500000000, 0, POLICY_HOUR, false, false },
	{ "100 USD/month", "rehearse", 100000000000, 0, POLICY_MONTH, true, false },
	{ "1 USD/week", "off", 1000000000, 0, POLICY_WEEK, false, true },
	{ "2000000 tokens/day", "", 0, 2000000, POLICY_DAY, false, false },
	{ "1.5M tokens/week", "", 0, 1500000, POLICY_WEEK, false, false },
	{ "20 usd/day", "", 20000000000, 0, POLICY_DAY, false, false },
};

static const char *const bad[] = {
	"",
	"20",
	"20 USD",
	"20USD/day",
	"20 USD/",
	"20 USD/year",
	"20 EUR/day",
	"-1 USD/day",
	"0 USD/day",
	" 20 USD/day",
	"20 USD/day ",
	"20  USD/day",
	"1e3 USD/day",
	"+1 USD/day",
	"0x10 USD/day",
	"99999999999999999999 USD/day",
	"1.5 tokens/day",
	"0 tokens/day",
	"9007199254740993 tokens/day",
	"20/day USD",
	"/ ",
	" /",
	"USD/day",
	"20 USD/day\n",
	"20,5 USD/day",
	WHO_ANNOTATION_BAD,
	"1..5 USD/day",
};

static struct who_wish wish_of(const char *budget, const char *mode)
{
	struct who_wish wish = { .budget = "" };

	snprintf(wish.budget, sizeof(wish.budget), "%s", budget);
	snprintf(wish.mode, sizeof(wish.mode), "%s", mode);
	return wish;
}

static void text_means_what_it_says_or_nothing(void **state)
{
	struct annotations_wish meant;

	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		struct who_wish wish = wish_of(good[i].budget, good[i].mode);

		assert_null(annotations_read(&wish, &meant));
		assert_int_equal(meant.limit_nanos, good[i].nanos);
		assert_int_equal(meant.limit_tokens, good[i].tokens);
		assert_int_equal(meant.window, good[i].window);
		assert_int_equal(meant.is_rehearsed, good[i].is_rehearsed);
		assert_int_equal(meant.is_off, good[i].is_off);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct who_wish wish = wish_of(bad[i], "");

		if (!annotations_read(&wish, &meant))
			fail_msg("\"%s\" was taken", bad[i]);
	}
	struct who_wish wish = wish_of("20 USD/day", "enforced");

	assert_string_equal(annotations_read(&wish, &meant),
			    "its mode is not enforce, rehearse or off");
}

struct world {
	struct annotations *annotations;
	struct annotations_config config;
	struct policy_match allow;
	struct policy_step steps[2];
	struct policy_rules rules;
	char states[1024];
};

static int set_up(void **state)
{
	struct world *world = calloc(1, sizeof(*world));

	world->annotations = annotations_new();
	world->allow.namespace = "team-*";
	world->steps[0] = (struct policy_step){ .at_permille = 800, .action = POLICY_NOTE };
	world->steps[1] = (struct policy_step){ .at_permille = 1000, .action = POLICY_REFUSE };
	world->config = (struct annotations_config){ .allow = &world->allow,
						     .n_allow = 1,
						     .steps = world->steps,
						     .n_steps = 2,
						     .zone = "Europe/Berlin" };
	*state = world;
	return world->annotations ? 0 : -1;
}

static int tear_down(void **state)
{
	struct world *world = *state;

	policy_rules_done(&world->rules);
	annotations_free(world->annotations);
	free(world);
	return 0;
}

static bool pod(struct world *world, const char *namespace, const char *workload,
		const char *budget, const char *mode)
{
	struct who_pod pod = { .uid = "u", .name = "p", .wish = wish_of(budget, mode) };

	snprintf(pod.namespace, sizeof(pod.namespace), "%s", namespace);
	snprintf(pod.workload, sizeof(pod.workload), "%s", workload);
	return annotations_pod(world->annotations, &pod);
}

static void add_state(void *arg, const char *subject, const struct who_wish *wish, const char *state)
{
	struct world *world = arg;
	size_t len = strlen(world->states);

	snprintf(world->states + len, sizeof(world->states) - len, "%s: %s\n", subject, state);
}

static void apply(struct world *world)
{
	policy_rules_done(&world->rules);
	assert_int_equal(annotations_add(world->annotations, &world->config, &world->rules), 0);
	world->states[0] = '\0';
	annotations_each(world->annotations, add_state, world);
}

static void allowed_ones_become_budgets(void **state)
{
	struct world *world = *state;
	struct who_wish wish = wish_of("100 USD/month", "");
	struct policy_budget *budget;

	assert_true(pod(world, "team-a", "Deployment/agents", "20 USD/day", "rehearse"));
	assert_true(annotations_namespace(world->annotations, "team-a", &wish));
	apply(world);
	assert_int_equal(world->rules.n_budgets, 2);
	budget = &world->rules.budgets[0];
	assert_string_equal(budget->name, "annotation:team-a/Deployment/agents");
	assert_string_equal(budget->match.namespace, "team-a");
	assert_string_equal(budget->match.workload, "Deployment/agents");
	assert_string_equal(budget->zone, "Europe/Berlin");
	assert_int_equal(budget->per, POLICY_PER_MATCH);
	assert_int_equal(budget->limit_nanos, 20000000000);
	assert_int_equal(budget->n_steps, 2);
	assert_int_equal(budget->steps[1].action, POLICY_REFUSE);
	assert_true(budget->is_rehearsed);
	budget = &world->rules.budgets[1];
	assert_string_equal(budget->name, "annotation:team-a");
	assert_null(budget->match.workload);
	assert_int_equal(budget->window, POLICY_MONTH);
	assert_false(budget->is_rehearsed);
	assert_string_equal(world->states,
			    "team-a/Deployment/agents: rehearsed\nteam-a: in force\n");
}

static void others_are_refused_and_told(void **state)
{
	struct world *world = *state;

	pod(world, "other", "Deployment/x", "20 USD/day", "");
	pod(world, "team-b", "Deployment/y", "lots", "");
	pod(world, "team-b", "Deployment/z", "1 USD/day", "off");
	pod(world, "team-b", "Deployment/m", "1 USD/day", "never");
	apply(world);
	assert_int_equal(world->rules.n_budgets, 0);
	assert_string_equal(
		world->states,
		"other/Deployment/x: the configuration allows none there\n"
		"team-b/Deployment/y: it is not a budget, as 20 USD/day or 2M tokens/hour\n"
		"team-b/Deployment/z: off\n"
		"team-b/Deployment/m: its mode is not enforce, rehearse or off\n");
	/* nothing is honoured that no operator has allowed */
	world->config = (struct annotations_config){ 0 };
	pod(world, "team-b", "Deployment/z", "1 USD/day", "");
	apply(world);
	assert_int_equal(world->rules.n_budgets, 0);
}

static void only_news_are_news(void **state)
{
	struct world *world = *state;

	assert_true(pod(world, "team-a", "Deployment/a", "20 USD/day", ""));
	assert_false(pod(world, "team-a", "Deployment/a", "20 USD/day", ""));
	assert_true(pod(world, "team-a", "Deployment/a", "30 USD/day", ""));
	assert_false(pod(world, "team-a", "Deployment/none", "", "rehearse"));
	apply(world);
	assert_int_equal(world->rules.n_budgets, 1);
	assert_int_equal(world->rules.budgets[0].limit_nanos, 30000000000);
	assert_true(pod(world, "team-a", "Deployment/a", "", ""));
	apply(world);
	assert_int_equal(world->rules.n_budgets, 0);
}

static void there_are_only_so_many(void **state)
{
	struct world *world = *state;
	char name[64];

	for (int i = 0; i < 2 * ANNOTATIONS_MAX; i++) {
		snprintf(name, sizeof(name), "Deployment/w%d", i);
		pod(world, "team-a", name, "20 USD/day", "");
	}
	apply(world);
	assert_int_equal(world->rules.n_budgets, ANNOTATIONS_MAX);
	assert_string_equal(world->rules.budgets[ANNOTATIONS_MAX - 1].match.workload, name);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_means_what_it_says_or_nothing),
		TEST(allowed_ones_become_budgets),
		TEST(others_are_refused_and_told),
		TEST(only_news_are_news),
		TEST(there_are_only_so_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A year of charges under random rules, with clock jumps and restarts, against a model that is nothing
 * but lists and loops. SEED names the first of ROUNDS seeds: SEED=7 build/tests/unit/test_policy_year
 */
#include "unit.h"

#include <time.h>

#include "base/clock.h"
#include "budget/policy.h"

#define ROUNDS   6
#define BUDGETS  8
#define STEPS    3
#define CHARGES  6000
#define SUBJECTS 12
#define HOUR_US  (3600 * US_PER_S)
#define T0       (1767225600LL * US_PER_S) /* 2026-01-01T00:00:00Z */

static uint64_t seed;

static uint64_t draw(uint64_t below)
{
	seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (seed >> 33) % below;
}

static struct policy_budget budgets[BUDGETS];
static struct policy_step steps[BUDGETS][STEPS];
static char names[BUDGETS][24];
static struct policy_rules rules = { .budgets = budgets };
static struct who_group groups[SUBJECTS];
static struct who_process processes[SUBJECTS];
static const char *const hosts[] = { "api.a", "api.b" };

static void make_rules(void)
{
	static char *const cgroups[] = { NULL, "/a/*", "/b/*", "/?/1" },
			   *const users[] = { NULL, "ann" }, *const called[] = { NULL, "api.a" };
	static const enum policy_per pers[] = { POLICY_PER_MATCH, POLICY_PER_CGROUP,
						POLICY_PER_USER };

	rules.n_budgets = 1 + draw(BUDGETS);
	for (size_t i = 0; i < rules.n_budgets; i++) {
		snprintf(names[i], sizeof(names[i]), "b%zu", i);
		for (size_t j = 0; j < STEPS; j++)
			steps[i][j] = (struct policy_step){ .at_permille = 500 + 500 * (uint32_t)j,
							    .action = POLICY_NOTE };
		budgets[i] = (struct policy_budget){
			.name = names[i],
			.match = { .cgroup = cgroups[draw(4)],
				   .user = users[draw(2)],
				   .host = called[draw(2)] },
			.per = pers[draw(3)],
			.limit_nanos = (int64_t)(1 + draw(2000)) * 1000,
			.window = (enum policy_window)draw(4),
			.zone = "UTC",
			.is_default = !draw(4),
			.steps = steps[i],
			.n_steps = 1 + draw(STEPS),
		};
	}
}

static void make_subjects(void)
{
	for (int i = 0; i < SUBJECTS; i++) {
		groups[i].cgroup = (uint64_t)i + 1;
		snprintf(groups[i].path, sizeof(groups[i].path), "/%c/%d", "abc"[i % 3], i % 4);
		snprintf(processes[i].user, sizeof(processes[i].user), "%s", i % 2 ? "ann" : "bob");
		processes[i].tgid = 100 + (uint32_t)i;
	}
}

/* ---- the model ---- */

struct spent {
	int64_t at_us, nanos;
	int who, host;
};
static struct spent past[CHARGES];

static struct model {
	bool is_open;
	int64_t start_us, end_us;
	bool is_replayable;     /* all that it holds was charged at a time within it, */
	size_t opened;          /* and since this charge */
	int64_t sums[SUBJECTS]; /* by the first subject that shares the key */
} models[BUDGETS];

static void window_around(enum policy_window window, int64_t now_us, int64_t *start_us,
			  int64_t *end_us)
{
	time_t now = (time_t)(now_us / US_PER_S);
	struct tm tm;

	gmtime_r(&now, &tm);
	tm.tm_sec = tm.tm_min = 0;
	if (window != POLICY_HOUR)
		tm.tm_hour = 0;
	if (window == POLICY_WEEK)
		tm.tm_mday -= (tm.tm_wday + 6) % 7;
	if (window == POLICY_MONTH)
		tm.tm_mday = 1;
	*start_us = (int64_t)timegm(&tm) * US_PER_S;
	if (window == POLICY_MONTH)
		tm.tm_mon++;
	else if (window == POLICY_HOUR)
		tm.tm_hour++;
	else
		tm.tm_mday += window == POLICY_WEEK ? 7 : 1;
	*end_us = (int64_t)timegm(&tm) * US_PER_S;
}

static void model_roll(size_t i, size_t n, int64_t now_us)
{
	struct model *model = &models[i];
	bool is_new = !model->is_open || now_us >= model->end_us;

	model->is_replayable &= now_us >= model->start_us;
	if (!is_new && now_us >= 2 * model->start_us - model->end_us)
		return;
	if (is_new)
		memset(model->sums, 0, sizeof(model->sums));
	model->opened = n;
	model->is_replayable = is_new;
	window_around(budgets[i].window, now_us, &model->start_us, &model->end_us);
	model->is_open = true;
}

/* By hand: the globs above are few. */
static bool model_fits(const struct policy_match *match, int who, const char *host)
{
	const char *path = groups[who].path;

	if (match->cgroup && !strcmp(match->cgroup, "/?/1")) {
		if (path[3] != '1')
			return false;
	} else if (match->cgroup && path[1] != match->cgroup[1]) {
		return false;
	}
	return (!match->user || !strcmp(match->user, processes[who].user)) &&
	       (!match->host || !strcmp(match->host, host));
}

static bool model_claims(size_t i, int who, const char *host)
{
	bool is_named = false;

	for (size_t j = 0; j < rules.n_budgets; j++)
		is_named |= !budgets[j].is_default && model_fits(&budgets[j].match, who, host);
	return model_fits(&budgets[i].match, who, host) && budgets[i].is_default == !is_named;
}

static int64_t *model_sum(size_t i, int who)
{
	int first = budgets[i].per == POLICY_PER_MATCH ? 0 : who;

	for (int other = 0; budgets[i].per != POLICY_PER_MATCH && other < first; other++)
		if (budgets[i].per == POLICY_PER_CGROUP ?
			    !strcmp(groups[other].path, groups[who].path) :
			    !strcmp(processes[other].user, processes[who].user))
			first = other;
	return &models[i].sums[first];
}

static size_t model_reached(size_t i, int64_t sum)
{
	size_t n = 0;

	while (n < budgets[i].n_steps &&
	       sum * 1000 >= budgets[i].limit_nanos * steps[i][n].at_permille)
		n++;
	return n;
}

/* ---- both ---- */

static struct verdict_iter verdicts; /* of the last charge */

static void give(struct policy *policy, const struct spent *spent)
{
	struct policy_subject subject = { .group = &groups[spent->who],
					  .process = &processes[spent->who],
					  .host = hosts[spent->host],
					  .model = "m" };
	struct charge charge = { .source = CHARGE_USAGE,
				 .budget_nanos = spent->nanos,
				 .cost_nanos = spent->nanos };

	policy_charge(policy, &subject, &charge, 1, spent->at_us, &verdicts);
}

static void check(struct policy *policy, const struct spent *spent, const size_t before[BUDGETS])
{
	size_t told[BUDGETS] = { 0 }, highest[BUDGETS] = { 0 };
	struct policy_verdict verdict;

	while (verdict_next(&verdicts, &verdict)) {
		size_t i = (size_t)(verdict.budget - budgets),
		       at = (size_t)(verdict.step - steps[i]) + 1;

		assert_true(at > highest[i]);
		assert_int_equal(verdict.is_first, at > before[i]);
		assert_int_equal(verdict.spent_nanos, *model_sum(i, spent->who));
		assert_int_equal(verdict.window_end_us, models[i].end_us);
		highest[i] = at;
		told[i]++;
	}
	for (size_t i = 0; i < rules.n_budgets; i++) {
		bool memberships = model_claims(i, spent->who, hosts[spent->host]);
		size_t reached = memberships ? model_reached(i, *model_sum(i, spent->who)) : 0;

		assert_int_equal(highest[i], reached);
		/* All that are new, else the highest alone. */
		assert_int_equal(told[i], !reached            ? 0 :
					  reached > before[i] ? reached - before[i] :
								1);
	}
}

static void charge_both(struct policy *policy, const struct spent *spent)
{
	size_t before[BUDGETS] = { 0 };

	for (size_t i = 0; i < rules.n_budgets; i++) {
		if (!model_claims(i, spent->who, hosts[spent->host]))
			continue;
		model_roll(i, (size_t)(spent - past), spent->at_us);
		before[i] = model_reached(i, *model_sum(i, spent->who));
		*model_sum(i, spent->who) += spent->nanos;
	}
	give(policy, spent);
	check(policy, spent, before);
}

/* A restart: what the ledger has of the windows in force is charged again, in its order. */
static struct policy *restart(struct policy *policy, size_t n, int64_t now_us)
{
	int64_t since_us = policy_since(policy, now_us);
	struct policy_verdict verdict;

	policy_free(policy);
	policy = policy_new(&rules);
	assert_non_null(policy);
	for (size_t i = 0; i < n; i++) {
		if (past[i].at_us < since_us)
			continue;
		give(policy, &past[i]);
		while (verdict_next(&verdicts, &verdict))
			;
	}
	return policy;
}

static bool is_replayable(int64_t now_us)
{
	for (size_t i = 0; i < rules.n_budgets; i++) {
		const struct model *model = &models[i];

		if (!model->is_open || now_us >= model->end_us)
			continue;
		if (!model->is_replayable || now_us < model->start_us)
			return false;
		for (size_t n = 0; n < model->opened; n++)
			if (past[n].at_us >= model->start_us)
				return false;
	}
	return true;
}

static void a_year_goes_as_the_model_says(void **state)
{
	int restarts = 0;
	uint64_t first = getenv("SEED") ? strtoull(getenv("SEED"), NULL, 10) : 1;

	make_subjects();
	for (uint64_t round = first; round < first + ROUNDS; round++) {
		int64_t now_us = T0, latest_us = T0, restart_us = T0;
		struct policy *policy;

		print_message("seed %llu\n", (unsigned long long)round);
		seed = round;
		make_rules();
		memset(models, 0, sizeof(models));
		policy = policy_new(&rules);
		assert_non_null(policy);
		for (size_t n = 0; n < CHARGES; n++) {
			/* 6,000 of 88 minutes are a year; one in 50 steps goes back, by up to 20 days. */
			now_us += draw(50) ? (int64_t)draw(176 * 60) * US_PER_S :
					     -(int64_t)draw(20 * 24) * HOUR_US;
			/* A window that was over at a restart is not known any more. */
			now_us = now_us < restart_us ? restart_us : now_us;
			past[n] = (struct spent){ .at_us = now_us,
						  .nanos = (int64_t)draw(100000),
						  .who = (int)draw(SUBJECTS),
						  .host = (int)draw(2) };
			charge_both(policy, &past[n]);
			/*
			 * The ledger knows the times of calls, not what a clock that was wrong made of them:
			 * a restart gives back the windows that the clock was right for.
			 */
			latest_us = now_us > latest_us ? now_us : latest_us;
			if (now_us != latest_us || draw(100) || !is_replayable(now_us))
				continue;
			policy = restart(policy, n + 1, now_us);
			restart_us = now_us;
			restarts++;
		}
		policy_free(policy);
	}
	assert_true(restarts);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(a_year_goes_as_the_model_says) };

	return cmocka_run_group_tests_name("policy_year", tests, NULL, NULL);
}

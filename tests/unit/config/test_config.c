/* SPDX-License-Identifier: Apache-2.0 */
/* Every key reaches its field, and the manual has it. */
#include "unit.h"

#include "base/clock.h"
#include "config/config.h"

/* A place for what is used more than once, as in Compose files. */
static void anchors_stand_under_keys_of_ones_own(void **state)
{
	static const char text[] =
		"x-steps: &steps\n- { at: 50%, do: note }\n- { do: refuse }\n"
		"x-anything: { of: [ any, kind ] }\n"
		"budgets:\n"
		"- { name: a, limit: 2M tokens, steps: *steps }\n"
		"- { name: b, limit: 1.5k tokens, steps: *steps }\n"
		"- { name: c, limit: 0.25 usd, steps: [ { do: pace, to: 2 usd/hour } ] }\n"
		"- { name: d, limit: 3 tokens, steps: [ { do: pace, to: 0.5M tokens/hour } ] }\n";
	struct config config;
	char *error = NULL;

	assert_int_equal(config_parse(&config, "f", text, strlen(text), &error), 0);
	assert_int_equal(config.rules.n_budgets, 4);
	assert_int_equal(config.rules.budgets[0].limit_tokens, 2000000);
	assert_int_equal(config.rules.budgets[1].limit_tokens, 1500);
	assert_int_equal(config.rules.budgets[1].n_steps, 2);
	assert_int_equal(config.rules.budgets[1].steps[1].action, POLICY_REFUSE);
	assert_int_equal(config.rules.budgets[2].limit_nanos, 250000000);
	assert_int_equal(config.rules.budgets[2].steps[0].pace_per_hour, 2000000000);
	assert_false(config.rules.budgets[2].steps[0].pace_in_tokens);
	assert_int_equal(config.rules.budgets[3].steps[0].pace_per_hour, 500000);
	assert_true(config.rules.budgets[3].steps[0].pace_in_tokens);
	assert_null(config.warnings);
	config_done(&config);
}

/* Globs are not regular expressions, and what looks like one fits nothing. */
static void what_looks_like_a_regular_expression_is_warned_of(void **state)
{
	static const char text[] = "protect:\n"
				   "- { namespace: \"^kube\" }\n"
				   "- { pod: \"web-(a|b)\" }\n"
				   "- { command: \"node.*\" }\n"
				   "- { cgroup: \"/system.slice/ssh.*\", unit: \"ssh.*\" }\n"
				   "- { label: { app: \"agent\\\\d\" } }\n"
				   "- { workload: \"Deployment/[a-z]?*\" }\n";
	struct config config;
	char *error = NULL;

	assert_int_equal(config_parse(&config, "f", text, strlen(text), &error), 0);
	assert_non_null(config.warnings);
	assert_non_null(strstr(config.warnings, "f:2: protect[0].namespace: \"^kube\" looks like"));
	assert_non_null(strstr(config.warnings, "\nf:3: protect[1].pod"));
	assert_non_null(strstr(config.warnings, "\nf:4: protect[2].command"));
	assert_null(strstr(config.warnings, "f:5"));
	assert_non_null(strstr(config.warnings, "\nf:6: protect[4].label.app"));
	assert_null(strstr(config.warnings, "f:7"));
	config_done(&config);
}

static void every_key_reaches_its_field(void **state)
{
	static const char text[] =
		"enforce: true\nkeep: 7d\nmax-kills: 3/hour\nattach: everyone\nprices: /etc/aigress/prices.json\n"
		"hosts: [ { pattern: \"*.llm.corp\", like: openai } ]\n"
		"budgets:\n"
		"  - name: agents\n"
		"    match: { cgroup: /agents/*, unit: u, user: bob, command: node, exe: /x, host: h, model: m, client: claude-cli/*,\n"
		"             container: c, image: \"r.example/*\", namespace: n-*, workload: Deployment/w, pod: p,\n"
		"             label: { team: search, app.kubernetes.io/name: \"a*\" } }\n"
		"    per: user\n"
		"    limit: 50.25 USD\n"
		"    window: month\n"
		"    zone: UTC\n"
		"    estimates: high\n"
		"    parts-apart: true\n"
		"    steps:\n"
		"      - { at: 150%, do: kill, target: cgroup, grace: 1500ms }\n"
		"      - { at: 80.5%, do: note }\n"
		"      - do: refuse\n"
		"      - { at: 150%, do: kill, evidence: estimated }\n"
		"  - { name: b, limit: 2000000 tokens, window: 10m, on-daemon-loss: open, steps: [ { do: note } ] }\n"
		"  - { name: d, spike: 8.5x of 24h, floor: 5 USD/h, default: true,\n"
		"      steps: [ { do: refuse } ] }\n"
		"  - { name: c, limit: 0.000000001 USD, steps: [ { do: note } ] }\n"
		"assume: [ { command: wget, host: \"api.*\", model: gpt-4o-mini }, { model: gpt-4o } ]\n"
		"protect: [ { unit: \"ssh*\" }, { namespace: kube-system } ]\nfirst-call: estimate\nreturn-probes: never\n"
		"on-daemon-loss: hold\n"
		"serve: { listen: \"0.0.0.0:1234\", token-file: /t, public-metrics: true, max-series: 10 }\n"
		"otlp: { endpoint: \"https://c/v1/metrics\", interval: 15s, header-file: /h }\n";
	const struct policy_budget *budget;
	struct config config;
	char *error = NULL;

	assert_int_equal(config_parse(&config, "f", text, strlen(text), &error), 0);
	assert_true(config.rules.enforce);
	assert_int_equal(config.keep_us, 7 * 86400 * 1000000LL);
	assert_int_equal(config.rules.max_kills, 3);
	assert_string_equal(config.rules.file, "f");
	assert_int_equal(config.find.mode, FIND_EVERYONE);
	assert_int_equal(config.find.returns, FIND_RETURN_INSTRUCTIONS);
	assert_int_equal(config.first_call, CONFIG_ESTIMATE);
	assert_string_equal(config.prices, "/etc/aigress/prices.json");
	assert_true(config.serve.is_on && config.serve.public_metrics);
	assert_false(serve_is_loopback(&config.serve.listen));
	assert_string_equal(config.serve.token_file, "/t");
	assert_int_equal(config.serve.max_series, 10);
	assert_string_equal(config.otlp.endpoint, "https://c/v1/metrics");
	assert_string_equal(config.otlp.header_file, "/h");
	assert_true(config.otlp.interval_ns == 15 * NS_PER_S);
	assert_int_equal(config.n_hosts, 1);
	assert_string_equal(config.hosts[0].pattern, "*.llm.corp");
	assert_string_equal(config.hosts[0].provider, "openai");
	assert_int_equal(config.rules.n_budgets, 4);
	budget = &config.rules.budgets[0];
	assert_string_equal(budget->name, "agents");
	assert_string_equal(budget->match.cgroup, "/agents/*");
	assert_string_equal(budget->match.unit, "u");
	assert_string_equal(budget->match.user, "bob");
	assert_string_equal(budget->match.command, "node");
	assert_string_equal(budget->match.exe, "/x");
	assert_string_equal(budget->match.host, "h");
	assert_string_equal(budget->match.model, "m");
	assert_string_equal(budget->match.client, "claude-cli/*");
	assert_string_equal(budget->match.image, "r.example/*");
	assert_string_equal(budget->match.container, "c");
	assert_string_equal(budget->match.namespace, "n-*");
	assert_string_equal(budget->match.workload, "Deployment/w");
	assert_string_equal(budget->match.pod, "p");
	assert_int_equal(budget->match.n_labels, 2);
	assert_string_equal(budget->match.labels[0].name, "team");
	assert_string_equal(budget->match.labels[1].name, "app.kubernetes.io/name");
	assert_string_equal(budget->match.labels[1].value, "a*");
	assert_int_equal(budget->per, POLICY_PER_USER);
	assert_int_equal(budget->limit_nanos, 50250000000);
	assert_int_equal(budget->limit_tokens, 0);
	assert_int_equal(budget->window, POLICY_MONTH);
	assert_string_equal(budget->zone, "UTC");
	assert_int_equal(budget->line, 8);
	assert_int_equal(budget->n_steps, 4);
	assert_int_equal(budget->steps[0].at_permille, 805);
	assert_int_equal(budget->steps[0].line, 20);
	assert_int_equal(budget->estimates, POLICY_HIGH);
	assert_true(budget->parts_apart);
	assert_int_equal(budget->steps[1].at_permille, 1000);
	assert_int_equal(budget->steps[1].action, POLICY_REFUSE);
	assert_int_equal(budget->steps[2].target, POLICY_CGROUP);
	assert_int_equal(budget->steps[2].action, POLICY_KILL);
	assert_int_equal(budget->steps[2].grace_ns, 1500000000);
	assert_false(budget->steps[2].by_estimates);
	assert_true(budget->steps[3].by_estimates);
	assert_int_equal(budget->steps[3].target, POLICY_PROCESS);
	assert_int_equal(budget->steps[3].grace_ns, 10000000000);
	budget = &config.rules.budgets[1];
	assert_int_equal(budget->limit_tokens, 2000000);
	assert_int_equal(budget->limit_nanos, 0);
	assert_int_equal(budget->window, POLICY_ROLLING);
	assert_int_equal(budget->window_us, 600000000);
	assert_int_equal(budget->per, POLICY_PER_MATCH);
	assert_null(budget->match.cgroup);
	budget = &config.rules.budgets[2];
	assert_int_equal(budget->spike_permille, 8500);
	assert_int_equal(budget->window_us, 86400 * 1000000LL);
	assert_int_equal(budget->floor_nanos_per_hour, 5000000000);
	assert_true(budget->is_default);
	assert_int_equal(config.rules.budgets[3].limit_nanos, 1);
	assert_int_equal(config.rules.budgets[0].on_loss, POLICY_LOSS_HOLD);
	assert_int_equal(config.rules.budgets[1].on_loss, POLICY_LOSS_OPEN);
	assert_int_equal(config.rules.budgets[3].window, POLICY_DAY);
	assert_int_equal(config.rules.n_assume, 2);
	assert_string_equal(config.rules.assume[0].model, "gpt-4o-mini");
	assert_string_equal(config.rules.assume[0].match.command, "wget");
	assert_string_equal(config.rules.assume[0].match.host, "api.*");
	assert_null(config.rules.assume[0].match.model);
	assert_int_equal(config.rules.n_protect, 2);
	assert_string_equal(config.rules.protect[0].unit, "ssh*");
	assert_string_equal(config.rules.protect[1].namespace, "kube-system");
	config_done(&config);
	assert_int_equal(config.rules.n_budgets, 0);
}

static void without_a_file_nothing_is_limited(void **state)
{
	static const char *const empties[] = { "", "# nothing\n", "{}", "budgets:\nprotect: ~\n" };
	struct config config;
	char *error = NULL;

	assert_int_equal(config_load(&config, NULL, &error), 0);
	assert_false(config.rules.enforce);
	assert_int_equal(config.rules.n_budgets, 0);
	assert_int_equal(config.find.mode, FIND_ON_SIGHT);
	assert_false(config.serve.is_on);
	config_done(&config);
	/* Being there is enough: on this host alone. */
	assert_int_equal(config_parse(&config, "f", "serve:\n", 7, &error), 0);
	assert_true(config.serve.is_on && serve_is_loopback(&config.serve.listen));
	assert_int_equal(config.serve.max_series, 2000);
	config_done(&config);
	for (size_t i = 0; i < ARRAY_SIZE(empties); i++) {
		assert_int_equal(config_parse(&config, "f", empties[i], strlen(empties[i]), &error),
				 0);
		assert_int_equal(config.rules.n_budgets + config.rules.n_protect, 0);
		config_done(&config);
	}
}

static void name_servers_and_proxies_are_addresses_and_ports(void **state)
{
	static const char text[] =
		"name-servers: [ 10.96.0.10, \"fd00::a\" ]\n"
		"proxies: [ \"proxy.corp.example:3128\", \"10.0.0.5:80\", \"[fd00::5]:8080\" ]\n";
	struct config config;
	char *error = NULL;

	assert_int_equal(config_parse(&config, "f", text, strlen(text), &error), 0);
	assert_int_equal(config.n_name_servers, 2);
	assert_string_equal(config.name_servers[1].host, "fd00::a");
	assert_int_equal(config.n_proxies, 3);
	assert_string_equal(config.proxies[0].host, "proxy.corp.example");
	assert_int_equal(config.proxies[0].port, 3128);
	assert_string_equal(config.proxies[2].host, "fd00::5");
	assert_int_equal(config.proxies[2].port, 8080);
	config_done(&config);
}

static void example_is_right(void **state)
{
	struct config config;
	char *error = NULL;

	if (config_load(&config, "deploy/aigress.yaml", &error) < 0)
		fail_msg("%s", error);
	assert_false(config.rules.enforce);
	assert_true(config.rules.n_budgets >= 2);
	config_done(&config);
}

/* A word of a line of the manual that lists keys: ".It Ic namespace , workload , pod". */
static bool is_listed(const char *manual, const char *key)
{
	size_t len = strlen(key);

	for (const char *at = manual; (at = strstr(at, key)); at++) {
		const char *line = at;

		while (line > manual && line[-1] != '\n')
			line--;
		if (!strncmp(line, ".It Ic ", 7) && at[-1] == ' ' && strchr(" \n", at[len]))
			return true;
	}
	return false;
}

/* Every key that a table takes, as its error lists them, is in the manual. */
static void the_manual_has_every_key(void **state)
{
	static const char *const places[] = {
		"%s: 1\n",
		"hosts: [ { %s: 1 } ]\n",
		"serve: { %s: 1 }\n",
		"otlp: { %s: 1 }\n",
		"shared: { %s: 1 }\n",
		"webhooks: [ { %s: 1 } ]\n",
		"kubernetes: { %s: 1 }\n",
		"annotations: { %s: 1 }\n",
		"protect: [ { %s: 1 } ]\n",
		"assume: [ { %s: 1 } ]\n",
		"budgets: [ { %s: 1 } ]\n",
		"budgets: [ { match: { %s: 1 } } ]\n",
		"budgets: [ { steps: [ { %s: 1 } ] } ]\n",
	};
	static char manual[131072];
	FILE *file = fopen("man/aigress.yaml.5", "r");
	size_t n_keys = 0;

	assert_non_null(file);
	manual[fread(manual, 1, sizeof(manual) - 1, file)] = '\0';
	fclose(file);
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		_cleanup_free_ char *text = NULL, *error = NULL;
		struct config config;
		char *key;

		assert_true(asprintf(&text, places[i], "no-such-key") > 0);
		assert_int_equal(config_parse(&config, "f", text, strlen(text), &error), -EINVAL);
		key = strstr(error, "give one of: ");
		if (!key)
			fail_msg("no list of keys in: %s", error);
		for (key = strtok(key + strlen("give one of: "), ", "); key;
		     key = strtok(NULL, ", ")) {
			if (!is_listed(manual, key))
				fail_msg("%s of %s is not in man/aigress.yaml.5", key, text);
			n_keys++;
		}
	}
	assert_true(n_keys > 60);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_key_reaches_its_field),
		cmocka_unit_test(anchors_stand_under_keys_of_ones_own),
		cmocka_unit_test(what_looks_like_a_regular_expression_is_warned_of),
		cmocka_unit_test(without_a_file_nothing_is_limited),
		cmocka_unit_test(name_servers_and_proxies_are_addresses_and_ports),
		cmocka_unit_test(example_is_right),
		cmocka_unit_test(the_manual_has_every_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

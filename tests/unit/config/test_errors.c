/* SPDX-License-Identifier: Apache-2.0 */
/* What is said of a file that is wrong. */
#include "unit.h"

#include "config/config.h"

#define FILE_KEYS                                                                                                                     \
	"enforce, attach, return-probes, first-call, resolve, name-servers, proxies, zone, keep, on-daemon-loss, max-kills, prices, " \
	"api-key-fingerprint, hosts, serve, otlp, budgets, node, shared, webhooks, protect, assume, teams, team-label, annotations, " \
	"kubernetes"
#define WHO_KEYS \
	"namespace, workload, pod, container, image, label, cgroup, unit, user, command, exe"
/* A budget that is right but for what stands in the place. */
#define BUDGET(more) "budgets:\n  - name: a\n    limit: 1 USD\n    steps: [ { do: note } ]\n" more
#define STEP(step)   "budgets:\n- name: a\n  limit: 1 USD\n  steps:\n  - " step "\n"

static const struct {
	const char *text, *error;
} wrongs[] = {
	{ "enforce: yes", "f:1: enforce: \"yes\" is neither true nor false; write one of them" },
	{ "\n\nenforec: true",
	  "f:3: \"enforec\" is not a key here; did you mean \"enforce\"? (" FILE_KEYS ")" },
	{ "colour: red", "f:1: \"colour\" is not a key here; give one of: " FILE_KEYS },
	{ "enforce: true\nenforce: false",
	  "f:2: \"enforce\" stands here twice, first in line 1; take one "
	  "away" },
	{ "attach: on-site",
	  "f:1: attach: \"on-site\" is not a way to attach; did you mean \"on-sight\"? "
	  "(on-sight, everyone, never)" },
	{ "attach: [ never ]", "f:1: attach is a list or a mapping where one value belongs" },
	{ "- enforce", "f:1: must be a mapping, as { key: value }" },
	{ "enforce: true\n---\nenforce: false",
	  "f:3: begins a second document; a configuration is one, take "
	  "the --- away" },
	{ "a: [", "f:2: not YAML: while parsing a flow node, did not find expected node content" },
	{ "\ta: 1", "f:1: not YAML: the line is indented by a tab; put blanks there" },
	{ "enforce: true\nserve:\n  \tlisten: 1",
	  "f:3: not YAML: the line is indented by a tab; put blanks there" },
	{ "a: @",
	  "f:1: not YAML: while scanning for the next token, found character that cannot start any token" },
	{ "a: \xff", "f: not YAML: invalid leading UTF-8 octet at byte 3; save it as UTF-8 text" },
	{ "? [ a ]\n: b", "f:1: has a key that is not a word" },
	{ "\"enf\\eorce\": true",
	  "f:1: \"enf?orce\" is not a key here; did you mean \"enforce\"? (" FILE_KEYS ")" },
	{ "prices: prices.json", "f:1: prices: \"prices.json\" is not a full path; begin it with /" },
	{ "prices: \"/a\\nb\"", "f:1: prices: \"/a?b\" holds a control character; take it out" },
	{ "prices: \"/a\\0b\"", "f:1: prices: \"/a\" holds a control character; take it out" },
	{ "prices: ''", "f:1: prices is empty; give a value or take the key away" },
	{ "kubernetes:\n  kubelet: http://10.0.0.1:10250",
	  "f:2: kubernetes.kubelet: \"http://10.0.0.1:10250\" "
	  "is not a server; give off, or https://HOST:PORT with nothing behind it" },
	{ "kubernetes:\n  api: https://10.0.0.1/x",
	  "f:2: kubernetes.api: \"https://10.0.0.1/x\" "
	  "is not a server; give off, or https://HOST:PORT with nothing behind it" },
	{ "kubernetes: { token: token }",
	  "f:1: kubernetes.token: \"token\" is not a full path; begin it "
	  "with /" },
	{ "annotations: { steps: [ { do: note } ] }",
	  "f:1: annotations lacks \"allow\"; say whose annotations "
	  "count, as [ { namespace: \"team-*\" } ]" },
	{ "annotations: { allow: [ { namespace: a } ] }",
	  "f:1: annotations lacks \"steps\"; say what happens, "
	  "as [ { at: 100%, do: note } ]" },
	{ "annotations: { allow: [ { model: a } ] }",
	  "f:1: annotations.allow[0]: \"model\" is not a key here; "
	  "give one of: " WHO_KEYS },
	{ "hosts:\n- pattern: llm.corp.example\n  like: opnrouter",
	  "f:3: hosts[0].like: \"opnrouter\" is not a provider; did you mean \"openrouter\"?" },
	{ "hosts:\n- { like: openai, pattern: \"*.example\" }",
	  "f:2: hosts[0].pattern: \"*.example\" is not a host; a * stands for its first part, and two "
	  "more follow, as *.corp.example; a port is a number from 1 to 65535" },
	{ "serve:\n  x-a: 1",
	  "f:2: serve: \"x-a\" is not a key here; give one of: listen, token-file, public-metrics, "
	  "max-series" },
	{ "x-a: [", "f:2: not YAML: while parsing a flow node, did not find expected node content" },
	{ "hosts: x", "f:1: hosts must be a list, each item behind a -" },
	{ "hosts:\n- pattern: llm.corp", "f:2: hosts[0] lacks \"like\"; give both, as { pattern: "
					 "llm.corp.example, like: openai }" },
	{ "name-servers: [ 10.96.0.10, dns.example ]",
	  "f:1: name-servers[1]: \"dns.example\" is not the address of a name server; give one as "
	  "10.96.0.10" },
	{ "proxies: [ proxy.corp.example ]",
	  "f:1: proxies[0]: \"proxy.corp.example\" is not a proxy; give its host and port as "
	  "proxy.corp.example:3128" },
	{ "proxies: [ \"[fd00::5]3128\" ]",
	  "f:1: proxies[0]: \"[fd00::5]3128\" is not a proxy; give its host and port as "
	  "proxy.corp.example:3128" },
	{ "proxies: [ \"http://proxy:3128\" ]",
	  "f:1: proxies[0]: \"http://proxy:3128\" is not a proxy; give its host and port as "
	  "proxy.corp.example:3128" },
	{ "proxies: [ \"proxy:65536\" ]",
	  "f:1: proxies[0]: \"proxy:65536\" is not a proxy; give its host and port as "
	  "proxy.corp.example:3128" },
	{ "hosts:\n- pattern: https://x/\n  like: openai",
	  "f:2: hosts[0].pattern: \"https://x/\" is not a "
	  "host; write it in lower case and without scheme, as llm.corp.example, *.corp.example or "
	  "litellm.svc:4000" },
	{ "hosts:\n- pattern: litellm.svc:70000\n  like: litellm",
	  "f:2: hosts[0].pattern: \"litellm.svc:70000\" is not a host; a * stands for its first part, and "
	  "two more follow, as *.corp.example; a port is a number from 1 to 65535" },
	{ "budgets:\n  - limit: 1 USD",
	  "f:2: budgets[0] lacks \"name\"; actions and reports call it by that" },
	{ "budgets:\n  - name: a",
	  "f:2: budgets[0] lacks \"limit\"; give one, as 50 USD or 2M tokens" },
	{ "budgets:\n  - { name: a, limit: 1 USD }",
	  "f:2: budgets[0] lacks \"steps\"; say what happens, as "
	  "[ { at: 100%, do: note } ]" },
	{ BUDGET("  - name: b\n    limit: 5\n"),
	  "f:6: budgets[1].limit: \"5\" is not a limit; give one "
	  "above 0, as 50 USD or 2M tokens" },
	{ BUDGET("  - { name: b, limit: 0.0000000001 USD }"),
	  "f:5: budgets[1].limit: \"0.0000000001 USD\" "
	  "is not a limit; give one above 0, as 50 USD or 2M tokens" },
	{ BUDGET("  - { name: b, limit: 9300000000 USD }"),
	  "f:5: budgets[1].limit: \"9300000000 USD\" is "
	  "not a limit; give one above 0, as 50 USD or 2M tokens" },
	{ BUDGET("  - { name: b, limit: -1 USD }"),
	  "f:5: budgets[1].limit: \"-1 USD\" is not a limit; give "
	  "one above 0, as 50 USD or 2M tokens" },
	{ BUDGET("  - { name: b, limit: 1.5 tokens }"),
	  "f:5: budgets[1].limit: \"1.5 tokens\" is not a "
	  "limit; give one above 0, as 50 USD or 2M tokens" },
	{ BUDGET("  - { name: b, limit: 0 USD }"),
	  "f:5: budgets[1].limit: \"0 USD\" is not a limit; give "
	  "one above 0, as 50 USD or 2M tokens" },
	{ BUDGET("  - { name: a, limit: 1 USD, steps: [ { do: note } ] }"),
	  "f:5: budgets[1].name: \"a\" "
	  "is taken, by line 2; give another" },
	{ BUDGET("    window: fortnight"),
	  "f:5: budgets[0].window: \"fortnight\" is not a window; give "
	  "hour, day, week or month, or a length from 1m to 366d, as 10m or 24h" },
	{ BUDGET("    window: 10s"),
	  "f:5: budgets[0].window: \"10s\" is not a window; give hour, day, week "
	  "or month, or a length from 1m to 366d, as 10m or 24h" },
	{ BUDGET("    window: 9223372036854775807d"),
	  "f:5: budgets[0].window: \"9223372036854775807d\" is "
	  "not a window; give hour, day, week or month, or a length from 1m to 366d, as 10m or 24h" },
	{ BUDGET("    zone: Mars/Olympus"),
	  "f:5: budgets[0].zone: \"Mars/Olympus\" is not a time zone of "
	  "this host; give a name such as Europe/Berlin, and install tzdata" },
	{ BUDGET("    min-healthy: half"),
	  "f:5: budgets[0].min-healthy: \"half\" is not a number of members; "
	  "give one, as 1, or a share of those that run, as 50%" },
	{ BUDGET("    min-healthy: 101%"),
	  "f:5: budgets[0].min-healthy: \"101%\" is not a number of members; "
	  "give one, as 1, or a share of those that run, as 50%" },
	{ BUDGET("    starts: mon"),
	  "f:5: budgets[0].starts: \"mon\" is not a day to start on; give monday to "
	  "sunday for a week, 1 to 31 for a month" },
	{ BUDGET("    starts: 32"),
	  "f:5: budgets[0].starts: \"32\" is not a day to start on; give monday to "
	  "sunday for a week, 1 to 31 for a month" },
	{ BUDGET("    starts: sunday"),
	  "f:2: budgets[0] starts on a weekday, which only a week does" },
	{ BUDGET("    starts: 15\n    window: week"),
	  "f:2: budgets[0] starts on a day of the month, which only a "
	  "month does" },
	{ BUDGET("    zone: UTC\n    window: 10m"),
	  "f:2: budgets[0] has a zone, which only hour, day, week "
	  "and month take" },
	{ BUDGET("    per: cgruop"),
	  "f:5: budgets[0].per: \"cgruop\" is not what shares one counter; did "
	  "you mean \"cgroup\"? (match, namespace, workload, pod, container, "
	  "cgroup, unit, user, process)" },
	{ BUDGET("    match: {}"),
	  "f:5: budgets[0].match is empty and would fit everything; name what it is "
	  "for" },
	{ BUDGET("    match: { cgrp: x }"),
	  "f:5: budgets[0].match: \"cgrp\" is not a key here; did you mean "
	  "\"cgroup\"? (" WHO_KEYS ", host, model, client)" },
	{ BUDGET("    match: { label: {} }"),
	  "f:5: budgets[0].match.label has 0 keys; give 1 to 16" },
	{ BUDGET("    match: { label: team=search }"),
	  "f:5: budgets[0].match.label must be a mapping, as "
	  "{ key: value }" },
	{ BUDGET("    match: { label: { a: x, b: [] } }"),
	  "f:5: budgets[0].match.label.b is a list or a "
	  "mapping where one value belongs" },
	{ BUDGET("    match: { label: { a: x, a: y } }"),
	  "f:5: budgets[0].match.label: \"a\" stands here "
	  "twice, first in line 5; take one away" },
	{ BUDGET("    spike: 8 of 24h"),
	  "f:5: budgets[0].spike: \"8 of 24h\" is not a multiple of a past rate; "
	  "give one as 8x of 24h, from 1.5x to 1000x, of 1h to 366d" },
	{ BUDGET("    floor: 5 USD"),
	  "f:5: budgets[0].floor: \"5 USD\" is not a rate above 0; give one as "
	  "5 USD/hour" },
	{ "budgets: [ { name: a, limit: 1 USD, spike: 8x of 24h, steps: [ { do: note } ] } ]",
	  "f:1: budgets[0] has a spike beside a limit or a window; make two budgets of it" },
	{ "budgets: [ { name: a, spike: 8x of 24h, steps: [ { do: note } ] } ]",
	  "f:1: budgets[0] lacks "
	  "\"floor\", below which no spike matters; give one, as 5 USD/hour" },
	{ STEP("do: refus"), "f:5: budgets[0].steps[0].do: \"refus\" is not an action; did you mean "
			     "\"refuse\"? (note, pace, refuse, freeze, stop, kill)" },
	{ STEP("do: pace"), "f:5: budgets[0].steps[0] lacks \"to\"; give the rate, as 2 USD/hour" },
	{ STEP("{ do: pace, to: 2 USD }"),
	  "f:5: budgets[0].steps[0].to: \"2 USD\" is not a rate above 0; "
	  "give one as 2 USD/hour or 500k tokens/hour" },
	{ STEP("{ do: pace, to: 0 tokens/hour }"),
	  "f:5: budgets[0].steps[0].to: \"0 tokens/hour\" is not a "
	  "rate above 0; give one as 2 USD/hour or 500k tokens/hour" },
	{ STEP("{ do: pace, to: 5 tokens/hour }"), "f:5: budgets[0] has a step that paces in tokens, "
						   "but counts USD" },
	{ STEP("{ do: note, cut: true }"), "f:5: budgets[0].steps[0] has a cut, which only refuse, "
					   "freeze and stop take" },
	{ STEP("{ do: stop, grace: 3s }"),
	  "f:5: budgets[0].steps[0] has a grace, which only kill takes" },
	{ STEP("{ do: freeze, target: process }"),
	  "f:5: budgets[0].steps[0] has a target, which only stop "
	  "and kill take" },
	{ STEP("{ do: note, to: 2 USD/hour }"),
	  "f:5: budgets[0].steps[0] has a rate, which only pace takes" },
	{ STEP("at: 80%"),
	  "f:5: budgets[0].steps[0] lacks \"do\"; give note, pace, refuse, freeze, stop or kill" },
	{ STEP("{ do: note, at: 80 }"),
	  "f:5: budgets[0].steps[0].at: \"80\" is not a share of the limit; "
	  "give one from 0.1% to 1000%, as 80%" },
	{ STEP("{ do: note, at: 0% }"),
	  "f:5: budgets[0].steps[0].at: \"0%\" is not a share of the limit; "
	  "give one from 0.1% to 1000%, as 80%" },
	{ STEP("{ do: kill, grace: 2h }"),
	  "f:5: budgets[0].steps[0].grace: \"2h\" is not a time up to 1h, "
	  "as 30s or 5m" },
	{ STEP("{ do: kill, target: pod }"),
	  "f:5: budgets[0].steps[0].target: \"pod\" is not a target; give "
	  "one of: process, cgroup" },
	{ STEP("{ do: note, grace: 1s }"), "f:5: budgets[0].steps[0] has a grace, which only kill "
					   "takes" },
	{ "on-daemon-loss: hodl",
	  "f:1: on-daemon-loss: \"hodl\" is not what happens without the daemon; did "
	  "you mean \"hold\"? (open, hold)" },
	{ "keep: 90", "f:1: keep: \"90\" is not a time from 1h to 3650d, as 90d" },
	{ "max-kills: 10", "f:1: max-kills: \"10\" is not a number an hour up to 1000, as 10/hour" },
	{ "max-kills: 1001/hour",
	  "f:1: max-kills: \"1001/hour\" is not a number an hour up to 1000, as "
	  "10/hour" },
	{ "protect: [ {} ]",
	  "f:1: protect[0] is empty and would fit everything; name what it is for" },
	{ BUDGET("    estimates: low"),
	  "f:5: budgets[0].estimates: \"low\" is not what is counted of an estimate; give one of: expected, "
	  "high, none" },
	{ "budgets:\n  - name: a\n    limit: 1 USD\n    steps: [ { do: kill, evidence: none } ]\n",
	  "f:4: budgets[0].steps[0].evidence: \"none\" is not what a step rests on; give measured or estimated" },
	{ "budgets:\n  - name: a\n    limit: 1 USD\n    steps: [ { do: note, evidence: measured } ]\n",
	  "f:4: budgets[0].steps[0] has an evidence, which only freeze, stop and kill take" },
	{ "assume: [ { command: wget } ]",
	  "f:1: assume[0] lacks \"model\"; name one of the price file, as gpt-4o-mini" },
	{ "assume: [ { model: \"gpt-*\" } ]",
	  "f:1: assume[0] has a pattern for a model; name one of the price file" },
	{ "protect:\n- model: x",
	  "f:2: protect[0]: \"model\" is not a key here; give one of: " WHO_KEYS },
	{ "protect:\n- client: x",
	  "f:2: protect[0]: \"client\" is not a key here; give one of: " WHO_KEYS },
	{ "serve: { listen: localhost:80 }",
	  "f:1: serve.listen: \"localhost:80\" is not an address and "
	  "port; give one as 127.0.0.1:24473, 0.0.0.0:24473 or [::]:24473" },
	{ "serve:\n  listen: \"[::]:80\"",
	  "f:2: serve listens beyond this host without a token; give "
	  "token-file, or public-metrics: true if everybody there may read /metrics" },
	{ "serve: { max-series: 9 }",
	  "f:1: serve.max-series: \"9\" is not a number from 10 to 20000; the "
	  "default is 2000" },
	{ "otlp: { interval: 60s }", "f:1: otlp needs the whole URL as \"endpoint\", as "
				     "http://collector.example:4318/v1/metrics" },
	{ "otlp: { endpoint: \"http://c:4318\" }", "f:1: otlp needs the whole URL as \"endpoint\", as "
						   "http://collector.example:4318/v1/metrics" },
	{ "otlp: { endpoint: \"c:4318/v1/metrics\" }",
	  "f:1: otlp.endpoint is not a URL that begins with "
	  "http:// or https://" },
	{ "otlp:\n  endpoint: http://c/v1/metrics\n  interval: 9s",
	  "f:3: otlp.interval: \"9s\" is not a "
	  "time from 10s to 1h, as 60s" },
	{ "a: *b", "f:1: not YAML: found undefined alias" },
};

static void error_names_line_key_and_remedy(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(wrongs); i++) {
		struct config config, untouched;
		char *error = NULL;
		size_t len;

		memset(&config, 'x', sizeof(config));
		untouched = config;
		assert_int_equal(
			config_parse(&config, "f", wrongs[i].text, strlen(wrongs[i].text), &error),
			-EINVAL);
		assert_non_null(error);
		len = strlen(wrongs[i].error);
		/* what is possible follows a question, and is long */
		if (strncmp(error, wrongs[i].error, len) ||
		    (error[len] && wrongs[i].error[len - 1] != '?'))
			fail_msg("%s\n gives %s\n not   %s", wrongs[i].text, error, wrongs[i].error);
		assert_memory_equal(&config, &untouched, sizeof(config));
		free(error);
	}
}

static void a_list_that_is_too_long_ends_at_a_word(void **state)
{
	static const char text[] = "hosts:\n  - pattern: h\n    like: zzzzzzzzz\n";
	struct config config;
	char *error = NULL;

	assert_int_equal(config_parse(&config, "f", text, strlen(text), &error), -EINVAL);
	assert_non_null(strstr(error, "is not a provider; give one of: anthropic, openai, "));
	assert_string_equal(error + strlen(error) - 5, ", ...");
	free(error);
}

static void file_that_cannot_be_read_is_named(void **state)
{
	struct config config;
	char *error = NULL;

	assert_int_equal(config_load(&config, "/nowhere/a.yaml", &error), -ENOENT);
	assert_string_equal(
		error, "/nowhere/a.yaml: No such file or directory; name a configuration file "
		       "that this user can read and that is no longer than 1 MiB, with --config");
	free(error);
	assert_int_equal(config_load(&config, "/tmp", &error), -EISDIR);
	free(error);
	assert_int_equal(config_load(&config, "/dev/zero", &error), -EFBIG);
	free(error);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(error_names_line_key_and_remedy),
		cmocka_unit_test(a_list_that_is_too_long_ends_at_a_word),
		cmocka_unit_test(file_that_cannot_be_read_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

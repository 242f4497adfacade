/* SPDX-License-Identifier: Apache-2.0 */
/* webhooks:, shared:, otlp: and kubernetes: as they are read, and the sentences about wrong ones. */
#include "unit.h"

#include "base/clock.h"
#include "config/config.h"

static const struct {
	const char *text, *error;
} wrongs[] = {
	{ "webhooks: [ { url: https://h/x, format: slack } ]",
	  "f:1: webhooks[0] lacks \"name\"; the log and the ledger call it by that" },
	{ "webhooks: [ { name: a, format: slack } ]",
	  "f:1: webhooks[0] needs one of \"url\" and \"url-file\"" },
	{ "webhooks: [ { name: a, url: https://h/x, url-file: /x, format: slack } ]",
	  "f:1: webhooks[0] needs one of \"url\" and \"url-file\"" },
	{ "webhooks: [ { name: a, url: https://h/x } ]",
	  "f:1: webhooks[0] lacks \"format\"; give alertmanager, slack, teams, pagerduty, opsgenie, "
	  "json or email" },
	{ "webhooks:\n- { name: a, url: https://h/x, format: slack }\n"
	  "- { name: a, url: https://h/y, format: slack }",
	  "f:2: webhooks has two of the name \"a\"" },
	{ "webhooks: [ { name: a, url: 'ftp://secret', format: slack } ]",
	  "f:1: webhooks[0].url is not a URL that begins with http:// or https://" },
	{ "webhooks: [ { name: a, url: https://h/x, format: slack, on: refuse } ]",
	  "f:1: webhooks[0].on must be a list of actions, as [ refuse, kill ]" },
	{ "webhooks: [ { name: a, url: https://h/x, format: slack, on: [ refuze ] } ]",
	  "f:1: webhooks[0].on: \"refuze\" is not an action; give some of "
	  "note, pace, refuse, freeze, stop, kill, override" },
	{ "webhooks: [ { name: a, url: https://h/x, format: slack, keep: 5s } ]",
	  "f:1: webhooks[0].keep: \"5s\" is not a time from 1m to 30d, as 24h" },
	{ "webhooks: [ { name: a, url: https://h/x, format: slack, timeout: 5m } ]",
	  "f:1: webhooks[0].timeout: \"5m\" is not a time from 100ms to 60s, as 10s" },
	{ "webhooks: [ { name: a, format: pagerduty } ]",
	  "f:1: webhooks[0] lacks \"key-file\", the receiver's key for pagerduty" },
	{ "webhooks: [ { name: a, url: https://h/x, format: slack, key-file: /k } ]",
	  "f:1: webhooks[0] has \"key-file\", which is not for slack" },
	{ "webhooks: [ { name: a, format: teams } ]",
	  "f:1: webhooks[0] needs one of \"url\" and \"url-file\"" },
	{ "webhooks: [ { name: a, url: https://h/x, format: slack, digest: 2h } ]",
	  "f:1: webhooks[0].digest: \"2h\" is not a time from 1s to 1h, as 30s, or 0s for none" },
	{ "webhooks: [ { name: a, url: https://h/x, format: alertmanager, digest: 30s } ]",
	  "f:1: webhooks[0] has a digest; alertmanager takes each action by itself" },
	{ "webhooks: [ { name: a, url: https://h/x, format: slack, template: '{}' } ]",
	  "f:1: webhooks[0] has a template; only format json has one, not slack" },
	{ "webhooks: [ { name: a, url: https://h/x, format: json, template: '{\"a\": {{who}} }' } ]",
	  "f:1: webhooks[0].template is no JSON (a {{value}} stands between quotes): line 1: invalid "
	  "token near 'x'" },
	{ "webhooks: [ { name: a, url: smtp://h, format: email, from: a@b } ]",
	  "f:1: webhooks[0] lacks \"from\" or \"to\"" },
	{ "webhooks: [ { name: a, url: smtp://h, format: email, from: 'A <a@b>', to: [ c@d ] } ]",
	  "f:1: webhooks[0].from: \"A <a@b>\" is not an address, as aigress@example.com" },
	{ "webhooks: [ { name: a, url: smtp://h, format: email, from: a@b, to: [ \"c@d\\nBcc: x\" ] } ]",
	  "f:1: webhooks[0].to[0]: \"c@d?Bcc: x\" is not an address, as aigress@example.com" },
	{ "webhooks: [ { name: a, url: https://h, format: email, from: a@b, to: [ c@d ] } ]",
	  "f:1: webhooks[0] needs as \"url\" smtp://RELAY or smtps://RELAY" },
	{ "webhooks: [ { name: a, url: smtp://h, format: slack } ]",
	  "f:1: webhooks[0] needs as \"url\" one that begins with http:// or https://" },
	{ "webhooks: [ { name: a, url: https://h, format: slack, to: [ c@d ] } ]",
	  "f:1: webhooks[0] has from, to, user or password-file; only format email has these" },
	{ "webhooks: [ { name: a, url: smtp://h, format: email, from: a@b, to: [ c@d ], user: u } ]",
	  "f:1: webhooks[0] needs both of \"user\" and \"password-file\"" },
	{ "webhooks: [ { name: a, url: smtp://h, format: email, from: a@b, to: [ c@d ], proxy: http://p } ]",
	  "f:1: webhooks[0] has url-file, bearer-file, header-file or proxy; format email has none of "
	  "these" },
	{ "shared: { nodes: 3 }",
	  "f:1: shared lacks \"server\"; give one, as valkey://10.0.0.1:6379" },
	{ "shared: { server: http://h }",
	  "f:1: shared.server is not a server; give valkey://HOST:PORT, or with TLS "
	  "valkeys://HOST:PORT, with the database behind a / if it is not 0, and passwords in "
	  "password-file" },
	{ "shared: { server: valkey://h, nodes: 0 }",
	  "f:1: shared.nodes: \"0\" is not a number of nodes from 1 to 99999" },
	{ "shared: { server: valkey://h, user: u }",
	  "f:1: shared has a user without a password-file" },
	{ "otlp: { interval: 60s }", "f:1: otlp needs the whole URL as \"endpoint\", as "
				     "http://collector.example:4318/v1/metrics" },
	{ "otlp: { endpoint: http://h:4318 }", "f:1: otlp needs the whole URL as \"endpoint\", as "
					       "http://collector.example:4318/v1/metrics" },
	{ "otlp: { endpoint: http://h/v1/metrics, interval: 1s }",
	  "f:1: otlp.interval: \"1s\" is not a time from 10s to 1h, as 60s" },
};

static void read_text(const char *text, struct config *ret)
{
	_cleanup_free_ char *sentence = NULL;
	int err = config_parse(ret, "f", text, strlen(text), &sentence);

	if (err)
		fprintf(stderr, "%s\n", sentence);
	assert_int_equal(err, 0);
}

static void wrong_ones_are_told_where_and_why(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(wrongs); i++) {
		_cleanup_free_ char *sentence = NULL;
		struct config config;

		assert_int_not_equal(config_parse(&config, "f", wrongs[i].text,
						  strlen(wrongs[i].text), &sentence),
				     0);
		assert_string_equal(sentence, wrongs[i].error);
	}
}

static void webhooks_are_read(void **state)
{
	const struct webhook_rule *rule;
	struct config config;

	read_text("webhooks:\n"
		  "- { name: chat, url: https://h/x, format: slack, on: [ refuse, kill, override ],\n"
		  "    rehearsed: false, bearer-file: /t, header-file: /h, ca-file: /c,\n"
		  "    proxy: http://p:3128, link: https://l/, timeout: 2s, keep: 2h }\n"
		  "- { name: alerts, url-file: /u, format: alertmanager }\n",
		  &config);
	assert_int_equal(config.webhooks.n, 2);
	rule = &config.webhooks.items[0];
	assert_string_equal(rule->name, "chat");
	assert_string_equal(rule->url, "https://h/x");
	assert_int_equal(rule->format, WEBHOOK_SLACK);
	assert_int_equal(rule->on, 1u << POLICY_REFUSE | 1u << POLICY_KILL | WEBHOOK_OVERRIDE);
	assert_true(rule->without_rehearsed);
	assert_string_equal(rule->bearer_file, "/t");
	assert_string_equal(rule->header_file, "/h");
	assert_string_equal(rule->ca_file, "/c");
	assert_string_equal(rule->proxy, "http://p:3128");
	assert_string_equal(rule->link, "https://l/");
	assert_int_equal(rule->timeout_ms, 2000);
	assert_int_equal(rule->keep_us, 7200 * US_PER_S);
	rule = &config.webhooks.items[1];
	assert_string_equal(rule->url_file, "/u");
	assert_int_equal(rule->format, WEBHOOK_ALERTMANAGER);
	assert_false(rule->without_rehearsed);
	config_done(&config);
}

static void each_format_has_its_defaults(void **state)
{
	static const uint32_t earnest = 1u << POLICY_PACE | 1u << POLICY_REFUSE |
					1u << POLICY_FREEZE | 1u << POLICY_STOP | 1u << POLICY_KILL;
	const struct webhook_rule *rule;
	struct config config;

	read_text(
		"webhooks:\n"
		"- { name: a, format: pagerduty, key-file: /k }\n"
		"- { name: b, format: opsgenie, key-file: /k, url: 'https://api.eu.opsgenie.com/v2/alerts',\n"
		"    on: [ kill ], rehearsed: true }\n"
		"- { name: c, format: teams, url-file: /u }\n"
		"- { name: d, format: slack, url-file: /u, digest: 0s }\n"
		"- name: e\n"
		"  format: json\n"
		"  url: https://h\n"
		"  template: |\n"
		"    { \"text\": \"{{who}}\",\n"
		"      \"rate\": \"{{rate}}\" }\n"
		"- { name: f, format: email, url: 'smtps://relay:465', from: a@b, to: [ c@d, e@f ],\n"
		"    user: u, password-file: /p, digest: 5m }\n",
		&config);
	rule = config.webhooks.items;
	assert_string_equal(rule->url, "https://events.pagerduty.com/v2/enqueue");
	assert_string_equal(rule->key_file, "/k");
	assert_int_equal(rule->on, earnest);
	assert_true(rule->without_rehearsed);
	assert_int_equal(rule->digest_ms, 0);
	rule++;
	assert_string_equal(rule->url, "https://api.eu.opsgenie.com/v2/alerts");
	assert_int_equal(rule->on, 1u << POLICY_KILL);
	assert_false(rule->without_rehearsed);
	rule++;
	assert_int_equal(rule->format, WEBHOOK_TEAMS);
	assert_int_equal(rule->digest_ms, 30000);
	assert_int_equal(rule->on, 0);
	assert_false(rule->without_rehearsed);
	rule++;
	assert_int_equal(rule->digest_ms, 0);
	rule++;
	assert_int_equal(rule->digest_ms, 0);
	assert_non_null(strstr(rule->template, "{{rate}}"));
	rule++;
	assert_int_equal(rule->format, WEBHOOK_EMAIL);
	assert_int_equal(rule->n_to, 2);
	assert_string_equal(rule->from, "a@b");
	assert_string_equal(rule->to[1], "e@f");
	assert_string_equal(rule->user, "u");
	assert_string_equal(rule->password_file, "/p");
	assert_int_equal(rule->digest_ms, 300000);
	config_done(&config);
}

static void a_shared_server_is_read(void **state)
{
	struct config config;

	read_text("shared: { server: 'valkeys://h:7000/3', user: u, password-file: /p, ca-file: /c, "
		  "prefix: fleet, nodes: 12 }\n",
		  &config);
	assert_string_equal(config.shared.url, "https://h:7000");
	assert_int_equal(config.shared.db, 3);
	assert_string_equal(config.shared.user, "u");
	assert_string_equal(config.shared.password_file, "/p");
	assert_string_equal(config.shared.ca_file, "/c");
	assert_string_equal(config.shared.prefix, "fleet");
	assert_int_equal(config.shared.nodes, 12);
	config_done(&config);
}

static void otlp_is_read(void **state)
{
	struct config config, other;

	read_text("otlp: { endpoint: 'http://h:4318/v1/metrics', interval: 30s, bearer-file: /t, "
		  "header-file: /h, ca-file: /c, proxy: http://p }\n",
		  &config);
	assert_string_equal(config.otlp.endpoint, "http://h:4318/v1/metrics");
	assert_int_equal(config.otlp.interval_ns, 30 * NS_PER_S);
	assert_string_equal(config.otlp.bearer_file, "/t");
	read_text("otlp: { endpoint: 'http://h:4318/v1/metrics' }\n", &other);
	assert_false(otlp_config_is_same(&config.otlp, &other.otlp));
	assert_true(otlp_config_is_same(&other.otlp, &other.otlp));
	config_done(&config);
	config_done(&other);
}

static void kubernetes_is_read(void **state)
{
	struct config config;

	read_text("kubernetes: { host-root: /, kubelet: off, api: 'https://[::1]:6443', token: /t, "
		  "ca: /c, kubelet-ca: /k, kubelet-insecure: true, events: false }\n",
		  &config);
	assert_string_equal(config.kube.names.root, ""); /* the host's own */
	assert_string_equal(config.kube.names.kubelet, "");
	assert_string_equal(config.kube.names.api, "https://[::1]:6443");
	assert_string_equal(config.kube.names.token, "/t");
	assert_string_equal(config.kube.names.ca, "/c");
	assert_string_equal(config.kube.names.kubelet_ca, "/k");
	assert_true(config.kube.names.kubelet_insecure);
	assert_true(config.kube.without_events);
	config_done(&config);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wrong_ones_are_told_where_and_why),
		cmocka_unit_test(webhooks_are_read),
		cmocka_unit_test(each_format_has_its_defaults),
		cmocka_unit_test(a_shared_server_is_read),
		cmocka_unit_test(otlp_is_read),
		cmocka_unit_test(kubernetes_is_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "config/receivers.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "budget/policy.h"
#include "metrics/otlp.h"
#include "notify/template.h"
#include "notify/webhook.h"
#include "shared/shared.h"

#define TEMPLATE_MAX   8192
#define KEEP_MAX_NS    (30 * 86400000000000ULL)
#define TIMEOUT_MAX_NS 60000000000ULL
#define DIGEST_MAX_NS  3600000000000ULL
#define DIGEST_MS      30000 /* of people, where no `digest` says otherwise */

/* In the order of enum webhook_format, with what is right for each where nothing is said. */
static const struct {
	const char *url; /* NULL: it has to be given */
	uint32_t digest_ms;
	bool wakes; /* only what is done in earnest to somebody is worth it */
	bool needs_key;
} kinds[WEBHOOK_FORMATS] = {
	[WEBHOOK_SLACK] = { .digest_ms = DIGEST_MS },
	[WEBHOOK_TEAMS] = { .digest_ms = DIGEST_MS },
	[WEBHOOK_EMAIL] = { .digest_ms = DIGEST_MS },
	[WEBHOOK_PAGERDUTY] = { .url = "https://events.pagerduty.com/v2/enqueue",
				.wakes = true,
				.needs_key = true },
	[WEBHOOK_OPSGENIE] = { .url = "https://api.opsgenie.com/v2/alerts",
			       .wakes = true,
			       .needs_key = true },
};
static const char *const formats[] = { "alertmanager", "slack", "teams", "pagerduty",
				       "opsgenie",     "json",  "email", NULL };
_Static_assert(ARRAY_SIZE(formats) == WEBHOOK_FORMATS + 1 && WEBHOOK_ALERTMANAGER == 0 &&
		       WEBHOOK_TEAMS == 2 && WEBHOOK_OPSGENIE == 4 && WEBHOOK_EMAIL == 6,
	       "in formats' order");

static int read_url(struct config_reader *reader, yaml_node_t *node, const struct config_key *key,
		    void *field)
{
	const char *text = node->type == YAML_SCALAR_NODE ? (const char *)node->data.scalar.value :
							    "";

	/* The URL is not quoted in the error, because the URLs of many webhooks are secrets. */
	if (strncmp(text, "http://", 7) && strncmp(text, "https://", 8))
		return config_fail(reader, node,
				   "is not a URL that begins with http:// or https://");
	return config_string(reader, node, key, field);
}

/* Where a webhook's messages go: which of these a format takes, read_webhook() says. */
static int read_target(struct config_reader *reader, yaml_node_t *node,
		       const struct config_key *key, void *field)
{
	const char *text = node->type == YAML_SCALAR_NODE ? (const char *)node->data.scalar.value :
							    "";

	if (!strncmp(text, "smtp://", 7) || !strncmp(text, "smtps://", 8))
		return config_string(reader, node, key, field);
	return read_url(reader, node, key, field);
}

static int read_on(struct config_reader *reader, yaml_node_t *node, const struct config_key *key,
		   void *field)
{
	const char *names[POLICY_ACTIONS + 2] = { NULL };
	yaml_node_item_t *item;

	for (int i = 0; i < POLICY_ACTIONS; i++)
		names[i] = policy_action_name(i);
	names[POLICY_ACTIONS] = "override";
	if (node->type != YAML_SEQUENCE_NODE)
		return config_fail(reader, node, "must be a list of actions, as [ refuse, kill ]");
	for (item = node->data.sequence.items.start; item < node->data.sequence.items.top; item++) {
		yaml_node_t *value = yaml_document_get_node(&reader->document, *item);
		int index = config_index(value, names);

		if (index < 0)
			return config_fail_value(reader, value,
						 "is not an action; give some of "
						 "note, pace, refuse, freeze, stop, kill, override");
		*(uint32_t *)field |= index == POLICY_ACTIONS ? WEBHOOK_OVERRIDE : 1u << index;
	}
	return 0;
}

static int read_keep(struct config_reader *reader, yaml_node_t *node, const struct config_key *key,
		     void *field)
{
	uint64_t ns;

	if (config_duration_of(node, &ns) < 0 || ns < 60000000000ULL || ns > KEEP_MAX_NS)
		return config_fail_value(reader, node, "is not a time from 1m to 30d, as 24h");
	*(int64_t *)field = (int64_t)(ns / 1000);
	return 0;
}

static int read_timeout(struct config_reader *reader, yaml_node_t *node,
			const struct config_key *key, void *field)
{
	uint64_t ns;

	if (config_duration_of(node, &ns) < 0 || ns < 100000000ULL || ns > TIMEOUT_MAX_NS)
		return config_fail_value(reader, node, "is not a time from 100ms to 60s, as 10s");
	*(uint32_t *)field = (uint32_t)(ns / 1000000);
	return 0;
}

static int read_digest(struct config_reader *reader, yaml_node_t *node,
		       const struct config_key *key, void *field)
{
	uint64_t ns;

	if (config_duration_of(node, &ns) < 0 || ns > DIGEST_MAX_NS || (ns && ns < 1000000000ULL))
		return config_fail_value(reader, node,
					 "is not a time from 1s to 1h, as 30s, or 0s for none");
	*(uint32_t *)field = (uint32_t)(ns / 1000000);
	return 0;
}

/* Of several lines, so it is no config_string(). */
static int read_template(struct config_reader *reader, yaml_node_t *node,
			 const struct config_key *key, void *field)
{
	_cleanup_free_ char *wrong = NULL;
	char *copy;

	if (node->type != YAML_SCALAR_NODE || !node->data.scalar.length ||
	    node->data.scalar.length > TEMPLATE_MAX)
		return config_fail(reader, node, "must be JSON of at most %d bytes", TEMPLATE_MAX);
	wrong = template_check((const char *)node->data.scalar.value);
	if (wrong)
		return config_fail(reader, node, "%s", wrong);
	copy = strdup((const char *)node->data.scalar.value);
	if (!copy)
		return -ENOMEM;
	*(char **)field = copy;
	return 0;
}

/* One address without a name: it becomes part of the mail's head and of what the relay is told. */
static int read_address(struct config_reader *reader, yaml_node_t *node,
			const struct config_key *key, void *field)
{
	const char *text = node->type == YAML_SCALAR_NODE ? (const char *)node->data.scalar.value :
							    "";
	const char *at = strchr(text, '@');

	if (!at || at == text || !at[1] || strchr(at + 1, '@') || strlen(text) > 254 ||
	    strpbrk(text, " \t\r\n<>,;\"()"))
		return config_fail_value(reader, node, "is not an address, as aigress@example.com");
	return config_string(reader, node, key, field);
}

static int read_to(struct config_reader *reader, yaml_node_t *node, const struct config_key *key,
		   void *field)
{
	struct webhook_rule *rule =
		(struct webhook_rule *)((char *)field - offsetof(struct webhook_rule, to));

	return config_list(reader, node, read_address, sizeof(*rule->to), WEBHOOK_TO_MAX,
			   (void **)&rule->to, &rule->n_to);
}

static int read_rehearsed(struct config_reader *reader, yaml_node_t *node,
			  const struct config_key *key, void *field)
{
	bool wanted;
	int r = config_bool(reader, node, key, &wanted);

	if (r == 0)
		*(bool *)field = !wanted;
	return r;
}

#define WEBHOOK(field) offsetof(struct webhook_rule, field)
static const struct config_key webhook_keys[] = {
	{ "name", WEBHOOK(name), .fn = config_name },
	{ "url", WEBHOOK(url), .fn = read_target },
	{ "url-file", WEBHOOK(url_file), .fn = config_path },
	{ "format", WEBHOOK(format), config_choice, formats, .noun = "a format" },
	{ "on", WEBHOOK(on), .fn = read_on },
	{ "rehearsed", WEBHOOK(without_rehearsed), .fn = read_rehearsed },
	{ "bearer-file", WEBHOOK(bearer_file), .fn = config_path },
	{ "header-file", WEBHOOK(header_file), .fn = config_path },
	{ "ca-file", WEBHOOK(ca_file), .fn = config_path },
	{ "proxy", WEBHOOK(proxy), .fn = read_url },
	{ "link", WEBHOOK(link), .fn = read_url },
	{ "timeout", WEBHOOK(timeout_ms), .fn = read_timeout },
	{ "keep", WEBHOOK(keep_us), .fn = read_keep },
	{ "digest", WEBHOOK(digest_ms), .fn = read_digest },
	{ "key-file", WEBHOOK(key_file), .fn = config_path },
	{ "template", WEBHOOK(template), .fn = read_template },
	{ "from", WEBHOOK(from), .fn = read_address },
	{ "to", WEBHOOK(to), .fn = read_to },
	{ "user", WEBHOOK(user), .fn = config_string },
	{ "password-file", WEBHOOK(password_file), .fn = config_path },
	{ NULL },
};

/* What is right for the format where nothing is said. */
static int set_defaults(struct config_reader *reader, yaml_node_t *node, struct webhook_rule *rule)
{
	if (!rule->url && !rule->url_file && kinds[rule->format].url) {
		rule->url = strdup(kinds[rule->format].url);
		if (!rule->url)
			return -ENOMEM;
	}
	if (!config_has(reader, node, "digest"))
		rule->digest_ms = kinds[rule->format].digest_ms;
	if (kinds[rule->format].wakes && !config_has(reader, node, "on"))
		rule->on = 1u << POLICY_PACE | 1u << POLICY_REFUSE | 1u << POLICY_FREEZE |
			   1u << POLICY_STOP | 1u << POLICY_KILL;
	if (kinds[rule->format].wakes && !config_has(reader, node, "rehearsed"))
		rule->without_rehearsed = true;
	return 0;
}

/* Keys that one format has and the others have not. */
static int check_keys(struct config_reader *reader, yaml_node_t *node,
		      const struct webhook_rule *rule)
{
	const char *format = formats[rule->format];
	bool is_mail = rule->format == WEBHOOK_EMAIL;

	if (rule->template && rule->format != WEBHOOK_JSON)
		return config_fail(reader, node, "has a template; only format json has one, not %s",
				   format);
	if (!rule->key_file != !kinds[rule->format].needs_key)
		return config_fail(
			reader, node, "%s \"key-file\", %s %s", rule->key_file ? "has" : "lacks",
			rule->key_file ? "which is not for" : "the receiver's key for", format);
	if (rule->digest_ms && !kinds[rule->format].digest_ms)
		return config_fail(reader, node, "has a digest; %s takes each action by itself",
				   format);
	if (is_mail && (!rule->from || !rule->n_to))
		return config_fail(reader, node, "lacks \"from\" or \"to\"");
	if (!is_mail && (rule->from || rule->n_to || rule->user || rule->password_file))
		return config_fail(
			reader, node,
			"has from, to, user or password-file; only format email has these");
	if (is_mail && (rule->url_file || rule->bearer_file || rule->header_file || rule->proxy))
		return config_fail(reader, node,
				   "has url-file, bearer-file, header-file or proxy; "
				   "format email has none of these");
	if (!rule->user != !rule->password_file)
		return config_fail(reader, node, "needs both of \"user\" and \"password-file\"");
	if (rule->url && is_mail == !strncmp(rule->url, "http", 4))
		return config_fail(
			reader, node,
			is_mail ? "needs as \"url\" smtp://RELAY or smtps://RELAY" :
				  "needs as \"url\" one that begins with http:// or https://");
	return 0;
}

static int read_webhook(struct config_reader *reader, yaml_node_t *node,
			const struct config_key *key, void *field)
{
	struct webhook_rule *rule = field;
	int r = config_map(reader, node, webhook_keys, rule);

	if (r < 0)
		return r;
	if (!rule->name)
		return config_fail(reader, node,
				   "lacks \"name\"; the log and the ledger call it by "
				   "that");
	if (!config_has(reader, node, "format"))
		return config_fail(reader, node,
				   "lacks \"format\"; give alertmanager, slack, teams, pagerduty, "
				   "opsgenie, json or email");
	r = set_defaults(reader, node, rule);
	if (r < 0)
		return r;
	if (!rule->url == !rule->url_file)
		return config_fail(reader, node, "needs one of \"url\" and \"url-file\"");
	return check_keys(reader, node, rule);
}

int config_webhooks(struct config_reader *reader, yaml_node_t *node, const struct config_key *key,
		    void *field)
{
	struct webhook_rules *rules = field;
	int r = config_list(reader, node, read_webhook, sizeof(*rules->items), WEBHOOKS_MAX,
			    (void **)&rules->items, &rules->n);

	for (size_t i = 1; r == 0 && i < rules->n; i++)
		for (size_t j = 0; r == 0 && j < i; j++)
			if (!strcmp(rules->items[i].name, rules->items[j].name))
				r = config_fail(reader, node, "has two of the name \"%s\"",
						rules->items[i].name);
	return r;
}

static int read_server(struct config_reader *reader, yaml_node_t *node,
		       const struct config_key *key, void *field)
{
	int r = node->type == YAML_SCALAR_NODE ?
			shared_config_server(field, (const char *)node->data.scalar.value) :
			-EINVAL;

	if (r != -EINVAL)
		return r;
	return config_fail(reader, node,
			   "is not a server; give valkey://HOST:PORT, or with TLS "
			   "valkeys://HOST:PORT, with the database behind a / if it is not 0, and "
			   "passwords in password-file");
}

static int read_nodes(struct config_reader *reader, yaml_node_t *node, const struct config_key *key,
		      void *field)
{
	const char *text = node->type == YAML_SCALAR_NODE ? (const char *)node->data.scalar.value :
							    "";
	unsigned n;
	int end = 0;

	if (*text < '1' || *text > '9' || sscanf(text, "%5u%n", &n, &end) != 1 || text[end])
		return config_fail_value(reader, node, "is not a number of nodes from 1 to 99999");
	*(uint32_t *)field = n;
	return 0;
}

#define SHARED(field) offsetof(struct shared_config, field)
static const struct config_key shared_keys[] = {
	{ "server", 0, .fn = read_server },
	{ "user", SHARED(user), .fn = config_string },
	{ "password-file", SHARED(password_file), .fn = config_path },
	{ "ca-file", SHARED(ca_file), .fn = config_path },
	{ "prefix", SHARED(prefix), .fn = config_name },
	{ "nodes", SHARED(nodes), .fn = read_nodes },
	{ NULL },
};

int config_shared(struct config_reader *reader, yaml_node_t *node, const struct config_key *key,
		  void *field)
{
	struct shared_config *config = field;
	int r = config_map(reader, node, shared_keys, config);

	if (r < 0)
		return r;
	if (!config->url)
		return config_fail(reader, node,
				   "lacks \"server\"; give one, as "
				   "valkey://10.0.0.1:6379");
	if (config->user && !config->password_file)
		return config_fail(reader, node, "has a user without a password-file");
	return 0;
}

static int read_interval(struct config_reader *reader, yaml_node_t *node,
			 const struct config_key *key, void *field)
{
	uint64_t ns;

	if (config_duration_of(node, &ns) < 0 || ns < OTLP_INTERVAL_MIN_NS ||
	    ns > OTLP_INTERVAL_MAX_NS)
		return config_fail_value(reader, node, "is not a time from 10s to 1h, as 60s");
	*(uint64_t *)field = ns;
	return 0;
}
_Static_assert(OTLP_INTERVAL_MIN_NS == 10 * 1000000000ULL &&
		       OTLP_INTERVAL_MAX_NS == 3600 * 1000000000ULL,
	       "as the sentence says");

#define OTLP(field) offsetof(struct otlp_config, field)
static const struct config_key otlp_keys[] = {
	{ "endpoint", OTLP(endpoint), .fn = read_url },
	{ "interval", OTLP(interval_ns), .fn = read_interval },
	{ "bearer-file", OTLP(bearer_file), .fn = config_path },
	{ "header-file", OTLP(header_file), .fn = config_path },
	{ "ca-file", OTLP(ca_file), .fn = config_path },
	{ "proxy", OTLP(proxy), .fn = read_url },
	{ NULL },
};

int config_otlp(struct config_reader *reader, yaml_node_t *node, const struct config_key *key,
		void *field)
{
	struct otlp_config *config = field;
	int r = config_map(reader, node, otlp_keys, config);

	if (r < 0)
		return r;
	/* Other exporters append the path of the signal to the endpoint; here it is used as given. */
	if (!config->endpoint || !strchr(strstr(config->endpoint, "//") + 2, '/'))
		return config_fail(reader, node,
				   "needs the whole URL as \"endpoint\", as "
				   "http://collector.example:4318/v1/metrics");
	return 0;
}

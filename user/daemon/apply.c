/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/apply.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "budget/match.h"
#include "config/last_good.h"
#include "config/places.h"
#include "config/serve.h"
#include "daemon/observers.h"
#include "daemon/overrides.h"
#include "daemon/remote_spend.h"
#include "daemon/restore.h"
#include "daemon/snapshot.h"
#include "enforce/watchdog.h"
#include "kube/kube.h"
#include "notify/webhook.h"
#include "shared/shared.h"
#include "tap/tap.h"

static bool is_same_text(const char *a, const char *b)
{
	return !strcmp(a ? a : "", b ? b : "");
}

/* What bears on all actions: whether they are carried out at all, and what is protected from them. */
static bool is_same_stance(const struct policy_rules *a, const struct policy_rules *b)
{
	bool same = a->enforce == b->enforce && a->n_protect == b->n_protect;

	for (size_t i = 0; same && i < a->n_protect; i++)
		same = match_is_same(&a->protect[i], &b->protect[i]);
	return same;
}

static bool is_same_host_list(const struct config *a, const struct config *b)
{
	bool same = a->n_hosts == b->n_hosts;

	for (size_t i = 0; same && i < a->n_hosts; i++)
		same = is_same_text(a->hosts[i].pattern, b->hosts[i].pattern) &&
		       is_same_text(a->hosts[i].provider, b->hosts[i].provider);
	return same;
}

static bool is_same_kube(const struct kube_config *a, const struct kube_config *b)
{
	return is_same_text(a->names.root, b->names.root) &&
	       is_same_text(a->names.kubelet, b->names.kubelet) &&
	       is_same_text(a->names.kubelet_ca, b->names.kubelet_ca) &&
	       is_same_text(a->names.api, b->names.api) &&
	       is_same_text(a->names.token, b->names.token) &&
	       is_same_text(a->names.ca, b->names.ca) &&
	       a->names.kubelet_insecure == b->names.kubelet_insecure &&
	       a->without_events == b->without_events;
}

/* What has changed and is read at the start only. */
static void warn_of_rest(const struct config *old, const struct config *new)
{
	if (old->serve.max_series != new->serve.max_series && old->serve.is_on &&new->serve.is_on)
		log_warn("serve.max-series is read at the start only, proceeding with %lu",
			 old->serve.max_series);
	if (old->find.mode != new->find.mode || old->find.returns != new->find.returns ||
	    !is_same_text(old->prices, new->prices) ||
	    !is_same_text(old->fingerprint_key, new->fingerprint_key) ||
	    !is_same_host_list(old, new) ||
	    !config_places_are_same(old->name_servers, old->n_name_servers, new->name_servers,
				    new->n_name_servers) ||
	    !config_places_are_same(old->proxies, old->n_proxies, new->proxies, new->n_proxies))
		log_warn(
			"attach, return-probes, prices, hosts, name-servers, proxies and "
			"api-key-fingerprint are read at the start only; restart aigress for those, proceeding with the ones it has");
	if (!is_same_kube(&old->kube, &new->kube) ||
	    !old->annotations.n_steps != !new->annotations.n_steps)
		log_warn("kubernetes, and whether namespaces are asked for annotations, is read at the "
			 "start only; restart aigress for that, proceeding as before");
	if (new->rules.enforce && !old->rules.enforce)
		log_warn("aigress began without enforcement and gave privileges away: live "
			 "connections in other network namespaces cannot be reset until a restart, "
			 "proceeding");
}

/* Steps 4a to 4f of apply.h: replaces the policy by one with no sums yet. */
static void replace_policy(struct daemon *daemon, struct policy *policy, int64_t now_us)
{
	struct policy *old = daemon->policy;
	int err;

	daemon->policy = policy;
	overrides_hand(daemon->overrides, policy, now_us);                            /* a */
	pipeline_policy(daemon->pipeline, policy);                                    /* b */
	err = restore(daemon->ledger, policy, daemon->enforcer, daemon->who, now_us); /* c */
	if (err)
		log_error("budgets could not be rebuilt whole from the ledger: %s, proceeding",
			  strerror(-err));
	shared_policy(daemon->shared, policy);                    /* d */
	enforcer_review(daemon->enforcer, policy, false, now_us); /* e */
	overrides_apply(daemon->overrides, daemon->enforcer, now_us);
	policy_free(old); /* f */
}

/* Step 1 of apply.h: what may fail, and then nothing has changed. */
static int prepare(struct daemon *daemon, const struct policy_rules *rules, struct policy **ret)
{
	int err = ledger_flush(daemon->ledger);

	if (!err && !daemon->watchdog && policy_rules_may_halt(rules))
		err = watchdog_new(&daemon->watchdog);
	if (err)
		return err;
	daemon->actuators.watchdog = daemon->watchdog;
	*ret = policy_new(rules);
	return *ret ? 0 : -ENOMEM;
}

/* What leaves this host: each goes on without what fails. */
static void reconfigure_outputs(struct daemon *daemon, const struct config *old)
{
	const struct config *new = &daemon->config;
	int err = webhooks_rules(daemon->webhooks, &new->webhooks);

	if (err)
		log_error("webhooks: %s, proceeding without some", strerror(-err));
	if (config_serve_is_same(&old->serve, &new->serve) &&
	    otlp_config_is_same(&old->otlp, &new->otlp))
		return;
	if (observers_configured(&daemon->observers, daemon) < 0)
		log_error("metrics and the status page: no memory, proceeding without");
}

int rules_apply(struct daemon *daemon, struct config *config)
{
	int64_t now_us = clock_wall_us();
	struct config old = daemon->config;
	struct policy *policy;
	int err = prepare(daemon, &config->rules, &policy); /* 1 */

	if (err)
		return err;
	daemon->config = *config; /* 2 */
	*config = (struct config){ 0 };
	enforcer_rules(daemon->enforcer, is_same_stance(&old.rules, &daemon->config.rules),
		       now_us);                 /* 3 */
	replace_policy(daemon, policy, now_us); /* 4 */
	remote_spend_begin(daemon);             /* 5 */
	reconfigure_outputs(daemon, &old);      /* 6 */
	rules_pin(daemon);                      /* 7 */
	err = rules_watch_overrides(daemon);
	if (err)
		log_error("overrides cannot be watched: %s, proceeding without new ones",
			  strerror(-err));
	(void)snapshot_put_rules(daemon->ledger, &daemon->config.rules);
	warn_of_rest(&old, &daemon->config); /* 8 */
	config_done(&old);
	return 0;
}

void config_is_broken(struct daemon *daemon, const char *sentence)
{
	snprintf(daemon->config_error, sizeof(daemon->config_error), "%s", sentence);
}

void config_warn(const struct config *config)
{
	for (const char *line = config->warnings; line && *line;) {
		size_t len = strcspn(line, "\n");

		log_warn("%.*s", (int)len, line);
		line += len + (line[len] == '\n');
	}
}

void config_publish(struct daemon *daemon)
{
	const char *path = daemon->options.config;
	int err;

	(void)snapshot_put_config(daemon->ledger, path, daemon->config.zone, daemon->config_error,
				  daemon->config.rules.is_restored);
	if (!path || daemon->config_error[0])
		return;
	err = last_good_save(daemon->options.state, path);
	if (err)
		log_debug("%s is not kept for a start with a broken one: %s", path, strerror(-err));
}

void rules_reload(struct daemon *daemon)
{
	const char *path = daemon->options.config;
	_cleanup_free_ char *sentence = NULL;
	uint64_t begin_ns = clock_mono_ns();
	struct config config;
	int err = config_load(&config, path, &sentence);

	if (!err && kube_annotate(daemon->kube, &config.annotations, &config.rules) < 0)
		log_error("budgets of some annotations are missing: %s, proceeding",
			  strerror(ENOMEM));
	if (!err) {
		config_warn(&config);
		err = rules_apply(daemon, &config);
		config_done(&config);
	}
	config_is_broken(daemon, !err ? "" : sentence ? sentence : strerror(-err));
	config_publish(daemon);
	if (err)
		log_error("%s; the rules in force stay", sentence ? sentence : strerror(-err));
	else
		log_info("%s is in force: %zu budget%s, %s, in %llu ms", path,
			 daemon->config.rules.n_budgets,
			 daemon->config.rules.n_budgets == 1 ? "" : "s",
			 daemon->config.rules.enforce ? "enforced" : "rehearsed",
			 (clock_mono_ns() - begin_ns) / NS_PER_MS);
}

int rules_rebuild(struct daemon *daemon)
{
	uint64_t begin_ns = clock_mono_ns();
	int err = ledger_flush(daemon->ledger);
	struct policy *policy = err ? NULL : policy_new(&daemon->config.rules);

	if (!policy)
		return err ? err : -ENOMEM;
	replace_policy(daemon, policy, clock_wall_us());
	observers_renamed(daemon->observers, daemon->ledger);
	log_debug("budgets were rebuilt in %llu ms", (clock_mono_ns() - begin_ns) / NS_PER_MS);
	return 0;
}

void rules_pin(struct daemon *daemon)
{
	int err = 0;

	if (daemon->config.rules.enforce && policy_rules_outlive(&daemon->config.rules))
		err = tap_pin(daemon->tap);
	else
		tap_unpin(daemon->tap);
	if (err)
		log_error("on-daemon-loss: hold cannot be kept (%s): gates will open when aigress ends; "
			  "it needs bpffs at /sys/fs/bpf, proceeding",
			  strerror(-err));
}

int rules_watch_overrides(struct daemon *daemon)
{
	if (!daemon->config.rules.n_budgets)
		return 0;
	return overrides_watch(daemon->overrides, daemon->loop, daemon->enforcer,
			       daemon->options.state);
}

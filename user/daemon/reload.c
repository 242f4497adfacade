/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/reload.h"

#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "budget/match.h"
#include "config/serve.h"
#include "daemon/observers.h"
#include "daemon/overrides.h"
#include "daemon/restore.h"
#include "enforce/watchdog.h"
#include "kube/kube.h"
#include "notify/webhook.h"
#include "shared/shared.h"

/* Editors write in several steps; a file is read when it has been left alone for so long. */
#define QUIET_NS (200 * NS_PER_MS)

struct reload {
	struct daemon *daemon;
	int inotify;
	struct stat seen;  /* the file that is in force */
	struct stat waits; /* the one that is read when it has been left alone */
	struct loop_source *hangup, *changes, *quiet;
};

static bool is_same_text(const char *a, const char *b)
{
	return !strcmp(a ? a : "", b ? b : "");
}

/* What decides of all deeds: whether they are done at all, and to whom never. */
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

static void warn_of_rest(const struct config *old, const struct config *new)
{
	if (old->serve.max_series != new->serve.max_series && old->serve.is_on &&new->serve.is_on)
		log_warn("serve.max-series is read at the start only, proceeding with %lu",
			 old->serve.max_series);
	if (old->find.mode != new->find.mode || old->find.returns != new->find.returns ||
	    !is_same_text(old->prices, new->prices) || !is_same_host_list(old, new))
		log_warn("attach, return-probes, prices and hosts are read at the start only; restart "
			 "aigress for those, proceeding with the ones it has");
	if (!is_same_kube(&old->kube, &new->kube) ||
	    !old->annotations.n_steps != !new->annotations.n_steps)
		log_warn("kubernetes, and whether namespaces are asked for annotations, is read at the "
			 "start only; restart aigress for that, proceeding as before");
	if (new->rules.enforce && !old->rules.enforce)
		log_warn("aigress began without enforcement and gave privileges away: live "
			 "connections in other network namespaces cannot be reset until a restart, "
			 "proceeding");
}

/* The other rules, or the same with other names in the ledger, from the ledger's calls. */
static void take_policy(struct daemon *daemon, struct policy *policy, int64_t now_us)
{
	struct policy *before = daemon->policy;
	int err;

	daemon->policy = policy;
	overrides_hand(daemon->overrides, policy, now_us);
	pipeline_policy(daemon->pipeline, policy);
	err = restore(daemon->ledger, policy, daemon->enforcer, daemon->who, now_us);
	if (err)
		log_error("budgets could not be rebuilt whole from the ledger: %s, proceeding",
			  strerror(-err));
	shared_policy(daemon->shared, policy);
	enforcer_review(daemon->enforcer, policy, false, now_us);
	overrides_apply(daemon->overrides, daemon->enforcer, now_us);
	policy_free(before);
}

int daemon_rebuild(struct daemon *daemon)
{
	uint64_t begin_ns = clock_mono_ns();
	int err = ledger_flush(daemon->ledger);
	struct policy *policy = err ? NULL : policy_new(&daemon->config.rules);

	if (!policy)
		return err ? err : -ENOMEM;
	take_policy(daemon, policy, clock_wall_us());
	log_debug("budgets were counted anew in %llu ms", (clock_mono_ns() - begin_ns) / NS_PER_MS);
	return 0;
}

/* All but the last step may fail, and then nothing has changed. */
static int take_over(struct daemon *daemon, struct config *new)
{
	int64_t now_us = clock_wall_us();
	struct config old = daemon->config;
	struct policy *policy;
	int err = ledger_flush(daemon->ledger);

	/* What the ledger could not take would be missing from sums that are rebuilt from it. */
	if (err)
		return err;
	if (!daemon->watchdog && policy_rules_may_halt(&new->rules))
		err = watchdog_new(&daemon->watchdog);
	if (err)
		return err;
	daemon->actuators.watchdog = daemon->watchdog;
	policy = policy_new(&new->rules);
	if (!policy)
		return -ENOMEM;
	daemon->config = *new;
	*new = (struct config){ 0 };
	enforcer_rules(daemon->enforcer, is_same_stance(&old.rules, &daemon->config.rules), now_us);
	take_policy(daemon, policy, now_us);
	daemon_remote_spend(daemon);
	err = webhooks_rules(daemon->webhooks, &daemon->config.webhooks);
	if (err)
		log_error("webhooks: %s, proceeding without some", strerror(-err));
	if ((!config_serve_is_same(&old.serve, &daemon->config.serve) ||
	     !otlp_config_is_same(&old.otlp, &daemon->config.otlp)) &&
	    observers_configured(&daemon->observers, daemon) < 0)
		log_error("metrics and the status page: no memory, proceeding without");
	daemon_pin_if_needed(daemon);
	warn_of_rest(&old, &daemon->config);
	config_done(&old);
	return 0;
}

static void read_again(struct reload *reload)
{
	struct daemon *daemon = reload->daemon;
	const char *path = daemon->options.config;
	_cleanup_free_ char *sentence = NULL;
	uint64_t begin_ns = clock_mono_ns();
	struct config config;
	int err;

	memset(&reload->seen, 0, sizeof(reload->seen));
	(void)stat(path, &reload->seen);
	reload->waits = reload->seen;
	err = config_load(&config, path, &sentence);
	if (!err && kube_annotate(daemon->kube, &config.annotations, &config.rules) < 0)
		log_error("budgets of some annotations are missing: %s, proceeding",
			  strerror(ENOMEM));
	if (!err) {
		err = take_over(daemon, &config);
		config_done(&config);
	}
	if (!err)
		err = daemon_overrides_if_needed(daemon);
	if (err)
		log_error("%s; the rules in force stay", sentence ? sentence : strerror(-err));
	else
		log_info("%s is in force: %zu budgets, %s, in %llu ms", path,
			 daemon->config.rules.n_budgets,
			 daemon->config.rules.enforce ? "enforced" : "rehearsed",
			 (clock_mono_ns() - begin_ns) / NS_PER_MS);
}

void reload_now(struct reload *reload)
{
	read_again(reload);
}

static void on_hangup(void *arg)
{
	read_again(arg);
}

static bool is_same_file(const struct stat *a, const struct stat *b)
{
	return a->st_ino == b->st_ino && a->st_dev == b->st_dev && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/*
 * Something happened in the directory, which may be the ledger's, too. The file alone is looked at,
 * not the names of what changed: in a ConfigMap's folder it is a link that is swapped.
 */
static void on_change(void *arg)
{
	struct reload *reload = arg;
	struct stat now;
	char buf[4096];

	while (read(reload->inotify, buf, sizeof(buf)) > 0)
		;
	/* Gone for a moment, between two steps of an editor: the file in force stays. */
	if (stat(reload->daemon->options.config, &now) < 0 || is_same_file(&now, &reload->waits))
		return;
	reload->waits = now;
	(void)loop_arm(reload->quiet, QUIET_NS);
}

static void on_quiet(void *arg)
{
	struct reload *reload = arg;

	(void)loop_arm(reload->quiet, 0);
	if (!is_same_file(&reload->waits, &reload->seen))
		read_again(reload);
}

/* The directory: a file that is replaced by a rename is another one, and the watch would be lost. */
static int watch(struct reload *reload)
{
	_cleanup_free_ char *copy = strdup(reload->daemon->options.config);

	if (!copy)
		return -ENOMEM;
	reload->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (reload->inotify < 0 || inotify_add_watch(reload->inotify, dirname(copy),
						     IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE) < 0)
		return -errno;
	return 0;
}

int reload_new(struct reload **ret, struct daemon *daemon)
{
	struct reload *reload;
	int err;

	*ret = NULL;
	if (!daemon->options.config)
		return 0;
	reload = calloc(1, sizeof(*reload));
	if (!reload)
		return -ENOMEM;
	reload->daemon = daemon;
	reload->inotify = -1;
	(void)stat(daemon->options.config, &reload->seen);
	reload->waits = reload->seen;
	err = watch(reload);
	if (!err)
		err = loop_add_signal(daemon->loop, SIGHUP, on_hangup, reload, &reload->hangup);
	if (!err)
		err = loop_add_fd(daemon->loop, reload->inotify, on_change, reload,
				  &reload->changes);
	if (!err)
		err = loop_add_timer(daemon->loop, QUIET_NS, on_quiet, reload, &reload->quiet);
	if (!err)
		err = loop_arm(reload->quiet, 0);
	if (err) {
		reload_free(reload);
		return err;
	}
	*ret = reload;
	return 0;
}

struct reload *reload_free(struct reload *reload)
{
	if (!reload)
		return NULL;
	loop_remove(reload->hangup);
	loop_remove(reload->changes);
	loop_remove(reload->quiet);
	if (reload->inotify >= 0)
		close(reload->inotify);
	free(reload);
	return NULL;
}

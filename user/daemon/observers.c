/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/observers.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "daemon/pages.h"
#include "find/finder.h"
#include "ledger/forecast.h"
#include "metrics/otlp.h"
#include "web/serve.h"
#include "web/status.h"

#define AGAIN_NS (5 * NS_PER_S)
#define DRAIN_NS (10 * NS_PER_S) /* events may wait no longer */

struct observers {
	struct daemon *daemon;
	struct metrics *metrics;
	struct status *status;
	struct history *history;                 /* what the hours of a month cost */
	struct zone *zone;                       /* of zone_name */
	char *zone_name;                         /* as configured; "": the host's */
	struct forecast forecasts[HISTORY_SUMS]; /* as they were last asked for */
	struct serve *serve;                     /* NULL: nothing listens */
	struct otlp *otlp;                       /* NULL: nothing is pushed */
	struct loop_source *again;
	uint64_t waiting_ns; /* events were seen to wait at this time, and since; 0: none do */
	int commit_err;
	int64_t started_us;
	bool is_logged; /* that the port is taken */
};

static size_t max_series(const struct config *config)
{
	return config->serve.is_on ? config->serve.max_series : METRICS_SERIES;
}

/* The zone may have changed with the configuration. False: no memory, and there is no forecast. */
static bool find_zone(struct observers *observers)
{
	const char *name = observers->daemon->config.zone ? observers->daemon->config.zone : "";

	if (observers->zone && !strcmp(observers->zone_name, name))
		return true;
	observers->zone = zone_free(observers->zone);
	free(observers->zone_name);
	observers->zone_name = strdup(name);
	if (!observers->zone_name)
		return false;
	if (zone_load(&observers->zone, *name ? name : NULL) < 0)
		(void)zone_load(&observers->zone, "UTC");
	return observers->zone;
}

static const struct forecast *forecasts_of(struct observers *observers)
{
	if (!observers->history || !find_zone(observers))
		return NULL;
	for (enum history_sum sum = 0; sum < HISTORY_SUMS; sum++)
		forecast_make(observers->history, observers->zone, sum, clock_wall_us(),
			      &observers->forecasts[sum]);
	return observers->forecasts;
}

static struct scrape_sources sources_of(struct observers *observers)
{
	const struct daemon *daemon = observers->daemon;
	struct find_stats find = { 0 };

	if (daemon->finder)
		finder_stats(daemon->finder, &find);
	return (struct scrape_sources){
		.forecasts = forecasts_of(observers),
		.looks_given_up = find.looks_given_up,
		.looks_refused = find.looks_refused,
		.files_refused = find.files_refused,
		.files_set_aside = find.files_set_aside,
		.processes_refused = find.processes_refused,
		.greetings_crowded = find.crowded,
		.attach_failures = find.attach_failures,
		.version = daemon->options.version,
		.pipeline = daemon->pipeline,
		.trends = daemon->trends,
		.policy = daemon->policy,
		.enforcer = daemon->enforcer,
		.ledger = daemon->ledger,
		.prices = daemon->prices,
		.tap = daemon->tap,
		.is_ledger_failing = observers->commit_err < 0,
		.enforce = daemon->config.rules.enforce,
		.config_error = daemon->config_error[0] ? daemon->config_error : NULL,
		.prices_error = daemon->prices_error[0] ? daemon->prices_error : NULL,
		.max_series = max_series(&daemon->config),
		.started_us = observers->started_us,
		.is_pod = getenv("KUBERNETES_SERVICE_HOST"),
	};
}

/* That this runs shows that the loop does; what is left to check is whether events come through. */
static bool on_healthy(void *arg, char *buf, size_t size)
{
	struct observers *observers = arg;
	struct pollfd ring = { .fd = tap_fd(observers->daemon->tap), .events = POLLIN };
	uint64_t now_ns = clock_mono_ns();

	if (poll(&ring, 1, 0) != 1)
		observers->waiting_ns = 0;
	else if (!observers->waiting_ns)
		observers->waiting_ns = now_ns;
	if (!observers->waiting_ns || now_ns - observers->waiting_ns < DRAIN_NS)
		return true;
	snprintf(buf, size, "events have waited in the ring for %llu s",
		 (now_ns - observers->waiting_ns) / NS_PER_S);
	return false;
}

static bool on_ready(void *arg, char *buf, size_t size)
{
	struct observers *observers = arg;
	struct daemon *daemon = observers->daemon;

	if (!daemon->finder)
		snprintf(buf, size, "probes are not in yet");
	else if (!prices_count(daemon->prices))
		snprintf(buf, size, "no prices are loaded");
	else if (observers->commit_err < 0)
		snprintf(buf, size, "the ledger cannot be written: %s, %lu calls wait",
			 strerror(-observers->commit_err), ledger_pending(daemon->ledger));
	else
		return on_healthy(arg, buf, size);
	return false;
}

static struct scrape *on_scrape(void *arg, enum exposition_format format)
{
	struct observers *observers = arg;
	struct scrape_sources sources = sources_of(observers);

	return scrape_new(observers->metrics, &sources, format, clock_mono_ns(), clock_wall_us());
}

static char *on_status(void *arg)
{
	struct observers *observers = arg;
	struct scrape_sources sources = sources_of(observers);
	char trouble[512] = "";

	if (on_ready(observers, trouble, sizeof(trouble)))
		trouble[0] = '\0';
	return status_json(observers->status, &sources, observers->metrics->node, trouble,
			   clock_wall_us(), clock_mono_ns());
}

static struct aside_work *on_timeline(void *arg)
{
	struct observers *observers = arg;

	return pages_timeline(observers->daemon->options.state, observers->daemon->config.zone);
}

static struct aside_work *on_caller(void *arg, const char *who)
{
	struct observers *observers = arg;

	return pages_caller(observers->daemon->options.state, observers->daemon->config.zone, who);
}

static int try_to_serve(struct observers *observers)
{
	_cleanup_free_ char *sentence = NULL;
	const struct daemon *daemon = observers->daemon;
	const struct serve_content content = { .scrape = on_scrape,
					       .status = on_status,
					       .timeline = on_timeline,
					       .caller = on_caller,
					       .healthy = on_healthy,
					       .ready = on_ready,
					       .arg = observers };
	int err = serve_new(&observers->serve, daemon->loop, &daemon->config.serve, &content,
			    &sentence);

	if (err && !observers->is_logged)
		log_warn("%s:%u: serve: metrics and the status page are not served: %s%s, proceeding and "
			 "trying again",
			 daemon->options.config, daemon->config.serve_line,
			 sentence ? sentence : strerror(-err),
			 err == -EADDRINUSE ?
				 " (another program has that port: give another with listen)" :
				 "");
	if (!err && observers->is_logged)
		log_info("metrics and the status page are served now");
	observers->is_logged = err;
	return loop_arm(observers->again, err ? AGAIN_NS : 0);
}

static void on_again(void *arg)
{
	(void)try_to_serve(arg);
}

/* What the configuration asks for now. */
static int show(struct observers *observers)
{
	struct daemon *daemon = observers->daemon;
	int err = daemon->config.otlp.endpoint ?
			  otlp_new(&observers->otlp, daemon->loop, daemon->fetcher,
				   &daemon->config.otlp, on_scrape, observers) :
			  0;

	if (!err && daemon->config.serve.is_on)
		err = try_to_serve(observers);
	return err;
}

static void hide(struct observers *observers)
{
	observers->serve = serve_free(observers->serve); /* scrapes in progress end here */
	observers->otlp = otlp_free(observers->otlp);
	(void)loop_arm(observers->again, 0);
}

static bool is_wanted(const struct config *config)
{
	return config->serve.is_on || config->otlp.endpoint;
}

int observers_new(struct observers **ret, struct daemon *daemon)
{
	struct observers *observers;
	int err;

	*ret = NULL;
	if (!is_wanted(&daemon->config))
		return 0;
	observers = calloc(1, sizeof(*observers));
	if (!observers)
		return -ENOMEM;
	observers->daemon = daemon;
	observers->started_us = clock_wall_us();
	observers->metrics = metrics_new(max_series(&daemon->config), daemon->node);
	observers->status = status_new(daemon->ledger, clock_wall_us(), clock_mono_ns());
	observers->history = calloc(1, sizeof(*observers->history));
	err = observers->metrics && observers->status && observers->history ? 0 : -ENOMEM;
	/* Without it the forecast begins with what is spent from now on. */
	if (!err && find_zone(observers))
		(void)history_load(observers->history, daemon->ledger, observers->zone, NULL,
				   clock_wall_us());
	if (!err)
		err = loop_add_timer(daemon->loop, AGAIN_NS, on_again, observers, &observers->again);
	if (!err)
		err = loop_arm(observers->again, 0);
	if (!err)
		err = show(observers);
	if (err) {
		observers_free(observers);
		return err;
	}
	*ret = observers;
	return 0;
}

struct observers *observers_free(struct observers *observers)
{
	if (!observers)
		return NULL;
	if (observers->again)
		hide(observers);
	loop_remove(observers->again);
	status_free(observers->status);
	zone_free(observers->zone);
	free(observers->zone_name);
	free(observers->history);
	metrics_free(observers->metrics);
	free(observers);
	return NULL;
}

void observers_call(struct observers *observers, const struct ledger_call *call)
{
	uint64_t now_ns = clock_mono_ns();

	if (!observers)
		return;
	metrics_call(observers->metrics, call, now_ns);
	status_call(observers->status, call, now_ns);
	history_add(observers->history, call->start_us,
		    call->charge->is_priced ? call->charge->cost_nanos : 0,
		    call->charge->budget_nanos);
}

void observers_action(struct observers *observers, const struct ledger_action *action)
{
	if (!observers)
		return;
	metrics_action(observers->metrics, action, clock_mono_ns());
	status_action(observers->status, action);
}

void observers_drained(struct observers *observers)
{
	if (observers)
		observers->waiting_ns = 0;
}

void observers_committed(struct observers *observers, int err)
{
	if (observers)
		observers->commit_err = err;
}

void observers_renamed(struct observers *observers, struct ledger *ledger)
{
	if (observers)
		status_rename(observers->status, ledger, clock_wall_us(), clock_mono_ns());
}

void observers_expire(struct observers *observers)
{
	if (!observers)
		return;
	metrics_expire(observers->metrics, clock_mono_ns());
	status_expire(observers->status, clock_mono_ns());
}

int observers_configured(struct observers **observers, struct daemon *daemon)
{
	/* The counters go on, whoever may see them from now on. */
	if (!*observers || !is_wanted(&daemon->config)) {
		*observers = observers_free(*observers);
		return observers_new(observers, daemon);
	}
	hide(*observers);
	return show(*observers);
}

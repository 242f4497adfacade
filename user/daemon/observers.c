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
#include "metrics/otlp.h"
#include "web/serve.h"
#include "web/status.h"

#define AGAIN_NS (5 * NS_PER_S)
#define DRAIN_NS (10 * NS_PER_S) /* events may wait no longer */

struct shown {
	struct daemon *daemon;
	struct metrics *metrics;
	struct status *status;
	struct serve *serve; /* NULL: nothing listens */
	struct otlp *otlp;   /* NULL: nothing is pushed */
	struct loop_source *again;
	uint64_t waiting_ns; /* events were seen to wait at this time, and since; 0: none do */
	int commit_err;
	int64_t started_us;
	bool is_told; /* that the port is taken */
};

static size_t max_series(const struct config *config)
{
	return config->serve.is_on ? config->serve.max_series : METRICS_SERIES;
}

static struct scrape_sources sources_of(const struct shown *shown)
{
	const struct daemon *daemon = shown->daemon;

	return (struct scrape_sources){
		.version = daemon->options.version,
		.pipeline = daemon->pipeline,
		.policy = daemon->policy,
		.act = daemon->act,
		.ledger = daemon->ledger,
		.prices = daemon->prices,
		.tap = daemon->tap,
		.is_ledger_failing = shown->commit_err < 0,
		.enforce = daemon->config.rules.enforce,
		.max_series = max_series(&daemon->config),
		.started_us = shown->started_us,
		.is_pod = getenv("KUBERNETES_SERVICE_HOST"),
	};
}

/* The loop answers, or nobody would; what is left to see is whether events come through. */
static bool on_healthy(void *arg, char *buf, size_t size)
{
	struct shown *shown = arg;
	struct pollfd ring = { .fd = tap_fd(shown->daemon->tap), .events = POLLIN };
	uint64_t now_ns = clock_mono_ns();

	if (poll(&ring, 1, 0) != 1)
		shown->waiting_ns = 0;
	else if (!shown->waiting_ns)
		shown->waiting_ns = now_ns;
	if (!shown->waiting_ns || now_ns - shown->waiting_ns < DRAIN_NS)
		return true;
	snprintf(buf, size, "events have waited in the ring for %llu s",
		 (now_ns - shown->waiting_ns) / NS_PER_S);
	return false;
}

static bool on_ready(void *arg, char *buf, size_t size)
{
	struct shown *shown = arg;
	struct daemon *daemon = shown->daemon;

	if (!daemon->find)
		snprintf(buf, size, "probes are not in yet");
	else if (!prices_count(daemon->prices))
		snprintf(buf, size, "no prices are loaded");
	else if (shown->commit_err < 0)
		snprintf(buf, size, "the ledger cannot be written: %s, %lu calls wait",
			 strerror(-shown->commit_err), ledger_pending(daemon->ledger));
	else
		return on_healthy(arg, buf, size);
	return false;
}

static struct scrape *on_scrape(void *arg, enum exposition_format format)
{
	struct shown *shown = arg;
	struct scrape_sources sources = sources_of(shown);

	return scrape_new(shown->metrics, &sources, format, clock_mono_ns(), clock_wall_us());
}

static char *on_status(void *arg)
{
	struct shown *shown = arg;
	struct scrape_sources sources = sources_of(shown);
	char trouble[512] = "";

	if (on_ready(shown, trouble, sizeof(trouble)))
		trouble[0] = '\0';
	return status_json(shown->status, &sources, shown->metrics->node, trouble, clock_wall_us(),
			   clock_mono_ns());
}

static int try_to_serve(struct shown *shown)
{
	_cleanup_free_ char *sentence = NULL;
	const struct serve_content content = { .scrape = on_scrape,
					       .status = on_status,
					       .healthy = on_healthy,
					       .ready = on_ready,
					       .arg = shown };
	int err = serve_new(&shown->serve, shown->daemon->loop, &shown->daemon->config.serve,
			    &content, &sentence);

	if (err && !shown->is_told)
		log_warn("metrics and the status page are not served: %s, proceeding and trying again",
			 sentence ? sentence : strerror(-err));
	if (!err && shown->is_told)
		log_info("metrics and the status page are served now");
	shown->is_told = err;
	return loop_arm(shown->again, err ? AGAIN_NS : 0);
}

static void on_again(void *arg)
{
	(void)try_to_serve(arg);
}

/* What the configuration asks for now. */
static int show(struct shown *shown)
{
	struct daemon *daemon = shown->daemon;
	int err = daemon->config.otlp.endpoint ?
			  otlp_new(&shown->otlp, daemon->loop, daemon->fetcher,
				   &daemon->config.otlp, on_scrape, shown) :
			  0;

	if (!err && daemon->config.serve.is_on)
		err = try_to_serve(shown);
	return err;
}

static void hide(struct shown *shown)
{
	shown->serve = serve_free(shown->serve); /* scrapes in progress end here */
	shown->otlp = otlp_free(shown->otlp);
	(void)loop_arm(shown->again, 0);
}

static bool is_wanted(const struct config *config)
{
	return config->serve.is_on || config->otlp.endpoint;
}

int shown_new(struct shown **ret, struct daemon *daemon)
{
	struct shown *shown;
	int err;

	*ret = NULL;
	if (!is_wanted(&daemon->config))
		return 0;
	shown = calloc(1, sizeof(*shown));
	if (!shown)
		return -ENOMEM;
	shown->daemon = daemon;
	shown->started_us = clock_wall_us();
	shown->metrics = metrics_new(max_series(&daemon->config), daemon->node);
	shown->status = status_new(daemon->ledger, clock_wall_us(), clock_mono_ns());
	err = shown->metrics && shown->status ? 0 : -ENOMEM;
	if (!err)
		err = loop_add_timer(daemon->loop, AGAIN_NS, on_again, shown, &shown->again);
	if (!err)
		err = loop_arm(shown->again, 0);
	if (!err)
		err = show(shown);
	if (err) {
		shown_free(shown);
		return err;
	}
	*ret = shown;
	return 0;
}

struct shown *shown_free(struct shown *shown)
{
	if (!shown)
		return NULL;
	if (shown->again)
		hide(shown);
	loop_remove(shown->again);
	status_free(shown->status);
	metrics_free(shown->metrics);
	free(shown);
	return NULL;
}

void shown_call(struct shown *shown, const struct ledger_call *call)
{
	uint64_t now_ns = clock_mono_ns();

	if (!shown)
		return;
	metrics_call(shown->metrics, call, now_ns);
	status_call(shown->status, call, now_ns);
}

void shown_action(struct shown *shown, const struct ledger_action *action)
{
	if (!shown)
		return;
	metrics_action(shown->metrics, action, clock_mono_ns());
	status_action(shown->status, action);
}

void shown_drained(struct shown *shown)
{
	if (shown)
		shown->waiting_ns = 0;
}

void shown_committed(struct shown *shown, int err)
{
	if (shown)
		shown->commit_err = err;
}

void shown_expire(struct shown *shown)
{
	if (!shown)
		return;
	metrics_expire(shown->metrics, clock_mono_ns());
	status_expire(shown->status, clock_mono_ns());
}

int shown_configured(struct shown **shown, struct daemon *daemon)
{
	/* The counters go on, whoever may see them from now on. */
	if (!*shown || !is_wanted(&daemon->config)) {
		*shown = shown_free(*shown);
		return shown_new(shown, daemon);
	}
	hide(*shown);
	return show(*shown);
}

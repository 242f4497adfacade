/* SPDX-License-Identifier: Apache-2.0 */
#include "kube/events.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/fetch.h"
#include "base/log.h"
#include "base/loop.h"

#define PAUSE_NS (300 * NS_PER_S) /* after a refusal: the right may have been granted by then */
#define RETRY_NS (5 * NS_PER_S)
#define RETRIES  5
#define TEXT_LEN 64

struct event {
	TAILQ_ENTRY(event) link; /* oldest change first */
	char uid[WHO_UID_LEN];
	char namespace[64], pod[WHO_NAME_LEN];
	char reason[32], action[16], budget[65];
	char name[WHO_NAME_LEN]; /* of the object; empty: not created yet */
	char message[512];
	bool is_warning, is_due;
	unsigned count, tries;
	int64_t first_us, last_us;
	uint64_t sent_ns;
};

struct events {
	struct fetcher *fetcher;
	const struct names_config *config;
	struct loop_source *timer;
	struct fetch *fetch;
	struct event *sending;
	unsigned sent_count; /* its count, as it was sent */
	TAILQ_HEAD(list, event) list;
	size_t n;
	uint64_t pause_ns;
	bool is_refused;
};

/* ---- what is reported ---- */

static const struct {
	const char *action, *reason;
} reasons[] = {
	{ "note", "AigressNoted" },    { "pace", "AigressPaced" },   { "refuse", "AigressRefused" },
	{ "freeze", "AigressFrozen" }, { "stop", "AigressStopped" }, { "kill", "AigressKilled" },
};

/* NULL: not reported, such as an action that failed or was refused by `protect`. */
static const char *reason_of(const struct ledger_action *action)
{
	if (action->outcome == ACTION_ENDED)
		return "AigressEnded";
	if (action->is_rehearsed)
		return "AigressRehearsed";
	if (action->outcome != ACTION_DONE && action->outcome != ACTION_FINISHED)
		return NULL;
	for (size_t i = 0; i < ARRAY_SIZE(reasons); i++)
		if (!strcmp(action->action, reasons[i].action))
			return reasons[i].reason;
	return NULL;
}

static void write_message(const struct ledger_action *action, char *buf, size_t size)
{
	char spent[MONEY_LEN], limit[MONEY_LEN], of[MONEY_LEN + 16] = "";
	/* The one counter of a budget per match is called as the budget. */
	bool is_whole = !strcmp(action->subject, action->budget);
	const char *open = is_whole ? "" : " (", *close = is_whole ? "" : ")";
	const char *counter = is_whole ? "" : action->subject;

	if (action->limit_nanos)
		snprintf(of, sizeof(of), " of %s USD", money_format(action->limit_nanos, limit));
	if (action->limit_tokens)
		snprintf(buf, size, "budget %s%s%s%s: %s: %lu of %lu tokens spent; %s",
			 action->budget, open, counter, close, action->action, action->spent_tokens,
			 action->limit_tokens, action->result);
	else
		snprintf(buf, size, "budget %s%s%s%s: %s: %s%s%s spent; %s", action->budget, open,
			 counter, close, action->action, money_format(action->spent_nanos, spent),
			 *of ? "" : " USD", of, action->result);
}

static struct event *find(struct events *events, const char *uid, const char *reason,
			  const struct ledger_action *action)
{
	struct event *event;

	TAILQ_FOREACH(event, &events->list, link)
		if (!strcmp(event->uid, uid) && !strcmp(event->reason, reason) &&
		    !strcmp(event->action, action->action) &&
		    !strcmp(event->budget, action->budget) &&
		    action->time_us - event->first_us < EVENTS_HOUR_US)
			return event;
	return NULL;
}

static void drop(struct events *events, struct event *event)
{
	if (events->sending == event) {
		events->fetch = fetch_cancel(events->fetch);
		events->sending = NULL;
	}
	TAILQ_REMOVE(&events->list, event, link);
	events->n--;
	free(event);
}

static struct event *add(struct events *events, const struct who_pod *pod, const char *uid,
			 const char *reason, const struct ledger_action *action)
{
	struct event *event = calloc(1, sizeof(*event));

	if (!event)
		return NULL;
	if (events->n >= EVENTS_MAX)
		drop(events, TAILQ_FIRST(&events->list));
	snprintf(event->uid, sizeof(event->uid), "%s", uid);
	snprintf(event->namespace, sizeof(event->namespace), "%.63s", pod->namespace);
	snprintf(event->pod, sizeof(event->pod), "%s", pod->name);
	snprintf(event->reason, sizeof(event->reason), "%s", reason);
	snprintf(event->action, sizeof(event->action), "%.15s", action->action);
	snprintf(event->budget, sizeof(event->budget), "%.64s", action->budget);
	event->is_warning = !action->is_rehearsed && strcmp(reason, "AigressEnded");
	event->first_us = action->time_us;
	TAILQ_INSERT_TAIL(&events->list, event, link);
	events->n++;
	return event;
}

void events_tell(struct events *events, const struct who_pod *pod,
		 const struct ledger_action *action)
{
	/* kubectl looks for a static pod's events by its hash. */
	const char *uid = pod->hash[0] ? pod->hash : pod->uid, *reason = reason_of(action);
	struct event *event;

	if (!reason || !pod->namespace[0] || !pod->name[0])
		return;
	event = find(events, uid, reason, action);
	if (!event)
		event = add(events, pod, uid, reason, action);
	if (!event)
		return;
	event->count++;
	event->last_us = action->time_us;
	event->is_due = true;
	event->tries = 0;
	write_message(action, event->message, sizeof(event->message));
	(void)loop_arm(events->timer, 1);
}

/* ---- requests ---- */

static void format_time(int64_t us, char buf[TEXT_LEN])
{
	time_t s = (time_t)(us / 1000000);
	struct tm tm;

	gmtime_r(&s, &tm);
	strftime(buf, TEXT_LEN, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

/* Two events with the same name, from the same microsecond, do no harm. */
static void make_name(const struct event *event, char name[WHO_NAME_LEN])
{
	snprintf(name, WHO_NAME_LEN, "%.200s.a%llx", event->pod,
		 (unsigned long long)clock_ns(CLOCK_REALTIME));
}

static json_t *new_body(const struct events *events, const struct event *event, const char *name)
{
	char first[TEXT_LEN], last[TEXT_LEN];

	format_time(event->first_us, first);
	format_time(event->last_us, last);
	return json_pack("{s:s, s:s, s:{s:s, s:s}, s:{s:s, s:s, s:s, s:s, s:s}, s:s, s:s, s:s, "
			 "s:{s:s, s:s}, s:s, s:s, s:i}",
			 "apiVersion", "v1", "kind", "Event", "metadata", "name", name, "namespace",
			 event->namespace, "involvedObject", "apiVersion", "v1", "kind", "Pod",
			 "uid", event->uid, "namespace", event->namespace, "name", event->pod,
			 "reason", event->reason, "message", event->message, "type",
			 event->is_warning ? "Warning" : "Normal", "source", "component", "aigress",
			 "host", events->config->node ? events->config->node : "", "firstTimestamp",
			 first, "lastTimestamp", last, "count", (int)event->count);
}

static json_t *more_body(const struct event *event)
{
	char last[TEXT_LEN];

	format_time(event->last_us, last);
	return json_pack("{s:i, s:s, s:s}", "count", (int)event->count, "lastTimestamp", last,
			 "message", event->message);
}

static void on_done(void *arg, const struct fetch_answer *answer)
{
	struct events *events = arg;
	struct event *event = events->sending;
	bool taken = !answer->err && answer->status / 100 == 2;

	events->fetch = NULL;
	events->sending = NULL;
	(void)loop_arm(events->timer, EVENTS_EACH_NS);
	if (taken) {
		events->is_refused = false;
		event->is_due = event->count != events->sent_count;
		return;
	}
	if (!answer->err && (answer->status == 401 || answer->status == 403)) {
		if (!events->is_refused)
			log_warn("events cannot be told: %d, its token may not create and patch events; "
				 "proceeding without",
				 answer->status);
		events->is_refused = true;
		events->pause_ns = clock_mono_ns() + PAUSE_NS;
		return;
	}
	/*
	 * The event has expired, and the next one is created anew. Or its namespace is gone, and the event is
	 * dropped.
	 */
	event->name[0] = '\0';
	if (++event->tries >= RETRIES ||
	    (!answer->err && answer->status / 100 == 4 && answer->status != 404 &&
	     answer->status != 409 && answer->status != 429))
		event->is_due = false;
	else if (answer->status != 404)
		events->pause_ns = clock_mono_ns() + RETRY_NS;
}

static void send_event(struct events *events, struct event *event)
{
	static const char *const merge[] = { "Content-Type: application/merge-patch+json", NULL };
	static const char *const json[] = { "Content-Type: application/json", NULL };
	const struct names_config *config = events->config;
	bool is_new = !event->name[0];
	struct fetch_request request = {
		.method = is_new ? "POST" : "PATCH",
		.headers = is_new ? json : merge,
		.bearer_file = config->token,
		.tls.ca_file = config->ca,
		.timeout_ms = 10000,
		.done = on_done,
		.arg = events,
	};
	_cleanup_free_ char *body = NULL;
	char url[1024];
	json_t *object;

	if (is_new)
		make_name(event, event->name);
	object = is_new ? new_body(events, event, event->name) : more_body(event);
	body = object ? json_dumps(object, JSON_COMPACT) : NULL;
	json_decref(object);
	snprintf(url, sizeof(url), "%s/api/v1/namespaces/%s/events%s%s", config->api,
		 event->namespace, is_new ? "" : "/", is_new ? "" : event->name);
	request.url = url;
	request.body = body;
	request.body_len = body ? strlen(body) : 0;
	event->sent_ns = clock_mono_ns();
	events->sending = event;
	events->sent_count = event->count;
	if (body && !fetch_start(events->fetcher, &request, &events->fetch))
		return;
	/* Without a token or memory, as if the server had not answered. */
	events->sending = NULL;
	if (is_new)
		event->name[0] = '\0';
	event->is_due = ++event->tries < RETRIES;
	events->pause_ns = clock_mono_ns() + RETRY_NS;
}

/* The next event to send, and when: now, later (ns from now), or never (0). */
static struct event *next(struct events *events, uint64_t *ret_wait_ns)
{
	uint64_t now_ns = clock_mono_ns(), wait_ns = 0;
	struct event *event;

	TAILQ_FOREACH(event, &events->list, link) {
		uint64_t at_ns = event->sent_ns ? event->sent_ns + EVENTS_SAME_NS : 0;

		if (!event->is_due)
			continue;
		if (at_ns < events->pause_ns)
			at_ns = events->pause_ns;
		if (at_ns <= now_ns)
			return event;
		if (!wait_ns || at_ns - now_ns < wait_ns)
			wait_ns = at_ns - now_ns;
	}
	*ret_wait_ns = wait_ns;
	return NULL;
}

static void on_timer(void *arg)
{
	struct events *events = arg;
	uint64_t wait_ns = 0;
	struct event *event;

	if (events->fetch)
		return (void)loop_arm(events->timer, 0);
	event = next(events, &wait_ns);
	(void)loop_arm(events->timer, event ? EVENTS_EACH_NS : wait_ns);
	if (event)
		send_event(events, event);
}

int events_new(struct events **ret, struct loop *loop, struct fetcher *fetcher,
	       const struct names_config *config)
{
	struct events *events = calloc(1, sizeof(*events));
	int err;

	if (!events)
		return -ENOMEM;
	events->fetcher = fetcher;
	events->config = config;
	TAILQ_INIT(&events->list);
	err = loop_add_timer(loop, EVENTS_EACH_NS, on_timer, events, &events->timer);
	if (!err)
		err = loop_arm(events->timer, 0);
	if (err) {
		events_free(events);
		return err;
	}
	*ret = events;
	return 0;
}

struct events *events_free(struct events *events)
{
	struct event *event;

	if (!events)
		return NULL;
	fetch_cancel(events->fetch);
	events->fetch = NULL;
	events->sending = NULL;
	while ((event = TAILQ_FIRST(&events->list)))
		drop(events, event);
	loop_remove(events->timer);
	free(events);
	return NULL;
}

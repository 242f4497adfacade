/* SPDX-License-Identifier: Apache-2.0 */
#include "notify/webhook.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "budget/policy.h"
#include "notify/deliver.h"
#include "notify/notice.h"

#define RETRY_MIN_MS      1000
#define RETRY_AFTER_MAX_S 3600
#define TURN              256 /* rows looked at in one turn of the loop */
#define ERROR_LEN         160

/* Rows that are sent together. */
struct batch {
	json_t *notices[BODY_NOTICES];
	size_t n, rows; /* notices, and rows with those that have none */
};

struct webhook {
	struct webhooks *webhooks;
	const struct webhook_rule *rule;
	struct outbox outbox;
	struct loop_source *timer;
	struct fetch *fetch; /* NULL: nothing is under way */
	int64_t sending;     /* the row that is, or the last of several */
	size_t n_sending;    /* rows */
	unsigned tries;      /* that failed, of the present row */
	bool waits;          /* the timer runs */
	int64_t end_id;      /* of the last look at the table */
	char error[ERROR_LEN];
};

struct webhooks {
	struct loop *loop;
	struct fetcher *fetcher;
	struct ledger *ledger;
	const char *node;
	char *identity;
	struct webhook *items;
	size_t n;
};

void webhook_rules_done(struct webhook_rules *rules)
{
	for (size_t i = 0; i < rules->n; i++) {
		struct webhook_rule *rule = &rules->items[i];

		free(rule->name);
		free(rule->url);
		free(rule->url_file);
		free(rule->bearer_file);
		free(rule->header_file);
		free(rule->ca_file);
		free(rule->proxy);
		free(rule->link);
		free(rule->key_file);
		free(rule->template);
		free(rule->from);
		for (size_t j = 0; j < rule->n_to; j++)
			free(rule->to[j]);
		free(rule->to);
		free(rule->user);
		free(rule->password_file);
	}
	free(rules->items);
	*rules = (struct webhook_rules){ 0 };
}

static bool is_wanted(const struct webhook_rule *rule, const struct ledger_action *action)
{
	const char *name;

	if (action->is_rehearsed && rule->without_rehearsed)
		return false;
	for (int i = 0; rule->on && (name = policy_action_name(i)); i++)
		if (!strcmp(name, action->action))
			return rule->on & (1u << i);
	return !rule->on || (rule->on & WEBHOOK_OVERRIDE && !strcmp(action->action, "override"));
}

static bool is_too_late(const struct webhook *webhook, const struct ledger_action *action)
{
	int64_t keep_us = webhook->rule->keep_us ?: WEBHOOK_KEEP_US;

	return webhook->end_id - action->id >= OUTBOX_ROWS ||
	       clock_wall_us() - action->time_us > keep_us;
}

/* An unwritten mark is a row sent twice after a restart, no more. */
static void mark(struct webhook *webhook)
{
	int err = outbox_mark(webhook->webhooks->ledger, webhook->rule->name, &webhook->outbox);

	if (err)
		log_debug("webhook %s: its place cannot be written down: %s", webhook->rule->name,
			  strerror(-err));
}

static void look_again(struct webhook *webhook, uint64_t after_ms)
{
	webhook->waits = !loop_arm(webhook->timer, after_ms * NS_PER_MS);
}

/* Half of it at least: many hosts that failed together come back apart. */
static uint64_t backoff_ms(const struct webhook *webhook, uint32_t retry_after_s)
{
	uint64_t ms = RETRY_MIN_MS << (webhook->tries < 10 ? webhook->tries : 10);
	uint32_t draw = 0;

	if (ms > WEBHOOK_RETRY_MAX_MS)
		ms = WEBHOOK_RETRY_MAX_MS;
	(void)!getrandom(&draw, sizeof(draw), GRND_NONBLOCK);
	ms = ms / 2 + draw % (ms / 2 + 1);
	if (retry_after_s > RETRY_AFTER_MAX_S)
		retry_after_s = RETRY_AFTER_MAX_S;
	return ms > retry_after_s * 1000ULL ? ms : retry_after_s * 1000ULL;
}

static void failed(struct webhook *webhook, uint32_t retry_after_s, const char *why)
{
	uint64_t after_ms = backoff_ms(webhook, retry_after_s);

	if (!*webhook->error)
		log_warn("webhook %s does not take an action: %s; trying again",
			 webhook->rule->name, why);
	snprintf(webhook->error, sizeof(webhook->error), "%s", why);
	webhook->tries++;
	look_again(webhook, after_ms);
}

/* The rows' time is over: they are done with, or given up. */
static void settle(struct webhook *webhook, bool is_sent, const char *why)
{
	if (is_sent && *webhook->error)
		log_info("webhook %s takes actions again", webhook->rule->name);
	if (!is_sent)
		log_warn("webhook %s: %zu action%s up to %lld given up: %s", webhook->rule->name,
			 webhook->n_sending, webhook->n_sending == 1 ? "" : "s",
			 (long long)webhook->sending, why);
	webhook->outbox.sent += is_sent ? webhook->n_sending : 0;
	webhook->outbox.dead += is_sent ? 0 : webhook->n_sending;
	webhook->outbox.done_id = webhook->sending;
	webhook->tries = 0;
	snprintf(webhook->error, sizeof(webhook->error), "%s", is_sent ? "" : why);
	mark(webhook);
}

/* A relay's codes are others than those of HTTP; what it refuses is tried again, since its rules may be mended. */
static bool is_never_taken(const struct webhook *webhook, int status)
{
	return webhook->rule->format != WEBHOOK_EMAIL &&
	       (status == 400 || status == 413 || status == 422);
}

static void on_done(void *arg, const struct fetch_answer *answer)
{
	struct webhook *webhook = arg;
	uint32_t after_ms = 1;
	int status = answer->status;
	char why[ERROR_LEN];

	webhook->fetch = NULL;
	if (answer->err)
		snprintf(why, sizeof(why), "%s", answer->error);
	else
		snprintf(why, sizeof(why), "it answers with status %d", status);
	if (!answer->err && status >= 200 && status < 300) {
		settle(webhook, true, "");
		after_ms = webhook->rule->digest_ms ?: after_ms;
	} else if (!answer->err && is_never_taken(webhook, status)) {
		settle(webhook, false, why);
	} else {
		failed(webhook, answer->retry_after_s, why);
		return;
	}
	look_again(webhook, after_ms);
}

static void batch_done(struct batch *batch)
{
	for (size_t i = 0; i < batch->n; i++)
		json_decref(batch->notices[i]);
}

static void send_batch(struct webhook *webhook, const struct batch *batch)
{
	const struct body_input input = { .rule = webhook->rule,
					  .notices = (const json_t *const *)batch->notices,
					  .n = batch->n,
					  .more = batch->rows - batch->n };
	char key[128];
	int err;

	webhook->n_sending = batch->rows;
	snprintf(key, sizeof(key), "%s-%lld", webhook->webhooks->identity,
		 (long long)webhook->sending);
	err = deliver(webhook->webhooks->fetcher, &input, key, on_done, webhook, &webhook->fetch);
	if (err == -EINVAL)
		failed(webhook, 0, "its URL, an address or a header is not one");
	else if (err)
		failed(webhook, 0, strerror(-err));
}

struct reading {
	struct webhook *webhook;
	struct batch batch;
	int err;
};

/* False: the row is beyond this message. */
static bool add_row(struct reading *reading, const struct ledger_action *action)
{
	struct webhook *webhook = reading->webhook;
	const struct notice_context context = { .node = webhook->webhooks->node,
						.identity = webhook->webhooks->identity,
						.link = webhook->rule->link };
	struct batch *batch = &reading->batch;
	struct last_calls calls;

	if (batch->n < BODY_NOTICES) {
		last_calls_read(webhook->webhooks->ledger, action, &calls);
		batch->notices[batch->n] = notice_new(action, &calls, &context);
		if (!batch->notices[batch->n]) {
			reading->err = -ENOMEM;
			return false;
		}
		batch->n++;
	}
	batch->rows++;
	webhook->sending = action->id;
	return webhook->rule->digest_ms;
}

static bool on_row(void *arg, const struct ledger_action *action)
{
	struct reading *reading = arg;
	struct webhook *webhook = reading->webhook;

	if (!is_wanted(webhook->rule, action)) {
		if (!reading->batch.rows)
			webhook->outbox.done_id = action->id;
		return true;
	}
	if (!is_too_late(webhook, action))
		return add_row(reading, action);
	if (reading->batch.rows)
		return false;
	webhook->sending = action->id;
	webhook->n_sending = 1;
	settle(webhook, false, "it could not be delivered in time");
	return true;
}

static void work(struct webhook *webhook)
{
	struct reading reading = { .webhook = webhook };
	int64_t before = webhook->outbox.done_id;
	int err;

	if (webhook->fetch || webhook->waits)
		return;
	err = outbox_end(webhook->webhooks->ledger, &webhook->end_id);
	if (!err)
		err = outbox_read(webhook->webhooks->ledger, before, TURN, on_row, &reading);
	err = err ? err : reading.err;
	if (err)
		failed(webhook, 0, strerror(-err));
	else if (reading.batch.n)
		send_batch(webhook, &reading.batch);
	else if (webhook->outbox.done_id > before)
		look_again(webhook, 1);
	batch_done(&reading.batch);
}

static void on_timer(void *arg)
{
	struct webhook *webhook = arg;

	webhook->waits = false;
	work(webhook);
}

static void drop_all(struct webhooks *webhooks)
{
	for (size_t i = 0; i < webhooks->n; i++) {
		fetch_cancel(webhooks->items[i].fetch);
		loop_remove(webhooks->items[i].timer);
	}
	free(webhooks->items);
	webhooks->items = NULL;
	webhooks->n = 0;
}

static int open_one(struct webhooks *webhooks, const struct webhook_rule *rule,
		    struct webhook *webhook)
{
	int err = outbox_open(webhooks->ledger, rule->name, &webhook->outbox);

	webhook->webhooks = webhooks;
	webhook->rule = rule;
	if (!err)
		err = loop_add_timer(webhooks->loop, NS_PER_S, on_timer, webhook, &webhook->timer);
	if (!err)
		look_again(webhook, 1);
	return err;
}

int webhooks_rules(struct webhooks *webhooks, const struct webhook_rules *rules)
{
	const char *names[WEBHOOKS_MAX];
	int err;

	drop_all(webhooks);
	for (size_t i = 0; i < rules->n; i++)
		names[i] = rules->items[i].name;
	err = outbox_keep(webhooks->ledger, names, rules->n);
	if (err || !rules->n)
		return err;
	webhooks->items = calloc(rules->n, sizeof(*webhooks->items));
	if (!webhooks->items)
		return -ENOMEM;
	for (size_t i = 0; i < rules->n && !err; i++) {
		err = open_one(webhooks, &rules->items[i], &webhooks->items[i]);
		webhooks->n += !err;
	}
	return err;
}

int webhooks_new(struct webhooks **ret, struct loop *loop, struct fetcher *fetcher,
		 struct ledger *ledger, const struct webhook_rules *rules, const char *node)
{
	struct webhooks *webhooks = calloc(1, sizeof(*webhooks));
	int err;

	if (!webhooks)
		return -ENOMEM;
	*webhooks = (struct webhooks){
		.loop = loop, .fetcher = fetcher, .ledger = ledger, .node = node
	};
	webhooks->identity = ledger_identity(ledger);
	err = webhooks->identity ? webhooks_rules(webhooks, rules) : -EIO;
	if (err)
		webhooks_free(webhooks);
	else
		*ret = webhooks;
	return err;
}

struct webhooks *webhooks_free(struct webhooks *webhooks)
{
	if (!webhooks)
		return NULL;
	drop_all(webhooks);
	free(webhooks->identity);
	free(webhooks);
	return NULL;
}

void webhooks_poke(struct webhooks *webhooks)
{
	/* Not at once: who calls is in the middle of a verdict. */
	for (size_t i = 0; webhooks && i < webhooks->n; i++)
		if (!webhooks->items[i].fetch && !webhooks->items[i].waits)
			look_again(&webhooks->items[i], 1);
}

void webhooks_walk(struct webhooks *webhooks,
		   void (*fn)(void *arg, const struct webhook_state *state), void *arg)
{
	int64_t end = 0;

	if (!webhooks || !webhooks->n || outbox_end(webhooks->ledger, &end))
		return;
	for (size_t i = 0; i < webhooks->n; i++) {
		const struct webhook *webhook = &webhooks->items[i];
		struct webhook_state state = {
			.name = webhook->rule->name,
			.sent = webhook->outbox.sent,
			.dead = webhook->outbox.dead,
			.error = webhook->error,
			.waiting = end > webhook->outbox.done_id ?
					   (uint64_t)(end - webhook->outbox.done_id) :
					   0,
		};

		fn(arg, &state);
	}
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "shared/shared.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/channel.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/loop.h"
#include "shared/shared_internal.h"

#define TICK_NS      NS_PER_S
#define BEAT_NS      (3 * NS_PER_S)
#define SILENT_NS    (10 * NS_PER_S) /* a question that old: the connection is dead */
#define CONNECT_MS   5000
#define RETRY_MIN_MS 500
#define RETRY_MAX_MS 30000
#define NODES_MAX    100000

/* ---- the policy ---- */

static void hand_over(struct shared *shared, struct shared_entry *entry, int64_t now_us)
{
	struct policy_remote remote = {
		.spent = shared_entry_remote(entry, now_us),
		.own = entry->own_known,
		.others = shared->is_up ? 0 : shared->nodes - 1,
	};

	shared->needs_review |= policy_remote(shared->policy, entry->budget, entry->counter,
					      entry->window_start_us, &remote, now_us,
					      shared->hooks.verdict, shared->hooks.arg);
}

static void hand_over_all(struct shared *shared, int64_t now_us, bool only_rolling)
{
	struct shared_entry *entry, *next;

	HASH_ITER(hh, shared->table.entries, entry, next)
		if (!only_rolling || entry->slot_us)
			hand_over(shared, entry, now_us);
}

static void review(struct shared *shared)
{
	if (shared->needs_review)
		shared->hooks.review(shared->hooks.arg);
	shared->needs_review = false;
}

static void set_up(struct shared *shared, bool is_up)
{
	char text[256];

	if (shared->is_up == is_up && shared->was_told)
		return;
	shared->is_up = is_up;
	shared->was_told = true;
	hand_over_all(shared, clock_wall_us(), false);
	review(shared);
	if (is_up)
		snprintf(text, sizeof(text), "the server of shared budgets answers, %u nodes live",
			 shared->nodes);
	else
		snprintf(text, sizeof(text),
			 "the server of shared budgets is away (%s): this node "
			 "may spend 1/%u of what was left",
			 *shared->error ? shared->error : "no answer", shared->nodes);
	shared->hooks.said(shared->hooks.arg, is_up, text);
}

/* ---- answers ---- */

static bool on_parts(struct shared *shared, struct shared_entry *entry,
		     const struct shared_reply *reply)
{
	int64_t now_us = clock_wall_us();
	unsigned bad = 0;
	int64_t seq;

	if (reply->kind != SHARED_LIST)
		return false;
	seq = shared_entry_parts(entry, reply, shared->node, now_us, &bad);
	/* The file was set back (a power cut, a copy): ids begin where others saw them end. */
	if (seq > entry->part.seq) {
		ledger_skip(shared->ledger, seq);
		entry->part.seq = ledger_last_id(shared->ledger);
		shared_entry_queue(&shared->table, entry);
	}
	if (bad)
		snprintf(shared->error, sizeof(shared->error), "%u parts are not understood", bad);
	hand_over(shared, entry, now_us);
	return true;
}

static bool on_script(struct shared *shared, char sha[48], const struct shared_reply *reply)
{
	if (reply->kind != SHARED_TEXT || reply->len != 40)
		return false;
	memcpy(sha, reply->text, 40);
	sha[40] = '\0';
	return true;
}

/* The first word alone, as NOAUTH or OOM: the rest may quote what was sent. */
static bool on_error(struct shared *shared, const struct shared_reply *reply)
{
	int len = (int)strspn(reply->text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ");

	snprintf(shared->error, sizeof(shared->error), "it answers %.*s", len < 32 ? len : 32,
		 reply->text);
	return false;
}

static bool answer(struct shared *shared, const struct shared_asked *asked,
		   const struct shared_reply *reply)
{
	switch (asked->question) {
	case ASK_AUTH:
	case ASK_SELECT:
		return reply->kind == SHARED_TEXT;
	case ASK_LOAD_SYNC:
		return on_script(shared, shared->scripts[0], reply);
	case ASK_LOAD_BEAT:
		if (!on_script(shared, shared->scripts[1], reply))
			return false;
		shared->is_greeted = true;
		return !shared_beat(shared);
	case ASK_BEAT:
		if (reply->kind != SHARED_NUMBER || reply->number < 1)
			return false;
		shared->nodes = reply->number < NODES_MAX ? (uint32_t)reply->number : NODES_MAX;
		shared->tries = 0;
		*shared->error = '\0';
		set_up(shared, true);
		return true;
	case ASK_SYNC:
		asked->entry->is_asked = false;
		return on_parts(shared, asked->entry, reply);
	}
	return false;
}

static bool on_reply(void *arg, const struct shared_reply *reply)
{
	struct shared *shared = arg;
	struct shared_asked asked;

	if (!shared->n_asked)
		return false;
	if (reply->kind == SHARED_ERROR)
		return on_error(shared, reply);
	asked = shared->asked[shared->first];
	shared->first = (shared->first + 1) % SHARED_ASKED;
	shared->n_asked--;
	shared->answered_ns = clock_mono_ns();
	return answer(shared, &asked, reply);
}

static bool on_bytes(void *arg, const char *bytes, size_t len)
{
	struct shared *shared = arg;
	bool is_good = shared_reader_feed(shared->reader, bytes, len, on_reply, shared);

	review(shared);
	if (is_good)
		shared_flush(shared);
	return is_good;
}

/* ---- the connection ---- */

static void hang_up(struct shared *shared)
{
	shared->channel = channel_free(shared->channel);
	shared->reader = shared_reader_free(shared->reader);
	shared->is_greeted = false;
	/* What had no answer is told again: it counts once. */
	while (shared->n_asked) {
		struct shared_entry *entry = shared->asked[shared->first].entry;

		if (entry) {
			entry->is_asked = false;
			shared_entry_queue(&shared->table, entry);
		}
		shared->first = (shared->first + 1) % SHARED_ASKED;
		shared->n_asked--;
	}
}

static void retry_later(struct shared *shared)
{
	uint64_t ms = RETRY_MIN_MS << (shared->tries < 6 ? shared->tries : 6);
	uint32_t draw = 0;

	shared->tries++;
	if (ms > RETRY_MAX_MS)
		ms = RETRY_MAX_MS;
	(void)!getrandom(&draw, sizeof(draw), GRND_NONBLOCK);
	(void)loop_arm(shared->retry, (ms / 2 + draw % (ms / 2 + 1)) * NS_PER_MS);
}

static void on_closed(void *arg, const char *why)
{
	struct shared *shared = arg;

	if (!*shared->error)
		snprintf(shared->error, sizeof(shared->error), "%s", why);
	hang_up(shared);
	retry_later(shared);
}

static void on_opened(void *arg)
{
	struct shared *shared = arg;
	int err = shared_greet(shared);

	*shared->error = '\0';
	/* Left for the tick, which finds a question without an answer or none asked at all. */
	if (err)
		snprintf(shared->error, sizeof(shared->error), "%s", strerror(-err));
	shared->beat_ns = clock_mono_ns();
}

static void on_retry(void *arg)
{
	struct shared *shared = arg;
	struct channel_options options = { .url = shared->config->url,
					   .tls.ca_file = shared->config->ca_file,
					   .timeout_ms = CONNECT_MS,
					   .opened = on_opened,
					   .bytes = on_bytes,
					   .closed = on_closed,
					   .arg = shared };
	int err = -ENOMEM;

	shared->reader = shared_reader_new();
	if (shared->reader)
		err = channel_open(&shared->channel, shared->fetcher, &options);
	if (err)
		on_closed(shared, strerror(-err));
}

/* ---- each second ---- */

static bool is_dead(const struct shared *shared, uint64_t now_ns)
{
	if (shared->n_asked)
		return now_ns - shared->asked[shared->first].at_ns > SILENT_NS;
	/* Open, and greet() could not even ask. */
	return !shared->is_greeted && *shared->error && now_ns - shared->beat_ns > NS_PER_S;
}

static void poll_others(struct shared *shared, uint64_t now_ns)
{
	struct shared_entry *entry, *next;
	unsigned n = 0;

	HASH_ITER(hh, shared->table.entries, entry, next) {
		if (n >= SHARED_PIPELINE)
			break;
		if (entry->is_queued || entry->is_asked || !entry->part.seq ||
		    now_ns - entry->asked_ns < TICK_NS - TICK_NS / 4)
			continue;
		shared_entry_queue(&shared->table, entry);
		n++;
	}
}

static void on_tick(void *arg)
{
	struct shared *shared = arg;
	uint64_t now_ns = clock_mono_ns();
	int64_t now_us = clock_wall_us();

	if (shared->channel && is_dead(shared, now_ns))
		on_closed(shared, "it does not answer");
	if (now_ns - shared->answered_ns > SHARED_AWAY_NS + (shared->is_greeted ? BEAT_NS : 0))
		set_up(shared, false);
	hand_over_all(shared, now_us, true);
	review(shared);
	shared_table_sweep(&shared->table, now_us);
	if (shared->is_greeted) {
		if (now_ns - shared->beat_ns >= BEAT_NS)
			(void)shared_beat(shared);
		poll_others(shared, now_ns);
		shared_flush(shared);
	}
	(void)shared_save(shared->ledger, &shared->table);
}

/* ---- the contract ---- */

struct taking {
	struct shared *shared;
	int64_t seq, now_us;
};

static void take_own(void *arg, const struct policy_own *own)
{
	struct taking *taking = arg;
	struct shared *shared = taking->shared;
	struct shared_entry *entry = shared_entry_get(&shared->table, own, taking->now_us);

	if (!entry)
		return;
	shared_entry_own(entry, own, taking->seq);
	shared_entry_queue(&shared->table, entry);
	/* A counter may be new to the policy (a restart, other rules) and known here. */
	hand_over(shared, entry, taking->now_us);
}

void shared_commit(struct shared *shared)
{
	struct taking taking = { .shared = shared, .now_us = clock_wall_us() };

	if (!shared || ledger_pending(shared->ledger))
		return;
	taking.seq = ledger_last_id(shared->ledger);
	policy_changed(shared->policy, taking.now_us, take_own, &taking);
	review(shared);
	shared_flush(shared);
}

void shared_look(struct shared *shared)
{
	/* Seldom enough to have its calls written first: what is told is on disk. */
	if (shared && policy_has_new(shared->policy) && !ledger_commit(shared->ledger))
		shared_commit(shared);
}

void shared_policy(struct shared *shared, struct policy *policy)
{
	if (!shared)
		return;
	shared->policy = policy;
	hand_over_all(shared, clock_wall_us(), false);
	shared_commit(shared);
}

static uint32_t recall_nodes(struct ledger *ledger, const struct shared_config *config)
{
	_cleanup_free_ char *text = ledger_get(ledger, "shared");
	json_t *fact = text ? json_loads(text, 0, NULL) : NULL;
	json_int_t nodes = json_integer_value(json_object_get(fact, "nodes"));

	json_decref(fact);
	if (nodes > 0 && nodes < NODES_MAX)
		return (uint32_t)nodes;
	return config->nodes ? config->nodes : 1;
}

int shared_new(struct shared **ret, struct loop *loop, struct fetcher *fetcher,
	       struct ledger *ledger, struct policy *policy, const struct shared_config *config,
	       const struct shared_hooks *hooks)
{
	struct shared *shared = calloc(1, sizeof(*shared));
	int err;

	if (!shared)
		return -ENOMEM;
	*shared = (struct shared){ .loop = loop,
				   .fetcher = fetcher,
				   .ledger = ledger,
				   .policy = policy,
				   .config = config,
				   .hooks = *hooks,
				   .answered_ns = clock_mono_ns() };
	TAILQ_INIT(&shared->table.queue);
	shared->table.prefix = config->prefix ? config->prefix : "aigress";
	shared->nodes = recall_nodes(ledger, config);
	shared->node = ledger_identity(ledger);
	err = shared->node ? shared_load(ledger, &shared->table, clock_wall_us()) : -EIO;
	if (!err)
		err = loop_add_timer(loop, TICK_NS, on_tick, shared, &shared->tick);
	if (!err)
		err = loop_add_timer(loop, TICK_NS, on_retry, shared, &shared->retry);
	if (!err)
		err = loop_arm(shared->retry, 1);
	if (err) {
		shared_free(shared);
		return err;
	}
	/* Until it has answered, what it said last holds. */
	hand_over_all(shared, clock_wall_us(), false);
	review(shared);
	*ret = shared;
	return 0;
}

struct shared *shared_free(struct shared *shared)
{
	if (!shared)
		return NULL;
	hang_up(shared);
	(void)shared_save(shared->ledger, &shared->table);
	shared_table_done(&shared->table);
	loop_remove(shared->tick);
	loop_remove(shared->retry);
	free(shared->node);
	free(shared);
	return NULL;
}

void shared_state(const struct shared *shared, struct shared_state *ret)
{
	*ret = (struct shared_state){ .is_up = shared->is_up,
				      .nodes = shared->nodes,
				      .counters = HASH_COUNT(shared->table.entries),
				      .dropped = shared->table.dropped,
				      .error = shared->error };
}

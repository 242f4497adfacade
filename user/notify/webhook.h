/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Webhooks: each action that was written down is sent to the receivers that ask for it, from the ledger's
 * outbox (ledger/outbox.h). One row at a time and in order per webhook; a row that cannot be
 * delivered is tried again, 1 s to 5 min later, until it is WEBHOOK_KEEP old. What the receiver
 * will never take (400, 413, 422), what got too old, and what lies OUTBOX_ROWS back is given up and
 * counted. Sent are numbers and names alone: what the row holds.
 */
#ifndef NOTIFY_WEBHOOK_H
#define NOTIFY_WEBHOOK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/fetch.h"
#include "ledger/ledger.h"
#include "ledger/outbox.h"

#define WEBHOOKS_MAX         16
#define WEBHOOK_RETRY_MAX_MS 300000
#define WEBHOOK_KEEP_US      (86400LL * 1000000)
#define WEBHOOK_TIMEOUT_MS   10000

#define WEBHOOK_OVERRIDE (1u << 31) /* what operators ordered */

enum webhook_format { WEBHOOK_ALERTMANAGER, WEBHOOK_SLACK };

struct webhook_rule {
	char *name;
	char *url, *url_file; /* one of them; a file where the URL is itself the secret */
	enum webhook_format format;
	uint32_t on; /* bits 1 << enum policy_action, WEBHOOK_OVERRIDE; 0: all */
	bool without_rehearsed;
	char *bearer_file, *header_file, *ca_file, *proxy;
	char *link;          /* where people look further; NULL: none */
	uint32_t timeout_ms; /* 0: WEBHOOK_TIMEOUT_MS */
	int64_t keep_us;     /* 0: WEBHOOK_KEEP_US */
};

struct webhook_rules {
	struct webhook_rule *items;
	size_t n;
};
void webhook_rules_done(struct webhook_rules *rules);

/*
 * The body for one row, to be freed; NULL: no memory. `node` is this host's name, `identity` the
 * ledger's. A row that ends something (its result begins with "ended") is a resolved alert with the
 * labels of what it ends.
 */
char *webhook_body(const struct webhook_rule *rule, const char *node, const char *identity,
		   const struct ledger_action *action);

struct loop;
struct webhooks;

/*
 * The rules and the name stay the caller's until webhooks_rules() or the end. To be made before
 * the first action of this daemon is written: a webhook not known yet begins behind the last row.
 * 0 or -errno.
 */
int webhooks_new(struct webhooks **ret, struct loop *loop, struct fetcher *fetcher,
		 struct ledger *ledger, const struct webhook_rules *rules, const char *node);
struct webhooks *webhooks_free(struct webhooks *webhooks);
/* Other rules. A request under way is given up, and its row sent again. 0 or -errno. */
int webhooks_rules(struct webhooks *webhooks, const struct webhook_rules *rules);
/* There may be a new row; cheap, to be called after each and now and then. */
void webhooks_poke(struct webhooks *webhooks);

struct webhook_state {
	const char *name;
	uint64_t waiting; /* rows, with those it does not want */
	uint64_t sent, dead;
	const char *error; /* of the last try; "": it went well */
};
void webhooks_walk(struct webhooks *webhooks,
		   void (*fn)(void *arg, const struct webhook_state *state), void *arg);

#endif

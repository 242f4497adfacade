/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Webhooks: each action that was written down is sent to the receivers that ask for it, from the ledger's
 * outbox (ledger/outbox.h), in order per webhook. Programs get a row at a time. People get one message in `digest_ms`
 * at most: the first at once, and what comes before the next may be sent together in that one. What cannot be
 * delivered is tried again, 1 s to 5 min later, until it is WEBHOOK_KEEP old. What the receiver
 * will never take (400, 413, 422), what got too old, and what lies OUTBOX_ROWS back is given up and
 * counted.
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

enum webhook_format {
	WEBHOOK_ALERTMANAGER,
	WEBHOOK_SLACK,
	WEBHOOK_TEAMS,
	WEBHOOK_PAGERDUTY,
	WEBHOOK_OPSGENIE,
	WEBHOOK_JSON,
	WEBHOOK_EMAIL,
	WEBHOOK_FORMATS
};
#define WEBHOOK_TO_MAX 16 /* addresses of one webhook */

struct webhook_rule {
	char *name;
	char *url, *url_file; /* one of them; a file where the URL is itself the secret */
	enum webhook_format format;
	uint32_t on; /* bits 1 << enum policy_action, WEBHOOK_OVERRIDE; 0: all */
	bool without_rehearsed;
	char *bearer_file, *header_file, *ca_file, *proxy;
	char *key_file;   /* of PagerDuty's integration key or Opsgenie's API key */
	char *template;   /* of JSON (notify/template.h); NULL: the notice itself */
	char *from, **to; /* of mail; `to` has n_to addresses */
	size_t n_to;
	char *user, *password_file; /* at the mail relay; NULL: none */
	char *link;                 /* where people look further; NULL: none */
	uint32_t timeout_ms;        /* 0: WEBHOOK_TIMEOUT_MS */
	uint32_t digest_ms;         /* 0: each row by itself */
	int64_t keep_us;            /* 0: WEBHOOK_KEEP_US */
};

struct webhook_rules {
	struct webhook_rule *items;
	size_t n;
};
void webhook_rules_done(struct webhook_rules *rules);

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

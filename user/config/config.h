/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The configuration file: YAML, read by tables of keys into each module's own struct; no module includes this
 * file. An error names the file, the line, the key and the remedy.
 */
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include "budget/policy.h"
#include "budget/team.h"
#include "find/find.h"
#include "kube/annotations.h"
#include "kube/kube.h"
#include "metrics/otlp.h"
#include "notify/webhook.h"
#include "shared/shared.h"
#include "web/serve.h"

struct config_host {
	char *pattern;  /* "llm.corp.example" */
	char *provider; /* whose dialect it speaks: "openai", "anthropic", ... */
};

struct config_place {
	char *host;    /* a name or an address */
	uint16_t port; /* of a proxy */
};

/* What becomes of the first call of a process that is not probed yet. */
enum config_first_call {
	CONFIG_HOLD, /* its ClientHello waits for the probes, for a second at most */
	CONFIG_ESTIMATE,
};

struct config {
	struct find_config find; /* attach, return-probes */
	enum config_first_call first_call;
	bool resolve;                      /* ask for the addresses of the AI hosts at the start */
	struct config_place *name_servers; /* whose answers count, beside those of the node's files */
	size_t n_name_servers;
	struct config_place *proxies; /* what goes through them is confirmed */
	size_t n_proxies;
	struct policy_rules rules; /* enforce, budgets, protect */
	struct config_host *hosts; /* more AI hosts */
	size_t n_hosts;
	int64_t keep_us; /* how long single calls are kept; hourly sums are kept for ever */
	char *zone;      /* of calendar windows without a zone of their own; NULL: the host's */
	char *node;      /* the name by which others know this host; NULL: its hostname */
	struct webhook_rules webhooks;
	struct kube_config kube; /* kubernetes */
	struct annotations_config annotations;
	struct serve_config serve;   /* metrics and the status page; off without the key */
	struct otlp_config otlp;     /* where metrics are pushed to */
	struct shared_config shared; /* the server of shared budgets */
	struct team_rules teams;     /* whose a caller is, for reports */
	char *fingerprint_key; /* of API keys: its file; "": one of this host's own; NULL: off */
	char *prices;          /* the operator's price file; NULL: none */
	unsigned prices_line, serve_line; /* lines in the file, for errors that are found later */
	char *warnings;                   /* one a line; NULL: none */
};

/* `path` NULL: the defaults. 0 or -errno, then ret_error is a sentence to free. */
int config_load(struct config *ret, const char *path, char **ret_error);
/* The same, but ret_errors has a line for each error that was found, 50 at most. */
int config_load_strictly(struct config *ret, const char *path, char **ret_errors);
/* The same from memory; `name` is the file name in errors and rules. Nothing is set on failure. */
int config_parse(struct config *ret, const char *name, const char *text, size_t len,
		 char **ret_error);
void config_done(struct config *config);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an action says to a person: one object of texts, from which every format of webhook takes what it shows, and whose
 * keys are the names in a template.
 */
#ifndef NOTIFY_NOTICE_H
#define NOTIFY_NOTICE_H

#include <jansson.h>

#include "ledger/last_calls.h"
#include "ledger/ledger.h"

struct notice_context {
	const char *node;     /* this host's name */
	const char *identity; /* the ledger's */
	const char *link;     /* where people look further, or NULL */
};

/*
 * The caller's reference; NULL: no memory. All values are strings, "" where nothing is known; notice_keys() has their
 * names. Sent are numbers and names alone: what the row and the calls that it names hold.
 */
json_t *notice_new(const struct ledger_action *action, const struct last_calls *calls,
		   const struct notice_context *context);
/* The name of a value by its index from 0; NULL past the end. */
const char *notice_key(size_t index);
/* A value; "" for none. Lives as long as the notice. */
const char *notice_get(const json_t *notice, const char *key);

struct notice_fact {
	const char *title, *value; /* never "" */
	bool is_command;           /* what a person may paste into a shell */
};
/* The rows of a table for people: the next one from *at, which begins as 0. False: there are no more. */
bool notice_fact(const json_t *notice, size_t *at, struct notice_fact *ret);

/* "info", "warning" or "critical", from an action's name. */
const char *notice_severity(const char *action);

#endif

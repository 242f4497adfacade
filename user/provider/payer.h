/* SPDX-License-Identifier: Apache-2.0 */
/* Who pays when a call fails: one table, which docs/PROVIDERS.md repeats and a test holds against it. */
#ifndef PROVIDER_PAYER_H
#define PROVIDER_PAYER_H

#include <stdbool.h>
#include <stddef.h>

/* How and when a call failed. */
enum moment {
	MOMENT_EMPTY,         /* 204 */
	MOMENT_REDIRECTED,    /* 3xx */
	MOMENT_REJECTED,      /* 4xx or 5xx, without usage */
	MOMENT_FILTERED,      /* 4xx, and the error is a content filter's */
	MOMENT_TIMED_OUT,     /* 408 */
	MOMENT_BROKE_FIRST,   /* 200, and an error before any content */
	MOMENT_BROKE_LATER,   /* 200, and an error behind some */
	MOMENT_REFUSED_FIRST, /* the model declined before it wrote anything */
	MOMENT_REFUSED_LATER,
	MOMENT_HUNG_UP,  /* the client, inside the answer or before it */
	MOMENT_NOT_SENT, /* the request never was whole, and no answer came */
	MOMENTS,
};

struct payer_rule {
	const char *provider; /* NULL: all that have no rule of their own */
	enum moment moment;
	bool is_billed;
	const char *basis; /* whose word it is */
};

/* The rule of a provider at a moment; there always is one. */
const struct payer_rule *payer_rule(const char *provider, enum moment moment);
/* Index from 0; NULL ends the walk. */
const struct payer_rule *payer_each(size_t index);
/* "redirected", ... */
const char *payer_moment_name(enum moment moment);

#endif

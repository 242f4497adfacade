/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What one API call cost, and how that is known: the plain data that leaves the meter.
 * Money is nano-dollars (1e-9 USD) in int64_t: 9.2e9 USD fit.
 */
#ifndef USAGE_CHARGE_H
#define USAGE_CHARGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/fingerprint.h"
#include "base/money.h"
#include "usage/usage.h"

/* Where the figure comes from, best first (DESIGN section 5). */
enum charge_source {
	CHARGE_PROVIDER, /* the provider's own cost figure */
	CHARGE_USAGE,    /* usage read from the answer, times price */
	CHARGE_PARTIAL,  /* a stream cut short: part read, the rest estimated from text */
	CHARGE_TEXT,     /* tokens estimated from text */
	CHARGE_SIZE,     /* tokens estimated from sizes */
	CHARGE_FREE,     /* not billed: an error before a token, or a free endpoint */
	CHARGE_PENDING, /* a job was started; the answer to a later request will contain its usage */
};
#define CHARGE_SOURCES (CHARGE_PENDING + 1)

enum charge_outcome {
	CHARGE_OK,
	CHARGE_ERROR,     /* the status or an error event says so */
	CHARGE_ABORTED,   /* the connection ended inside the answer */
	CHARGE_NO_ANSWER, /* the connection ended before one */
};

/*
 * The most that one call may count; more is clamped, so that no sum of calls can overflow 64 bits. The ledger
 * and the budgets clamp alike, so that a replay of the ledger gives the budgets' sums.
 */
#define CHARGE_TOKENS_MAX 10000000000ULL /* of a class */
#define CHARGE_BYTES_MAX  (1ULL << 40)
#define CHARGE_COUNT_MAX  1000000
#define CHARGE_NANOS_MAX  100000000000000LL /* 100,000 USD */

#define CHARGE_NAME_LEN        64
#define CHARGE_MODEL_LEN       160
#define CHARGE_HOST_LEN        256
#define CHARGE_PATH_LEN        256
#define CHARGE_JOB_LEN         96
#define CHARGE_TIER_LEN        32
#define CHARGE_CLIENT_LEN      48
#define CHARGE_DESTINATION_LEN 16
#define CHARGE_IDS             3 /* in the body, and HTTP_IDS */

struct charge {
	char provider[CHARGE_NAME_LEN];  /* OpenTelemetry's gen_ai.provider.name */
	char operation[CHARGE_NAME_LEN]; /* gen_ai.operation.name: chat, embeddings, ... */
	char host[CHARGE_HOST_LEN];
	char path[CHARGE_PATH_LEN]; /* without query */
	char model[CHARGE_MODEL_LEN]; /* as the answer names it, else as the request does; may be empty */
	char price_key[CHARGE_MODEL_LEN]; /* the entry of the price file that was used (of an unpriced call, to stand in); empty: none */
	char price_origin[CHARGE_NAME_LEN]; /* which file: "litellm 2026-08-01", "override", ... */
	char price_lacks[CHARGE_NAME_LEN]; /* what was used and has no price there; empty: nothing */
	char tier[CHARGE_TIER_LEN]; /* words that changed the price: "batch", "flex us"; empty: none */
	char account[CHARGE_NAME_LEN * 2]; /* "organisation/project" by header fields; either may be empty */
	char client[CHARGE_CLIENT_LEN]; /* the program, as its User-Agent says: "claude-cli/2.1.332"; or empty */
	char api_key[FINGERPRINT_LEN]; /* which key was shown, by base/fingerprint.h; "": none, or it is not wanted */
	char destination[CHARGE_DESTINATION_LEN]; /* CHARGE_CONFIRMED, CHARGE_UNCONFIRMED, or empty: nobody asked */
	/* What it went through: the gateway's name as its caller called it, or the program that passed it on; empty: nothing known. */
	char via[CHARGE_HOST_LEN];
	uint64_t ids[CHARGE_IDS]; /* of its answer, as http_answer_id() gives them: they tell which calls are one; 0: none */
	int64_t beside_nanos; /* the part of cost_nanos for what the ledger has no class for: pieces, images */
	char job[CHARGE_JOB_LEN]; /* the id of the job that this bills, whose usage may be reported repeatedly; or empty */
	bool is_poll; /* asked after a job, or only warmed a cache: without a bill it is no call */
	int status;   /* HTTP status; 0: no answer */
	enum charge_source source;
	enum charge_outcome outcome;
	bool is_priced; /* false: unknown model, cost_nanos is 0 and means nothing */
	bool is_stream;
	uint32_t count; /* of an estimate: how many calls it is of, as far as is known; 0: one */
	struct usage usage;
	/* Of an estimate: how many more or less it may be (struct estimate); 0: measured. */
	uint64_t error_input, error_output;
	int64_t error_nanos; /* the same in money, of the cost as shown */
	/* And how many fewer it may be: low and high are usage - under and usage + error, ... */
	uint64_t under_input, under_output;
	int64_t under_nanos,
		over_nanos; /* ... budget_nanos - under_nanos and budget_nanos + over_nanos */
	uint64_t excess; /* tokens and pieces that the answer claimed, beyond what can be: not counted */
	int64_t cost_nanos; /* as shown */
	int64_t budget_nanos; /* as counted against budgets: of an unpriced model, by what stands in for it */
	uint64_t request_bytes; /* bodies as sent */
	uint64_t response_bytes;
	uint64_t start_mono_ns;  /* when the request's first byte was written */
	uint64_t first_token_ns; /* after the start; 0: none seen */
	uint64_t duration_ns;
};

/*
 * Whether somebody but the sender says that its call went to the provider: a name service that gave the address, or
 * the operator. Stable: they stand in the ledger.
 */
#define CHARGE_CONFIRMED   "confirmed"
#define CHARGE_UNCONFIRMED "unconfirmed"
bool charge_is_unconfirmed(const struct charge *charge);

/* "usage", "text", ... and "ok", "aborted", ...: stable, they stand in the ledger. */
const char *charge_source_name(enum charge_source source);
const char *charge_outcome_name(enum charge_outcome outcome);
/* True for the sources that count as measured in reports. */
bool charge_is_measured(enum charge_source source);

/* How many calls a charge is of: one at the least, and CHARGE_COUNT_MAX at most. */
uint32_t charge_count(const struct charge *charge);

/* The client without its version, "claude-cli", which stays the same over updates; ret of CHARGE_CLIENT_LEN. */
void charge_client_name(const struct charge *charge, char *ret);

/* Is an id among both? */
bool charge_shares_id(const uint64_t a[CHARGE_IDS], const uint64_t b[CHARGE_IDS]);

/* Nothing of the call ever left: it is free, whatever it was estimated to cost. */
void charge_waive(struct charge *charge);

#endif

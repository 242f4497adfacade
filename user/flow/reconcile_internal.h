/* SPDX-License-Identifier: Apache-2.0 */
/* The accounts, for reconcile.c and paired.c alone. */
#ifndef FLOW_RECONCILE_INTERNAL_H
#define FLOW_RECONCILE_INTERNAL_H

#include "base/hash.h"
#include "flow/reconcile.h"

/*
 * Where a process is read, a request that was not shows in what went out beyond the handshake, which
 * is known to some bytes: the shortest request's head has 150.
 */
#define SLACK_OUT_BYTES 128
#define SLACK_SHARE     50 /* 1/50: 2 % */

struct key {
	uint32_t tgid;
	char host[EV_HOST_LEN];
};

/* What flowed in one direction beyond the handshakes. */
struct flowed {
	uint64_t bytes;
	uint64_t framing;  /* of these: of the connections whose records were counted ... */
	uint64_t unframed; /* ... and all bytes of those whose were not */
	uint64_t records, in_records; /* TLS records that were counted, and their bytes */
};

struct account {
	UT_hash_handle hh; /* least recently touched first */
	struct key key;
	uint64_t cgroup;
	char comm[EV_COMM_LEN];
	uint64_t quic, adopted, others; /* as in struct reconcile_row */
	uint64_t flows, open, settled;  /* seen; now; whose bytes were settled */
	struct flowed ended[2], live[2];
	uint64_t requests, live_requests, requests_settled; /* on ended flows, on live ones */
	uint64_t guessed, guessed_settled; /* ended flows whose handshake is not known */
	uint64_t read[2], records[2];
	uint64_t unsent; /* of read[EV_OUT] */
	uint64_t charged[2];
	uint64_t unread; /* of ended[EV_IN]: plaintext that sockets held and no call has taken */
	uint64_t taken;  /* of what came in: charged with calls that were cut short */
	uint64_t turn;   /* when a call was in progress: see reconcile_in_progress() */
	uint64_t lost, upgraded, doubtful[2];
	struct {
		uint64_t flows, open;
		uint64_t bytes[2], live[2],
			read[2]; /* of the flows beyond the handshakes; plaintext */
		uint64_t taken;
	} paired;
	enum unmetered_why left_out;
	bool is_dirty;       /* something changed since it was settled */
	bool is_unconfirmed; /* reconcile_unconfirmed(), since then */
};

struct reconcile {
	struct account *accounts;
	struct account *cursor; /* of reconcile_next() */
	uint64_t turn;          /* its passes over all accounts, beginning with 1 */
	struct reconcile_stats stats;
};

/* The counts of a flow, from its end or from the kernel's row. */
struct counts {
	const __u64 *bytes, *framed;
	const __u32 *handshake, *records;
	uint8_t record_bytes;
	bool is_adopted, is_quic;
};

/* Those of an event; valid as long as it is. */
static inline struct counts counts_of(const struct ev_flow *flow)
{
	return (struct counts){ flow->bytes,   flow->framed,       flow->handshake,
				flow->records, flow->record_bytes, flow->is_adopted,
				flow->is_quic };
}

/* The framing of so many bytes of this flow, as far as its records were counted. */
uint64_t reconcile_framing(const struct counts *counts, int dir, uint64_t bytes);

/* NULL: no memory. */
struct account *reconcile_account(struct reconcile *reconcile, uint32_t tgid, const char *host);

static inline uint64_t less(uint64_t from, uint64_t by)
{
	return from > by ? from - by : 0;
}

#endif

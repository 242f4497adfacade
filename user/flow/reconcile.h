/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reconciles the two looks: what flowed to AI hosts below TLS, and what was read above it, per
 * (process, host). What reading does not explain is unmetered, and comes out once as sizes to be
 * charged as an estimate. Bytes that were charged so are never charged again, and what is read
 * later (a library that was probed late) is held against them, so nothing is charged twice.
 *
 * Plain data in and out; no clock, no kernel.
 */
#ifndef FLOW_RECONCILE_H
#define FLOW_RECONCILE_H

#include <stdbool.h>
#include <stdint.h>

#include "control.h"
#include "event.h"
#include "usage/estimate.h"

struct reconcile;

/* Processes times hosts that are followed at once, 760 bytes each; the oldest goes first. */
#define UNMETERED_MAX 16384

/* NULL: no memory. */
struct reconcile *reconcile_new(void);
struct reconcile *reconcile_free(struct reconcile *reconcile);

/* A flow greeted an AI host; it ended, with its final counts. */
void reconcile_flow(struct reconcile *reconcile, const struct ev_flow *flow);
void reconcile_flow_end(struct reconcile *reconcile, const struct ev_flow *flow);
/* It was no flow of its own: as if it had not been told of. */
void reconcile_flow_cancel(struct reconcile *reconcile, const struct ev_flow *flow);
/* The counts of a flow that goes on. */
void reconcile_flow_count(struct reconcile *reconcile, const struct ev_flow *flow,
			  const struct ctl_flow *row);

/*
 * An adopted flow may be another's: its address proves to be shared. It is taken back as if it had not
 * been told of, and its bytes are shown apart, charged to nobody.
 */
void reconcile_flow_doubt(struct reconcile *reconcile, const struct ev_flow *flow);

/* Plaintext of this process with this host that the parsers read, in `records` TLS records. */
void reconcile_read(struct reconcile *reconcile, uint32_t tgid, const char *host, enum ev_dir dir,
		    uint64_t bytes, uint64_t records);

/*
 * What came in for a call that was cut short and was not read: no charge of its own but, from here
 * on, the call's. While other flows of the process are open it is what sockets held when they ended
 * (ev_flow.unread); when none is, it is all that came in unexplained, unless a request went out
 * unexplained as well, whose answer that may be. Returns whether a flow goes on, whose end may
 * bring more.
 */
bool reconcile_take_unread(struct reconcile *reconcile, uint32_t tgid, const char *host,
			   uint64_t *ret_bytes);
/*
 * A call of this process is in progress: what its sockets held when they ended may be the call's,
 * so it is not settled in the pass of reconcile_next() that follows.
 */
void reconcile_in_progress(struct reconcile *reconcile, uint32_t tgid, const char *host);

/*
 * A flow carries a TLS connection that is read: it leaves the sums of its process, for good. `flow` has its
 * counts as of now; `is_known`: it was told of by reconcile_flow(). `read` is the plaintext of the
 * connection so far, by enum ev_dir: what had flowed before, as ret_late gives, is charged by its size. Then the connection's
 * reads leave the sums, too: those that were told, and those to come. Bytes that no parser made sense of
 * are lost calls, unless they are of a protocol that the connection was upgraded to.
 */
void reconcile_pair(struct reconcile *reconcile, const struct ev_flow *flow, bool is_known,
		    const uint64_t read[2], uint64_t ret_late[2]);
void reconcile_pair_read(struct reconcile *reconcile, uint32_t tgid, const char *host,
			 const uint64_t bytes[2], const uint64_t records[2]);
void reconcile_paired_read(struct reconcile *reconcile, uint32_t tgid, const char *host,
			   enum ev_dir dir, uint64_t bytes);
void reconcile_paired_lost(struct reconcile *reconcile, uint32_t tgid, const char *host,
			   uint64_t bytes);
/* Its counts so far, for coverage alone: all are forgotten, and told again. */
void reconcile_paired_recount(struct reconcile *reconcile);
void reconcile_paired_count(struct reconcile *reconcile, const struct ev_flow *flow,
			    const struct ctl_flow *row);
/*
 * It has ended. `explained` is the plaintext that was seen of all connections that it carried, by
 * enum ev_dir: what went out beyond it is charged by its size, with its answers. Returns what came
 * in beyond it otherwise: it belongs to a call of those connections, if one was cut short.
 */
uint64_t reconcile_paired_end(struct reconcile *reconcile, const struct ev_flow *flow,
			      const uint64_t explained[2]);
/* So much of that is charged with a call of this process. */
void reconcile_paired_taken(struct reconcile *reconcile, uint32_t tgid, const char *host,
			    uint64_t bytes);

/* So many bytes of it were read and are known never to have left: they explain nothing that flowed. */
void reconcile_unsent(struct reconcile *reconcile, uint32_t tgid, const char *host, uint64_t bytes);

/* Some of what flowed since it was last settled went to an address that only this process vouches for. */
void reconcile_unconfirmed(struct reconcile *reconcile, uint32_t tgid, const char *host);

/* A request that was read and is no call of a known kind. */
void reconcile_other(struct reconcile *reconcile, uint32_t tgid, const char *host);

/* Why something was not read; the first that applies. */
enum unmetered_why {
	UNMETERED_READ, /* all was */
	UNMETERED_QUIC,
	UNMETERED_OLDER,    /* its connections are older than the programs */
	UNMETERED_SHARED,   /* older, and at an address that others use as well: not charged */
	UNMETERED_NEVER,    /* nobody is probed (`attach: never`) */
	UNMETERED_RETURNS,  /* its library returns in ways that cannot be followed on this kernel */
	UNMETERED_REFUSED,  /* the kernel refused the probes */
	UNMETERED_UNREAD,   /* its TLS is not known */
	UNMETERED_LOST,     /* it was read, and most of what is missing was lost on the way ... */
	UNMETERED_UPGRADED, /* ... or went on as a protocol that is not read */
	UNMETERED_LATE,     /* it was read, but not from its first call on */
	UNMETERED_WHYS
};
/* "quic", "older", ...; "" for UNMETERED_READ. Stable: in facts and metrics. */
const char *unmetered_why_name(enum unmetered_why why);

/* Nothing of this process will be read, and why: UNMETERED_NEVER, _RETURNS, _REFUSED. */
void reconcile_left_out(struct reconcile *reconcile, uint32_t tgid, const char *host,
			enum unmetered_why why);

/* Plaintext that the probes saw and no parser read: UNMETERED_LOST, _UPGRADED. */
void reconcile_missed(struct reconcile *reconcile, uint32_t tgid, const char *host,
		      enum unmetered_why why, uint64_t bytes);

/* Sizes that nothing explains. Strings are valid until the next call. */
struct reconcile_sum {
	uint32_t tgid;
	uint64_t cgroup;
	const char *comm, *host;
	uint64_t bytes[2];  /* by enum ev_dir: plaintext, about */
	uint64_t flows;     /* connections that ended among them */
	uint64_t exchanges; /* requests on them, as far as they were counted; no less than flows */
	enum answer_form form; /* ANSWER_SSE: the records that came in are those of event streams */
	bool is_unread;        /* nothing of this process was ever read: its TLS is not seen */
	bool is_unconfirmed;   /* some of it went where reconcile_unconfirmed() says */
};
/*
 * Pulls what can be settled now: an account with no open flow, or (at `tick`) one whose process was
 * never read. False: nothing more.
 */
bool reconcile_next(struct reconcile *reconcile, bool tick, struct reconcile_sum *ret);

/* One process and host, as far as it is known now. */
struct reconcile_row {
	uint32_t tgid;
	uint64_t cgroup; /* 0: no flow of it is known */
	const char *comm, *host;
	uint64_t flows, open;   /* connections seen; of these, still open */
	uint64_t flow_bytes[2]; /* by enum ev_dir; beyond the handshakes */
	uint64_t read_bytes[2], charged_bytes[2];
	uint64_t quic, adopted; /* of the flows: by QUIC; older than the programs */
	uint64_t others;        /* requests that were read and are no call to be charged */
	uint64_t lost_bytes, doubtful_bytes[2];
	enum unmetered_why why; /* not all of it was read */
};
void reconcile_each(const struct reconcile *reconcile,
		    void (*fn)(void *arg, const struct reconcile_row *row), void *arg);

/* Totals since the start, by enum ev_dir: for coverage. */
struct reconcile_stats {
	uint64_t flow_bytes[2], read_bytes[2], charged_bytes[UNMETERED_WHYS][2];
	uint64_t accounts, accounts_dropped;
};
void reconcile_stats(const struct reconcile *reconcile, struct reconcile_stats *ret);

#endif

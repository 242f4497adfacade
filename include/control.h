/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What user space sends down: which hosts are AI hosts, what was decided about a connection, and
 * the gates. All of it is maps; the keys and values are here.
 */
#ifndef AIGRESS_CONTROL_H
#define AIGRESS_CONTROL_H

#include <linux/types.h>

/* What is known of a host or a connection. */
enum ctl_verdict {
	CTL_UNKNOWN = 0, /* no name yet: a bounded look at its plaintext */
	CTL_AI = 1,      /* its plaintext comes up */
	CTL_IGNORE = 2,  /* not ours: nothing is copied or counted any more */
	CTL_ASK = 3, /* the suffix fits, user space must look at the whole name (hosts map only) */
};

/*
 * Key of the `hosts` map, a longest-prefix trie over the host name reversed, so that a suffix is a
 * prefix: "api.openai.com" is stored as "moc.ianepo.ipa\0" (exact) and "*.openai.azure.com" as
 * "moc.eruza.ianepo." (suffix). Names are lower case. 64 bytes of the end of a name decide.
 */
#define CTL_HOST_KEY 64
struct ctl_host_key {
	__u32 prefix_bits;
	__u8 reversed[CTL_HOST_KEY];
};

/* Key of the `conns` map. */
struct ctl_conn_key {
	__u64 ssl;
	__u32 tgid;
	__u32 reserved;
};

/* Value of the `conns` map: one TLS connection, from its first sight to SSL_free. */
struct ctl_conn {
	__u64 id;
	__u64 bytes[2]; /* plaintext by enum ev_dir */
	__u64 socket; /* cookie of the first that was seen to carry it: its own, or that of the relay behind a Unix socket */
	__u64 pacing; /* the cgroup that holds its caller's next request, as of its last write; 0: none */
	__u64 name_hash;    /* of the host that was set; 0: none */
	__u64 tenant;       /* whose row it is: a key of `conn_shares` */
	__u32 looked_bytes; /* shown while the state was not decided */
	__u8 state;         /* enum ctl_verdict */
	__u8 is_open;       /* EV_OPEN was sent */
	__u8 is_paired;     /* a socket that carries it is known (EV_PAIR) */
	__u8 noted;         /* records whose fingerprints were noted before that */
	__u8 is_refused;    /* its caller, as of its last write, is behind a shut gate */
	__u8 reserved[3];
	__u32 used_up; /* bpf_ktime_get_ns() >> 30, a second or so, when all that may be shown was; 0: not yet */
};
_Static_assert(sizeof(struct ctl_conn_key) == 16, "both halves agree on struct ctl_conn_key");
_Static_assert(sizeof(struct ctl_conn) == 72, "both halves agree on struct ctl_conn");

/*
 * How many rows of `conns` a tenant has: `conn_shares`, keyed by the id of its cgroup, is written by the kernel;
 * `conn_swept`, with the same key, is what user space took away, and written by it alone. Each only ever rises, so no
 * word has two writers. Key CTL_SHARE_ALL: of all tenants.
 */
struct ctl_share {
	__u64 taken, given; /* rows, ever */
};
#define CTL_SHARE_ALL  0
#define CTL_SHARES_MAX 4096
_Static_assert(sizeof(struct ctl_share) == 16, "both halves agree on struct ctl_share");

static inline __u64 ctl_share_rows(const struct ctl_share *share, __u64 swept)
{
	__u64 rows = share->taken - share->given - swept;

	/* an entry that was dropped as empty while a row was taken has one more given than taken */
	return (__s64)rows > 0 ? rows : 0;
}

/*
 * Whether a tenant with `own` rows of a table, of which `used` are in use, may have one more: as many as are free. One
 * that takes all it can leaves half of the table to others, two leave a third, and nobody's rows are ever evicted.
 */
static inline int ctl_share_allows(__u64 own, __u64 used, __u64 rows)
{
	return used < rows && own < rows - used;
}

/* What a gate does with new AI traffic of a cgroup. */
enum ctl_gate_state {
	CTL_OPEN = 0,
	CTL_REFUSE = 1, /* connect to an AI address: EPERM; a ClientHello for an AI host: dropped */
	CTL_TURN_AWAY =
		3, /* as CTL_REFUSE for new connections; live ones go on, and end what they began */
	CTL_PACE = 2, /* a request goes out when each of the gate's buckets has credit, else it waits */
};

/*
 * Value of the `gates` map, keyed by v2 cgroup id; it holds for the cgroup and all below it (up to
 * CTL_DEPTH levels). A gate is a lease: the kernel takes it for open when CLOCK_MONOTONIC passes
 * lease_ns, so a daemon that died stops no one for longer than that. UINT64_MAX: no end.
 */
#define CTL_DEPTH   16
#define CTL_BUCKETS 4
struct ctl_gate {
	__u64 lease_ns;
	__u32 state; /* enum ctl_gate_state */
	__u32 has_rate; /* a bucket is a pace: QUIC, whose requests cannot be told apart, is turned away */
	__u64 hits; /* written by the kernel: connects and hellos turned away, requests held */
	/* CTL_PACE, and for live connections CTL_TURN_AWAY: keys of `grants`; 0 ends the list */
	__u32 buckets[CTL_BUCKETS];
};
_Static_assert(sizeof(struct ctl_gate) == 40, "both halves agree on struct ctl_gate");

/*
 * Pacing admits requests by credit, for money is not bytes. A bucket is one paced counter of a
 * budget; all cgroups that share the counter name it in their gates, and a gate may name several
 * (nested budgets: each must have credit, each is taken from). Its two halves lie in two maps with
 * the same key, so that each word has one writer and neither overwrites the other:
 *
 *   grants[bucket], written by user space;  takes[bucket], written by the kernel.
 *
 * The kernel's whole rule, when a request begins on an AI flow behind a gate with buckets:
 *
 *   pass, and takes.consumed_nanos += grants.reserve_nanos, in each bucket, atomically
 *       if (__s64)(grants.granted_nanos - takes.consumed_nanos - takes.streamed_nanos) > 0 in each;
 *   else hold it: no data of a new request leaves; answers in flight, ACKs and keep-alives do.
 *
 * A bucket that is not in `grants` has credit (it was just taken away). A held request is asked
 * again when granted_nanos rises or the gate ends; how it is held and woken is the kernel half's.
 * The last request may take the credit below zero, once a CPU at most when two race.
 *
 * consumed_nanos only ever rises, from 0. User space keeps
 *
 *   granted = rate * time since the bucket began + reserves of settled requests - their true cost
 *
 * so granted - taken is the rate's money not yet spent, less what is in flight: the rate is exact
 * however bad the reserve is, and a word that is read late errs by requests in flight only. A
 * request that the kernel took for and user space never sees settled is given back after
 * CTL_PACE_FORGET_NS.
 *
 * A bucket may also be the rest of a budget that is nearly spent (enforce/allowance.c): no rate, but what is
 * left. Then answers count as they come in, by their bytes, and so the kernel stops a budget by itself,
 * whatever user space is doing: takes.streamed_nanos += bytes * grants.per_kib_nanos / 1024; and from
 * takes.streamed_nanos >= grants.cut_nanos on, what comes in of an answer is dropped, unacknowledged.
 */
#define CTL_PACE_FORGET_NS 600000000000ULL
struct ctl_allowance {
	__u64 granted_nanos; /* nano-dollars, or tokens for a budget in tokens */
	__u64 reserve_nanos; /* what one request takes as it begins; > 0 */
	__u64 per_kib_nanos; /* of an answer, as TCP carries it; 0: answers do not count */
	__u64 cut_nanos;     /* UINT64_MAX: answers are not cut */
};
struct ctl_consumed {
	__u64 consumed_nanos;
	__u64 admitted;       /* requests */
	__u64 held;           /* requests that had to wait, each counted once */
	__u64 streamed_nanos; /* by answers; only ever rises, as consumed_nanos does */
};
#define CTL_BUCKETS_MAX 4096

/*
 * Value of the `holds` map, keyed by socket cookie: a flow whose request waits. User space makes
 * TCP try again (tap_pace_wake) when the bucket that had no credit has some.
 */
struct ctl_hold {
	__u64 since_ns;
	__u64 inode; /* of the socket, as /proc/PID/fd shows it */
	__u32 tgid;  /* who sent it; who connected, if TCP did so by itself */
	/*
	 * The first that had no credit when it was last asked. 0: none waits for credit. Its program gave up,
	 * a refusal dropped it, or the flow has ended; then user space deletes it as it reads of the end.
	 */
	__u32 bucket;
};
#define CTL_HOLDS_MAX 16384
_Static_assert(sizeof(struct ctl_hold) == 24, "both halves agree on struct ctl_hold");
_Static_assert(sizeof(struct ctl_allowance) == 32, "both halves agree on struct ctl_allowance");
_Static_assert(sizeof(struct ctl_consumed) == 32, "both halves agree on struct ctl_consumed");

/* Value of the `probed` map, keyed by tgid. No entry: user space does not know of the process. */
enum ctl_probed {
	CTL_PROBING = 1, /* user space is at it: a deferred hello may wait longer */
	CTL_PROBED = 2,  /* its probes are in, or there is nothing to probe */
	CTL_RELAYS =
		3, /* it passes on what others say on Unix sockets: each of its hellos is deferred */
};

/* Value of the `deferrals` map, keyed by socket cookie: a connection whose ClientHello waits for probes. */
struct ctl_deferral {
	__u64 inode; /* of the socket, as /proc/PID/fd shows it */
	__u32 tgid;  /* who connected */
	__u32 reserved;
};
_Static_assert(sizeof(struct ctl_deferral) == 16, "both halves agree on struct ctl_deferral");

/*
 * Key of the `ai_addrs` and `other_addrs` maps, and with port 53 of `name_servers`: where a TLS server was reached. What a connection taught
 * holds in its own network namespace, for inside of one that a tenant made every address is the tenant's.
 */
struct ctl_addr {
	__u8 addr[16]; /* IPv6, or IPv4 as ::ffff:a.b.c.d */
	__u16 port;    /* host byte order */
	__u16 reserved;
	__u32 netns; /* inode number; 0: everywhere, by the node's own resolver */
};
_Static_assert(sizeof(struct ctl_addr) == 24, "both halves agree on struct ctl_addr");

#define CTL_NAME_SERVERS_MAX 128

/* A process that is reported as it connects is not reported again for this long. */
#define CTL_APPROACH_NS 5000000000ULL

/*
 * Value of the `flow_counts` map, keyed by socket cookie: a live AI flow. Written by the kernel
 * only; when user space deletes it, the flow is no AI flow any more (tap_flow_decide).
 */
struct ctl_flow {
	__u64 bytes[2];     /* TCP payload by enum ev_dir */
	__u32 handshake[2]; /* of these, before the first request; as in struct ev_flow */
	__u64 framed[2];    /* as in struct ev_flow, also below */
	__u32 records[2];
	__u8 record_bytes;
	/*
	 * The socket's release reports its end: of a flow whose connect was not seen, or (counts of 0) of
	 * the socket of QUIC flows.
	 */
	__u8 ends_at_release;
	__u8 reserved[2];
	__u32 requests; /* as in struct ev_flow */
};
_Static_assert(sizeof(struct ctl_flow) == 56, "both halves agree on struct ctl_flow");

enum ctl_quic_state {
	CTL_QUIC_LOOK,  /* its first datagrams go up */
	CTL_QUIC_AI,    /* counted */
	CTL_QUIC_OTHER, /* passes */
};

/* Value of the `quics` map, keyed by the number of the flow: one QUIC connection to port 443. */
struct ctl_quic {
	struct ctl_flow counts; /* datagrams as they are; framed and records: those with a short header */
	__u64 begun_ns;
	__u32 told; /* datagrams that went up */
	__u8 state; /* enum ctl_quic_state */
	__u8 reserved[3];
};
_Static_assert(sizeof(struct ctl_quic) == 72, "both halves agree on struct ctl_quic");

/* How many ports are looked at for plain HTTP: keys of the `plain_ports` map, in host byte order. */
#define CTL_PLAIN_PORTS_MAX 256

/* Counters of the kernel half, one per CPU in the `counters` map: failures and losses, by name. */
enum ctl_counter {
	CTL_CONNS_FULL,        /* no room for a connection: its plaintext is not seen */
	CTL_CONNS_REFUSED,     /* its tenant has its share of the connections: likewise */
	CTL_RING_FULL_EVENTS,  /* events that found the ring full */
	CTL_RING_FULL_BYTES,   /* plaintext bytes in them */
	CTL_READ_FAILED_BYTES, /* plaintext that was not resident and could not be read */
	CTL_CLAMPED_BYTES,     /* plaintext beyond the pieces of one call */
	CTL_FRAMES_FULL,       /* TLS calls nested deeper than is followed */
	CTL_FLOWS_FULL,        /* no room for a flow's counts */
	CTL_HELLO_BAD,         /* ClientHello that could not be read */
	CTL_HELLO_ECH,         /* ClientHello with Encrypted Client Hello: outer name only */
	CTL_REFUSED_CONNECTS,  /* and QUIC datagrams to an AI address, each */
	CTL_REFUSED_HELLOS,    /* and CONNECT requests to a proxy */
	CTL_HELD_REQUESTS,     /* that had to wait at a pace gate, each once */
	CTL_HOLDS_FULL,        /* of these, no room: TCP alone tries again, late */
	CTL_CUT_STREAMS,       /* answers that the kernel itself has cut, each time it began to */
	CTL_QUIC_UNREAD,       /* first datagrams that were not looked at: too many at once */
	CTL_ANSWERS_UNREAD, /* of name servers, about AI hosts: too many in a second of one network namespace */
	CTL_FIRST_CALLS_DEFERRED, /* hellos that waited for their process's probes */
	CTL_FIRST_CALLS_MISSED,   /* hellos that left before the probes of their process were in */
	CTL_PLAIN_UNREAD, /* bytes of plain HTTP that were not copied: one packet had too many, or it was not known whose they are */
	CTL_FIRST_CALLS_CROWDED, /* hellos that waited for TCP to repeat them: too many of their cgroup were deferred */
	CTL_COUNTERS /* how many there are */
};

#endif

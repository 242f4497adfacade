/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the kernel half sends up, through one ring buffer. The same bytes are what a recorded
 * event file holds and what the pipeline's fuzzer feeds, so everything here is fixed-size
 * integers, little padding, and sizes that both compilers assert.
 *
 * Sizes of traffic do not depend on these events: each data event carries its offset in the
 * stream, so a piece that did not fit the ring is seen as a jump of the next offset, exactly.
 */
#ifndef AIGRESS_EVENT_H
#define AIGRESS_EVENT_H

#include <linux/types.h>

enum ev_type {
	EV_DATA = 1,   /* plaintext of one TLS connection, one direction */
	EV_OPEN = 2,   /* a TLS connection was seen for the first time, or again with a new name */
	EV_CLOSE = 3,  /* SSL_free, or the pointer was taken by a new connection */
	EV_EXEC = 4,   /* a process image was replaced (only processes that were seen before) */
	EV_EXIT = 5,   /* the last thread of such a process ended */
	EV_CGROUP = 6, /* a cgroup of the v2 hierarchy was made: id and path */
	EV_FLOW = 7,   /* a TCP connection's ClientHello named an AI host (or was refused) */
	EV_FLOW_END = 8, /* that connection ended, with its final byte counts */
	EV_PAIR = 10,    /* a socket was seen to carry the records of a TLS connection */
	EV_ANSWER = 13,  /* a name server has told a program which addresses an AI host has */
	EV_QUIC = 9, /* one of the first datagrams of a QUIC connection, whose name is not known yet */
	EV_PLAIN = 11, /* a TCP connection's first request is plain HTTP, to a port that is looked at */
	EV_SEGMENT = 12, /* bytes of such a connection, as they pass */
};

/* Directions are the client's. */
enum ev_dir {
	EV_OUT = 0, /* SSL_write: request */
	EV_IN = 1,  /* SSL_read: answer */
};

#define EV_COMM_LEN  16
#define EV_HOST_LEN  256   /* RFC 1035: 253 characters and a NUL */
#define EV_PATH_LEN  512   /* of a cgroup, below the v2 mount; longer ones are cut and flagged */
#define EV_PIECE_MAX 16384 /* the largest TLS plaintext record, RFC 8446 5.1 */

struct ev_head {
	__u32 type;    /* enum ev_type */
	__u32 tgid;    /* as the initial pid namespace numbers it; 0 if unknown */
	__u64 cgroup;  /* v2 cgroup id of the task (of the socket, for flows) at that moment */
	__u64 id;      /* of the TLS connection, or the socket cookie of a flow; 0 if none */
	__u64 time_ns; /* CLOCK_MONOTONIC */
};
_Static_assert(sizeof(struct ev_head) == 32, "both halves agree on struct ev_head");

struct ev_data {
	struct ev_head head;
	__u64 offset; /* bytes of this direction before this piece, since the connection was seen */
	__u32 len;    /* of bytes[] */
	__u8 dir;     /* enum ev_dir */
	__u8 reserved[3];
	__u8 bytes[];
};
_Static_assert(sizeof(struct ev_data) == 48, "both halves agree on struct ev_data");

struct ev_open {
	struct ev_head head;
	__u64 ssl; /* the SSL object's address: with head.tgid, the kernel's key of the connection */
	__u32 uid;
	__u8 verdict; /* enum ctl_verdict, as the host table gave it */
	__u8 reserved[3];
	char comm[EV_COMM_LEN];
	char host[EV_HOST_LEN]; /* from the SNI setter; empty: none was set */
};
_Static_assert(sizeof(struct ev_open) == 320, "both halves agree on struct ev_open");

struct ev_close {
	struct ev_head head;
	__u64 bytes[2]; /* by enum ev_dir: plaintext of the whole connection */
};
_Static_assert(sizeof(struct ev_close) == 48, "both halves agree on struct ev_close");

/* EV_EXEC and EV_EXIT are a bare struct ev_head. */

struct ev_cgroup {
	struct ev_head head; /* head.cgroup is the new directory's id */
	char path[EV_PATH_LEN];
};
_Static_assert(sizeof(struct ev_cgroup) == 544, "both halves agree on struct ev_cgroup");

/* What became of a flow. */
enum ev_flow_state {
	EV_FLOW_SEEN = 0,    /* passes */
	EV_FLOW_REFUSED = 1, /* its ClientHello was dropped by a gate */
	/*
	 * Connects to an address of an AI host, a round trip before its ClientHello (once a process
	 * in CTL_APPROACH_NS at most), or its ClientHello is held (tap_hold). No host, and no flow yet.
	 */
	EV_FLOW_APPROACH = 2,
};

/*
 * A TCP socket, as its owner's network namespace names it; addresses in network byte order.
 * head.tgid and comm are who connected.
 */
struct ev_flow {
	struct ev_head head; /* head.id is the socket cookie; head.tgid 0 if unknown */
	__u64 bytes[2];      /* TCP payload so far, by enum ev_dir (EV_FLOW_END: final) */
	/*
	 * Of these, what came before the client's first record of application data, with session
	 * tickets that were still to come then; all of them while there was none. 0, 0: unknown.
	 */
	__u32 handshake[2];
	__u64 framed[2];  /* of the bytes, those of TLS records (QUIC: packets) that were counted */
	__u32 records[2]; /* how many of application data: their framing is no plaintext */
	__u32 unread;     /* EV_FLOW_END: bytes that came in and were still in the socket */
	__u32 requests;   /* TCP: turns of direction, as far as they were seen; 0: not known */
	union {
		__u64 hello; /* TCP: of the ClientHello's random; who sends the same is a relay; 0: unknown */
		__u64 held_since_ns; /* where is_unsent: from when on nothing left */
		__u64 socket;        /* where is_quic: the socket's cookie */
	};
	__u32 netns;         /* inode number of the socket's network namespace; 0 if unknown */
	__u16 local_port;    /* host byte order */
	__u16 remote_port;   /* host byte order */
	__u8 local_addr[16]; /* IPv4 in the first four bytes */
	__u8 remote_addr[16];
	__u8 family;       /* AF_INET or AF_INET6 */
	__u8 state;        /* enum ev_flow_state */
	__u8 verdict;      /* enum ctl_verdict: CTL_AI, or CTL_ASK: answer by tap_flow_decide() */
	__u8 is_tunnelled; /* through a proxy (CONNECT): the remote address is the proxy's */
	/*
	 * Older than the programs, and known by its address alone: no host, no process, no handshake;
	 * bytes count from here on.
	 */
	__u8 is_adopted : 1;
	/* A user namespace that anybody may have made owns its network namespace: any address there may be its own. */
	__u8 is_tenants : 1;
	__u8 record_bytes; /* framing of one record; 0: unknown */
	/*
	 * UDP: head.id is a number of its own; an EV_FLOW_END whose head.id is `socket` ends all flows of
	 * that socket, without counts.
	 */
	__u8 is_quic;
	/* EV_FLOW_END: what was written last was held at a gate, or dropped by one, and never left. */
	__u8 is_unsent;
	char comm[EV_COMM_LEN];
	/*
	 * SNI of the ClientHello, or CONNECT's. Empty in EV_FLOW_END, in a second EV_FLOW, which tells
	 * of the hello inside a tunnel, where is_adopted, and where a hello to an AI host's address gives
	 * no name.
	 */
	char host[EV_HOST_LEN];
};
_Static_assert(sizeof(struct ev_flow) == 416, "both halves agree on struct ev_flow");

/*
 * EV_PLAIN is a struct ev_flow without a host, hello or framing: verdict CTL_ASK is to be answered by tap_decide()
 * with the flow's id, after its first request; CTL_AI: its address is an AI host's. An EV_FLOW_END follows in any case.
 *
 * A segment of it. What leaves is told once and in order; what comes in is told as it comes, in any order, and may be
 * told twice.
 */
struct ev_segment {
	struct ev_head head; /* head.id is the socket cookie */
	__u64 offset;        /* of bytes[] in this direction, since the connection was seen */
	__u64 sure; /* all that was to be told of the bytes before this one was told: what is missing is lost */
	__u32 len; /* of bytes[] */
	__u8 dir;  /* enum ev_dir */
	__u8 reserved[3];
	__u8 bytes[];
};
_Static_assert(sizeof(struct ev_segment) == 56, "both halves agree on struct ev_segment");

/* How it is known that a socket carries a TLS connection, the surest first (bpf/pair.h). */
enum ev_pair_how {
	EV_PAIR_RECORD = 0, /* a record's ciphertext was seen in the library and in the socket */
	EV_PAIR_CALL = 1, /* it was sent by the task that was in the library's write, and fits that */
	EV_PAIR_LEN = 2, /* it fits one connection of the process alone */
	EV_PAIR_HOWS     /* how many there are */
};

/* Whose connections a socket carries, as far as was seen. */
enum ev_carries {
	EV_CARRIES_OWN = 0,    /* of its own cgroup */
	EV_CARRIES_OTHERS = 1, /* a relay's: of one other cgroup */
	EV_CARRIES_FRAMES = 2, /* likewise, in a framing of its own: there may be others' in it */
	EV_CARRIES_MANY = 3,   /* of several cgroups */
};

/*
 * A socket carries a TLS connection: its own, or as a relay. One whose flow was not known before (no name,
 * or another's; behind a proxy) is a flow from here on: no host, no handshake.
 */
struct ev_pair {
	struct ev_flow flow; /* as it is now; head.id is the socket's cookie */
	__u64 connection;    /* as in head.id of the TLS connection's events */
	__u32 how;           /* enum ev_pair_how */
	__u32 carries;       /* enum ev_carries */
};
_Static_assert(sizeof(struct ev_pair) == 432, "both halves agree on struct ev_pair");

/*
 * A datagram (or several, as UDP's offload joins them) of a QUIC connection's start, to be answered by
 * tap_decide() with the flow's id. Its name is in there, under keys that are public.
 */
#define EV_QUIC_MAX 3072
struct ev_quic {
	struct ev_flow flow; /* no host yet */
	__u32 len;           /* of bytes[] */
	__u32 reserved;
	__u8 bytes[EV_QUIC_MAX];
};
_Static_assert(sizeof(struct ev_quic) == 416 + 8 + EV_QUIC_MAX,
	       "both halves agree on struct ev_quic");

/*
 * What a name server has answered by UDP to a question about an AI host, as far as it fits; head.tgid is 0, head.id the
 * socket's cookie.
 */
#define EV_ANSWER_MAX 1232 /* what servers send at most without TCP (DNS flag day 2020) */
struct ev_answer {
	struct ev_head head;
	__u32 netns; /* where it was received, as in struct ev_flow */
	__u32 len;   /* of bytes[] */
	__u8 bytes[EV_ANSWER_MAX];
};
_Static_assert(sizeof(struct ev_answer) == 40 + EV_ANSWER_MAX,
	       "both halves agree on struct ev_answer");

/* Not an event: whose socket an AI flow is, as the task_file iterator writes them. */
struct ev_owner {
	__u64 cookie;
	__u32 tgid;
	__u32 reserved;
};
_Static_assert(sizeof(struct ev_owner) == 16, "both halves agree on struct ev_owner");

/* Not an event: who has connected to a Unix socket of a process, as the task_file iterator writes them. */
struct ev_peer {
	__u32 tgid;
	__u32 peer; /* a process, which may have ended since; 0: it listens on that socket */
};
_Static_assert(sizeof(struct ev_peer) == 8, "both halves agree on struct ev_peer");

/* Not an event: one executable file mapping, as the task_vma iterator writes them. */
struct ev_mapping {
	__u32 tgid;
	__u32 dev; /* of the real inode's file system: major << 20 | minor */
	__u64 start;
	__u64 end;
	__u64 ino;
};
_Static_assert(sizeof(struct ev_mapping) == 32, "both halves agree on struct ev_mapping");

#endif

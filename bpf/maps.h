/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Every map, with what bounds its size. */
#ifndef MAPS_H
#define MAPS_H

#include "kernel.h"
#include "machine.h"
#include "control.h"
#include "event.h"

__weak char LICENSE[] SEC("license") = "Dual BSD/GPL";

/*
 * MAP(name, kind, entries, key, value). Maps are weak, so that each .bpf.c may include this file and `bpftool gen
 * object` still makes one map of each. MAP_UNALLOCATED takes memory as entries come.
 */
#define MAP(name, kind, n, key_type, value_type) MAP_WITH(name, kind, n, key_type, value_type, 0)
#define MAP_UNALLOCATED(name, kind, n, key_type, value_type) \
	MAP_WITH(name, kind, n, key_type, value_type, BPF_F_NO_PREALLOC)
#define MAP_WITH(name, kind, n, key_type, value_type, flags) \
	struct {                                             \
		__uint(type, BPF_MAP_TYPE_##kind);           \
		__uint(max_entries, n);                      \
		__uint(map_flags, flags);                    \
		__type(key, key_type);                       \
		__type(value, value_type);                   \
	} name __weak SEC(".maps")

/* All events for user space. Its size is set before load (tap_config.ring_bytes). */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 16 << 20);
} events __weak SEC(".maps");

/* Failures and losses by enum ctl_counter. */
MAP(counters, PERCPU_ARRAY, CTL_COUNTERS, __u32, __u64);

/* The AI hosts, by reversed name (control.h); value: enum ctl_verdict. Filled by tap_add_host. */
MAP_UNALLOCATED(hosts, LPM_TRIE, 4096, struct ctl_host_key, __u32);

/* TLS connections; removed by SSL_free, tap_forget and tap_sweep. The size is set before load (conns_max). */
MAP(conns, HASH, 32768, struct ctl_conn_key, struct ctl_conn);

/* How many rows it has. Set before load. */
const volatile __u64 conns_rows __weak = 32768;

/* Whose those are (shares.h). Without room an entry's rows count among all only. */
MAP(conn_shares, HASH, CTL_SHARES_MAX, __u64, struct ctl_share);

MAP(conn_swept, HASH, CTL_SHARES_MAX, __u64, __u64);

/*
 * Whose record is on its way to a socket (pair.h). `connection` is 0 if two connections claimed the same. Old
 * entries are evicted.
 */
struct claim {
	__u64 connection; /* ctl_conn.id */
	__u64 ssl;
	__u64 time_ns;
	__u64 cgroup; /* of the caller */
	__u32 tgid;
	__u32 reserved;
};

/* By eight bytes of ciphertext. Nothing is deleted, because a relay's socket carries the record a second time. */
MAP(fingerprints, LRU_HASH, 16384, __u64, struct claim);

/* By process and plaintext's length (fingerprint.h): written and not yet seen to leave. */
MAP(written, LRU_HASH, 4096, __u64, struct claim);

/* When a process last noted such a record (ns of CLOCK_MONOTONIC). */
MAP(noters, LRU_HASH, 4096, __u32, __u64);

/* What user space decided, by connection id, until the connection's next call takes it over. */
MAP(verdicts, LRU_HASH, 8192, __u64, __u32);

/* Processes whose exec and exit are reported: the owners of connections that user space knows. */
MAP(procs, HASH, 16384, __u32, __u8);

/* A TLS call that has been entered and has not returned. */
struct frame {
	__u64 ssl;
	__u64 buf;
	__u64 count; /* address of the size_t that holds the count at return; 0: it is returned */
	__u64 sp;    /* at entry: of all calls in flight on a thread, each has its own */
	__u32 len;   /* of a write: what it was given, at most; 0: unknown */
	__u8 dir;    /* enum ev_dir */
	__u8 is_tls13_record; /* what comes out ends with its content type (tls_record.h) */
	__u8 sealed; /* enum record_kind, if this call makes ciphertext: `buf` is where that goes */
	__u8 is_rustls; /* a method of its encrypter or decrypter (rustls.h) */
};

/* TLS inside TLS is two deep, and node writes inside a read: four is that twice over. */
#define FRAMES 4
struct thread {
	__u32 n;
	__u32 reserved;
	struct frame frames[FRAMES];
};

/* By pid_tgid. LRU, because a thread that is killed inside a call is never cleaned up. */
MAP(threads, LRU_HASH, 16384, __u64, struct thread);

/* The AEAD context that was created last on a thread (aead.bpf.c). By pid_tgid. */
struct aead_made {
	__u64 ctx;
	__u64 time_ns;
	__u64 gap_ns; /* time since its twin was created; 0: it has no twin */
};
MAP(aead_threads, LRU_HASH, 4096, __u64, struct aead_made);

/*
 * The connection of a context, by (process, context): the address of its older twin. Of rustls's decrypter: that of
 * its encrypter.
 */
MAP(aead_conns, LRU_HASH, 32768, struct ctl_conn_key, __u64);

/*
 * The first words of a RecordLayer that is about to encrypt, by pid_tgid. Encrypter and decrypter are pointed to from
 * the third and the fifth.
 */
#define RUSTLS_LAYER_WORDS 8
struct rustls_layer {
	__u64 words[RUST_SELVES][RUSTLS_LAYER_WORDS];
};
MAP(rustls_layers, LRU_HASH, 4096, __u64, struct rustls_layer);

/* A (*Conn).Read that has been entered, by goroutine: goroutines change threads and move their stacks. */
struct go_read {
	__u64 conn;
	__u64 buf;
	__u64 len;
};
MAP(go_reads, LRU_HASH, 16384, struct ctl_conn_key, struct go_read);

/* What is known of a TCP connection that sent something. */
enum flow_state {
	FLOW_NEW = 0,  /* has sent nothing yet */
	FLOW_HELLO,    /* in the middle of its ClientHello; its struct hello is in `hellos` */
	FLOW_TUNNEL,   /* talking to a proxy: its ClientHello is still to come */
	FLOW_DEFERRED, /* named an AI host and waits for probes; its struct hello is in `hellos` */
	FLOW_REFUSED,  /* named an AI host behind a shut gate; its struct hello is in `hellos` */
	FLOW_PLAIN,    /* asks in plain HTTP for what user space does not know yet (plain.h) */
	FLOW_AI,       /* counted */
	FLOW_OTHER,    /* passes and is not examined again */
};

/* How far the client's side of TLS has come. */
enum flow_handshake {
	HANDSHAKE_NONE = 0, /* no record yet: before a tunnelled hello */
	HANDSHAKE_HANDSHAKE,
	HANDSHAKE_FINISHED, /* TLS 1.3: its Finished is out */
	HANDSHAKE_DATA,     /* application data */
	HANDSHAKE_LOST,     /* its records could not be followed */
};

/* The TLS records of one direction, followed by their headers (records.h). */
struct records {
	__u64 bytes; /* of those counted, with their headers */
	__u32 n;
	__u32 next;       /* sequence number of the next header */
	__u8 is_followed; /* `next` is sound */
	__u8 have;        /* bytes of that header in head[] */
	__u8 is_tls13;    /* data type before the client's data: an encrypted handshake */
	__u8 head[16];    /* 5 used, as in struct hello */
	__u8 reserved[5];
};

struct flow {
	__u64 cookie;
	__u64 cgroup;      /* of the socket */
	__u64 bytes[2];    /* TCP payload by enum ev_dir */
	__u64 deferred_ns; /* since when its hello, or its waiter's data, is deferred; 0: it is not */
	__u64 hello;       /* of the ClientHello's random; 0: unknown */
	__u64 before_in;   /* bytes that had come in before it was adopted */
	struct records records[2];
	__u32 handshake[2]; /* of these (event.h) */
	__u32 finished_in;  /* bytes that had come in when the client's Finished went out */
	__u32 seq_record;   /* of the client's next TLS record, while talk is a handshake */
	__u32 seq_first;    /* of the first payload byte */
	__u32 seq_next;     /* behind the last byte that was sent (FLOW_HELLO: read) */
	__u32 tgid;         /* who connected */
	__u32 sender;       /* the last other process that sent; 0: none did */
	__u32 waiter;       /* the sender whose probes are waited for; 0: none */
	__u32 netns;
	__u8 state;   /* enum flow_state */
	__u8 verdict; /* enum ctl_verdict of the name */
	__u8 is_tunnelled;
	__u8 is_counted;        /* has its row in flow_counts */
	__u8 segments;          /* examined without result in a tunnel */
	__u8 handshake_state;   /* enum flow_handshake */
	__u8 has_asked;         /* it has sent a request */
	__u32 in_asked;         /* bytes that had come in as it last sent of a request; low half */
	__u32 seq_held;         /* of the first byte that is held */
	__u32 in_held;          /* as in_asked, when the holding began */
	__u32 ack;              /* the newest that left */
	__u64 held_since_ns;    /* pace.h; 0: nothing is held */
	__u64 starved_since_ns; /* acknowledgements are held up with it; 0: none */
	__u8 is_old;            /* its connect was not seen and it sent no name: may be adopted */
	__u8 is_adopted;
	__u8 is_tenants;  /* its network namespace: netns_is_tenants() */
	__u8 is_cut;      /* what comes in is dropped, while its bucket says so (pace.h) */
	__u8 pair_looks;  /* segments that were looked at for a record (pair.h) */
	__u32 generation; /* addrs_generation when its address was last asked about */
	__u64 connection; /* the TLS connection that it was last paired with; 0: none */
	__u64 connection_ssl;
	__u64 connection_cgroup; /* of its caller, when it was paired */
	__u64 pacing; /* the cgroup that paces it, where the caller is not in the socket's (pair.h) */
	__u32 connection_tgid;
	__u32 requests;       /* that began */
	__u8 is_learned;      /* its peer is known as an AI host's (adopt.h) */
	__u8 ends_at_release; /* its connect was not seen, so sockops does not report its end */
	__u8 is_mixed;        /* it did not begin as TLS: may carry several connections */
	__u8 carries; /* enum ev_carries; from EV_CARRIES_FRAMES on no refusal of one caller drops its packets */
	__u8 connection_how; /* enum ev_pair_how: how it is known that it carries the connection */
	__u8 is_plain;       /* plain HTTP */
	__u8 is_crowded; /* what is deferred has no place: it waits for TCP to repeat it (defer.h) */
	__u8 reserved;
	__u32 plain_seq_in; /* of the first byte that comes in */
	__u64 plain_in;     /* the highest offset that came in, from there */
	__u64 plain_looked; /* bytes that were shown while it was FLOW_PLAIN */
	char comm[EV_COMM_LEN];
};

/* One for each TCP socket that has connected or sent something; the kernel frees it with the socket. */
MAP_UNALLOCATED(flows, SK_STORAGE, 0, int, struct flow);

/* When a process was last reported as connecting to an AI address. */
MAP(approaches, LRU_HASH, 1024, __u32, __u64);

/*
 * Processes that user space is probing or has dealt with: their probes are attached, or there is nothing to
 * probe, so their hellos are no longer deferred. Value: enum ctl_probed.
 */
MAP(probed, LRU_HASH, 16384, __u32, __u8);

/* Connections whose ClientHello waits for probes, by socket cookie. */
MAP(deferrals, LRU_HASH, 4096, __u64, struct ctl_deferral);

/*
 * The processes of a cgroup whose hellos wait for probes: at most DEFERRING_MAX at once, with at most
 * DEFERRING_HELLOS each, for what they cost is the look at a process.
 */
#define DEFERRING_MAX    8
#define DEFERRING_HELLOS 64
struct deferring {
	__u64 missed_ns; /* when a hello last waited in vain, for user space had not read of it; 0: never */
	__u64 since_ns[DEFERRING_MAX];
	__u32 tgid[DEFERRING_MAX];
	__u32 hellos[DEFERRING_MAX];
};
MAP(deferrings, LRU_HASH, 4096, __u64, struct deferring);

/* Live AI flows, for user space; freed at the socket's end. Full: CTL_FLOWS_FULL. */
MAP_UNALLOCATED(flow_counts, HASH, 65536, __u64, struct ctl_flow);

/*
 * QUIC connections, by the number made of socket and peer (quic.h). LRU, because only the end of a socket is
 * visible, not that of a connection.
 */
MAP(quics, LRU_HASH, 16384, __u64, struct ctl_quic);

/* Gates by cgroup id (control.h). Read only while gates_live (gate.h) is not 0. */
MAP(gates, HASH, 4096, __u64, struct ctl_gate);

/* Credit by bucket (control.h): `grants` is what user space has granted, `takes` what was taken of it. */
MAP(grants, HASH, CTL_BUCKETS_MAX, __u32, struct ctl_allowance);

MAP(takes, HASH, CTL_BUCKETS_MAX, __u32, struct ctl_consumed);

/* Flows with a request that waits, by socket cookie. Full: CTL_HOLDS_FULL. */
MAP(holds, HASH, CTL_HOLDS_MAX, __u64, struct ctl_hold);

/* Ports at which the operator has named a host: plain HTTP to them is looked at (plain.h). Filled by tap_add_port. */
MAP(plain_ports, HASH, CTL_PLAIN_PORTS_MAX, __u32, __u8);

/*
 * Addresses to which a ClientHello was sent with an AI host's name, and with any other name. One that is in
 * both is shared (a CDN), and no connect to it is refused. Two maps, so that many other connections do not
 * evict the AI addresses.
 */
MAP(ai_addrs, LRU_HASH, 8192, struct ctl_addr, __u8);

MAP(other_addrs, LRU_HASH, 8192, struct ctl_addr, __u8);

/* The name servers whose answers count (names.h), in every network namespace. Filled by tap_add_name_server. */
MAP(name_servers, HASH, CTL_NAME_SERVERS_MAX, struct ctl_addr, __u8);

#endif

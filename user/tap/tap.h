/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The user side of the kernel boundary: loads the programs, hands events to one callback, takes
 * decisions down. Nothing here knows HTTP or money.
 */
#ifndef TAP_TAP_H
#define TAP_TAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "control.h"
#include "event.h"

struct tap;

struct tap_config {
	size_t ring_bytes;       /* a power of two; 0: TAP_RING_BYTES */
	uint32_t conns_max;      /* TLS connections at once; 0: TAP_CONNS_MAX */
	const char *cgroup_root; /* the v2 mount: flow and gate programs go to its root */
	bool perf_uprobes;       /* leave uprobe_multi aside although the kernel has it */
	/* Host patterns that are known before the first packet is looked at; NULL after the last. */
	const char *(*pattern)(size_t i);
	/* Ports at which plain HTTP is looked at, likewise; 0 after the last. CTL_PLAIN_PORTS_MAX at most. */
	uint16_t (*port)(size_t i);
	const char *pin; /* directory for tap_pin(), see pin.h, copied; NULL: none */
};
#define TAP_RING_BYTES (8u << 20) /* 25 ms at the 300 MB/s that one core reads; resident twice */
#define TAP_CONNS_MAX  32768u

/* `event` is one of event.h's structs, `size` bytes long; valid during the call only. */
typedef void (*tap_event_fn)(void *arg, const struct ev_head *event, size_t size);

/*
 * Loads everything and attaches what belongs to the whole host: process and cgroup tracepoints,
 * flow and gate programs. 0 or -errno; ret_error then holds a sentence that says what to do, to be
 * freed by the caller.
 */
int tap_new(struct tap **ret, const struct tap_config *config, char **ret_error);
/* Detaches, but for what is pinned. */
struct tap *tap_free(struct tap *tap);

/*
 * From now on gates outlive this process, each until its lease ends: the next daemon takes them over,
 * or pin_remove() lets them go. Mounts bpffs where it is not mounted. 0 or -errno; -EBUSY: another
 * daemon has the directory. Again is nothing new.
 */
int tap_pin(struct tap *tap);
/* No longer; also what an earlier daemon left. */
void tap_unpin(struct tap *tap);

/* An fd that is readable when events wait, and the call that hands them to fn. 0 or -errno. */
int tap_fd(const struct tap *tap);
int tap_drain(struct tap *tap, tap_event_fn fn, void *arg);
/* The same for at most `most` events (> 0), so that a flood leaves the caller time for others. */
int tap_drain_some(struct tap *tap, size_t most, tap_event_fn fn, void *arg);

/* Tells the kernel a host pattern ("api.x.com", "*.x.com", "a.*.x.com"); verdict CTL_AI. 0 or -errno. */
int tap_add_host(struct tap *tap, const char *pattern);
/* The first request of a connection to this port is looked at if it is plain HTTP. 0 or -errno. */
int tap_add_port(struct tap *tap, uint16_t port);
/* Decides about a connection that came up as CTL_UNKNOWN or CTL_ASK. 0 or -errno. */
int tap_decide(struct tap *tap, uint64_t connection, enum ctl_verdict verdict);
/* Drops what the kernel keeps of a process that ended. */
void tap_forget(struct tap *tap, uint32_t tgid, uint64_t ssl);

/*
 * Forgets connections of processes that are gone; to be called about once a minute. A process whose
 * end found the ring full is reported now: fn (may be NULL) gets its EV_EXIT. 0 or -errno; -EXDEV
 * outside the initial pid namespace, where a pid says nothing.
 */
int tap_sweep(struct tap *tap, tap_event_fn fn, void *arg);

/* What a probe does at its address. The count of bytes is the return value, or behind a pointer. */
enum tap_role {
	TAP_WRITE, /* (ssl, buf, num) -> n: SSL_write, gnutls_record_send */
	TAP_WRITE_ARG4, /* (ssl, buf, num, size_t *written) -> 1: SSL_write_ex, ssl_write_internal to 3.2 */
	TAP_WRITE_ARG5, /* (ssl, buf, num, flags, size_t *written) -> 1: ssl_write_internal from 3.3 */
	TAP_READ,       /* (ssl, buf, num) -> n: SSL_read, gnutls_record_recv */
	TAP_READ_ARG4, /* (ssl, buf, num, size_t *readbytes) -> 1: SSL_read_ex, ssl_read_internal */
	TAP_RUSTLS_ENCRYPT, /* rustls's MessageEncrypter::encrypt: (*result, encrypter, *plain, sequence number) */
	TAP_RUSTLS_DECRYPT, /* MessageDecrypter::decrypt, likewise */
	TAP_AEAD_SEAL, /* EVP_AEAD_CTX_seal of a TLS record: plaintext as it is entered, ciphertext at its return */
	TAP_AEAD_OPEN,    /* EVP_AEAD_CTX_open of a TLS record; the last that has a return probe */
	TAP_CTRL,         /* (ssl, cmd, larg, parg): SSL_ctrl; cmd 55 sets the server name */
	TAP_SET_HOST,     /* (ssl, name): BoringSSL's SSL_set_tlsext_host_name */
	TAP_SET_HOST_LEN, /* (session, 1, name, length): gnutls_server_name_set */
	TAP_FREE,         /* (ssl): SSL_free, gnutls_deinit */
	TAP_BIO_WRITE, /* (bio, data, int len): BIO_write, which takes the records of SSL_write */
	TAP_AEAD_INIT, /* (ctx): EVP_AEAD_CTX_init and its like */
	TAP_RUSTLS_OUTGOING, /* (*result, *layer, *plain): RecordLayer::encrypt_outgoing */
	TAP_GO_WRITE,        /* crypto/tls.(*Conn).Write, behind the check of the stack */
	TAP_GO_RECORD,       /* (*Conn).write, which takes the records of (*Conn).Write, likewise */
	TAP_GO_READ,         /* (*Conn).Read, likewise */
	TAP_GO_CLOSE,        /* (*Conn).Close, likewise */
	TAP_GO_RETURN,       /* a return instruction of (*Conn).Read */
	TAP_RETURN, /* a return instruction of what has a return probe; last, for it is probed first */
	TAP_ROLES
};

struct tap_site {
	enum tap_role role;
	uint64_t offset; /* in the file, of the instruction that is probed */
};

struct tap_probes; /* the probes on one file */

/*
 * Puts probes (entry, and return where the role needs one) on a file, for every process that maps
 * it (pid 0) or one process. Where a site is a TAP_RETURN, returns are seen at such sites alone, and
 * no return probe is placed. Uses uprobe_multi where the kernel has it. The file is reached by
 * `path`, which may be /proc/self/fd/N or /proc/PID/map_files/...; it may be closed afterwards.
 * 0 or -errno.
 */
int tap_attach(struct tap *tap, const char *path, pid_t pid, const struct tap_site *sites,
	       size_t n_sites, struct tap_probes **ret);
/* Takes them away without blocking the caller (perf uprobes take 0.1 s each: in a thread). */
struct tap_probes *tap_detach(struct tap_probes *probes);
/* Waits until all that tap_detach() was given are gone, and hurries it with threads. */
void tap_detach_wait(void);
/* Takes them away; they are gone when it returns. */
struct tap_probes *tap_detach_now(struct tap_probes *probes);

/*
 * Gates: sets or clears the gate of a cgroup, TAP_GATES_MAX at most. Setting again (a longer lease)
 * keeps the hits that the kernel counted; gate->hits is not read. 0 or -errno; -ENOENT: was none.
 */
#define TAP_GATES_MAX 4096
int tap_gate_set(struct tap *tap, uint64_t cgroup, const struct ctl_gate *gate);
int tap_gate_clear(struct tap *tap, uint64_t cgroup);
/* The gate as it is, with its hits. 0 or -ENOENT. */
int tap_gate_get(const struct tap *tap, uint64_t cgroup, struct ctl_gate *ret);
/*
 * For another thread than the one that sets gates: waits until there is one, or tap_gates_interrupt() was
 * called; gives leases that have not ended and end before `lease_ns` that end (CLOCK_MONOTONIC).
 */
void tap_gates_wait(struct tap *tap);
void tap_gates_interrupt(struct tap *tap);
void tap_gates_renew(struct tap *tap, uint64_t now_ns, uint64_t lease_ns);
/* Clears each gate that is not wanted: of those that an earlier daemon left. Returns how many. */
size_t tap_gates_sweep(struct tap *tap, bool (*wanted)(void *arg, uint64_t cgroup), void *arg);

/*
 * Pace (control.h): gives a bucket its credit, makes it if it is new, with takes at 0; ends it; reads
 * what was taken. At most CTL_BUCKETS_MAX; no bucket is 0. 0 or -errno; -ENOENT: there is none.
 */
int tap_allowance_set(struct tap *tap, uint32_t bucket, const struct ctl_allowance *allowed);
int tap_allowance_clear(struct tap *tap, uint32_t bucket);
int tap_consumed_get(const struct tap *tap, uint32_t bucket, struct ctl_consumed *ret);
/* Each flow with a request that waits, by socket cookie; fn may wake it. 0 or -errno. */
int tap_holds(struct tap *tap, void (*fn)(void *arg, uint64_t cookie, const struct ctl_hold *hold),
	      void *arg);
/* One of them. 0, or -ENOENT: nothing of it waits. And the end of it, when its flow has ended. */
int tap_hold_get(const struct tap *tap, uint64_t cookie, struct ctl_hold *ret);
int tap_hold_drop(struct tap *tap, uint64_t cookie);
/*
 * Makes TCP try a held flow's data again now, if its bucket has credit; else TCP's own back-off does,
 * seconds to minutes late. A look through the process's descriptors, some 10 us and 0.5 us for
 * each; Linux 5.6 and CAP_SYS_PTRACE. 0; -ENOENT: the process that connected no longer has it.
 */
int tap_wake(uint64_t cookie, const struct ctl_hold *hold);

/*
 * The counts so far of a live flow; bytes in as of the last packet out, which a delayed ACK makes at
 * most 200 ms old. 0, or -ENOENT when it has ended or was dropped as no AI flow.
 */
int tap_flow_get(const struct tap *tap, uint64_t cookie, struct ctl_flow *ret);
/*
 * Answers an EV_FLOW of verdict CTL_ASK. CTL_AI: it stays counted, and its address becomes an AI
 * address. Anything else: the kernel lets it go (no EV_FLOW_END comes) and takes the address for a
 * shared one, to which no connect is refused. 0 or -errno.
 */
int tap_flow_decide(struct tap *tap, const struct ev_flow *flow, enum ctl_verdict verdict);
/* Was another name than an AI host's seen at this flow's remote address, or given by tap_add_address()? */
bool tap_flow_is_shared(const struct tap *tap, const struct ev_flow *flow);
/*
 * The process that holds the socket of a live AI flow (the lowest of those that share it). Looks at
 * all descriptors of the host, some milliseconds, 10 times a second at most. 0; -ENOENT: no process;
 * -EBUSY: asked too often.
 */
int tap_flow_owner(struct tap *tap, uint64_t cookie, uint32_t *ret);
/*
 * Processes that have connected to Unix sockets on which this one listens or did: `max` at most, the newest of its
 * descriptors. Returns how many; *ret_serves: there are some, or it listens on such a socket. -EBUSY: asked too often, where the kernel (before 6.1) lists only those of all
 * processes; else -errno.
 */
ssize_t tap_peers(struct tap *tap, uint32_t tgid, uint32_t *ret, size_t max, bool *ret_serves);
/*
 * Tells the kernel whose an address is before the first greeting there, say by getaddrinfo() of an exact
 * host name. CTL_AI: connects to it from behind a shut gate fail at once, and old connections are known
 * by it, unless another name shows it to be shared: by a greeting, or by a call here with CTL_IGNORE.
 * AF_INET or AF_INET6; 0 or -errno.
 */
struct sockaddr;
int tap_add_address(struct tap *tap, const struct sockaddr *address, enum ctl_verdict whose);

/*
 * A name server whose answers to programs about AI hosts are reported (EV_ANSWER): by UDP, from port 53, in every
 * network namespace that the initial user namespace owns; over loopback in this process's own alone. AF_INET or
 * AF_INET6, CTL_NAME_SERVERS_MAX at most; 0 or -errno.
 */
int tap_add_name_server(struct tap *tap, const struct sockaddr *address);

/*
 * Whether the first ClientHello of a process that is not known to be probed is deferred. An
 * EV_FLOW_APPROACH with a socket cookie in head.id says that one is; it leaves with TCP's first
 * repetition, after 0.2 s, unless tap_defer_begin() was called for its process before, and after half a
 * second in any case (bpf/defer.h).
 */
void tap_defer(struct tap *tap, bool is_on);
/* The probes of this process are being seen to: its deferred hellos wait a little longer. 0 or -errno. */
int tap_defer_begin(struct tap *tap, uint32_t tgid);
/* The process has its probes, or gets none: its hellos pass, until it execs or ends. 0 or -errno. */
int tap_defer_end(struct tap *tap, uint32_t tgid);
/* It passes on the hellos of others (tap_peers()), so those to come are deferred again. 0 or -errno. */
int tap_defer_relay(struct tap *tap, uint32_t tgid);
/*
 * Makes TCP send a deferred hello now, as tap_wake() does. 0; -ENOENT: that connection is not deferred,
 * or its process no longer has it.
 */
int tap_defer_wake(struct tap *tap, uint64_t cookie);

/* Plaintext bytes so far of a TLS connection. 0, or -ENOENT. */
int tap_conn_bytes(const struct tap *tap, uint32_t tgid, uint64_t ssl, uint64_t ret_bytes[2]);

/*
 * Resets a live TCP connection in its own network namespace (SOCK_DESTROY), found by flow->netns in
 * /proc of head.tgid, or of any process if that one has left. Both ends get an error: the program's
 * next call fails with ECONNABORTED, the peer gets a reset. CAP_NET_ADMIN there; CAP_SYS_ADMIN for a
 * namespace that is not the daemon's. Blocks for a system call or two (a walk over /proc at worst).
 * 0; -ENOENT: no such socket any more, or no way to its namespace; else -errno.
 */
int tap_destroy(struct tap *tap, const struct ev_flow *flow);

/* Executable file mappings as the kernel knows them: the real inode, not the overlay's. */
struct tap_mapping {
	uint32_t tgid;
	uint32_t reserved;
	uint64_t start, end;
	uint64_t dev; /* of the real inode's file system, as makedev(3) makes it */
	uint64_t ino;
};
/*
 * Calls fn for each executable file mapping of one process, or of all (tgid 0). 0 or -errno;
 * -EOPNOTSUPP before Linux 5.12.
 */
int tap_mappings(struct tap *tap, uint32_t tgid,
		 void (*fn)(void *arg, const struct tap_mapping *mapping), void *arg);

/* Sums over CPUs, indexed by enum ctl_counter. */
int tap_counters(const struct tap *tap, uint64_t counters[CTL_COUNTERS]);
/* The counter's name, as "ring_full_events"; NULL if it has none or there is no such counter. */
const char *tap_counter_name(enum ctl_counter which);

/* One program since it was loaded, or since the kernel began to count. */
struct tap_run_time {
	const char *program;
	uint64_t runs, run_ns;
};
/* Calls fn for each program of which the kernel has counted a run; it does not by default. */
void tap_run_times(const struct tap *tap,
		   void (*fn)(void *arg, const struct tap_run_time *run_time), void *arg);

/* What this kernel can do for this process, found by trying; leaves nothing behind. */
struct tap_features {
	bool has_btf;
	bool has_ring;
	bool has_uprobe_multi;
	bool has_task_vma;
	bool has_cgroup_skb;
	bool has_connect_gate;
	bool has_sock_destroy;
};
void tap_probe_features(struct tap_features *ret);

#endif

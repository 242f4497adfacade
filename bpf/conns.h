/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * TLS connections, for every kind of probe: found by (process, object), counted before anything is copied,
 * reported once, classified by user space, ended.
 */
#ifndef CONNS_H
#define CONNS_H

#include "frames.h"
#include "gate.h"
#include "shares.h"

/*
 * How much plaintext of an unnamed connection is sent up until user space decides: all of the first LOOK_BYTES,
 * then LOOK_CALL_BYTES of each call, where a request's head would be. The second stage covers the time that
 * user space takes to decide, because a single call may write more than LOOK_BYTES. Behind LOOK_MAX_BYTES nothing
 * is, and what user space has not claimed LOOK_WAIT later (in units of 2^30 ns) is ignored from then on.
 */
#define LOOK_BYTES      (64 * 1024)
#define LOOK_CALL_BYTES 4096
#define LOOK_MAX_BYTES  (256 * 1024)
#define LOOK_WAIT       5

static __always_inline __u32 current_tgid(void)
{
	return bpf_get_current_pid_tgid() >> 32;
}

/* Random instead of counted: an atomic add that returns the old value needs Linux 5.12. */
static __always_inline __u64 new_id(void)
{
	return (__u64)bpf_get_prandom_u32() << 32 | bpf_get_prandom_u32();
}

static __always_inline void tell_close(const struct ctl_conn *conn, __u32 tgid)
{
	struct ev_close *event = emit_reserve(sizeof(*event));

	if (!event)
		return;
	emit_head(&event->head, EV_CLOSE, tgid, bpf_get_current_cgroup_id(), conn->id);
	event->bytes[EV_OUT] = conn->bytes[EV_OUT];
	event->bytes[EV_IN] = conn->bytes[EV_IN];
	emit_submit(event);
}

/* Fills EV_OPEN except for the host, which the caller has filled; does not submit it. */
static __always_inline void fill_open(struct ev_open *event, const struct ctl_conn_key *key,
				      const struct ctl_conn *conn)
{
	__u8 yes = 1;

	emit_head(&event->head, EV_OPEN, key->tgid, bpf_get_current_cgroup_id(), conn->id);
	event->ssl = key->ssl;
	event->uid = bpf_get_current_uid_gid();
	event->verdict = conn->state;
	__builtin_memset(event->reserved, 0, sizeof(event->reserved));
	bpf_get_current_comm(event->comm, sizeof(event->comm));
	if (bpf_map_update_elem(&procs, &key->tgid, &yes, BPF_ANY))
		count(CTL_CONNS_FULL, 1);
}

/* EV_OPEN of a connection without a name, or whose named EV_OPEN found the ring full. */
static __always_inline bool open_nameless(const struct ctl_conn_key *key, struct ctl_conn *conn)
{
	struct ev_open *event = emit_reserve(sizeof(*event));

	if (!event)
		return false;
	__builtin_memset(event->host, 0, sizeof(event->host));
	fill_open(event, key, conn);
	emit_submit(event);
	conn->is_open = 1;
	return true;
}

/* Applies what user space has decided in the meantime. */
static __always_inline __u32 sync_verdict(struct ctl_conn *conn)
{
	__u32 *verdict;

	if (conn->state != CTL_UNKNOWN && conn->state != CTL_ASK)
		return conn->state;
	verdict = bpf_map_lookup_elem(&verdicts, &conn->id);
	if (verdict) {
		conn->state = *verdict;
		bpf_map_delete_elem(&verdicts, &conn->id);
	}
	return conn->state;
}

/*
 * Whether this first plaintext shows that the process is the server. HTTP/1 requests and answers and the
 * preface of HTTP/2 (RFC 9113 3.4) are recognised by their first four bytes.
 */
static __always_inline bool is_server(__u32 dir, const char *buf, __u64 bytes)
{
	char start[4];

#define STARTS(a, b, c, d) (start[0] == a && start[1] == b && start[2] == c && start[3] == d)
	if (bytes < sizeof(start) || bpf_probe_read_user(start, sizeof(start), buf))
		return false;
	if (dir == EV_OUT)
		return STARTS('H', 'T', 'T', 'P');
	return STARTS('G', 'E', 'T', ' ') || STARTS('P', 'O', 'S', 'T') ||
	       STARTS('P', 'R', 'I', ' ') || STARTS('H', 'E', 'A', 'D') ||
	       STARTS('P', 'U', 'T', ' ') || STARTS('O', 'P', 'T', 'I') ||
	       STARTS('D', 'E', 'L', 'E') || STARTS('P', 'A', 'T', 'C') ||
	       STARTS('C', 'O', 'N', 'N');
#undef STARTS
}

/* A row for a connection; an old one at this pointer gives way. False: there is no room. */
static __always_inline bool conn_put(const struct ctl_conn_key *key, struct ctl_conn *conn,
				     const struct ctl_conn *old)
{
	conn->tenant = old ? old->tenant : share_tenant();
	if (!old && !share_allows(conn->tenant)) {
		count(CTL_CONNS_REFUSED, 1);
		return false;
	}
	if (bpf_map_update_elem(&conns, key, conn, old ? BPF_ANY : BPF_NOEXIST)) {
		count(CTL_CONNS_FULL, 1);
		return false;
	}
	if (!old) {
		share_took(conn->tenant);
		share_took(CTL_SHARE_ALL);
	}
	return true;
}

/* A connection without a name: older than the probes, or made to a bare address. */
static __always_inline struct ctl_conn *conn_create(const struct ctl_conn_key *key,
						    const struct frame *call, __u64 bytes)
{
	struct ctl_conn fresh = { .id = new_id() };

	if (is_server(call->dir, (const char *)call->buf, bytes))
		fresh.state = CTL_IGNORE;
	return conn_put(key, &fresh, NULL) ? bpf_map_lookup_elem(&conns, key) : NULL;
}

/* Whether all was shown that may be of a connection of which user space knows nothing. */
static __always_inline bool look_is_used_up(const struct ctl_conn *conn)
{
	return conn->state == CTL_UNKNOWN && conn->looked_bytes >= LOOK_MAX_BYTES;
}

/*
 * Whether user space, to which all was shown that may be, has had the time to claim the connection. One that is older
 * than the daemon shows it within the moments in which a busy daemon starts.
 */
static __always_inline bool look_is_over(struct ctl_conn *conn)
{
	__u32 now = bpf_ktime_get_ns() >> 30;

	if (!conn->used_up)
		conn->used_up = now;
	return now - conn->used_up >= LOOK_WAIT;
}

/* How many of these bytes are sent up: all of an AI connection, a bounded number of others. */
static __always_inline __u64 take_look(struct ctl_conn *conn, __u64 bytes)
{
	__u64 left;

	if (conn->state == CTL_AI)
		return bytes;
	if (look_is_used_up(conn))
		return 0;
	left = conn->looked_bytes < LOOK_BYTES ? LOOK_BYTES - conn->looked_bytes : LOOK_CALL_BYTES;
	if (bytes > left)
		bytes = left;
	conn->looked_bytes += bytes;
	return bytes;
}

static __always_inline void take_bytes(const struct frame *call, __u64 bytes)
{
	struct ctl_conn_key key = { .ssl = call->ssl, .tgid = current_tgid() };
	struct ctl_conn *conn = bpf_map_lookup_elem(&conns, &key);
	__u64 offset;

	/* A write that told its length was given a row, or refused one, as it began. */
	if (!conn && !call->len)
		conn = conn_create(&key, call, bytes);
	if (!conn || sync_verdict(conn) == CTL_IGNORE)
		return;
	/* An SSL object is written by one thread at a time and read by one, so this needs no atomic. */
	offset = conn->bytes[call->dir & 1];
	__sync_fetch_and_add(&conn->bytes[call->dir & 1], bytes);
	if (conn->is_open || open_nameless(&key, conn))
		emit_pieces(conn->id, call->buf, take_look(conn, bytes), offset, call->dir);
	/* A name that user space must classify (CTL_ASK) is waited for. */
	if (look_is_used_up(conn) && look_is_over(conn)) {
		conn->state = CTL_IGNORE;
		conn->is_open = 0;
		tell_close(conn, key.tgid);
	}
}

/* A new connection at this pointer replaces the previous one. */
static __always_inline bool renew(const struct ctl_conn_key *key, const struct ctl_conn *old,
				  struct ctl_conn *conn)
{
	if (old && old->is_open)
		tell_close(old, key->tgid);
	return conn_put(key, conn, old);
}

/* The object is no longer a connection. */
static __always_inline void conn_end(__u64 ssl)
{
	struct ctl_conn_key key = { .ssl = ssl, .tgid = current_tgid() };
	struct ctl_conn *conn = bpf_map_lookup_elem(&conns, &key);
	__u64 tenant;

	if (!conn)
		return;
	/*
	 * Sent also for a connection that user space ignores, because it keeps an entry for events still in the
	 * ring.
	 */
	sync_verdict(conn);
	if (conn->is_open)
		tell_close(conn, key.tgid);
	tenant = conn->tenant;
	if (bpf_map_delete_elem(&conns, &key))
		return;
	share_gave(tenant);
	share_gave(CTL_SHARE_ALL);
}

/* Called before a write: notes whether a gate will drop what leaves. */
static __always_inline void conn_ask_gate(struct ctl_conn *conn)
{
	if (conn->state != CTL_AI)
		return;
	conn->is_refused = gates_live && gate_of_current(GATE_LIVE);
	conn->pacing = gates_live ? gate_pacing_current() : 0;
}

/* The same by the connection's object. */
static __always_inline void conn_ask_gate_of(const struct ctl_conn_key *key)
{
	struct ctl_conn *conn = bpf_map_lookup_elem(&conns, key);

	if (conn)
		conn_ask_gate(conn);
}

/* Whether this connection's plaintext is not wanted. */
static __always_inline bool conn_is_ignored(__u64 ssl)
{
	struct ctl_conn_key key = { .ssl = ssl, .tgid = current_tgid() };
	struct ctl_conn *conn = bpf_map_lookup_elem(&conns, &key);

	return conn && conn->state == CTL_IGNORE;
}

#endif

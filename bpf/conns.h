/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * TLS connections as every kind of probe keeps them: found by (process, object), counted before anything is
 * copied, told of once, judged by user space, ended.
 */
#ifndef CONNS_H
#define CONNS_H

#include "frames.h"
#include "gate.h"

/*
 * Plaintext of a connection without a name that is shown while user space has not decided: all of
 * the first LOOK_BYTES, then LOOK_CALL_BYTES of each call, where a request's head would stand. The
 * second stage is the time that user space needs, for one call may write more than the first.
 */
#define LOOK_BYTES      (64 * 1024)
#define LOOK_CALL_BYTES 4096
#define LOOK_MAX_BYTES  (256 * 1024)

static __always_inline __u32 current_tgid(void)
{
	return bpf_get_current_pid_tgid() >> 32;
}

/* Random, not counted: an atomic that gives back what it added to needs 5.12. */
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

/* Everything of EV_OPEN but the host, which the caller has filled, and the submission. */
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

/* EV_OPEN of a connection that has no name, or whose named one found the ring full. */
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

/* Takes over what user space has decided since. */
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
 * Is this the first plaintext of a server? Only requests and answers of HTTP/1 and the preface of
 * HTTP/2 (RFC 9113 3.4) are known here; the first four bytes tell them.
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

/* A connection that nobody named: older than the probes, or to an address. */
static __always_inline struct ctl_conn *conn_create(const struct ctl_conn_key *key,
						    const struct frame *call, __u64 bytes)
{
	struct ctl_conn fresh = { .id = new_id() };

	if (is_server(call->dir, (const char *)call->buf, bytes))
		fresh.state = CTL_IGNORE;
	if (bpf_map_update_elem(&conns, key, &fresh, BPF_NOEXIST)) {
		count(CTL_CONNS_FULL, 1);
		return NULL;
	}
	return bpf_map_lookup_elem(&conns, key);
}

/* How many of these bytes go up: all of an AI connection, a bounded look at others. */
static __always_inline __u64 take_look(struct ctl_conn *conn, __u64 bytes)
{
	__u64 left;

	if (conn->state == CTL_AI)
		return bytes;
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

	if (!conn)
		conn = conn_create(&key, call, bytes);
	if (!conn || sync_verdict(conn) == CTL_IGNORE)
		return;
	/* One thread at a time writes, and one reads, an SSL object: nobody comes between. */
	offset = conn->bytes[call->dir & 1];
	__sync_fetch_and_add(&conn->bytes[call->dir & 1], bytes);
	if (conn->is_open || open_nameless(&key, conn))
		emit_pieces(conn->id, call->buf, take_look(conn, bytes), offset, call->dir);
	/* Looked at in full and nobody wanted it. A name that user space must judge is waited for. */
	if (conn->state == CTL_UNKNOWN && conn->looked_bytes >= LOOK_MAX_BYTES) {
		conn->state = CTL_IGNORE;
		conn->is_open = 0;
		tell_close(conn, key.tgid);
	}
}

/* A new connection in place of whatever the pointer stood for. */
static __always_inline bool renew(const struct ctl_conn_key *key, const struct ctl_conn *old,
				  const struct ctl_conn *conn)
{
	if (old && old->is_open)
		tell_close(old, key->tgid);
	if (!bpf_map_update_elem(&conns, key, conn, BPF_ANY))
		return true;
	count(CTL_CONNS_FULL, 1);
	return false;
}

/* The object is no connection any more. */
static __always_inline void conn_end(__u64 ssl)
{
	struct ctl_conn_key key = { .ssl = ssl, .tgid = current_tgid() };
	struct ctl_conn *conn = bpf_map_lookup_elem(&conns, &key);

	if (!conn)
		return;
	/* Also of one that user space ignores: it keeps a place for what may still be in the ring. */
	sync_verdict(conn);
	if (conn->is_open)
		tell_close(conn, key.tgid);
	bpf_map_delete_elem(&conns, &key);
}

/* The connection, as it is about to write: will a gate drop what leaves? */
static __always_inline void conn_ask_gate(struct ctl_conn *conn)
{
	if (conn->state == CTL_AI)
		conn->is_refused = gates_live && gate_of_current(GATE_LIVE);
}

/* Is this connection one whose plaintext nobody wants? */
static __always_inline bool conn_is_ignored(__u64 ssl)
{
	struct ctl_conn_key key = { .ssl = ssl, .tgid = current_tgid() };
	struct ctl_conn *conn = bpf_map_lookup_elem(&conns, &key);

	return conn && conn->state == CTL_IGNORE;
}

#endif

// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The plaintext of TLS connections at the library's own functions: OpenSSL, BoringSSL, AWS-LC and
 * whatever else takes (connection, buffer, length). One entry program for each enum tap_role that
 * has its own arguments, one return program for all. User space decides which functions, see
 * tap_attach().
 *
 * A connection is (process, SSL object). It is counted before anything is copied, at the return of
 * the call, and only when that succeeded: node enters SSL_write five times for one request.
 */
#include "frames.h"
#include "fingerprint.h"
#include "gate.h"
#include "hosts.h"

/* include/openssl/ssl.h (tls1.h): the macro SSL_set_tlsext_host_name() is SSL_ctrl(55, 0, name) */
#define SSL_CTRL_SET_TLSEXT_HOSTNAME 55
#define TLSEXT_NAMETYPE_host_name    0

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

static __always_inline int enter(struct pt_regs *ctx, __u32 dir, __u64 count_at)
{
	struct frame frame = {
		.ssl = PT_REGS_PARM1(ctx),
		.buf = PT_REGS_PARM2(ctx),
		.count = count_at,
		.sp = PT_REGS_SP(ctx),
		.dir = dir,
	};
	struct ctl_conn_key key = { .ssl = frame.ssl, .tgid = current_tgid() };
	struct ctl_conn *conn = bpf_map_lookup_elem(&conns, &key);

	if (conn && dir == EV_OUT && conn->state == CTL_AI)
		conn->is_refused = gates_live && gate_of_current(GATE_LIVE);
	frames_enter(&frame, conn && conn->state == CTL_IGNORE);
	return 0;
}

SEC("uprobe")
int write_enter(struct pt_regs *ctx)
{
	return enter(ctx, EV_OUT, 0);
}

SEC("uprobe")
int write_arg4_enter(struct pt_regs *ctx)
{
	return enter(ctx, EV_OUT, PT_REGS_PARM4(ctx));
}

SEC("uprobe")
int write_arg5_enter(struct pt_regs *ctx)
{
	return enter(ctx, EV_OUT, PT_REGS_PARM5(ctx));
}

SEC("uprobe")
int read_enter(struct pt_regs *ctx)
{
	return enter(ctx, EV_IN, 0);
}

SEC("uprobe")
int read_arg4_enter(struct pt_regs *ctx)
{
	return enter(ctx, EV_IN, PT_REGS_PARM4(ctx));
}

/*
 * A record on its way from SSL_write to the library's BIO: (bio, data, int len). Noted until a socket was
 * seen to carry the connection, PAIR_NOTES times at most, so a connection takes a bounded part of the
 * table. A tenant that makes up ciphertext in its own processes finds its own bytes on its own sockets: the
 * first that notes a fingerprint keeps it, and a second makes it useless for both.
 */
#define PAIR_NOTES 16

SEC("uprobe")
int bio_write_enter(struct pt_regs *ctx)
{
	__u64 task = bpf_get_current_pid_tgid(), sp = PT_REGS_SP(ctx), print;
	struct thread *thread = bpf_map_lookup_elem(&threads, &task);
	struct fingerprint note = { .tgid = task >> 32 }, *known;
	const struct frame *call;
	struct ctl_conn_key key = { .tgid = task >> 32 };
	struct ctl_conn *conn;
	__u8 head[24];
	__u32 n;

	if (!thread || (int)PT_REGS_PARM3(ctx) < PAIR_LEN)
		return 0;
	n = frames_live(thread, sp);
	if (!n || n > FRAMES)
		return 0;
	call = &thread->frames[n - 1];
	if (call->dir != EV_OUT)
		return 0;
	key.ssl = call->ssl;
	conn = bpf_map_lookup_elem(&conns, &key);
	if (!conn)
		conn = conn_create(&key, call, sizeof(head));
	if (!conn || conn->is_paired || conn->noted >= PAIR_NOTES || conn->state == CTL_IGNORE ||
	    bpf_probe_read_user(head, PAIR_LEN, (const void *)PT_REGS_PARM2(ctx)))
		return 0;
	print = pair_key(head);
	if (!print)
		return 0;
	conn->noted++;
	note.connection = conn->id;
	note.ssl = call->ssl;
	if (bpf_map_update_elem(&fingerprints, &print, &note, BPF_NOEXIST)) {
		known = bpf_map_lookup_elem(&fingerprints, &print);
		if (known && known->connection != conn->id)
			known->connection = 0;
	}
	pair_until_ns = bpf_ktime_get_ns() + PAIR_WAIT_NS;
	return 0;
}

static __always_inline int leave(struct pt_regs *ctx, __u64 sp)
{
	struct frame call;
	int rc = (int)PT_REGS_RC(ctx);
	__u64 bytes = rc;

	if (!frames_leave(sp, &call) || rc <= 0)
		return 0;
	if (call.count && bpf_probe_read_user(&bytes, sizeof(bytes), (const void *)call.count))
		return 0;
	/* SSL_read's own limit; a count beyond it is no count. */
	if (bytes && bytes <= 0x7fffffff)
		take_bytes(&call, bytes);
	return 0;
}

SEC("uretprobe")
int call_exit(struct pt_regs *ctx)
{
	return leave(ctx, PT_REGS_SP(ctx) - FRAMES_POPPED);
}

/* At a return instruction, which has popped nothing yet. */
SEC("uprobe")
int call_return(struct pt_regs *ctx)
{
	return leave(ctx, PT_REGS_SP(ctx));
}

/*
 * Puts a name into lower case, in place, and gives its FNV-1a hash with the zeros behind it. Over
 * the whole array and without a branch, so that the verifier walks one path.
 */
static __always_inline __u64 fold_name(char *name)
{
	__u64 hash = 0xcbf29ce484222325;

	for (__u32 i = 0; i < EV_HOST_LEN; i++) {
		__u32 c = (__u8)name[i];

		/* bit 31 of both differences is set from 'A' to 'Z' */
		c |= ((('A' - 1 - c) & (c - 'Z' - 1)) >> 31) << 5;
		name[i] = c;
		hash = (hash ^ c) * 0x100000001b3;
	}
	return hash;
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

/*
 * The event is also the room in which the name is folded: the stack is too small, and a per-CPU
 * array is not this program's alone while it can be preempted.
 */
static __always_inline int set_host(__u64 ssl, const char *name)
{
	struct ctl_conn_key key = { .ssl = ssl, .tgid = current_tgid() };
	struct ctl_conn *old = bpf_map_lookup_elem(&conns, &key);
	struct ctl_conn conn = { .id = new_id() };
	struct ev_open *event = emit_reserve(sizeof(*event));
	long len;

	if (!event) {
		renew(&key, old, &conn);
		return 0;
	}
	__builtin_memset(event->host, 0, sizeof(event->host));
	len = bpf_probe_read_user_str(event->host, sizeof(event->host), name);
	if (len <= 1) {
		/* A literal whose page was never touched: the Host header will tell. */
		emit_discard(event);
		renew(&key, old, &conn);
		return 0;
	}
	conn.name_hash = fold_name(event->host);
	if (old && old->name_hash == conn.name_hash && !old->bytes[EV_OUT] && !old->bytes[EV_IN]) {
		emit_discard(event);
		return 0;
	}
	conn.state = hosts_ask(event->host, len - 1);
	conn.is_open = conn.state != CTL_IGNORE;
	if (!renew(&key, old, &conn) || !conn.is_open) {
		emit_discard(event);
		return 0;
	}
	fill_open(event, &key, &conn);
	emit_submit(event);
	return 0;
}

SEC("uprobe")
int ctrl_enter(struct pt_regs *ctx)
{
	const char *name = (const char *)PT_REGS_PARM4(ctx);

	if ((int)PT_REGS_PARM2(ctx) != SSL_CTRL_SET_TLSEXT_HOSTNAME ||
	    PT_REGS_PARM3(ctx) != TLSEXT_NAMETYPE_host_name || !name)
		return 0;
	return set_host(PT_REGS_PARM1(ctx), name);
}

SEC("uprobe")
int set_host_enter(struct pt_regs *ctx)
{
	const char *name = (const char *)PT_REGS_PARM2(ctx);

	return name ? set_host(PT_REGS_PARM1(ctx), name) : 0;
}

SEC("uprobe")
int free_enter(struct pt_regs *ctx)
{
	struct ctl_conn_key key = { .ssl = PT_REGS_PARM1(ctx), .tgid = current_tgid() };
	struct ctl_conn *conn = bpf_map_lookup_elem(&conns, &key);

	if (!conn)
		return 0;
	/* Also of one that user space ignores: it keeps a place for what may still be in the ring. */
	sync_verdict(conn);
	if (conn->is_open)
		tell_close(conn, key.tgid);
	bpf_map_delete_elem(&conns, &key);
	return 0;
}

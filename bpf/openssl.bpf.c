// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Reads the plaintext of TLS connections at the library's own functions: OpenSSL, BoringSSL, AWS-LC and any
 * other that takes (connection, buffer, length). There is one entry program for each enum tap_role with
 * arguments of its own, and one return program for all. User space chooses the functions (tap_attach()).
 *
 * A connection is (process, SSL object). Its bytes are counted before anything is copied, at the return of the
 * call and only if it succeeded: node calls SSL_write five times for one request.
 */
#include "conns.h"
#include "fingerprint.h"
#include "hosts.h"
#include "rustls.h"
#include "tls_record.h"

/* include/openssl/ssl.h (tls1.h): the macro SSL_set_tlsext_host_name() is SSL_ctrl(55, 0, name) */
#define SSL_CTRL_SET_TLSEXT_HOSTNAME 55
#define TLSEXT_NAMETYPE_host_name    0

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
	__u64 len = dir == EV_OUT ? PT_REGS_PARM3(ctx) : 0;

	frame.len = len > EV_PIECE_MAX ? EV_PIECE_MAX : len;
	if (!conn && frame.len) /* its records leave before this call returns */
		conn = conn_create(&key, &frame, frame.len);
	if (conn && dir == EV_OUT)
		conn_ask_gate(conn);
	if (conn && frame.len && pair_is_wanted(conn))
		pair_expect(bpf_ktime_get_ns());
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

/* A record on its way from SSL_write to the library's BIO: (bio, data, int len). */
SEC("uprobe")
int bio_write_enter(struct pt_regs *ctx)
{
	__u64 task = bpf_get_current_pid_tgid();
	struct thread *thread = bpf_map_lookup_elem(&threads, &task);
	struct ctl_conn_key key = { .tgid = task >> 32 };
	const struct frame *call;
	__u32 n;

	if (!thread)
		return 0;
	n = frames_live(thread, PT_REGS_SP(ctx));
	if (!n || n > FRAMES)
		return 0;
	call = &thread->frames[n - 1];
	if (call->dir != EV_OUT)
		return 0;
	key.ssl = call->ssl;
	pair_note_record(&key, PT_REGS_PARM2(ctx), (int)PT_REGS_PARM3(ctx));
	return 0;
}

/*
 * EVP_AEAD_CTX_seal has made a record (aead.bpf.c). On the wire there are a header and, in TLS 1.2 with GCM,
 * eight bytes of nonce before it; with ChaCha20 there are none, and which of them it was cannot be told here.
 */
static __always_inline void sealed(const struct ctl_conn_key *key, const struct frame *call)
{
	pair_note_sealed(key, call->buf + PAIR_NONCE);
	if (call->sealed == RECORD_TLS12)
		pair_note_sealed(key, call->buf);
}

static __always_inline int leave(struct pt_regs *ctx, __u64 sp)
{
	struct ctl_conn_key key = { .tgid = current_tgid() };
	struct frame call;
	int rc = (int)PT_REGS_RC(ctx);
	__u64 bytes = rc;

	if (!frames_leave(sp, &call))
		return 0;
	if (call.is_rustls) { /* it returns nothing in registers */
		rustls_leave(&call);
		return 0;
	}
	if (rc <= 0)
		return 0;
	key.ssl = call.ssl;
	if (call.sealed) {
		sealed(&key, &call);
		return 0;
	}
	if (call.count && bpf_probe_read_user(&bytes, sizeof(bytes), (const void *)call.count))
		return 0;
	if (call.is_tls13_record && !record_content(call.buf, &bytes))
		return 0;
	/* SSL_read returns at most this much; anything greater is not a count. */
	if (!bytes || bytes > 0x7fffffff)
		return 0;
	take_bytes(&call, bytes);
	if (call.dir == EV_OUT)
		pair_note_written(&key, bytes);
	return 0;
}

SEC("uretprobe")
int call_exit(struct pt_regs *ctx)
{
	return leave(ctx, PT_REGS_SP(ctx) - FRAMES_POPPED);
}

/* Attached to a return instruction; the return address is still on the stack. */
SEC("uprobe")
int call_return(struct pt_regs *ctx)
{
	return leave(ctx, PT_REGS_SP(ctx));
}

/*
 * Converts a name to lower case in place and returns the FNV-1a hash of it and the zeros after it. The loop
 * covers the whole array without a branch, so that the verifier walks one path.
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

/*
 * The name is converted inside the event, because the stack is too small and a per-CPU array can be overwritten
 * by a program that preempts this one.
 */
static __always_inline int set_host(__u64 ssl, const char *name, __u64 size)
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
	len = bpf_probe_read_user_str(
		event->host, size < sizeof(event->host) ? size : sizeof(event->host), name);
	if (len <= 1) {
		/* A literal on a page that was never touched; the Host header will give the name. */
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
	return set_host(PT_REGS_PARM1(ctx), name, EV_HOST_LEN);
}

SEC("uprobe")
int set_host_enter(struct pt_regs *ctx)
{
	const char *name = (const char *)PT_REGS_PARM2(ctx);

	return name ? set_host(PT_REGS_PARM1(ctx), name, EV_HOST_LEN) : 0;
}

/* include/gnutls/gnutls.h: gnutls_server_name_set(session, type, name, length), without its NUL */
#define GNUTLS_NAME_DNS 1

SEC("uprobe")
int set_host_len_enter(struct pt_regs *ctx)
{
	const char *name = (const char *)PT_REGS_PARM3(ctx);
	__u64 len = PT_REGS_PARM4(ctx);

	if ((int)PT_REGS_PARM2(ctx) != GNUTLS_NAME_DNS || !name || !len || len >= EV_HOST_LEN)
		return 0;
	return set_host(PT_REGS_PARM1(ctx), name, len + 1);
}

SEC("uprobe")
int free_enter(struct pt_regs *ctx)
{
	conn_end(PT_REGS_PARM1(ctx));
	return 0;
}

// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * TLS records at AWS-LC's AEAD interface, to which rustls passes them: each call takes or returns the plaintext
 * of one whole record. A connection has two AEAD contexts, one for each direction, and no argument links them.
 * But rustls creates both at once, so two contexts created in succession on one thread are twins, and the
 * address of the older one identifies the connection.
 */
#include "fingerprint.h"
#include "machine.h"
#include "tls_record.h"

/*
 * Twins are separated by one or two key derivations and the set-up of a cipher: 5 to 30 us. The contexts of the
 * handshake and those of the data are separated by a signature and the server's Finished.
 */
#define TWINS_NS 2000000

/*
 * Whether the new context is a twin of the last one. The last one may already have a twin, if that was created
 * much earlier.
 */
static __always_inline bool is_twin(const struct aead_made *last, __u64 gap_ns)
{
	return gap_ns < TWINS_NS && (!last->gap_ns || last->gap_ns / 8 > gap_ns);
}

SEC("uprobe")
int aead_init_enter(struct pt_regs *ctx)
{
	struct aead_made made = { .ctx = PT_REGS_PARM1(ctx), .time_ns = bpf_ktime_get_ns() };
	struct ctl_conn_key key = { .ssl = made.ctx, .tgid = current_tgid() };
	__u64 task = bpf_get_current_pid_tgid(), conn = made.ctx, gap_ns;
	struct aead_made *last = bpf_map_lookup_elem(&aead_threads, &task);

	if (last && last->ctx == made.ctx && made.time_ns - last->time_ns < TWINS_NS)
		return 0; /* one of these functions calls the other */
	conn_end(made.ctx);
	if (last) {
		gap_ns = made.time_ns - last->time_ns;
		if (is_twin(last, gap_ns)) {
			struct ctl_conn_key other = { .ssl = last->ctx, .tgid = key.tgid };

			conn = last->ctx;
			made.gap_ns = gap_ns ? gap_ns : 1;
			if (last->gap_ns) /* it is the second of its pair */
				bpf_map_update_elem(&aead_conns, &other, &conn, BPF_ANY);
		}
	}
	bpf_map_update_elem(&aead_threads, &task, &made, BPF_ANY);
	bpf_map_update_elem(&aead_conns, &key, &conn, BPF_ANY);
	return 0;
}

/* The connection of a context. A context older than the probes has no twin. */
static __always_inline __u64 conn_of(__u64 aead)
{
	struct ctl_conn_key key = { .ssl = aead, .tgid = current_tgid() };
	__u64 *conn = bpf_map_lookup_elem(&aead_conns, &key);

	return conn ? *conn : aead;
}

/* (ctx, out, *out_len, max_out, nonce, nonce_len, in, in_len, ad, ad_len); in and out may be the same buffer. */
SEC("uprobe")
int aead_seal_enter(struct pt_regs *ctx)
{
	struct frame frame = {
		.ssl = conn_of(PT_REGS_PARM1(ctx)),
		.sp = PT_REGS_SP(ctx),
		.dir = EV_OUT,
	};
	struct ctl_conn_key key = { .ssl = frame.ssl, .tgid = current_tgid() };
	struct aead_args args;
	enum record_kind kind;
	__u64 bytes;

	if (conn_is_ignored(frame.ssl) || !aead_args_read(ctx, &args))
		return 0;
	bytes = args.in_len;
	kind = record_kind(args.ad, args.ad_len, bytes + RECORD_TAG);
	if (kind == RECORD_OTHER || (kind == RECORD_TLS13 && !record_content(args.in, &bytes)))
		return 0;
	frame.buf = args.in;
	if (!bytes)
		return 0;
	take_bytes(&frame, bytes);
	conn_ask_gate_of(&key);
	/* its ciphertext is there as the call returns (openssl.bpf.c) */
	frame.buf = PT_REGS_PARM2(ctx);
	frame.sealed = kind;
	frames_enter(&frame, args.in_len < PAIR_RECORD_MIN - RECORD_TAG || !pair_conn(&key));
	return 0;
}

SEC("uprobe")
int aead_open_enter(struct pt_regs *ctx)
{
	struct frame frame = {
		.ssl = conn_of(PT_REGS_PARM1(ctx)),
		.buf = PT_REGS_PARM2(ctx),
		.count = PT_REGS_PARM3(ctx),
		.sp = PT_REGS_SP(ctx),
		.dir = EV_IN,
	};
	struct aead_args args;
	enum record_kind kind;

	if (!aead_args_read(ctx, &args))
		return 0;
	kind = record_kind(args.ad, args.ad_len, args.in_len);
	frame.is_tls13_record = kind == RECORD_TLS13;
	frames_enter(&frame, kind == RECORD_OTHER || conn_is_ignored(frame.ssl));
	return 0;
}

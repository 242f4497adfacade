// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * TLS records of rustls over a provider whose AEAD cannot be found (ring): where rustls hands a record to its
 * MessageEncrypter or MessageDecrypter. Both are called through a table of methods, so no compiler inlines them. A
 * connection has one of each; it is known by its encrypter, which stays at its place when the connection is moved.
 * Both are pointed to by its RecordLayer, which encrypt_outgoing() has in its hands.
 *
 * What rustls lays out in memory is asked for its type, version and lengths before it is believed: a layout that
 * changes leaves calls unread, which are then estimated (docs/facts/clients.md, "rustls").
 */
#include "fingerprint.h"
#include "machine.h"
#include "rustls.h"

SEC("uprobe")
int rustls_outgoing_enter(struct pt_regs *ctx)
{
	__u64 task = bpf_get_current_pid_tgid();
	struct rustls_layer layer;

	/* a register is named by a constant */
#pragma unroll
	for (int i = 0; i < RUST_SELVES; i++)
		if (bpf_probe_read_user(layer.words[i], sizeof(layer.words[i]),
					(const void *)RUST_SELF_OF(ctx, i)))
			__builtin_memset(layer.words[i], 0, sizeof(layer.words[i]));
	bpf_map_update_elem(&rustls_layers, &task, &layer, BPF_ANY);
	return 0;
}

/* Notes whose the decrypter is that stands beside this encrypter in the words, two on or before. */
static __always_inline void link_beside(const struct ctl_conn_key *encrypter, const __u64 *words)
{
	struct ctl_conn_key key = { .tgid = encrypter->tgid };
	const __u64 *known;

	for (int i = 0; i < RUSTLS_LAYER_WORDS; i++) {
		bool is_beside = (i >= 2 && words[i - 2] == encrypter->ssl) ||
				 (i + 2 < RUSTLS_LAYER_WORDS && words[i + 2] == encrypter->ssl);

		key.ssl = words[i];
		if (!is_beside || !key.ssl)
			continue;
		known = bpf_map_lookup_elem(&aead_conns, &key);
		if (!known || *known != encrypter->ssl)
			bpf_map_update_elem(&aead_conns, &key, &encrypter->ssl, BPF_ANY);
	}
}

static __always_inline void link_decrypter(const struct ctl_conn_key *encrypter)
{
	__u64 task = bpf_get_current_pid_tgid();
	const struct rustls_layer *layer = bpf_map_lookup_elem(&rustls_layers, &task);

	for (int i = 0; layer && i < RUST_SELVES; i++)
		link_beside(encrypter, layer->words[i]);
}

/* A global function for the reason given at emit_piece(). What cannot be read shows as a jump of the offset. */
__weak int rustls_take(__u64 ssl, __u64 buf, __u64 bytes)
{
	struct frame frame = { .ssl = ssl, .buf = buf, .dir = EV_OUT };

	take_bytes(&frame, bytes);
	return 0;
}

/* What lies between `start` and `end` of chunks that follow one another. */
static __always_inline void take_chunks(__u64 ssl, const struct rustls_plain *plain)
{
	__u64 at = 0, left = plain->end - plain->start;

	for (__u32 i = 0; i < RUSTLS_CHUNKS && i < plain->n && left; i++) {
		struct rustls_chunk chunk;
		__u64 from, bytes;

		if (bpf_probe_read_user(&chunk, sizeof(chunk),
					(const void *)(plain->chunks + i * sizeof(chunk))))
			break;
		from = plain->start > at ? plain->start - at : 0;
		at += chunk.len;
		if (from >= chunk.len)
			continue;
		bytes = chunk.len - from;
		if (bytes > left)
			bytes = left;
		rustls_take(ssl, chunk.ptr + from, bytes);
		left -= bytes;
	}
	if (left)
		rustls_take(ssl, 0, left);
}

/* The result will have the record. A function of its own: the caller's stack has no room for a thread's frames. */
__weak int rustls_await_record(__u64 ssl, __u64 result, __u64 sp)
{
	struct frame frame = {
		.ssl = ssl,
		.buf = result,
		.sp = sp,
		.dir = EV_OUT,
		.is_rustls = 1,
	};

	frames_enter(&frame, false);
	return 0;
}

/* (*result, encrypter, *plain, sequence number) */
SEC("uprobe")
int rustls_encrypt_enter(struct pt_regs *ctx)
{
	struct ctl_conn_key key = { .ssl = RUST_SELF(ctx), .tgid = current_tgid() };
	struct rustls_plain plain;
	__u64 bytes;

	if (!RUST_ARG2(ctx)) /* its first record: an older one at this address has ended */
		conn_end(key.ssl);
	if (bpf_probe_read_user(&plain, sizeof(plain), (const void *)RUST_ARG1(ctx)) ||
	    plain.type != RUSTLS_APPLICATION_DATA || plain.version != RUSTLS_TLS12)
		return 0;
	bytes = plain.chunks ? plain.end - plain.start : plain.single.len;
	if (!bytes || bytes > RUSTLS_FRAGMENT_MAX || conn_is_ignored(key.ssl))
		return 0;
	link_decrypter(&key);
	if (plain.chunks)
		take_chunks(key.ssl, &plain);
	else
		rustls_take(key.ssl, plain.single.ptr, bytes);
	conn_ask_gate_of(&key);
	if (bytes >= PAIR_RECORD_MIN - RECORD_TAG && pair_conn(&key))
		rustls_await_record(key.ssl, RUST_RESULT(ctx), PT_REGS_SP(ctx));
	return 0;
}

/* (*result, decrypter, *message, sequence number); the plaintext comes to stand where the ciphertext was. */
SEC("uprobe")
int rustls_decrypt_enter(struct pt_regs *ctx)
{
	struct ctl_conn_key key = { .ssl = RUST_SELF(ctx), .tgid = current_tgid() };
	const __u64 *conn = bpf_map_lookup_elem(&aead_conns, &key);
	struct rustls_message message;
	struct frame frame = {
		.count = RUST_RESULT(ctx),
		.sp = PT_REGS_SP(ctx),
		.dir = EV_IN,
		.is_rustls = 1,
	};

	if (!conn || bpf_probe_read_user(&message, sizeof(message), (const void *)RUST_ARG1(ctx)))
		return 0;
	frame.ssl = *conn;
	frame.buf = message.ptr;
	frame.len = message.len;
	frames_enter(&frame, message.type != RUSTLS_APPLICATION_DATA || !message.len ||
				     message.len > RECORD_LEN_MAX || conn_is_ignored(frame.ssl));
	return 0;
}

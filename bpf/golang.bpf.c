// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Go's crypto/tls. The runtime moves stacks and reads return addresses, so return probes are impossible:
 * returns are seen at the return instructions. Goroutines change threads, so a call is identified by its
 * goroutine. Arguments since Go 1.17: machine.h.
 */
#include "fingerprint.h"
#include "machine.h"

/* Go allows more in one call, but no HTTP client writes that much. */
#define GO_BYTES_MAX 0x7fffffff

/* Attached after the stack check, which runs twice if the stack grows. */
SEC("uprobe")
int go_write_enter(struct pt_regs *ctx)
{
	struct frame frame = { .ssl = GO_CONN(ctx), .buf = GO_BUF(ctx), .dir = EV_OUT };
	struct ctl_conn_key key = { .ssl = frame.ssl, .tgid = current_tgid() };
	__u64 bytes = GO_LEN(ctx);

	if (!bytes || bytes > GO_BYTES_MAX || conn_is_ignored(frame.ssl))
		return 0;
	take_bytes(&frame, bytes);
	conn_ask_gate_of(&key);
	return 0;
}

/* (*Conn).write, which hands a record to the connection below, whatever that is. */
SEC("uprobe")
int go_record_enter(struct pt_regs *ctx)
{
	struct ctl_conn_key key = { .ssl = GO_CONN(ctx), .tgid = current_tgid() };

	pair_note_record(&key, GO_BUF(ctx), GO_LEN(ctx));
	return 0;
}

SEC("uprobe")
int go_read_enter(struct pt_regs *ctx)
{
	struct ctl_conn_key goroutine = { .ssl = GO_G(ctx), .tgid = current_tgid() };
	struct go_read read = { .conn = GO_CONN(ctx), .buf = GO_BUF(ctx), .len = GO_LEN(ctx) };

	if (conn_is_ignored(read.conn))
		bpf_map_delete_elem(&go_reads, &goroutine);
	else if (bpf_map_update_elem(&go_reads, &goroutine, &read, BPF_ANY))
		count(CTL_FRAMES_FULL, 1);
	return 0;
}

SEC("uprobe")
int go_read_return(struct pt_regs *ctx)
{
	struct ctl_conn_key goroutine = { .ssl = GO_G(ctx), .tgid = current_tgid() };
	struct go_read *read = bpf_map_lookup_elem(&go_reads, &goroutine);
	struct frame frame = { .dir = EV_IN };
	__s64 bytes = GO_CONN(ctx);

	if (!read)
		return 0;
	frame.ssl = read->conn;
	frame.buf = read->buf;
	if (bytes > 0 && (__u64)bytes <= read->len && bytes <= GO_BYTES_MAX)
		take_bytes(&frame, bytes);
	bpf_map_delete_elem(&go_reads, &goroutine);
	return 0;
}

SEC("uprobe")
int go_close_enter(struct pt_regs *ctx)
{
	conn_end(GO_CONN(ctx));
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Flows whose TLS connection is known and read. They are explained by what they carry, so sums of their
 * process say nothing of them: not after a fork, where another process reads on, nor through a relay, nor
 * after an upgrade to another protocol.
 */
#include "flow/reconcile_internal.h"

static uint64_t payload(const __u64 *bytes, const __u32 *handshake, int dir)
{
	return less(bytes[dir], handshake[dir]);
}

/* What flowed in a direction beyond the handshake, framing and what was seen of it. */
static uint64_t beyond(const struct counts *counts, int dir, uint64_t seen)
{
	uint64_t bytes = payload(counts->bytes, counts->handshake, dir);

	return less(bytes, seen + reconcile_framing(counts, dir, bytes));
}

/* Plaintext, about, that had flowed before anything was read; none while requests are only slack. */
static void late_bytes(const struct ev_flow *flow, const uint64_t read[2], uint64_t ret_late[2])
{
	const struct counts counts = counts_of(flow);

	for (int dir = 0; dir < 2; dir++)
		ret_late[dir] = beyond(&counts, dir, read[dir]);
	/* where the handshake is not known, it is all that is there */
	if ((!flow->handshake[EV_OUT] && !flow->is_adopted) || ret_late[EV_OUT] <= SLACK_OUT_BYTES)
		ret_late[EV_OUT] = ret_late[EV_IN] = 0;
}

void reconcile_pair(struct reconcile *reconcile, const struct ev_flow *flow, bool is_known,
		    const uint64_t read[2], uint64_t ret_late[2])
{
	struct account *account = reconcile_account(reconcile, flow->head.tgid, flow->host);

	late_bytes(flow, read, ret_late);
	if (!account)
		return;
	if (is_known) {
		account->flows = less(account->flows, 1);
		account->open = less(account->open, 1);
		account->adopted -= flow->is_adopted && account->adopted;
	}
	if (!account->cgroup)
		account->cgroup = flow->head.cgroup;
	account->paired.flows++;
	account->paired.open++;
	memset(account->live, 0, sizeof(account->live)); /* counted again at the next tick */
	account->is_dirty = true;
	if (!ret_late[EV_OUT])
		return;
	/* Requests had left before its connection was read: they are a flow of their own, which has ended. */
	account->flows++;
	for (int dir = 0; dir < 2; dir++)
		account->ended[dir].bytes += ret_late[dir];
}

void reconcile_pair_read(struct reconcile *reconcile, uint32_t tgid, const char *host,
			 const uint64_t bytes[2], const uint64_t records[2])
{
	struct account *account = reconcile_account(reconcile, tgid, host);

	if (!account)
		return;
	for (int dir = 0; dir < 2; dir++) {
		account->read[dir] = less(account->read[dir], bytes[dir]);
		account->records[dir] = less(account->records[dir], records[dir]);
		account->paired.read[dir] += bytes[dir];
	}
}

void reconcile_paired_read(struct reconcile *reconcile, uint32_t tgid, const char *host,
			   enum ev_dir dir, uint64_t bytes)
{
	struct account *account = reconcile_account(reconcile, tgid, host);

	reconcile->stats.read_bytes[dir] += bytes;
	if (account)
		account->paired.read[dir] += bytes;
}

void reconcile_paired_lost(struct reconcile *reconcile, uint32_t tgid, const char *host,
			   uint64_t bytes)
{
	struct account *account = reconcile_account(reconcile, tgid, host);

	if (!account)
		return;
	/* Messages that the parsers passed over: mostly answers, which are by far the larger half. */
	account->flows++;
	account->lost += bytes;
	account->ended[EV_IN].bytes += bytes;
	account->is_dirty = true;
}

void reconcile_paired_count(struct reconcile *reconcile, const struct ev_flow *flow,
			    const struct ctl_flow *row)
{
	struct account *account = reconcile_account(reconcile, flow->head.tgid, flow->host);

	for (int dir = 0; account && dir < 2; dir++)
		account->paired.live[dir] += payload(row->bytes, row->handshake, dir);
}

void reconcile_paired_recount(struct reconcile *reconcile)
{
	struct account *account, *next;

	HASH_ITER(hh, reconcile->accounts, account, next)
		memset(account->paired.live, 0, sizeof(account->paired.live));
}

/* Beyond what is explained, framing and slack: 2 % of a direction, as everywhere. */
static uint64_t unexplained(const struct counts *counts, int dir, uint64_t explained)
{
	uint64_t bytes = payload(counts->bytes, counts->handshake, dir);
	uint64_t left = beyond(counts, dir, explained);

	return left > SLACK_OUT_BYTES + bytes / SLACK_SHARE ? left : 0;
}

uint64_t reconcile_paired_end(struct reconcile *reconcile, const struct ev_flow *flow,
			      const uint64_t explained[2])
{
	const struct counts counts = counts_of(flow);
	struct account *account = reconcile_account(reconcile, flow->head.tgid, flow->host);

	if (!account)
		return 0;
	account->paired.open = less(account->paired.open, 1);
	for (int dir = 0; dir < 2; dir++) {
		account->paired.bytes[dir] += payload(flow->bytes, flow->handshake, dir);
		account->paired.live[dir] = 0; /* counted again at the next tick */
		reconcile->stats.flow_bytes[dir] += flow->bytes[dir];
	}
	account->is_dirty = true;
	if (!unexplained(&counts, EV_OUT, explained[EV_OUT]))
		return unexplained(&counts, EV_IN, explained[EV_IN]);
	/* Requests left that were not read: its connection carried them by another way than was seen. */
	account->flows++;
	for (int dir = 0; dir < 2; dir++)
		account->ended[dir].bytes += unexplained(&counts, dir, explained[dir]);
	return 0;
}

void reconcile_paired_taken(struct reconcile *reconcile, uint32_t tgid, const char *host,
			    uint64_t bytes)
{
	struct account *account = bytes ? reconcile_account(reconcile, tgid, host) : NULL;

	if (account)
		account->paired.taken += bytes;
}

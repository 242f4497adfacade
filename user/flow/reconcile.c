/* SPDX-License-Identifier: Apache-2.0 */
#include "flow/reconcile_internal.h"

#include <stdlib.h>
#include <string.h>

/*
 * Bytes of a handshake that the kernel could not follow: ClientHellos of 259 to 1,502 bytes and a
 * Finished, and on the way back a chain of two or three certificates and two session tickets
 * (docs/facts/kernel.md, "ClientHello and handshake sizes").
 */
static const uint64_t handshake_bytes[2] = { [EV_OUT] = 1000, [EV_IN] = 4500 };

/*
 * Framing where the kernel could not follow the records, by the largest: TLS 1.3, header 5, type 1,
 * tag 16 (RFC 8446 5.2). Smaller records (an event stream's) leave more of it in the figure.
 */
#define FULL_RECORD_BYTES   16384
#define FULL_RECORD_FRAMING 22

/* TLS 1.2 with GCM, the dearest framing in use: header 5, nonce 8, tag 16 (RFC 5246, RFC 5288). */
#define RECORD_BYTES 29

/*
 * Where a process is read, a request that was not shows in what went out beyond the handshake, which
 * is known to some bytes: the shortest request's head has 150. What came in says so only beyond
 * session tickets and some per mille of framing. A guessed handshake may be off by a chain of 10 kB.
 */
#define SLACK_IN_BYTES      2048
#define SLACK_GUESSED_BYTES 8192

/*
 * An event stream has one record per event, of 140 to 500 bytes; a JSON body comes in records of
 * 1.4 kB and more. A head and a small JSON are a few small records.
 * docs/facts/wire.md, "Size of stream events".
 */
#define STREAM_RECORD_BYTES 768
#define STREAM_RECORDS      8
/* A document of which this much came in records of 4 kB and more is no stream; beyond it, it may be. */
#define DOCUMENT_RECORD_BYTES 4096
#define DOCUMENT_BYTES        16384

/* What nothing was read of, and whose handshake is only guessed, carried a request, however small. */
#define LEAST_BYTES 64

struct reconcile *reconcile_new(void)
{
	struct reconcile *reconcile = calloc(1, sizeof(*reconcile));

	if (reconcile)
		reconcile->turn = 1;
	return reconcile;
}

static void drop(struct reconcile *reconcile, struct account *account)
{
	if (reconcile->cursor == account)
		reconcile->cursor = account->hh.next;
	HASH_DEL(reconcile->accounts, account);
	free(account);
}

struct reconcile *reconcile_free(struct reconcile *reconcile)
{
	if (!reconcile)
		return NULL;
	while (reconcile->accounts)
		drop(reconcile, reconcile->accounts);
	free(reconcile);
	return NULL;
}

/* NULL: it is not known. Its key is set all the same. */
static struct account *find(const struct reconcile *reconcile, uint32_t tgid, const char *host,
			    struct key *ret_key)
{
	struct account *account;

	memset(ret_key, 0, sizeof(*ret_key));
	ret_key->tgid = tgid;
	strncpy(ret_key->host, host, sizeof(ret_key->host) - 1);
	HASH_FIND(hh, reconcile->accounts, ret_key, sizeof(*ret_key), account);
	return account;
}

struct account *reconcile_account(struct reconcile *reconcile, uint32_t tgid, const char *host)
{
	struct key key;
	struct account *account = find(reconcile, tgid, host, &key);

	if (account)
		return account;
	if (HASH_COUNT(reconcile->accounts) >= UNMETERED_MAX) {
		reconcile->stats.accounts_dropped++;
		drop(reconcile, reconcile->accounts);
	}
	account = calloc(1, sizeof(*account));
	if (!account) {
		reconcile->stats.accounts_dropped++;
		return NULL;
	}
	account->key = key;
	HASH_ADD(hh, reconcile->accounts, key, sizeof(account->key), account);
	if (!account->hh.tbl) {
		reconcile->stats.accounts_dropped++;
		free(account);
		return NULL;
	}
	return account;
}

static uint64_t handshake_of(const struct counts *counts, int dir)
{
	if (counts->is_adopted)
		return 0;
	return counts->handshake[EV_OUT] ? counts->handshake[dir] : handshake_bytes[dir];
}

uint64_t reconcile_framing(const struct counts *counts, int dir, uint64_t bytes)
{
	uint64_t framed = counts->framed[dir];

	if (!framed)
		return 0;
	return (uint64_t)((unsigned __int128)counts->records[dir] * counts->record_bytes * bytes /
			  framed);
}

/* Where a part of the records was missed, they are taken to be like the rest. */
static void flowed_add(struct flowed *flowed, const struct counts *counts, int dir)
{
	uint64_t bytes = less(counts->bytes[dir], handshake_of(counts, dir));
	uint64_t framed = counts->framed[dir];

	flowed->bytes += bytes;
	flowed->records += counts->is_quic ? 0 : counts->records[dir];
	flowed->in_records += counts->is_quic ? 0 : framed;
	if (framed)
		flowed->framing += reconcile_framing(counts, dir, bytes);
	else
		flowed->unframed += bytes;
}

void reconcile_flow(struct reconcile *reconcile, const struct ev_flow *flow)
{
	struct account *account = reconcile_account(reconcile, flow->head.tgid, flow->host);

	if (!account)
		return;
	account->cgroup = flow->head.cgroup;
	memcpy(account->comm, flow->comm, sizeof(account->comm) - 1);
	account->flows++;
	account->open++;
	account->quic += flow->is_quic;
	account->adopted += flow->is_adopted;
	account->is_dirty = true;
}

static void take_back(struct account *account)
{
	account->flows = less(account->flows, 1);
	account->open = less(account->open, 1);
	account->is_dirty = true;
}

void reconcile_flow_cancel(struct reconcile *reconcile, const struct ev_flow *flow)
{
	struct account *account = reconcile_account(reconcile, flow->head.tgid, flow->host);

	if (account)
		take_back(account);
}

void reconcile_flow_doubt(struct reconcile *reconcile, const struct ev_flow *flow)
{
	struct account *account = reconcile_account(reconcile, flow->head.tgid, flow->host);

	if (!account)
		return;
	take_back(account);
	account->adopted = less(account->adopted, 1);
	memset(account->live, 0, sizeof(account->live)); /* counted anew at the next tick */
	account->live_requests = 0;
	for (int dir = 0; dir < 2; dir++)
		account->doubtful[dir] += flow->bytes[dir];
}

void reconcile_flow_end(struct reconcile *reconcile, const struct ev_flow *flow)
{
	const struct counts counts = counts_of(flow);
	struct account *account = reconcile_account(reconcile, flow->head.tgid, flow->host);

	if (!account)
		return;
	account->open = less(account->open, 1);
	if (!flow->handshake[EV_OUT] && !flow->is_adopted)
		account->guessed++;
	account->requests += flow->requests;
	account->live_requests = 0;
	for (int dir = 0; dir < 2; dir++) {
		flowed_add(&account->ended[dir], &counts, dir);
		reconcile->stats.flow_bytes[dir] += flow->bytes[dir];
	}
	account->unread += less(flow->unread, reconcile_framing(&counts, EV_IN, flow->unread));
	memset(account->live, 0, sizeof(account->live)); /* counted anew at the next tick */
	account->is_dirty = true;
}

void reconcile_flow_count(struct reconcile *reconcile, const struct ev_flow *flow,
			  const struct ctl_flow *row)
{
	const struct counts counts = { row->bytes,   row->framed,       row->handshake,
				       row->records, row->record_bytes, flow->is_adopted,
				       flow->is_quic };
	struct account *account = reconcile_account(reconcile, flow->head.tgid, flow->host);

	if (!account)
		return;
	for (int dir = 0; dir < 2; dir++)
		flowed_add(&account->live[dir], &counts, dir);
	account->live_requests += row->requests;
	account->is_dirty = true;
}

void reconcile_read(struct reconcile *reconcile, uint32_t tgid, const char *host, enum ev_dir dir,
		    uint64_t bytes, uint64_t records)
{
	struct account *account = reconcile_account(reconcile, tgid, host);

	reconcile->stats.read_bytes[dir] += bytes;
	if (!account)
		return;
	account->read[dir] += bytes;
	account->records[dir] += records;
	account->is_dirty = true;
}

void reconcile_unsent(struct reconcile *reconcile, uint32_t tgid, const char *host, uint64_t bytes)
{
	struct account *account = reconcile_account(reconcile, tgid, host);

	if (account)
		account->unsent += bytes;
}

void reconcile_unconfirmed(struct reconcile *reconcile, uint32_t tgid, const char *host)
{
	struct account *account = reconcile_account(reconcile, tgid, host);

	if (account)
		account->is_unconfirmed = true;
}

void reconcile_other(struct reconcile *reconcile, uint32_t tgid, const char *host)
{
	struct account *account = reconcile_account(reconcile, tgid, host);

	if (account)
		account->others++;
}

static bool is_read(const struct account *account)
{
	return account->read[EV_OUT] || account->read[EV_IN] || account->paired.read[EV_OUT];
}

/* Of `missing` bytes. */
static enum unmetered_why why_of(const struct account *account, uint64_t missing)
{
	if (!missing)
		return account->doubtful[EV_OUT] || account->doubtful[EV_IN] ? UNMETERED_SHARED :
									       UNMETERED_READ;
	if (account->quic && account->quic == account->flows)
		return UNMETERED_QUIC;
	if (is_read(account) && account->lost * 2 >= missing)
		return UNMETERED_LOST;
	if (is_read(account) && account->upgraded * 2 >= missing)
		return UNMETERED_UPGRADED;
	if (account->adopted && account->adopted == account->flows)
		return UNMETERED_OLDER;
	if (is_read(account))
		return UNMETERED_LATE;
	return account->left_out ? account->left_out : UNMETERED_UNREAD;
}

static uint64_t flowed_bytes(const struct account *account, int dir)
{
	return account->ended[dir].bytes + account->live[dir].bytes;
}

/* Requests so far: a connection has carried one at the least. */
static uint64_t requests_of(const struct account *account)
{
	uint64_t requests = account->requests + account->live_requests;

	return requests > account->flows ? requests : account->flows;
}

/*
 * Small records are events; large ones a document, unless it is larger than an answer in one JSON is likely to be.
 * What lies between is a document in the small records that some servers begin with, or a stream whose server or
 * proxy puts several events into one.
 */
static enum answer_form form_of(const struct account *account)
{
	uint64_t records = account->ended[EV_IN].records + account->live[EV_IN].records;
	uint64_t bytes = account->ended[EV_IN].in_records + account->live[EV_IN].in_records;
	bool is_many = records && records >= STREAM_RECORDS * requests_of(account);

	if (is_many && bytes / records < STREAM_RECORD_BYTES)
		return ANSWER_SSE;
	if (bytes * 2 < flowed_bytes(account, EV_IN)) /* too little was followed to say */
		return ANSWER_UNKNOWN;
	if (bytes > DOCUMENT_BYTES * requests_of(account) ||
	    (is_many && bytes / records < DOCUMENT_RECORD_BYTES))
		return ANSWER_UNKNOWN;
	return ANSWER_JSON;
}

/*
 * Requests that are to be charged now, on so many connections. Of a process that is read in part they may be the
 * ones that were read, so there each connection counts as one.
 */
static uint64_t exchanges_of(struct account *account, uint64_t requests, uint64_t flows)
{
	uint64_t fresh = less(requests, account->requests_settled);

	account->requests_settled += fresh;
	return !is_read(account) && fresh > flows ? fresh : flows;
}

/* What flowed beyond the handshakes, less what was read, with its framing, or charged before. */
static uint64_t unexplained(const struct account *account, int dir)
{
	const uint64_t full = FULL_RECORD_BYTES + FULL_RECORD_FRAMING;
	const struct flowed *ended = &account->ended[dir], *live = &account->live[dir];
	uint64_t flowed = flowed_bytes(account, dir);
	uint64_t unframed = ended->unframed + live->unframed;
	uint64_t framing = ended->framing + live->framing;
	uint64_t read = less(account->read[dir], dir == EV_OUT ? account->unsent : 0);

	if (is_read(account))
		framing += flowed ? account->records[dir] * RECORD_BYTES * unframed / flowed : 0;
	else
		framing += (unframed + full - 1) / full * FULL_RECORD_FRAMING;
	return less(flowed,
		    read + framing + account->charged[dir] + (dir == EV_IN ? account->taken : 0));
}

/* Is what is left of a process that is read more than framing and certificates can be? */
static bool is_beyond(const struct account *account, uint64_t left, int dir)
{
	uint64_t guessed = account->guessed * SLACK_GUESSED_BYTES;

	if (dir == EV_OUT)
		return left > account->flows * SLACK_OUT_BYTES + guessed;
	return left > account->flows * SLACK_IN_BYTES + guessed +
			      account->ended[EV_IN].bytes / SLACK_SHARE;
}

static bool is_beyond_slack(const struct account *account, const uint64_t left[2])
{
	return is_beyond(account, left[EV_OUT], EV_OUT) || is_beyond(account, left[EV_IN], EV_IN);
}

bool reconcile_take_unread(struct reconcile *reconcile, uint32_t tgid, const char *host,
			   uint64_t *ret_bytes)
{
	struct key key;
	struct account *account = find(reconcile, tgid, host, &key);
	uint64_t bytes, left;

	*ret_bytes = 0;
	if (!account || !is_read(account))
		return account && account->open;
	bytes = account->unread;
	account->unread = 0;
	if (!account->open) {
		left = unexplained(account, EV_IN);
		if (bytes > left || (is_beyond(account, left, EV_IN) &&
				     !is_beyond(account, unexplained(account, EV_OUT), EV_OUT)))
			bytes = left;
	}
	account->taken += bytes;
	*ret_bytes = bytes;
	return account->open;
}

void reconcile_in_progress(struct reconcile *reconcile, uint32_t tgid, const char *host)
{
	struct key key;
	struct account *account = find(reconcile, tgid, host, &key);

	if (account)
		account->turn = reconcile->turn;
}

static bool settle(struct reconcile *reconcile, struct account *account, struct reconcile_sum *ret)
{
	uint64_t left[2] = { unexplained(account, EV_OUT), unexplained(account, EV_IN) };
	uint64_t ended = account->flows - account->open;
	uint64_t requests = account->requests + account->live_requests;
	enum answer_form form = form_of(account);
	enum unmetered_why why;

	/* What its sockets held may be of a call that has not ended yet. */
	account->is_dirty = account->unread && account->turn == reconcile->turn &&
			    is_beyond_slack(account, left);
	if (account->is_dirty)
		left[EV_IN] = less(left[EV_IN], account->unread);
	memset(account->live, 0, sizeof(account->live));
	account->live_requests = 0;
	if (is_read(account) ?
		    !is_beyond_slack(account, left) :
		    !left[EV_OUT] && !left[EV_IN] && account->guessed == account->guessed_settled)
		return false;
	*ret = (struct reconcile_sum){ .tgid = account->key.tgid,
				       .cgroup = account->cgroup,
				       .comm = account->comm,
				       .host = account->key.host,
				       .flows = ended - account->settled,
				       .exchanges = exchanges_of(account, requests,
								 ended - account->settled),
				       .form = form,
				       .is_unread = !is_read(account),
				       .is_unconfirmed = account->is_unconfirmed };
	account->is_unconfirmed = false;
	account->settled = ended;
	account->guessed_settled = account->guessed;
	why = why_of(account, left[EV_OUT] + left[EV_IN] + account->charged[EV_OUT] +
				      account->charged[EV_IN]);
	for (int dir = 0; dir < 2; dir++) {
		account->charged[dir] += left[dir];
		reconcile->stats.charged_bytes[why][dir] += left[dir];
		ret->bytes[dir] = left[dir] ? left[dir] : LEAST_BYTES;
	}
	return true;
}

bool reconcile_next(struct reconcile *reconcile, bool tick, struct reconcile_sum *ret)
{
	if (!reconcile->cursor)
		reconcile->cursor = reconcile->accounts;
	while (reconcile->cursor) {
		struct account *account = reconcile->cursor;

		reconcile->cursor = account->hh.next;
		if (account->is_dirty && account->flows &&
		    (!account->open || (tick && !is_read(account))) &&
		    settle(reconcile, account, ret))
			return true;
	}
	reconcile->turn++;
	return false;
}

void reconcile_each(const struct reconcile *reconcile,
		    void (*fn)(void *arg, const struct reconcile_row *row), void *arg)
{
	struct account *account, *next;

	HASH_ITER(hh, reconcile->accounts, account, next) {
		struct reconcile_row row = { .tgid = account->key.tgid,
					     .cgroup = account->cgroup,
					     .comm = account->comm,
					     .host = account->key.host,
					     .flows = account->flows + account->paired.flows,
					     .open = account->open + account->paired.open,
					     .quic = account->quic,
					     .adopted = account->adopted,
					     .others = account->others,
					     .lost_bytes = account->lost };

		for (int dir = 0; dir < 2; dir++) {
			row.flow_bytes[dir] = flowed_bytes(account, dir) +
					      account->paired.bytes[dir] + account->paired.live[dir];
			row.read_bytes[dir] = account->read[dir] + account->paired.read[dir];
			row.charged_bytes[dir] = account->charged[dir];
			if (dir == EV_IN)
				row.charged_bytes[dir] += account->taken + account->paired.taken;
			row.doubtful_bytes[dir] = account->doubtful[dir];
		}
		row.why = why_of(account, account->charged[EV_OUT] + account->charged[EV_IN]);
		fn(arg, &row);
	}
}

void reconcile_stats(const struct reconcile *reconcile, struct reconcile_stats *ret)
{
	*ret = reconcile->stats;
	ret->accounts = HASH_COUNT(reconcile->accounts);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "pipeline/connections.h"

#include <stdlib.h>
#include <string.h>
#include <uthash.h>
#include <utlist.h>

/* One call in progress on a connection. */
struct item {
	struct item *prev, *next;
	uint64_t exchange;
	uint64_t cgroup;
	uint64_t number;
	uint64_t start_ns;
	uint64_t told_ns; /* when links_out.running was told; 0: not yet */
	struct call *call;
};

_Static_assert(EV_HOST_LEN == HTTP_HOST_LEN, "a name from a head fits a connection's");

/* One TLS connection of one process. */
struct link {
	UT_hash_handle hh; /* in the order of their first event */
	uint64_t id, ssl;
	uint64_t seen[2], records[2];      /* plaintext so far, by enum ev_dir */
	uint64_t told[2], told_records[2]; /* of these, what links_out.read was told */
	uint64_t told_missed;
	uint32_t tgid;
	uid_t uid;
	bool is_decided; /* the kernel was told, or knew from the start */
	char comm[EV_COMM_LEN];
	char host[EV_HOST_LEN]; /* the SNI, else as its first call names it */
	struct conn *conn;      /* NULL: of no interest */
	struct item *items;
	size_t n_items;
};

struct links {
	struct links_out out;
	const struct prices *prices;
	struct calibration *calibration;
	struct link *table;
	struct link *last;   /* found: events come in runs of one connection */
	uint64_t numbers;    /* of calls, ever */
	uint64_t running_ns; /* between two tellings of one */
	struct links_stats stats;
};

struct links *links_new(const struct links_out *out, const struct prices *prices,
			struct calibration *calibration)
{
	struct links *links = calloc(1, sizeof(*links));

	if (links)
		*links = (struct links){ .out = *out,
					 .prices = prices,
					 .calibration = calibration,
					 .running_ns = LINKS_RUNNING_NS };
	return links;
}

void links_running(struct links *links, uint64_t period_ns)
{
	links->running_ns = period_ns;
}

static void item_free(struct links *links, struct link *link, struct item *item)
{
	DL_DELETE(link->items, item);
	link->n_items--;
	links->stats.calls--;
	call_free(item->call);
	free(item);
}

static struct links_caller caller_of(const struct link *link, const struct item *item)
{
	return (struct links_caller){ .cgroup = item->cgroup,
				      .call = item->number,
				      .connection = link->id,
				      .next_ns = item->next ? item->next->start_ns : 0,
				      .tgid = link->tgid,
				      .uid = link->uid,
				      .comm = link->comm };
}

/* The call is over, one way or another: its charge leaves, and it is forgotten. */
static void item_settle(struct links *links, struct link *link, struct item *item)
{
	struct links_caller caller = caller_of(link, item);
	struct charge charge;

	call_charge(item->call, links->prices, links->calibration, &charge);
	call_teach(item->call, links->calibration);
	links->out.charged(links->out.arg, &caller, &charge);
	item_free(links, link, item);
}

/* Telemetry, files, an operation that nobody has heard of: not charged, and not silent. */
static void item_pass(struct links *links, const struct link *link, const struct http_head *head)
{
	const char *host = head->host[0] ? head->host : link->host;

	if (links->out.other && !strcmp(head->method, "POST") && api_find(host))
		links->out.other(links->out.arg, link->tgid, host);
}

static void item_add(struct links *links, struct link *link, const struct http_piece *piece,
		     const struct ev_head *event)
{
	struct item *item;

	if (link->n_items >= LINKS_CALLS_MAX) {
		links->stats.calls_dropped++;
		return;
	}
	item = calloc(1, sizeof(*item));
	if (item)
		item->call = call_new(piece->head, link->host, event->time_ns);
	if (!item || !item->call) {
		free(item);
		item_pass(links, link, piece->head);
		return;
	}
	/* Seen only from its middle on: what is read of it must be found beside its flow. */
	if (!link->host[0])
		memcpy(link->host, piece->head->host, sizeof(link->host));
	item->exchange = piece->exchange;
	item->cgroup = event->cgroup;
	item->start_ns = event->time_ns;
	item->number = ++links->numbers;
	DL_APPEND(link->items, item);
	link->n_items++;
	links->stats.calls++;
}

static void item_tell(struct links *links, struct link *link, struct item *item,
		      const struct http_piece *piece, uint64_t now_ns)
{
	struct links_caller caller = caller_of(link, item);
	struct charge charge;

	/* Before the request has ended its model may not be known. */
	if (!links->out.running ||
	    (!item->told_ns && piece->side == HTTP_REQUEST && piece->type != HTTP_END) ||
	    (item->told_ns && now_ns - item->told_ns < links->running_ns))
		return;
	item->told_ns = now_ns;
	call_charge(item->call, links->prices, links->calibration, &charge);
	links->out.running(links->out.arg, &caller, &charge);
}

static void piece_take(struct links *links, struct link *link, const struct http_piece *piece,
		       const struct ev_head *event)
{
	struct item *item;

	DL_SEARCH_SCALAR(link->items, item, exchange, piece->exchange);
	if (!item && piece->type == HTTP_HEAD && piece->side == HTTP_REQUEST) {
		item_add(links, link, piece, event);
		return;
	}
	if (!item)
		return;
	call_feed(item->call, piece, event->time_ns);
	if (call_is_done(item->call))
		item_settle(links, link, item);
	else
		item_tell(links, link, item, piece, event->time_ns);
}

/* Pulls what the connection has to say; returns how many requests began. */
static size_t link_pull(struct links *links, struct link *link, const struct ev_head *event)
{
	struct http_piece piece;
	size_t requests = 0;

	while (conn_next(link->conn, &piece)) {
		requests += piece.type == HTTP_HEAD && piece.side == HTTP_REQUEST;
		piece_take(links, link, &piece, event);
	}
	return requests;
}

/* Behind a gap the parsers wait for the next message: all that is passed over then is due to it. */
static void link_tell_missed(struct links *links, struct link *link, const struct conn_stats *stats)
{
	uint64_t missed = stats->unread_bytes[EV_OUT] + stats->unread_bytes[EV_IN];

	if (missed <= link->told_missed || (!stats->gaps && !stats->is_upgraded))
		return;
	links->out.missed(links->out.arg, link->tgid, link->host,
			  stats->is_upgraded ? LINKS_UPGRADED : LINKS_LOST,
			  missed - link->told_missed);
	link->told_missed = missed;
}

static void link_tell(struct links *links, struct link *link)
{
	struct conn_stats stats;

	if (!link->conn || !link->host[0])
		return;
	conn_stats(link->conn, &stats);
	link_tell_missed(links, link, &stats);
	for (int dir = 0; dir < 2; dir++) {
		uint64_t read = link->seen[dir] - stats.unread_bytes[dir];

		if (read <= link->told[dir])
			continue;
		links->out.read(links->out.arg, link->tgid, link->host, dir, read - link->told[dir],
				link->records[dir] - link->told_records[dir]);
		link->told[dir] = read;
		link->told_records[dir] = link->records[dir];
	}
}

/* The connection's bytes are of no more interest. */
static void link_stop(struct links *links, struct link *link)
{
	struct conn_stats stats;

	if (!link->conn)
		return;
	link_tell(links, link);
	conn_stats(link->conn, &stats);
	links->stats.gaps += stats.gaps;
	links->stats.gap_bytes += stats.gap_bytes;
	links->stats.resyncs += stats.resyncs;
	links->stats.bad_encodings += stats.bad_encodings;
	link->conn = conn_free(link->conn);
}

static void decide(struct links *links, struct link *link, enum ctl_verdict verdict)
{
	link->is_decided = true;
	links->out.decided(links->out.arg, link->id, verdict);
	if (verdict == CTL_IGNORE)
		link_stop(links, link);
}

/*
 * A connection whose name the kernel did not know is ours as soon as a request on it is a call to
 * be charged; it is not ours if it speaks as a server or no HTTP at all, or if its first request
 * is no such call.
 */
static void link_recognise(struct links *links, struct link *link, size_t requests)
{
	enum conn_protocol protocol = conn_protocol(link->conn);

	if (link->is_decided)
		return;
	if (link->items)
		decide(links, link, CTL_AI);
	else if (protocol == CONN_SERVER || protocol == CONN_OTHER || requests)
		decide(links, link, CTL_IGNORE);
}

static struct link *link_find(struct links *links, uint64_t id)
{
	struct link *link = links->last;

	if (link && link->id == id)
		return link;
	HASH_FIND(hh, links->table, &id, sizeof(id), link);
	links->last = link;
	return link;
}

/*
 * This direction has come to `end`, of which the last `len` bytes are in our hands. What lies between
 * those and the bytes before (beyond the pieces of one call, or the ring was full) was framed as well:
 * in full records at the least, and exactly so within a call.
 */
static void link_see(struct link *link, enum ev_dir dir, uint64_t end, uint64_t len)
{
	uint64_t seen = link->seen[dir];

	if (end - len > seen)
		link->records[dir] += (end - len - seen + EV_PIECE_MAX - 1) / EV_PIECE_MAX;
	link->records[dir] += len > 0;
	link->seen[dir] = end;
}

/* The connection is over. `totals` NULL: the kernel's last counts are not known. */
static void link_end(struct links *links, struct link *link, const uint64_t totals[2],
		     const struct ev_head *event)
{
	if (link->conn && totals) {
		for (int dir = 0; dir < 2; dir++)
			link_see(link, dir, totals[dir], 0);
		conn_end(link->conn, totals);
		link_pull(links, link, event);
	}
	while (link->items) {
		call_end(link->items->call, event->time_ns);
		item_settle(links, link, link->items);
	}
	link_stop(links, link);
	if (links->last == link)
		links->last = NULL;
	HASH_DEL(links->table, link);
	links->stats.connections--;
	free(link);
}

static struct link *link_add(struct links *links, const struct ev_head *event, bool from_start)
{
	struct link *link;

	if (HASH_COUNT(links->table) >= LINKS_MAX) {
		links->stats.connections_dropped++;
		link_end(links, links->table, NULL, event);
	}
	link = calloc(1, sizeof(*link));
	if (link)
		link->conn = conn_new(from_start);
	if (!link || !link->conn) {
		free(link);
		links->stats.connections_dropped++;
		return NULL;
	}
	link->id = event->id;
	link->tgid = event->tgid;
	link->uid = (uid_t)-1;
	HASH_ADD(hh, links->table, id, sizeof(link->id), link);
	links->stats.connections++;
	return link;
}

bool links_open(struct links *links, const struct ev_open *event)
{
	struct link *link = link_find(links, event->head.id);

	if (link)
		return false;
	link = link_add(links, &event->head, event->host[0] != '\0');
	if (!link)
		return false;
	link->ssl = event->ssl;
	link->uid = event->uid;
	memcpy(link->comm, event->comm, sizeof(link->comm) - 1);
	memcpy(link->host, event->host, sizeof(link->host) - 1);
	if (event->verdict == CTL_AI)
		link->is_decided = true;
	else if (event->verdict == CTL_ASK)
		decide(links, link, api_find(link->host) ? CTL_AI : CTL_IGNORE);
	return link->is_decided && link->conn;
}

void links_data(struct links *links, const struct ev_data *event)
{
	struct link *link = link_find(links, event->head.id);

	if (!link) /* its EV_OPEN found the ring full */
		link = link_add(links, &event->head, false);
	if (!link || !link->conn)
		return;
	link_see(link, event->dir, event->offset + event->len, event->len);
	conn_feed(link->conn, event->dir == EV_OUT ? HTTP_REQUEST : HTTP_RESPONSE, event->offset,
		  event->bytes, event->len);
	link_recognise(links, link, link_pull(links, link, &event->head));
}

void links_close(struct links *links, const struct ev_close *event)
{
	struct link *link = link_find(links, event->head.id);
	uint64_t totals[2] = { event->bytes[EV_OUT], event->bytes[EV_IN] };

	if (link)
		link_end(links, link, totals, &event->head);
}

void links_gone(struct links *links, const struct ev_head *event)
{
	struct link *link, *next;

	HASH_ITER(hh, links->table, link, next) {
		if (link->tgid != event->tgid)
			continue;
		links->out.forgotten(links->out.arg, link->tgid, link->ssl);
		link_end(links, link, NULL, event);
	}
}

void links_tell(struct links *links)
{
	struct link *link, *next;

	HASH_ITER(hh, links->table, link, next)
		link_tell(links, link);
}

void links_stats(const struct links *links, struct links_stats *ret)
{
	*ret = links->stats;
}

struct links *links_free(struct links *links, uint64_t now_ns)
{
	struct ev_head now = { .time_ns = now_ns };

	if (!links)
		return NULL;
	while (links->table)
		link_end(links, links->table, NULL, &now);
	free(links);
	return NULL;
}

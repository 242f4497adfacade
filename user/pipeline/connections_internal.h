/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What connections.c, which has them read, connections_hear.c, which takes the reader's messages, and connections_report.c, which
 * says what was read, share.
 */
#ifndef PIPELINE_CONNECTIONS_INTERNAL_H
#define PIPELINE_CONNECTIONS_INTERNAL_H

#include "base/hash.h"
#include "http/reorder.h"
#include "pipeline/pipeline_internal.h"
#include "reader/reader.h"

/* One call in progress on a connection. */
struct item {
	struct item *prev, *next;
	uint64_t told;                    /* the reader's number of it */
	struct item *hop_prev, *hop_next; /* if it may go to who passes it on (is_hop) */
	bool is_hop;
	uint32_t tgid; /* the connection's */
	uint64_t cgroup;
	uint64_t number;
	uint64_t start_ns;
	struct reading reading; /* the last one, of which tenant, client and start are this side's */
};

_Static_assert(EV_HOST_LEN == HTTP_HOST_LEN, "a name from a head fits a connection's");

/* How many connections a cgroup has. */
struct holder {
	UT_hash_handle hh;
	uint64_t cgroup;
	size_t n;
	size_t held;   /* bytes of plain HTTP that wait for others before them */
	size_t n_hops; /* of its connections: items of connections.hops */
};

/* What a connection of plain HTTP has in addition. */
struct plain {
	struct ev_flow flow;       /* as it began */
	struct reorder reorder[2]; /* by enum ev_dir */
};

/* One TLS connection of one process, or one of plain HTTP. */
struct connection {
	UT_hash_handle hh; /* in the order of their first event */
	uint64_t id, ssl;
	struct holder *holder;                     /* of the cgroup that it began in */
	uint64_t seen[2], records[2];              /* plaintext so far, by enum ev_dir */
	uint64_t reported[2], reported_records[2]; /* of these, what plaintext.c knows */
	uint64_t reported_missed[2];
	uint64_t known[2];  /* what was seen when the reader last said something of a call */
	uint64_t newest_ns; /* of its events */
	uint32_t tgid;
	uid_t uid;
	bool is_decided; /* the kernel knows its verdict */
	bool is_ending;
	uint64_t unread; /* plaintext that an ended socket held for it, when so much had been reported: */
	uint64_t unread_at;
	char comm[EV_COMM_LEN];
	char host[EV_HOST_LEN]; /* the SNI, else as its first call names it */
	char *path;             /* of its last call; NULL: none, or no memory */
	uint64_t inherited;  /* cookie of the socket that came with it (joined.h); 0: it was not */
	struct plain *plain; /* NULL: TLS */
	bool is_read;        /* the reader has it; else it is of no interest */
	bool is_refused; /* the reader said of it what cannot be true: no word of it counts any more */
	bool is_short;                    /* there was no memory for one of its calls */
	struct message_standing standing; /* as the reader said last */
	struct item *items;
	size_t n_items;
	uint64_t n_told; /* calls that began on it, ever */
};

/* A process that goes on with a connection of another one. */
struct heir {
	uint32_t tgid;
	uint64_t ssl, from; /* the object's address; the connection's id in that one */
	uint64_t cookie;    /* of the socket */
};
#define HEIRS_MAX 64

struct connections {
	struct pipeline *pipeline;
	struct connection *table;
	struct holder *holders;
	struct item *hops;       /* calls in progress that may go to who passes them on */
	struct connection *last; /* found: events come in runs of one connection */
	struct reader *reader;
	struct connection *ordered;   /* of which the reader may speak now, ... */
	const struct ev_head *order;  /* ... and the event that led to it */
	uint64_t numbers;             /* of calls, ever */
	struct heir heirs[HEIRS_MAX]; /* a ring */
	uint64_t n_heirs;             /* ever */
	size_t held;                  /* as of all holders */
	struct connections_stats stats;
};

/* ---- connections_table.c ---- */

/* NULL: there is none. */
struct connection *connection_find(struct connections *connections, uint64_t id);
/* The cgroup's, with one more connection; NULL: no memory. */
struct holder *holder_add(struct connections *connections, uint64_t cgroup);
void holder_drop(struct connections *connections, struct holder *holder);
/* The oldest connection of the cgroup that has most: nobody loses one to whoever has more. */
struct connection *connection_to_evict(const struct connections *connections);
/* Gives it a name, if it has none. */
void connection_name(struct connections *connections, struct connection *connection,
		     const char *host);
/* Puts a call that begins among those in progress, and takes one that is over out of them. */
void item_enter(struct connections *connections, struct connection *connection, struct item *item);
void item_leave(struct connections *connections, struct connection *connection, struct item *item);
/* Gives a new connection what one of plain HTTP has. 0 or -ENOMEM. */
int plain_add(struct connection *connection, const struct ev_flow *flow);
/* Takes one segment. How much of a cgroup's may wait is bounded by what others have left. */
void plain_feed(struct connections *connections, struct connection *connection,
		const struct ev_segment *event);
/* Nothing more of it will come. */
void plain_end(struct connection *connection);
/* The next bytes in order; false: more must be fed. */
bool plain_next(struct connections *connections, struct connection *connection, enum ev_dir dir,
		struct reorder_piece *ret);
/* Frees it, if there is one. */
void plain_drop(struct connections *connections, struct connection *connection);

/* ---- connections.c, for plain.c ---- */

/* A new connection; another's may have had to go. NULL: no memory. */
struct connection *connection_add(struct connections *connections, const struct ev_head *event,
				  bool from_start);
/* Takes plaintext of it, and says through hooks.tap.decide() whose it is as soon as that is known. */
void connection_feed(struct connections *connections, struct connection *connection,
		     const struct ev_head *event, enum ev_dir dir, uint64_t offset,
		     const uint8_t *bytes, size_t len);

/* ---- connections_hear.c ---- */

/* Every call in progress ends with what is known of it: its reader is gone, or is not believed any more. */
void connection_lose_calls(struct connections *connections, struct connection *connection);

/* ---- connections_report.c ---- */

/* Reports what is new of what was read of one connection, and of what no parser made sense of. */
void connection_report(struct connections *connections, struct connection *connection);

#endif

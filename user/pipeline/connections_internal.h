/* SPDX-License-Identifier: Apache-2.0 */
/* What connections.c, which feeds them, and connections_report.c, which says what was read, share. */
#ifndef PIPELINE_CONNECTIONS_INTERNAL_H
#define PIPELINE_CONNECTIONS_INTERNAL_H

#include "base/hash.h"
#include "meter/session.h"
#include "pipeline/pipeline_internal.h"

/* One call in progress on a connection. */
struct item {
	struct item *prev, *next;
	uint64_t exchange;
	uint64_t cgroup;
	uint64_t number;
	uint64_t start_ns;
	uint64_t reported_ns; /* when its cost so far was reported; 0: not yet */
	struct call *call;
};

_Static_assert(EV_HOST_LEN == HTTP_HOST_LEN, "a name from a head fits a connection's");

/* How many connections a cgroup has. */
struct holder {
	UT_hash_handle hh;
	uint64_t cgroup;
	size_t n;
};

/* One TLS connection of one process. */
struct connection {
	UT_hash_handle hh; /* in the order of their first event */
	uint64_t id, ssl;
	struct holder *holder;                     /* of the cgroup that it began in */
	uint64_t seen[2], records[2];              /* plaintext so far, by enum ev_dir */
	uint64_t reported[2], reported_records[2]; /* of these, what plaintext.c knows */
	uint64_t reported_missed[2];
	uint32_t tgid;
	uid_t uid;
	bool is_decided; /* the kernel knows its verdict */
	bool is_ending;
	uint64_t unread; /* plaintext that an ended socket held for it, when so much had been reported: */
	uint64_t unread_at;
	char comm[EV_COMM_LEN];
	char host[EV_HOST_LEN]; /* the SNI, else as its first call names it */
	char *path;             /* of its last call; NULL: none, or no memory */
	uint64_t inherited; /* cookie of the socket that came with it (joined.h); 0: it was not */
	struct conn *conn;  /* NULL: of no interest */
	struct sessions *sessions;
	struct item *items;
	size_t n_items;
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
	struct connection *last;      /* found: events come in runs of one connection */
	uint64_t numbers;             /* of calls, ever */
	uint64_t running_ns;          /* between two reports of one */
	struct heir heirs[HEIRS_MAX]; /* a ring */
	uint64_t n_heirs;             /* ever */
	struct connections_stats stats;
};

/* Reports what is new of what was read of one connection, and of what no parser made sense of. */
void connection_report(struct connections *connections, struct connection *connection);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a reader says of the connections that it reads. It parses bytes of tenants, so it may be a tenant's own by the time that
 * it speaks: a message holds no pointer, and each number and text in it may be a lie. Docs: docs/design/072.
 */
#ifndef READER_MESSAGE_H
#define READER_MESSAGE_H

#include "http/conn.h"
#include "meter/reading.h"

enum message_kind {
	MESSAGE_NAMED = 1, /* the connection had no name, and goes to `host` */
	MESSAGE_PASSED,    /* a request that is no call to be charged */
	MESSAGE_BEGAN,     /* a call begins */
	MESSAGE_SO_FAR,    /* what is known of it so far */
	MESSAGE_OVER,      /* it is over, and not mentioned again */
	MESSAGE_STANDING,  /* how the connection stands: behind all else that an order has led to */
	MESSAGE_KINDS
};

/* The calls that may be in progress on one connection; more are counted and passed over. */
#define MESSAGE_CALLS_MAX 256

struct message_request {
	char host[HTTP_HOST_LEN]; /* as its head claims */
	bool is_post : 1;
};

struct message_begin {
	char path[HTTP_PATH_LEN];
	bool is_inherited : 1; /* its request was not read, and is taken to be like the last one */
	struct reading reading;
};

struct message_standing {
	uint64_t unread_bytes[2]; /* by enum http_side; this and what follows: struct conn_stats */
	uint64_t gaps, gap_bytes, resyncs, bad_encodings;
	uint64_t calls_dropped;
	enum conn_protocol protocol;
	bool is_upgraded : 1;
	bool has_requests : 1; /* one has begun */
};

struct message {
	uint32_t kind; /* enum message_kind */
	uint64_t connection;
	uint64_t call; /* of BEGAN, SO_FAR and OVER: counts the calls of a connection from 1 */
	union {
		char host[HTTP_HOST_LEN];         /* NAMED */
		struct message_request request;   /* PASSED */
		struct message_begin begin;       /* BEGAN */
		struct reading reading;           /* SO_FAR, OVER */
		struct message_standing standing; /* STANDING */
	};
};

/* How many of its bytes a message of this kind has; 0: there is no such kind. */
size_t message_size(uint32_t kind);

/*
 * Whether all of it can be true of a connection about which this is known: the one check between the bytes of a tenant and whoever
 * charges, names and acts. Whether the connection and the call exist is for the table that has them.
 */
bool message_check(const struct message *message, const struct reading_bounds *bounds);

#endif

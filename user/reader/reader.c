/* SPDX-License-Identifier: Apache-2.0 */
#include "reader/reader.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

#include "base/hash.h"
#include "meter/call.h"
#include "meter/session.h"

/* One call in progress on a connection. */
struct open_call {
	struct open_call *prev, *next;
	uint64_t exchange;
	uint64_t number;      /* message.call */
	uint64_t reported_ns; /* when its cost so far was reported; 0: not yet */
	struct call *call;
};

struct stream {
	UT_hash_handle hh;
	uint64_t id;
	char host[HTTP_HOST_LEN]; /* as it was named, else as its first call names it */
	char *path;               /* of its last call ("": none), if it was inherited; else NULL */
	struct conn *conn;
	struct sessions *sessions;
	struct open_call *calls;
	size_t n_calls;
	uint64_t numbers; /* of calls, ever */
	uint64_t calls_dropped;
	bool has_requests;
};

struct reader {
	void (*say)(void *arg, const struct message *message);
	void *arg;
	uint64_t period_ns;
	struct stream *streams;
	struct stream *last; /* found: bytes come in runs of one connection */
	struct message message;
};

struct reader *reader_new(void (*say)(void *arg, const struct message *message), void *arg)
{
	struct reader *reader = calloc(1, sizeof(*reader));

	if (reader) {
		reader->say = say;
		reader->arg = arg;
	}
	return reader;
}

void reader_report(struct reader *reader, uint64_t period_ns)
{
	reader->period_ns = period_ns;
}

static struct stream *stream_find(struct reader *reader, uint64_t id)
{
	if (!reader->last || reader->last->id != id)
		HASH_FIND(hh, reader->streams, &id, sizeof(id), reader->last);
	return reader->last;
}

/* A message that begins; it is all zero but for this. */
static struct message *message_of(struct reader *reader, const struct stream *stream,
				  enum message_kind kind)
{
	reader->message.kind = kind;
	reader->message.connection = stream->id;
	return &reader->message;
}

/* Paths are as they were sent, so nothing of it stays. */
static void say(struct reader *reader)
{
	size_t size = message_size(reader->message.kind);

	reader->say(reader->arg, &reader->message);
	explicit_bzero(&reader->message, size);
}

static void say_call(struct reader *reader, const struct stream *stream,
		     const struct open_call *call, enum message_kind kind)
{
	struct message *message = message_of(reader, stream, kind);

	message->call = call->number;
	message->reading = *call_read(call->call);
	say(reader);
}

/* A WebSocket whose messages nobody knows was not read. */
static void say_standing(struct reader *reader, const struct stream *stream)
{
	struct message *message = message_of(reader, stream, MESSAGE_STANDING);
	struct message_standing *standing = &message->standing;
	struct conn_stats stats;
	uint64_t unread[2];

	conn_stats(stream->conn, &stats);
	sessions_unread(stream->sessions, unread);
	for (int side = 0; side < 2; side++)
		standing->unread_bytes[side] = stats.unread_bytes[side] + unread[side];
	standing->gaps = stats.gaps;
	standing->gap_bytes = stats.gap_bytes;
	standing->resyncs = stats.resyncs;
	standing->bad_encodings = stats.bad_encodings;
	standing->calls_dropped = stream->calls_dropped;
	standing->protocol = conn_protocol(stream->conn);
	standing->is_upgraded = stats.is_upgraded || unread[0] || unread[1];
	standing->has_requests = stream->has_requests;
	say(reader);
}

static void open_call_drop(struct stream *stream, struct open_call *call)
{
	DL_DELETE(stream->calls, call);
	stream->n_calls--;
	call_free(call->call);
	free(call);
}

static void stream_drop(struct reader *reader, struct stream *stream)
{
	while (stream->calls)
		open_call_drop(stream, stream->calls);
	if (reader->last == stream)
		reader->last = NULL;
	HASH_DEL(reader->streams, stream);
	conn_free(stream->conn);
	sessions_free(stream->sessions);
	free(stream->path);
	free(stream);
}

struct reader *reader_free(struct reader *reader)
{
	if (!reader)
		return NULL;
	while (reader->streams)
		stream_drop(reader, reader->streams);
	free(reader);
	return NULL;
}

int reader_begin(struct reader *reader, uint64_t connection, bool from_start)
{
	struct stream *stream = calloc(1, sizeof(*stream));

	if (!stream)
		return -ENOMEM;
	stream->id = connection;
	stream->conn = conn_new(from_start);
	if (stream->conn)
		HASH_ADD(hh, reader->streams, id, sizeof(stream->id), stream);
	if (!stream->conn || !stream->hh.tbl) {
		conn_free(stream->conn);
		free(stream);
		return -ENOMEM;
	}
	return 0;
}

void reader_name(struct reader *reader, uint64_t connection, const char *host, const char *path)
{
	struct stream *stream = stream_find(reader, connection);

	if (!stream || stream->host[0])
		return;
	snprintf(stream->host, sizeof(stream->host), "%s", host);
	stream->path = path ? strdup(path) : NULL;
}

/* It has no name, so what is read of it must be found beside its flow. */
static void take_name(struct reader *reader, struct stream *stream, const char *host)
{
	struct message *message;

	if (stream->host[0] || !*host)
		return;
	snprintf(stream->host, sizeof(stream->host), "%s", host);
	message = message_of(reader, stream, MESSAGE_NAMED);
	memcpy(message->host, stream->host, sizeof(message->host));
	say(reader);
}

/* It names an AI host, if no call yet. */
static void name_by(struct reader *reader, struct stream *stream, const struct http_head *head)
{
	if (api_find(head->host))
		take_name(reader, stream, head->host);
}

/* Telemetry, files, an operation that nobody has heard of: not charged, and not silent. */
static void pass(struct reader *reader, struct stream *stream, const struct http_head *head)
{
	struct message *message;

	name_by(reader, stream, head);
	message = message_of(reader, stream, MESSAGE_PASSED);
	memcpy(message->request.host, head->host, sizeof(message->request.host));
	message->request.is_post = !strcmp(head->method, "POST");
	say(reader);
}

static void say_begin(struct reader *reader, struct stream *stream, const struct open_call *call,
		      const struct http_head *head, bool is_inherited)
{
	struct message *message = message_of(reader, stream, MESSAGE_BEGAN);

	message->call = call->number;
	memcpy(message->begin.path, head->path, sizeof(message->begin.path));
	message->begin.is_inherited = is_inherited;
	message->begin.reading = *call_read(call->call);
	say(reader);
}

/* NULL: it is no call to be charged, or there is no room or memory. */
static struct open_call *begin(struct reader *reader, struct stream *stream,
			       const struct http_piece *piece, uint64_t time_ns, bool is_inherited)
{
	struct open_call *call;

	if (stream->n_calls >= MESSAGE_CALLS_MAX) {
		stream->calls_dropped++;
		return NULL;
	}
	call = calloc(1, sizeof(*call));
	if (call)
		call->call = call_new(piece->head, stream->host, time_ns);
	if (!call || !call->call) {
		free(call);
		pass(reader, stream, piece->head);
		return NULL;
	}
	/* Seen only from its middle on. */
	take_name(reader, stream, piece->head->host);
	if (stream->path) {
		free(stream->path);
		stream->path = strdup(piece->head->path);
	}
	call->exchange = piece->exchange;
	call->number = ++stream->numbers;
	DL_APPEND(stream->calls, call);
	stream->n_calls++;
	say_begin(reader, stream, call, piece->head, is_inherited);
	return call;
}

/* An answer whose request was not read. NULL: nothing is known of that. */
static struct open_call *inherit(struct reader *reader, struct stream *stream,
				 const struct http_piece *answer, uint64_t time_ns)
{
	struct http_head head = { .side = HTTP_REQUEST, .method = "POST" };
	struct http_piece request = {
		.side = HTTP_REQUEST, .exchange = answer->exchange, .type = HTTP_HEAD, .head = &head
	};
	struct open_call *call;

	if (!stream->path || !*stream->path)
		return NULL;
	snprintf(head.host, sizeof(head.host), "%s", stream->host);
	snprintf(head.path, sizeof(head.path), "%s", stream->path);
	call = begin(reader, stream, &request, time_ns, true);
	request = (struct http_piece){ .type = HTTP_END, .side = HTTP_REQUEST };
	if (call)
		call_feed(call->call, &request, time_ns);
	return call;
}

static void report(struct reader *reader, struct stream *stream, struct open_call *call,
		   const struct http_piece *piece, uint64_t now_ns)
{
	/* Before the request has ended its model may not be known. */
	if ((!call->reported_ns && piece->side == HTTP_REQUEST && piece->type != HTTP_END) ||
	    (call->reported_ns && now_ns - call->reported_ns < reader->period_ns))
		return;
	call->reported_ns = now_ns;
	say_call(reader, stream, call, MESSAGE_SO_FAR);
}

static void take(struct reader *reader, struct stream *stream, const struct http_piece *piece,
		 uint64_t time_ns)
{
	struct open_call *call;

	DL_SEARCH_SCALAR(stream->calls, call, exchange, piece->exchange);
	if (!call && piece->type == HTTP_HEAD && piece->side == HTTP_REQUEST) {
		(void)begin(reader, stream, piece, time_ns, false);
		return;
	}
	if (!call && piece->type == HTTP_HEAD)
		call = inherit(reader, stream, piece, time_ns);
	if (!call)
		return;
	call_feed(call->call, piece, time_ns);
	if (!call_is_done(call->call))
		return report(reader, stream, call, piece, time_ns);
	say_call(reader, stream, call, MESSAGE_OVER);
	open_call_drop(stream, call);
}

/* Pulls what the connection has to say. */
static void pull(struct reader *reader, struct stream *stream, uint64_t time_ns)
{
	struct http_piece piece, turn;
	bool begins;

	while (conn_next(stream->conn, &piece)) {
		begins = piece.type == HTTP_HEAD && piece.side == HTTP_REQUEST;
		stream->has_requests |= begins;
		if (!sessions_feed(&stream->sessions, &piece, stream->host)) {
			take(reader, stream, &piece, time_ns);
			continue;
		}
		if (begins)
			name_by(reader, stream, piece.head);
		while (sessions_next(stream->sessions, &turn))
			take(reader, stream, &turn, time_ns);
	}
}

void reader_feed(struct reader *reader, uint64_t connection, enum http_side side, uint64_t offset,
		 const uint8_t *bytes, size_t len, uint64_t time_ns)
{
	struct stream *stream = stream_find(reader, connection);

	if (!stream)
		return;
	conn_feed(stream->conn, side, offset, bytes, len);
	pull(reader, stream, time_ns);
	say_standing(reader, stream);
}

void reader_end(struct reader *reader, uint64_t connection, const uint64_t totals[2],
		uint64_t time_ns)
{
	struct stream *stream = stream_find(reader, connection);

	if (!stream)
		return;
	if (totals) {
		conn_end(stream->conn, totals);
		pull(reader, stream, time_ns);
	}
	while (stream->calls) {
		call_end(stream->calls->call, time_ns);
		say_call(reader, stream, stream->calls, MESSAGE_OVER);
		open_call_drop(stream, stream->calls);
	}
	say_standing(reader, stream);
	stream_drop(reader, stream);
}

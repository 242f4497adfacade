/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The layers of an answer, top to bottom: its form and bytes (answer.c), the events of a stream
 * (answer_events.c) or messages (answer_messages.c), the values in a document (answer_values.c), and usage at other
 * models (answer_extras.c). For these only.
 */
#ifndef USAGE_ANSWER_INTERNAL_H
#define USAGE_ANSWER_INTERNAL_H

#include "usage/answer.h"

/* Takes one event of a stream, or a piece of a long one. */
void answer_event(struct answer *answer, const struct sse_event *event);
/* Takes a piece of a message of Bedrock's event streams. */
void answer_message(struct answer *answer, const struct eventstream_piece *piece);
/* The begin or end of a message of a gRPC answer; arg: the answer. */
void answer_grpc_message(void *arg, enum grpc_edge edge);
/* A document begins; counts_text: its strings are the model's words. */
void answer_begin_parse(struct answer *answer, bool counts_text);
/* Ends a document. True if it contained a count of output, or what is billed instead of one. */
bool answer_end_parse(struct answer *answer);
/*
 * An event of this type has been parsed. told: it contained a count of output. Is that the last one? Claude's message_start
 * has a placeholder, and a message_delta whose stop_reason is null is followed by another with more, for counts are cumulative,
 * or by message_stop. Some gateways leave stop_reason out, which says nothing.
 */
void answer_take_count(struct answer *answer, const char *type, bool told);
/* As a json_sink's `value`; arg: the answer. */
void answer_take_value(void *arg, int id, enum json_kind kind, const char *key, const char *text,
		       bool is_cut);
/* Adds usage of a model ("": the call's own tool's). */
void answer_add_extra(struct answer *answer, const char *model, const struct usage *usage);
/* The begin and end of an attempt, of the usage of an image tool, and of one model's part of a usage. */
void answer_take_iteration(struct answer *answer, enum json_kind kind);
void answer_take_tool_usage(struct answer *answer, enum json_kind kind);
void answer_take_part(struct answer *answer, enum json_kind kind);
/* A JSON document has ended: the body itself, or an event. */
void answer_end_document(struct answer *answer);
/* Ends a line of a batch's results: adds its usage, at its own model. */
void answer_end_line(struct answer *answer);
/* Forgets what was read from the current document. */
void answer_drop_document(struct answer *answer);

#endif

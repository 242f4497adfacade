/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The layers of an answer, top to bottom: its form and bytes (answer.c), the events of a stream
 * (answer_events.c), the values in a document (answer_values.c). For these three only.
 */
#ifndef METER_ANSWER_INTERNAL_H
#define METER_ANSWER_INTERNAL_H

#include "meter/answer.h"

/* Takes one event of a stream. */
void answer_event(struct answer *answer, const struct sse_event *event);
/* As a json_sink's `value`; arg: the answer. */
void answer_take_value(void *arg, int id, enum json_kind kind, const char *key, const char *text,
		       bool is_cut);
/* A JSON document has ended: the body itself, or an event. */
void answer_end_document(struct answer *answer);

#endif

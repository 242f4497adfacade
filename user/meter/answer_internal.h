/* SPDX-License-Identifier: Apache-2.0 */
/* What answer.c and answer_events.c share; nobody else includes it. */
#ifndef METER_ANSWER_INTERNAL_H
#define METER_ANSWER_INTERNAL_H

#include "meter/answer.h"

/* Takes one event of a stream. */
void answer_event(struct answer *answer, const struct sse_event *event);
/* A JSON document has ended: the body itself, or an event. */
void answer_end_document(struct answer *answer);

#endif

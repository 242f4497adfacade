/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What clang's analyzer reads in place of the system's: it does not see that *_REMOVE takes an element out of its
 * list, and reported that freed elements are used. For it the first element is any. See base/hash.h, too.
 */
#include_next <sys/queue.h>

#ifndef ANALYZER_QUEUE_H
#define ANALYZER_QUEUE_H

void *queue_any(void *head);

#undef LIST_FIRST
#define LIST_FIRST(head) ((__typeof__((head)->lh_first))queue_any(head))
#undef LIST_EMPTY
#define LIST_EMPTY(head) (!queue_any(head))
#undef TAILQ_FIRST
#define TAILQ_FIRST(head) ((__typeof__((head)->tqh_first))queue_any(head))
#undef TAILQ_EMPTY
#define TAILQ_EMPTY(head) (!queue_any(head))

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* Threads for what may wait where the loop must not: a disk, a directory service. */
#ifndef BASE_THREAD_H
#define BASE_THREAD_H

#include <pthread.h>

/*
 * Runs fn in a thread that no signal reaches: signals are the loop's. It keeps the privileges that its
 * starter has now. ret NULL: nobody will join it. 0 or -errno.
 */
int thread_start(pthread_t *ret, void *(*fn)(void *arg), void *arg);

#endif

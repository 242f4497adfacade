/* SPDX-License-Identifier: Apache-2.0 */
/* What a function leaves on the stack of the thread that ran it. */
#ifndef UNIT_LEFT_ON_STACK_H
#define UNIT_LEFT_ON_STACK_H

#include "unit.h"

#include <pthread.h>
#include <sys/mman.h>

#define LEFT_STACK_BYTES (256 << 10)

/* By hand: the sanitizer would object to a look at frames that have ended. */
__attribute__((no_sanitize("address"))) static inline bool left_has(const char *bytes, size_t len,
								    const char *marker)
{
	for (size_t i = 0; i < len; i++) {
		size_t n = 0;

		while (marker[n] && i + n < len && bytes[i + n] == marker[n])
			n++;
		if (!marker[n])
			return true;
	}
	return false;
}

/* Runs fn in a thread of its own. Is the marker in that thread's stack when it has ended? */
static inline bool left_on_stack(void *(*fn)(void *arg), void *arg, const char *marker)
{
	pthread_attr_t attr;
	pthread_t thread;
	bool has;
	char *stack = mmap(NULL, LEFT_STACK_BYTES, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(stack, MAP_FAILED);
	assert_int_equal(pthread_attr_init(&attr), 0);
	assert_int_equal(pthread_attr_setstack(&attr, stack, LEFT_STACK_BYTES), 0);
	assert_int_equal(pthread_create(&thread, &attr, fn, arg), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	pthread_attr_destroy(&attr);
	has = left_has(stack, LEFT_STACK_BYTES, marker);
	munmap(stack, LEFT_STACK_BYTES);
	return has;
}

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* Allocation that fails when a test says so: the linker wraps it (Makefile). */
#ifndef UNIT_BASE_FAILING_MEMORY_H
#define UNIT_BASE_FAILING_MEMORY_H

#include "unit.h"

#include "base/hash.h"

/* Enough entries that uthash doubles its 32 buckets (once one has 10), twice. */
#define MANY 640
/* Where filling a table again for each allocation is dear. */
#define SOME 256

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_aligned_alloc(size_t align, size_t size);
void *__real_realloc(void *old, size_t size);
char *__real_strdup(const char *text);
void __real_free(void *at);

static struct {
	bool is_on;
	unsigned long fail_at; /* the first is 1 */
	bool is_lasting;       /* and all that follow it */
	unsigned long n;       /* so far */
	unsigned long failed;
	long live;
} memory;

static inline bool fails(void)
{
	if (!memory.is_on || ++memory.n < memory.fail_at ||
	    (memory.n > memory.fail_at && !memory.is_lasting))
		return false;
	memory.failed++;
	return true;
}

static inline void *given(void *at)
{
	memory.live += at && memory.is_on;
	return at;
}

void *__wrap_malloc(size_t size)
{
	return fails() ? NULL : given(__real_malloc(size));
}

void *__wrap_calloc(size_t n, size_t size)
{
	return fails() ? NULL : given(__real_calloc(n, size));
}

void *__wrap_aligned_alloc(size_t align, size_t size)
{
	return fails() ? NULL : given(__real_aligned_alloc(align, size));
}

void *__wrap_realloc(void *old, size_t size)
{
	if (fails())
		return NULL;
	return old ? __real_realloc(old, size) : given(__real_realloc(old, size));
}

char *__wrap_strdup(const char *text)
{
	return fails() ? NULL : given(__real_strdup(text));
}

void __wrap_free(void *at)
{
	memory.live -= at && memory.is_on;
	__real_free(at);
}

/* The scenario frees all that it makes. Returns how many allocations it makes when none fails. */
static inline unsigned long with_each_failure(void (*scenario)(void))
{
	for (unsigned long at = 1;; at++) {
		memory = (typeof(memory)){ .is_on = true, .fail_at = at };
		scenario();
		memory.is_on = false;
		assert_int_equal(memory.live, 0);
		if (!memory.failed)
			return memory.n;
	}
}

/* The same with all that follow, from each of the first n on. */
static inline void with_all_failures(void (*scenario)(void), unsigned long n)
{
	for (unsigned long at = 1; at <= n; at++) {
		memory = (typeof(memory)){ .is_on = true, .fail_at = at, .is_lasting = true };
		scenario();
		memory.is_on = false;
		assert_int_equal(memory.live, 0);
	}
}

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* The program's own heap, in this program: what is given back is forgotten. */
#include "unit.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#ifdef __SANITIZE_ADDRESS__ /* which has a heap of its own */
int main(void)
{
	return 0;
}
#else
#include "../../../user/base/wiping.c"

#define LEN 4000
#define LINK \
	32 /* the heap's own, at the beginning of a block that is free: malloc.c, tcache_entry */

/* A block that was given back, looked at as the heap's memory that it is. */
static volatile uintptr_t left;

static size_t marks_left(void)
{
	const volatile char *at = (const volatile char *)left;
	size_t n = 0;

	for (size_t i = LINK; i < LEN; i++)
		n += at[i] == 'q';
	return n;
}

static void what_is_freed_is_wiped(void **state)
{
	char *block = malloc(LEN), *behind = malloc(LEN);

	memset(block, 'q', LEN);
	left = (uintptr_t)block;
	assert_int_equal(marks_left(), LEN - LINK);
	free(block);
	assert_int_equal(marks_left(), 0);
	free(behind);
}

static void what_moves_or_shrinks_is_wiped(void **state)
{
	char *block = malloc(LEN), *behind = malloc(LEN), *moved;

	memset(block, 'q', LEN);
	left = (uintptr_t)block;
	moved = realloc(block, LEN - 1000);
	assert_ptr_equal(moved, (void *)left);
	assert_int_equal(marks_left(), LEN - 1000 - LINK);
	moved = realloc(moved, 40 * LEN);
	assert_int_not_equal((uintptr_t)moved, left);
	assert_int_equal(marks_left(), 0);
	for (size_t i = 0; i < LEN - 1000; i++)
		assert_int_equal(moved[i], 'q');
	assert_non_null(moved = realloc(moved, 10));
	assert_int_equal(moved[9], 'q');
	assert_null(realloc(moved, 0));
	free(behind);
	free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_freed_is_wiped),
		cmocka_unit_test(what_moves_or_shrinks_is_wiped),
	};

	return cmocka_run_group_tests_name("wiping", tests, NULL, NULL);
}
#endif

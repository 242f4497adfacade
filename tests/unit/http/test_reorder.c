/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "http/reorder.h"

#define ROOM (4 * REORDER_BYTES)

/* What has come out, and where it jumped. */
struct out {
	struct reorder reorder;
	char text[256];
	size_t len, jumps;
	uint64_t next;
};

static void pull(struct out *out)
{
	struct reorder_piece piece;

	while (reorder_next(&out->reorder, &piece)) {
		assert_true(piece.offset >= out->next);
		assert_true(piece.len > 0);
		out->jumps += piece.offset != out->next;
		out->next = piece.offset + piece.len;
		if (out->len + piece.len < sizeof(out->text))
			memcpy(out->text + out->len, piece.bytes, piece.len);
		out->len += piece.len;
	}
}

/* The bytes come from the heap, so that a sanitizer sees one that is used for too long. */
static void feed(struct out *out, uint64_t offset, const char *text, uint64_t sure)
{
	size_t len = strlen(text);
	uint8_t *copy = malloc(len + 1);

	assert_non_null(copy);
	memcpy(copy, text, len);
	reorder_feed(&out->reorder, offset, copy, len, sure, ROOM);
	pull(out);
	free(copy);
}

static void assert_out(struct out *out, const char *text, size_t jumps)
{
	assert_int_equal(out->len, strlen(text));
	assert_memory_equal(out->text, text, out->len);
	assert_int_equal(out->jumps, jumps);
}

static void what_is_in_order_passes_at_once(void **state)
{
	struct out out = { .len = 0 };

	feed(&out, 0, "one ", 0);
	assert_out(&out, "one ", 0);
	feed(&out, 4, "two ", 4);
	assert_out(&out, "one two ", 0);
	assert_int_equal(out.reorder.n_held, 0);
	reorder_clear(&out.reorder);
}

static void what_comes_early_waits(void **state)
{
	struct out out = { .len = 0 };

	feed(&out, 8, "three ", 0);
	feed(&out, 4, "two ", 0);
	feed(&out, 14, "four", 0);
	assert_out(&out, "", 0);
	assert_int_equal(out.reorder.n_held, 3);
	feed(&out, 0, "one ", 0);
	assert_out(&out, "one two three four", 0);
	assert_int_equal(out.reorder.held_bytes, 0);
	reorder_clear(&out.reorder);
}

static void what_is_repeated_comes_once(void **state)
{
	struct out out = { .len = 0 };

	feed(&out, 0, "one ", 0);
	feed(&out, 0, "one ", 4);
	feed(&out, 8, "three ", 4);
	feed(&out, 8, "three ", 4);
	feed(&out, 10, "ree four", 4);
	feed(&out, 2, "e two th", 4); /* of which there is something old, new and early */
	assert_out(&out, "one two three four", 0);
	feed(&out, 0, "", 4);
	assert_out(&out, "one two three four", 0);
	reorder_clear(&out.reorder);
}

/* TCP has had them, and here they did not come. */
static void what_is_surely_missing_is_not_waited_for(void **state)
{
	struct out out = { .len = 0 };

	feed(&out, 0, "one ", 0);
	feed(&out, 8, "three ", 4);
	assert_out(&out, "one ", 0);
	feed(&out, 14, "four", 14);
	assert_out(&out, "one three four", 1);
	feed(&out, 30, "six", 25);
	assert_out(&out, "one three four", 1);
	feed(&out, 25, "five ", 25);
	assert_out(&out, "one three fourfive six", 2);
	reorder_clear(&out.reorder);
}

static void the_end_gives_out_what_waits(void **state)
{
	struct out out = { .len = 0 };

	feed(&out, 20, "three", 0);
	feed(&out, 10, "two ", 0);
	reorder_end(&out.reorder);
	pull(&out);
	assert_out(&out, "two three", 2);
	reorder_clear(&out.reorder);
}

static void what_finds_no_room_is_passed_on(void **state)
{
	struct out out = { .len = 0 };
	struct reorder_piece piece;
	const uint8_t byte = 'x';

	/* its segments */
	for (uint64_t i = 0; i < REORDER_SEGMENTS; i++)
		reorder_feed(&out.reorder, 10 + 2 * i, &byte, 1, 0, ROOM);
	assert_int_equal(out.reorder.n_held, REORDER_SEGMENTS);
	reorder_feed(&out.reorder, 1 << 20, &byte, 1, 0, ROOM);
	pull(&out);
	assert_int_equal(out.len, REORDER_SEGMENTS + 1);
	assert_int_equal(out.reorder.n_held, 0);
	reorder_clear(&out.reorder);

	/* that of all */
	reorder_feed(&out.reorder, 10, &byte, 1, 0, 0);
	assert_true(reorder_next(&out.reorder, &piece));
	assert_int_equal(piece.offset, 10);
	reorder_clear(&out.reorder);
}

static void it_frees_what_it_holds(void **state)
{
	struct out out = { .len = 0 };

	feed(&out, 8, "three ", 0);
	reorder_clear(&out.reorder);
	assert_int_equal(out.reorder.n_held, 0);
	assert_int_equal(out.reorder.held_bytes, 0);
	reorder_clear(&out.reorder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_in_order_passes_at_once),
		cmocka_unit_test(what_comes_early_waits),
		cmocka_unit_test(what_is_repeated_comes_once),
		cmocka_unit_test(what_is_surely_missing_is_not_waited_for),
		cmocka_unit_test(the_end_gives_out_what_waits),
		cmocka_unit_test(what_finds_no_room_is_passed_on),
		cmocka_unit_test(it_frees_what_it_holds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

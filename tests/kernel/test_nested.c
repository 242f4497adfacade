/* SPDX-License-Identifier: Apache-2.0 */
/* Calls within calls, jumps out of them, and SSL objects that come again. Needs root. */
#include "ssl_calls.h"

#include <errno.h>

static uint64_t nested_ssl;

static void inside_write(void)
{
	int result = toy_result;

	toy_write_n(nested_ssl, "inner", 5);
	toy_result = result;
}

static void follows_a_write_inside_a_read(void **state)
{
	struct fixture *f = *state;
	uint64_t ssl = new_ssl();
	char in[] = "answer";

	toy_name(ssl, "api.openai.com");
	nested_ssl = ssl;
	toy_inside = inside_write;
	toy_read_n(ssl, in, 6);
	seen_read(&f->seen, f->tap);
	assert_int_equal(f->seen.n_bytes[EV_OUT], 5);
	assert_memory_equal(f->seen.bytes[EV_OUT], "inner", 5);
	assert_int_equal(f->seen.n_bytes[EV_IN], 6);
	assert_memory_equal(f->seen.bytes[EV_IN], "answer", 6);
}

static void counts_a_wrapper_and_its_inner_call_once(void **state)
{
	struct fixture *f = *state;
	uint64_t ssl = new_ssl();
	size_t count = 5;

	toy_name(ssl, "api.openai.com");
	nested_ssl = ssl;
	toy_inside = inside_write;
	toy_result = 1;
	toy_write_ex(ssl, "outer", 5, &count);
	seen_read(&f->seen, f->tap);
	assert_int_equal(f->seen.n_of[EV_DATA], 1);
	assert_memory_equal(f->seen.bytes[EV_OUT], "outer", 5);
}

static void follows_tls_inside_tls(void **state)
{
	struct fixture *f = *state;
	uint64_t outer = new_ssl(), bytes[2];

	nested_ssl = new_ssl();
	toy_name(outer, "api.openai.com");
	toy_name(nested_ssl, "api.openai.com");
	toy_inside = inside_write;
	toy_write_n(outer, "outside", 7);
	assert_int_equal(tap_conn_bytes(f->tap, (uint32_t)getpid(), outer, bytes), 0);
	assert_int_equal(bytes[EV_OUT], 7);
	assert_int_equal(tap_conn_bytes(f->tap, (uint32_t)getpid(), nested_ssl, bytes), 0);
	assert_int_equal(bytes[EV_OUT], 5);
	seen_read(&f->seen, f->tap);
	assert_int_equal(f->seen.n_of[EV_DATA], 2);
}

static jmp_buf out;

static void jump_out(void)
{
	longjmp(out, 1);
}

static void outlives_a_jump_out_of_a_call(void **state)
{
	struct fixture *f = *state;
	uint64_t ssl = new_ssl(), other = new_ssl();

	toy_name(ssl, "api.openai.com");
	toy_name(other, "example.com");
	if (!setjmp(out)) {
		toy_inside = jump_out;
		toy_write_n(ssl, "lost", 4);
	}
	/* at the same stack pointer, and nobody's business */
	toy_write_n(other, "other", 5);
	toy_write_n(ssl, "found", 5);
	seen_read(&f->seen, f->tap);
	assert_int_equal(f->seen.n_of[EV_DATA], 1);
	assert_memory_equal(f->seen.bytes[EV_OUT], "found", 5);
}

static void begins_anew_with_a_new_name(void **state)
{
	struct fixture *f = *state;
	uint64_t ssl = new_ssl(), first;

	toy_name(ssl, "api.openai.com");
	toy_name(ssl, "api.openai.com");
	seen_read(&f->seen, f->tap);
	assert_int_equal(f->seen.n, 1);
	first = f->seen.open.head.id;
	toy_write_n(ssl, "abc", 3);
	toy_name(ssl, "api.openai.com");
	toy_write_n(ssl, "de", 2);
	seen_read(&f->seen, f->tap);
	assert_int_equal(f->seen.n_of[EV_CLOSE], 1);
	assert_int_equal(f->seen.close.head.id, first);
	assert_int_equal(f->seen.close.bytes[EV_OUT], 3);
	assert_int_equal(f->seen.n_of[EV_OPEN], 1);
	assert_int_not_equal(f->seen.open.head.id, first);
	assert_int_equal(f->seen.heads[f->seen.n - 1].id, f->seen.open.head.id);
}

static void closes_with_the_final_counts(void **state)
{
	struct fixture *f = *state;
	uint64_t ssl = new_ssl(), bytes[2];
	char in[] = "xy";

	toy_name(ssl, "api.openai.com");
	toy_write_n(ssl, "abc", 3);
	toy_read_n(ssl, in, 2);
	toy_free(ssl);
	seen_read(&f->seen, f->tap);
	assert_int_equal(f->seen.n_of[EV_CLOSE], 1);
	assert_int_equal(f->seen.close.bytes[EV_OUT], 3);
	assert_int_equal(f->seen.close.bytes[EV_IN], 2);
	assert_int_equal(tap_conn_bytes(f->tap, (uint32_t)getpid(), ssl, bytes), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest best[] = {
		BEST(follows_a_write_inside_a_read), BEST(counts_a_wrapper_and_its_inner_call_once),
		BEST(follows_tls_inside_tls),        BEST(outlives_a_jump_out_of_a_call),
		BEST(begins_anew_with_a_new_name),   BEST(closes_with_the_final_counts),
	};
	const struct CMUnitTest perf[] = {
		PERF(follows_a_write_inside_a_read),
		PERF(counts_a_wrapper_and_its_inner_call_once),
	};

	return run_both(best, ARRAY_SIZE(best), perf, ARRAY_SIZE(perf));
}

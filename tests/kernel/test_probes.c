/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The TLS programs on functions of this very program, which have the shape of a TLS library's and
 * do what the test says: counts, pieces, nesting, names, ends. All run over uprobe_multi, and some
 * over perf uprobes; on a kernel before 6.6 all over perf uprobes. Needs root.
 */
#include "ssl_calls.h"

#include <pthread.h>
#include <sys/mman.h>
#include <sys/wait.h>

static char *noise(size_t n)
{
	char *bytes = malloc(n);

	for (size_t i = 0; i < n; i++)
		bytes[i] = (char)(i * 2654435761u >> 13);
	return bytes;
}

static void copies_every_size_exactly(void **state)
{
	static const int sizes[] = { 1,    255,  256,  257,   1023,  1024,  1025,  4095,
				     4096, 4097, 8192, 10000, 16383, 16384, 16385, 1 << 20 };
	struct fixture *f = *state;
	uint64_t ssl = new_ssl(), bytes[2];
	_cleanup_free_ char *sent = noise(2 << 20);
	size_t total = 0;

	toy_name(ssl, "api.openai.com");
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		toy_write_n(ssl, sent + total, sizes[i]);
		total += (size_t)sizes[i];
	}
	seen_read(&f->seen, f->tap);
	assert_int_equal(f->seen.n_of[EV_OPEN], 1);
	assert_string_equal(f->seen.open.host, "api.openai.com");
	assert_int_equal(f->seen.open.verdict, CTL_AI);
	assert_int_equal(f->seen.open.ssl, ssl);
	assert_int_equal(f->seen.n_bytes[EV_OUT], total);
	assert_memory_equal(f->seen.bytes[EV_OUT], sent, total);
	assert_int_equal(f->seen.first_offset[EV_OUT], 0);
	assert_int_equal(f->seen.gap_bytes[EV_OUT], 0);
	assert_int_equal(tap_conn_bytes(f->tap, (uint32_t)getpid(), ssl, bytes), 0);
	assert_int_equal(bytes[EV_OUT], total);
	assert_int_equal(bytes[EV_IN], 0);
}

static void shows_what_is_beyond_a_megabyte_as_a_jump(void **state)
{
	struct fixture *f = *state;
	const size_t bytes = (1 << 20) + 5000 + EV_PIECE_MAX; /* the last piece is told */
	uint64_t ssl = new_ssl(), counters[CTL_COUNTERS], before[CTL_COUNTERS];
	_cleanup_free_ char *sent = noise(bytes);

	assert_int_equal(tap_counters(f->tap, before), 0);
	toy_name(ssl, "api.openai.com");
	toy_write_n(ssl, sent, bytes);
	toy_write_n(ssl, sent, 7);
	seen_read(&f->seen, f->tap);
	assert_int_equal(f->seen.n_bytes[EV_OUT], (1 << 20) + EV_PIECE_MAX + 7);
	assert_int_equal(f->seen.gap_bytes[EV_OUT], 5000);
	assert_int_equal(tap_counters(f->tap, counters), 0);
	assert_int_equal(counters[CTL_CLAMPED_BYTES] - before[CTL_CLAMPED_BYTES], 5000);
}

static void counts_behind_each_kind_of_pointer(void **state)
{
	struct fixture *f = *state;
	uint64_t ssl = new_ssl();
	size_t three = 3, four = 4, five = 5;
	char in[] = "abcde";

	toy_set_host(ssl, "api.openai.com");
	toy_result = 1;
	toy_write_ex(ssl, "one", 100, &three);
	toy_write_ex2(ssl, "more", 100, ~0ull, &four);
	toy_read_ex(ssl, in, 100, &five);
	seen_read(&f->seen, f->tap);
	assert_int_equal(f->seen.n_bytes[EV_OUT], 7);
	assert_memory_equal(f->seen.bytes[EV_OUT], "onemore", 7);
	assert_int_equal(f->seen.n_bytes[EV_IN], 5);
	assert_memory_equal(f->seen.bytes[EV_IN], in, 5);
}

static void counts_nothing_of_a_call_that_failed(void **state)
{
	struct fixture *f = *state;
	uint64_t ssl = new_ssl();
	size_t count = 9;

	toy_name(ssl, "api.openai.com");
	toy_write_n(ssl, "same", -1);
	toy_write_n(ssl, "same", 0);
	toy_result = 0;
	toy_write_ex(ssl, "same", 4, &count);
	toy_write_n(ssl, "same", 4);
	seen_read(&f->seen, f->tap);
	assert_int_equal(f->seen.n_of[EV_DATA], 1);
	assert_int_equal(f->seen.n_bytes[EV_OUT], 4);
	assert_int_equal(f->seen.gap_bytes[EV_OUT], 0);
}

static void says_nothing_of_other_hosts(void **state)
{
	static const char *const others[] = { "example.com", "api.openai.com.evil.org",
					      "xapi.openai.com", "openai.azure.com", "com" };
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		uint64_t ssl = new_ssl();

		toy_name(ssl, others[i]);
		toy_write_n(ssl, "GET / HTTP/1.1\r\n", 16);
		toy_free(ssl);
	}
	seen_read(&f->seen, f->tap);
	assert_int_equal(f->seen.n, 0);
}

static void knows_hosts_by_suffix_and_in_any_case(void **state)
{
	struct fixture *f = *state;
	uint64_t ssl = new_ssl();

	toy_name(ssl, "My-Company.OpenAI.Azure.COM");
	seen_read(&f->seen, f->tap);
	assert_int_equal(f->seen.n_of[EV_OPEN], 1);
	assert_string_equal(f->seen.open.host, "my-company.openai.azure.com");
	assert_int_equal(f->seen.open.verdict, CTL_AI);
}

static void asks_about_a_star_in_the_middle(void **state)
{
	struct fixture *f = *state;
	uint64_t ssl = new_ssl(), other = new_ssl();
	_cleanup_free_ char *sent = noise(100000);

	toy_name(other, "s3.eu-west-1.amazonaws.com");
	seen_read(&f->seen, f->tap);
	assert_int_equal(f->seen.open.verdict, CTL_ASK);
	assert_int_equal(tap_decide(f->tap, f->seen.open.head.id, CTL_IGNORE), 0);
	toy_write_n(other, "PUT /", 5);
	seen_read(&f->seen, f->tap);
	assert_int_equal(f->seen.n, 0);

	toy_name(ssl, "bedrock-runtime.eu-west-1.amazonaws.com");
	seen_read(&f->seen, f->tap);
	assert_int_equal(f->seen.open.verdict, CTL_ASK);
	assert_int_equal(tap_decide(f->tap, f->seen.open.head.id, CTL_AI), 0);
	toy_write_n(ssl, sent, 100000);
	seen_read(&f->seen, f->tap);
	assert_int_equal(f->seen.n_bytes[EV_OUT], 100000);
}

static void leaves_a_server_alone(void **state)
{
	struct fixture *f = *state;
	uint64_t ssl = new_ssl(), late = new_ssl();
	char request[] = "POST /v1/messages HTTP/1.1\r\nHost: api.openai.com\r\n\r\n";

	toy_read_n(ssl, request, sizeof(request) - 1);
	toy_write_n(ssl, "HTTP/1.1 200 OK\r\n\r\n", 19);
	toy_free(ssl);
	toy_write_n(late, "HTTP/1.1 200 OK\r\n\r\n", 19);
	toy_read_n(late, request, sizeof(request) - 1);
	seen_read(&f->seen, f->tap);
	assert_int_equal(f->seen.n, 0);
}

static void looks_at_the_nameless_for_a_while(void **state)
{
	struct fixture *f = *state;
	uint64_t ssl = new_ssl();
	_cleanup_free_ char *sent = noise(40000);

	toy_write_n(ssl, sent, 40000);
	seen_read(&f->seen, f->tap);
	assert_int_equal(f->seen.open.verdict, CTL_UNKNOWN);
	assert_string_equal(f->seen.open.host, "");
	assert_int_equal(f->seen.n_bytes[EV_OUT], 40000);
	toy_write_n(ssl, sent, 40000);
	toy_write_n(ssl, sent, 40000);
	seen_read(&f->seen, f->tap);
	assert_int_equal(f->seen.n_bytes[EV_OUT], 65536 - 40000 + 4096);
	for (int i = 0; i < 47; i++) /* 64 kB + 48 * 4 kB */
		toy_write_n(ssl, sent, 40000);
	seen_read(&f->seen, f->tap);
	assert_int_equal(f->seen.n_bytes[EV_OUT], 47 * 4096);
	/* All is shown. User space has some seconds to claim it. */
	toy_write_n(ssl, sent, 40000);
	seen_read(&f->seen, f->tap);
	assert_int_equal(f->seen.n_bytes[EV_OUT], 0);
	assert_int_equal(f->seen.n_of[EV_CLOSE], 0);
	sleep(7);
	toy_write_n(ssl, sent, 40000);
	seen_read(&f->seen, f->tap);
	assert_int_equal(f->seen.n_bytes[EV_OUT], 0);
	assert_int_equal(f->seen.n_of[EV_CLOSE], 1);
}

/* More than may be shown was sent before user space came to look at it, as when it starts beside a fast client. */
static void a_late_claim_is_in_time(void **state)
{
	struct fixture *f = *state;
	uint64_t ssl = new_ssl();
	_cleanup_free_ char *sent = noise(40000);

	for (int i = 0; i < 60; i++)
		toy_write_n(ssl, sent, 40000);
	seen_read(&f->seen, f->tap);
	assert_int_equal(f->seen.n_of[EV_CLOSE], 0);
	assert_int_equal(tap_decide(f->tap, f->seen.open.head.id, CTL_AI), 0);
	toy_write_n(ssl, sent, 40000);
	seen_read(&f->seen, f->tap);
	assert_int_equal(f->seen.n_bytes[EV_OUT], 40000);
}

/* A first request larger than the look, in one call: the verdict comes after it. */
static void a_nameless_large_request_is_waited_for(void **state)
{
	struct fixture *f = *state;
	uint64_t ssl = new_ssl();
	_cleanup_free_ char *sent = noise(300000);

	toy_write_n(ssl, sent, 300000);
	seen_read(&f->seen, f->tap);
	assert_int_equal(f->seen.n_bytes[EV_OUT], 65536);
	assert_int_equal(f->seen.n_of[EV_CLOSE], 0);
	assert_int_equal(tap_decide(f->tap, f->seen.open.head.id, CTL_AI), 0);
	toy_write_n(ssl, sent, 50000);
	seen_read(&f->seen, f->tap);
	assert_int_equal(f->seen.first_offset[EV_OUT], 300000);
	assert_int_equal(f->seen.n_bytes[EV_OUT], 50000);
}

static void counts_what_cannot_be_read(void **state)
{
	struct fixture *f = *state;
	uint64_t ssl = new_ssl(), before[CTL_COUNTERS], after[CTL_COUNTERS];
	void *page = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_int_equal(tap_counters(f->tap, before), 0);
	toy_name(ssl, "api.openai.com");
	toy_write_n(ssl, page, 100);
	toy_write_n(ssl, "after", 5);
	munmap(page, 4096);
	seen_read(&f->seen, f->tap);
	assert_int_equal(tap_counters(f->tap, after), 0);
	assert_int_equal(after[CTL_READ_FAILED_BYTES] - before[CTL_READ_FAILED_BYTES], 100);
	assert_int_equal(f->seen.first_offset[EV_OUT], 100);
	assert_int_equal(f->seen.n_bytes[EV_OUT], 5);
}

static void *in_a_thread(void *arg)
{
	uint64_t ssl = *(uint64_t *)arg;

	toy_name(ssl, "api.openai.com");
	toy_write_n(ssl, "thread", 6);
	return NULL;
}

/* The filter is for a process: its threads, born before or after, and nobody else. */
static void filters_by_process(void **state)
{
	struct fixture *f = *state;
	uint64_t ssl = new_ssl();
	pthread_t thread;
	pid_t child;

	assert_int_equal(pthread_create(&thread, NULL, in_a_thread, &ssl), 0);
	pthread_join(thread, NULL);
	child = fork();
	if (!child) {
		in_a_thread(&ssl);
		_exit(0);
	}
	assert_int_equal(waitpid(child, NULL, 0), child);
	f->seen.tgid = 0;
	seen_read(&f->seen, f->tap);
	f->seen.tgid = (uint32_t)getpid();
	assert_int_equal(f->seen.n_of[EV_OPEN], 1);
	assert_int_equal(f->seen.open.head.tgid, getpid());
	assert_int_equal(f->seen.n_bytes[EV_OUT], 6);
}

int main(void)
{
	const struct CMUnitTest best[] = {
		BEST(copies_every_size_exactly),
		BEST(shows_what_is_beyond_a_megabyte_as_a_jump),
		BEST(counts_behind_each_kind_of_pointer),
		BEST(counts_nothing_of_a_call_that_failed),
		BEST(says_nothing_of_other_hosts),
		BEST(knows_hosts_by_suffix_and_in_any_case),
		BEST(asks_about_a_star_in_the_middle),
		BEST(leaves_a_server_alone),
		BEST(looks_at_the_nameless_for_a_while),
		BEST(a_late_claim_is_in_time),
		BEST(a_nameless_large_request_is_waited_for),
		BEST(counts_what_cannot_be_read),
		BEST(filters_by_process),
	};
	const struct CMUnitTest perf[] = {
		PERF(counts_behind_each_kind_of_pointer),
		PERF(filters_by_process),
	};

	return run_both(best, ARRAY_SIZE(best), perf, ARRAY_SIZE(perf));
}

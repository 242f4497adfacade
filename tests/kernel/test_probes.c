/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The TLS programs on functions of this very program, which have the shape of a TLS library's and
 * do what the test says: counts, pieces, nesting, names, ends. All run over uprobe_multi, and some
 * over perf uprobes; on a kernel before 6.6 all over perf uprobes. Needs root.
 */
#include "toy.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "who/who.h"

struct fixture {
	struct tap *tap;
	struct tap_probes *probes;
	struct seen seen;
	struct tap_config config;
	char cgroup_root[128];
};

static struct fixture *start(bool is_perf, size_t ring_bytes)
{
	struct fixture *f = calloc(1, sizeof(*f));
	char *error = NULL;

	assert_int_equal(who_cgroup_mount(f->cgroup_root, sizeof(f->cgroup_root)), 0);
	f->config = (struct tap_config){ .cgroup_root = f->cgroup_root,
					 .ring_bytes = ring_bytes,
					 .perf_uprobes = is_perf };
	if (tap_new(&f->tap, &f->config, &error))
		fail_msg("%s", error);
	assert_int_equal(tap_add_host(f->tap, "api.openai.com"), 0);
	assert_int_equal(tap_add_host(f->tap, "*.openai.azure.com"), 0);
	assert_int_equal(tap_add_host(f->tap, "bedrock-runtime.*.amazonaws.com"), 0);
	f->seen.tgid = (uint32_t)getpid();
	return f;
}

static void stop(struct fixture *f)
{
	tap_detach(f->probes);
	tap_free(f->tap);
	free(f->seen.bytes[0]);
	free(f->seen.bytes[1]);
	free(f);
}

static bool has_multi;

static int setup_best(void **state)
{
	struct fixture *f = start(!has_multi, 4u << 20);

	f->probes = toy_attach(f->tap, getpid());
	*state = f;
	return 0;
}

static int setup_perf(void **state)
{
	struct fixture *f = start(true, 4u << 20);

	f->probes = toy_attach(f->tap, getpid());
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	stop(*state);
	return 0;
}

/* Each test has SSL addresses of its own. */
static uint64_t new_ssl(void)
{
	static uint64_t last = 0x7000;

	return last += 0x100;
}

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
	assert_int_equal(f->seen.n_of[EV_CLOSE], 1);
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

#define BEST(test) cmocka_unit_test_setup_teardown(test, setup_best, teardown)
#define PERF(test) cmocka_unit_test_setup_teardown(test, setup_perf, teardown)

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
		BEST(a_nameless_large_request_is_waited_for),
		BEST(follows_a_write_inside_a_read),
		BEST(counts_a_wrapper_and_its_inner_call_once),
		BEST(follows_tls_inside_tls),
		BEST(outlives_a_jump_out_of_a_call),
		BEST(begins_anew_with_a_new_name),
		BEST(closes_with_the_final_counts),
		BEST(counts_what_cannot_be_read),
		BEST(filters_by_process),
	};
	/* The programs are the same: only what the way of attaching could change. */
	const struct CMUnitTest perf[] = {
		PERF(counts_behind_each_kind_of_pointer),
		PERF(follows_a_write_inside_a_read),
		PERF(counts_a_wrapper_and_its_inner_call_once),
		PERF(filters_by_process),
	};
	struct tap_features features;
	int failed;

	tap_probe_features(&features);
	has_multi = features.has_uprobe_multi;
	if (!has_multi) {
		fprintf(stderr, "note: no uprobe_multi here, everything over perf uprobes\n");
		return cmocka_run_group_tests_name("perf uprobes", best, NULL, NULL);
	}
	failed = cmocka_run_group_tests_name("uprobe_multi", best, NULL, NULL);
	return failed + cmocka_run_group_tests_name("perf uprobes", perf, NULL, NULL);
}

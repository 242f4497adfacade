/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TLS code without symbols, in programs compiled here from tests/data/find/anchors.c: with and without unwind
 * tables, relocated or not, with both ways of calling the error function. What the compiler made is read back
 * with nm; what is searched is the program as it is, for its symbols are not looked at.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "find/anchor/sites.h"
#include "find/compiled.h"
#include "find/stack.h"

static bool build_go(const char *flags)
{
	char command[1024];

	if (system("go version >/dev/null 2>&1"))
		return false;
	snprintf(command, sizeof(command),
		 "cd tests/integration/clients && HOME=%s GOCACHE=%s/cache GO111MODULE=off GOFLAGS= "
		 "go build %s -o %s client.go",
		 folder, folder, flags, program);
	run(command);
	return true;
}

static void finds_boringssl_in_every_kind_of_program(void **state)
{
	static const char *const calls[] = { "", "-DDROPPED", "-DSHIFT=120" };
	struct anchors anchors;

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		for (size_t k = 0; k < ARRAY_SIZE(calls); k++) {
			char flags[256];

			snprintf(flags, sizeof(flags), "%s %s -DSTACK_BORINGSSL", kinds[i],
				 calls[k]);
			compile(flags);
			assert_int_equal(search(&anchors), 0);
			if (!anchors.stacks[ANCHOR_BORINGSSL].is_proven)
				fail_msg("%s: %s", flags, anchors.stacks[ANCHOR_BORINGSSL].why);
			expect_found(&anchors, ANCHOR_SSL_WRITE, "SSL_write");
			expect_found(&anchors, ANCHOR_SSL_READ, "SSL_read");
			expect_found(&anchors, ANCHOR_SET_HOST, "SSL_set_tlsext_host_name");
			assert_false(anchors.stacks[ANCHOR_AWSLC].is_proven);
		}
}

static void finds_the_same_where_nothing_is_left_but_program_headers(void **state)
{
	struct anchors whole, stripped;
	char command[1024];

	compile("-O2 -fPIE -pie -DSTACK_BORINGSSL");
	assert_int_equal(search(&whole), 0);
	snprintf(command, sizeof(command),
		 "strip %s && objcopy --strip-section-headers %s 2>/dev/null || true", program,
		 program);
	run(command);
	assert_int_equal(search(&stripped), 0);
	assert_true(stripped.stacks[ANCHOR_BORINGSSL].is_proven);
	assert_memory_equal(whole.functions, stripped.functions, sizeof(whole.functions));
}

static void takes_no_start_that_nobody_calls_without_a_table(void **state)
{
	struct anchors anchors;

	expect_refused(
		"-O2 -fPIE -pie -fno-asynchronous-unwind-tables -DNO_CALLERS -DSTACK_BORINGSSL",
		ANCHOR_BORINGSSL);
	compile("-O2 -fPIE -pie -DNO_CALLERS -DSTACK_BORINGSSL"); /* the table says it */
	assert_int_equal(search(&anchors), 0);
	assert_true(anchors.stacks[ANCHOR_BORINGSSL].is_proven);
}

/*
 * A function that starts with no known prologue: the start of its neighbour, which is one, is aligned and
 * called, too, and from there decoding runs through.
 */
static void takes_no_neighbours_start(void **state)
{
	static const char *const levels[] = { "-O1", "-O2", "-O3", "-Os" };

	for (size_t i = 0; i < ARRAY_SIZE(levels); i++) {
		struct anchors anchors;
		char flags[256];

		snprintf(flags, sizeof(flags),
			 "%s -no-pie -fno-pie -fno-asynchronous-unwind-tables -DSTACK_BORINGSSL",
			 levels[i]);
		compile(flags);
		assert_int_equal(search(&anchors), 0);
		if (anchors.functions[ANCHOR_SSL_WRITE].addr)
			expect_found(&anchors, ANCHOR_SSL_WRITE, "SSL_write");
		if (anchors.functions[ANCHOR_SSL_READ].addr)
			expect_found(&anchors, ANCHOR_SSL_READ, "SSL_read");
		if (anchors.functions[ANCHOR_SET_HOST].addr)
			expect_found(&anchors, ANCHOR_SET_HOST, "SSL_set_tlsext_host_name");
	}
}

static void takes_none_of_two_that_look_alike(void **state)
{
	expect_refused("-O2 -fPIE -pie -DTWICE -DSTACK_BORINGSSL", ANCHOR_BORINGSSL);
}

static void finds_the_aead_of_aws_lc(void **state)
{
	struct anchors anchors;

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		char flags[256];

		snprintf(flags, sizeof(flags), "%s -DSTACK_AWSLC", kinds[i]);
		compile(flags);
		assert_int_equal(search(&anchors), 0);
		/* gcc puts a test in front of the prologue here, which no start without a table is known by */
		if (strstr(flags, "-fno-asynchronous") && !anchors.stacks[ANCHOR_AWSLC].is_proven)
			continue;
		if (!anchors.stacks[ANCHOR_AWSLC].is_proven)
			fail_msg("%s: %s", flags, anchors.stacks[ANCHOR_AWSLC].why);
		expect_found(&anchors, ANCHOR_AEAD_SEAL, "EVP_AEAD_CTX_seal");
		expect_found(&anchors, ANCHOR_AEAD_OPEN, "EVP_AEAD_CTX_open");
		expect_found(&anchors, ANCHOR_AEAD_INIT_DIRECTION,
			     "EVP_AEAD_CTX_init_with_direction");
		assert_int_equal(anchors.functions[ANCHOR_AEAD_INIT].addr, 0);
	}
}

static void finds_openssl_and_the_arguments_of_its_version(void **state)
{
	struct anchors anchors;

	compile("-O2 -fPIE -pie -DSTACK_OPENSSL -DFLAGS -DVERSION='\"3.5.1\"'");
	assert_int_equal(search(&anchors), 0);
	assert_true(anchors.stacks[ANCHOR_OPENSSL].is_proven);
	assert_true(anchors.has_write_flags);
	expect_found(&anchors, ANCHOR_WRITE_INTERNAL, "ssl_write_internal");
	expect_found(&anchors, ANCHOR_READ_INTERNAL, "ssl_read_internal");
	expect_found(&anchors, ANCHOR_CTRL, "ssl3_ctrl");
	compile("-O2 -no-pie -fno-pie -DSTACK_OPENSSL -DVERSION='\"3.0.16\"'");
	assert_int_equal(search(&anchors), 0);
	assert_true(anchors.stacks[ANCHOR_OPENSSL].is_proven);
	assert_false(anchors.has_write_flags);
	expect_found(&anchors, ANCHOR_WRITE_INTERNAL, "ssl_write_internal");
}

/* In a library that has symbols, the two ways of finding must come to the same place. */
static void finds_in_libssl_what_its_symbols_lead_to(void **state)
{
	_cleanup_close_ int fd = open("/usr/lib/x86_64-linux-gnu/libssl.so.3", O_RDONLY | O_CLOEXEC);
	struct anchors anchors;
	struct sites sites;

	if (fd < 0)
		skip();
	assert_int_equal(sites_find(fd, false, &sites), 0);
	assert_int_equal(anchors_find(fd, NULL, &anchors), 0);
	assert_int_equal(anchors.functions[ANCHOR_WRITE_INTERNAL].addr, sites.write_worker);
	assert_int_equal(anchors.functions[ANCHOR_READ_INTERNAL].addr, sites.read_worker);
	/* its version stands in libcrypto: without, the arguments are not known for sure */
	assert_false(anchors.stacks[ANCHOR_OPENSSL].is_proven);
}

static void explains_a_file(void **state)
{
	struct stack_explanation found;
	_cleanup_close_ int fd = -1;

	compile("-O2 -fPIE -pie -DSTACK_BORINGSSL");
	fd = open(program, O_RDONLY | O_CLOEXEC);
	assert_int_equal(stack_explain(fd, false, &found), 0);
	assert_string_equal(found.sites.flavour, "boringssl");
	assert_string_equal(found.brief, "symbols");
	close(take_fd(fd));
	if (!build_go("-ldflags='-s -w'"))
		skip();
	fd = open(program, O_RDONLY | O_CLOEXEC);
	assert_int_equal(stack_explain(fd, false, &found), 0);
	assert_string_equal(found.sites.flavour, "go");
	assert_string_equal(found.brief, "anchors, start by unwind table");
	assert_int_equal(found.sites.n, 11);
	close(take_fd(fd));
	fd = open("/bin/true", O_RDONLY | O_CLOEXEC);
	assert_int_equal(stack_explain(fd, false, &found), -ENOENT);
}

static void takes_no_openssl_whose_version_and_calls_disagree(void **state)
{
	expect_refused("-O2 -fPIE -pie -DSTACK_OPENSSL -DFLAGS -DVERSION='\"3.0.16\"'",
		       ANCHOR_OPENSSL);
	expect_refused("-O2 -fPIE -pie -DSTACK_OPENSSL -DVERSION='\"3.5.0\"'", ANCHOR_OPENSSL);
	expect_refused("-O2 -fPIE -pie -DSTACK_OPENSSL -DVERSION='\"4.x\"'", ANCHOR_OPENSSL);
}

/* What one probe sees: where it lies, and that by_instruction asks for returns. */
static void places_probes_on_what_was_found(void **state)
{
	struct anchors anchors;
	struct sites sites;
	_cleanup_close_ int fd = -1;

	compile("-O2 -fPIE -pie -DSTACK_BORINGSSL");
	fd = open(program, O_RDONLY | O_CLOEXEC);
	assert_int_equal(anchors_find(fd, NULL, &anchors), 0);
	assert_int_equal(anchors_sites(&anchors, fd, false, &sites), 0);
	assert_string_equal(sites.flavour, "boringssl");
	assert_int_equal(sites.n, 3);
	assert_int_equal(sites.at[0].role, TAP_WRITE);
	assert_int_equal(sites.at[1].role, TAP_READ);
	assert_int_equal(sites.at[2].role, TAP_SET_HOST);
	assert_int_equal(anchors_sites(&anchors, fd, true, &sites), 0);
	assert_true(sites.n >= 5);
}

static void finds_go_by_its_function_table(void **state)
{
	static const char *const flags[] = { "", "-buildmode=pie" };
	char command[512];

	for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
		struct anchors anchors, stripped;
		struct sites sites;

		if (!build_go(flags[i]))
			skip();
		assert_int_equal(search(&anchors), 0);
		assert_true(anchors.stacks[ANCHOR_GO].is_proven);
		expect_found(&anchors, ANCHOR_GO_WRITE, "crypto/tls.(*Conn).Write");
		expect_found(&anchors, ANCHOR_GO_READ, "crypto/tls.(*Conn).Read");
		expect_found(&anchors, ANCHOR_GO_CLOSE, "crypto/tls.(*Conn).Close");
		expect_found(&anchors, ANCHOR_GO_RECORD, "crypto/tls.(*Conn).write");
		assert_int_equal(anchors.n_go_returns, 7);
		assert_true(anchors.functions[ANCHOR_GO_WRITE].probe >
			    anchors.functions[ANCHOR_GO_WRITE].addr);
		snprintf(command, sizeof(command), "strip %s", program);
		run(command);
		assert_int_equal(search(&stripped), 0);
		assert_memory_equal(&anchors, &stripped, sizeof(anchors));
		_cleanup_close_ int fd = open(program, O_RDONLY | O_CLOEXEC);

		assert_int_equal(stack_find(fd, true, STACK_ANCHORS, NULL, &sites), 0);
		assert_string_equal(sites.flavour, "go");
		assert_int_equal(sites.n, 4 + 7);
	}
}

static void asks_for_a_deeper_look_only_where_there_is_code(void **state)
{
	struct sites sites;
	_cleanup_close_ int small = -1, big = -1;

	compile("-O2 -fPIE -pie -DSTACK_BORINGSSL");
	small = open(program, O_RDONLY | O_CLOEXEC);
	assert_int_equal(stack_find(small, false, STACK_SYMBOLS, NULL, &sites),
			 0); /* its symbols are not stripped */
	compile("-O2 -fPIE -pie -s -DSTACK_BORINGSSL");
	close(take_fd(small));
	small = open(program, O_RDONLY | O_CLOEXEC);
	assert_int_equal(stack_find(small, false, STACK_SYMBOLS, NULL, &sites), -ENOENT);
	if (!build_go("-ldflags='-s -w'"))
		skip();
	big = open(program, O_RDONLY | O_CLOEXEC);
	assert_int_equal(stack_find(big, false, STACK_SYMBOLS, NULL, &sites), -EAGAIN);
	assert_int_equal(stack_find(big, false, STACK_ANCHORS, NULL, &sites), 0);
}

static void says_what_it_found(void **state)
{
	struct anchors anchors;
	char text[512];

	compile("-O2 -fPIE -pie -DSTACK_BORINGSSL");
	assert_int_equal(search(&anchors), 0);
	stack_describe(&anchors, text, sizeof(text));
	assert_non_null(strstr(text, "boringssl; SSL_write at 0x"));
	assert_non_null(strstr(text, "by 4 marks, start by unwind table"));
	expect_refused("-O2 -fPIE -pie -DTWICE -DSTACK_BORINGSSL", ANCHOR_BORINGSSL);
	assert_int_equal(search(&anchors), 0);
	stack_describe(&anchors, text, sizeof(text));
	assert_string_equal(text, "boringssl: SSL_write was not found with proof");
	stack_describe(&anchors, text, 8); /* cut, and ended */
	assert_true(strlen(text) < 8);
}

/* Overwrites the one file of the cache from `at` on. */
static void spoil(const char *cache, long at, uint64_t value)
{
	_cleanup_fclose_ FILE *file = NULL;
	char pattern[400];
	glob_t found;

	snprintf(pattern, sizeof(pattern), "%s/*.places", cache);
	assert_int_equal(glob(pattern, 0, NULL, &found), 0);
	file = fopen(found.gl_pathv[0], "r+e");
	globfree(&found);
	assert_non_null(file);
	assert_int_equal(fseek(file, at, SEEK_SET), 0);
	assert_int_equal(fwrite(&value, sizeof(value), 1, file), 1);
}

/* What is remembered saves reading; it proves nothing, whatever stands in it. */
static void remembers_where_to_look(void **state)
{
	struct anchors fresh, again;
	char cache[300];

	snprintf(cache, sizeof(cache), "%s/searches", folder);
	compile("-O2 -fPIE -pie -DSTACK_BORINGSSL");
	expect_remembered(cache, ANCHOR_BORINGSSL, &fresh);
	/* the places follow 9 numbers, addresses first; then it is searched anew, and written anew */
	for (long at = 0; at < 9 * 8 + 160; at += 8) {
		spoil(cache, at, 0x1234567890abcdefULL);
		assert_int_equal(search_remembered(cache, &again), 0);
		assert_memory_equal(&fresh, &again, sizeof(fresh));
	}
	compile("-O2 -fPIE -pie -DSHIFT=120 -DDROPPED -DSTACK_BORINGSSL"); /* another file of that name */
	assert_int_equal(search_remembered(cache, &again), 0);
	expect_found(&again, ANCHOR_SSL_WRITE, "SSL_write");
	assert_int_equal(search_remembered("/proc/nowhere", &again), 0);
	expect_found(&again, ANCHOR_SSL_WRITE, "SSL_write");
}

/* Cut anywhere, it is an error or nothing, and never an address outside. */
static void survives_a_file_that_is_cut(void **state)
{
	_cleanup_close_ int fd = memfd_create("cut", MFD_CLOEXEC), whole = -1;
	_cleanup_free_ char *bytes = NULL;
	struct stat st;

	compile("-O2 -fPIE -pie -DSTACK_BORINGSSL");
	whole = open(program, O_RDONLY | O_CLOEXEC);
	assert_int_equal(fstat(whole, &st), 0);
	bytes = malloc((size_t)st.st_size);
	assert_int_equal(read(whole, bytes, (size_t)st.st_size), st.st_size);
	for (off_t size = 0; size < st.st_size; size += 211) {
		struct anchors anchors;

		assert_int_equal(ftruncate(fd, 0), 0);
		assert_int_equal(pwrite(fd, bytes, (size_t)size, 0), size);
		if (anchors_find(fd, NULL, &anchors))
			continue;
		for (int i = 0; i < ANCHOR_FUNCTIONS; i++)
			assert_true(anchors.functions[i].addr < (uint64_t)st.st_size + 0x10000);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_boringssl_in_every_kind_of_program),
		cmocka_unit_test(finds_the_same_where_nothing_is_left_but_program_headers),
		cmocka_unit_test(takes_no_start_that_nobody_calls_without_a_table),
		cmocka_unit_test(takes_no_neighbours_start),
		cmocka_unit_test(takes_none_of_two_that_look_alike),
		cmocka_unit_test(finds_the_aead_of_aws_lc),
		cmocka_unit_test(finds_openssl_and_the_arguments_of_its_version),
		cmocka_unit_test(finds_in_libssl_what_its_symbols_lead_to),
		cmocka_unit_test(explains_a_file),
		cmocka_unit_test(takes_no_openssl_whose_version_and_calls_disagree),
		cmocka_unit_test(places_probes_on_what_was_found),
		cmocka_unit_test(finds_go_by_its_function_table),
		cmocka_unit_test(asks_for_a_deeper_look_only_where_there_is_code),
		cmocka_unit_test(says_what_it_found),
		cmocka_unit_test(remembers_where_to_look),
		cmocka_unit_test(survives_a_file_that_is_cut),
	};

	return cmocka_run_group_tests(tests, compiled_make_folder, compiled_remove_folder);
}

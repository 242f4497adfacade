/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TLS code without symbols in arm64 programs, compiled here from tests/data/find/anchors.c by clang and lld, which
 * know every machine. Nothing of it is run: what nm says is compared with what is found.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "find/anchor/sites.h"
#include "find/compiled.h"
#include "find/stack.h"

/*
 * A build id in front of the first string would read as a part of it, and a call of what is not there is one of the
 * next instruction.
 */
#define CLANG                                                                     \
	"clang --target=aarch64-linux-gnu -ffreestanding -nostdlib -fuse-ld=lld " \
	"-Wl,--eh-frame-hdr,--build-id=none,--entry=main "                        \
	"-Wl,--defsym=memset=main,--defsym=strlen=main,--defsym=free=main "
#define TABLE    "-fasynchronous-unwind-tables "
#define NO_TABLE "-fno-asynchronous-unwind-tables -fno-unwind-tables "
#define PIE      "-fPIE -pie "
#define NO_PIE   "-fno-pie -no-pie "
#define SIGNED   "-mbranch-protection=standard " /* return addresses */

static const char *const arm64_kinds[] = {
	TABLE PIE "-O2",        TABLE NO_PIE "-O2",
	TABLE PIE SIGNED "-O3", TABLE NO_PIE "-O1",
	TABLE PIE "-Oz",        NO_TABLE PIE "-O2",
	NO_TABLE NO_PIE "-O2",  NO_TABLE PIE SIGNED "-O2",
	NO_TABLE PIE "-Oz",     NO_TABLE NO_PIE "-Oz -fno-omit-frame-pointer",
};

static bool has_table(const char *kind)
{
	return !strncmp(kind, TABLE, strlen(TABLE));
}

static void compile_stack(const char *kind, const char *stack)
{
	char flags[512];

	snprintf(flags, sizeof(flags), "%s %s", kind, stack);
	compile(flags);
}

static void must_be_proven(const struct anchors *anchors, enum anchor_stack stack, const char *kind)
{
	if (!anchors->stacks[stack].is_proven)
		fail_msg("%s: %s", kind, anchors->stacks[stack].why ?: "not there");
}

static void finds_boringssl_in_every_kind_of_program(void **state)
{
	static const char *const calls[] = { "-DSTACK_BORINGSSL", "-DSTACK_BORINGSSL -DDROPPED",
					     "-DSTACK_BORINGSSL -DSHIFT=120" };
	struct anchors anchors;

	for (size_t i = 0; i < ARRAY_SIZE(arm64_kinds); i++)
		for (size_t k = 0; k < ARRAY_SIZE(calls); k++) {
			compile_stack(arm64_kinds[i], calls[k]);
			assert_int_equal(search(&anchors), 0);
			must_be_proven(&anchors, ANCHOR_BORINGSSL, arm64_kinds[i]);
			expect_found(&anchors, ANCHOR_SSL_WRITE, "SSL_write");
			expect_found(&anchors, ANCHOR_SSL_READ, "SSL_read");
			expect_found(&anchors, ANCHOR_SET_HOST, "SSL_set_tlsext_host_name");
		}
}

static void finds_the_aead_of_aws_lc(void **state)
{
	struct anchors anchors;

	for (size_t i = 0; i < ARRAY_SIZE(arm64_kinds); i++) {
		compile_stack(arm64_kinds[i], "-DSTACK_AWSLC");
		assert_int_equal(search(&anchors), 0);
		/* here one of them is only jumped to, which no start without a table is known by */
		if (!has_table(arm64_kinds[i]) && !anchors.stacks[ANCHOR_AWSLC].is_proven)
			continue;
		must_be_proven(&anchors, ANCHOR_AWSLC, arm64_kinds[i]);
		expect_found(&anchors, ANCHOR_AEAD_SEAL, "EVP_AEAD_CTX_seal");
		expect_found(&anchors, ANCHOR_AEAD_OPEN, "EVP_AEAD_CTX_open");
		expect_found(&anchors, ANCHOR_AEAD_INIT_DIRECTION,
			     "EVP_AEAD_CTX_init_with_direction");
	}
}

static void finds_openssl_and_the_arguments_of_its_version(void **state)
{
	struct anchors anchors;

	for (size_t i = 0; i < ARRAY_SIZE(arm64_kinds); i++) {
		compile_stack(arm64_kinds[i], "-DSTACK_OPENSSL -DFLAGS -DVERSION='\"3.5.1\"'");
		assert_int_equal(search(&anchors), 0);
		/* the names were moved into a piece that two functions share */
		if (strstr(arm64_kinds[i], "-Oz") && !anchors.stacks[ANCHOR_OPENSSL].is_proven)
			continue;
		must_be_proven(&anchors, ANCHOR_OPENSSL, arm64_kinds[i]);
		assert_true(anchors.has_write_flags);
		expect_found(&anchors, ANCHOR_WRITE_INTERNAL, "ssl_write_internal");
		expect_found(&anchors, ANCHOR_READ_INTERNAL, "ssl_read_internal");
		expect_found(&anchors, ANCHOR_CTRL, "ssl3_ctrl");
		compile_stack(arm64_kinds[i], "-DSTACK_OPENSSL -DVERSION='\"3.0.16\"'");
		assert_int_equal(search(&anchors), 0);
		must_be_proven(&anchors, ANCHOR_OPENSSL, arm64_kinds[i]);
		assert_false(anchors.has_write_flags);
		expect_found(&anchors, ANCHOR_WRITE_INTERNAL, "ssl_write_internal");
	}
}

static bool has_cipher(const struct anchors *anchors, const char *symbol, bool is_encrypter)
{
	for (size_t i = 0; i < anchors->n_ciphers; i++)
		if (anchors->ciphers[i].function.addr == address_of(symbol))
			return anchors->ciphers[i].is_encrypter == is_encrypter;
	return false;
}

static void finds_rustls_where_there_is_a_table(void **state)
{
	struct anchors anchors;

	for (size_t i = 0; i < ARRAY_SIZE(arm64_kinds); i++) {
		if (!has_table(arm64_kinds[i]))
			continue;
		compile_stack(arm64_kinds[i], "-DSTACK_RUSTLS");
		assert_int_equal(search(&anchors), 0);
		must_be_proven(&anchors, ANCHOR_RUSTLS, arm64_kinds[i]);
		expect_found(&anchors, ANCHOR_RUSTLS_OUTGOING, "encrypt_outgoing");
		assert_int_equal(anchors.n_ciphers, 4);
		assert_true(has_cipher(&anchors, "encrypt13", true));
		assert_true(has_cipher(&anchors, "decrypt13", false));
		assert_true(has_cipher(&anchors, "encrypt12", true));
		assert_true(has_cipher(&anchors, "decrypt12", false));
	}
}

static void takes_no_start_that_nobody_calls_without_a_table(void **state)
{
	struct anchors anchors;

	expect_refused(NO_TABLE PIE "-O2 -DNO_CALLERS -DSTACK_BORINGSSL", ANCHOR_BORINGSSL);
	compile(TABLE PIE "-O2 -DNO_CALLERS -DSTACK_BORINGSSL"); /* the table says it */
	assert_int_equal(search(&anchors), 0);
	assert_true(anchors.stacks[ANCHOR_BORINGSSL].is_proven);
}

static void takes_none_of_two_that_look_alike(void **state)
{
	expect_refused(TABLE PIE "-O2 -DTWICE -DSTACK_BORINGSSL", ANCHOR_BORINGSSL);
	expect_refused(TABLE PIE "-O2 -DTWICE -DSTACK_RUSTLS", ANCHOR_RUSTLS);
	expect_refused(TABLE PIE "-O2 -DNO_PAIR -DSTACK_RUSTLS", ANCHOR_RUSTLS);
}

/* Every level, with and without frames that come late (shrink-wrapping): what is taken is right. */
static void takes_no_neighbours_start(void **state)
{
	static const char *const levels[] = { "-O1", "-O2", "-O3", "-Os", "-Oz" };
	static const char *const ways[] = { "", "-fno-omit-frame-pointer",
					    "-mllvm -enable-shrink-wrap=true" };

	for (size_t i = 0; i < ARRAY_SIZE(levels); i++)
		for (size_t k = 0; k < ARRAY_SIZE(ways); k++) {
			struct anchors anchors;
			char flags[256];

			snprintf(flags, sizeof(flags), NO_TABLE NO_PIE "%s %s -DSTACK_BORINGSSL",
				 levels[i], ways[k]);
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

/* Called or only jumped to: the function in front of it is not taken for it. */
static void takes_no_function_that_jumps_to_it(void **state)
{
	static const char *const ways[] = { "", "-Wa,-defsym,CALLED=1", "-Wa,-defsym,FRAMELESS=1",
					    "-Wa,-defsym,FRAMELESS=1 -Wa,-defsym,CALLED=1" };

	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		struct anchors anchors;
		char command[1024];

		snprintf(command, sizeof(command), CLANG "-w %s -o %s tests/data/find/neighbour.s",
			 ways[i], program);
		run(command);
		assert_int_equal(search(&anchors), 0);
		assert_true(anchors.stacks[ANCHOR_BORINGSSL].is_present);
		if (anchors.stacks[ANCHOR_BORINGSSL].is_proven)
			fail_msg("%s: SSL_write was proven to be at %#llx", ways[i],
				 (unsigned long long)anchors.functions[ANCHOR_SSL_WRITE].addr);
	}
}

static void remembers_where_to_look(void **state)
{
	struct anchors fresh;
	char cache[300];

	snprintf(cache, sizeof(cache), "%s/searches", folder);
	compile(TABLE PIE "-O2 -DSTACK_BORINGSSL");
	expect_remembered(cache, ANCHOR_BORINGSSL, &fresh);
	compile(TABLE PIE "-Oz -DSTACK_AWSLC");
	expect_remembered(cache, ANCHOR_AWSLC, &fresh);
}

static void finds_go_by_its_function_table(void **state)
{
	static const char *const modes[] = { "", "-buildmode=pie" };

	if (system("go version >/dev/null 2>&1"))
		skip();
	for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
		struct anchors anchors, stripped;
		struct sites sites;
		char command[1024];
		_cleanup_close_ int fd = -1;

		snprintf(command, sizeof(command),
			 "cd tests/integration/clients && HOME=%s GOCACHE=%s/cache GO111MODULE=off GOFLAGS= "
			 "GOARCH=arm64 CGO_ENABLED=0 go build %s -o %s client.go",
			 folder, folder, modes[i], program);
		run(command);
		assert_int_equal(search(&anchors), 0);
		must_be_proven(&anchors, ANCHOR_GO, "go");
		expect_found(&anchors, ANCHOR_GO_WRITE, "crypto/tls.(*Conn).Write");
		expect_found(&anchors, ANCHOR_GO_READ, "crypto/tls.(*Conn).Read");
		expect_found(&anchors, ANCHOR_GO_CLOSE, "crypto/tls.(*Conn).Close");
		expect_found(&anchors, ANCHOR_GO_RECORD, "crypto/tls.(*Conn).write");
		assert_true(anchors.n_go_returns > 2);
		assert_true(anchors.functions[ANCHOR_GO_WRITE].probe >
			    anchors.functions[ANCHOR_GO_WRITE].addr);
		snprintf(command, sizeof(command), "llvm-strip %s", program);
		run(command);
		assert_int_equal(search(&stripped), 0);
		assert_memory_equal(&anchors, &stripped, sizeof(anchors));
		fd = open(program, O_RDONLY | O_CLOEXEC);
		assert_int_equal(anchors_sites(&anchors, fd, false, &sites), 0);
		assert_string_equal(sites.flavour, "go");
		assert_int_equal(sites.n, 4 + anchors.n_go_returns);
	}
}

/* It is told of, and neither of its functions nor of its symbols comes a place for a probe. */
static void is_explained_and_never_probed(void **state)
{
	struct stack_explanation found;
	struct sites sites;
	_cleanup_close_ int fd = -1;

	if (machine_is_here(&machine_arm64))
		skip();
	compile(TABLE PIE "-O2 -DSTACK_BORINGSSL");
	fd = open(program, O_RDONLY | O_CLOEXEC);
	assert_int_equal(stack_find(fd, false, STACK_SYMBOLS, NULL, &sites), -ENOEXEC);
	assert_int_equal(stack_find(fd, false, STACK_ANCHORS, NULL, &sites), -ENOEXEC);
	assert_int_equal(stack_explain(fd, false, &found), 0);
	assert_int_equal(found.machine, machine_arm64.elf);
	assert_string_equal(found.sites.flavour, "boringssl");
	assert_string_equal(found.brief, "symbols");
}

static void survives_a_file_that_is_cut(void **state)
{
	_cleanup_close_ int fd = memfd_create("cut", MFD_CLOEXEC), whole = -1;
	_cleanup_free_ char *bytes = NULL;
	struct stat st;

	compile(TABLE PIE "-O2 -DSTACK_BORINGSSL");
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
			assert_true(anchors.functions[i].addr < (uint64_t)st.st_size + 0x100000);
	}
}

static int make_compiler(void **state)
{
	foreign_compiler = CLANG;
	return compiled_make_folder(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_boringssl_in_every_kind_of_program),
		cmocka_unit_test(finds_the_aead_of_aws_lc),
		cmocka_unit_test(finds_openssl_and_the_arguments_of_its_version),
		cmocka_unit_test(finds_rustls_where_there_is_a_table),
		cmocka_unit_test(takes_no_start_that_nobody_calls_without_a_table),
		cmocka_unit_test(takes_none_of_two_that_look_alike),
		cmocka_unit_test(takes_no_neighbours_start),
		cmocka_unit_test(takes_no_function_that_jumps_to_it),
		cmocka_unit_test(remembers_where_to_look),
		cmocka_unit_test(finds_go_by_its_function_table),
		cmocka_unit_test(is_explained_and_never_probed),
		cmocka_unit_test(survives_a_file_that_is_cut),
	};

	return cmocka_run_group_tests(tests, make_compiler, compiled_remove_folder);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the probes go: in this host's OpenSSL and Node, and in libraries compiled here from
 * tests/data/find/shapes.c. What the compiler made is read back with nm, not assumed.
 */
#include "unit.h"

#include "find/elf/disasm.h"
#include "find/elf/site.h"
#include "nm.h"

#define LIBSSL "/usr/lib/x86_64-linux-gnu/libssl.so.3"
#define NODE   "/usr/bin/node"

static char folder[UNIT_FOLDER_LEN];
static char library[256];

static int find_by(const char *path, bool by_instruction, struct sites *ret)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);

	return fd < 0 ? -errno : sites_find(fd, by_instruction, ret);
}

static int find_in(const char *path, struct sites *ret)
{
	return find_by(path, false, ret);
}

static uint64_t offset_in(const char *path, uint64_t addr)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct elf elf;
	uint64_t offset;

	assert_int_equal(elf_open(&elf, fd), 0);
	assert_int_equal(elf_offset(&elf, addr, &offset), 0);
	return offset;
}

static const struct tap_site *site_of(const struct sites *sites, enum tap_role role)
{
	const struct tap_site *found = NULL;

	for (size_t i = 0; i < sites->n; i++)
		if (sites->at[i].role == role) {
			assert_null(found);
			found = &sites->at[i];
		}
	return found;
}

static void compile(const char *shape, const char *flags)
{
	char command[1024];

	snprintf(command, sizeof(command),
		 "%s -shared -fPIC -Wl,-Bsymbolic %s -DSHAPE_%s -o %s "
		 "tests/data/find/shapes.c",
		 getenv("CC") ?: "cc", flags, shape, library);
	assert_int_equal(system(command), 0);
}

static void proves_both_workers_of_libssl(void **state)
{
	struct sites sites;

	if (access(LIBSSL, R_OK))
		skip();
	assert_int_equal(find_in(LIBSSL, &sites), 0);
	assert_string_equal(sites.flavour, "openssl-3");
	assert_int_equal(sites.n, 4);
	assert_int_equal(sites.n_stepped, 0);
	assert_int_equal(site_of(&sites, TAP_WRITE_ARG4)->offset,
			 offset_in(LIBSSL, sites.write_worker));
	assert_int_equal(site_of(&sites, TAP_READ_ARG4)->offset,
			 offset_in(LIBSSL, sites.read_worker));
	/* `test %rdi,%rdi` stands before the `je` of SSL_free in most builds, never after it */
	assert_in_range(site_of(&sites, TAP_FREE)->offset -
				offset_in(LIBSSL, nm_address(LIBSSL, "SSL_free", "-D")),
			0, 8);
	assert_non_null(site_of(&sites, TAP_CTRL));
}

/* Node inlines the workers into the exported functions although their own bodies exist too. */
static void takes_exported_functions_where_workers_are_inlined(void **state)
{
	struct sites sites;
	uint64_t worker;

	if (access(NODE, R_OK) || find_in(NODE, &sites) == -ENOENT)
		skip();
	assert_int_equal(find_in(NODE, &sites), 0);
	worker = nm_address(NODE, "ssl_write_internal", "");
	if (sites.write_worker) {
		assert_int_equal(sites.write_worker, worker);
		return;
	}
	assert_int_equal(site_of(&sites, TAP_WRITE)->offset,
			 offset_in(NODE, nm_address(NODE, "SSL_write", "-D")));
	assert_int_equal(site_of(&sites, TAP_READ_ARG4)->offset,
			 offset_in(NODE, nm_address(NODE, "SSL_read_ex", "-D")));
	assert_int_equal(sites.n_stepped, 0);
}

static void expect_3_3(const char *flags)
{
	struct sites sites;

	compile("OPENSSL_3_3", flags);
	assert_int_equal(find_in(library, &sites), 0);
	assert_string_equal(sites.flavour, "openssl-3.3");
	assert_int_equal(sites.write_worker, nm_address(library, "ssl_write_internal", ""));
	assert_int_equal(sites.read_worker, nm_address(library, "ssl_read_internal", ""));
	assert_non_null(site_of(&sites, TAP_WRITE_ARG5));
	assert_null(site_of(&sites, TAP_WRITE_ARG4));
	assert_non_null(site_of(&sites, TAP_READ_ARG4));
}

static void counts_behind_the_fifth_argument_since_3_3(void **state)
{
	expect_3_3("-O2");
	expect_3_3("-O2 -fcf-protection=full -fstack-protector-strong");
	expect_3_3("-O2 -fno-omit-frame-pointer");
	expect_3_3("-Os -fno-plt");
}

/* Without .symtab nothing can deny a wrong worker; the shape of the calls alone must. */
static void agreement_on_a_helper_is_no_proof(void **state)
{
	static const char *const shapes[] = { "HELPER_FIRST", "SHARED_HELPER" };
	struct sites sites;

	for (size_t i = 0; i < ARRAY_SIZE(shapes); i++) {
		compile(shapes[i], "-O2 -s");
		assert_int_equal(find_in(library, &sites), 0);
		assert_int_equal(sites.write_worker, 0);
		assert_int_equal(sites.read_worker, 0);
		assert_non_null(site_of(&sites, TAP_WRITE));
		assert_non_null(site_of(&sites, TAP_WRITE_ARG4));
		assert_non_null(site_of(&sites, TAP_READ));
		assert_non_null(site_of(&sites, TAP_READ_ARG4));
	}
}

static void knows_boringssl_and_aws_lc(void **state)
{
	struct sites sites;

	compile("BORINGSSL", "-O2");
	assert_int_equal(find_in(library, &sites), 0);
	assert_string_equal(sites.flavour, "boringssl");
	assert_non_null(site_of(&sites, TAP_SET_HOST));
	assert_non_null(site_of(&sites, TAP_WRITE));
	assert_null(site_of(&sites, TAP_WRITE_ARG4));

	compile("AWS_LC", "-O2");
	assert_int_equal(find_in(library, &sites), 0);
	assert_string_equal(sites.flavour, "aws-lc");
	assert_null(site_of(&sites, TAP_WRITE_ARG4));
	assert_null(site_of(&sites, TAP_READ_ARG4));
}

static void finds_nothing_where_nothing_is(void **state)
{
	static const char *const paths[] = {
		"/bin/true", "/usr/lib/x86_64-linux-gnu/libgnutls.so.30",
		"/lib/x86_64-linux-gnu/libc.so.6",
		"/usr/bin/curl", /* imports SSL_write's library, defines nothing */
	};
	struct sites sites;

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++)
		if (!access(paths[i], R_OK))
			assert_int_equal(find_in(paths[i], &sites), -ENOENT);
	assert_int_equal(find_in("/etc/passwd", &sites), -ENOEXEC);
	assert_int_equal(find_in("/dev/null", &sites), -ENOEXEC);
	assert_int_equal(find_in("/tmp", &sites), -ENOEXEC);
}

static void finds_where_openssl_hands_its_records_on(void **state)
{
	const char *path = "/usr/lib/x86_64-linux-gnu/libcrypto.so.3";
	struct sites sites;

	if (access(path, R_OK))
		skip();
	assert_int_equal(find_in(path, &sites), 0);
	assert_true(sites.has_records_only);
	assert_int_equal(sites.n, 1);
	assert_int_equal(sites.at[0].role, TAP_BIO_WRITE);
	assert_int_equal(sites.n_stepped, 0);
}

/* Makes a library of one function of these instructions; where it begins. */
static uint64_t assemble(const char *instructions)
{
	char source[300], command[1024];
	FILE *f;

	snprintf(source, sizeof(source), "%s/spot.S", folder);
	f = fopen(source, "w");
	assert_non_null(f);
	fprintf(f, ".globl spot\n.type spot,@function\nspot:\n%s\n.size spot,.-spot\n",
		instructions);
	fclose(f);
	snprintf(command, sizeof(command), "%s -shared -nostdlib -o %s %s", getenv("CC") ?: "cc",
		 library, source);
	assert_int_equal(system(command), 0);
	unlink(source);
	return nm_address(library, "spot", "");
}

/* The spot chosen in a function of these instructions, relative to its entry. */
static uint64_t spot_in(const char *instructions, bool for_return, bool *ret_stepped)
{
	uint64_t addr = assemble(instructions);
	_cleanup_close_ int fd = -1;
	struct disasm_spot spot;
	struct elf elf;

	fd = open(library, O_RDONLY | O_CLOEXEC);
	assert_int_equal(elf_open(&elf, fd), 0);
	assert_int_equal(disasm_spot(&elf, addr, 0, for_return, &spot), 0);
	*ret_stepped = spot.is_stepped;
	return spot.addr - addr;
}

static void walks_to_what_the_kernel_emulates(void **state)
{
	bool stepped;

	assert_int_equal(spot_in("endbr64\n push %rbp\n ret", true, &stepped), 4);
	assert_false(stepped);
	assert_int_equal(spot_in("endbr64\n mov %rdi,%rax\n push %r15\n ret", true, &stepped), 7);
	assert_false(stepped);
	/* the stack pointer moved: fine for an entry probe, not for a return probe */
	assert_int_equal(spot_in("sub $24,%rsp\n call spot\n ret", false, &stepped), 4);
	assert_false(stepped);
	assert_int_equal(spot_in("sub $24,%rsp\n call spot\n ret", true, &stepped), 0);
	assert_true(stepped);
	/* an argument is gone, also by half of its register */
	assert_int_equal(spot_in("mov %eax,%edx\n push %rbp\n ret", false, &stepped), 0);
	assert_true(stepped);
	assert_int_equal(spot_in("xchg %rsi,%rax\n push %rbp\n ret", false, &stepped), 0);
	assert_true(stepped);
	/* a five-byte nop is passed over */
	assert_int_equal(spot_in(".byte 0x0f,0x1f,0x44,0,0\n push %rbx\n ret", true, &stepped), 5);
	assert_false(stepped);
	/* nothing is found behind a return */
	assert_int_equal(spot_in("mov (%rdi),%eax\n ret\n push %rbx", false, &stepped), 0);
	assert_true(stepped);
}

/* A jump from below to the branch at the top would make each turn of a loop look like an entry. */
static void never_probes_the_head_of_a_loop(void **state)
{
	bool stepped;

	assert_int_equal(spot_in("test %rdi,%rdi\n again: je out\n mov (%rax),%rax\n"
				 "test %rax,%rax\n jmp again\n out: ret",
				 false, &stepped),
			 0);
	assert_true(stepped);
	assert_int_equal(
		spot_in("test %rdi,%rdi\n je out\n mov (%rax),%rax\n out: ret", false, &stepped), 3);
	assert_false(stepped);
}

/* The return instructions of an exported function as objdump reads it, as a set: their sum and count. */
static void sum_returns(const char *path, const char *symbol, uint64_t *sum, size_t *n)
{
	unsigned long long addr;
	char command[512], line[512];
	FILE *objdump;

	snprintf(command, sizeof(command),
		 "objdump -d --no-show-raw-insn --disassemble=%s %s | "
		 "grep -P '\\tret' ",
		 symbol, path);
	objdump = popen(command, "r");
	assert_non_null(objdump);
	while (fgets(line, sizeof(line), objdump)) {
		assert_int_equal(sscanf(line, "%llx:", &addr), 1);
		*sum += offset_in(path, addr);
		(*n)++;
	}
	pclose(objdump);
}

static void expect_every_return(const char *path)
{
	static const char *const names[] = { "SSL_write", "SSL_write_ex", "SSL_write_ex2",
					     "SSL_read", "SSL_read_ex" };
	uint64_t found = 0, expected = 0;
	size_t n_found = 0, n_expected = 0;
	struct sites sites;

	assert_int_equal(find_by(path, true, &sites), 0);
	for (size_t i = 0; i < sites.n; i++) {
		if (sites.at[i].role != TAP_RETURN)
			continue;
		found += sites.at[i].offset;
		n_found++;
	}
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		sum_returns(path, names[i], &expected, &n_expected);
	assert_true(n_found >= 4);
	assert_int_equal(n_found, n_expected);
	assert_int_equal(found, expected);
	assert_non_null(site_of(&sites, TAP_WRITE));
	assert_non_null(site_of(&sites, TAP_WRITE_ARG4));
	assert_non_null(site_of(&sites, TAP_READ));
	assert_non_null(site_of(&sites, TAP_READ_ARG4));
	assert_non_null(site_of(&sites, TAP_FREE));
}

static void finds_every_return_of_the_exported_functions(void **state)
{
	if (!access(LIBSSL, R_OK))
		expect_every_return(LIBSSL);
	if (!access(NODE, R_OK) && !system("nm -D " NODE " | grep -q ' T SSL_write'"))
		expect_every_return(NODE);
	compile("OPENSSL_3_3", "-O2 -fno-optimize-sibling-calls");
	expect_every_return(library);
}

/* -O2 makes jumps of `return ssl_fail(3)` and of a call through the table of methods. */
static void takes_no_function_that_another_returns_for(void **state)
{
	struct sites sites;

	compile("OPENSSL_3_3", "-O2");
	assert_int_equal(find_by(library, true, &sites), -EOPNOTSUPP);
	compile("HELPER_FIRST", "-O2");
	assert_int_equal(find_by(library, true, &sites), -EOPNOTSUPP);
}

/* The ways out of a function of these instructions; -1 where they are not known. */
static int exits_of(const char *instructions, size_t *ret_tails)
{
	uint64_t addr = assemble(instructions);
	_cleanup_close_ int fd = open(library, O_RDONLY | O_CLOEXEC);
	struct disasm_exits exits;
	struct elf elf;
	int err;

	assert_int_equal(elf_open(&elf, fd), 0);
	err = disasm_exits(&elf, addr, nm_address(library, "end", "") - addr, &exits);
	if (err) {
		assert_int_equal(err, -EOPNOTSUPP);
		return -1;
	}
	*ret_tails = exits.n_tails;
	return (int)exits.n_returns;
}

static void knows_every_way_out_or_none(void **state)
{
	size_t tails = 9;

	assert_int_equal(
		exits_of("push %rbp\n je 1f\n pop %rbp\n ret\n 1: pop %rbp\n repz ret\n end:",
			 &tails),
		2);
	assert_int_equal(tails, 0);
	/* to others: the same twice is one */
	assert_int_equal(
		exits_of("test %edi,%edi\n js 2f\n ret\n jmp 2f\n end: nop\n 2: ret", &tails), 1);
	assert_int_equal(tails, 1);
	assert_int_equal(exits_of("jmp 1f\n jmp 2f\n end: 1: nop\n 2: ret", &tails), 0);
	assert_int_equal(tails, 2);
	/* a call through a table comes back, a jump does not */
	assert_int_equal(exits_of("call *(%rax)\n ret\n end:", &tails), 1);
	assert_int_equal(exits_of("call *(%rax)\n jmp *8(%rax)\n ret\n end:", &tails), -1);
	assert_int_equal(exits_of("notrack jmp *%rax\n ret\n end:", &tails), -1);
	/* nobody takes arguments off, or jumps into the middle: this is no C function, or no code */
	assert_int_equal(exits_of("ret $8\n end:", &tails), -1);
	assert_int_equal(exits_of("jmp 1f+1\n 1: mov $0xc3c3c3c3,%eax\n ret\n end:", &tails), -1);
	assert_int_equal(exits_of(".byte 0x06\n ret\n end:", &tails), -1);
	/* runs into the next function */
	assert_int_equal(exits_of("nop\n end: ret", &tails), -1);
	/* the last instruction is cut by the end */
	assert_int_equal(exits_of("ret\n .byte 0xb8\n end: .byte 0,0,0,0\n ret", &tails), -1);
	assert_int_equal(exits_of("ret\n .fill 5000,1,0x90\n end:", &tails), -1);
	assert_int_equal(exits_of(".fill 60,1,0xc3\n end:", &tails), -1);
}

static int make_folder(void **state)
{
	if (unit_folder(folder))
		return -1;
	snprintf(library, sizeof(library), "%s/shape.so", folder);
	return 0;
}

static int remove_folder(void **state)
{
	return unit_remove(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(proves_both_workers_of_libssl),
		cmocka_unit_test(takes_exported_functions_where_workers_are_inlined),
		cmocka_unit_test(counts_behind_the_fifth_argument_since_3_3),
		cmocka_unit_test(walks_to_what_the_kernel_emulates),
		cmocka_unit_test(agreement_on_a_helper_is_no_proof),
		cmocka_unit_test(knows_boringssl_and_aws_lc),
		cmocka_unit_test(finds_nothing_where_nothing_is),
		cmocka_unit_test(finds_where_openssl_hands_its_records_on),
		cmocka_unit_test(never_probes_the_head_of_a_loop),
		cmocka_unit_test(finds_every_return_of_the_exported_functions),
		cmocka_unit_test(takes_no_function_that_another_returns_for),
		cmocka_unit_test(knows_every_way_out_or_none),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}

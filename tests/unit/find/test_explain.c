/* SPDX-License-Identifier: Apache-2.0 */
/* find_explain() of processes that map libraries with, without and with hidden TLS functions. */
#include "fake_tap.h"

#include "find/find.h"
#include "find/elf/site.h"

static char folder[UNIT_FOLDER_LEN], library[64], tails[64], stripped[64], plain[64];
static struct tap tap;

struct told {
	struct find_row rows[8];
	size_t n;
};

static void note(void *arg, const struct find_row *row)
{
	struct told *told = arg;

	assert_true(told->n < ARRAY_SIZE(told->rows));
	told->rows[told->n++] = *row;
}

static struct told told_of(uint32_t tgid, enum find_returns returns)
{
	const struct find_explaining how = { .returns = returns };
	struct told told = { .n = 0 };

	assert_int_equal(find_explain(&how, tgid, note, &told), 0);
	return told;
}

static void sites_of(const char *path, struct sites *ret)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(sites_find(fd, false, ret), 0);
}

struct code {
	uint64_t start, offset;
};

static void note_code(void *arg, const struct procs_map *map)
{
	struct code *code = arg;

	if (map->start == code->start)
		code->offset = map->offset;
}

static uint64_t address_of(uint32_t client, const char *path, uint64_t offset)
{
	struct code code = { .start = fake_address(client, path) };

	assert_int_equal(procs_maps(client, note_code, &code), 0);
	return code.start + offset - code.offset;
}

/*
 * An aigress that runs on this host and probes everyone has probed the client, too: what these tests say
 * of what waits cannot be seen then.
 */
static bool is_anothers(uint32_t client, const char *path)
{
	_cleanup_close_ int mem = -1, file = open(path, O_RDONLY | O_CLOEXEC);
	struct sites sites;
	char name[64];

	snprintf(name, sizeof(name), "/proc/%u/mem", client);
	mem = open(name, O_RDONLY | O_CLOEXEC);
	sites_of(path, &sites);
	for (size_t i = 0; i < sites.n; i++) {
		off_t at = (off_t)address_of(client, path, sites.at[i].offset);
		char here = 0, there = 0;

		if (pread(mem, &here, 1, at) == 1 &&
		    pread(file, &there, 1, (off_t)sites.at[i].offset) == 1 && here != there)
			return true;
	}
	return false;
}

static void a_library_that_is_known_waits(void **state)
{
	uint32_t client = fake_client(&tap, library, "/dev/null");
	struct told told = told_of(client, FIND_RETURN_PROBES);
	struct sites sites;

	sites_of(library, &sites);
	assert_int_equal(told.n, 1);
	assert_int_equal(told.rows[0].tgid, client);
	if (is_anothers(client, library))
		skip();
	assert_int_equal(told.rows[0].reach, FIND_WAITING);
	assert_string_equal(told.rows[0].file, library);
	assert_string_equal(told.rows[0].flavour, "openssl-3.3");
	assert_int_equal(told.rows[0].n_sites, sites.n);
}

/* A probe is seen by the byte that the kernel puts there. */
static void a_breakpoint_in_memory_is_a_probe(void **state)
{
	uint32_t client = fake_client(&tap, library, "/dev/null");
	_cleanup_close_ int mem = -1;
	struct sites sites;
	char path[64];

	sites_of(library, &sites);
	snprintf(path, sizeof(path), "/proc/%u/mem", client);
	mem = open(path, O_RDWR | O_CLOEXEC);
	if (mem < 0)
		skip();
	assert_int_equal(
		pwrite(mem, "\xcc", 1, (off_t)address_of(client, library, sites.at[0].offset)), 1);
	assert_int_equal(told_of(client, FIND_RETURN_PROBES).rows[0].reach, FIND_PROBED);
}

static void returns_that_cannot_be_followed_are_told(void **state)
{
	uint32_t client = fake_client(&tap, tails, "/dev/null");
	enum find_reach by_probes = told_of(client, FIND_RETURN_PROBES).rows[0].reach;
	enum find_reach by_instructions = told_of(client, FIND_RETURN_INSTRUCTIONS).rows[0].reach;

	if (is_anothers(client, tails))
		skip();
	assert_int_equal(by_probes, FIND_WAITING);
	assert_int_equal(by_instructions, FIND_UNFOLLOWED);
}

static void code_without_symbols_is_known_by_its_marks(void **state)
{
	uint32_t client = fake_client(&tap, stripped, "/dev/null");
	struct told told = told_of(client, FIND_RETURN_PROBES);

	assert_int_equal(told.n, 1);
	assert_int_equal(told.rows[0].reach, FIND_STRIPPED);
	assert_string_equal(told.rows[0].file, stripped);
	assert_string_equal(told.rows[0].flavour, "boringssl");
	assert_int_equal(told.rows[0].n_sites, 0);
}

static void a_process_without_tls_is_one_row(void **state)
{
	uint32_t client = fake_client(&tap, stripped, "/dev/null");
	struct told told;

	fake_client_end(&tap, client);
	told = (struct told){ .n = 0 };
	assert_int_equal(find_explain(&(struct find_explaining){}, client, note, &told), -ESRCH);
	assert_int_equal(told.n, 0);
	client = fake_client(&tap, plain, "/dev/null");
	told = told_of(client, FIND_RETURN_PROBES);
	assert_int_equal(told.n, 1);
	assert_int_equal(told.rows[0].reach, FIND_NO_TLS);
	assert_string_equal(told.rows[0].file, "/usr/bin/tail");
}

static void each_reach_has_a_name(void **state)
{
	for (enum find_reach a = FIND_PROBED; a <= FIND_UNFOLLOWED; a++)
		for (enum find_reach b = FIND_PROBED; b < a; b++)
			assert_string_not_equal(find_reach_name(a), find_reach_name(b));
}

static int make_libraries(void **state)
{
	static const char source[] = "#ifdef MARK\n"
				     "__attribute__((used)) static const char mark[] = MARK;\n"
				     "#endif\n"
				     "int f(void) { return 0; }\n";
	char command[512], path[64];

	if (unit_folder(folder))
		return -1;
	snprintf(library, sizeof(library), "%s/libssl.so", folder);
	snprintf(tails, sizeof(tails), "%s/tails.so", folder);
	snprintf(stripped, sizeof(stripped), "%s/stripped.so", folder);
	snprintf(plain, sizeof(plain), "%s/plain.so", folder);
	snprintf(path, sizeof(path), "%s/mark.c", folder);
	fake_library(library, "OPENSSL_3_3", "-O2");
	fake_library(tails, "HELPER_FIRST", "-O2");
	unit_write(path, source, strlen(source));
	snprintf(command, sizeof(command),
		 "cc=%s; $cc -shared -fPIC -s '-DMARK=\"/src/ssl/ssl_lib.cc\"' -o %s %s && "
		 "$cc -shared -fPIC -s -o %s %s",
		 getenv("CC") ?: "cc", stripped, path, plain, path);
	return system(command);
}

static int end_clients(void **state)
{
	fake_clients_end(&tap);
	return 0;
}

static int remove_libraries(void **state)
{
	return unit_remove(folder);
}

#define CLIENTS(test) cmocka_unit_test_teardown(test, end_clients)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CLIENTS(a_library_that_is_known_waits),
		CLIENTS(a_breakpoint_in_memory_is_a_probe),
		CLIENTS(returns_that_cannot_be_followed_are_told),
		CLIENTS(code_without_symbols_is_known_by_its_marks),
		CLIENTS(a_process_without_tls_is_one_row),
		CLIENTS(each_reach_has_a_name),
	};

	return cmocka_run_group_tests(tests, make_libraries, remove_libraries);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* elf.h over real files, over files cut short, and over heads that lie. */
#include "unit.h"

#include <elf.h>
#include <sys/mman.h>

#include "find/elf/elf.h"
#include "find/elf/site.h"

#define LIBSSL "/usr/lib/x86_64-linux-gnu/libssl.so.3"

/* The first bytes of a file as a file of its own. */
static int copy_of(const char *path, size_t size)
{
	_cleanup_close_ int from = open(path, O_RDONLY | O_CLOEXEC);
	int fd = memfd_create("copy", MFD_CLOEXEC);
	char buf[4096];
	ssize_t n;

	assert_true(from >= 0 && fd >= 0);
	while (size && (n = read(from, buf, size < sizeof(buf) ? size : sizeof(buf))) > 0) {
		assert_int_equal(write(fd, buf, (size_t)n), n);
		size -= (size_t)n;
	}
	return fd;
}

static const char *const wanted[] = { "SSL_write", "SSL_read", "SSL_no_such_function" };

static void finds_dynamic_functions(void **state)
{
	_cleanup_close_ int fd = copy_of(LIBSSL, SIZE_MAX);
	struct elf_function found[3];
	uint64_t offset;
	struct elf elf;

	assert_int_equal(elf_open(&elf, fd), 0);
	assert_int_equal(elf_find_dynamic(&elf, wanted, 3, found), 0);
	assert_true(found[0].addr && found[0].size && found[1].addr);
	assert_int_equal(found[2].addr, 0);
	assert_int_equal(elf_offset(&elf, found[0].addr, &offset), 0);
	assert_int_equal(elf_offset(&elf, UINT64_MAX, &offset), -ENOENT);
}

static void needs_no_section_headers(void **state)
{
	_cleanup_close_ int fd = copy_of(LIBSSL, SIZE_MAX);
	struct elf_function found[3];
	struct elf elf;
	uint64_t zero = 0;

	assert_int_equal(pwrite(fd, &zero, 8, offsetof(Elf64_Ehdr, e_shoff)), 8);
	assert_int_equal(pwrite(fd, &zero, 2, offsetof(Elf64_Ehdr, e_shnum)), 2);
	assert_int_equal(elf_open(&elf, fd), 0);
	assert_int_equal(elf_find_dynamic(&elf, wanted, 3, found), 0);
	assert_int_equal(elf_find_symtab(&elf, wanted, 3, found), -ENOENT);
}

/* The old hash table answers as the new one does. */
static void reads_both_hash_tables(void **state)
{
	char path[] = "/tmp/aigress-elf-XXXXXX";
	_cleanup_close_ int fd = mkstemp(path);
	struct elf_function found[3];
	char command[512];
	struct elf elf;

	snprintf(command, sizeof(command),
		 "%s -shared -fPIC -O2 -Wl,--hash-style=sysv "
		 "-DSHAPE_OPENSSL_3_3 -o %s tests/data/find/shapes.c",
		 getenv("CC") ?: "cc", path);
	assert_int_equal(system(command), 0);
	close(take_fd(fd));
	fd = open(path, O_RDONLY | O_CLOEXEC);
	unlink(path);
	assert_int_equal(elf_open(&elf, fd), 0);
	assert_int_equal(elf.gnu_hash, 0);
	assert_int_equal(elf_find_dynamic(&elf, wanted, 3, found), 0);
	assert_true(found[0].addr && found[1].addr && !found[2].addr);
	/* the same two from .symtab, which this file still has */
	struct elf_function named[3];

	assert_int_equal(elf_find_symtab(&elf, wanted, 3, named), 0);
	assert_int_equal(named[0].addr, found[0].addr);
	assert_int_equal(named[1].addr, found[1].addr);
}

static void answers_at_every_cut(void **state)
{
	_cleanup_close_ int whole = open(LIBSSL, O_RDONLY | O_CLOEXEC);
	off_t size = lseek(whole, 0, SEEK_END);

	for (off_t cut = 0; cut < size; cut += cut < 4096 ? 61 : 16411) {
		_cleanup_close_ int fd = copy_of(LIBSSL, (size_t)cut);
		struct sites sites;
		int err = sites_find(fd, false, &sites);

		assert_true(err == -ENOEXEC || err == -EBADMSG || err == -ENOENT);
	}
}

/* Each lie is one field of a sound file. */
static void refuses_heads_that_lie(void **state)
{
	static const struct {
		size_t at, size;
		uint64_t value;
		int err;
	} lies[] = {
		{ offsetof(Elf64_Ehdr, e_phnum), 2, 0xffff, -EBADMSG },
		{ offsetof(Elf64_Ehdr, e_phoff), 8, UINT64_MAX - 8, -EBADMSG },
		{ offsetof(Elf64_Ehdr, e_phentsize), 2, 8, -EBADMSG },
		{ offsetof(Elf64_Ehdr, e_machine), 2, EM_386, -ENOEXEC },
		{ offsetof(Elf64_Ehdr, e_type), 2, ET_CORE, -ENOEXEC },
		{ EI_CLASS, 1, ELFCLASS32, -ENOEXEC },
		{ EI_DATA, 1, ELFDATA2MSB, -ENOEXEC },
		{ sizeof(Elf64_Ehdr) + offsetof(Elf64_Phdr, p_offset), 8, UINT64_MAX, -EBADMSG },
		{ sizeof(Elf64_Ehdr) + offsetof(Elf64_Phdr, p_filesz), 8, UINT64_MAX, -EBADMSG },
	};

	for (size_t i = 0; i < ARRAY_SIZE(lies); i++) {
		_cleanup_close_ int fd = copy_of(LIBSSL, SIZE_MAX);
		struct elf elf;

		assert_int_equal(pwrite(fd, &lies[i].value, lies[i].size, (off_t)lies[i].at),
				 lies[i].size);
		assert_int_equal(elf_open(&elf, fd), lies[i].err);
	}
}

/* A chain whose last entry is not marked must end at the limit, not at the end of the file. */
static void ends_in_an_endless_chain(void **state)
{
	const size_t size = 1 << 20, table = 0x1000;
	_cleanup_close_ int fd = memfd_create("chain", MFD_CLOEXEC);
	struct {
		Elf64_Ehdr head;
		Elf64_Phdr phdrs[2];
		Elf64_Dyn dynamic[5];
	} file = {
		.head = { .e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB },
			  .e_type = ET_DYN,
			  .e_machine = EM_X86_64,
			  .e_phnum = 2,
			  .e_phoff = sizeof(Elf64_Ehdr),
			  .e_phentsize = sizeof(Elf64_Phdr) },
		.phdrs = { { .p_type = PT_LOAD, .p_flags = PF_R | PF_X, .p_filesz = size },
			   { .p_type = PT_DYNAMIC,
			     .p_filesz = sizeof(file.dynamic),
			     .p_offset = offsetof(__typeof__(file), dynamic) } },
		.dynamic = { { DT_SYMTAB, { 0x100 } },
			     { DT_STRTAB, { 0x200 } },
			     { DT_STRSZ, { 64 } },
			     { DT_GNU_HASH, { table } } },
	};
	/* one bucket, first symbol 1, one bloom word of ones, then zeros: no entry is the last */
	const uint32_t hash[] = { 1, 1, 1, 5, 0xffffffff, 0xffffffff, 1 };
	struct elf_function found[3];
	struct elf elf;

	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	assert_int_equal(pwrite(fd, &file, sizeof(file), 0), sizeof(file));
	assert_int_equal(pwrite(fd, hash, sizeof(hash), (off_t)table), sizeof(hash));
	assert_int_equal(elf_open(&elf, fd), 0);
	assert_int_equal(elf_find_dynamic(&elf, wanted, 3, found), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_dynamic_functions),
		cmocka_unit_test(needs_no_section_headers),
		cmocka_unit_test(reads_both_hash_tables),
		cmocka_unit_test(answers_at_every_cut),
		cmocka_unit_test(refuses_heads_that_lie),
		cmocka_unit_test(ends_in_an_endless_chain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

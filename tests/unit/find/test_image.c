/* SPDX-License-Identifier: Apache-2.0 */
/* A program file's segments: which of them are looked through for what. */
#include "unit.h"

#include <elf.h>
#include <sys/mman.h>

#include "find/anchor/image.h"

#define PAGE 4096

/* A program of such segments, one page each but for those with a size of their own, in a file without blocks. */
static struct image program(const Elf64_Phdr *segments, uint16_t n)
{
	Elf64_Ehdr head = { .e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
			    .e_type = ET_EXEC,
			    .e_machine = EM_X86_64,
			    .e_phoff = sizeof(head),
			    .e_phentsize = sizeof(Elf64_Phdr),
			    .e_phnum = n };
	uint64_t at = PAGE;
	struct image image;
	int fd = memfd_create("program", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, &head, sizeof(head), 0), sizeof(head));
	for (uint16_t i = 0; i < n; i++) {
		Elf64_Phdr segment = segments[i];

		segment.p_type = PT_LOAD;
		segment.p_offset = segment.p_vaddr = at;
		segment.p_filesz = segment.p_memsz = segment.p_filesz ?: PAGE;
		at += segment.p_filesz;
		assert_int_equal(pwrite(fd, &segment, sizeof(segment),
					(off_t)(sizeof(head) + i * sizeof(segment))),
				 sizeof(segment));
	}
	assert_int_equal(ftruncate(fd, (off_t)at), 0);
	assert_int_equal(image_open(&image, fd), 0);
	return image;
}

static bool add(void *arg, uint64_t addr, const uint8_t *bytes, size_t size, size_t more)
{
	*(uint64_t *)arg += size;
	return true;
}

static uint64_t walked(const struct image *image, enum image_kind kind)
{
	uint64_t sum = 0;

	assert_int_equal(image_walk(image, kind, 0, UINT64_MAX, add, &sum), 0);
	return sum;
}

/* Claude Code 2.1.111: Bun's program, and behind it its scripts as a segment that is read only. */
static void what_was_appended_holds_no_constants(void **state)
{
	static const Elf64_Phdr segments[] = { { .p_flags = PF_R },
					       { .p_flags = PF_R | PF_X },
					       { .p_flags = PF_R | PF_W },
					       { .p_flags = PF_R,
						 .p_filesz = IMAGE_CONSTANTS_MAX + PAGE } };
	struct image image = program(segments, ARRAY_SIZE(segments));

	assert_int_equal(walked(&image, IMAGE_CONSTANTS), PAGE);
	assert_int_equal(walked(&image, IMAGE_CODE), PAGE);
	assert_int_equal(walked(&image, IMAGE_DATA), PAGE);
	close(image.fd);
}

/* GNU's linker puts constants behind the code, Go's too; with relocations that are written first, before it. */
static void constants_lie_on_either_side_of_code(void **state)
{
	static const Elf64_Phdr segments[] = { { .p_flags = PF_R | PF_W },
					       { .p_flags = PF_R },
					       { .p_flags = PF_R | PF_X },
					       { .p_flags = PF_R },
					       { .p_flags = PF_R | PF_W } };
	struct image image = program(segments, ARRAY_SIZE(segments));

	assert_int_equal(walked(&image, IMAGE_CONSTANTS), 2 * PAGE);
	close(image.fd);
}

static void old_linkers_put_constants_beside_code(void **state)
{
	static const Elf64_Phdr segments[] = { { .p_flags = PF_R | PF_X },
					       { .p_flags = PF_R | PF_W },
					       { .p_flags = PF_R } };
	struct image image = program(segments, ARRAY_SIZE(segments));

	assert_int_equal(walked(&image, IMAGE_CONSTANTS), PAGE);
	close(image.fd);
}

static void more_than_any_program_has_is_not_read(void **state)
{
	static const Elf64_Phdr segments[] = { { .p_flags = PF_R,
						 .p_filesz = IMAGE_CONSTANTS_MAX + PAGE },
					       { .p_flags = PF_R | PF_X } };
	struct image image = program(segments, ARRAY_SIZE(segments));
	uint64_t sum = 0;

	assert_int_equal(image_walk(&image, IMAGE_CONSTANTS, 0, UINT64_MAX, add, &sum), -EFBIG);
	assert_int_equal(sum, 0);
	close(image.fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_appended_holds_no_constants),
		cmocka_unit_test(constants_lie_on_either_side_of_code),
		cmocka_unit_test(old_linkers_put_constants_beside_code),
		cmocka_unit_test(more_than_any_program_has_is_not_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

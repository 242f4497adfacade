/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads as much of an ELF file as the question "where are these functions?" needs, with pread, so
 * that a file cut short under us is an error and not a SIGBUS. Every number in the file may be a
 * lie: all of them are checked against the limits below and against the file. libelf is not used:
 * it reads the whole file or maps it, and most files that are asked about are a quick "no".
 * No knowledge of TLS here.
 */
#ifndef FIND_ELF_ELF_H
#define FIND_ELF_ELF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define ELF_PHDRS_MAX   64  /* program headers; real files have 7 to 15 */
#define ELF_DYNAMIC_MAX 512 /* entries of the dynamic section; real files have 20 to 120 */
#define ELF_SHDRS_MAX   1024
#define ELF_CHAIN_MAX   4096 /* symbols looked at in one hash chain; real chains have 1 to 5 */
#define ELF_TABLE_MAX \
	(64u << 20)      /* bytes of .symtab and of .strtab that are read; Node's: 6 and 15 MB */
#define ELF_NAMES_MAX 16 /* names asked for at once */
#define ELF_NAME_LEN  64 /* and the length of one, with its NUL */

struct elf_segment {
	uint64_t offset, vaddr, filesz;
	bool is_exec;
};

/* The parsed headers of one file. The fd stays the caller's. */
struct elf {
	int fd;
	bool is_arm64;
	uint64_t size;
	uint64_t shoff;
	uint16_t shnum;
	struct elf_segment segments[ELF_PHDRS_MAX]; /* PT_LOAD only */
	size_t n_segments;
	/* virtual addresses out of PT_DYNAMIC; 0: not there */
	uint64_t symtab, strtab, strsz, gnu_hash, sysv_hash;
};

struct elf_function {
	uint64_t addr; /* virtual; 0: not defined in this file */
	uint64_t size; /* as the symbol says, may be 0 */
};

/*
 * Reads headers and dynamic section. 0; -ENOEXEC when it is not a 64-bit little-endian x86-64 or
 * aarch64 program or library; -EBADMSG when it says it is and is not sound; -errno of pread.
 */
int elf_open(struct elf *ret, int fd);

/*
 * Looks names up among the defined functions of the dynamic symbols. `names[0]` decides: if it is
 * not there, nothing else is looked for and -ENOENT comes back (a handful of preads). 0: ret[] is
 * filled, with addr 0 for names that are not there. n at most ELF_NAMES_MAX. -EBADMSG as above.
 */
int elf_find_dynamic(const struct elf *elf, const char *const *names, size_t n,
		     struct elf_function *ret);
/* The same in .symtab, which strip(1) removes: two passes over up to ELF_TABLE_MAX each. */
int elf_find_symtab(const struct elf *elf, const char *const *names, size_t n,
		    struct elf_function *ret);

/* File offset of a virtual address inside an executable segment. 0 or -ENOENT. */
int elf_offset(const struct elf *elf, uint64_t addr, uint64_t *ret);
/* Up to `size` bytes of code at a virtual address. How many (0: none), or -errno. */
ssize_t elf_code(const struct elf *elf, uint64_t addr, uint8_t *buf, size_t size);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#include "find/elf/elf.h"

#include <elf.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"

#define CHUNK 65536u

/* All or nothing: a file that ends early is not sound. */
static int read_at(const struct elf *elf, uint64_t offset, void *buf, size_t size)
{
	ssize_t n;

	if (offset > elf->size || size > elf->size - offset)
		return -EBADMSG;
	n = pread(elf->fd, buf, size, (off_t)offset);
	if (n < 0)
		return -errno;
	return (size_t)n == size ? 0 : -EBADMSG;
}

static int offset_of(const struct elf *elf, uint64_t addr, size_t size, bool exec, uint64_t *ret)
{
	for (size_t i = 0; i < elf->n_segments; i++) {
		const struct elf_segment *segment = &elf->segments[i];
		uint64_t into = addr - segment->vaddr;

		if (addr < segment->vaddr || into >= segment->filesz ||
		    size > segment->filesz - into || (exec && !segment->is_exec))
			continue;
		*ret = segment->offset + into;
		return 0;
	}
	return -ENOENT;
}

static int read_addr(const struct elf *elf, uint64_t addr, void *buf, size_t size)
{
	uint64_t offset;

	if (offset_of(elf, addr, size, false, &offset) < 0)
		return -EBADMSG;
	return read_at(elf, offset, buf, size);
}

int elf_offset(const struct elf *elf, uint64_t addr, uint64_t *ret)
{
	return offset_of(elf, addr, 1, true, ret);
}

ssize_t elf_code(const struct elf *elf, uint64_t addr, uint8_t *buf, size_t size)
{
	for (size_t i = 0; i < elf->n_segments; i++) {
		const struct elf_segment *segment = &elf->segments[i];
		uint64_t into = addr - segment->vaddr;
		ssize_t n;

		if (!segment->is_exec || addr < segment->vaddr || into >= segment->filesz)
			continue;
		if (size > segment->filesz - into)
			size = segment->filesz - into;
		n = pread(elf->fd, buf, size, (off_t)(segment->offset + into));
		return n < 0 ? -errno : n;
	}
	return 0;
}

static int read_dynamic(struct elf *elf, const Elf64_Phdr *phdr)
{
	Elf64_Dyn entries[ELF_DYNAMIC_MAX];
	size_t n = phdr->p_filesz / sizeof(entries[0]);
	int err;

	if (n > ELF_DYNAMIC_MAX)
		n = ELF_DYNAMIC_MAX;
	err = read_at(elf, phdr->p_offset, entries, n * sizeof(entries[0]));
	if (err)
		return err;
	for (size_t i = 0; i < n && entries[i].d_tag != DT_NULL; i++) {
		uint64_t value = entries[i].d_un.d_val;

		switch (entries[i].d_tag) {
		case DT_SYMTAB:
			elf->symtab = value;
			break;
		case DT_STRTAB:
			elf->strtab = value;
			break;
		case DT_STRSZ:
			elf->strsz = value;
			break;
		case DT_GNU_HASH:
			elf->gnu_hash = value;
			break;
		case DT_HASH:
			elf->sysv_hash = value;
			break;
		}
	}
	return 0;
}

static int read_segments(struct elf *elf, const Elf64_Ehdr *head)
{
	Elf64_Phdr phdrs[ELF_PHDRS_MAX];
	const Elf64_Phdr *dynamic = NULL;
	int err;

	if (head->e_phentsize != sizeof(phdrs[0]) || head->e_phnum > ELF_PHDRS_MAX)
		return -EBADMSG;
	err = read_at(elf, head->e_phoff, phdrs, head->e_phnum * sizeof(phdrs[0]));
	if (err)
		return err;
	for (size_t i = 0; i < head->e_phnum; i++) {
		const Elf64_Phdr *p = &phdrs[i];

		if (p->p_type == PT_DYNAMIC)
			dynamic = p;
		if (p->p_type != PT_LOAD)
			continue;
		if (p->p_offset > elf->size || p->p_filesz > elf->size - p->p_offset ||
		    p->p_vaddr > UINT64_MAX - p->p_filesz)
			return -EBADMSG;
		elf->segments[elf->n_segments++] = (struct elf_segment){
			.offset = p->p_offset,
			.vaddr = p->p_vaddr,
			.filesz = p->p_filesz,
			.is_exec = p->p_flags & PF_X,
		};
	}
	return dynamic ? read_dynamic(elf, dynamic) : 0;
}

int elf_open(struct elf *ret, int fd)
{
	struct elf elf = { .fd = fd };
	Elf64_Ehdr head;
	struct stat st;
	int err;

	if (fstat(fd, &st) < 0)
		return -errno;
	elf.size = (uint64_t)st.st_size;
	if (!S_ISREG(st.st_mode) || elf.size < sizeof(head))
		return -ENOEXEC;
	err = read_at(&elf, 0, &head, sizeof(head));
	if (err)
		return err;
	if (memcmp(head.e_ident, ELFMAG, SELFMAG) || head.e_ident[EI_CLASS] != ELFCLASS64 ||
	    head.e_ident[EI_DATA] != ELFDATA2LSB ||
	    (head.e_machine != EM_X86_64 && head.e_machine != EM_AARCH64) ||
	    (head.e_type != ET_EXEC && head.e_type != ET_DYN))
		return -ENOEXEC;
	elf.is_arm64 = head.e_machine == EM_AARCH64;
	if (head.e_shentsize == sizeof(Elf64_Shdr) && head.e_shnum <= ELF_SHDRS_MAX) {
		elf.shoff = head.e_shoff;
		elf.shnum = head.e_shnum;
	}
	err = read_segments(&elf, &head);
	if (err)
		return err;
	*ret = elf;
	return 0;
}

/* Whether a symbol is a function that this file defines, at an address inside its code. */
static bool is_function(const struct elf *elf, const Elf64_Sym *sym)
{
	uint64_t offset;

	return ELF64_ST_TYPE(sym->st_info) == STT_FUNC && sym->st_shndx != SHN_UNDEF &&
	       !elf_offset(elf, sym->st_value, &offset);
}

/* 0: symbol `index` is the function `name`; -ENOENT: it is another; -errno. */
static int check_symbol(const struct elf *elf, uint32_t index, const char *name,
			struct elf_function *ret)
{
	size_t len = strlen(name) + 1;
	char found[ELF_NAME_LEN];
	Elf64_Sym sym;
	int err;

	err = read_addr(elf, elf->symtab + (uint64_t)index * sizeof(sym), &sym, sizeof(sym));
	if (err)
		return err;
	if (!is_function(elf, &sym))
		return -ENOENT;
	if (sym.st_name >= elf->strsz || len > elf->strsz - sym.st_name)
		return -ENOENT;
	err = read_addr(elf, elf->strtab + sym.st_name, found, len);
	if (err)
		return err;
	if (memcmp(found, name, len))
		return -ENOENT;
	*ret = (struct elf_function){ .addr = sym.st_value, .size = sym.st_size };
	return 0;
}

/* The layout has no standard; glibc elf/dl-lookup.c and binutils bfd/elflink.c are its authors. */
struct gnu_hash {
	uint32_t n_buckets, first, n_bloom, shift;
};

static uint32_t gnu_hash_of(const char *name)
{
	uint32_t hash = 5381;

	for (; *name; name++)
		hash = hash * 33 + (uint8_t)*name;
	return hash;
}

static int find_gnu(const struct elf *elf, const struct gnu_hash *table, const char *name,
		    struct elf_function *ret)
{
	uint64_t bloom = elf->gnu_hash + sizeof(*table);
	uint64_t buckets = bloom + (uint64_t)table->n_bloom * 8;
	uint64_t chains = buckets + (uint64_t)table->n_buckets * 4;
	uint32_t hash = gnu_hash_of(name), index, entry;
	uint64_t word;
	int err;

	err = read_addr(elf, bloom + (uint64_t)(hash / 64 % table->n_bloom) * 8, &word,
			sizeof(word));
	if (err)
		return err;
	if (!(word >> (hash % 64) & 1) || !(word >> ((hash >> table->shift) % 64) & 1))
		return -ENOENT;
	err = read_addr(elf, buckets + (uint64_t)(hash % table->n_buckets) * 4, &index,
			sizeof(index));
	if (err)
		return err;
	if (index < table->first)
		return -ENOENT;
	for (size_t i = 0; i < ELF_CHAIN_MAX && index + i <= UINT32_MAX; i++) {
		err = read_addr(elf, chains + (uint64_t)(index - table->first + i) * 4, &entry,
				sizeof(entry));
		if (err)
			return err;
		if ((entry | 1) == (hash | 1)) {
			err = check_symbol(elf, index + (uint32_t)i, name, ret);
			if (err != -ENOENT)
				return err;
		}
		if (entry & 1)
			return -ENOENT;
	}
	return -EBADMSG;
}

/* System V ABI, "Hash Table". */
static int find_sysv(const struct elf *elf, const char *name, struct elf_function *ret)
{
	uint32_t head[2], hash = 0, index;
	uint64_t table = elf->sysv_hash;
	int err;

	for (const char *c = name; *c; c++) {
		hash = (hash << 4) + (uint8_t)*c;
		hash = (hash ^ (hash >> 24 & 0xf0)) & 0x0fffffff;
	}
	err = read_addr(elf, table, head, sizeof(head));
	if (err)
		return err;
	if (!head[0])
		return -ENOENT;
	err = read_addr(elf, table + 8 + (uint64_t)(hash % head[0]) * 4, &index, sizeof(index));
	for (size_t i = 0; !err && index; i++) {
		if (i == ELF_CHAIN_MAX || index >= head[1])
			return -EBADMSG;
		err = check_symbol(elf, index, name, ret);
		if (err != -ENOENT)
			return err;
		err = read_addr(elf, table + 8 + ((uint64_t)head[0] + index) * 4, &index,
				sizeof(index));
	}
	return err ? err : -ENOENT;
}

int elf_find_dynamic(const struct elf *elf, const char *const *names, size_t n,
		     struct elf_function *ret)
{
	struct elf_function found[ELF_NAMES_MAX] = {};
	struct gnu_hash table = {};
	int err;

	if (!elf->symtab || !elf->strtab || (!elf->gnu_hash && !elf->sysv_hash))
		return -ENOENT;
	if (elf->gnu_hash) {
		err = read_addr(elf, elf->gnu_hash, &table, sizeof(table));
		if (err)
			return err;
		if (!table.n_buckets || !table.n_bloom || table.shift > 31)
			return -EBADMSG;
	}
	for (size_t i = 0; i < n; i++) {
		err = elf->gnu_hash ? find_gnu(elf, &table, names[i], &found[i]) :
				      find_sysv(elf, names[i], &found[i]);
		if (err && (err != -ENOENT || !i))
			return err;
	}
	memcpy(ret, found, n * sizeof(found[0]));
	return 0;
}

/* Where one name ends up in .strtab. Linkers share tails, so it may be the end of others too. */
#define SPOTS_MAX 8
struct spots {
	uint32_t at[SPOTS_MAX];
	size_t n;
};

static void note_spots(const uint8_t *buf, size_t size, uint64_t base, const char *name,
		       struct spots *spots)
{
	size_t len = strlen(name) + 1;
	const uint8_t *p = buf;

	while (spots->n < SPOTS_MAX && (p = memmem(p, size - (size_t)(p - buf), name, len))) {
		uint32_t at = (uint32_t)(base + (uint64_t)(p - buf));

		if (!spots->n || spots->at[spots->n - 1] != at)
			spots->at[spots->n++] = at;
		p++;
	}
}

static int find_spots(const struct elf *elf, const Elf64_Shdr *strtab, const char *const *names,
		      size_t n, struct spots *spots)
{
	_cleanup_free_ uint8_t *buf = malloc(CHUNK + ELF_NAME_LEN);

	if (!buf)
		return -ENOMEM;
	for (uint64_t at = 0; at < strtab->sh_size; at += CHUNK) {
		uint64_t left = strtab->sh_size - at;
		size_t size = left < CHUNK + ELF_NAME_LEN ? left : CHUNK + ELF_NAME_LEN;
		int err = read_at(elf, strtab->sh_offset + at, buf, size);

		if (err)
			return err;
		for (size_t i = 0; i < n; i++)
			note_spots(buf, size, at, names[i], &spots[i]);
	}
	return 0;
}

static void match_symbol(const struct elf *elf, const Elf64_Sym *sym, const struct spots *spots,
			 size_t n, struct elf_function *found)
{
	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < spots[i].n; j++)
			if (sym->st_name == spots[i].at[j] && is_function(elf, sym))
				found[i] = (struct elf_function){ .addr = sym->st_value,
								  .size = sym->st_size };
}

static int match_symbols(const struct elf *elf, const Elf64_Shdr *symtab, const struct spots *spots,
			 size_t n, struct elf_function *found)
{
	const uint64_t step = CHUNK / sizeof(Elf64_Sym) * sizeof(Elf64_Sym);
	_cleanup_free_ Elf64_Sym *buf = malloc(step);

	if (!buf)
		return -ENOMEM;
	for (uint64_t at = 0; at < symtab->sh_size; at += step) {
		uint64_t left = symtab->sh_size - at;
		size_t size = left < step ? left : step;
		int err = read_at(elf, symtab->sh_offset + at, buf, size);

		if (err)
			return err;
		for (size_t i = 0; i < size / sizeof(*buf); i++)
			match_symbol(elf, &buf[i], spots, n, found);
	}
	return 0;
}

/* Finds the section headers of .symtab and its strings. 0, -ENOENT or -errno. */
static int find_tables(const struct elf *elf, Elf64_Shdr *ret_symtab, Elf64_Shdr *ret_strtab)
{
	_cleanup_free_ Elf64_Shdr *shdrs = NULL;
	int err;

	if (!elf->shoff || !elf->shnum)
		return -ENOENT;
	shdrs = malloc(elf->shnum * sizeof(*shdrs));
	if (!shdrs)
		return -ENOMEM;
	err = read_at(elf, elf->shoff, shdrs, elf->shnum * sizeof(*shdrs));
	if (err)
		return err;
	for (size_t i = 0; i < elf->shnum; i++) {
		const Elf64_Shdr *s = &shdrs[i];

		if (s->sh_type != SHT_SYMTAB)
			continue;
		if (s->sh_entsize != sizeof(Elf64_Sym) || s->sh_link >= elf->shnum)
			return -EBADMSG;
		*ret_symtab = *s;
		*ret_strtab = shdrs[s->sh_link];
		return ret_symtab->sh_size > ELF_TABLE_MAX || ret_strtab->sh_size > ELF_TABLE_MAX ?
			       -EFBIG :
			       0;
	}
	return -ENOENT;
}

int elf_find_symtab(const struct elf *elf, const char *const *names, size_t n,
		    struct elf_function *ret)
{
	struct elf_function found[ELF_NAMES_MAX] = {};
	struct spots spots[ELF_NAMES_MAX] = {};
	Elf64_Shdr symtab, strtab;
	int err;

	err = find_tables(elf, &symtab, &strtab);
	if (err)
		return err;
	err = find_spots(elf, &strtab, names, 1, spots);
	if (err)
		return err;
	if (!spots[0].n)
		return -ENOENT;
	err = find_spots(elf, &strtab, names + 1, n - 1, spots + 1);
	if (!err)
		err = match_symbols(elf, &symtab, spots, n, found);
	if (err)
		return err;
	if (!found[0].addr)
		return -ENOENT;
	memcpy(ret, found, n * sizeof(found[0]));
	return 0;
}

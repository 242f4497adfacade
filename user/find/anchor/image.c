/* SPDX-License-Identifier: Apache-2.0 */
#include "find/anchor/image.h"

#include <elf.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"

static int read_at(const struct image *image, uint64_t offset, void *buf, size_t size)
{
	ssize_t n;

	if (offset > image->size || size > image->size - offset)
		return -EBADMSG;
	n = pread(image->fd, buf, size, (off_t)offset);
	if (n < 0)
		return -errno;
	return (size_t)n == size ? 0 : -EBADMSG;
}

static int add_segment(struct image *image, const Elf64_Phdr *p)
{
	if (p->p_offset > image->size || p->p_filesz > image->size - p->p_offset ||
	    p->p_vaddr > UINT64_MAX - p->p_filesz)
		return -EBADMSG;
	image->segments[image->n_segments++] = (struct image_segment){
		.offset = p->p_offset,
		.vaddr = p->p_vaddr,
		.filesz = p->p_filesz,
		.is_exec = p->p_flags & PF_X,
		.is_write = p->p_flags & PF_W,
	};
	if (p->p_flags & PF_X)
		image->code_bytes += p->p_filesz;
	else if (p->p_flags & PF_W)
		image->data_bytes += p->p_filesz;
	return 0;
}

static int read_segments(struct image *image, const Elf64_Ehdr *head)
{
	Elf64_Phdr phdrs[IMAGE_SEGMENTS_MAX];
	int err;

	if (head->e_phentsize != sizeof(phdrs[0]) || head->e_phnum > IMAGE_SEGMENTS_MAX)
		return -EBADMSG;
	err = read_at(image, head->e_phoff, phdrs, head->e_phnum * sizeof(phdrs[0]));
	for (size_t i = 0; i < head->e_phnum && !err; i++) {
		const Elf64_Phdr *p = &phdrs[i];

		switch (p->p_type) {
		case PT_LOAD:
			err = add_segment(image, p);
			break;
		case PT_GNU_EH_FRAME:
			image->eh_frame_hdr = p->p_vaddr;
			image->eh_frame_hdr_len = p->p_filesz;
			break;
		case PT_DYNAMIC:
			image->dynamic = p->p_vaddr;
			image->dynamic_len = p->p_filesz;
			break;
		}
	}
	return err;
}

int image_open(struct image *ret, int fd)
{
	struct image image = { .fd = fd };
	Elf64_Ehdr head;
	struct stat st;
	int err;

	if (fstat(fd, &st) < 0)
		return -errno;
	image.size = (uint64_t)st.st_size;
	if (!S_ISREG(st.st_mode) || image.size < sizeof(head))
		return -ENOEXEC;
	err = read_at(&image, 0, &head, sizeof(head));
	if (err)
		return err;
	if (memcmp(head.e_ident, ELFMAG, SELFMAG) || head.e_ident[EI_CLASS] != ELFCLASS64 ||
	    head.e_ident[EI_DATA] != ELFDATA2LSB || !machine_of(head.e_machine) ||
	    (head.e_type != ET_EXEC && head.e_type != ET_DYN))
		return -ENOEXEC;
	image.machine = machine_of(head.e_machine);
	image.is_relocated = head.e_type == ET_DYN;
	image.entry = head.e_entry;
	err = read_segments(&image, &head);
	if (err)
		return err;
	*ret = image;
	return 0;
}

static const struct image_segment *segment_of(const struct image *image, uint64_t addr)
{
	for (size_t i = 0; i < image->n_segments; i++) {
		const struct image_segment *segment = &image->segments[i];

		if (addr >= segment->vaddr && addr - segment->vaddr < segment->filesz)
			return segment;
	}
	return NULL;
}

ssize_t image_read_some(const struct image *image, uint64_t addr, void *buf, size_t size)
{
	const struct image_segment *segment = segment_of(image, addr);
	uint64_t into;
	ssize_t n;

	if (!segment)
		return 0;
	into = addr - segment->vaddr;
	if (size > segment->filesz - into)
		size = segment->filesz - into;
	n = pread(image->fd, buf, size, (off_t)(segment->offset + into));
	return n < 0 ? -errno : n;
}

ssize_t image_read_before(const struct image *image, uint64_t addr, void *buf, size_t size)
{
	const struct image_segment *segment = segment_of(image, addr);

	if (!segment)
		return 0;
	if (size > addr - segment->vaddr)
		size = addr - segment->vaddr;
	return image_read_some(image, addr - size, buf, size);
}

int image_read(const struct image *image, uint64_t addr, void *buf, size_t size)
{
	ssize_t n = image_read_some(image, addr, buf, size);

	if (n < 0)
		return (int)n;
	return (size_t)n == size ? 0 : -ENOENT;
}

bool image_is_code(const struct image *image, uint64_t addr)
{
	const struct image_segment *segment = segment_of(image, addr);

	return segment && segment->is_exec;
}

uint64_t image_code_begin(const struct image *image, uint64_t addr)
{
	const struct image_segment *segment = segment_of(image, addr);

	return segment && segment->is_exec ? segment->vaddr : addr;
}

int image_offset(const struct image *image, uint64_t addr, uint64_t *ret)
{
	const struct image_segment *segment = segment_of(image, addr);

	if (!segment || !segment->is_exec)
		return -ENOENT;
	*ret = segment->offset + (addr - segment->vaddr);
	return 0;
}

/*
 * How many segments may hold a linker's constants: those up to the first that is written behind code. What is read
 * only behind that was appended to a finished program (Bun's bundles of scripts, 128 MB in Claude Code 2.1.111).
 */
static size_t n_linked(const struct image *image)
{
	bool has_code = false;

	for (size_t i = 0; i < image->n_segments; i++) {
		has_code |= image->segments[i].is_exec;
		if (has_code && image->segments[i].is_write)
			return i;
	}
	return image->n_segments;
}

/* Old linkers have no segment that is read only: their constants stand beside the code. */
static bool has_constants(const struct image *image)
{
	for (size_t i = 0; i < n_linked(image); i++)
		if (!image->segments[i].is_exec && !image->segments[i].is_write)
			return true;
	return false;
}

static bool is_of_kind(const struct image_segment *segment, enum image_kind kind, bool has_constants)
{
	switch (kind) {
	case IMAGE_CODE:
		return segment->is_exec;
	case IMAGE_CONSTANTS:
		return !segment->is_write && segment->is_exec != has_constants;
	case IMAGE_DATA:
		return segment->is_write;
	}
	return false;
}

/* The part of a segment that lies in [from, to), as offsets into it. False: none. */
static bool cut(const struct image_segment *segment, uint64_t from, uint64_t to,
		uint64_t *ret_begin, uint64_t *ret_end)
{
	uint64_t end = segment->vaddr + segment->filesz;

	if (from >= end || to <= segment->vaddr)
		return false;
	*ret_begin = from > segment->vaddr ? from - segment->vaddr : 0;
	*ret_end = to < end ? to - segment->vaddr : segment->filesz;
	return true;
}

int image_walk(const struct image *image, enum image_kind kind, uint64_t from, uint64_t to,
	       image_fn fn, void *arg)
{
	_cleanup_free_ uint8_t *buf = malloc(IMAGE_PIECE + IMAGE_OVERLAP);
	bool constants = has_constants(image);
	size_t n = kind == IMAGE_CONSTANTS ? n_linked(image) : image->n_segments;
	uint64_t total = 0, at, end;

	if (!buf)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		if (is_of_kind(&image->segments[i], kind, constants) &&
		    cut(&image->segments[i], from, to, &at, &end))
			total += end - at;
	/* constants beside code are as much as that */
	if (total > (kind == IMAGE_CODE || (kind == IMAGE_CONSTANTS && !constants) ?
			     IMAGE_CODE_MAX :
			     IMAGE_CONSTANTS_MAX))
		return -EFBIG;
	for (size_t i = 0; i < n; i++) {
		const struct image_segment *segment = &image->segments[i];

		if (!is_of_kind(segment, kind, constants) || !cut(segment, from, to, &at, &end))
			continue;
		for (; at < end; at += IMAGE_PIECE) {
			uint64_t left = segment->filesz - at;
			size_t size = end - at < IMAGE_PIECE ? end - at : IMAGE_PIECE;
			size_t more = left - size < IMAGE_OVERLAP ? left - size : IMAGE_OVERLAP;
			int err = read_at(image, segment->offset + at, buf, size + more);

			if (err)
				return err;
			if (!fn(arg, segment->vaddr + at, buf, size, size + more))
				return 0;
		}
	}
	return 0;
}

/*
 * The head of .eh_frame_hdr (Linux Standard Base, "Exception Frames"), with the encodings that linkers write:
 * the count as 4 bytes (0x03), the table as 4 bytes each from the table's own start (0x3b).
 */
struct table_head {
	uint8_t version, frame_encoding, count_encoding, table_encoding;
	int32_t frame;
	uint32_t count;
};
struct table_row {
	int32_t start, entry;
};

static int find_row(const struct image *image, uint64_t addr, struct table_row *ret)
{
	uint64_t table = image->eh_frame_hdr, rows = table + sizeof(struct table_head);
	struct table_head head;
	uint32_t low = 0, high;
	int err;

	if (!table || image->eh_frame_hdr_len < sizeof(head))
		return -ENOENT;
	err = image_read(image, table, &head, sizeof(head));
	if (err)
		return err;
	if (head.version != 1 || head.count_encoding != 0x03 || head.table_encoding != 0x3b ||
	    !head.count ||
	    head.count > (image->eh_frame_hdr_len - sizeof(head)) / sizeof(struct table_row))
		return -ENOENT;
	/* the last row that does not start behind addr */
	for (high = head.count; high - low > 1;) {
		uint32_t middle = low + (high - low) / 2;

		err = image_read(image, rows + (uint64_t)middle * sizeof(*ret), ret, sizeof(*ret));
		if (err)
			return err;
		if (table + (uint64_t)(int64_t)ret->start <= addr)
			low = middle;
		else
			high = middle;
	}
	return image_read(image, rows + (uint64_t)low * sizeof(*ret), ret, sizeof(*ret));
}

int image_function(const struct image *image, uint64_t addr, uint64_t *ret_start, uint64_t *ret_end)
{
	/* An FDE: length, distance to its CIE, and (DW_EH_PE_pcrel | sdata4) start and length of the code. */
	struct {
		uint32_t length, cie;
		int32_t start;
		uint32_t size;
	} fde;
	struct table_row row;
	uint64_t at, start;
	int err = find_row(image, addr, &row);

	if (err)
		return err;
	at = image->eh_frame_hdr + (uint64_t)(int64_t)row.entry;
	err = image_read(image, at, &fde, sizeof(fde));
	if (err)
		return err;
	start = at + 8 + (uint64_t)(int64_t)fde.start;
	/* the table and the entry must say the same */
	if (!fde.length || fde.length == UINT32_MAX || !fde.cie ||
	    start != image->eh_frame_hdr + (uint64_t)(int64_t)row.start || addr < start ||
	    addr - start >= fde.size)
		return -ENOENT;
	*ret_start = start;
	*ret_end = start + fde.size;
	return 0;
}

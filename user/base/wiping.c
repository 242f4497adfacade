/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The heap forgets what it is given back: bodies, headers and keys pass through buffers of ours and of the
 * libraries that decode them (zlib, brotli, zstd, nghttp2, llhttp, jansson), and all of these free(). In place of
 * glibc's functions, as malloc(3) allows ("Replacing malloc"); so it is linked into the program alone.
 */
#include <errno.h>
#include <malloc.h>
#include <stddef.h>
#include <string.h>

/* glibc's own, under the names that it exports for this. */
void __libc_free(void *);
void *__libc_malloc(size_t);

void free(void *block)
{
	int saved = errno;

	if (block)
		explicit_bzero(block, malloc_usable_size(block));
	__libc_free(block);
	errno = saved;
}

/* glibc's would move a block and leave the old one as it was. */
void *realloc(void *block, size_t size)
{
	size_t had = block ? malloc_usable_size(block) : 0;
	void *moved;

	if (block && !size) {
		free(block);
		return NULL;
	}
	/* In place, unless it would hold on to more than twice of what is wanted. */
	if (block && size <= had && size >= had / 2) {
		explicit_bzero((char *)block + size, had - size);
		return block;
	}
	moved = __libc_malloc(size);
	if (!moved)
		return NULL;
	if (block)
		memcpy(moved, block, had < size ? had : size);
	free(block);
	return moved;
}

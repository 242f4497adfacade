/* SPDX-License-Identifier: Apache-2.0 */
/* Programs without symbols, compiled by a test from tests/data/find/anchors.c, and what nm says of them. */
#ifndef FIND_COMPILED_H
#define FIND_COMPILED_H

#include "unit.h"

#include "find/anchor/anchor.h"
#include "find/anchor/sites.h"
#include "nm.h"

static char folder[] = "/tmp/aigress-compiled-XXXXXX";
static char program[256];

static void run(const char *command)
{
	if (system(command))
		fail_msg("%s", command);
}

/* A compiler and linker for another machine, which needs none of its libraries; NULL: what compiles for this one. */
static const char *foreign_compiler;

/* Clang, which most of the originals are made with, leaves each error site its own; gcc joins their ends. */
static void compile(const char *flags)
{
	const char *compiler = foreign_compiler ?: getenv("CC") ?: "cc";
	char command[1024];

	snprintf(command, sizeof(command), "%s -w %s %s -o %s tests/data/find/anchors.c", compiler,
		 foreign_compiler ? "" : "-fno-crossjumping", flags, program);
	run(command);
}

static int search(struct anchors *ret)
{
	_cleanup_close_ int fd = open(program, O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	return anchors_find(fd, NULL, ret);
}

/* The same with a folder that remembers, as inspector.h does it. */
static inline int search_remembered(const char *cache, struct anchors *ret)
{
	_cleanup_close_ int fd = open(program, O_RDONLY | O_CLOEXEC), record = -1;
	static struct anchor_memory memory;
	struct stat st;
	int err;

	fstat(fd, &st);
	memory = (struct anchor_memory){ .fd = record = cache_open(cache, &st) };
	err = anchors_find(fd, &memory, ret);
	if (memory.found.size)
		(void)cache_put(cache, &st, memory.found.bytes, memory.found.size);
	return err;
}

/* Searches the program twice, and finds its stack both times; the second search knows where to look. */
static inline void expect_remembered(const char *cache, enum anchor_stack stack,
				     struct anchors *fresh)
{
	struct anchors again;

	assert_int_equal(search_remembered(cache, fresh), 0);
	assert_true(fresh->stacks[stack].is_proven);
	assert_int_equal(search_remembered(cache, &again), 0);
	assert_memory_equal(fresh, &again, sizeof(*fresh));
}

/* Of the program. */
static uint64_t address_of(const char *symbol)
{
	uint64_t addr = nm_address(program, symbol, "");

	assert_int_not_equal(addr, 0);
	return addr;
}

static void expect_found(const struct anchors *anchors, enum anchor_function_id id,
			 const char *symbol)
{
	if (anchors->functions[id].addr != address_of(symbol))
		fail_msg("%s: found %#llx, it is at %#llx", symbol,
			 (unsigned long long)anchors->functions[id].addr,
			 (unsigned long long)address_of(symbol));
}

/* Every kind of program that the recipes were seen in. */
static const char *const kinds[] = {
	"-O2 -fPIE -pie",
	"-O2 -no-pie -fno-pie",
	"-O2 -fPIE -pie -fno-asynchronous-unwind-tables -fno-omit-frame-pointer",
	"-O2 -no-pie -fno-pie -fno-asynchronous-unwind-tables -fno-omit-frame-pointer",
};

static void expect_refused(const char *flags, enum anchor_stack stack)
{
	struct anchors anchors;
	struct sites sites;
	_cleanup_close_ int fd = -1;

	compile(flags);
	assert_int_equal(search(&anchors), 0);
	assert_true(anchors.stacks[stack].is_present);
	if (anchors.stacks[stack].is_proven)
		fail_msg("%s was proven", flags);
	assert_non_null(anchors.stacks[stack].why);
	fd = open(program, O_RDONLY | O_CLOEXEC);
	assert_int_equal(anchors_sites(&anchors, fd, false, &sites), -ENOENT);
}

static int compiled_make_folder(void **state)
{
	if (!mkdtemp(folder))
		return -1;
	snprintf(program, sizeof(program), "%s/program", folder);
	return 0;
}

static int compiled_remove_folder(void **state)
{
	char command[300];

	snprintf(command, sizeof(command), "chmod -R u+w %s; rm -r %s", folder, folder);
	return system(command);
}

#endif

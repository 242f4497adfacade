/* SPDX-License-Identifier: Apache-2.0 */
/* What /proc contains about a process: the files that it executes, its program, and whether it is alive. */
#ifndef FIND_PROCS_H
#define FIND_PROCS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PROCS_MAPS_MAX 65536 /* lines read of one maps file; vm.max_map_count is 65530 */
#define PROCS_LINE_MAX \
	20480 /* of one line: PATH_MAX with each byte escaped as \012, and the head */

struct procs_map {
	uint64_t start, end;
	uint64_t offset;   /* in the file, of start */
	uint64_t dev, ino; /* as /proc shows them: an overlay's, not the real inode's */
	const char *path;  /* as the process maps it, newlines as \012, "(deleted)" after a space */
};

/* Reads one line of a maps file, without its newline. False: no executable mapping of a file. */
bool procs_parse(char *line, struct procs_map *ret);
/* Calls fn for each executable mapping of a file. 0 or -errno. */
int procs_maps(uint32_t tgid, void (*fn)(void *arg, const struct procs_map *map), void *arg);

/* Calls fn for each process. 0 or -errno. */
int procs_each(void (*fn)(void *arg, uint32_t tgid), void *arg);

/*
 * Opens the regular file behind a mapping for reading: by map_files, which reaches deleted files
 * and other mount namespaces, else by the process's own root with a check of the inode. An fd that
 * is closed on exec, or -errno; -ESTALE when the mapping or the file is another by now.
 */
int procs_open(uint32_t tgid, uint64_t start, uint64_t end);

/* Has an image, so it is neither gone nor a zombie. */
bool procs_lives(uint32_t tgid);
/* Start time in clock ticks since boot: with the tgid, a process for good. 0: gone. */
uint64_t procs_start(uint32_t tgid);
/* A number for the executable file. 0: gone or not to be read. */
uint64_t procs_executable(uint32_t tgid);
/*
 * A number for what runs: the executable's inode and the first argument that is no option, so that
 * "python3 agent.py" and "python3 web.py" are two programs. 0: gone or not to be read.
 */
uint64_t procs_program(uint32_t tgid);
/* The v2 cgroup's id, 0 if unknown. */
uint64_t procs_cgroup(uint32_t tgid);
/*
 * The cgroup of whoever can make the process's cgroup: the topmost on its path that is not root's and so was
 * delegated (cgroup-v2.rst, "Delegation"); the process's own if none was. 0 if unknown.
 */
uint64_t procs_tenant(uint32_t tgid);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Takes everything from a process that it does not need to read what it is given: for what parses bytes of strangers.
 * There is no way back.
 */
#ifndef BASE_SANDBOX_H
#define BASE_SANDBOX_H

#include <stddef.h>
#include <stdint.h>

/*
 * No capabilities, no new privileges, no file system and no network (Landlock, where the kernel has it: 5.13), no core,
 * no debugger, no file to be written, 16 descriptors, memory up to `data_bytes`; and when memory is short on the host, it
 * is the first to go. 0 or -errno. What is open stays open.
 */
int sandbox_enter(uint64_t data_bytes);
/* After so many seconds of CPU time SIGXCPU, a second later SIGKILL. For this process; its children begin anew. */
int sandbox_limit_cpu(uint64_t seconds);

struct sandbox_filter; /* which system calls there are; another one ends the process (SIGSYS) */

/* Those of plain computing: memory that is not executed, the clocks, the end. NULL: no memory. */
struct sandbox_filter *sandbox_filter_new(void);
/* These, too, by libseccomp's numbers (SCMP_SYS). 0 or -errno. */
int sandbox_filter_allow(struct sandbox_filter *filter, const int *calls, size_t n);
/* For this process and its children from now on, beside earlier filters. 0 or -errno. */
int sandbox_filter_load(const struct sandbox_filter *filter);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* The daemon's own memory, after its start. */
#ifndef DAEMON_MEMORY_H
#define DAEMON_MEMORY_H

/*
 * Gives back what the start took: the kernel's BTF and the price file have passed through the heap, some 20 MiB, and
 * linking 40 libraries and disassembling one through their pages, some 12 MiB.
 */
void memory_trim(void);
/* The rings of the kernel half, and the heap as it is: no debugger's dump has them either (madvise(2)). */
void memory_keep_from_dumps(void);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Proves before any other process is touched that probes do not hurt. Linux 6.11 to 6.12.13 and
 * 6.13 to 6.13.2 return through a system call of their own, so that a process whose seccomp filter
 * does not know it dies at its first probed return:
 * docs/facts/kernel.md, "Return probes and seccomp".
 */
#ifndef FIND_SELFTEST_H
#define FIND_SELFTEST_H

#include "find/find.h"

/*
 * Forks a child that allows itself read, write and exit alone, probes a function of this program in
 * it as a TLS library's is probed, has it called, and takes the probes away. If that kills it, a second
 * child is probed at its return instructions. `*returns` says which is tried first, and then which
 * is safe. Waits 5 s a child at most.
 * 0; -EFAULT: the child died; -ETIME: it did not answer; -ENODATA: it lived, and the call was not
 * seen (also outside the initial pid namespace, where the kernel numbers processes otherwise); else
 * -errno: probes were refused. ret_error is then a sentence to free.
 */
int find_selftest(struct tap *tap, enum find_returns *returns, char **ret_error);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* `aigress explain exe FILE`: what TLS code a file holds, where it would be probed, and by which proofs. */
#ifndef CMD_EXPLAIN_EXPLAIN_EXE_H
#define CMD_EXPLAIN_EXPLAIN_EXE_H

#include <stdbool.h>

/* Prints it. An exit code of cmd.h. */
int explain_exe(const char *path, bool json);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Gives up what the daemon does not need once its programs are loaded. What stays, and why, is said
 * beside the list in the source and in SECURITY.md.
 */
#ifndef DAEMON_PRIVILEGES_H
#define DAEMON_PRIVILEGES_H

#include <stdbool.h>

/*
 * Drops capabilities from every set, the bounding set included if CAP_SETPCAP was given, and sets
 * no_new_privs. `keep_admin`: connections must be reset in other network namespaces (setns), or the
 * kernel has no uprobe_multi, so that probing a process that appears later needs CAP_SYS_ADMIN (perf
 * uprobes, CVE-2025-38466). 0 or -errno.
 */
int privileges_drop(bool keep_admin);

#endif

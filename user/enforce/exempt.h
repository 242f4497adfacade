/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is never stopped, frozen or killed, whatever a rule says: pid 1, this process, kernel
 * threads, and what a host needs to stay a node and be reached (the kubelet, container runtimes,
 * sshd, systemd).
 *
 * What a process is and where it lives decide, not what it calls itself. Inside a container there is no
 * kubelet: a program of that name there is a workload's like any. Outside, a service of the node may administer the
 * host (CAP_SYS_ADMIN over the host's user namespace: who has that can end this process, too), and is
 * known by its executable or because a child of it lives in a container; or it lives in a systemd unit of the
 * node, in cgroups that the host's root made. A container that holds containers is a node itself (kind, k3d,
 * Docker in Docker), and its services have the same rights.
 */
#ifndef ENFORCE_EXEMPT_H
#define ENFORCE_EXEMPT_H

#include <stddef.h>
#include <stdint.h>

/*
 * NULL: it may be killed. Else why not, in a word or two, perhaps in buf. `path` is its cgroup's,
 * below the v2 mount at `cgroup_root`. A process that is gone may.
 */
const char *exempt_process(const char *cgroup_root, const char *path, uint32_t tgid, char *buf,
			   size_t size);
/* The same of a whole cgroup: it is the root, or a process that is exempt lives in or below it. */
const char *exempt_group(const char *cgroup_root, const char *path, char *buf, size_t size);

#endif

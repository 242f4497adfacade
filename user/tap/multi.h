/* SPDX-License-Identifier: Apache-2.0 */
/* Many probes of one program on one file by one link (6.6). */
#ifndef TAP_MULTI_H
#define TAP_MULTI_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <bpf/bpf.h>

/* BPF_TRACE_UPROBE_MULTI; a program must have been loaded for it */
#define MULTI_ATTACH_TYPE ((enum bpf_attach_type)48)

/* True when the kernel has such links, lets us make them, and filters them by process. */
bool multi_works(void);
/* `pid` 0: every process that maps the file. The link's fd, or -errno. */
int multi_link(int prog_fd, const char *path, pid_t pid, const uint64_t *offsets, uint32_t n,
	       bool is_return);

#endif

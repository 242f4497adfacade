/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Chooses where in a TLS library the probes go. A library with symbols is a row of names[] in site.c; one
 * without is recognised in anchor/. The programs that the probes run are in bpf/openssl.bpf.c, and
 * CONTRIBUTING.md lists every step to add a library. A hit costs 0.7 us where the kernel emulates the
 * instruction and 9 us where it single-steps it, so the address decides what a probed process pays
 * (docs/facts/kernel.md, "Cost of a probe"). A breakpoint in the middle of an instruction corrupts
 * the program: an address is taken only at a proven function start, or reached from one by straight
 * decoding.
 */
#ifndef FIND_ELF_SITE_H
#define FIND_ELF_SITE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "find/elf/elf.h"
#include "tap/tap.h"

#define SITES_FLAVOUR_LEN 32
#define SITES_MAX         128 /* 10 functions at most, and where they return (code.h) */

struct sites {
	char flavour[SITES_FLAVOUR_LEN]; /* "openssl-3", "boringssl", ... */
	struct tap_site at[SITES_MAX];
	size_t n;
	size_t n_stepped;      /* of them: the kernel has to single-step (correct, slower) */
	bool has_records_only; /* no TLS functions: where a TLS library beside it hands its records on */
	uint64_t write_worker; /* virtual address of ssl_write_internal, 0: not proven */
	uint64_t read_worker;
};

/*
 * 0; -ENOENT: neither OpenSSL-like TLS functions nor its BIO_write() are defined here; -ENOEXEC, -EBADMSG as elf_open;
 * -errno.
 *
 * `by_instruction`: for a kernel whose return probes are not safe. The sites then hold every return
 * instruction (TAP_RETURN), and the exported functions are taken, for the workers end with a jump
 * through a table of methods. -EOPNOTSUPP: not all of them could be found, say because SSL_write
 * itself ends so (OpenSSL before 1.1.1).
 */
int sites_find(int fd, bool by_instruction, struct sites *ret);

#endif

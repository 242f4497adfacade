/* SPDX-License-Identifier: Apache-2.0 */
/* GnuTLS by its exported functions: wget, glib-networking, curl's other build. */
#ifndef FIND_ELF_GNUTLS_H
#define FIND_ELF_GNUTLS_H

#include "find/elf/site.h"

/* As sites_find(). */
int gnutls_find(int fd, bool by_instruction, struct sites *ret);

#endif

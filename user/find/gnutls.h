/* SPDX-License-Identifier: Apache-2.0 */
/* GnuTLS by its exported functions: wget, glib-networking, curl's other build. */
#ifndef FIND_GNUTLS_H
#define FIND_GNUTLS_H

#include "find/site.h"

/* As sites_find(). */
int gnutls_find(int fd, bool by_instruction, struct sites *ret);

#endif

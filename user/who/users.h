/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of users. /etc/passwd is read here. For a user that it does not list, a thread asks the other
 * services of nsswitch.conf(5) (LDAP, SSSD), which may take seconds; until then the name is the number.
 */
#ifndef WHO_USERS_H
#define WHO_USERS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define USERS_MAX   1024 /* then all are forgotten, and asked again */
#define USERS_ASKED 64   /* wait for the thread at once; one that finds no room keeps the number */

struct users;

/* NULL: no memory. */
struct users *users_new(void);
struct users *users_free(struct users *users);
/* Never blocks for longer than a local file takes. True: the name, or the number, is the last word. */
bool users_name(struct users *users, uid_t uid, char *buf, size_t size);

#endif

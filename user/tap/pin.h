/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What outlives the daemon (on-daemon-loss: hold): the programs on the cgroup root and the maps of
 * the gates, pinned in a directory of bpffs. A daemon that finds such a directory takes over what is
 * in it: it loads its own programs around the old maps, and each link changes from the old program to
 * the new one at once. Probes are never pinned.
 */
#ifndef TAP_PIN_H
#define TAP_PIN_H

#include <stddef.h>

#define PIN_ROOT     "/sys/fs/bpf/aigress"
#define PIN_PATH_LEN 256

/* The directory for the daemon of one state directory: two daemons do not take each other's. */
void pin_dir(const char *state, char dir[PIN_PATH_LEN]);

/*
 * Takes away whatever is pinned in a directory, and the directory; for when no daemon runs. Programs
 * that no daemon holds leave the kernel with it. How many, or -errno; a directory that is not there
 * holds nothing.
 */
int pin_remove(const char *dir);
/* The same for every directory below PIN_ROOT that no daemon holds, and PIN_ROOT if it is then empty. */
int pin_remove_all(void);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Notices that the configuration file is another one: on SIGHUP, and when the file changes, also by a
 * rename, or by the swap of a symbolic link as Kubernetes does it. What is done about it is the
 * caller's.
 */
#ifndef DAEMON_RELOAD_H
#define DAEMON_RELOAD_H

struct loop;
struct reload;

struct reload_config {
	const char *path;      /* must outlive the reload */
	void (*fn)(void *arg); /* the file is to be read again */
	void *arg;
};

/* Watches the file's directory. 0 or -errno. */
int reload_new(struct reload **ret, struct loop *loop, const struct reload_config *config);
/* As if the file had changed, because what is added to it has. */
void reload_now(struct reload *reload);
struct reload *reload_free(struct reload *reload);

#endif

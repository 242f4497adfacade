/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The name servers whose answers to programs count (docs/design/050): those of the node, as it is configured, and of
 * the kubelet's pods.
 */
#ifndef DAEMON_NAME_SERVERS_H
#define DAEMON_NAME_SERVERS_H

#include <sys/socket.h>

/* More of one file are left out; the resolver itself takes three. */
#define NAME_SERVERS_MAX 16

/*
 * Calls fn for each `nameserver` of /etc/resolv.conf and /run/systemd/resolve/resolv.conf (what systemd-resolved asks
 * itself), and for each `clusterDNS` of /var/lib/kubelet/config.yaml, as far as they are there; below `root`, "" for
 * that of this process. These are files of the node's administrator, and small: they are read at once.
 */
void name_servers_each(const char *root, void (*fn)(void *arg, const struct sockaddr *server),
		       void *arg);

/* Of an address in text, without a port. 0 or -EINVAL. */
int name_server_parse(const char *text, struct sockaddr_storage *ret);

#endif

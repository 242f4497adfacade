/* SPDX-License-Identifier: Apache-2.0 */
#ifndef DAEMON_PRICES_START_H
#define DAEMON_PRICES_START_H

struct daemon;

/*
 * Loads daemon->prices: the built-in ones and over them the operator's file, if the configuration names one. A broken file
 * must not be the reason that nobody meters: then the built-in prices count, the log says so, and daemon->prices_error,
 * which others show. 0 or -errno with a sentence, to be freed.
 */
int prices_start(struct daemon *daemon, char **ret_error);

#endif

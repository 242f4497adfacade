/* SPDX-License-Identifier: Apache-2.0 */
/* What a daemon starts with, for whoever reads its log first. */
#ifndef DAEMON_SUMMARY_H
#define DAEMON_SUMMARY_H

#include <stdio.h>

struct daemon;

/* Five lines: mode and configuration, budgets, AI hosts, prices and their day, the kernel's features. */
void summary_write(const struct daemon *daemon, FILE *out);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* Who besides root may read a ledger: the members of a group, as adm(5) may read logs. */
#ifndef LEDGER_READING_GROUP_H
#define LEDGER_READING_GROUP_H

/* Created by the Debian package and by sysusers.d; whoever wants it elsewhere: groupadd --system. */
#define READING_GROUP "aigress"

/*
 * Gives the ledger's files in DIR to a group, and DIR itself if it is closed to all but its group
 * (mode 0750): a directory that others use as well, such as /tmp, keeps its group. Modes stay as they
 * are. 0, also when there is no such group or this is not root; else -errno, with the rest done.
 */
int reading_group_apply(const char *dir, const char *group);

#endif

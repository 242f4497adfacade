/* SPDX-License-Identifier: Apache-2.0 */
#include "ledger/reading_group.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "ledger/ledger.h"

static int give(int dir, const char *name, gid_t gid)
{
	if (fchownat(dir, name, (uid_t)-1, gid, AT_SYMLINK_NOFOLLOW) < 0 && errno != ENOENT)
		return -errno;
	return 0;
}

int reading_group_apply(const char *dir, const char *group)
{
	static const char *const files[] = { LEDGER_FILE, LEDGER_FILE "-wal", LEDGER_FILE "-shm",
					     "ledger.lock" };
	const struct group *entry = geteuid() ? NULL : getgrnam(group);
	_cleanup_close_ int fd = -1;
	struct stat st;
	int err = 0;

	if (!entry)
		return 0;
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if ((st.st_mode & 0777) == 0750 && fchown(fd, (uid_t)-1, entry->gr_gid) < 0)
		err = -errno;
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		int one = give(fd, files[i], entry->gr_gid);

		err = err ? err : one;
	}
	return err;
}

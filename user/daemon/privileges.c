/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/privileges.h"

#include <cap-ng.h>
#include <errno.h>
#include <stddef.h>
#include <sys/prctl.h>

#include "base/cleanup.h"

/* What each was measured to be needed for: docs/facts/kernel.md, "Capabilities". */
static const unsigned kept[] = {
	CAP_BPF,             /* maps, programs and links for processes that appear later */
	CAP_PERFMON,         /* uprobe_multi, reading user memory, perf MMAP2 records */
	CAP_NET_ADMIN,       /* SOCK_DESTROY */
	CAP_SYS_PTRACE,      /* /proc/PID/exe, root/ and map_files/ of other users' processes */
	CAP_DAC_READ_SEARCH, /* listing map_files/ (mode 0500), libraries without read permission */
	CAP_CHECKPOINT_RESTORE, /* following map_files/ links */
	CAP_KILL,               /* the kill action */
	CAP_SYS_ADMIN,          /* setns into a pod's network namespace; perf uprobes */
};

int privileges_drop(bool keep_admin)
{
	bool had[ARRAY_SIZE(kept)], may_bound;

	if (capng_get_caps_process() < 0)
		return -errno;
	/* Who started us without it (a unit, a pod) has bounded us, too. */
	may_bound = capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP);
	for (size_t i = 0; i < ARRAY_SIZE(kept); i++)
		had[i] = capng_have_capability(CAPNG_PERMITTED, kept[i]);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	capng_clear(CAPNG_SELECT_BOTH);
	for (size_t i = 0; i < ARRAY_SIZE(kept); i++) {
		if (!had[i] || (kept[i] == CAP_SYS_ADMIN && !keep_admin))
			continue;
		if (capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED | CAPNG_BOUNDING_SET,
				 kept[i]) < 0)
			return -EINVAL;
	}
	return capng_apply(may_bound ? CAPNG_SELECT_BOTH : CAPNG_SELECT_CAPS) < 0 ? -EPERM : 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* At whom a signal or a freeze is aimed, and whether it may be. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "enforce/exempt.h"
#include "enforce/incident.h"

static const char *find_reason(struct act *act, const struct policy_verdict *verdict,
			       const struct policy_subject *subject, bool is_cgroup, char *buf,
			       size_t size)
{
	const char *root = act->levers.cgroup_root ?: "/sys/fs/cgroup";
	const char *path = subject->group->path;

	if (verdict->is_protected)
		return "by a rule";
	return is_cgroup ? spare_group(root, path, buf, size) :
			   spare_process(root, path, verdict->tgid, buf, size);
}

struct deed *aim(struct act *act, struct story *story, const struct policy_verdict *verdict,
		 const struct policy_subject *subject, bool is_cgroup, bool *ret_is_new,
		 int64_t now_us)
{
	struct target target = { .id = verdict->cgroup };
	char name[WHO_PATH_LEN + 16], buf[256];
	const char *why_not;
	struct deed *deed;

	if (!is_cgroup)
		target = (struct target){ verdict->tgid, spare_start_time(verdict->tgid) };
	/* Gone already: its last charge often comes after it. */
	if (!target.id)
		return NULL;
	deed = deed_find(story, target);
	*ret_is_new = !deed;
	if (deed)
		return deed->is_void ? NULL : deed;
	if (is_cgroup)
		snprintf(name, sizeof(name), "cgroup %s", subject->group->path);
	else
		snprintf(name, sizeof(name), "process %u (%s)", verdict->tgid,
			 subject->process->comm);
	deed = deed_new(act, story, target, name);
	if (!deed)
		return NULL;
	deed->cgroup = verdict->cgroup;
	deed->is_void = true;
	why_not = find_reason(act, verdict, subject, is_cgroup, buf, sizeof(buf));
	if (why_not) {
		deed_write(act, deed, now_us, "refused: protected (%s)", why_not);
		return NULL;
	}
	if (!story_is_enforced(act, story)) {
		deed_write(act, deed, now_us, "rehearsed");
		return NULL;
	}
	if (is_cgroup) {
		deed->group = malloc(sizeof(*deed->group));
		if (!deed->group) {
			deed_write(act, deed, now_us, "failed: %s", strerror(ENOMEM));
			return NULL;
		}
		*deed->group = *subject->group;
	}
	deed->is_void = false;
	return deed;
}

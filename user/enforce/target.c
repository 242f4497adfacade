/* SPDX-License-Identifier: Apache-2.0 */
/* What a signal or a freeze is for, and whether it is allowed. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "enforce/exempt.h"
#include "enforce/family.h"
#include "enforce/incident.h"
#include "who/process.h"

static const char *find_reason(struct enforcer *enforcer, const struct policy_verdict *verdict,
			       const struct policy_subject *subject, bool is_cgroup, char *buf,
			       size_t size)
{
	const char *root = enforcer_root(enforcer);
	const char *path = subject->group->path;

	if (verdict->is_protected)
		return "by a rule";
	return is_cgroup ? exempt_group(root, path, buf, size) :
			   exempt_process(root, path, verdict->tgid, buf, size);
}

struct applied *find_targets(struct enforcer *enforcer, struct incident *incident,
			     const struct policy_verdict *verdict,
			     const struct policy_subject *subject, bool is_cgroup, bool *ret_is_new,
			     int64_t now_us)
{
	bool is_family = step_ends_family(incident->key.step);
	struct target target = { .id = verdict->cgroup };
	char name[WHO_PATH_LEN + 16], buf[256];
	const char *why_not;
	struct applied *applied;

	/* A rehearsal needs one row a cgroup; a family is that of one caller. */
	if (!is_cgroup || (is_family && incident_is_enforced(enforcer, incident)))
		target = (struct target){ verdict->tgid, process_start_time(verdict->tgid) };
	/* Gone already: its last charge often comes after it. */
	if (!target.id)
		return NULL;
	applied = applied_find(incident, target);
	*ret_is_new = !applied;
	if (applied)
		return applied->is_void ? NULL : applied;
	if (is_cgroup)
		snprintf(name, sizeof(name), "cgroup %s", subject->group->path);
	else
		snprintf(name, sizeof(name), "process %u (%s)", verdict->tgid,
			 subject->process->comm);
	applied = applied_new(enforcer, incident, target, name, subject->group, now_us);
	if (!applied)
		return NULL;
	applied->cgroup = verdict->cgroup;
	applied->is_void = true;
	why_not = find_reason(enforcer, verdict, subject, is_cgroup && !is_family, buf, sizeof(buf));
	if (why_not) {
		applied_write(enforcer, applied, now_us, ACTION_REFUSED, "refused: protected (%s)",
			      why_not);
		return NULL;
	}
	if (!incident_is_enforced(enforcer, incident)) {
		applied_write(enforcer, applied, now_us, ACTION_REHEARSED, "rehearsed");
		return NULL;
	}
	if (is_family) {
		applied->family = calloc(1, sizeof(*applied->family));
		if (applied->family)
			applied->family->group = *subject->group;
	} else if (is_cgroup) {
		applied->group = malloc(sizeof(*applied->group));
		if (applied->group)
			*applied->group = *subject->group;
	}
	if (is_cgroup && !applied->group && !applied->family) {
		applied_write(enforcer, applied, now_us, ACTION_FAILED, "failed: %s",
			      strerror(ENOMEM));
		return NULL;
	}
	applied->is_void = false;
	return applied;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "who/who.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/cleanup.h"
#include "names/names.h"
#include "who/cgroup.h"
#include "who/process.h"

struct who {
	struct cgroups *cgroups;
	struct processes *processes;
	struct names *names;    /* NULL: none */
	struct who_group group; /* the last answer */
	bool is_final;          /* are its names, as of this count of changes */
	uint64_t changes;
};

int who_new(struct who **ret, const char *cgroup_root)
{
	struct who *who = calloc(1, sizeof(*who));
	int r;

	if (!who)
		return -ENOMEM;
	who->processes = processes_new();
	r = who->processes ? cgroups_new(&who->cgroups, cgroup_root) : -ENOMEM;
	if (r < 0) {
		who_free(who);
		return r;
	}
	*ret = who;
	return 0;
}

struct who *who_free(struct who *who)
{
	if (!who)
		return NULL;
	cgroups_free(who->cgroups);
	processes_free(who->processes);
	free(who);
	return NULL;
}

int who_cgroup_mount(char *buf, size_t size)
{
	_cleanup_fclose_ FILE *mountinfo = fopen("/proc/self/mountinfo", "re");

	return mountinfo ? cgroups_find_mount(mountinfo, buf, size) : -ENOENT;
}

void who_use_names(struct who *who, struct names *names)
{
	who->names = names;
	who->group.path[0] = '\0';
}

static bool fill_names(struct names *names, struct who_group *group)
{
	const struct names_fields fields = { .container = group->container,
					     .pod_uid = &group->pod_uid,
					     .namespace = &group->namespace,
					     .pod = &group->pod,
					     .workload = &group->workload,
					     .container_name = &group->container_name,
					     .image = &group->image,
					     .labels = &group->labels };

	return names_fill(names, &fields);
}

/* The names of the last answer, as far as they are known now. */
static void name(struct who *who)
{
	if (!who->names || (who->is_final && who->changes == names_changes(who->names)))
		return;
	who->is_final = fill_names(who->names, &who->group);
	who->changes = names_changes(who->names);
}

void who_learn(struct who *who, uint64_t cgroup, const char *path)
{
	cgroups_learn(who->cgroups, cgroup, *path ? path : "/");
	if (who->group.cgroup == cgroup)
		who->group.path[0] = '\0';
}

static const struct who_group *find_group(struct who *who, uint64_t cgroup)
{
	struct who_group *group = &who->group;
	const char *path = cgroups_path(who->cgroups, cgroup);
	struct cgroups_place place = cgroups_place(who->cgroups, cgroup);

	if (place.domain != cgroup) {
		cgroup = place.domain;
		path = cgroups_path(who->cgroups, cgroup);
		place = cgroups_place(who->cgroups, cgroup);
	}
	/* One connection asks many times in a row. */
	if (path && group->cgroup == cgroup && !strcmp(group->path, path)) {
		name(who);
		return group;
	}
	memset(group, 0, sizeof(*group));
	group->cgroup = cgroup;
	if (!path) {
		snprintf(group->path, sizeof(group->path), "cgroup:%" PRIu64, cgroup);
		return group;
	}
	snprintf(group->path, sizeof(group->path), "%s", path);
	who_parse_path(group->path, group);
	group->whole_len = who_container_len(path, group->container);
	if (place.delegated_len < group->whole_len)
		group->whole_len = place.delegated_len;
	memcpy(group->container_name, group->container, sizeof(group->container));
	who->is_final = false;
	name(who);
	return group;
}

void who_group_get(struct who *who, uint64_t cgroup, struct who_group *ret)
{
	*ret = *find_group(who, cgroup);
}

struct visit {
	struct who *who;
	void (*fn)(void *arg, const struct who_group *group);
	void *arg;
};

static void visit(void *arg, uint64_t cgroup, const char *path)
{
	struct visit *visit = arg;
	struct who_group group = { .cgroup = cgroup };

	if (!strstr(path, "pod")) /* most are none, and there may be thousands */
		return;
	who_parse_path(path, &group);
	if (!group.pod_uid[0] || !group.container[0])
		return;
	snprintf(group.path, sizeof(group.path), "%s", path);
	memcpy(group.container_name, group.container, sizeof(group.container));
	if (visit->who->names)
		(void)fill_names(visit->who->names, &group);
	if (strcmp(group.container_name, WHO_SANDBOX))
		visit->fn(visit->arg, &group);
}

void who_each_container(struct who *who, void (*fn)(void *arg, const struct who_group *group),
			void *arg)
{
	struct visit job = { who, fn, arg };

	cgroups_each(who->cgroups, visit, &job);
}

uint64_t who_cgroup_id(const struct who *who, const char *path)
{
	return cgroups_id(who->cgroups, path);
}

void who_process_get(struct who *who, uint32_t tgid, const char *comm, uid_t uid,
		     struct who_process *ret)
{
	*ret = *processes_find(who->processes, tgid, comm, uid);
}

void who_forget(struct who *who, uint32_t tgid)
{
	processes_forget(who->processes, tgid);
}

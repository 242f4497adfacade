/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a cgroup's path says of its container, pod and systemd unit. Components are read from the
 * root down and each finding replaces the one above it, so the deepest wins: a node that is itself
 * a container (kind), systemd inside a container, a cgroup made inside one.
 * docs/facts/kernel.md, "Cgroup ids and paths".
 */
#include "who/who.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define ID_CHARS  64
#define UID_CHARS 36

/* One component of the path, not NUL-terminated. */
struct part {
	const char *at;
	size_t len;
};

static bool part_is(struct part part, const char *text)
{
	return part.len == strlen(text) && !memcmp(part.at, text, part.len);
}

static bool part_starts(struct part part, const char *text)
{
	return part.len >= strlen(text) && !memcmp(part.at, text, strlen(text));
}

static bool part_cut_end(struct part *part, const char *text)
{
	size_t len = strlen(text);

	if (part->len <= len || memcmp(part->at + part->len - len, text, len))
		return false;
	part->len -= len;
	return true;
}

static void copy(char *to, size_t size, struct part part)
{
	size_t len = part.len < size ? part.len : size - 1;

	memcpy(to, part.at, len);
	to[len] = '\0';
}

static bool is_hex(const char *at, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!isxdigit((unsigned char)at[i]) || isupper((unsigned char)at[i]))
			return false;
	return true;
}

/* A UUID with - or (systemd driver) _, or the 32 hex of a static pod's configuration hash. */
static bool read_uid(struct part part, char uid[WHO_UID_LEN])
{
	if (part.len == 32 && is_hex(part.at, 32)) {
		copy(uid, WHO_UID_LEN, part);
		return true;
	}
	if (part.len != UID_CHARS)
		return false;
	for (size_t i = 0; i < UID_CHARS; i++) {
		bool is_dash = i == 8 || i == 13 || i == 18 || i == 23;

		if (is_dash ? part.at[i] != '-' && part.at[i] != '_' : !is_hex(part.at + i, 1))
			return false;
	}
	copy(uid, WHO_UID_LEN, part);
	for (char *c = uid; *c; c++)
		if (*c == '_')
			*c = '-';
	return true;
}

/* "pod<uid>", or "...-pod<uid>.slice"; kubelet's cgroup_manager_linux.go makes no others. */
static bool read_pod(struct part part, char uid[WHO_UID_LEN])
{
	if (part_cut_end(&part, ".slice")) {
		for (size_t i = part.len; i-- > 4;)
			if (!memcmp(part.at + i - 4, "-pod", 4))
				return read_uid((struct part){ part.at + i, part.len - i }, uid);
		return false;
	}
	return part_starts(part, "pod") && read_uid((struct part){ part.at + 3, part.len - 3 }, uid);
}

/*
 * "<64 hex>", "<runtime>-<64 hex>", each perhaps with ".scope". conmon is the process beside a
 * container, not in it.
 */
static bool read_container(struct part part, char id[WHO_ID_LEN])
{
	struct part name;

	(void)part_cut_end(&part, ".scope");
	if (part.len < ID_CHARS || !is_hex(part.at + part.len - ID_CHARS, ID_CHARS))
		return false;
	name = (struct part){ part.at, part.len - ID_CHARS };
	if (name.len && name.at[name.len - 1] != '-')
		return false;
	if (part_is(name, "conmon-") || part_cut_end(&name, "-conmon-"))
		return false;
	copy(id, WHO_ID_LEN, (struct part){ part.at + part.len - ID_CHARS, ID_CHARS });
	return true;
}

/* A systemd kubelet over a containerd that thinks it is not: "<pod>.slice:<prefix>:<64 hex>". */
static bool read_mismatch(struct part part, struct who_group *group)
{
	const char *first = memchr(part.at, ':', part.len);
	const char *last = memrchr(part.at, ':', part.len);
	struct part id;

	if (!first || first == last)
		return false;
	id = (struct part){ last + 1, (size_t)(part.at + part.len - last - 1) };
	if (id.len != ID_CHARS || !read_container(id, group->container))
		return false;
	group->unit[0] = '\0';
	(void)read_pod((struct part){ part.at, (size_t)(first - part.at) }, group->pod_uid);
	return true;
}

/* LXC names its containers: "lxc.payload.NAME" since 4.0, "lxc.payload/NAME", "lxc/NAME" before. */
static bool read_lxc(struct part before, struct part part, char id[WHO_ID_LEN])
{
	if (part_starts(part, "lxc.payload.") && part.len > 12) {
		copy(id, WHO_ID_LEN, (struct part){ part.at + 12, part.len - 12 });
		return true;
	}
	if (part_is(before, "lxc") || part_is(before, "lxc.payload")) {
		copy(id, WHO_ID_LEN, part);
		return true;
	}
	return false;
}

/* systemd.unit(5): the types that hold processes; slices hold units. */
static bool is_unit(struct part part)
{
	static const char *const types[] = { ".service", ".scope", ".socket", ".mount", ".swap" };

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		struct part name = part;

		if (part_cut_end(&name, types[i]))
			return true;
	}
	return false;
}

static void read_part(struct part before, struct part part, struct who_group *group)
{
	if (read_mismatch(part, group))
		return;
	if (read_pod(part, group->pod_uid)) {
		/* Whatever runs the node is not this pod's. */
		group->container[0] = group->unit[0] = '\0';
		return;
	}
	if (read_container(part, group->container) || read_lxc(before, part, group->container))
		return;
	if (!is_unit(part))
		return;
	/* systemd puts _ before a name that a controller's file could have: cg_escape() */
	if (part.at[0] == '_')
		part = (struct part){ part.at + 1, part.len - 1 };
	copy(group->unit, sizeof(group->unit), part);
}

/*
 * Slurm's jobs: slurmstepd has a scope of its own, or one a node name, below which each job has a cgroup
 * (slurm.schedmd.com/cgroup_v2.html, "Slurm cgroup hierarchy"). Only in root's own slice: deeper down anybody could
 * make cgroups of these names.
 */
static void read_job(const char *path, struct who_group *group)
{
	static const char slice[] = "/system.slice/", scope[] = "slurmstepd.scope";
	struct part unit, job;

	if (strncmp(path, slice, strlen(slice)))
		return;
	unit.at = path + strlen(slice);
	unit.len = strcspn(unit.at, "/");
	job.at = unit.at + unit.len + (unit.at[unit.len] == '/');
	job.len = strcspn(job.at, "/");
	if (!part_starts(job, "job_") || job.len == strlen("job_"))
		return;
	if (!part_is(unit, scope) && !(part_cut_end(&unit, scope) && unit.at[unit.len - 1] == '_'))
		return;
	snprintf(group->workload, sizeof(group->workload), "Slurm/%.*s", (int)job.len, job.at);
}

void who_parse_path(const char *path, struct who_group *group)
{
	struct part before = { "", 0 };

	group->container[0] = group->unit[0] = group->pod_uid[0] = '\0';
	read_job(path, group);
	while (*path) {
		struct part part = { path, strcspn(path, "/") };

		path += part.len;
		path += strspn(path, "/");
		if (part.len)
			read_part(before, part, group);
		before = part;
	}
}

size_t who_container_len(const char *path, const char *container)
{
	char top[WHO_PATH_LEN];
	struct who_group group;
	size_t len = 0;

	while (*container && path[len] == '/' && path[len + 1]) {
		len += 1 + strcspn(path + len + 1, "/");
		snprintf(top, sizeof(top), "%.*s", (int)len, path);
		who_parse_path(top, &group);
		if (!strcmp(group.container, container))
			return len;
	}
	return strlen(path);
}

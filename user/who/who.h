/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Identity: a v2 cgroup id becomes a path, a container, a pod, a systemd unit; a pid becomes a
 * command, an executable and a user. Names outlive their cgroup and process for as long as the
 * tables below hold them.
 */
#ifndef WHO_WHO_H
#define WHO_WHO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "names/pod.h"

#define WHO_PATH_LEN 512
#define WHO_COMM_LEN 16
#define WHO_EXE_LEN  256

/* Everything known of a cgroup. A string that is not known is empty. */
struct who_group {
	uint64_t cgroup;
	char path[WHO_PATH_LEN]; /* below the v2 mount, "/" for the root */
	/*
	 * How much of path leads to what this is a part of: a tenant may make cgroups below one that was delegated
	 * to it, and inside of its container. 0: all of it.
	 */
	size_t whole_len;
	char container[WHO_ID_LEN];
	char unit[WHO_NAME_LEN]; /* systemd: "nginx.service", "session-3.scope" */
	char pod_uid[WHO_UID_LEN];
	char pod[WHO_NAME_LEN];
	char namespace[WHO_NAME_LEN];
	char workload[WHO_NAME_LEN];       /* "Deployment/agents" */
	char container_name[WHO_NAME_LEN]; /* the id where no name is known */
	char image[WHO_NAME_LEN];          /* of the container, as "registry.example/web:1.2" */
	char labels[WHO_LABELS_LEN];       /* "name=value,name=value"; neither can hold a comma */
};

struct who_process {
	uint32_t tgid;
	uid_t uid;
	char user[64]; /* name of uid, else the number */
	char comm[WHO_COMM_LEN];
	char exe[WHO_EXE_LEN]; /* path as /proc/PID/exe gives it; may be empty */
};

struct who;
struct names;

/*
 * `cgroup_root` is the v2 mount (who_cgroup_mount() finds it), which is walked once; NULL: only what
 * is learned is known, as in a replay. 0 or -errno.
 */
int who_new(struct who **ret, const char *cgroup_root);
struct who *who_free(struct who *who);

/* The v2 mount point of this host, from /proc/self/mountinfo; hybrid hosts too. 0 or -ENOENT. */
int who_cgroup_mount(char *buf, size_t size);

/* Where pods' and containers' names come from (names.h); NULL: nowhere. It stays the caller's. */
void who_use_names(struct who *who, struct names *names);

/* The kernel reported a new cgroup (EV_CGROUP). */
void who_learn(struct who *who, uint64_t cgroup, const char *path);
/* What is known of a cgroup; of one of threads, what is known of its domain. An id that is not known gives a group whose path is "cgroup:<id>". */
void who_group_get(struct who *who, uint64_t cgroup, struct who_group *ret);
/*
 * Each container of a pod that is known, with its names; not sandboxes. Some may be gone. The group is
 * valid within fn, which may ask for others.
 */
void who_each_container(struct who *who, void (*fn)(void *arg, const struct who_group *group),
			void *arg);
/* The id of a live cgroup directory, 0 if there is none. */
uint64_t who_cgroup_id(const struct who *who, const char *path);

/*
 * What is known of a process; `comm` and `uid` are as the kernel saw them. WHO_NO_UID: it saw none
 * (of a flow), then /proc is asked; a process that is gone and was never asked about has no user.
 */
#define WHO_NO_UID ((uid_t)-1)
void who_process_get(struct who *who, uint32_t tgid, const char *comm, uid_t uid,
		     struct who_process *ret);
/* It replaced its image: forget what was cached. One that ended is known until its pid is reused. */
void who_forget(struct who *who, uint32_t tgid);

/*
 * What a person calls it: "namespace/pod container", "project/service", a unit, a container's id, else the path.
 * Names are as they are made: what prints them makes them plain.
 */
#define WHO_LABEL_LEN (3 * WHO_NAME_LEN)
char *who_label(const struct who_group *group, char ret[WHO_LABEL_LEN]);

/* Fills container, unit and pod_uid, and of a Slurm job the workload, from a path: docs/facts/kernel.md, "Cgroup ids and paths". */
void who_parse_path(const char *path, struct who_group *group);
/* How much of a path leads to the cgroup that holds the container; all of it if that is "". */
size_t who_container_len(const char *path, const char *container);

#endif

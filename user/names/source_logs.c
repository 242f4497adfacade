/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kubelet's log folders, which exist on every node and need no right in the cluster:
 *
 * 	/var/log/pods/NAMESPACE_POD_UID/CONTAINER/0.log
 * 	/var/log/containers/POD_NAMESPACE_CONTAINER-ID.log, a link into the former
 *
 * The folder of a pod is created before its sandbox (kubelet's createPodSandbox()), so the pod has a name
 * before its first process runs; the link is created right after a container has started. Both outlive the
 * container by a minute, and inotify reports their names, so a container that lived for 200 ms is not missed.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/inotify.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/loop.h"
#include "names/podlist.h"
#include "names/source.h"
#include "names/workload.h"

#define PODS_DIR        "/var/log/pods"
#define CONNECTIONS_DIR "/var/log/containers"
#define SCAN_MAX        65536        /* entries of a folder that are read */
#define SCAN_NS         NAMES_ASK_NS /* least time between full scans */

struct logs {
	struct source_env env;
	int inotify, pods_watch, connections_watch;
	struct loop_source *events;
	uint64_t scanned_ns;
};

/*
 * Takes the next field up to a mark and moves past it. False: there is no such mark, or the field is not a
 * valid name.
 */
static bool next_field(const char **text, char mark, char *ret, size_t size)
{
	const char *end = strchr(*text, mark);
	size_t len = end ? (size_t)(end - *text) : 0;

	if (!len || len >= size)
		return false;
	memcpy(ret, *text, len);
	ret[len] = '\0';
	*text = end + 1;
	return podlist_is_name(ret, size);
}

/* "NAMESPACE_POD_UID": neither name can contain an underscore. */
static bool parse_folder(const char *text, struct who_pod *pod)
{
	memset(pod, 0, sizeof(*pod));
	if (!next_field(&text, '_', pod->namespace, sizeof(pod->namespace)) ||
	    !next_field(&text, '_', pod->name, sizeof(pod->name)) ||
	    !podlist_is_name(text, sizeof(pod->uid)))
		return false;
	strcpy(pod->uid, text);
	workload_guess(pod->name, pod->workload, sizeof(pod->workload));
	return true;
}

static void learn_folder(struct logs *logs, const char *name)
{
	struct who_pod pod;

	if (!parse_folder(name, &pod))
		return;
	pods_learn(logs->env.pods, &pod, PODS_PATHS);
	logs->env.hooks->seen(logs->env.names, pod.uid);
}

/* "POD_NAMESPACE_CONTAINER-ID.log" -> "/var/log/pods/NAMESPACE_POD_UID/CONTAINER/0.log" */
static bool parse_link(const char *name, const char *target, struct who_pod *pod,
		       struct who_container *container)
{
	static const char end[] = ".log";
	size_t len = strlen(name), id = sizeof(container->id) - 1;
	const char *folder = strstr(target, "/pods/");
	char copy[NAME_MAX + 1];

	if (!folder || len < id + sizeof(end) || strcmp(name + len - strlen(end), end))
		return false;
	memcpy(container->id, name + len - strlen(end) - id, id);
	container->id[id] = '\0';
	folder += strlen("/pods/");
	if (!podlist_is_name(container->id, sizeof(container->id)) ||
	    !next_field(&folder, '/', copy, sizeof(copy)) || !parse_folder(copy, pod) ||
	    !next_field(&folder, '/', container->name, sizeof(container->name)))
		return false;
	memcpy(container->pod_uid, pod->uid, sizeof(pod->uid));
	return true;
}

static void learn_link(struct logs *logs, int dir, const char *name)
{
	struct who_container container;
	char target[PATH_MAX];
	struct who_pod pod;
	ssize_t n = readlinkat(dir, name, target, sizeof(target) - 1);

	if (n <= 0)
		return;
	target[n] = '\0';
	if (!parse_link(name, target, &pod, &container))
		return;
	pods_learn(logs->env.pods, &pod, PODS_PATHS);
	pods_learn_container(logs->env.pods, &container, PODS_PATHS);
}

/* 0 or -errno of opening it. */
static int scan(struct logs *logs, const char *path, bool is_links)
{
	char full[PATH_MAX];
	struct dirent *entry;
	DIR *dir;

	if (!source_path(logs->env.config, path, full))
		return -ENAMETOOLONG;
	dir = opendir(full);
	if (!dir)
		return -errno;
	for (size_t i = 0; i < SCAN_MAX && (entry = readdir(dir)); i++) {
		if (is_links)
			learn_link(logs, dirfd(dir), entry->d_name);
		else
			learn_folder(logs, entry->d_name);
	}
	closedir(dir);
	return 0;
}

/* Folders first: a link names a pod as well, but not every pod has one yet. */
static int scan_both(struct logs *logs)
{
	int err = scan(logs, PODS_DIR, false);

	logs->scanned_ns = clock_mono_ns();
	if (!err)
		(void)scan(logs, CONNECTIONS_DIR, true);
	return err;
}

static void on_entry(struct logs *logs, const struct inotify_event *event)
{
	_cleanup_close_ int dir = -1;
	char path[PATH_MAX];

	if (event->mask & IN_Q_OVERFLOW) {
		(void)scan_both(logs);
		return;
	}
	/* The folder itself was removed. When a name is asked for, the folder is looked for again. */
	if (event->mask & IN_IGNORED) {
		if (event->wd == logs->pods_watch)
			logs->pods_watch = -1;
		else if (event->wd == logs->connections_watch)
			logs->connections_watch = -1;
	}
	if (!event->len)
		return;
	if (event->wd == logs->pods_watch)
		return learn_folder(logs, event->name);
	if (event->wd != logs->connections_watch ||
	    !source_path(logs->env.config, CONNECTIONS_DIR, path))
		return;
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir >= 0)
		learn_link(logs, dir, event->name);
}

static void on_events(void *arg)
{
	char buf[16384] __attribute__((aligned(__alignof__(struct inotify_event))));
	struct logs *logs = arg;
	ssize_t n;

	while ((n = read(logs->inotify, buf, sizeof(buf))) > 0)
		for (char *at = buf; at < buf + n;) {
			const struct inotify_event *event = (const struct inotify_event *)at;

			on_entry(logs, event);
			at += sizeof(*event) + event->len;
		}
}

static int watch(struct logs *logs, const char *path, int *ret)
{
	char full[PATH_MAX];

	if (!source_path(logs->env.config, path, full))
		return -ENAMETOOLONG;
	*ret = inotify_add_watch(logs->inotify, full, IN_CREATE | IN_MOVED_TO | IN_ONLYDIR);
	return *ret < 0 ? -errno : 0;
}

static void logs_stop(void *source)
{
	struct logs *logs = source;

	loop_remove(logs->events);
	if (logs->inotify >= 0)
		close(logs->inotify);
	free(logs);
}

static int logs_start(const struct source_env *env, void **ret)
{
	struct logs *logs = calloc(1, sizeof(*logs));
	int err;

	if (!logs)
		return -ENOMEM;
	logs->env = *env;
	logs->connections_watch = -1;
	logs->inotify = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	err = logs->inotify < 0 ? -errno : watch(logs, PODS_DIR, &logs->pods_watch);
	if (!err)
		(void)watch(logs, CONNECTIONS_DIR, &logs->connections_watch);
	/* Watched before the scan, so that nothing is missed in between. */
	if (!err)
		err = scan_both(logs);
	if (!err)
		err = loop_add_fd(env->loop, logs->inotify, on_events, logs, &logs->events);
	if (err) {
		logs_stop(logs);
		return err == -ENOENT ? -ENODEV : err;
	}
	*ret = logs;
	return 0;
}

/* Reads inotify events that the loop has not handled yet. */
static void logs_want(void *source, const char *container, const char *uid)
{
	struct logs *logs = source;

	on_events(logs);
	if (logs->pods_watch < 0)
		(void)watch(logs, PODS_DIR, &logs->pods_watch);
	if (logs->connections_watch < 0)
		(void)watch(logs, CONNECTIONS_DIR, &logs->connections_watch);
	if (clock_mono_ns() - logs->scanned_ns >= SCAN_NS)
		(void)scan_both(logs);
}

const struct source source_logs = {
	.name = "log folders",
	.start = logs_start,
	.want = logs_want,
	.stop = logs_stop,
};

/* SPDX-License-Identifier: Apache-2.0 */
/* A tree of directories with the files of cgroup v2, and children to put into them. */
#ifndef UNIT_FAKE_CGROUPS_H
#define UNIT_FAKE_CGROUPS_H

#include "unit.h"

#include <signal.h>
#include <sys/wait.h>

static char fake_root[UNIT_FOLDER_LEN];

static inline int fake_cgroups_make(void **state)
{
	return unit_folder(fake_root);
}

static inline int fake_cgroups_remove(void **state)
{
	return unit_remove(fake_root);
}

/* fake_root + path, in one of some buffers. */
static inline const char *fake_path(const char *path)
{
	static char paths[8][192];
	static size_t n;
	char *at = paths[n++ % 8];

	snprintf(at, sizeof(paths[0]), "%s%s", fake_root, path);
	return at;
}

static inline void fake_write(const char *path, const char *text)
{
	unit_write(fake_path(path), text, strlen(text));
}

/* What the file holds, as far as 63 bytes; NULL: there is none. */
static inline const char *fake_read(const char *path)
{
	static char text[64];
	FILE *file = fopen(fake_path(path), "r");
	size_t n;

	if (!file)
		return NULL;
	n = fread(text, 1, sizeof(text) - 1, file);
	text[n] = '\0';
	fclose(file);
	return text;
}

static inline void fake_procs(const char *group, const pid_t *pids, size_t n)
{
	char path[128], text[128] = "";

	for (size_t i = 0; i < n; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%d\n", pids[i]);
	snprintf(path, sizeof(path), "%s/cgroup.procs", group);
	fake_write(path, text);
}

/* The directory's inode number, which is the cgroup's id. */
static inline uint64_t fake_group(const char *group)
{
	struct stat st;

	assert_int_equal(mkdir(fake_path(group), 0700), 0);
	assert_int_equal(stat(fake_path(group), &st), 0);
	return st.st_ino;
}

static inline pid_t fake_child(void)
{
	pid_t child = fork();

	assert_true(child >= 0);
	while (child == 0)
		pause();
	return child;
}

static inline bool child_is_stopped(pid_t child)
{
	siginfo_t info = { 0 };

	return !waitid(P_PID, (id_t)child, &info, WSTOPPED | WNOHANG) && info.si_pid == child;
}

/* The next change of its state, waited for. */
static inline int child_change(pid_t child)
{
	siginfo_t info = { 0 };

	assert_int_equal(waitid(P_PID, (id_t)child, &info, WSTOPPED | WCONTINUED | WEXITED), 0);
	return info.si_code;
}

static inline void child_end(pid_t child)
{
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
}

#define FAKED(test) cmocka_unit_test_setup_teardown(test, fake_cgroups_make, fake_cgroups_remove)

#endif

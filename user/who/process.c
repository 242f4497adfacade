/* SPDX-License-Identifier: Apache-2.0 */
#include "who/process.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/hash.h"
#include "who/users.h"

struct process {
	struct who_process is;
	uint64_t started; /* clock ticks after boot; 0: it was gone already */
	uint64_t checked_ns;
	bool is_named;     /* is.user is the last word */
	UT_hash_handle hh; /* in the order of last use */
};

struct processes {
	struct process *processes;
	struct users *users;
	struct who_process nobody; /* the answer when memory is out */
};

struct processes *processes_new(void)
{
	struct processes *processes = calloc(1, sizeof(*processes));

	if (processes)
		processes->users = users_new();
	if (processes && !processes->users) {
		free(processes);
		return NULL;
	}
	return processes;
}

static void drop(struct processes *processes, struct process *process)
{
	HASH_DEL(processes->processes, process);
	free(process);
}

struct processes *processes_free(struct processes *processes)
{
	struct process *process, *next;

	if (!processes)
		return NULL;
	HASH_ITER(hh, processes->processes, process, next)
		drop(processes, process);
	users_free(processes->users);
	free(processes);
	return NULL;
}

static void name_user(struct processes *processes, struct process *process)
{
	struct who_process *is = &process->is;

	process->is_named = is->uid == WHO_NO_UID ||
			    users_name(processes->users, is->uid, is->user, sizeof(is->user));
}

/* What is wanted of /proc/PID/stat: proc(5). */
struct stat_line {
	char comm[WHO_COMM_LEN]; /* the name of the first thread */
	char state;
	uint64_t threads;     /* field 20 */
	uint64_t start_ticks; /* field 22 */
};

/* The name may hold anything, parentheses too, so the last one ends it. False: no such process. */
static bool read_stat(uint32_t tgid, struct stat_line *ret)
{
	char path[32], buf[1024], *open_at, *close_at, *field;
	_cleanup_close_ int fd = -1;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%u/stat", tgid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, buf, sizeof(buf) - 1);
	if (n <= 0)
		return false;
	buf[n] = '\0';
	open_at = strchr(buf, '(');
	close_at = strrchr(buf, ')');
	if (!open_at || !close_at || close_at < open_at || close_at[1] != ' ')
		return false;
	*close_at = '\0';
	snprintf(ret->comm, sizeof(ret->comm), "%s", open_at + 1);
	ret->state = close_at[2];
	field = close_at + 1;
	ret->threads = 0;
	for (int i = 3; i < 22 && field; i++) {
		field = strchr(field + 1, ' ');
		if (field && i == 19)
			ret->threads = strtoull(field, NULL, 10);
	}
	ret->start_ticks = field ? strtoull(field, NULL, 10) : 0;
	return ret->start_ticks;
}

uint64_t process_start_time(uint32_t tgid)
{
	struct stat_line line;

	if (!read_stat(tgid, &line))
		return 0;
	/* A process whose first thread alone has ended shows that one's state, and lives. */
	return strchr("ZX", line.state) && line.threads < 2 ? 0 : line.start_ticks;
}

bool process_is_stopped(uint32_t tgid)
{
	char path[64], name[64 + NAME_MAX + 8], line[1024];
	struct dirent *entry;
	bool runs = false;
	DIR *threads;

	snprintf(path, sizeof(path), "/proc/%u/task", tgid);
	threads = opendir(path);
	while (threads && !runs && (entry = readdir(threads))) {
		_cleanup_fclose_ FILE *file = NULL;
		const char *behind;

		if (entry->d_name[0] == '.')
			continue;
		snprintf(name, sizeof(name), "%s/%s/stat", path, entry->d_name);
		file = fopen(name, "re");
		behind = file && fgets(line, sizeof(line), file) ? strrchr(line, ')') : NULL;
		runs = behind && !strchr("TtZX", behind[2]);
	}
	if (threads)
		closedir(threads);
	return !runs;
}

/* A process's files in /proc are its effective user's, root's if it may not be dumped: proc(5). */
static uid_t owner(uint32_t tgid)
{
	char path[32];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%u", tgid);
	return stat(path, &st) ? WHO_NO_UID : st.st_uid;
}

static void read_exe(struct who_process *process)
{
	static const char gone[] = " (deleted)";
	char path[32], exe[PATH_MAX];
	size_t len;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%u/exe", process->tgid);
	n = readlink(path, exe, sizeof(exe) - 1);
	if (n <= 0)
		return;
	exe[n] = '\0';
	len = (size_t)n;
	if (len > sizeof(gone) - 1 && !strcmp(exe + len - (sizeof(gone) - 1), gone))
		len -= sizeof(gone) - 1;
	if (len >= sizeof(process->exe))
		len = sizeof(process->exe) - 1;
	memcpy(process->exe, exe, len);
}

/* The last part of a path, as the kernel would have it for a thread's name. */
static void short_name(const char *path, char ret[WHO_COMM_LEN])
{
	const char *slash = strrchr(path, '/');

	snprintf(ret, WHO_COMM_LEN, "%.*s", WHO_COMM_LEN - 1, slash ? slash + 1 : path);
}

static bool is_among(const char *name, const char *words, size_t len)
{
	char short_word[WHO_COMM_LEN];

	for (const char *word = words; word < words + len; word += strlen(word) + 1) {
		short_name(word, short_word);
		if (!strcmp(short_word, name))
			return true;
	}
	return false;
}

/* Is it the name of one of the first words of the command line: the program, or its script? */
static bool is_on_command_line(const struct who_process *process)
{
	char path[32], words[4096];
	_cleanup_close_ int fd = -1;
	bool is_there;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%u/cmdline", process->tgid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, words, sizeof(words) - 1);
	if (n <= 0)
		return true; /* nothing is known that would speak against it */
	words[n] = '\0';
	is_there = is_among(process->comm, words, (size_t)n);
	explicit_bzero(words, sizeof(words)); /* prompts and keys are arguments, too */
	return is_there;
}

/* Node 24 calls its first thread MainThread: a name that no program and no script has is none. */
static void name_command(struct who_process *process)
{
	char name[WHO_COMM_LEN];

	if (!process->exe[0])
		return;
	short_name(process->exe, name);
	if (name[0] && strcmp(name, process->comm) && !is_on_command_line(process))
		memcpy(process->comm, name, sizeof(process->comm));
}

/* True if the pid is (still, or for all that can be known) the process of this entry. */
static bool is_same(struct process *process, uid_t uid)
{
	uint64_t now_ns = clock_mono_ns();
	struct stat_line line;

	if ((process->is.uid == uid || uid == WHO_NO_UID) &&
	    now_ns - process->checked_ns < PROCESSES_FRESH_NS)
		return true;
	process->checked_ns = now_ns;
	return !read_stat(process->is.tgid, &line) || line.start_ticks == process->started;
}

const struct who_process *processes_find(struct processes *processes, uint32_t tgid,
					 const char *comm, uid_t uid)
{
	struct process *process;
	struct stat_line line;

	HASH_FIND(hh, processes->processes, &tgid, sizeof(tgid), process);
	if (process && !is_same(process, uid)) {
		drop(processes, process);
		process = NULL;
	}
	if (process) {
		HASH_TOUCH(hh, processes->processes, process);
		if (process->is.uid != uid && uid != WHO_NO_UID) {
			process->is.uid = uid;
			process->is_named = false;
		}
		if (!process->is_named)
			name_user(processes, process);
		return &process->is;
	}
	if (HASH_COUNT(processes->processes) >= PROCESSES_MAX)
		drop(processes, processes->processes);
	process = calloc(1, sizeof(*process));
	if (!process) {
		processes->nobody = (struct who_process){ .tgid = tgid, .uid = uid };
		return &processes->nobody;
	}
	process->is.tgid = tgid;
	process->is.uid = uid == WHO_NO_UID ? owner(tgid) : uid;
	process->checked_ns = clock_mono_ns();
	/*
	 * The kernel's name is that of the thread that called; Java and newer Python name their
	 * threads by task. The process is called what its first thread is called, where that can
	 * still be read.
	 */
	if (read_stat(tgid, &line)) {
		process->started = line.start_ticks;
		memcpy(process->is.comm, line.comm, sizeof(process->is.comm));
	} else {
		snprintf(process->is.comm, sizeof(process->is.comm), "%.*s", WHO_COMM_LEN - 1, comm);
	}
	read_exe(&process->is);
	if (process->started)
		name_command(&process->is);
	name_user(processes, process);
	HASH_ADD(hh, processes->processes, is.tgid, sizeof(process->is.tgid), process);
	if (!process->hh.tbl) {
		processes->nobody = process->is;
		free(process);
		return &processes->nobody;
	}
	return &process->is;
}

void processes_forget(struct processes *processes, uint32_t tgid)
{
	struct process *process;

	HASH_FIND(hh, processes->processes, &tgid, sizeof(tgid), process);
	if (process)
		drop(processes, process);
}

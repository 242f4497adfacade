/* SPDX-License-Identifier: Apache-2.0 */
#include "enforce/watchdog.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "base/hash.h"
#include "enforce/freezer.h"

enum kind { PROCESS, STOPPED, FROZEN };

/* One message, and the key of what is remembered. Padding is zero: it is hashed as bytes. */
struct note {
	uint64_t start_ticks;
	uint32_t tgid;
	uint32_t kind;
	char dir[PATH_MAX]; /* sent and kept as far as its NUL */
};
struct message {
	uint32_t is_halted, reserved;
	struct note note;
};

struct kept {
	UT_hash_handle hh;
	struct note note;
};

struct watchdog {
	int fd;
	pid_t child;
};

static size_t note_len(const struct note *note)
{
	return offsetof(struct note, dir) + strlen(note->dir) + 1;
}

/* ---- the child ---- */

static void resume(const struct note *note)
{
	if (note->kind == PROCESS)
		(void)freezer_signal_process(note->tgid, note->start_ticks, SIGCONT);
	else if (note->kind == STOPPED)
		(void)freezer_signal(note->dir, SIGCONT);
	else
		(void)freezer_set(note->dir, false);
}

/* False: it cannot be remembered. */
static bool take_down(struct kept **list, const struct message *message)
{
	size_t len = note_len(&message->note);
	struct kept *kept;

	HASH_FIND(hh, *list, &message->note, len, kept);
	if (!message->is_halted) {
		if (kept)
			HASH_DEL(*list, kept);
		free(kept);
		return true;
	}
	if (kept)
		return true;
	if (HASH_COUNT(*list) >= WATCHDOG_MAX)
		return false;
	kept = calloc(1, offsetof(struct kept, note) + len);
	if (!kept)
		return false;
	memcpy(&kept->note, &message->note, len);
	HASH_ADD(hh, *list, note, len, kept);
	if (kept->hh.tbl)
		return true;
	free(kept);
	return false;
}

static void keep(int fd)
{
	struct kept *list = NULL, *kept, *next;
	static struct message message;
	char taken;
	ssize_t n;

	for (;;) {
		memset(&message, 0, sizeof(message));
		n = recv(fd, &message, sizeof(message), 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < (ssize_t)offsetof(struct message, note.dir))
			break;
		message.note.dir[PATH_MAX - 1] = '\0';
		taken = take_down(&list, &message);
		if (send(fd, &taken, 1, MSG_NOSIGNAL) != 1)
			break;
	}
	HASH_ITER(hh, list, kept, next)
		resume(&kept->note);
	_exit(0);
}

static void become_watchdog(int fd)
{
	sigset_t none;

	/* Ctrl-C and a service manager's SIGTERM reach every process; this one waits for the daemon. */
	setsid();
	signal(SIGTERM, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	prctl(PR_SET_NAME, "aigress-wdog"); /* 15 characters at most */
	prctl(PR_SET_DUMPABLE, 0);
	if (dup2(fd, 0) < 0)
		_exit(1);
	close_range(1, ~0U, 0);
	if (chdir("/") < 0)
		_exit(1);
	keep(0);
}

/* ---- the daemon ---- */

int watchdog_new(struct watchdog **ret)
{
	_cleanup_free_ struct watchdog *watchdog = calloc(1, sizeof(*watchdog));
	int ends[2];

	if (!watchdog)
		return -ENOMEM;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return -errno;
	watchdog->child = fork();
	if (watchdog->child == 0)
		become_watchdog(ends[1]);
	close(ends[1]);
	if (watchdog->child < 0) {
		int err = -errno;

		close(ends[0]);
		return err;
	}
	watchdog->fd = ends[0];
	*ret = take(watchdog);
	return 0;
}

struct watchdog *watchdog_free(struct watchdog *watchdog)
{
	if (!watchdog)
		return NULL;
	close(watchdog->fd);
	while (waitpid(watchdog->child, NULL, 0) < 0 && errno == EINTR)
		;
	free(watchdog);
	return NULL;
}

/* Waits for the answer, so that only what is listed is stopped: a socket's round trip, some 20 us. */
static int send_message(struct watchdog *watchdog, const struct message *message)
{
	size_t len = offsetof(struct message, note) + note_len(&message->note);
	char taken;

	if (!watchdog)
		return 0;
	if (send(watchdog->fd, message, len, MSG_NOSIGNAL) != (ssize_t)len ||
	    recv(watchdog->fd, &taken, 1, 0) != 1)
		return -EPIPE;
	return taken ? 0 : -ENOBUFS;
}

int watchdog_process(struct watchdog *watchdog, bool is_halted, uint32_t tgid, uint64_t start_ticks)
{
	struct message message = {
		.is_halted = is_halted,
		.note = { .kind = PROCESS, .tgid = tgid, .start_ticks = start_ticks }
	};

	return send_message(watchdog, &message);
}

int watchdog_cgroup(struct watchdog *watchdog, bool is_halted, bool is_frozen, const char *dir)
{
	struct message message = { .is_halted = is_halted,
				   .note = { .kind = is_frozen ? FROZEN : STOPPED } };

	snprintf(message.note.dir, sizeof(message.note.dir), "%s", dir);
	return send_message(watchdog, &message);
}

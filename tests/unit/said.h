/* SPDX-License-Identifier: Apache-2.0 */
/* A subcommand as a shell calls it: words in, text and exit code out. */
#ifndef UNIT_SAID_H
#define UNIT_SAID_H

#include "unit.h"

#include <sys/wait.h>

struct said {
	int code;
	char out[262144], err[32768]; /* check tells of every program of the host that may call */
};

static inline void said_read(int fd, char *to, size_t size)
{
	ssize_t n = pread(fd, to, size - 1, 0);

	assert_true(n >= 0 && (size_t)n < size - 1);
	to[n] = '\0';
}

/* In a child: argp ends the process, and its state is global. `words` ends with NULL. */
static inline void run(struct said *said, int (*command)(int argc, char **argv), char **words)
{
	FILE *out = tmpfile(), *err = tmpfile();
	int status, argc = 0;
	pid_t pid;

	while (words[argc])
		argc++;
	fflush(NULL);
	pid = fork();
	if (!pid) {
		dup2(fileno(out), STDOUT_FILENO);
		dup2(fileno(err), STDERR_FILENO);
		exit(command(argc, words));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	said->code = WEXITSTATUS(status);
	said_read(fileno(out), said->out, sizeof(said->out));
	said_read(fileno(err), said->err, sizeof(said->err));
	fclose(out);
	fclose(err);
}

#define RUN(said, command, ...) run(said, command, (char *[]){ __VA_ARGS__, NULL })

static inline void contains(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("\"%s\" is not in\n%s", part, text);
}

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Has files looked into by processes that have nothing else: no capability, no file system, no network, no descriptor
 * but the file's and a socket for the answer (inspect.h). A file that makes something of its reader has a process that may
 * compute for some seconds, and say something wrong about that file.
 */
#ifndef FIND_INSPECTOR_H
#define FIND_INSPECTOR_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "find/stack.h"

struct inspector;

/* Starts the program itself (/proc/self/exe) as those processes, and has them look into it. 0 or -errno. */
int inspector_new(struct inspector **ret);
/* For one more user, who frees it, too: a thread that may be left behind. NULL is nothing; returns it. */
struct inspector *inspector_keep(struct inspector *inspector);
/* With its last user its processes end, but for one that is stuck in a file. NULL is nothing; returns NULL. */
struct inspector *inspector_free(struct inspector *inspector);

struct inspector_job {
	int fd; /* the file, open for reading; stays the caller's */
	bool by_instruction;
	enum stack_depth depth; /* of inspector_find() */
	const char *cache;      /* a folder that remembers searches (anchor/cache.h), or NULL */
	pid_t process; /* who looks; another thread may ask inspector_used_ns() meanwhile */
	char why[96]; /* with -EOWNERDEAD: what happened, as "the process that read it ..." goes on */
};

/*
 * As stack_find() and stack_explain(). Also -EOWNERDEAD: the file's process died of it, took too long or gave an answer
 * that cannot be true; -EPIPE, -ECHILD, -errno: no process was to be had. In any thread, one at
 * a time beside those that were given up. `inspector`
 * NULL: in this process, as tests do.
 */
int inspector_find(struct inspector *inspector, struct inspector_job *job, struct sites *ret);
int inspector_explain(struct inspector *inspector, struct inspector_job *job,
		      struct stack_explanation *ret);

/* CPU time of the job's process until now; 0: there is none. */
uint64_t inspector_used_ns(const struct inspector_job *job);

#endif

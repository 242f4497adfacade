/* SPDX-License-Identifier: Apache-2.0 */
/* What attach.c, which puts probes on the files of processes, and behind.c, which guesses at some, share. */
#ifndef FIND_ATTACH_INTERNAL_H
#define FIND_ATTACH_INTERNAL_H

#include "find/attach.h"
#include "find/files.h"
#include "find/look.h"
#include "find/sticky.h"

/* Probes on one file for one process. */
struct link {
	struct file *file;
	struct process *process;
	struct tap_probes *probes;
	LIST_ENTRY(link) of_file, of_process;
};

struct process {
	uint32_t tgid;
	uint64_t start; /* procs_start(): reveals that a tgid was reused */
	uint64_t tenant;
	LIST_HEAD(, link) links;
	bool is_counted; /* in n_processes_probed */
	uint64_t guessed_ns; /* since when it has probes only as it may be behind a relay; 0: it has greeted */
	uint64_t relay_place; /* of the relay that it may be behind; 0: there is none */
	uint32_t relay;       /* its process */
	bool has_called;      /* since it was guessed: it keeps its probes */
	UT_hash_handle hh;
};

struct attach {
	struct tap *tap;
	enum find_mode mode;
	uint64_t guess_ns;
	struct look *look;
	struct files files;
	struct process *processes;
	size_t n_links;
	bool has_told_denied;
	bool is_sweeping; /* who stands there without a call is no newcomer: nothing sticks to it */
	struct sticky sticky;
	uint64_t n_files_probed, n_processes_probed, n_failures;
	uint64_t n_refused; /* processes */
};

/* Of those that get probes; NULL: none of them. */
struct process *attach_known(struct attach *attach, uint32_t tgid);
/* Puts a process on the list of those that get probes; NULL: it is gone, or there is no room. */
struct process *attach_enlist(struct attach *attach, uint32_t tgid);
/* Probes what the process maps. */
void attach_meet(struct attach *attach, uint32_t tgid);
/* Takes its probes away and forgets it. */
void attach_drop(struct attach *attach, struct process *process);

#endif

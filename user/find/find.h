/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Discovery: which files hold TLS functions, where in them, which processes map them; keeps probes
 * on each such file once and takes them away with its last user. News of mappings come from the
 * kernel (perf MMAP2 records), never from polling /proc.
 */
#ifndef FIND_FIND_H
#define FIND_FIND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct find;
struct loop;
struct tap;

enum find_mode {
	FIND_ON_SIGHT, /* a process is probed when it greets an AI host (find_greeted) */
	FIND_EVERYONE, /* each TLS library file is probed once, for all who map it */
	FIND_NEVER,    /* flows only */
};

/* By what the return of a TLS function is seen. */
enum find_returns {
	FIND_RETURN_PROBES,       /* the kernel's: the return address on the stack is exchanged */
	FIND_RETURN_INSTRUCTIONS, /* a probe on each return instruction: where those hurt (selftest.h) */
};

/* The folder of the state directory in which what was found in files is kept (find_config.cache). */
#define FIND_SEARCHES "searches"

struct find_config {
	enum find_mode mode;
	enum find_returns returns;
	const char *cache; /* folder where searches of files are remembered; NULL: none. The caller's, for good */
};

/* Starts the news of mappings on the loop. 0 or -errno, then ret_error is a sentence to free. */
int find_new(struct find **ret, struct loop *loop, struct tap *tap,
	     const struct find_config *config, char **ret_error);
struct find *find_free(struct find *find);

/* Looks at every process once; for the start. 0 or -errno. */
int find_scan(struct find *find);
/* A process was seen to talk to an AI host: probe what it maps (FIND_ON_SIGHT). */
void find_greeted(struct find *find, uint32_t tgid, uint64_t cgroup);
/* A process ended, or replaced its image. */
void find_gone(struct find *find, uint32_t tgid);

/* Why a process is measured or not: one row a (process, file). */
enum find_reach {
	FIND_PROBED,     /* probes are in */
	FIND_WAITING,    /* can be probed, has not greeted an AI host */
	FIND_NO_TLS,     /* maps no TLS library that is known */
	FIND_STRIPPED,   /* holds TLS code, its functions were not found with proof */
	FIND_UNREADABLE, /* the file could not be opened or is not sound */
	FIND_ATTACH_FAILED,
	FIND_UNFOLLOWED, /* its functions return in ways that cannot be followed (FIND_RETURN_INSTRUCTIONS) */
};
const char *find_reach_name(enum find_reach reach);

struct find_row {
	uint32_t tgid;
	enum find_reach reach;
	char file[512];   /* as the process maps it */
	char flavour[32]; /* "openssl-3", "boringssl", ... */
	char how[128];    /* it was found, or why it is not probed */
	size_t n_sites;
};
/* What is known of the files that a process maps, by what was met so far: FIND_NO_TLS if nothing. */
enum find_reach find_reach_of(const struct find *find, uint32_t tgid);

/* Looks at one process now, attaching nothing (for `aigress check`); returns: as the daemon sees them. 0 or -errno. */
int find_explain(uint32_t tgid, enum find_returns returns,
		 void (*fn)(void *arg, const struct find_row *row), void *arg);

struct find_stats {
	uint64_t files_seen, files_probed, processes_probed;
	uint64_t attach_failures, map_events_lost;
};
void find_stats(const struct find *find, struct find_stats *ret);

#endif

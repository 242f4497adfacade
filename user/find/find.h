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
struct inspector;
struct noes;
struct loop;
struct tap;

enum find_mode {
	FIND_ON_SIGHT, /* a process is probed when it greets an AI host (find_greeted) */
	FIND_EVERYONE, /* each TLS library file is probed once, for all who map it */
	FIND_NEVER,    /* flows only */
};

/* Why a process is measured or not: one row a (process, file). */
enum find_reach {
	FIND_PROBED,     /* probes are in */
	FIND_WAITING,    /* can be probed, has not greeted an AI host */
	FIND_NO_TLS,     /* maps no TLS library that is known */
	FIND_STRIPPED,   /* holds TLS code, its functions were not found with proof */
	FIND_UNREADABLE, /* the file could not be opened or is not sound */
	FIND_ATTACH_FAILED,
	FIND_SET_ASIDE, /* the process that looked into the file died of it (inspector.h) */
	FIND_UNFOLLOWED, /* its functions return in ways that cannot be followed (FIND_RETURN_INSTRUCTIONS) */
};
const char *find_reach_name(enum find_reach reach);

/* By what the return of a TLS function is seen. */
enum find_returns {
	FIND_RETURN_PROBES,       /* the kernel's: the return address on the stack is exchanged */
	FIND_RETURN_INSTRUCTIONS, /* a probe on each return instruction: where those hurt (selftest.h) */
};

/* The folder of the state directory that keeps the results of searches (find_config.cache). */
#define FIND_SEARCHES "searches"

#define FIND_GUESS_NS 10000000000ULL

struct find_config {
	enum find_mode mode;
	enum find_returns returns;
	/* Whose processes look into files; the caller's, for good. NULL: this process, as tests do. */
	struct inspector *inspector;
	/* How long a process behind a relay that greets keeps its probes without a call; 0: FIND_GUESS_NS. */
	uint64_t guess_ns;
	const char *cache; /* folder where searches of files are remembered; NULL: none. The caller's, for good */
	/* What find_put_greeting() was given was done, or could not be; on the loop. NULL: not asked for. */
	void (*settled)(void *arg, uint32_t tgid, uint64_t socket, enum find_reach reach);
	void *arg;
};

/*
 * Starts the news of mappings on the loop. What has to be looked at is, there, in small steps and for each
 * tenant in its turn (lanes.h). A look may block for as long as look.h says, so the loop is one of its own
 * (finder.h). 0 or -errno, then ret_error is a sentence to free.
 */
int find_new(struct find **ret, struct loop *loop, struct tap *tap,
	     const struct find_config *config, char **ret_error);
struct find *find_free(struct find *find);

/* Looks at every process once; for the start. 0 or -errno. */
int find_scan(struct find *find);
/*
 * A process greets an AI host: probe what it maps, for it alone (FIND_ON_SIGHT) or for all who map the same files
 * (FIND_EVERYONE, where they mostly have probes already), when it is its tenant's turn. `socket`
 * is handed on to config->settled, which may be called at once: when too much waits already.
 */
void find_put_greeting(struct find *find, uint32_t tgid, uint64_t cgroup, uint64_t socket);
/* A process calls an AI host: if it was thought to be behind a relay that greeted, it stays probed. */
void find_put_speaker(struct find *find, uint32_t tgid);
/* A process ended, or replaced its image: seen to when it is its tenant's turn. */
void find_put_end(struct find *find, uint32_t tgid);
/* The same two at once. */
void find_greeted(struct find *find, uint32_t tgid, uint64_t cgroup);
void find_gone(struct find *find, uint32_t tgid);

struct find_row {
	uint32_t tgid;
	enum find_reach reach;
	char file[512];   /* as the process maps it */
	char flavour[32]; /* "openssl-3", "boringssl", ... */
	char how[128];    /* it was found, or why it is not probed */
	size_t n_sites;
};
/* What is known so far of the files that a process maps; FIND_NO_TLS if nothing. */
enum find_reach find_reach_of(const struct find *find, uint32_t tgid);

struct find_explaining {
	struct inspector *inspector; /* as in find_config */
	enum find_returns returns;   /* as the daemon sees them */
	struct noes *noes; /* what was found to hold nothing is not looked into again (files.h); NULL: it is */
};
/* Looks at one process now, attaching nothing (for `aigress check`). 0 or -errno. */
int find_explain(const struct find_explaining *how, uint32_t tgid,
		 void (*fn)(void *arg, const struct find_row *row), void *arg);

struct find_stats {
	uint64_t files_seen, files_probed, processes_probed;
	uint64_t attach_failures, map_events_lost;
	uint64_t looks_given_up; /* they took too long (look.h) */
	uint64_t looks_refused;  /* not begun, as too many were stuck */
	size_t looks_stuck;      /* of those given up, still not over */
	/* not probed, as their tenant has its share of the table, or it is full: files, and processes that greeted */
	uint64_t files_refused, processes_refused;
	uint64_t files_set_aside; /* who looked into them died of it (inspector.h) */
	uint64_t crowded;         /* greetings for which there was no place to wait (lanes.h) */
};
void find_stats(const struct find *find, struct find_stats *ret);
/* From another thread: what blocks now is given up, and nothing is looked at from now on. */
void find_cancel(struct find *find);

#endif

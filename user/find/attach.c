/* SPDX-License-Identifier: Apache-2.0 */
#include "find/attach_internal.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "find/procs.h"

/* Calls fn for what a process (0: all) maps. 0 or -errno. */
static int walk(struct attach *attach, uint32_t tgid,
		void (*fn)(void *arg, const struct tap_mapping *mapping), void *arg)
{
	struct look_mappings mappings;
	int err = look_mappings(attach->look, tgid, &mappings);

	for (size_t i = 0; i < mappings.n; i++)
		fn(arg, &mappings.rows[i]);
	free(mappings.rows);
	return err;
}

static void drop_link(struct attach *attach, struct link *link)
{
	tap_detach(link->probes);
	LIST_REMOVE(link, of_file);
	LIST_REMOVE(link, of_process);
	link->file->n_links--;
	attach->n_links--;
	free(link);
}

void attach_drop(struct attach *attach, struct process *process)
{
	while (!LIST_EMPTY(&process->links))
		drop_link(attach, LIST_FIRST(&process->links));
	HASH_DEL(attach->processes, process);
	free(process);
}

struct process *attach_known(struct attach *attach, uint32_t tgid)
{
	struct process *process;

	HASH_FIND(hh, attach->processes, &tgid, sizeof(tgid), process);
	return process;
}

bool attach_knows(struct attach *attach, uint32_t tgid)
{
	return attach_known(attach, tgid);
}

static bool has_room(const struct attach *attach, uint64_t tenant)
{
	const struct process *process;
	uint64_t own = 0;

	for (process = attach->processes; process; process = process->hh.next)
		own += process->tenant == tenant;
	return ctl_share_allows(own, HASH_COUNT(attach->processes), PROCESSES_MAX);
}

struct process *attach_enlist(struct attach *attach, uint32_t tgid)
{
	struct process *process = attach_known(attach, tgid);
	uint64_t start = procs_start(tgid), tenant;

	if (process && process->start == start)
		return process;
	if (process)
		attach_drop(attach, process);
	if (!start)
		return NULL;
	tenant = procs_tenant(tgid);
	if (!has_room(attach, tenant)) {
		attach->n_refused++;
		return NULL;
	}
	process = calloc(1, sizeof(*process));
	if (!process)
		return NULL;
	process->tgid = tgid;
	process->start = start;
	process->tenant = tenant;
	LIST_INIT(&process->links);
	HASH_ADD(hh, attach->processes, tgid, sizeof(process->tgid), process);
	if (!process->hh.tbl) {
		free(process);
		attach->n_failures++;
		return NULL;
	}
	return process;
}

/* 0 or -errno; a failure that will not mend is said once. */
static int put_probes(struct attach *attach, struct file *file, const struct tap_mapping *mapping,
		      pid_t pid, struct tap_probes **ret)
{
	bool is_refused;
	int err = look_attach(attach->look, mapping, pid, &file->is, ret, &is_refused);

	if (!err || err == -ESRCH || !is_refused) {
		attach->n_files_probed += !err && !file->everyone && !file->n_links;
		return err; /* with an error, the next process that maps it brings the file again */
	}
	attach->n_failures++;
	if (err == -EMFILE || err == -ENOMEM)
		return err; /* counted; the next mapping tries again */
	file->has_failed = true;
	log_warn("probes on a %s library (inode %llu, as process %u maps it) were refused: %s; its "
		 "calls are estimated",
		 file->is.sites.flavour, (unsigned long long)file->key.ino, mapping->tgid,
		 strerror(-err));
	return err;
}

static void probe_for_everyone(struct attach *attach, struct file *file,
			       const struct tap_mapping *mapping)
{
	if (file->everyone || file->has_failed ||
	    put_probes(attach, file, mapping, 0, &file->everyone))
		return;
	while (!LIST_EMPTY(&file->links))
		drop_link(attach, LIST_FIRST(&file->links));
	log_debug("probes on %s (inode %llu) for everyone, %zu of %zu single-stepped",
		  file->is.sites.flavour, (unsigned long long)file->key.ino,
		  file->is.sites.n_stepped, file->is.sites.n);
}

/* The process has probes on this file. */
static void count(struct attach *attach, struct process *process, const struct file *file)
{
	if (file->is.sites.has_records_only)
		return; /* what it says is in another file */
	attach->n_processes_probed += !process->is_counted;
	process->is_counted = true;
}

static void probe_for_one(struct attach *attach, struct file *file, struct process *process,
			  const struct tap_mapping *mapping)
{
	struct link *link;

	LIST_FOREACH(link, &process->links, of_process)
		if (link->file == file)
			return count(attach, process, file);
	if (file->n_links >= LINKS_FILE_MAX || attach->n_links >= LINKS_MAX)
		probe_for_everyone(attach, file, mapping);
	if (file->everyone)
		count(attach, process, file);
	if (file->everyone || file->has_failed)
		return;
	link = calloc(1, sizeof(*link));
	if (!link)
		return;
	if (put_probes(attach, file, mapping, (pid_t)process->tgid, &link->probes)) {
		free(link);
		return;
	}
	link->file = file;
	link->process = process;
	LIST_INSERT_HEAD(&file->links, link, of_file);
	LIST_INSERT_HEAD(&process->links, link, of_process);
	file->n_links++;
	attach->n_links++;
	count(attach, process, file);
}

/* On sight: is this a process that gets probes? */
static bool is_meant(struct attach *attach, uint32_t tgid)
{
	const struct process *process = attach_known(attach, tgid);

	return (process && process->start == procs_start(tgid)) ||
	       (!attach->is_sweeping && sticky_has(&attach->sticky, attach->look, tgid));
}

/* One mapping and what it asks for. 0, or -errno as files_meet(). */
static int meet(struct attach *attach, const struct tap_mapping *mapping)
{
	struct process *process;
	struct file *file;
	int err;

	/* a sweep is for those who are known: a newcomer's files are looked into as it maps them, or greets */
	if (attach->is_sweeping && attach->mode == FIND_ON_SIGHT &&
	    !attach_known(attach, mapping->tgid) && !files_known(&attach->files, mapping))
		return -EAGAIN;
	err = files_meet(&attach->files, mapping,
			 attach->mode == FIND_EVERYONE ? STACK_ANCHORS : STACK_SYMBOLS, &file);
	if (err == -EAGAIN && is_meant(attach, mapping->tgid))
		err = files_meet(&attach->files, mapping, STACK_ANCHORS, &file);
	if ((err == -EACCES || err == -EPERM) && !attach->has_told_denied) {
		attach->has_told_denied = true;
		log_warn("files of other processes cannot be opened (%s; it needs CAP_SYS_PTRACE, "
			 "CAP_DAC_READ_SEARCH and CAP_CHECKPOINT_RESTORE): calls are estimated",
			 strerror(-err));
	}
	if (err)
		return err;
	file->is_mapped = true;
	if (file->is.is_unfollowed)
		return 0;
	if (attach->mode == FIND_EVERYONE) {
		file->is_wanted = true;
		probe_for_everyone(attach, file, mapping);
		return 0;
	}
	process = is_meant(attach, mapping->tgid) ? attach_enlist(attach, mapping->tgid) : NULL;
	if (process) {
		file->is_wanted = true;
		probe_for_one(attach, file, process, mapping);
	}
	return 0;
}

static void meet_one(void *arg, const struct tap_mapping *mapping)
{
	(void)meet(arg, mapping);
}

void attach_meet(struct attach *attach, uint32_t tgid)
{
	(void)walk(attach, tgid, meet_one, attach);
}

struct look {
	struct attach *attach;
	uint64_t addr;
	int err;
};

static void look_at(void *arg, const struct tap_mapping *mapping)
{
	struct look *look = arg;

	if (look->addr >= mapping->start && look->addr < mapping->end)
		look->err = meet(look->attach, mapping);
}

int attach_mapped(struct attach *attach, uint32_t tgid, uint64_t addr)
{
	struct look look = { .attach = attach, .addr = addr, .err = -ESTALE };
	int err = walk(attach, tgid, look_at, &look);

	return err ? err : look.err;
}

struct reach {
	const struct attach *attach;
	enum find_reach reach;
};

static void reach_one(void *arg, const struct tap_mapping *mapping)
{
	struct reach *reach = arg;
	const struct file *file = files_known(&reach->attach->files, mapping);
	const struct process *process = attach_known((struct attach *)reach->attach, mapping->tgid);
	enum find_reach here;

	if (!file || file->is.sites.has_records_only)
		return;
	if (file->is.is_unfollowed)
		here = FIND_UNFOLLOWED;
	else if (file->has_failed)
		here = FIND_ATTACH_FAILED;
	else
		here = file->everyone || (process && process->is_counted) ? FIND_PROBED :
									    FIND_WAITING;
	/* A file that is read takes precedence over one that is not. */
	if (reach->reach == FIND_NO_TLS || here == FIND_PROBED)
		reach->reach = here;
}

enum find_reach attach_reach(struct attach *attach, uint32_t tgid)
{
	struct reach reach = { attach, FIND_NO_TLS };

	(void)walk(attach, tgid, reach_one, &reach);
	return reach.reach;
}

void attach_greeted(struct attach *attach, uint32_t tgid, uint64_t cgroup)
{
	struct process *process;

	if (!tgid)
		return;
	if (attach->mode == FIND_ON_SIGHT) {
		sticky_add(&attach->sticky, attach->look, tgid, cgroup);
		process = attach_enlist(attach, tgid);
		if (!process)
			return;
		process->guessed_ns = 0;
	}
	attach_meet(attach, tgid);
}

bool attach_may_relay(struct attach *attach, uint32_t tgid)
{
	bool serves;

	return tap_peers(attach->tap, tgid, NULL, 0, &serves) >= 0 && serves;
}

void attach_forked(struct attach *attach, uint32_t parent, uint32_t child)
{
	struct process *old = attach_known(attach, child), *process;
	const struct process *from;

	if (old)
		attach_drop(attach, old); /* the number was free: its last owner is gone */
	from = attach_known(attach, parent);
	process = from ? attach_enlist(attach, child) : NULL;
	if (!process)
		return;
	process->guessed_ns = from->guessed_ns;
	process->relay = from->relay;
	process->relay_place = from->relay_place;
	attach_meet(attach, process->tgid);
	/*
	 * All that it maps was met. Of a process that is starting no one can say so before it greets: it may
	 * map a second TLS library after the first.
	 */
	if (!attach_may_relay(attach, child))
		(void)tap_defer_end(attach->tap, child);
}

void attach_gone(struct attach *attach, uint32_t tgid)
{
	struct process *process = attach_known(attach, tgid);

	if (!process)
		return;
	/*
	 * An exec keeps the process: the kernel's filter is the process and not its memory, so links
	 * serve the new image where it maps the same files.
	 */
	if (procs_lives(tgid) && procs_start(tgid) == process->start)
		attach_meet(attach, process->tgid);
	else
		attach_drop(attach, process);
}

/* It was guessed to be behind a relay and has not called in time. */
static void drop_wrong(struct attach *attach, struct process *process, uint64_t now_ns)
{
	if (!process->guessed_ns || process->has_called ||
	    now_ns - process->guessed_ns < attach->guess_ns)
		return;
	sticky_set_wrong(&attach->sticky, sticky_place(attach->look, process->tgid));
	attach_drop(attach, process);
}

int attach_sweep(struct attach *attach)
{
	struct process *process, *next_process;
	struct file *file, *next_file;
	uint64_t now = clock_mono_ns();
	int err;

	HASH_ITER(hh, attach->processes, process, next_process)
		if (!procs_lives(process->tgid) || procs_start(process->tgid) != process->start)
			attach_drop(attach, process);
		else
			drop_wrong(attach, process, now);
	HASH_ITER(hh, attach->files.table, file, next_file)
		file->is_mapped = file->is_wanted = false;
	attach->is_sweeping = true;
	err = walk(attach, 0, meet_one, attach);
	attach->is_sweeping = false;
	if (err)
		return err;
	HASH_ITER(hh, attach->files.table, file, next_file) {
		if (!file->is_wanted)
			file->everyone = tap_detach(file->everyone);
		if (!file->is_mapped && !file->n_links)
			files_drop(&attach->files, file);
	}
	return 0;
}

int attach_new(struct attach **ret, struct tap *tap, const struct find_config *config)
{
	struct attach *attach = calloc(1, sizeof(*attach));

	if (!attach)
		return -ENOMEM;
	attach->tap = tap;
	attach->mode = config->mode;
	attach->guess_ns = config->guess_ns;
	attach->look = attach->files.look = look_new(tap, config);
	if (!attach->look) {
		free(attach);
		return -ENOMEM;
	}
	*ret = attach;
	return 0;
}

void attach_cancel(struct attach *attach)
{
	look_cancel(attach->look);
}

struct attach *attach_free(struct attach *attach)
{
	struct process *process, *next_process;
	struct file *file, *next_file;

	if (!attach)
		return NULL;
	HASH_ITER(hh, attach->processes, process, next_process)
		attach_drop(attach, process);
	HASH_ITER(hh, attach->files.table, file, next_file) {
		tap_detach(file->everyone);
		files_drop(&attach->files, file);
	}
	look_free(attach->look);
	free(attach);
	return NULL;
}

bool attach_review(struct attach *attach, uint64_t *ret_next_ns)
{
	return look_review(attach->look, ret_next_ns);
}

int attach_ended_fd(const struct attach *attach)
{
	return look_ended_fd(attach->look);
}

void attach_stats(const struct attach *attach, struct find_stats *ret)
{
	struct look_stats looks;

	ret->files_seen = attach->files.n_seen;
	ret->files_probed = attach->n_files_probed;
	ret->processes_probed = attach->n_processes_probed;
	ret->attach_failures = attach->n_failures + attach->files.n_unreadable;
	look_stats(attach->look, &looks);
	ret->looks_given_up = looks.given_up;
	ret->looks_refused = looks.refused;
	ret->files_refused = attach->files.n_refused;
	ret->files_set_aside = attach->files.n_set_aside;
	ret->processes_refused = attach->n_refused;
	ret->looks_stuck = looks.stuck;
}

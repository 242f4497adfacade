/* SPDX-License-Identifier: Apache-2.0 */
#include "find/look.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/deadline.h"
#include "base/log.h"
#include "find/blame.h"
#include "find/inspector.h"
#include "find/procs.h"

/* Between two lines about looks that were not begun. */
#define SCARCE_TOLD_NS (600 * NS_PER_S)

struct look {
	struct deadline *deadline;
	struct tap *tap;
	bool by_instruction;
	const char *cache;
	struct inspector *inspector;
	struct blame *blame;
	bool is_missed; /* a look came to nothing on a busy machine or a slow disk: worth another */
	uint64_t n_refused;
	uint64_t scarce_told_ns; /* 0: never */
};

struct look *look_new(struct tap *tap, const struct find_config *config)
{
	struct look *look = calloc(1, sizeof(*look));

	if (!look)
		return NULL;
	*look = (struct look){ .tap = tap,
			       .by_instruction = config->returns == FIND_RETURN_INSTRUCTIONS,
			       .cache = config->cache,
			       .inspector = config->inspector,
			       .blame = blame_new(),
			       .deadline = deadline_new(LOOK_STALL_NS, LOOK_NS) };
	return look->deadline && look->blame ? look : look_free(look);
}

struct look *look_free(struct look *look)
{
	if (!look)
		return NULL;
	deadline_free(look->deadline);
	blame_free(look->blame);
	free(look);
	return NULL;
}

void look_cancel(struct look *look)
{
	deadline_cancel(look->deadline);
}

void look_stats(struct look *look, struct look_stats *ret)
{
	struct deadline_stats stats;

	deadline_stats(look->deadline, &stats);
	*ret = (struct look_stats){ stats.given_up, look->n_refused, stats.left };
}

int look_ended_fd(const struct look *look)
{
	return deadline_ended_fd(look->deadline);
}

bool look_review(struct look *look, uint64_t *ret_next_ns)
{
	uint64_t now = clock_mono_ns(), ticket, took_ns;
	bool is_missed = look->is_missed;

	while (deadline_ended(look->deadline, &ticket, &took_ns))
		is_missed |= blame_ended(look->blame, ticket, took_ns, now);
	look->is_missed = false;
	*ret_next_ns = blame_tell(look->blame, now);
	return is_missed;
}

/* Threads are scarce, or its tenant has its share of them. */
static void refuse(struct look *look, uint32_t tgid, const char *why)
{
	uint64_t now = clock_mono_ns();

	look->n_refused++;
	if (look->scarce_told_ns && now - look->scarce_told_ns < SCARCE_TOLD_NS)
		return;
	look->scarce_told_ns = now;
	log_warn("process %u is not looked at, nor are others like it: %s; their calls are estimated "
		 "until some of those looks end",
		 tgid, why);
}

/* As deadline_run(): with an error, `work` is no longer the caller's. */
static int run(struct look *look, uint32_t tgid, struct deadline_work *work)
{
	struct blame_who who = { 0 };
	uint64_t ticket;
	int err;

	if (blame_has_any(look->blame)) {
		enum blame_verdict verdict;

		who = (struct blame_who){ procs_cgroup(tgid), procs_tenant(tgid) };
		verdict = blame_verdict(look->blame, who, clock_mono_ns());
		if (verdict == BLAME_TENANT)
			refuse(look, tgid, "looks at other cgroups of its tenant are stuck");
		if (verdict != BLAME_NONE) {
			work->free(work);
			return -ETIMEDOUT;
		}
	}
	err = deadline_run(look->deadline, work, &ticket);
	if (err == -EBUSY)
		refuse(look, tgid, "as many looks are stuck as may be (mounts that hang?)");
	if (err == -EINTR)
		look->is_missed = true;
	if (err != -ETIMEDOUT)
		return err == -EINTR || err == -EBUSY ? -ETIMEDOUT : err;
	who = (struct blame_who){ procs_cgroup(tgid), procs_tenant(tgid) };
	blame_stuck(look->blame, ticket, who, tgid, clock_mono_ns());
	return err;
}

/* --- a process --- */

struct process_work {
	struct deadline_work work;
	uint32_t tgid;
	struct look_process found;
};

static void free_work(struct deadline_work *work)
{
	free(work);
}

static void run_process(struct deadline_work *work)
{
	struct process_work *process = (struct process_work *)work;

	process->found.cgroup = procs_cgroup(process->tgid);
	process->found.executable = procs_executable(process->tgid);
	process->found.program = procs_program(process->tgid);
}

int look_process(struct look *look, uint32_t tgid, struct look_process *ret)
{
	struct process_work *work = calloc(1, sizeof(*work));
	int err;

	*ret = (struct look_process){ 0 };
	if (!work)
		return -ENOMEM;
	work->work = (struct deadline_work){ .run = run_process, .free = free_work };
	work->tgid = tgid;
	err = run(look, tgid, &work->work);
	if (err)
		return err;
	*ret = work->found;
	free(work);
	return 0;
}

/* --- what it maps --- */

struct mappings_work {
	struct deadline_work work;
	struct tap *tap;
	uint32_t tgid;
	int err;
	struct look_mappings found;
	size_t room;
};

static void free_mappings(struct deadline_work *work)
{
	free(((struct mappings_work *)work)->found.rows);
	free(work);
}

static void note(void *arg, const struct tap_mapping *mapping)
{
	struct mappings_work *work = arg;
	size_t room = work->room ? work->room * 2 : 64;
	struct tap_mapping *rows;

	if (work->found.n == work->room) {
		rows = reallocarray(work->found.rows, room, sizeof(*rows));
		if (!rows) {
			work->err = -ENOMEM;
			return;
		}
		work->found.rows = rows;
		work->room = room;
	}
	work->found.rows[work->found.n++] = *mapping;
}

struct walk {
	struct mappings_work *work;
	uint32_t tgid;
};

static void note_map(void *arg, const struct procs_map *map)
{
	const struct walk *walk = arg;

	note(walk->work, &(struct tap_mapping){
				 .tgid = walk->tgid,
				 .start = map->start,
				 .end = map->end,
				 .dev = map->dev,
				 .ino = map->ino,
			 });
}

static void note_process(void *arg, uint32_t tgid)
{
	struct walk walk = { arg, tgid };

	(void)procs_maps(tgid, note_map, &walk); /* gone since the list was read, or kernel's own */
}

static void run_mappings(struct deadline_work *arg)
{
	struct mappings_work *work = (struct mappings_work *)arg;
	int err = tap_mappings(work->tap, work->tgid, note, work);

	if (err == -EOPNOTSUPP && work->tgid) {
		note_process(work, work->tgid);
		err = 0;
	} else if (err == -EOPNOTSUPP) {
		err = procs_each(note_process, work);
	}
	if (err)
		work->err = err;
}

/* One walk over a process's mappings, or (0) over all. 0 or -errno. */
static int walk_mappings(struct look *look, uint32_t tgid, struct look_mappings *ret)
{
	struct mappings_work *work = calloc(1, sizeof(*work));
	int err;

	*ret = (struct look_mappings){ 0 };
	if (!work)
		return -ENOMEM;
	work->work = (struct deadline_work){ .run = run_mappings, .free = free_mappings };
	work->tap = look->tap;
	work->tgid = tgid;
	err = run(look, tgid, &work->work);
	if (err)
		return err;
	err = work->err;
	if (!err) {
		*ret = work->found;
		work->found.rows = NULL;
	}
	free_mappings(&work->work);
	return err;
}

struct each {
	struct look *look;
	struct look_mappings *all;
	int err;
};

static void add_process(void *arg, uint32_t tgid)
{
	struct each *each = arg;
	struct look_mappings one;
	struct tap_mapping *rows;

	if (each->err || walk_mappings(each->look, tgid, &one))
		return;
	rows = one.n ? reallocarray(each->all->rows, each->all->n + one.n, sizeof(*rows)) : NULL;
	if (rows) {
		memcpy(rows + each->all->n, one.rows, one.n * sizeof(*rows));
		each->all->rows = rows;
		each->all->n += one.n;
	} else if (one.n) {
		each->err = -ENOMEM;
	}
	free(one.rows);
}

int look_mappings(struct look *look, uint32_t tgid, struct look_mappings *ret)
{
	struct each each = { .look = look, .all = ret };
	int err = walk_mappings(look, tgid, ret);

	if (tgid || err != -ETIMEDOUT)
		return err;
	/* Some process among all of them gets the walk stuck: one by one, it is only that one. */
	err = procs_each(add_process, &each);
	if (!err)
		err = each.err;
	if (err) {
		free(ret->rows);
		*ret = (struct look_mappings){ 0 };
	}
	return err;
}

/* --- a file --- */

struct file_work {
	struct deadline_work work;
	struct tap_mapping mapping;
	struct inspector *inspector;
	struct inspector_job job;
	struct look_file file;
	int err;
	/* of look_attach() */
	struct tap *tap;
	pid_t pid;
	struct tap_probes *probes;
	bool is_refused;
};

/* Too late for whoever wanted them. */
static void free_file(struct deadline_work *work)
{
	struct file_work *file = (struct file_work *)work;

	tap_detach(file->probes);
	inspector_free(file->inspector);
	free(file);
}

static uint64_t file_used_ns(const struct deadline_work *work)
{
	return inspector_used_ns(&((const struct file_work *)work)->job);
}

static int find_sites(struct file_work *work, int fd, const struct stat *st, struct look_file *ret)
{
	struct sites sites;
	int err;

	work->job.fd = fd;
	err = inspector_find(work->inspector, &work->job, &sites);
	if (err == -EOWNERDEAD)
		memcpy(ret->why, work->job.why, sizeof(ret->why));
	if (err && err != -EOPNOTSUPP)
		return err;
	*ret = (struct look_file){ .is_unfollowed = err, .size = st->st_size, .ctime = st->st_ctim };
	if (!err)
		ret->sites = sites;
	return 0;
}

static void run_file(struct deadline_work *arg)
{
	struct file_work *work = (struct file_work *)arg;
	const struct tap_mapping *mapping = &work->mapping;
	_cleanup_close_ int fd = procs_open(mapping->tgid, mapping->start, mapping->end);
	struct stat st;

	if (fd < 0)
		work->err = fd;
	else if (fstat(fd, &st) < 0)
		work->err = -errno;
	else
		work->err = find_sites(work, fd, &st, &work->file);
}

static struct file_work *file_work(const struct look *look, const struct tap_mapping *mapping,
				   enum stack_depth depth, void (*fn)(struct deadline_work *work))
{
	struct file_work *work = calloc(1, sizeof(*work));

	if (!work)
		return NULL;
	work->work = (struct deadline_work){ fn, free_file, file_used_ns };
	work->mapping = *mapping;
	work->inspector = inspector_keep(look->inspector);
	work->job = (struct inspector_job){ .by_instruction = look->by_instruction,
					    .depth = depth,
					    .cache = look->cache };
	work->tap = look->tap;
	return work;
}

int look_file(struct look *look, const struct tap_mapping *mapping, enum stack_depth depth,
	      struct look_file *ret)
{
	struct file_work *work = file_work(look, mapping, depth, run_file);
	int err;

	if (!work)
		return -ENOMEM;
	err = run(look, mapping->tgid, &work->work);
	if (err)
		return err;
	err = work->err;
	*ret = work->file;
	free_file(&work->work);
	return err;
}

static bool is_as_it_was(const struct look_file *file, const struct stat *st)
{
	return st->st_size == file->size && st->st_ctim.tv_sec == file->ctime.tv_sec &&
	       st->st_ctim.tv_nsec == file->ctime.tv_nsec;
}

static void run_attach(struct deadline_work *arg)
{
	struct file_work *work = (struct file_work *)arg;
	const struct tap_mapping *mapping = &work->mapping;
	_cleanup_close_ int fd = procs_open(mapping->tgid, mapping->start, mapping->end);
	char path[64];
	struct stat st;

	if (fd < 0)
		work->err = fd;
	else if (fstat(fd, &st) < 0)
		work->err = -errno;
	else if (!is_as_it_was(&work->file, &st))
		work->err = find_sites(work, fd, &st, &work->file);
	if (work->err)
		return;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	work->err = tap_attach(work->tap, path, work->pid, work->file.sites.at, work->file.sites.n,
			       &work->probes);
	work->is_refused = work->err;
}

int look_attach(struct look *look, const struct tap_mapping *mapping, pid_t pid,
		struct look_file *file, struct tap_probes **ret, bool *ret_is_refused)
{
	struct file_work *work = file_work(look, mapping, STACK_ANCHORS, run_attach);
	int err;

	*ret_is_refused = false;
	if (!work)
		return -ENOMEM;
	work->file = *file;
	work->pid = pid;
	err = run(look, mapping->tgid, &work->work);
	if (err)
		return err;
	err = work->err;
	*file = work->file;
	*ret_is_refused = work->is_refused;
	if (!err)
		*ret = take(work->probes);
	free_file(&work->work);
	return err;
}

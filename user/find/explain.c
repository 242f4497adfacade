/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Explains what of one process can be measured and what is. It answers a person's question, so it may read
 * whole files, which the daemon never does.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "find/find.h"
#include "find/files.h"
#include "find/inspector.h"
#include "find/procs.h"
#include "find/stack.h"

#define FILES_EXPLAINED_MAX 1024
const char *find_reach_name(enum find_reach reach)
{
	static const char *const names[] = {
		[FIND_PROBED] = "probed",
		[FIND_WAITING] = "waiting",
		[FIND_NO_TLS] = "no known TLS library",
		[FIND_STRIPPED] = "no symbols",
		[FIND_UNREADABLE] = "unreadable",
		[FIND_ATTACH_FAILED] = "probes refused",
		[FIND_SET_ASIDE] = "set aside",
		[FIND_UNFOLLOWED] = "returns not followed",
	};

	return names[reach];
}

struct explaining {
	const struct find_explaining *how;
	uint32_t tgid;
	void (*fn)(void *arg, const struct find_row *row);
	void *arg;
	size_t n_rows;
	struct {
		uint64_t dev, ino;
	} seen[FILES_EXPLAINED_MAX];
	size_t n_seen;
};

static void tell(struct explaining *e, enum find_reach reach, const char *file, const char *flavour,
		 size_t n_sites, const char *how)
{
	struct find_row row = { .tgid = e->tgid, .reach = reach, .n_sites = n_sites };

	snprintf(row.file, sizeof(row.file), "%s", file);
	snprintf(row.flavour, sizeof(row.flavour), "%s", flavour);
	snprintf(row.how, sizeof(row.how), "%s", how);
	e->n_rows++;
	e->fn(e->arg, &row);
}

static bool is_new(struct explaining *e, const struct procs_map *map)
{
	for (size_t i = 0; i < e->n_seen; i++)
		if (e->seen[i].dev == map->dev && e->seen[i].ino == map->ino)
			return false;
	if (e->n_seen == FILES_EXPLAINED_MAX)
		return false;
	e->seen[e->n_seen].dev = map->dev;
	e->seen[e->n_seen++].ino = map->ino;
	return true;
}

/* A site of a file, as one of the process's mappings of that file may hold it. */
struct looking {
	uint64_t dev, ino;
	const struct sites *sites;
	int mem, fd;
	bool is_probed;
};

static void look_for_probe(void *arg, const struct procs_map *map)
{
	struct looking *looking = arg;

	if (map->dev != looking->dev || map->ino != looking->ino)
		return;
	for (size_t i = 0; i < looking->sites->n && !looking->is_probed; i++) {
		uint64_t at = looking->sites->at[i].offset;
		uint8_t in_memory, in_file;

		if (at < map->offset || at - map->offset >= map->end - map->start ||
		    pread(looking->mem, &in_memory, 1, (off_t)(map->start + at - map->offset)) != 1 ||
		    pread(looking->fd, &in_file, 1, (off_t)at) != 1)
			continue;
		looking->is_probed = in_memory != in_file;
	}
}

/*
 * A probe is an instruction in memory that is not the file's. All mappings of the file: Node's
 * executable has three that may be executed.
 */
static bool is_probed_at(uint32_t tgid, const struct procs_map *map, const struct sites *sites,
			 int fd)
{
	_cleanup_close_ int mem = -1;
	struct looking looking = { .dev = map->dev, .ino = map->ino, .sites = sites, .fd = fd };
	char path[64];

	snprintf(path, sizeof(path), "/proc/%u/mem", tgid);
	mem = open(path, O_RDONLY | O_CLOEXEC);
	looking.mem = mem;
	if (mem >= 0)
		(void)procs_maps(tgid, look_for_probe, &looking);
	return looking.is_probed;
}

static int find_by_instruction(const struct explaining *e, int fd, struct sites *ret)
{
	struct inspector_job job = { .fd = fd, .by_instruction = true, .depth = STACK_ANCHORS };

	return inspector_find(e->how->inspector, &job, ret);
}

/* The daemon that probed it may see returns by their instructions, and entries elsewhere therefore. */
static bool is_probed(const struct explaining *e, const struct procs_map *map,
		      const struct sites *sites, int fd)
{
	struct sites others;

	return is_probed_at(e->tgid, map, sites, fd) ||
	       (!find_by_instruction(e, fd, &others) && is_probed_at(e->tgid, map, &others, fd));
}

/* Will the daemon leave it alone, since it sees returns by their instructions and these are not known? */
static bool is_unfollowed(const struct explaining *e, int fd)
{
	struct sites sites;

	return e->how->returns == FIND_RETURN_INSTRUCTIONS &&
	       find_by_instruction(e, fd, &sites) == -EOPNOTSUPP;
}

/* As inspector_explain(). */
static int explain_file(const struct find_explaining *how, struct inspector_job *job,
			struct stack_explanation *ret)
{
	uint64_t changed;
	struct stat st;
	int err;

	if (fstat(job->fd, &st) < 0)
		return -errno;
	changed = (uint64_t)st.st_ctim.tv_sec * NS_PER_S + (uint64_t)st.st_ctim.tv_nsec;
	if (how->noes && noes_has(how->noes, st.st_dev, st.st_ino, changed))
		return -ENOENT;
	err = inspector_explain(how->inspector, job, ret);
	if (how->noes && (err == -ENOENT || err == -ENOEXEC))
		noes_add(how->noes, st.st_dev, st.st_ino, changed);
	return err;
}

static void explain_map(void *arg, const struct procs_map *map)
{
	struct explaining *e = arg;
	struct inspector_job job = {};
	struct stack_explanation found = {};
	_cleanup_close_ int fd = -1;
	enum find_reach reach = FIND_WAITING;
	char how[128];
	int err;

	if (!is_new(e, map))
		return;
	fd = procs_open(e->tgid, map->start, map->end);
	if (fd == -ESTALE)
		return;
	job.fd = fd;
	err = fd < 0 ? fd : explain_file(e->how, &job, &found);
	/* another machine's file is mapped as data, by who emulates it at most */
	if (err == -ENOENT || err == -ENOEXEC || (!err && found.machine))
		return;
	if (err == -EOWNERDEAD) {
		snprintf(how, sizeof(how), "the process that looked into it %s", job.why);
		tell(e, FIND_SET_ASIDE, map->path, "", 0, how);
		return;
	}
	if (err) {
		tell(e, FIND_UNREADABLE, map->path, "", 0, "");
		return;
	}
	if (!found.sites.n)
		reach = FIND_STRIPPED;
	else if (is_probed(e, map, &found.sites, fd))
		reach = FIND_PROBED;
	else if (is_unfollowed(e, fd))
		reach = FIND_UNFOLLOWED;
	tell(e, reach, map->path, found.sites.flavour, found.sites.n, found.brief);
}

int find_explain(const struct find_explaining *how, uint32_t tgid,
		 void (*fn)(void *arg, const struct find_row *row), void *arg)
{
	_cleanup_free_ struct explaining *e = calloc(1, sizeof(*e));
	char path[64], exe[512];
	ssize_t n;
	int err;

	if (!e)
		return -ENOMEM;
	*e = (struct explaining){ .how = how, .tgid = tgid, .fn = fn, .arg = arg };
	err = procs_maps(tgid, explain_map, e);
	if (err || e->n_rows)
		return err;
	snprintf(path, sizeof(path), "/proc/%u/exe", tgid);
	n = readlink(path, exe, sizeof(exe) - 1);
	if (n < 0)
		return -errno;
	exe[n] = '\0';
	tell(e, FIND_NO_TLS, exe, "", 0, "");
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* What the stacks have in common: error sites, and the proof of a start. */
#include <errno.h>

#include "base/cleanup.h"
#include "find/anchor/stacks.h"

#define MOVED_MAX 8

int search_string_start(const struct image *image, uint64_t inside, uint64_t *ret)
{
	char before[256];
	ssize_t n = image_read_before(image, inside, before, sizeof(before)), start = n;

	if (n < 0)
		return (int)n;
	while (start && before[start - 1] >= 32 && before[start - 1] < 127)
		start--;
	if (!start)
		return -ENOENT; /* longer than a path of a source file is */
	*ret = inside - (uint64_t)(n - start);
	return 0;
}

/*
 * The arguments of ERR_put_error(library, function, reason, file, line): where `function`, which is never
 * used, was removed (LTO), each moves down by one. The register that the file's name is put into tells which.
 */
static bool read_error(const struct code_site *code, uint32_t library, struct error_site *ret)
{
	const struct machine_value *args = code->args;
	int reason = code->named == CODE_ARG4 ? CODE_ARG3 : CODE_ARG2;
	int line = code->named == CODE_ARG4 ? CODE_ARG5 : CODE_ARG4;

	if ((code->named != CODE_ARG4 && code->named != CODE_ARG3) || !args[reason].is_known)
		return false;
	if (args[CODE_ARG1].is_known && args[CODE_ARG1].value != library)
		return false;
	ret->reason = (uint32_t)args[reason].value;
	ret->line = args[line].is_known ? (uint32_t)args[line].value : 0;
	return true;
}

/* Error sites as they are found. */
struct found {
	struct error_site *at;
	int n;
	uint32_t library;
	/* pieces that were moved out of the sites, by where they begin (code_moved()) */
	struct code_site moved[MOVED_MAX];
	struct scan_called begins[MOVED_MAX];
	size_t n_moved;
};

static void add_site(struct found *found, uint64_t at, const struct code_site *code)
{
	if (found->n == ERROR_SITES_MAX || !read_error(code, found->library, &found->at[found->n]))
		return;
	found->at[found->n++].at = at;
}

/* What names the file's name, and where that is a piece that was moved, its callers. 0 or -errno. */
static int read_ref(struct search *search, uint64_t at, struct found *found)
{
	struct code_site site;
	int err = code_site(search->code, at, &site);

	if (err)
		return err == -ENOENT ? 0 : err;
	if (!site.is_returned || found->n_moved == MOVED_MAX) {
		add_site(found, at, &site);
		return 0;
	}
	found->begins[found->n_moved].addr = site.begin;
	found->moved[found->n_moved++] = site;
	return 0;
}

static int read_callers(struct search *search, struct found *found)
{
	_cleanup_free_ struct scan_callers *callers = NULL;
	int err;

	if (!found->n_moved)
		return 0;
	callers = calloc(1, sizeof(*callers));
	if (!callers)
		return -ENOMEM;
	err = scan_calls(search->image, found->begins, found->n_moved, callers);
	for (size_t i = 0; i < callers->n && !err; i++)
		for (size_t k = 0; k < found->n_moved && !err; k++) {
			struct code_site site;

			if (found->begins[k].addr != callers->at[i].target)
				continue;
			err = code_moved(search->code, callers->at[i].at, &found->moved[k], &site);
			if (!err)
				add_site(found, callers->at[i].at, &site);
			else if (err == -ENOENT)
				err = 0;
		}
	return err;
}

int search_error_sites(struct search *search, enum mark mark, uint32_t library,
		       struct error_site ret[ERROR_SITES_MAX])
{
	struct found found = { .at = ret, .library = library };
	uint64_t paths[SCAN_HITS_MAX];
	size_t n_paths = 0;
	int err = 0;

	for (size_t i = 0; i < search->n_hits; i++)
		if (search->hits[i].needle == (size_t)mark &&
		    !search_string_start(search->image, search->hits[i].addr, &paths[n_paths]))
			n_paths++;
	for (size_t i = 0; i < search->n_refs && !err; i++)
		for (size_t k = 0; k < n_paths; k++)
			if (search->refs[i].target == paths[k]) {
				err = read_ref(search, search->refs[i].at, &found);
				break;
			}
	if (!err)
		err = read_callers(search, &found);
	return err ? err : found.n;
}

int search_place(struct search *search, const uint64_t *marks, size_t n, struct anchor_function *ret)
{
	struct code_start start;
	int err = code_start(search->code, marks, n, &start);

	if (err)
		return err;
	*ret = (struct anchor_function){
		.addr = start.addr,
		.end = start.end,
		.last = marks[0],
		.proof = start.proof,
		.n_marks = (unsigned int)n,
		.probe = start.addr,
	};
	for (size_t i = 1; i < n; i++)
		if (marks[i] > ret->last)
			ret->last = marks[i];
	return 0;
}

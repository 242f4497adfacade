/* SPDX-License-Identifier: Apache-2.0 */
/* What the stacks have in common: error sites, and the proof of a start. */
#include <errno.h>

#include "find/anchor/stacks.h"

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
	int reason = code->named == CODE_RCX ? CODE_RDX : CODE_RSI;
	int line = code->named == CODE_RCX ? CODE_R8 : CODE_RCX;

	if ((code->named != CODE_RCX && code->named != CODE_RDX) || !code->is_known[reason])
		return false;
	if (code->is_known[CODE_RDI] && code->constants[CODE_RDI] != library)
		return false;
	ret->reason = code->constants[reason];
	ret->line = code->is_known[line] ? code->constants[line] : 0;
	return true;
}

int search_error_sites(struct search *search, enum mark mark, uint32_t library,
		       struct error_site ret[ERROR_SITES_MAX])
{
	uint64_t paths[SCAN_HITS_MAX];
	size_t n_paths = 0;
	int n = 0;

	for (size_t i = 0; i < search->n_hits; i++)
		if (search->hits[i].needle == (size_t)mark &&
		    !search_string_start(search->image, search->hits[i].addr, &paths[n_paths]))
			n_paths++;
	for (size_t i = 0; i < search->n_refs; i++) {
		struct code_site site;
		bool is_ours = false;
		int err;

		for (size_t k = 0; k < n_paths; k++)
			is_ours |= search->refs[i].target == paths[k];
		if (!is_ours)
			continue;
		err = code_site(search->code, search->refs[i].at, &site);
		if (err && err != -ENOENT)
			return err;
		if (err || !read_error(&site, library, &ret[n]))
			continue;
		ret[n].at = search->refs[i].at;
		if (++n == ERROR_SITES_MAX)
			return n;
	}
	return n;
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
		.proof = start.proof,
		.n_marks = (unsigned int)n,
		.probe = start.addr,
	};
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OpenSSL 3, linked into a program or an add-on. ERR_raise() hands on __func__, so a function that may fail
 * names itself; "ssl_write_internal" and "ssl_read_internal" are the two that all others come to. Where they
 * were inlined several functions hold the name, and nothing is taken.
 */
#include <errno.h>

#include "find/anchor/stacks.h"

/* The one function that holds the string. 0; -ENOENT: none or more than one, or its start is not known. */
static int place(struct search *search, enum mark mark, struct anchor_function *ret)
{
	struct code_start first = {};
	uint64_t marks[CODE_MARKS_MAX];
	size_t n = 0;
	int err;

	for (size_t i = 0; i < search->n_refs; i++) {
		struct code_start start;
		bool is_ours = false;

		for (size_t k = 0; k < search->n_hits; k++)
			is_ours |= search->hits[k].needle == (size_t)mark &&
				   search->hits[k].addr + 1 == search->refs[i].target;
		if (!is_ours)
			continue;
		err = code_start(search->code, &search->refs[i].at, 1, &start);
		if (err)
			return err;
		if (n && start.addr != first.addr)
			return -ENOENT;
		if (n == CODE_MARKS_MAX)
			return -ENOENT;
		first = start;
		marks[n++] = search->refs[i].at;
	}
	return n ? search_place(search, marks, n, ret) : -ENOENT;
}

int openssl_find(struct search *search)
{
	struct anchor_finding *finding = &search->anchors->stacks[ANCHOR_OPENSSL];
	struct anchor_function *functions = search->anchors->functions;
	int err;

	if (!finding->is_present)
		return 0;
	err = place(search, MARK_WRITE_INTERNAL, &functions[ANCHOR_WRITE_INTERNAL]);
	if (!err)
		err = place(search, MARK_READ_INTERNAL, &functions[ANCHOR_READ_INTERNAL]);
	if (err) {
		finding->why = search->n_refs ?
				       "ssl_write_internal or ssl_read_internal are inlined" :
				       "it is linked and not called";
		return err == -ENOENT ? 0 : err;
	}
	err = place(search, MARK_CTRL, &functions[ANCHOR_CTRL]);
	return err == -ENOENT ? 0 : err; /* the Host header will tell */
}

/* The minor version that the library tells of itself ("OpenSSL 3.5.1 1 Jul 2025"); -ENOENT: none or two. */
static int minor_version(const struct search *search)
{
	int minor = -ENOENT;

	for (size_t i = 0; i < search->n_hits; i++) {
		char text[16];
		int here;

		if (search->hits[i].needle != MARK_OPENSSL_VERSION ||
		    image_read(search->image, search->hits[i].addr, text, sizeof(text)))
			continue;
		/* "OpenSSL 3." and a digit or two, a point, a digit */
		if (text[10] < '0' || text[10] > '9')
			continue;
		here = text[10] - '0';
		if (text[11] >= '0' && text[11] <= '9')
			here = here * 10 + text[11] - '0';
		else if (text[11] != '.')
			continue;
		if (minor >= 0 && minor != here)
			return -ENOENT;
		minor = here;
	}
	return minor;
}

void openssl_prove(struct search *search)
{
	struct anchor_finding *finding = &search->anchors->stacks[ANCHOR_OPENSSL];
	struct anchor_function *functions = search->anchors->functions;
	int minor;

	if (!finding->is_present || finding->why)
		return;
	if (functions[ANCHOR_WRITE_INTERNAL].addr == functions[ANCHOR_READ_INTERNAL].addr ||
	    !functions[ANCHOR_WRITE_INTERNAL].n_callers ||
	    !functions[ANCHOR_READ_INTERNAL].n_callers) {
		finding->why =
			"what seemed to be ssl_write_internal or ssl_read_internal has no caller";
		return;
	}
	/* ssl_write_internal has taken flags since 3.3; what its callers hand it and the version must agree */
	minor = minor_version(search);
	if (minor < 0 || (minor >= 3) != search->has_write_flags_call) {
		finding->why = "the version of OpenSSL, and so the arguments, are not known for sure";
		return;
	}
	search->anchors->has_write_flags = minor >= 3;
	if (functions[ANCHOR_CTRL].addr && !functions[ANCHOR_CTRL].n_callers &&
	    functions[ANCHOR_CTRL].proof != CODE_TABLE)
		functions[ANCHOR_CTRL] = (struct anchor_function){ 0 };
	finding->is_proven = true;
}

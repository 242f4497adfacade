/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AWS-LC under rustls (Codex, Deno): rustls has no function of its own that every build keeps, but its records
 * pass the AEAD interface whole. A function of aead.c is known by the set of its reasons (14 of 14 binaries,
 * docs/facts/clients.md, "AWS-LC"); a set with others in it is a start that swallowed its neighbours, and is
 * refused.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "find/anchor/stacks.h"

/* include/openssl/err.h and cipher.h of AWS-LC */
#define ERR_LIB_CIPHER     30
#define R_BAD_DECRYPT      101 /* CIPHER_R_BAD_DECRYPT */
#define R_BUFFER_TOO_SMALL 103 /* CIPHER_R_BUFFER_TOO_SMALL */
#define R_NO_GATHER        104 /* CIPHER_R_CTRL_NOT_IMPLEMENTED */
#define R_OUTPUT_ALIASES   115 /* CIPHER_R_OUTPUT_ALIASES_INPUT */
#define R_TOO_LARGE        117 /* CIPHER_R_TOO_LARGE */
#define R_UNSUPPORTED_KEY  120 /* CIPHER_R_UNSUPPORTED_KEY_SIZE */
#define R_NO_DIRECTION     124 /* CIPHER_R_NO_DIRECTION_SET */

#define FUNCTIONS_MAX 32
#define REASONS_MAX   8

struct function {
	struct code_start start;
	uint64_t marks[CODE_MARKS_MAX];
	size_t n_marks;
	uint32_t reasons[REASONS_MAX];
	size_t n_reasons;
	bool is_oversize;
};

struct functions {
	struct function at[FUNCTIONS_MAX];
	size_t n;
	struct error_site sites[ERROR_SITES_MAX];
};

static void add_reason(struct function *function, const struct error_site *site)
{
	if (function->n_marks == CODE_MARKS_MAX || function->n_reasons == REASONS_MAX) {
		function->is_oversize = true;
		return;
	}
	function->marks[function->n_marks++] = site->at;
	for (size_t i = 0; i < function->n_reasons; i++)
		if (function->reasons[i] == site->reason)
			return;
	function->reasons[function->n_reasons++] = site->reason;
}

/* Sorts the sites by the functions that hold them. 0 or -errno. */
static int group(struct search *search, struct functions *functions, size_t n_sites)
{
	for (size_t i = 0; i < n_sites; i++) {
		struct function *function = NULL;
		struct code_start start;
		int err = code_start(search->code, &functions->sites[i].at, 1, &start);

		if (err == -ENOENT)
			continue;
		if (err)
			return err;
		for (size_t k = 0; k < functions->n && !function; k++)
			if (functions->at[k].start.addr == start.addr)
				function = &functions->at[k];
		if (!function) {
			if (functions->n == FUNCTIONS_MAX)
				return -E2BIG;
			function = &functions->at[functions->n++];
			function->start = start;
		}
		add_reason(function, &functions->sites[i]);
	}
	return 0;
}

static bool has(const struct function *function, uint32_t reason)
{
	for (size_t i = 0; i < function->n_reasons; i++)
		if (function->reasons[i] == reason)
			return true;
	return false;
}

static bool is_seal(const struct function *f)
{
	return f->n_reasons == 3 && has(f, R_TOO_LARGE) && has(f, R_BUFFER_TOO_SMALL) &&
	       has(f, R_OUTPUT_ALIASES);
}

/* open_gather may be a part of it. */
static bool is_open(const struct function *f)
{
	return has(f, R_BAD_DECRYPT) && has(f, R_BUFFER_TOO_SMALL) && has(f, R_OUTPUT_ALIASES) &&
	       (f->n_reasons == 3 || (f->n_reasons == 4 && has(f, R_NO_GATHER)));
}

static bool is_init_direction(const struct function *f)
{
	return f->n_reasons == 1 && has(f, R_UNSUPPORTED_KEY);
}

/* EVP_AEAD_CTX_init with _init_with_direction as a part of it; else it calls that. */
static bool is_init(const struct function *f)
{
	return f->n_reasons == 2 && has(f, R_UNSUPPORTED_KEY) && has(f, R_NO_DIRECTION);
}

static size_t count(const struct functions *functions, bool (*is)(const struct function *f))
{
	size_t n = 0;

	for (size_t i = 0; i < functions->n; i++)
		n += !functions->at[i].is_oversize && is(&functions->at[i]);
	return n;
}

/* The one function of that kind. 0; -ENOENT: none, or more than one. */
static int place(struct search *search, const struct functions *functions,
		 bool (*is)(const struct function *f), struct anchor_function *ret)
{
	const struct function *found = NULL;
	int err;

	for (size_t i = 0; i < functions->n; i++) {
		if (functions->at[i].is_oversize || !is(&functions->at[i]))
			continue;
		if (found)
			return -ENOENT;
		found = &functions->at[i];
	}
	if (!found)
		return -ENOENT;
	/* all of its sites at once: the same start must come out */
	err = search_place(search, found->marks, found->n_marks, ret);
	if (!err && ret->addr != found->start.addr)
		err = -ENOENT;
	if (err)
		*ret = (struct anchor_function){ 0 };
	return err;
}

int awslc_find(struct search *search)
{
	struct anchor_finding *finding = &search->anchors->stacks[ANCHOR_AWSLC];
	struct anchor_function *functions = search->anchors->functions;
	_cleanup_free_ struct functions *found = NULL;
	int n, err;

	if (!finding->is_present)
		return 0;
	found = calloc(1, sizeof(*found));
	if (!found)
		return -ENOMEM;
	n = search_error_sites(search, MARK_AEAD, ERR_LIB_CIPHER, found->sites);
	if (n < 0)
		return n;
	err = group(search, found, (size_t)n);
	if (!err)
		err = place(search, found, is_seal, &functions[ANCHOR_AEAD_SEAL]);
	if (!err)
		err = place(search, found, is_open, &functions[ANCHOR_AEAD_OPEN]);
	if (!err)
		err = place(search, found, is_init_direction,
			    &functions[ANCHOR_AEAD_INIT_DIRECTION]);
	if (!err) {
		err = place(search, found, is_init, &functions[ANCHOR_AEAD_INIT]);
		if (err == -ENOENT && !count(found, is_init))
			err = 0;
	}
	if (err)
		finding->why = n ? "seal, open or init of the AEAD were not found with proof" :
				   "it is linked and not called";
	return err == -ENOENT || err == -E2BIG ? 0 : err;
}

void awslc_prove(struct search *search)
{
	struct anchor_finding *finding = &search->anchors->stacks[ANCHOR_AWSLC];

	if (!finding->is_present || finding->why)
		return;
	for (int i = ANCHOR_AEAD_INIT; i <= ANCHOR_AEAD_OPEN; i++) {
		const struct anchor_function *function = &search->anchors->functions[i];

		if (function->proof == CODE_TABLE || function->n_callers ||
		    (!function->addr && i == ANCHOR_AEAD_INIT))
			continue;
		finding->why = "what seemed to be seal, open or init of the AEAD has no caller";
		return;
	}
	finding->is_proven = true;
}

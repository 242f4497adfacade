/* SPDX-License-Identifier: Apache-2.0 */
/*
 * BoringSSL, linked into a program (Bun and what is compiled with it). OPENSSL_PUT_ERROR leaves the file's
 * name, a reason and a line at each error site, and a function is known by the set of its reasons in the order
 * of lines; lines move from version to version, reasons and their order do not (33 of 33 binaries of two
 * years, docs/facts/clients.md, "BoringSSL").
 */
#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "find/anchor/stacks.h"

/* include/openssl/err.h and ssl.h of BoringSSL */
#define ERR_LIB_SSL         16
#define R_SHOULD_NOT_BE     66  /* ERR_R_SHOULD_NOT_HAVE_BEEN_CALLED */
#define R_UNINITIALIZED     226 /* SSL_R_UNINITIALIZED */
#define R_HANDSHAKE_FAILURE 215 /* SSL_R_SSL_HANDSHAKE_FAILURE */
#define R_BAD_LENGTH        111 /* SSL_R_BAD_LENGTH */
#define R_BAD_SERVER_NAME   213 /* SSL_R_SSL3_EXT_INVALID_SERVERNAME */

/* How far apart the error sites of one function lie: 20 to 26 lines in SSL_write, 1 KB of code. */
#define LINES_WRITE 60
#define BYTES_WRITE 1024
/* ssl_read_impl stands above SSL_read in the source and holds these two. */
#define LINES_READ_IMPL 140

struct sites {
	struct error_site at[ERROR_SITES_MAX];
	size_t n;
};

/* The site of `reason` with the greatest line below `line`, within `lines` of it and `bytes` of `near`. */
static const struct error_site *below(const struct sites *sites, uint32_t reason, uint32_t line,
				      uint32_t lines, uint64_t near, uint64_t bytes)
{
	const struct error_site *best = NULL;

	for (size_t i = 0; i < sites->n; i++) {
		const struct error_site *site = &sites->at[i];
		uint64_t apart = site->at > near ? site->at - near : near - site->at;

		if (site->line && site->reason == reason && site->line < line &&
		    line - site->line <= lines && apart < bytes &&
		    (!best || site->line > best->line))
			best = site;
	}
	return best;
}

/* SSL_write: {66 < 226 < 215 < 111} by lines. Which of them is `ret`[0..3]; false: not the one at `last`. */
static bool is_write(const struct sites *sites, const struct error_site *last,
		     const struct error_site *ret[4])
{
	static const uint32_t reasons[] = { R_SHOULD_NOT_BE, R_UNINITIALIZED, R_HANDSHAKE_FAILURE };
	uint32_t line = last->line;

	if (!line)
		return false;
	ret[3] = last;
	for (int i = 2; i >= 0; i--) {
		ret[i] = below(sites, reasons[i], line, LINES_WRITE, last->at, BYTES_WRITE);
		if (!ret[i] || last->line - ret[i]->line > LINES_WRITE)
			return false;
		line = ret[i]->line;
	}
	return true;
}

static int place_write(struct search *search, const struct sites *sites, uint32_t *ret_line)
{
	struct anchor_function *write = &search->anchors->functions[ANCHOR_SSL_WRITE];
	const struct error_site *found[4], *all[4] = {};
	size_t n_found = 0;

	for (size_t i = 0; i < sites->n; i++) {
		if (sites->at[i].reason != R_BAD_LENGTH || !is_write(sites, &sites->at[i], found))
			continue;
		n_found++;
		for (int k = 0; k < 4; k++)
			all[k] = found[k];
	}
	if (n_found != 1)
		return -ENOENT;
	*ret_line = all[0]->line;
	return search_place(search,
			    (const uint64_t[]){ all[0]->at, all[1]->at, all[2]->at, all[3]->at }, 4,
			    write);
}

/*
 * SSL_read holds the reason 66 with the greatest line below SSL_write's. SSL_peek, which old versions have
 * beside it on the same line, has no callers: two candidates are left to the proof by callers.
 */
static int place_read(struct search *search, const struct sites *sites, uint32_t line_write)
{
	struct anchor_function *read = &search->anchors->functions[ANCHOR_SSL_READ];
	const struct error_site *site = below(sites, R_SHOULD_NOT_BE, line_write, UINT32_MAX, 0,
					      UINT64_MAX);
	struct anchor_function candidates[2] = {};
	struct scan_called called[2] = {};
	size_t n = 0;
	int err;

	if (!site || !below(sites, R_UNINITIALIZED, site->line, LINES_READ_IMPL, 0, UINT64_MAX) ||
	    !below(sites, R_HANDSHAKE_FAILURE, site->line, LINES_READ_IMPL, 0, UINT64_MAX))
		return -ENOENT;
	for (size_t i = 0; i < sites->n; i++) {
		if (sites->at[i].reason != R_SHOULD_NOT_BE || sites->at[i].line != site->line)
			continue;
		if (n == ARRAY_SIZE(candidates))
			return -ENOENT;
		err = search_place(search, &sites->at[i].at, 1, &candidates[n]);
		if (err)
			return err;
		called[n].addr = candidates[n].addr;
		n++;
	}
	if (n == 2) {
		err = scan_calls(search->image, called, 2, NULL);
		if (err)
			return err;
		if (!called[0].n_callers == !called[1].n_callers)
			return -ENOENT;
		candidates[0] = candidates[called[0].n_callers ? 0 : 1];
	}
	*read = candidates[0];
	return 0;
}

static int place_set_host(struct search *search, const struct sites *sites)
{
	struct anchor_function *set_host = &search->anchors->functions[ANCHOR_SET_HOST];
	const struct error_site *found = NULL;

	for (size_t i = 0; i < sites->n; i++) {
		if (sites->at[i].reason != R_BAD_SERVER_NAME)
			continue;
		if (found)
			return -ENOENT;
		found = &sites->at[i];
	}
	return found ? search_place(search, &found->at, 1, set_host) : -ENOENT;
}

int boringssl_find(struct search *search)
{
	struct anchor_finding *finding = &search->anchors->stacks[ANCHOR_BORINGSSL];
	_cleanup_free_ struct sites *sites = NULL;
	uint32_t line_write = 0;
	int n, err;

	if (!finding->is_present)
		return 0;
	sites = calloc(1, sizeof(*sites));
	if (!sites)
		return -ENOMEM;
	n = search_error_sites(search, MARK_SSL_LIB, ERR_LIB_SSL, sites->at);
	if (n < 0)
		return n;
	sites->n = (size_t)n;
	err = place_write(search, sites, &line_write);
	if (err) {
		finding->why = "SSL_write was not found with proof";
		return err == -ENOENT ? 0 : err;
	}
	err = place_read(search, sites, line_write);
	if (err) {
		finding->why = "SSL_read was not found with proof";
		return err == -ENOENT ? 0 : err;
	}
	err = place_set_host(search, sites);
	return err == -ENOENT ? 0 : err; /* the Host header will tell */
}

/* A start that the unwind table does not tell must be called by somebody. */
static bool is_proven(const struct anchor_function *function)
{
	return function->addr && (function->proof == CODE_TABLE || function->n_callers);
}

void boringssl_prove(struct search *search)
{
	struct anchor_finding *finding = &search->anchors->stacks[ANCHOR_BORINGSSL];
	struct anchor_function *functions = search->anchors->functions;

	if (!finding->is_present || finding->why)
		return;
	if (!is_proven(&functions[ANCHOR_SSL_WRITE]) || !is_proven(&functions[ANCHOR_SSL_READ]) ||
	    functions[ANCHOR_SSL_WRITE].addr == functions[ANCHOR_SSL_READ].addr) {
		finding->why = "what seemed to be SSL_write or SSL_read has no caller";
		return;
	}
	if (!is_proven(&functions[ANCHOR_SET_HOST]))
		functions[ANCHOR_SET_HOST] = (struct anchor_function){ 0 };
	finding->is_proven = true;
}

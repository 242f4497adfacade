/* SPDX-License-Identifier: Apache-2.0 */
#include "find/anchor/anchor.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "find/anchor/cache.h"
#include "find/anchor/stacks.h"

/* Of a Go program: pclntab is a third of it. Kubernetes' have 60 MB; Codex, which is none, 4. */
#define GO_DATA_MAX (64u << 20)

#define NEEDLE(text)                   \
	{                              \
		text, sizeof(text) - 1 \
	}
static const struct scan_needle needles[MARKS] = {
	[MARK_SSL_LIB] = NEEDLE("/ssl/ssl_lib.cc\0"),
	[MARK_AEAD] = NEEDLE("/fipsmodule/cipher/aead.c\0"),
	[MARK_WRITE_INTERNAL] = NEEDLE("\0ssl_write_internal\0"),
	[MARK_READ_INTERNAL] = NEEDLE("\0ssl_read_internal\0"),
	[MARK_CTRL] = NEEDLE("\0ssl3_ctrl\0"),
	[MARK_OPENSSL_VERSION] = NEEDLE("OpenSSL 3."),
	[MARK_RUSTLS_LAYER] = NEEDLE(RUSTLS_LAYER_PATH),
	[MARK_RUSTLS_RING] = NEEDLE(RUSTLS_RING_PATH),
};

/* runtime/symtab.go: magic, two zeros, the smallest instruction, the size of a pointer */
static void make_needles(struct search *search)
{
	static const struct {
		enum mark mark;
		char magic;
	} go[] = { { MARK_GO_1_20, '\xf1' }, { MARK_GO_1_18, '\xf0' } };

	memcpy(search->needles, needles, sizeof(needles));
	for (size_t i = 0; i < ARRAY_SIZE(go); i++) {
		const char head[GO_HEAD] = { go[i].magic,
					     '\xff',
					     '\xff',
					     '\xff',
					     [6] = (char)search->image->machine->go_unit,
					     [7] = 8 };

		memcpy(search->go_heads[i], head, GO_HEAD);
		search->needles[go[i].mark] = (struct scan_needle){ search->go_heads[i], GO_HEAD };
	}
}

/* Whose mark it is; ANCHOR_STACKS: says nothing alone. */
static const enum anchor_stack stack_of[MARKS] = {
	[MARK_SSL_LIB] = ANCHOR_BORINGSSL,
	[MARK_AEAD] = ANCHOR_AWSLC,
	[MARK_WRITE_INTERNAL] = ANCHOR_OPENSSL,
	[MARK_READ_INTERNAL] = ANCHOR_STACKS,
	[MARK_CTRL] = ANCHOR_STACKS,
	[MARK_OPENSSL_VERSION] = ANCHOR_STACKS,
	[MARK_RUSTLS_LAYER] = ANCHOR_STACKS,
	[MARK_RUSTLS_RING] = ANCHOR_RUSTLS,
	[MARK_GO_1_20] = ANCHOR_GO,
	[MARK_GO_1_18] = ANCHOR_GO,
};

const char *anchor_stack_name(enum anchor_stack stack)
{
	static const char *const names[ANCHOR_STACKS] = {
		[ANCHOR_BORINGSSL] = "boringssl", [ANCHOR_AWSLC] = "aws-lc",
		[ANCHOR_OPENSSL] = "openssl-3",   [ANCHOR_GO] = "go",
		[ANCHOR_RUSTLS] = "rustls-ring",
	};

	return names[stack];
}

const char *anchor_function_name(enum anchor_function_id id)
{
	static const char *const names[ANCHOR_FUNCTIONS] = {
		[ANCHOR_SSL_WRITE] = "SSL_write",
		[ANCHOR_SSL_READ] = "SSL_read",
		[ANCHOR_SET_HOST] = "SSL_set_tlsext_host_name",
		[ANCHOR_AEAD_INIT] = "EVP_AEAD_CTX_init",
		[ANCHOR_AEAD_INIT_DIRECTION] = "EVP_AEAD_CTX_init_with_direction",
		[ANCHOR_AEAD_SEAL] = "EVP_AEAD_CTX_seal",
		[ANCHOR_AEAD_OPEN] = "EVP_AEAD_CTX_open",
		[ANCHOR_WRITE_INTERNAL] = "ssl_write_internal",
		[ANCHOR_READ_INTERNAL] = "ssl_read_internal",
		[ANCHOR_CTRL] = "ssl3_ctrl",
		[ANCHOR_GO_WRITE] = "crypto/tls.(*Conn).Write",
		[ANCHOR_GO_READ] = "crypto/tls.(*Conn).Read",
		[ANCHOR_GO_CLOSE] = "crypto/tls.(*Conn).Close",
		[ANCHOR_GO_RECORD] = "crypto/tls.(*Conn).write",
		[ANCHOR_RUSTLS_OUTGOING] = "RecordLayer::encrypt_outgoing",
	};

	return names[id];
}

/*
 * Where the code is asked for the strings: a path from its beginning, a name from behind its NUL; and for Rust's
 * locations, which name a path.
 */
static size_t targets_of(const struct search *search, uint64_t ret[SCAN_TARGETS_MAX])
{
	size_t n = 0;

	for (size_t i = 0; i < search->n_hits; i++) {
		switch (search->hits[i].needle) {
		case MARK_SSL_LIB:
		case MARK_AEAD:
			if (!search_string_start(search->image, search->hits[i].addr, &ret[n]))
				n++;
			break;
		case MARK_WRITE_INTERNAL:
		case MARK_READ_INTERNAL:
		case MARK_CTRL:
			ret[n++] = search->hits[i].addr + 1;
			break;
		}
	}
	for (size_t i = 0; i < search->n_locations; i++)
		ret[n++] = search->locations[i].at;
	return n;
}
_Static_assert(SCAN_HITS_MAX + LOCATIONS_MAX <= SCAN_TARGETS_MAX, "all of them have room");

static int find_strings(struct search *search)
{
	return scan_strings(search->image, IMAGE_CONSTANTS, search->needles, MARKS, search->hits,
			    &search->n_hits);
}

static bool has_go_table(const struct search *search)
{
	for (size_t i = 0; i < search->n_hits; i++)
		if (stack_of[search->hits[i].needle] == ANCHOR_GO)
			return true;
	return false;
}

/* In a Go program that is relocated the function table stands among what is written once, at its start. */
static int find_go_table(struct search *search)
{
	size_t n = search->n_hits;
	int err;

	if (!search->image->is_relocated || has_go_table(search) ||
	    search->image->data_bytes > GO_DATA_MAX)
		return 0;
	err = scan_strings(search->image, IMAGE_DATA, &search->needles[MARK_GO_1_20], 2,
			   search->hits, &search->n_hits);
	for (; n < search->n_hits; n++)
		search->hits[n].needle += MARK_GO_1_20;
	return err;
}

static int find_refs(struct search *search)
{
	uint64_t targets[SCAN_TARGETS_MAX];
	size_t n = targets_of(search, targets);

	return scan_refs(search->image, targets, n, search->refs, &search->n_refs);
}

/* A call of ssl_write_internal that hands it 0 as its fourth argument: flags, for `written` is a pointer. */
static int note_flags(struct search *search, const struct scan_callers *callers)
{
	uint64_t target = search->anchors->functions[ANCHOR_WRITE_INTERNAL].addr;

	for (size_t i = 0; i < callers->n; i++) {
		struct code_site site;
		int err;

		if (callers->at[i].target != target)
			continue;
		err = code_call(search->code, callers->at[i].at, &site);
		if (err && err != -ENOENT)
			return err;
		if (!err && site.args[CODE_ARG4].is_known && !site.args[CODE_ARG4].value)
			search->has_write_flags_call = true;
	}
	return 0;
}

/* Who calls what was found: for all stacks in one more pass, where a proof needs it. */
static int find_callers(struct search *search)
{
	_cleanup_free_ struct scan_callers *callers = NULL;
	struct anchor_function *functions = search->anchors->functions;
	struct scan_called called[ANCHOR_FUNCTIONS];
	int of[ANCHOR_FUNCTIONS], err;
	bool must_know_sites = functions[ANCHOR_WRITE_INTERNAL].addr;
	size_t n = 0;

	for (int i = 0; i < ANCHOR_GO_WRITE; i++) {
		if (!functions[i].addr ||
		    (functions[i].proof == CODE_TABLE && i < ANCHOR_WRITE_INTERNAL))
			continue;
		of[n] = i;
		called[n++] = (struct scan_called){ .addr = functions[i].addr,
						    .last = functions[i].last };
	}
	if (!n)
		return 0;
	callers = calloc(1, sizeof(*callers));
	if (!callers)
		return -ENOMEM;
	err = scan_calls(search->image, called, n, must_know_sites ? callers : NULL);
	if (err)
		return err;
	for (size_t i = 0; i < n; i++)
		/* a start in front of another function is not the start of what lies behind that */
		functions[of[i]].n_callers = called[i].n_within ? 0 : called[i].n_callers;
	return must_know_sites ? note_flags(search, callers) : 0;
}

/* Does each place still hold what it is remembered for? */
static bool is_true(const struct search *search)
{
	uint64_t targets[SCAN_TARGETS_MAX];
	size_t n;

	for (size_t i = 0; i < search->n_hits; i++) {
		const struct scan_needle *needle;
		uint8_t bytes[SCAN_NEEDLE_MAX];

		if (search->hits[i].needle >= MARKS)
			return false;
		needle = &search->needles[search->hits[i].needle];
		if (image_read(search->image, search->hits[i].addr, bytes, needle->len) ||
		    memcmp(bytes, needle->bytes, needle->len))
			return false;
	}
	n = targets_of(search, targets);
	for (size_t i = 0; i < search->n_refs; i++) {
		bool is_target = false;

		for (size_t k = 0; k < n; k++)
			is_target |= targets[k] == search->refs[i].target;
		if (!is_target || !scan_is_ref(search->image, &search->refs[i]))
			return false;
	}
	return true;
}

static bool recall(struct search *search, const struct anchor_memory *memory, const struct stat *st)
{
	_cleanup_free_ struct cache_places *places = malloc(sizeof(*places));

	if (!memory || memory->fd < 0 || !places || cache_load(memory->fd, st, places))
		return false;
	search->n_hits = places->n_hits;
	search->n_refs = places->n_refs;
	memcpy(search->hits, places->hits, places->n_hits * sizeof(*places->hits));
	memcpy(search->refs, places->refs, places->n_refs * sizeof(*places->refs));
	if (!rustls_locations(search) && is_true(search))
		return true;
	search->n_hits = search->n_locations = search->n_refs = 0;
	return false;
}

static void remember(const struct search *search, struct anchor_memory *memory,
		     const struct stat *st)
{
	_cleanup_free_ struct cache_places *places = malloc(sizeof(*places));

	if (!memory || !places)
		return;
	places->n_hits = search->n_hits;
	places->n_refs = search->n_refs;
	memcpy(places->hits, search->hits, search->n_hits * sizeof(*places->hits));
	memcpy(places->refs, search->refs, search->n_refs * sizeof(*places->refs));
	cache_record(st, places, &memory->found);
}

/* Everything that needs a look at the whole file. */
static int find_places(struct search *search, struct anchor_memory *memory)
{
	struct stat st;
	int err = 0;

	if (fstat(search->image->fd, &st) < 0)
		return -errno;
	if (!recall(search, memory, &st)) {
		err = find_strings(search);
		if (!err)
			err = find_go_table(search);
		if (!err)
			err = rustls_locations(search);
		if (!err)
			err = find_refs(search);
		if (!err)
			remember(search, memory, &st);
	}
	for (size_t i = 0; i < search->n_hits && !err; i++) {
		enum anchor_stack stack = stack_of[search->hits[i].needle];

		if (stack < ANCHOR_STACKS)
			search->anchors->stacks[stack].is_present = true;
	}
	return err;
}

static int find_all(struct search *search, struct anchor_memory *memory)
{
	int err = find_places(search, memory);

	if (!err)
		err = boringssl_find(search);
	if (!err)
		err = awslc_find(search);
	if (!err)
		err = openssl_find(search);
	if (!err)
		err = find_callers(search);
	if (err)
		return err;
	boringssl_prove(search);
	awslc_prove(search);
	/* BoringSSL has the same AEAD, below its own functions */
	if (search->anchors->stacks[ANCHOR_BORINGSSL].is_present)
		search->anchors->stacks[ANCHOR_AWSLC] = (struct anchor_finding){ 0 };
	openssl_prove(search);
	err = rustls_find(search);
	return err ? err : golang_find(search);
}

int anchors_find(int fd, struct anchor_memory *memory, struct anchors *ret)
{
	_cleanup_free_ struct search *search = calloc(1, sizeof(*search));
	_cleanup_free_ struct scan_ref *refs = calloc(SCAN_REFS_MAX, sizeof(*refs));
	struct anchors anchors = {};
	struct image image;
	int err;

	if (!search || !refs)
		return -ENOMEM;
	err = image_open(&image, fd);
	if (err)
		return err;
	search->image = &image;
	search->anchors = &anchors;
	search->refs = refs;
	make_needles(search);
	search->code = code_new(&image);
	if (!search->code)
		return -ENOMEM;
	err = find_all(search, memory);
	code_free(search->code);
	if (!err)
		*ret = anchors;
	return err;
}

bool anchors_any(const struct anchors *anchors)
{
	for (int i = 0; i < ANCHOR_STACKS; i++)
		if (anchors->stacks[i].is_proven)
			return true;
	return false;
}

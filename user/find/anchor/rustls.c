/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rustls over ring (Codex 0.121 to 0.132, Deno to 2.2), which has no function of its own that every build keeps. But
 * each record passes a MessageEncrypter or a MessageDecrypter, called through a table of methods, which is named where
 * the object is made; and what makes it may panic, so it names its place in the source (core::panic::Location).
 * All of this is the compiler's, whatever the version (docs/facts/clients.md, "rustls").
 */
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "find/anchor/relocs.h"
#include "find/anchor/stacks.h"

#define PATH_MAX_LEN    250 /* bytes of a source file's path; Codex's has 110 */
#define LINE_MAX_NUMBER 20000
#define COLUMN_MAX      400

/* RecordLayer::encrypt_outgoing() asserts, and unwraps some lines below. */
#define COLUMN_ASSERT 9
#define COLUMN_UNWRAP 14
#define LINES_MIN     3
#define LINES_MAX     7

#define MAKERS_MAX    32
#define ADDRESSES_MAX 128 /* that the code of one of them names */

/* A table of methods (vtable): drop, size, align, methods. */
#define TABLE_SIZE_MIN \
	28 /* of a key and an initialisation vector: else it is an error's, to be shown */
#define TABLE_SIZE_MAX  8192
#define TABLE_ALIGN_MAX 64
#define TABLE_METHOD    24
/* MessageEncrypter's second method adds a constant to a length. */
#define SMALL_METHOD 24

/* core::panic::Location */
struct panic_place {
	uint64_t path, path_len;
	uint32_t line, column;
};

/* Where the path ends of which a hit is a part; 0: it is another. */
static uint64_t path_end(const struct search *search, const struct scan_hit *hit)
{
	char rest[4];

	if (hit->needle == MARK_RUSTLS_LAYER)
		return hit->addr + strlen(RUSTLS_LAYER_PATH);
	if (hit->needle != MARK_RUSTLS_RING ||
	    image_read(search->image, hit->addr + strlen(RUSTLS_RING_PATH), rest, sizeof(rest)) ||
	    (rest[0] != '2' && rest[0] != '3') || memcmp(rest + 1, ".rs", 3) != 0)
		return 0;
	return hit->addr + strlen(RUSTLS_RING_PATH) + sizeof(rest);
}

static bool read_location(const struct search *search, const struct relocs_place *place,
			  struct location *ret)
{
	struct panic_place found;

	if (image_read(search->image, place->at, &found, sizeof(found)) || !found.line ||
	    found.line > LINE_MAX_NUMBER || found.column > COLUMN_MAX)
		return false;
	for (size_t i = 0; i < search->n_hits; i++) {
		uint64_t end = path_end(search, &search->hits[i]);

		if (!end || place->pointer + found.path_len != end)
			continue;
		*ret = (struct location){ .at = place->at,
					  .mark = (enum mark)search->hits[i].needle,
					  .line = found.line,
					  .column = found.column };
		return true;
	}
	return false;
}

int rustls_locations(struct search *search)
{
	_cleanup_free_ struct relocs_place *places = calloc(LOCATIONS_MAX, sizeof(*places));
	struct relocs_range ranges[RELOCS_RANGES_MAX];
	struct relocs relocs;
	bool has_provider = false;
	size_t n_ranges = 0;
	int n;

	if (!places)
		return -ENOMEM;
	for (size_t i = 0; i < search->n_hits && n_ranges < RELOCS_RANGES_MAX; i++) {
		uint64_t end = path_end(search, &search->hits[i]);

		if (!end)
			continue;
		has_provider |= search->hits[i].needle == MARK_RUSTLS_RING;
		ranges[n_ranges++] =
			(struct relocs_range){ end > PATH_MAX_LEN ? end - PATH_MAX_LEN : 0, end };
	}
	if (!has_provider)
		return 0;
	n = relocs_open(&relocs, search->image);
	if (!n)
		n = relocs_places(&relocs, ranges, n_ranges, places, LOCATIONS_MAX);
	for (int i = 0; i < n; i++)
		search->n_locations += read_location(search, &places[i],
						     &search->locations[search->n_locations]);
	return n == -E2BIG || n > 0 ? 0 : n;
}

static const struct location *location_of(const struct search *search, const struct scan_ref *ref)
{
	for (size_t i = 0; i < search->n_locations; i++)
		if (search->locations[i].at == ref->target)
			return &search->locations[i];
	return NULL;
}

/* A function that names places of a file, as far as its own frame entry covers it. */
struct maker {
	struct code_start start;
	uint64_t marks[CODE_MARKS_MAX];
	size_t n_marks;
	uint32_t lines[2]; /* of its assertion, of its unwrap; 0: none */
};

/* Sorts the references to places of one file by the functions that hold them. How many functions, or -errno. */
static int makers_of(struct search *search, enum mark mark, struct maker makers[MAKERS_MAX])
{
	int n = 0;

	for (size_t i = 0; i < search->n_refs; i++) {
		const struct location *location = location_of(search, &search->refs[i]);
		struct code_start start;
		struct maker *maker = NULL;
		int err;

		if (!location || location->mark != mark)
			continue;
		err = code_start(search->code, &search->refs[i].at, 1, &start);
		if (err == -ENOENT || (!err && start.proof != CODE_TABLE))
			continue;
		if (err)
			return err;
		for (int k = 0; k < n && !maker; k++)
			if (makers[k].start.addr == start.addr)
				maker = &makers[k];
		if (!maker) {
			if (n == MAKERS_MAX)
				return -E2BIG;
			maker = &makers[n++];
			*maker = (struct maker){ .start = start };
		}
		if (maker->n_marks < CODE_MARKS_MAX)
			maker->marks[maker->n_marks++] = search->refs[i].at;
		if (location->column == COLUMN_ASSERT)
			maker->lines[0] = location->line;
		else if (location->column == COLUMN_UNWRAP)
			maker->lines[1] = location->line;
	}
	return n;
}

static bool is_outgoing(const struct maker *maker)
{
	return maker->n_marks == 2 && maker->lines[0] && maker->lines[1] > maker->lines[0] &&
	       maker->lines[1] - maker->lines[0] >= LINES_MIN &&
	       maker->lines[1] - maker->lines[0] <= LINES_MAX;
}

static int place_outgoing(struct search *search, struct maker makers[MAKERS_MAX])
{
	struct anchor_function *outgoing = &search->anchors->functions[ANCHOR_RUSTLS_OUTGOING];
	const struct maker *found = NULL;
	int n = makers_of(search, MARK_RUSTLS_LAYER, makers);

	for (int i = 0; i < n; i++) {
		if (!is_outgoing(&makers[i]))
			continue;
		if (found)
			return -ENOENT; /* it was inlined, too */
		found = &makers[i];
	}
	if (n < 0 || !found)
		return n < 0 ? n : -ENOENT;
	return search_place(search, found->marks, found->n_marks, outgoing);
}

/* The function that covers an address. 0; -ENOENT: none, so that it is no method's; -errno. */
static int function_of(const struct search *search, uint64_t addr, uint64_t *ret_start,
		       uint64_t *ret_end)
{
	if (!image_is_code(search->image, addr))
		return -ENOENT;
	return image_function(search->image, addr, ret_start, ret_end);
}

/* Size and alignment of an object. */
static bool is_sound(uint64_t size, uint64_t align)
{
	return size <= TABLE_SIZE_MAX && align && align <= TABLE_ALIGN_MAX && !(align & (align - 1));
}

enum kind { KIND_OTHER, KIND_ENCRYPTER, KIND_DECRYPTER };

/*
 * What the table of methods at `at` belongs to: an encrypter has a second method, which is tiny, a decrypter none, so
 * that something else follows: no function, or another table. 0 or -errno.
 */
static int kind_of(struct search *search, const struct relocs *relocs, uint64_t at, enum kind *ret,
		   struct anchor_function *ret_method)
{
	uint64_t drop, head[2], method, start, end, second, next[2] = {};
	int err = relocs_pointer(relocs, at, &drop);

	*ret = KIND_OTHER;
	if (!err)
		err = image_read(search->image, at + 8, head, sizeof(head));
	if (!err)
		err = relocs_pointer(relocs, at + TABLE_METHOD, &method);
	if (!err && ((drop && !image_is_code(search->image, drop)) || head[0] < TABLE_SIZE_MIN ||
		     !is_sound(head[0], head[1])))
		err = -ENOENT;
	if (!err)
		err = function_of(search, method, &start, &end);
	if (!err && start != method)
		err = -ENOENT;
	if (!err)
		err = relocs_pointer(relocs, at + TABLE_METHOD + 8, &second);
	if (err)
		return err == -ENOENT ? 0 : err;
	*ret_method = (struct anchor_function){
		.addr = method, .end = end, .proof = CODE_TABLE, .n_marks = 1, .probe = method
	};
	err = function_of(search, second, &start, &end);
	if (err && err != -ENOENT)
		return err;
	if (!err && start == second && end - second <= SMALL_METHOD) {
		*ret = KIND_ENCRYPTER;
		return 0;
	}
	(void)image_read(search->image, at + TABLE_METHOD + 16, next, sizeof(next));
	if (err || is_sound(next[0], next[1]))
		*ret = KIND_DECRYPTER;
	return 0;
}

/* What the makers make, and whose table more than one of them names, which is something else's. */
struct ciphers {
	struct anchor_cipher at[ANCHOR_CIPHERS_MAX];
	uint64_t tables[ANCHOR_CIPHERS_MAX], makers[ANCHOR_CIPHERS_MAX];
	bool is_shared[ANCHOR_CIPHERS_MAX];
	size_t n;
};

/* 0, or -E2BIG: more than rustls has. */
static int add_cipher(struct ciphers *ciphers, uint64_t table, uint64_t maker,
		      const struct anchor_cipher *cipher)
{
	for (size_t i = 0; i < ciphers->n; i++) {
		if (ciphers->tables[i] != table)
			continue;
		ciphers->is_shared[i] |= ciphers->makers[i] != maker;
		return 0;
	}
	if (ciphers->n == ANCHOR_CIPHERS_MAX)
		return -E2BIG;
	ciphers->tables[ciphers->n] = table;
	ciphers->makers[ciphers->n] = maker;
	ciphers->at[ciphers->n++] = *cipher;
	return 0;
}

/* Encrypters and decrypters that this function makes. 0 or -errno. */
static int add_ciphers(struct search *search, const struct relocs *relocs,
		       const struct maker *maker, struct ciphers *ciphers)
{
	uint64_t addresses[ADDRESSES_MAX];
	int n = code_addresses(search->code, maker->start.addr, maker->start.end, addresses,
			       ADDRESSES_MAX);

	if (n < 0)
		return n == -EOPNOTSUPP ? 0 : n;
	for (int i = 0; i < n; i++) {
		struct anchor_cipher cipher;
		enum kind kind;
		int err = kind_of(search, relocs, addresses[i], &kind, &cipher.function);

		cipher.is_encrypter = kind == KIND_ENCRYPTER;
		if (!err && kind != KIND_OTHER)
			err = add_cipher(ciphers, addresses[i], maker->start.addr, &cipher);
		if (err)
			return err;
	}
	return 0;
}

static int place_ciphers(struct search *search, struct maker makers[MAKERS_MAX])
{
	struct anchors *anchors = search->anchors;
	struct ciphers ciphers = {};
	struct relocs relocs;
	size_t n_encrypters = 0;
	int n = makers_of(search, MARK_RUSTLS_RING, makers);
	int err = n < 0 ? n : relocs_open(&relocs, search->image);

	for (int i = 0; i < n && !err; i++)
		err = add_ciphers(search, &relocs, &makers[i], &ciphers);
	if (err)
		return err;
	for (size_t i = 0; i < ciphers.n; i++) {
		if (ciphers.is_shared[i])
			continue;
		n_encrypters += ciphers.at[i].is_encrypter;
		anchors->ciphers[anchors->n_ciphers++] = ciphers.at[i];
	}
	/* they come in pairs: one of each for TLS 1.3, and for each kind of cipher in TLS 1.2 */
	return n_encrypters && 2 * n_encrypters == anchors->n_ciphers ? 0 : -ENOENT;
}

int rustls_find(struct search *search)
{
	struct anchor_finding *finding = &search->anchors->stacks[ANCHOR_RUSTLS];
	_cleanup_free_ struct maker *makers = NULL;
	int err;

	if (!finding->is_present)
		return 0;
	makers = calloc(MAKERS_MAX, sizeof(*makers));
	if (!makers)
		return -ENOMEM;
	err = place_outgoing(search, makers);
	if (err == -ENOENT)
		finding->why = "encrypt_outgoing was not found with proof";
	if (!err) {
		err = place_ciphers(search, makers);
		if (err == -ENOENT)
			finding->why = "its encrypters and decrypters were not found with proof";
	}
	finding->is_proven = !err;
	if (err == -E2BIG)
		finding->why = "its functions are too many to be told apart";
	return err == -ENOENT || err == -E2BIG ? 0 : err;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "find/anchor/scan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* 16 bytes: what every x86-64 and arm64 has. The compiler's own vectors, so that both are written once. */
#define LANES 16
typedef uint8_t lanes __attribute__((vector_size(LANES)));

static inline lanes load(const uint8_t *p)
{
	lanes v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static inline lanes splat(uint8_t byte)
{
	return (lanes){} + byte;
}

static inline bool any(lanes v)
{
	uint64_t halves[2];

	memcpy(halves, &v, sizeof(halves));
	return halves[0] | halves[1];
}

/* Takes the lowest lane that is set out of `v`, which is not empty, and says which it was. */
static inline size_t take_lane(lanes *v)
{
	uint64_t halves[2];
	size_t half, lane;

	memcpy(halves, v, sizeof(halves));
	half = halves[0] ? 0 : 1;
	lane = (size_t)__builtin_ctzll(halves[half]) / 8;
	halves[half] &= ~(0xffULL << lane * 8);
	memcpy(v, halves, sizeof(halves));
	return half * 8 + lane;
}

struct strings {
	const struct scan_needle *needles;
	size_t n;
	struct {
		lanes first, second;
		size_t at[2]; /* where they stand: bytes that zeros between strings do not have */
	} pairs[SCAN_NEEDLES_MAX];
	struct scan_hit *hits;
	size_t n_hits;
	bool is_full;
};

static void match(struct strings *s, uint64_t addr, const uint8_t *p, size_t left)
{
	for (size_t i = 0; i < s->n; i++) {
		if (s->needles[i].len > left || memcmp(p, s->needles[i].bytes, s->needles[i].len))
			continue;
		if (s->n_hits == SCAN_HITS_MAX) {
			s->is_full = true;
			return;
		}
		s->hits[s->n_hits++] = (struct scan_hit){ .addr = addr, .needle = i };
	}
}

static bool strings_in(void *arg, uint64_t addr, const uint8_t *bytes, size_t size, size_t more)
{
	struct strings *s = arg;
	size_t at = 0;

	for (; at + LANES + SCAN_NEEDLE_MAX <= more && at < size; at += LANES) {
		lanes hit = {};

		for (size_t i = 0; i < s->n; i++)
			hit |= (lanes)(load(bytes + at + s->pairs[i].at[0]) == s->pairs[i].first) &
			       (lanes)(load(bytes + at + s->pairs[i].at[1]) == s->pairs[i].second);
		while (any(hit)) {
			size_t k = at + take_lane(&hit);

			if (k < size)
				match(s, addr + k, bytes + k, more - k);
		}
	}
	for (; at < size; at++)
		match(s, addr + at, bytes + at, more - at);
	return !s->is_full;
}

int scan_strings(const struct image *image, enum image_kind kind, const struct scan_needle *needles,
		 size_t n, struct scan_hit ret[SCAN_HITS_MAX], size_t *ret_n)
{
	struct strings s = { .needles = needles, .n = n, .hits = ret, .n_hits = *ret_n };
	int err;

	if (n > SCAN_NEEDLES_MAX)
		return -E2BIG;
	for (size_t i = 0; i < n; i++) {
		if (needles[i].len < 4 || needles[i].len > SCAN_NEEDLE_MAX)
			return -EINVAL;
		s.pairs[i].at[0] = needles[i].bytes[0] ? 0 : 1;
		s.pairs[i].at[1] = needles[i].bytes[needles[i].len - 1] ? needles[i].len - 1 :
									  needles[i].len - 2;
		s.pairs[i].first = splat((uint8_t)needles[i].bytes[s.pairs[i].at[0]]);
		s.pairs[i].second = splat((uint8_t)needles[i].bytes[s.pairs[i].at[1]]);
	}
	err = image_walk(image, kind, 0, UINT64_MAX, strings_in, &s);
	if (err)
		return err;
	*ret_n = s.n_hits;
	return s.is_full ? -E2BIG : 0;
}

struct refs {
	const struct image *image;
	uint64_t targets[SCAN_TARGETS_MAX];
	size_t n_targets;
	uint64_t low, high; /* of the targets */
	struct {
		lanes second, third; /* bytes 1 and 2 of a 32-bit constant */
	} constants[SCAN_TARGETS_MAX];
	size_t n_constants;
	struct scan_ref *refs;
	size_t n_refs;
	bool is_full;
};

static int by_address(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void note(struct refs *r, uint64_t at, uint64_t target)
{
	if (target < r->low || target > r->high ||
	    !bsearch(&target, r->targets, r->n_targets, sizeof(target), by_address))
		return;
	if (r->n_refs == SCAN_REFS_MAX) {
		r->is_full = true;
		return;
	}
	r->refs[r->n_refs++] = (struct scan_ref){ .at = at, .target = target };
}

static void note_lea(struct refs *r, uint64_t at, const uint8_t *p)
{
	int32_t distance;

	memcpy(&distance, p + 3, sizeof(distance));
	note(r, at, at + 7 + (uint64_t)(int64_t)distance);
}

static void note_constant(struct refs *r, uint64_t at, const uint8_t *p)
{
	uint32_t value;

	memcpy(&value, p + 1, sizeof(value));
	note(r, at, value);
}

static bool is_lea(const uint8_t *p)
{
	return (p[0] & 0xfb) == 0x48 && p[1] == 0x8d && (p[2] & 0xc7) == 0x05;
}

static bool refs_in(void *arg, uint64_t addr, const uint8_t *bytes, size_t size, size_t more)
{
	const lanes rex_mask = splat(0xfb), rex = splat(0x48), lea = splat(0x8d);
	const lanes rip_mask = splat(0xc7), rip = splat(0x05);
	const lanes mov_mask = splat(0xf8), mov = splat(0xb8);
	struct refs *r = arg;
	size_t at = 0;

	for (; at + LANES + 8 <= more && at < size; at += LANES) {
		lanes a = load(bytes + at), b = load(bytes + at + 1), c = load(bytes + at + 2);
		lanes hit = (lanes)((a & rex_mask) == rex) & (lanes)(b == lea) &
			    (lanes)((c & rip_mask) == rip);
		lanes constant = {}, d;

		if (r->n_constants) {
			d = load(bytes + at + 3);
			for (size_t i = 0; i < r->n_constants; i++)
				constant |= (lanes)(c == r->constants[i].second) &
					    (lanes)(d == r->constants[i].third);
			constant &= (lanes)((a & mov_mask) == mov);
		}
		while (any(hit)) {
			size_t k = at + take_lane(&hit);

			if (k < size)
				note_lea(r, addr + k, bytes + k);
		}
		while (any(constant)) {
			size_t k = at + take_lane(&constant);

			if (k < size)
				note_constant(r, addr + k, bytes + k);
		}
	}
	for (; at < size && at + 7 <= more; at++) {
		if (is_lea(bytes + at))
			note_lea(r, addr + at, bytes + at);
		if (r->n_constants && (bytes[at] & 0xf8) == 0xb8)
			note_constant(r, addr + at, bytes + at);
	}
	return !r->is_full;
}

static void add_constant(struct refs *r, uint64_t target)
{
	lanes second = splat((uint8_t)(target >> 8)), third = splat((uint8_t)(target >> 16));

	if (target > UINT32_MAX)
		return;
	for (size_t i = 0; i < r->n_constants; i++)
		if (r->constants[i].second[0] == second[0] && r->constants[i].third[0] == third[0])
			return;
	r->constants[r->n_constants].second = second;
	r->constants[r->n_constants++].third = third;
}

int scan_refs(const struct image *image, const uint64_t *targets, size_t n, struct scan_ref *ret,
	      size_t *ret_n)
{
	struct refs *r;
	int err;

	*ret_n = 0;
	if (n > SCAN_TARGETS_MAX)
		return -E2BIG;
	if (!n)
		return 0;
	r = aligned_alloc(LANES, (sizeof(*r) + LANES - 1) / LANES * LANES);
	if (!r)
		return -ENOMEM;
	memset(r, 0, sizeof(*r));
	r->image = image;
	r->refs = ret;
	r->n_targets = n;
	memcpy(r->targets, targets, n * sizeof(*targets));
	qsort(r->targets, n, sizeof(*targets), by_address);
	r->low = r->targets[0];
	r->high = r->targets[n - 1];
	for (size_t i = 0; i < n && !image->is_relocated; i++)
		add_constant(r, targets[i]);
	err = image_walk(image, IMAGE_CODE, 0, UINT64_MAX, refs_in, r);
	*ret_n = r->n_refs;
	if (!err && r->is_full)
		err = -E2BIG;
	free(r);
	return err;
}

bool scan_is_ref(const struct image *image, const struct scan_ref *ref)
{
	uint8_t bytes[7];
	int32_t distance;
	uint32_t value;

	if (!image_is_code(image, ref->at) || image_read(image, ref->at, bytes, sizeof(bytes)))
		return false;
	memcpy(&distance, bytes + 3, sizeof(distance));
	if (is_lea(bytes) && ref->at + 7 + (uint64_t)(int64_t)distance == ref->target)
		return true;
	memcpy(&value, bytes + 1, sizeof(value));
	return !image->is_relocated && (bytes[0] & 0xf8) == 0xb8 && value == ref->target;
}

/* A library calls itself, and linkers keep it together: most files need no look at more. */
#define NEAR (4u << 20)

struct calls {
	const uint64_t *targets;
	size_t n;
	unsigned int *counts;
	struct scan_callers *callers;
};

static void note_call(struct calls *c, uint64_t at, const uint8_t *p)
{
	int32_t distance;
	uint64_t target;

	memcpy(&distance, p + 1, sizeof(distance));
	target = at + 5 + (uint64_t)(int64_t)distance;
	for (size_t i = 0; i < c->n; i++) {
		if (c->targets[i] != target)
			continue;
		c->counts[i]++;
		if (c->callers && c->callers->n < SCAN_CALLERS_MAX)
			c->callers->at[c->callers->n++] = (struct scan_ref){ at, target };
	}
}

static bool calls_in(void *arg, uint64_t addr, const uint8_t *bytes, size_t size, size_t more)
{
	const lanes call = splat(0xe8);
	struct calls *c = arg;
	size_t at = 0;

	for (; at + LANES + 8 <= more && at < size; at += LANES) {
		lanes hit = (lanes)(load(bytes + at) == call);

		while (any(hit)) {
			size_t k = at + take_lane(&hit);

			if (k < size)
				note_call(c, addr + k, bytes + k);
		}
	}
	for (; at < size && at + 5 <= more; at++)
		if (bytes[at] == 0xe8)
			note_call(c, addr + at, bytes + at);
	for (size_t i = 0; i < c->n; i++)
		if (!c->counts[i])
			return true;
	return c->callers;
}

int scan_calls(const struct image *image, const uint64_t *targets, size_t n, unsigned int *ret,
	       struct scan_callers *callers)
{
	struct calls c = { .targets = targets, .n = n, .counts = ret, .callers = callers };

	uint64_t low = UINT64_MAX, high = 0;
	bool has_all = true;
	int err;

	memset(ret, 0, n * sizeof(*ret));
	for (size_t i = 0; i < n; i++) {
		low = targets[i] < low ? targets[i] : low;
		high = targets[i] > high ? targets[i] : high;
	}
	if (!n)
		return 0;
	low = low > NEAR ? low - NEAR : 0;
	high = high < UINT64_MAX - NEAR ? high + NEAR : UINT64_MAX;
	err = image_walk(image, IMAGE_CODE, low, high, calls_in, &c);
	for (size_t i = 0; i < n; i++)
		has_all = has_all && ret[i];
	if (err || has_all)
		return err;
	err = image_walk(image, IMAGE_CODE, 0, low, calls_in, &c);
	return err ? err : image_walk(image, IMAGE_CODE, high, UINT64_MAX, calls_in, &c);
}

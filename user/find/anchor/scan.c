/* SPDX-License-Identifier: Apache-2.0 */
#include "find/anchor/scan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "find/anchor/lanes.h"

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
	const struct machine *machine;
	struct machine_targets wanted;
	struct machine_state state;
	uint64_t targets[SCAN_TARGETS_MAX];
	uint64_t low, high; /* of the targets */
	uint64_t next;      /* where the last piece ended */
	struct scan_ref *refs;
	size_t n_refs;
	bool is_full;
};

static int by_address(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void note_ref(void *arg, uint64_t at, uint64_t target)
{
	struct refs *r = arg;

	if (target < r->low || target > r->high ||
	    !bsearch(&target, r->targets, r->wanted.n, sizeof(target), by_address))
		return;
	if (r->n_refs == SCAN_REFS_MAX) {
		r->is_full = true;
		return;
	}
	r->refs[r->n_refs++] = (struct scan_ref){ .at = at, .target = target };
}

static bool refs_in(void *arg, uint64_t addr, const uint8_t *bytes, size_t size, size_t more)
{
	struct refs *r = arg;

	if (addr != r->next)
		r->state = (struct machine_state){};
	r->next = addr + size;
	r->machine->refs(&r->wanted, &r->state, addr, bytes, size, more, note_ref, r);
	return !r->is_full;
}

int scan_refs(const struct image *image, const uint64_t *targets, size_t n, struct scan_ref *ret,
	      size_t *ret_n)
{
	_cleanup_free_ struct refs *r = NULL;
	int err;

	*ret_n = 0;
	if (n > SCAN_TARGETS_MAX)
		return -E2BIG;
	if (!n)
		return 0;
	r = calloc(1, sizeof(*r));
	if (!r)
		return -ENOMEM;
	memcpy(r->targets, targets, n * sizeof(*targets));
	qsort(r->targets, n, sizeof(*targets), by_address);
	r->machine = image->machine;
	r->wanted = (struct machine_targets){ r->targets, n, image->is_relocated };
	r->refs = ret;
	r->low = r->targets[0];
	r->high = r->targets[n - 1];
	err = image_walk(image, IMAGE_CODE, 0, UINT64_MAX, refs_in, r);
	*ret_n = r->n_refs;
	return !err && r->is_full ? -E2BIG : err;
}

static void match_ref(void *arg, uint64_t at, uint64_t target)
{
	struct scan_ref *sought = arg;

	if (sought->at == at && sought->target == target)
		sought->at = 0;
}

bool scan_is_ref(const struct image *image, const struct scan_ref *ref)
{
	struct machine_targets wanted = { &ref->target, 1, image->is_relocated };
	struct machine_state state = {};
	struct scan_ref sought = *ref;
	uint8_t bytes[SCAN_BACK_MAX + 7];
	uint64_t from = image_code_begin(image, ref->at);
	ssize_t n;

	if (!ref->at || !image_is_code(image, ref->at) || image->machine->refs_back > SCAN_BACK_MAX)
		return false;
	if (ref->at - from > image->machine->refs_back)
		from = ref->at - image->machine->refs_back;
	n = image_read_some(image, from, bytes, (size_t)(ref->at - from) + 7);
	if (n <= 0 || (uint64_t)n <= ref->at - from)
		return false;
	image->machine->refs(&wanted, &state, from, bytes, (size_t)(ref->at - from) + 1, (size_t)n,
			     match_ref, &sought);
	return !sought.at;
}

/* A library calls itself, and linkers keep it together: most files need no look at more. */
#define NEAR (4u << 20)

struct calls {
	const struct machine *machine;
	struct scan_called *called;
	size_t n;
	struct scan_callers *callers;
	bool is_far; /* what is near is read to its end */
};

static void note_call(void *arg, uint64_t at, uint64_t target)
{
	struct calls *c = arg;

	for (size_t i = 0; i < c->n; i++) {
		struct scan_called *called = &c->called[i];

		called->n_within += target > called->addr && target <= called->last;
		if (called->addr != target)
			continue;
		called->n_callers++;
		if (c->callers && c->callers->n < SCAN_CALLERS_MAX)
			c->callers->at[c->callers->n++] = (struct scan_ref){ at, target };
	}
}

static bool have_callers(const struct calls *c)
{
	for (size_t i = 0; i < c->n; i++)
		if (!c->called[i].n_callers)
			return false;
	return true;
}

static bool calls_in(void *arg, uint64_t addr, const uint8_t *bytes, size_t size, size_t more)
{
	struct calls *c = arg;

	c->machine->calls(addr, bytes, size, more, note_call, c);
	return !c->is_far || c->callers || !have_callers(c);
}

int scan_calls(const struct image *image, struct scan_called *called, size_t n,
	       struct scan_callers *callers)
{
	struct calls c = { .machine = image->machine, .called = called, .n = n, .callers = callers };
	uint64_t low = UINT64_MAX, high = 0;
	int err;

	for (size_t i = 0; i < n; i++) {
		low = called[i].addr < low ? called[i].addr : low;
		high = called[i].addr > high ? called[i].addr : high;
		called[i].n_callers = called[i].n_within = 0;
	}
	if (!n)
		return 0;
	low = low > NEAR ? low - NEAR : 0;
	high = high < UINT64_MAX - NEAR ? high + NEAR : UINT64_MAX;
	err = image_walk(image, IMAGE_CODE, low, high, calls_in, &c);
	if (err || have_callers(&c))
		return err;
	c.is_far = true;
	err = image_walk(image, IMAGE_CODE, 0, low, calls_in, &c);
	return err ? err : image_walk(image, IMAGE_CODE, high, UINT64_MAX, calls_in, &c);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Gates. The programs look for one only while `gates_live` is not zero: this process is the only
 * one that sets and clears them, so it keeps that count.
 */
#include "tap/tap_internal.h"

#include <errno.h>
#include <stdlib.h>

static int gates_fd(const struct tap *tap)
{
	return bpf_map__fd(tap->skel->maps.gates);
}

int tap_gate_get(const struct tap *tap, uint64_t cgroup, struct ctl_gate *ret)
{
	return bpf_map_lookup_elem(gates_fd(tap), &cgroup, ret);
}

/* Both halves count the gates. */
static void count(struct tap *tap, int change)
{
	tap->gates.n += change;
	__atomic_store_n(&tap->skel->bss->gates_live, tap->gates.n, __ATOMIC_RELEASE);
	if (tap->gates.n)
		pthread_cond_broadcast(&tap->gates.some);
}

int tap_gate_set(struct tap *tap, uint64_t cgroup, const struct ctl_gate *gate)
{
	struct ctl_gate old, new = *gate;
	bool is_new;
	int err;

	pthread_mutex_lock(&tap->gates.lock);
	is_new = tap_gate_get(tap, cgroup, &old) != 0;
	/* a hit between these two calls is lost from the count, not from the effect */
	new.hits = is_new ? 0 : old.hits;
	err = bpf_map_update_elem(gates_fd(tap), &cgroup, &new, BPF_ANY);
	if (!err && is_new)
		count(tap, 1);
	pthread_mutex_unlock(&tap->gates.lock);
	return err;
}

int tap_gate_clear(struct tap *tap, uint64_t cgroup)
{
	int err;

	pthread_mutex_lock(&tap->gates.lock);
	err = bpf_map_delete_elem(gates_fd(tap), &cgroup);
	if (!err)
		count(tap, -1);
	pthread_mutex_unlock(&tap->gates.lock);
	return err;
}

void tap_gates_wait(struct tap *tap)
{
	pthread_mutex_lock(&tap->gates.lock);
	while (!tap->gates.n && !tap->gates.is_interrupted)
		pthread_cond_wait(&tap->gates.some, &tap->gates.lock);
	pthread_mutex_unlock(&tap->gates.lock);
}

void tap_gates_interrupt(struct tap *tap)
{
	pthread_mutex_lock(&tap->gates.lock);
	tap->gates.is_interrupted = true;
	pthread_cond_broadcast(&tap->gates.some);
	pthread_mutex_unlock(&tap->gates.lock);
}

/* The next key of a walk that ends after `max`, whatever others do to the map; false: none. */
static bool next_key(int fd, const void *key, void *next, uint32_t *left)
{
	return (*left)-- && !bpf_map_get_next_key(fd, key, next);
}

void tap_gates_renew(struct tap *tap, uint64_t now_ns, uint64_t lease_ns)
{
	uint32_t left = TAP_GATES_MAX;
	uint64_t cgroup, *at = NULL, next;
	struct ctl_gate gate;

	pthread_mutex_lock(&tap->gates.lock);
	while (next_key(gates_fd(tap), at, &next, &left)) {
		cgroup = next;
		at = &cgroup;
		if (tap_gate_get(tap, cgroup, &gate) || gate.lease_ns <= now_ns ||
		    gate.lease_ns >= lease_ns)
			continue;
		gate.lease_ns = lease_ns;
		(void)bpf_map_update_elem(gates_fd(tap), &cgroup, &gate, BPF_EXIST);
	}
	pthread_mutex_unlock(&tap->gates.lock);
}

/*
 * A bucket of an earlier daemon keeps its gate shut until this one has decided, and whoever gets its
 * number begins at nothing.
 */
static void empty_buckets(struct tap *tap)
{
	int grants = bpf_map__fd(tap->skel->maps.grants), takes = bpf_map__fd(tap->skel->maps.takes);
	uint32_t bucket, next, left = CTL_BUCKETS_MAX;
	const uint32_t *at = NULL;

	while (next_key(grants, at, &next, &left)) {
		const struct ctl_allowance nothing = { .reserve_nanos = 1 };
		const struct ctl_consumed none = { 0 };

		bucket = next;
		at = &bucket;
		(void)bpf_map_update_elem(grants, &bucket, &nothing, BPF_EXIST);
		(void)bpf_map_update_elem(takes, &bucket, &none, BPF_ANY);
	}
}

void tap_gates_take_over(struct tap *tap)
{
	uint32_t n = 0, left = TAP_GATES_MAX;
	uint64_t cgroup, next;

	while (next_key(gates_fd(tap), n ? &cgroup : NULL, &next, &left)) {
		cgroup = next;
		n++;
	}
	pthread_mutex_lock(&tap->gates.lock);
	count(tap, (int)n);
	pthread_mutex_unlock(&tap->gates.lock);
	empty_buckets(tap);
}

static int by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

/* Buckets that no gate names any more. */
static void sweep_buckets(struct tap *tap, const uint64_t *cgroups, size_t n)
{
	static uint32_t named[TAP_GATES_MAX * CTL_BUCKETS];
	int grants = bpf_map__fd(tap->skel->maps.grants);
	uint32_t buckets[CTL_BUCKETS_MAX], *at = NULL, left = CTL_BUCKETS_MAX;
	size_t n_buckets = 0, n_named = 0;
	struct ctl_gate gate;

	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; !tap_gate_get(tap, cgroups[i], &gate) && j < CTL_BUCKETS; j++)
			named[n_named++] = gate.buckets[j];
	qsort(named, n_named, sizeof(*named), by_number);
	while (next_key(grants, at, &buckets[n_buckets], &left))
		at = &buckets[n_buckets++];
	for (size_t i = 0; i < n_buckets; i++)
		if (!bsearch(&buckets[i], named, n_named, sizeof(*named), by_number))
			(void)tap_allowance_clear(tap, buckets[i]);
}

size_t tap_gates_sweep(struct tap *tap, bool (*wanted)(void *arg, uint64_t cgroup), void *arg)
{
	uint64_t cgroups[TAP_GATES_MAX], *at = NULL;
	uint32_t left = TAP_GATES_MAX;
	size_t n = 0, cleared = 0;

	/* Listed first: a walk over a table that changes starts over. */
	while (next_key(gates_fd(tap), at, &cgroups[n], &left))
		at = &cgroups[n++];
	for (size_t i = 0; i < n; i++)
		cleared += !wanted(arg, cgroups[i]) && !tap_gate_clear(tap, cgroups[i]);
	sweep_buckets(tap, cgroups, n);
	return cleared;
}

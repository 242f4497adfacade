/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel half and discovery without a kernel: tap/tap.h and find/finder.h, as far as the daemon
 * calls them, for the program that includes this, once. What it is asked is written down; events that
 * a test queues come out of the ring.
 */
#ifndef UNIT_FAKE_KERNEL_H
#define UNIT_FAKE_KERNEL_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "find/finder.h"
#include "find/inspector.h"
#include "find/selftest.h"
#include "tap/pin.h"
#include "tap/tap.h"

#define KERNEL_EVENTS 64
#define KERNEL_GATES  64

struct tap {
	int fd;
};
struct finder {
	int unused;
};

static struct {
	struct tap tap;
	struct finder finder;
	struct {
		_Alignas(8) unsigned char bytes[sizeof(struct ev_data) + EV_PIECE_MAX];
		size_t size;
	} events[KERNEL_EVENTS];
	size_t n_events, n_read; /* queued; of these, read */
	struct {
		uint64_t cgroup;
		struct ctl_gate gate;
	} gates[KERNEL_GATES];
	size_t n_gates;
	/* how often it was asked */
	size_t n_pins, n_unpins, n_sweeps, n_deferred, n_addresses, n_decided, n_destroyed;
	size_t n_greeted, n_gone, n_forgotten, n_dropped, n_scans, n_buckets;
	uint64_t swept_cgroup;  /* whose gate an earlier daemon left; 0: there is none */
	uint64_t held_since_ns; /* of every flow; 0: none is held */
	uint32_t owner;         /* of every old flow; 0: none */
	bool is_pinned, defers, is_shared;
	uint64_t counters[CTL_COUNTERS];
	enum find_reach reach;
	uint64_t socket; /* of the last greeting */
	/* what fails */
	int tap_err, pin_err, find_err, selftest_err, record_err;
	enum find_returns returns; /* what the self-test finds safe */
} kernel;

static inline void kernel_reset(void)
{
	memset(&kernel, 0, sizeof(kernel));
}

/* An event for the ring. */
static inline void kernel_event(const void *event, size_t size)
{
	uint64_t one = 1;

	if (kernel.n_read == kernel.n_events)
		kernel.n_read = kernel.n_events = 0;
	memcpy(kernel.events[kernel.n_events].bytes, event, size);
	kernel.events[kernel.n_events++].size = size;
	(void)!write(kernel.tap.fd, &one, sizeof(one));
}

/* The gate of a cgroup; CTL_OPEN: it has none. */
static inline enum ctl_gate_state kernel_gate(uint64_t cgroup)
{
	for (size_t i = 0; i < kernel.n_gates; i++)
		if (kernel.gates[i].cgroup == cgroup)
			return kernel.gates[i].gate.state;
	return CTL_OPEN;
}

int tap_new(struct tap **ret, const struct tap_config *config, char **ret_error)
{
	*ret_error = kernel.tap_err ? strdup("no BPF here") : NULL;
	if (kernel.tap_err)
		return kernel.tap_err;
	kernel.tap.fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	*ret = &kernel.tap;
	return 0;
}

struct tap *tap_free(struct tap *tap)
{
	if (tap)
		close(tap->fd);
	return NULL;
}

void pin_dir(const char *state, char ret[PIN_PATH_LEN])
{
	snprintf(ret, PIN_PATH_LEN, "/no/bpffs");
}

int tap_pin(struct tap *tap)
{
	kernel.n_pins++;
	kernel.is_pinned = !kernel.pin_err;
	return kernel.pin_err;
}

void tap_unpin(struct tap *tap)
{
	kernel.n_unpins++;
	kernel.is_pinned = false;
}

int tap_fd(const struct tap *tap)
{
	return tap->fd;
}

int tap_drain_some(struct tap *tap, size_t most, tap_event_fn fn, void *arg)
{
	uint64_t n;

	(void)!read(tap->fd, &n, sizeof(n));
	while (most-- && kernel.n_read < kernel.n_events) {
		size_t i = kernel.n_read++;

		fn(arg, (const struct ev_head *)kernel.events[i].bytes, kernel.events[i].size);
	}
	return 0;
}

int tap_drain(struct tap *tap, tap_event_fn fn, void *arg)
{
	return tap_drain_some(tap, KERNEL_EVENTS, fn, arg);
}

int tap_sweep(struct tap *tap, tap_event_fn fn, void *arg)
{
	kernel.n_sweeps++;
	return 0;
}

int tap_decide(struct tap *tap, uint64_t connection, enum ctl_verdict verdict)
{
	kernel.n_decided++;
	return 0;
}

void tap_forget(struct tap *tap, uint32_t tgid, uint64_t ssl)
{
	kernel.n_forgotten++;
}

int tap_gate_set(struct tap *tap, uint64_t cgroup, const struct ctl_gate *gate)
{
	size_t i = 0;

	while (i < kernel.n_gates && kernel.gates[i].cgroup != cgroup)
		i++;
	if (i == KERNEL_GATES)
		return -E2BIG;
	kernel.n_gates += i == kernel.n_gates;
	kernel.gates[i].cgroup = cgroup;
	kernel.gates[i].gate = *gate;
	return 0;
}

void tap_gates_wait(struct tap *tap)
{
	(void)tap;
}

void tap_gates_interrupt(struct tap *tap)
{
	(void)tap;
}

void tap_gates_renew(struct tap *tap, uint64_t now_ns, uint64_t lease_ns)
{
	(void)tap;
	(void)now_ns;
	(void)lease_ns;
}

int tap_gate_clear(struct tap *tap, uint64_t cgroup)
{
	for (size_t i = 0; i < kernel.n_gates; i++) {
		if (kernel.gates[i].cgroup != cgroup)
			continue;
		kernel.gates[i] = kernel.gates[--kernel.n_gates];
		return 0;
	}
	return -ENOENT;
}

size_t tap_gates_sweep(struct tap *tap, bool (*wanted)(void *arg, uint64_t cgroup), void *arg)
{
	return kernel.swept_cgroup && !wanted(arg, kernel.swept_cgroup);
}

int tap_allowance_set(struct tap *tap, uint32_t bucket, const struct ctl_allowance *allowed)
{
	kernel.n_buckets++;
	return 0;
}

int tap_allowance_clear(struct tap *tap, uint32_t bucket)
{
	kernel.n_buckets--;
	return 0;
}

int tap_consumed_get(const struct tap *tap, uint32_t bucket, struct ctl_consumed *ret)
{
	*ret = (struct ctl_consumed){ 0 };
	return 0;
}

int tap_holds(struct tap *tap, void (*fn)(void *arg, uint64_t cookie, const struct ctl_hold *hold),
	      void *arg)
{
	return 0;
}

int tap_hold_get(const struct tap *tap, uint64_t cookie, struct ctl_hold *ret)
{
	*ret = (struct ctl_hold){ .since_ns = kernel.held_since_ns };
	return kernel.held_since_ns ? 0 : -ENOENT;
}

int tap_hold_drop(struct tap *tap, uint64_t cookie)
{
	kernel.n_dropped++;
	return 0;
}

int tap_wake(uint64_t cookie, const struct ctl_hold *hold)
{
	return -ENOENT;
}

int tap_flow_get(const struct tap *tap, uint64_t cookie, struct ctl_flow *ret)
{
	return -ENOENT;
}

int tap_flow_decide(struct tap *tap, const struct ev_flow *flow, enum ctl_verdict verdict)
{
	kernel.n_decided++;
	return -ENOENT;
}

bool tap_flow_is_shared(const struct tap *tap, const struct ev_flow *flow)
{
	return kernel.is_shared;
}

int tap_flow_owner(struct tap *tap, uint64_t cookie, uint32_t *ret)
{
	*ret = kernel.owner;
	return kernel.owner ? 0 : -ENOENT;
}

int tap_add_name_server(struct tap *tap, const struct sockaddr *address)
{
	return 0;
}

int tap_add_address(struct tap *tap, const struct sockaddr *address, enum ctl_verdict whose)
{
	kernel.n_addresses++;
	return 0;
}

void tap_defer(struct tap *tap, bool is_on)
{
	kernel.defers = is_on;
}

int tap_defer_begin(struct tap *tap, uint32_t tgid)
{
	kernel.n_deferred++;
	return 0;
}

int tap_destroy(struct tap *tap, const struct ev_flow *flow)
{
	kernel.n_destroyed++;
	return -EPERM;
}

int tap_counters(const struct tap *tap, uint64_t counters[CTL_COUNTERS])
{
	memcpy(counters, kernel.counters, sizeof(kernel.counters));
	return 0;
}

const char *tap_counter_name(enum ctl_counter which)
{
	return which == CTL_RING_FULL_EVENTS ? "ring_full_events" : NULL;
}

void tap_run_times(const struct tap *tap,
		   void (*fn)(void *arg, const struct tap_run_time *run_time), void *arg)
{
	fn(arg, &(struct tap_run_time){ .program = "probe", .runs = 2, .run_ns = 900 });
}

void tap_probe_features(struct tap_features *ret)
{
	*ret = (struct tap_features){ .has_uprobe_multi = true };
}

int find_selftest(struct tap *tap, enum find_returns *returns, char **ret_error)
{
	*returns = kernel.returns;
	return kernel.selftest_err;
}

int finder_new(struct finder **ret, struct tap *tap, const struct find_config *config,
	       char **ret_error)
{
	*ret = kernel.find_err ? NULL : &kernel.finder;
	return kernel.find_err;
}

int inspector_new(struct inspector **ret)
{
	*ret = NULL;
	return 0;
}

struct inspector *inspector_free(struct inspector *inspector)
{
	return NULL;
}

struct finder *finder_free(struct finder *finder)
{
	return NULL;
}

int finder_scan(struct finder *finder)
{
	kernel.n_scans++;
	return 0;
}

int finder_start(struct finder *finder)
{
	return 0;
}

void finder_greeted(struct finder *finder, uint32_t tgid, uint64_t cgroup, uint64_t socket)
{
	kernel.n_greeted++;
	kernel.socket = socket;
}

void finder_speaks(struct finder *finder, uint32_t tgid)
{
}

void finder_gone(struct finder *finder, uint32_t tgid)
{
	kernel.n_gone++;
}

void finder_stats(struct finder *finder, struct find_stats *ret)
{
	*ret = (struct find_stats){ .looks_given_up = 3 };
}

enum find_reach finder_reach(struct finder *finder, uint32_t tgid)
{
	return kernel.reach;
}

#endif
